"""What must always hold in the virtual world, and what must hold in the end.

Everything is judged on the truth: the exchange's own orders, positions and trades, what really
travels on the line, and what the bot believes beside it. A check that fails raises `Violated`.

Always:

* bug       a turn ends, and not with an exception
* money     cash and positions of all accounts add up to what they were
* grid      no price or amount off the venue's grid leaves the bot (R-K1)
* book      nothing is quoted on a book that is known to be lost, crossed or empty (R-C2), and what
            is shown of a book is what it was a moment ago
* tripped   nothing is placed or amended after the kill switch (R-I1), and whoever begins knows
* crossing  no order of ours meets another one of ours
* slot      one working order per instrument, side and level, at the venue and in the table (R-A3)
* limit     position and everything that may still be traded stay within the desk's limits
* deadline  no request in flight outlives its deadline, and no order stays unknown though the venue
            has been asked about it, by name and late enough, more than three times
* order     no amend or cancel leaves before the venue has answered for the order it is about
* memory    of an order, the newest word that came is believed, whatever comes after it
* booking   every fill is booked once, as the venue has it (R-B1)
* foreign   nobody else's order is touched (R-A7)
* credits   the venue never has to refuse a request for there being too many (R-E1)
* cancel    a cancel that is wanted leaves within 200 ms (R-A8)
* dead-man  no order leaves over a line that would not take it along when it breaks
* login     the venue never has to refuse a request for want of a login
* silence   a line on which the account's channel has fallen silent is given up
* blame     a refusal is told with the reach that it has, and no other
* mark      a mark that is told is about the venue's
* look      the positions of a look at the account are not older than the trades in it

In the end, once nothing goes wrong any more, within a bounded time: our working orders are the
venue's, positions agree, every trade is booked, nothing is unknown, every market that may be quoted
is quoted, and the change of equity is explained to 1e-9 in every currency (R-D1).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.error_scope import ErrorScope
from mmbot.core.intents import Amend, Cancel, CancelAll, Intent, Place
from mmbot.core.inventory import Booked, Entry, Pnl
from mmbot.core.order_life import IN_FLIGHT, Status
from mmbot.core.orders import ORPHAN_LEVEL
from mmbot.core.sizes import LOTS, unit_of
from mmbot.core.state import State
from mmbot.core.statements import Fill, HeldPosition
from mmbot.core.types import MS, ZERO, InstrumentId, Label, Nanos, Owner, Side
from mmbot.core.why import Why
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_position import MaxPosition
from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.exchange.effects import BookDelta
from mmbot.sim.exchange.listing import Kind
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order
from mmbot.sim.virtual.face import ACCOUNT, VirtualVenue
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.store import VirtualStore
from mmbot.sim.virtual.translate import fill_of, id_of, instrument_of, is_our_order, name_of
from mmbot.sim.virtual.true_book import TrueBook

OVERDUE_NS: Nanos = 300 * MS
"""Ticks come every 100 ms: by then a deadline has been noticed."""
ASKED_MAX: Final = 3
CANCEL_WAIT_NS: Nanos = 200 * MS
TICK_NS: Nanos = 100 * MS
UNTOLD_MAX_S: Final = 14.0
"""Five seconds of patience, a late reply (another five), a second until it is looked at, and some
for a line that is being entered just then."""
MARK_TIMES: Final = 3.0
MARK_TICKS: Final = 20
"""A mark on its way is old; so far the venue's own may have moved meanwhile."""
UNAUTHORIZED: Final = "13009 unauthorized"
EXPOSURE_SLACK: Final = Decimal("1.02")
"""Exposure is counted at the index of the moment; the index moves."""
RESIDUAL_MAX: Final = Decimal("1e-9")

_WANTED: Final = frozenset(
    {
        Why.QUOTED,
        Why.IMPROVING,
        Why.JOINING,
        Why.FALLBACK_WIDTH,
        Why.SKEWED,
        Why.REFRESH,
        Why.MOVED,
        Why.STAYS,
        Why.CUT_ORDER,
        Why.CUT_POSITION,
        Why.CUT_EXPOSURE,
        Why.RATE_LIMITED,
        Why.NO_LABEL,
    }
)
"""Reasons of a side that has a quote, or wants one."""

_NOT_YET: Final = frozenset(
    {
        Why.NO_BOOK,
        Why.BOOK_GAPPED,
        Why.LINK_DOWN,
        Why.RECONCILING,
        Why.STARTING,
        Why.STORE,
        Why.NO_MARK,
        Why.NO_LABEL,
        Why.RATE_LIMITED,
        Why.OWN_ORDERS_UNCLEAR,
        Why.LATE_FILL,
        Why.HALTED,
        Why.REFUSED,
        *_WANTED,
    }
)
"""Reasons that must have gone before a market without an order counts as settled."""


_REACH: Final = {
    "10028": ErrorScope.SESSION,
    "10009": ErrorScope.SIDE,
    "11044": ErrorScope.ORDER,
    "11054": ErrorScope.ORDER,
    "13019": ErrorScope.INSTRUMENT,
    "10041": ErrorScope.PLATFORM,
}
"""How far the refusals reach that the venue has for us, by number."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What did not hold, when, and what was just happening. `time_ns` is desk time."""

    check: str
    detail: str
    seed: int
    time_ns: Nanos
    turn: int
    event: str


class Violated(Exception):
    """A check failed; the world makes a `Violation` of it."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(f"{check}: {detail}")
        self.check, self.detail = check, detail


class Checks:
    """The judge of one history. `state` is the bot's belief, None while it is down."""

    def __init__(
        self,
        exchange: Exchange,
        venue: VirtualVenue,
        store: VirtualStore,
        desks: Mapping[InstrumentId, Desk],
        flying: Mapping[object, OrderRequest],
    ) -> None:
        self.longest_cancel_wait_ns: Nanos = 0
        self.tripped_ns: Nanos = 0
        self.asked_to_place = 0
        self._exchange = exchange
        self._venue = venue
        self._store = store
        self._desks = desks
        self._flying = flying
        self._sound: dict[InstrumentId, str] = {}
        """Why the book that the bot was shown last must not be quoted on; empty: it may."""
        self._levels: dict[Label, int] = {}
        self._foreign: dict[str, None] = {}
        self._foreign_fills: Counter[str] = Counter()
        self._instruments: dict[str, Instrument] = {}
        self._truth = {name_of(one): TrueBook(exchange.book(name_of(one))) for one in desks}
        self._told_ms: dict[Label, int] = {}
        """The venue's newest stamp that the bot has seen on an order."""
        self._asked: Counter[Label] = Counter()
        """How often the venue has been asked about an order that is still unknown."""
        self._unwanted_ns: dict[Label, Nanos] = {}
        self._booked: dict[str, None] = {}
        """Trade ids booked by the present process."""
        self._currencies = tuple(exchange.currencies)
        self._money = dict(self._sums())
        self._equity = {name: exchange.equity(ACCOUNT, name) for name in self._currencies}

    # --- what the bot is told, does and books ---

    def begin(self) -> None:
        """A new process of the bot: it knows of the kill switch, and nothing else."""
        if self.tripped_ns and self._store.latch is None:
            raise Violated("tripped", "a process begins, and nothing tells it of the kill switch")
        self._sound = dict.fromkeys(self._desks, "no book yet")
        self._booked.clear()
        self._told_ms.clear()
        self._asked.clear()
        self._unwanted_ns.clear()

    def told(self, event: ev.Event) -> None:
        """The bot is told this."""
        match event:
            case ev.TickerChanged(mark=mark) if mark is not None:
                self._check_mark(event.instrument, mark)
            case ev.BookChanged():
                self._check_shown(event)
            case ev.RequestRefused():
                self._check_blame(event)
            case ev.SnapshotTaken():
                for held in event.positions:
                    self._check_held(held, event.fills)
            case ev.OrderSeen(label=label) if label is not None:
                self._told_ms[label] = max(self._told_ms.get(label, 0), event.venue_ms)
            case ev.BookLost():
                self._sound[event.instrument] = "lost"
            case ev.LinkChanged(link=ev.Link.MARKET, up=False):
                self._sound = dict.fromkeys(self._desks, "link down")
            case _:
                pass

    def moved(self, delta: BookDelta) -> None:
        """The venue's book has changed."""
        truth = self._truth.get(delta.name)
        if truth is not None:
            truth.move(delta)

    def _check_shown(self, shown: ev.BookChanged) -> None:
        bids, asks = shown.bids, shown.asks
        fault = ""
        if not bids and not asks:
            fault = "empty"
        elif bids and asks and bids[0][0] >= asks[0][0]:
            fault = "crossed"
        self._sound[shown.instrument] = fault
        best = (bids[0][0] if bids else None, asks[0][0] if asks else None)
        if best not in self._truth[name_of(shown.instrument)].lately:
            raise Violated("book", f"{shown.instrument} never had {best} at its top")

    def _check_mark(self, instrument: InstrumentId, mark: float) -> None:
        book = self._exchange.book(name_of(instrument))
        slack = MARK_TICKS * float(book.listing.tick)
        truth = float(book.mark)
        if not truth / MARK_TIMES - slack <= mark <= truth * MARK_TIMES + slack:
            raise Violated("mark", f"{instrument} is told to be worth {mark}, and is {truth}")

    def _check_held(self, held: HeldPosition, fills: Sequence[Fill]) -> None:
        """What is held must be what came of the last trade told, or of a later one."""
        name = name_of(held.instrument)
        here = [fill for fill in fills if fill.instrument == held.instrument]
        told = {(fill.trade_id, fill.side.value) for fill in here}
        if not told or name in self._exchange.expired:
            return
        total, possible = ZERO, list[Decimal]()
        for made in self._exchange.accounts[ACCOUNT].trades:
            if made.public.name == name:
                total += made.public.amount * made.side.sign
                if (made.public.trade_id, made.side.value) in told:
                    possible.clear()
                possible.append(total)
        if held.amount is not None and held.amount not in possible:
            raise Violated("look", f"{held.amount} {name} are held, which is before the last trade")

    def _check_blame(self, refused: ev.RequestRefused) -> None:
        code = refused.detail.partition(" ")[0]
        reach = ErrorScope.INSTRUMENT if "is not open" in refused.detail else _REACH.get(code)
        if reach is not None and refused.scope is not reach:
            said = f"{refused.detail} is told as if it were about {refused.scope.value}"
            raise Violated("blame", said)

    def untold(self, seconds: float) -> None:
        """For so long the account's channel has been silent on a line that is still used."""
        if seconds > UNTOLD_MAX_S:
            raise Violated("silence", f"nothing is told of the account for {seconds:.0f} s")

    def decided(self, state: State, intents: Sequence[Intent], now_ns: Nanos) -> None:
        """A turn has ended with these intents."""
        if state.latch.tripped is not None and not self.tripped_ns:
            self.tripped_ns = now_ns
        for intent in intents:
            match intent:
                case Place() | Amend():
                    if self.tripped_ns:
                        raise Violated("tripped", f"{_short(intent)} after the kill switch")
                    fault = self._sound.get(intent.instrument, "")
                    if fault:
                        raise Violated("book", f"{_short(intent)} on a book that is {fault}")
                    self._check_grid(intent)
                    if isinstance(intent, Place):
                        self.asked_to_place += 1
                        self._levels[intent.label] = state.orders.by_label[intent.label].level
                case _:
                    pass
            if isinstance(intent, Amend | Cancel) and not intent.order_id:
                raise Violated("order", f"{_short(intent)} overtakes its place")
        self._check_table(state, now_ns)

    def absorbed(self, state: State, snapshot: ev.SnapshotTaken) -> None:
        """A turn has ended that began with this snapshot."""
        for label, _ in snapshot.lookups:
            order = state.orders.by_label.get(label)
            if order is None or order.status is not Status.UNKNOWN:
                self._asked.pop(label, None)
            elif order.uncertain_until_ns < snapshot.asked_ns:
                self._asked[label] += 1
                if self._asked[label] > ASKED_MAX:
                    times = self._asked[label]
                    raise Violated("deadline", f"{label} is unknown, asked about {times} times")

    def sent(self, intents: Sequence[Intent]) -> None:
        """These are on their way."""
        for intent in intents:
            if isinstance(intent, Place | Amend):
                self._check_limits(intent.instrument)

    def booked(self, entries: Sequence[Entry]) -> None:
        """The bot hands these to the store."""
        for entry in entries:
            if isinstance(entry, Booked):
                self._check_fill(entry.fill)

    def _check_grid(self, intent: Place | Amend) -> None:
        listing = self._exchange.terms(name_of(intent.instrument))
        amount = intent.amount
        if not listing.on_ladder(intent.price):
            raise Violated("grid", f"{_short(intent)}: the tick is {listing.tick_at(intent.price)}")
        if amount < listing.min_amount or amount % listing.amount_step:
            raise Violated("grid", f"{_short(intent)}: the lot is {listing.amount_step}")

    def _check_fill(self, fill: Fill) -> None:
        if fill.key in self._booked or fill.key in self._store.fills:
            raise Violated("booking", f"trade {fill.trade_id} was booked before")
        self._booked[fill.key] = None
        for made in reversed(self._exchange.accounts[ACCOUNT].trades):
            if fill_of(made).key == fill.key:
                if _as_told(fill_of(made), fill) != fill:
                    raise Violated("booking", f"trade {fill.trade_id} is booked as {fill}")
                return
        raise Violated("booking", f"trade {fill.trade_id} never happened")

    def _check_table(self, state: State, now_ns: Nanos) -> None:
        taken: dict[tuple[InstrumentId, Side, Owner, int], Label] = {}
        unwanted: dict[Label, Nanos] = {}
        for order in state.orders.all():
            if not order.working:
                continue
            if order.venue_ms < self._told_ms.get(order.label, 0):
                raise Violated("memory", f"{order.label} is believed to be as it was before")
            slot = (order.instrument, *order.slot)
            if order.level != ORPHAN_LEVEL:
                if slot in taken:
                    raise Violated("slot", f"{taken[slot]} and {order.label} in one slot")
                taken[slot] = order.label
            if order.status in IN_FLIGHT and now_ns > order.deadline_ns + OVERDUE_NS:
                late_ms = (now_ns - order.deadline_ns) // MS
                said = f"{order.label} is {order.status.name} {late_ms} ms past its deadline"
                raise Violated("deadline", said)
            rests = order.status is Status.LIVE and order.remaining
            if rests and self._unwanted(state, order.instrument, order.side):
                unwanted[order.label] = self._unwanted_ns.get(order.label, now_ns)
        for label, since_ns in unwanted.items():
            order = state.orders.by_label[label]
            waits_ns = now_ns - max(since_ns, order.cancel_again_ns)
            if waits_ns > CANCEL_WAIT_NS + TICK_NS:
                raise Violated("cancel", f"{label} waits {waits_ns // MS} ms for its cancel")
            self.longest_cancel_wait_ns = max(self.longest_cancel_wait_ns, waits_ns)
        self._unwanted_ns = unwanted

    def _unwanted(self, state: State, instrument: InstrumentId, side: Side) -> bool:
        """Whether a side has no quote, for a reason that takes its order away at once."""
        market = state.markets.get(instrument)
        if market is None or instrument not in self._desks:
            return False
        account = state.account_of(instrument)
        if not account.trading_up or state.lease_checked_ns < state.away_ns:
            return False
        why = market.why.get(side)
        return why is not None and why not in _WANTED and why is not Why.RECONCILING

    # --- what arrives at the venue ---

    def foreign(self, order: Order) -> None:
        """An order of other people rests on the account; the bot has every chance to know."""
        self._foreign[order.order_id] = None

    def arriving(self, request: OrderRequest) -> None:
        """An order request is about to be carried out."""
        if isinstance(request, Place) and not self._venue.guarded:
            raise Violated("dead-man", f"{_short(request)} would outlive its connection")
        if isinstance(request, Place | Amend):
            self._check_crossing(request)
        if isinstance(request, CancelAll):
            for order in self._venue.account_orders:
                if order.order_id in self._foreign and request.instrument in (
                    None,
                    id_of(order.name),
                ):
                    raise Violated("foreign", f"a mass cancel takes {order.order_id} along")
        elif isinstance(request, Amend | Cancel) and request.order_id in self._foreign:
            raise Violated("foreign", f"{_short(request)} is about a foreign order")

    def _check_crossing(self, request: Place | Amend) -> None:
        side = None
        own = self._exchange.accounts[ACCOUNT].open_orders
        if isinstance(request, Place):
            side = request.side
        elif request.order_id in own:
            side = Side(own[request.order_id].side.value)
        if side is None:
            return
        for order in own.values():
            if (
                id_of(order.name) == request.instrument
                and is_our_order(order)
                and order.side.value != side.value
                and (request.price - order.price) * side.sign >= 0
            ):
                raise Violated("crossing", f"{_short(request)} meets {order.label}")

    def carried_out(self, request: OrderRequest) -> None:
        """The request has been carried out."""
        if self._venue.counts["10028 too_many_requests"]:
            raise Violated("credits", f"{_short(request)} was one request too many")
        if isinstance(request, Place):
            self._check_slots(name_of(request.instrument))

    def _check_slots(self, name: str) -> None:
        taken: dict[tuple[str, int], str] = {}
        for order in self._venue.our_orders:
            if order.name != name:
                continue
            level = self._levels.get(Label(order.label), ORPHAN_LEVEL)
            if level == ORPHAN_LEVEL:
                continue
            slot = (order.side.value, level)
            if slot in taken:
                said = f"{taken[slot]} and {order.label} both rest at level {level} of {name}"
                raise Violated("slot", said)
            taken[slot] = order.label

    def believed(self, state: State) -> None:
        """Orders found at the venue may have got another level than they were placed at."""
        for order in state.orders.all():
            self._levels[order.label] = order.level

    def traded(self, made: UserTrade) -> None:
        """The account has traded."""
        if made.order_id in self._foreign:
            self._foreign_fills[made.public.name] += 1

    # --- limits ---

    def _check_limits(self, instrument: InstrumentId) -> None:
        desk = self._desks[instrument]
        name = name_of(instrument)
        worst = self.worst(name)
        for rule in desk.rules:
            if isinstance(rule, MaxPosition) and not self._foreign_fills[name]:
                limit = self._most(rule, name)
                if limit is not None and worst > limit:
                    said = f"{name}: {worst} may come, the limit is {limit}"
                    raise Violated("limit", said)
            elif isinstance(rule, MaxExposure):
                self._check_exposure(rule, self._exchange.terms(name).underlying)

    def _most(self, rule: MaxPosition, name: str) -> Decimal | None:
        """The limit in the venue's amount unit; where it takes a price, which moves, with slack."""
        terms = self._instruments.get(name)
        if terms is None:
            terms = self._instruments[name] = instrument_of(self._exchange.terms(name))
        book = self._exchange.book(name)
        limit = rule.most(terms, float(book.index), float(book.mark))
        steady = rule.limit.unit in ("", LOTS, unit_of(terms))
        return limit if limit is None or steady else limit * EXPOSURE_SLACK

    def _check_exposure(self, rule: MaxExposure, underlying: str) -> None:
        total = ZERO
        for instrument in self._desks:
            listing = self._exchange.terms(name_of(instrument))
            if listing.underlying != underlying or self._foreign_fills[listing.name]:
                continue
            worst = self.worst(listing.name)
            if listing.inverse and listing.kind is not Kind.OPTION:
                index = self._exchange.book(listing.name).index
                worst = worst / index if index else ZERO
            total += worst
        if total > rule.limit * EXPOSURE_SLACK:
            said = f"{underlying}: {total:.4f} may come, the limit is {rule.limit}"
            raise Violated("limit", said)

    def worst(self, name: str) -> Decimal:
        """The largest absolute position in an instrument that may still come about: what is held,
        rests and flies on one side, all of it traded (venue's amount unit)."""
        held = self._exchange.position(ACCOUNT, name).size
        open_amount = {Side.BUY: ZERO, Side.SELL: ZERO}
        amended: dict[str, Decimal] = {}
        for request in self._flying.values():
            if isinstance(request, Place) and name_of(request.instrument) == name:
                open_amount[request.side] += request.amount
            elif isinstance(request, Amend):
                most = amended.get(request.order_id, ZERO)
                amended[request.order_id] = max(most, request.amount)
        for order in self._venue.our_orders:
            if order.name == name:
                most = max(order.amount, amended.get(order.order_id, ZERO))
                open_amount[Side(order.side.value)] += most - order.filled
        return max(held + open_amount[Side.BUY], open_amount[Side.SELL] - held)

    # --- money ---

    def second(self) -> None:
        """Every now and then: nothing comes from nowhere."""
        if self._venue.counts[UNAUTHORIZED]:
            raise Violated("login", "a request came over a line that is not signed in any more")
        for what, total in self._sums():
            before = self._money.setdefault(what, ZERO)
            if total != before:
                raise Violated("money", f"{what}: {total}, was {before}")

    def _sums(self) -> Iterator[tuple[str, Decimal]]:
        """Of every currency what never changes (`Exchange`), of every instrument the positions."""
        exchange = self._exchange
        sums = {name: exchange.fees_collected.get(name, ZERO) for name in self._currencies}
        held: dict[str, Decimal] = {}
        for currency in sums:
            sums[currency] += exchange.held.get(currency, ZERO)
        for account in exchange.accounts.values():
            for currency in sums:
                sums[currency] += (
                    account.cash.get(currency, ZERO)
                    + account.session.get(currency, ZERO)
                    + account.funding.get(currency, ZERO)
                )
            for name, position in account.positions.items():
                held[name] = held.get(name, ZERO) + position.size
                if position.listing.kind is not Kind.OPTION and position.size:
                    sums[position.listing.settlement] -= position.cost
        yield from sums.items()
        for name, total in held.items():
            yield f"positions in {name}", total

    # --- the end ---

    def missing(self, state: State, now_ns: Nanos) -> list[str]:
        """What has not settled yet; empty when everything that must be so in the end is so."""
        found: list[str] = []
        ours = {order.label: order for order in self._venue.our_orders}
        leaving = state.latch.tripped is not None or state.stopping is not None
        if leaving:
            found += [f"{label} still rests at the venue" for label in ours]
            if not state.flat_verified:
                found.append("not yet proved flat")
        else:
            found += self._unsettled_orders(state, ours)
            found += self._unquoted(state, now_ns)
        if self._flying:
            found.append("requests on their way")
        found += self._unbooked(state)
        return found

    def _unsettled_orders(self, state: State, ours: Mapping[str, Order]) -> Iterator[str]:
        believed = {o.label: o for o in state.orders.all() if o.working or o.unbooked > 0}
        for label in ours:
            if label not in believed:
                yield f"{label} rests at the venue, unknown to us"
        for label, order in believed.items():
            stated = ours.get(label)
            if order.status is not Status.LIVE:
                yield f"{label} is {order.status.name}"
            elif stated is None:
                yield f"{label} does not rest at the venue"
            elif (stated.price, stated.amount, stated.filled, stated.order_id) != (
                order.price,
                order.amount,
                order.filled,
                order.order_id,
            ):
                yield f"{label} rests on other terms than we believe"

    def _unbooked(self, state: State) -> Iterator[str]:
        for instrument in self._desks:
            name, market = name_of(instrument), state.markets.get(instrument)
            believed = state.inventory.amount(instrument)
            truth = self._exchange.position(ACCOUNT, name).size
            if believed != truth:
                yield f"{name}: {believed} believed, {truth} held"
            if market is not None and market.halted:
                yield f"{name}: {market.halted}"
        for made in self._exchange.accounts[ACCOUNT].trades:
            if fill_of(made).key not in self._store.fills:
                yield f"trade {made.public.trade_id} is not booked"

    def _unquoted(self, state: State, now_ns: Nanos) -> Iterator[str]:
        for instrument in self._desks:
            market = state.markets.get(instrument)
            if market is None or market.expired(now_ns):
                continue
            working = {o.side for o in state.orders.on(instrument) if o.status is Status.LIVE}
            for side in Side:
                why = market.why.get(side)
                if side not in working and (why is None or why in _NOT_YET):
                    said = why.value if why is not None else "nothing decided"
                    yield f"{market.instrument.name} {side.value}: {said}"

    def settle_up(self, state: State) -> None:
        """Once settled: is every change of equity explained?"""
        for currency in self._currencies:
            explained = Pnl()
            for (_, _, settlement, _), gone in state.retired.totals.items():
                if settlement == currency:
                    explained += gone.carried + gone.pnl
            for position in state.inventory.positions.values():
                if position.instrument.settlement == currency:
                    explained += self._explained(position.instrument, state)
            parts = explained.spread + explained.inventory + explained.funding - explained.fees
            change = self._exchange.equity(ACCOUNT, currency) - self._equity[currency]
            for what, said in (("total", explained.total), ("its parts", parts)):
                if abs(change - said) >= RESIDUAL_MAX:
                    detail = f"{currency}: equity changed by {change}, {what} say {said}"
                    raise Violated("money", detail)

    def _explained(self, instrument: Instrument, state: State) -> Pnl:
        position = state.inventory.of(instrument)
        name = instrument.name
        if name in self._exchange.listings and instrument.kind.name != Kind.OPTION.name:
            position.accrued = self._exchange.funding_of(ACCOUNT, name)
        return position.pnl(self._exchange.book(name).mark or None)


def _as_told(truth: Fill, told: Fill) -> Fill:
    """The truth, without what the venue need not tell of a fill and did not."""
    return replace(
        truth,
        liquidity=told.liquidity and truth.liquidity,
        mark=told.mark and truth.mark,
        index=told.index and truth.index,
    )


def _short(intent: OrderRequest) -> str:
    """A request in a few words."""
    match intent:
        case Place():
            where = f"{intent.side.value} {intent.amount} {name_of(intent.instrument)}"
            return f"place {intent.label} {where} at {intent.price}"
        case Amend():
            return f"amend {intent.label} to {intent.amount} at {intent.price}"
        case Cancel():
            return f"cancel {intent.label}"
        case CancelAll():
            return f"cancel all of {intent.instrument or intent.venue}"
