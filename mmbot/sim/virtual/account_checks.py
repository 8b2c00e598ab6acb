"""What must hold on each account by itself; `checks.py` lists it, and judges all of them together.

Judged on the exchange's own orders, positions and trades of that account, what really travels on
its line, and what the bot believes beside it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core import gates
from mmbot.core.capabilities import Draws
from mmbot.core.contracts import Instrument
from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Replace, venue_of
from mmbot.core.inventory import Booked, Pnl
from mmbot.core.labels import is_ours
from mmbot.core.order_life import IN_FLIGHT, Status
from mmbot.core.orders import ORPHAN_LEVEL
from mmbot.core.orders import Order as Belief
from mmbot.core.sizes import LOTS, unit_of
from mmbot.core.state import State
from mmbot.core.statements import Fill, Finality, OpenOrder
from mmbot.core.types import (
    MS,
    SECOND,
    ZERO,
    InstrumentId,
    Label,
    Nanos,
    Owner,
    Side,
    instrument_name,
    venue_name,
)
from mmbot.core.why import Why
from mmbot.risk.max_position import MaxPosition
from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.exchange.listing import Kind
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order
from mmbot.sim.virtual.account import VirtualAccount
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.store import VirtualStore
from mmbot.sim.virtual.translate import fill_at, id_of, instrument_of, is_our_order
from mmbot.sim.virtual.violation import Violated

OVERDUE_NS: Nanos = 300 * MS
"""Ticks come every 100 ms: by then a deadline has been noticed."""
ASKED_MAX: Final = 3
UNTOLD_MAX_S: Final = 14.0
"""Five seconds of patience, a late reply (another five), a second until it is looked at, and some
for a line that is being entered just then."""
RENEWED_BY_NS: Nanos = 1 * SECOND
"""By then an order that may be moved has been."""
CANCEL_WAIT_NS: Nanos = 200 * MS
TICK_NS: Nanos = 100 * MS
SLACK: Final = Decimal("1.02")
"""Some limits are counted at the price of the moment; the price moves."""
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
"""Reasons of a side that has a quote, or wants one ..."""

_SHORT: Final = frozenset({Why.RATE_LIMITED, Why.NO_LABEL})
"""... and cannot send it."""

_MOVABLE: Final = _WANTED - _SHORT

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


class AccountChecks:
    """The judge of one account."""

    def __init__(self, exchange: Exchange, account: VirtualAccount, store: VirtualStore) -> None:
        self.longest_cancel_wait_ns: Nanos = 0
        self.residual = ZERO
        """The most of a change of equity that was not explained in the end."""
        self.name = account.name
        self._exchange = exchange
        self._account = account
        self._venue = account.venue
        self._store = store
        self._desks = account.desks
        self._sound: dict[InstrumentId, str] = {}
        """Why the book that the bot was shown last must not be quoted on; empty: it may."""
        self._levels: dict[Label, int] = {}
        self._foreign: dict[str, None] = {}
        self.foreign_fills: Counter[str] = Counter()
        """By the exchange's name of an instrument: orders of other people on it have traded."""
        self._instruments: dict[str, Instrument] = {}
        self._existed: dict[str, None] = {}
        """Labels of ours that the venue has ever had an order of."""
        self._told_ms: dict[Label, int] = {}
        """The venue's newest stamp that the bot has seen on an order."""
        self._asked: Counter[Label] = Counter()
        """How often the venue has been asked about an order that is still unknown."""
        self._unwanted_ns: dict[Label, Nanos] = {}
        self._short_ns: dict[Label, Nanos] = {}
        """When no request was left for a cancel, at a venue that takes few of them."""
        self._movable_ns: dict[Label, Nanos] = {}
        """Since when the bot could have moved an order, had it wanted to."""
        self.empty_ns: Nanos = 0
        """When the last look was asked for, if it showed nothing of ours; else 0."""
        self._booked: dict[str, None] = {}
        """Trades booked by the present process, by key."""
        self._equity = {
            name: exchange.equity(account.account, name) for name in exchange.currencies
        }

    # --- what the bot is told, does and books ---

    def begin(self) -> None:
        """A new process of the bot."""
        self._sound = dict.fromkeys(self._desks, "no book yet")
        self._booked.clear()
        self._told_ms.clear()
        self._asked.clear()
        self._unwanted_ns.clear()
        self._short_ns.clear()
        self._movable_ns.clear()
        self.empty_ns = 0

    def book_shown(self, event: ev.BookChanged) -> None:
        """The bot is shown a book."""
        bids, asks = event.bids, event.asks
        fault = ""
        if not bids and not asks:
            fault = "empty"
        elif bids and asks and bids[0][0] >= asks[0][0]:
            fault = "crossed"
        self._sound[event.instrument] = fault

    def book_lost(self, instrument: InstrumentId) -> None:
        """The bot is told that a book is lost."""
        self._sound[instrument] = "lost"

    def books_lost(self) -> None:
        """The bot is told that the market link is down."""
        self._sound = dict.fromkeys(self._desks, "link down")

    def looked(self, asked_ns: Nanos, orders: Sequence[OpenOrder]) -> None:
        """The bot is shown what is open on the account; an older look that comes late shows nothing
        of what has been since."""
        if asked_ns >= self.empty_ns:
            self.empty_ns = 0 if any(is_ours(order.label) for order in orders) else asked_ns

    def look_is_one(self, look: ev.SnapshotTaken) -> None:
        """What is held must be what came of the last trade told, or of a later one."""
        for held in look.positions:
            name = instrument_name(held.instrument)
            here = [fill for fill in look.fills if fill.instrument == held.instrument]
            told = {(fill.trade_id, fill.side.value) for fill in here}
            if not told or name in self._exchange.expired or self._exchange.finality is not None:
                continue
            total, possible = ZERO, list[Decimal]()
            for made in self._exchange.accounts[self._account.account].trades:
                if made.public.name == name:
                    total += made.public.amount * made.side.sign
                    if (made.public.trade_id, made.side.value) in told:
                        possible.clear()
                    possible.append(total)
            if held.amount is not None and held.amount not in possible:
                said = f"{held.amount} {name} are held, which is before the last trade"
                raise Violated("look", said)

    def exists(self, order: Order) -> None:
        """The venue has that order, or had it."""
        if is_our_order(order):
            self._existed[order.label] = None

    def order_seen(self, label: Label, venue_ms: int, *, is_open: bool) -> None:
        """The bot is told of an order, as it was at that stamp."""
        if is_open and is_ours(label) and label not in self._existed:
            raise Violated("ghost", f"{label} is told to rest, and the venue never had it")
        self._told_ms[label] = max(self._told_ms.get(label, 0), venue_ms)

    def wanted(self, state: State, intent: Place | Amend | Replace) -> None:
        """A turn has ended with this intent."""
        fault = self._sound.get(intent.instrument, "")
        if fault:
            raise Violated("book", f"{in_short(intent)} on a book that is {fault}")
        self._check_grid(intent)
        if not isinstance(intent, Amend):
            self._levels[intent.label] = state.orders.by_label[intent.label].level

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

    def _check_grid(self, intent: Place | Amend | Replace) -> None:
        listing = self._exchange.terms(instrument_name(intent.instrument))
        amount = intent.amount
        if not listing.on_ladder(intent.price):
            tick = listing.tick_at(intent.price)
            raise Violated("grid", f"{in_short(intent)}: the tick is {tick}")
        if amount < listing.min_amount or amount % listing.amount_step:
            raise Violated("grid", f"{in_short(intent)}: the lot is {listing.amount_step}")

    def booked(self, entry: Booked) -> None:
        """The bot hands this to the store."""
        fill = entry.fill
        if not entry.again and (fill.key in self._booked or fill.key in self._store.fills):
            raise Violated("booking", f"trade {fill.trade_id} was booked before")
        self._booked[fill.key] = None
        traded = fill.reverses or fill.trade_id
        side = fill.side.opposite if fill.reverses else fill.side
        for made in reversed(self._exchange.accounts[self._account.account].trades):
            if made.public.trade_id == traded and made.side.value == side.value:
                truth = self._true(made)
                taken_back = bool(fill.reverses) or fill.finality is Finality.VOIDED
                if taken_back and truth.finality is not Finality.VOIDED:
                    raise Violated("booking", f"trade {traded} stands, and was taken back")
                if fill.reverses:
                    truth = truth.reversal(truth.stated_ms)
                if self._as_told(truth, entry) != self._as_told(fill, entry):
                    raise Violated("booking", f"trade {fill.trade_id} is booked as {fill}")
                return
        raise Violated("booking", f"trade {fill.trade_id} never happened on {self.name}")

    def _true(self, made: UserTrade) -> Fill:
        """An execution as the venue tells it."""
        return fill_at(self._exchange, made, self.name, self._venue.kind.travelled)

    def _as_told(self, fill: Fill, entry: Booked) -> Fill:
        """A fill without what the venue need not tell of it and did not, and without what changes
        with its later words, of which each has the mark it was booked at."""
        told, later = entry.fill, entry.again or entry.fill.reverses
        return replace(
            fill,
            label=fill.label if self._venue.can.label_echoed else None,
            liquidity=told.liquidity and fill.liquidity,
            mark=None if later else told.mark and fill.mark,
            index=told.index and fill.index,
            finality=Finality.FINAL,
            stated_ms=0,
        )

    def table(self, state: State, now_ns: Nanos) -> None:
        """A turn has ended with this table of orders."""
        taken: dict[tuple[InstrumentId, Side, Owner, int], list[Belief]] = {}
        unwanted: dict[Label, Nanos] = {}
        for order in state.orders.by_label.values():
            if not order.working or venue_name(order.instrument) != self.name:
                continue
            if order.venue_ms < self._told_ms.get(order.label, 0):
                raise Violated("memory", f"{order.label} is believed to be as it was before")
            slot = (order.instrument, *order.slot)
            if order.level != ORPHAN_LEVEL:
                beside = taken.setdefault(slot, [])
                beside.append(order)
                if len(beside) > 1 and not _are_a_pair(beside):
                    labels = " and ".join(one.label for one in beside)
                    raise Violated("slot", f"{labels} in one slot")
            if order.status in IN_FLIGHT and now_ns > order.deadline_ns + OVERDUE_NS:
                late_ms = (now_ns - order.deadline_ns) // MS
                said = f"{order.label} is {order.status.name} {late_ms} ms past its deadline"
                raise Violated("deadline", said)
            rests = order.status is Status.LIVE and order.remaining
            if rests and self._unwanted(state, order.instrument, order.side):
                unwanted[order.label] = self._unwanted_ns.get(order.label, now_ns)
        self._check_waits(state, unwanted, now_ns)
        self._unwanted_ns = unwanted
        self._movable_ns = {
            order.label: self._movable_ns.get(order.label, now_ns)
            for order in state.orders.at(self.name)
            if self._may_move(state, order)
        }

    def _check_waits(self, state: State, unwanted: Mapping[Label, Nanos], now_ns: Nanos) -> None:
        """No cancel waits that could leave; `unwanted`: since when an order is."""
        reserve_ns = _reserve_ns(state, self.name)
        for label, since_ns in unwanted.items():
            order = state.orders.by_label[label]
            # Beside foreign orders no request cancels many at once: a reserve is used up singly.
            single = self._venue.is_narrow or state.account(self.name).foreign
            if single and not self._affords_cancel(state, order):
                self._short_ns[label] = now_ns
            waits_ns = now_ns - max(
                since_ns, order.cancel_again_ns, reserve_ns, self._short_ns.get(label, 0)
            )
            if waits_ns > CANCEL_WAIT_NS + TICK_NS:
                raise Violated("cancel", f"{label} waits {waits_ns // MS} ms for its cancel")
            self.longest_cancel_wait_ns = max(self.longest_cancel_wait_ns, waits_ns)

    def _affords_cancel(self, state: State, order: Belief) -> bool:
        """Whether there is a request left for its cancel. Beside foreign orders none is of all."""
        account = state.account(self.name)
        by_label = gates.by_label(account)
        if by_label and gates.all_afford(by_label, reserve=True):
            return True
        return gates.affords(account, Draws.CANCEL, order.instrument, reserve=True)

    def _may_move(self, state: State, order: Belief) -> bool:
        """Whether nothing keeps the bot from moving an order that it wants."""
        market, account = state.markets.get(order.instrument), state.account(self.name)
        rests = order.status is Status.LIVE and order.remaining
        if not rests or market is None or market.why.get(order.side) not in _MOVABLE:
            return False
        beside = any(
            one.working and order.label != one.label and order.slot == one.slot
            for one in state.orders.on(order.instrument)
        )
        return not (
            beside
            or order.level == ORPHAN_LEVEL
            or order.instrument in account.deferred
            or not account.trading_up
            or not account.reconciled
            or state.lease_checked_ns < state.away_ns
        )

    def ended_by_itself(self, label: str, now_ns: Nanos) -> None:
        """An order of the account has expired at the venue."""
        since_ns = self._movable_ns.get(Label(label), now_ns)
        if now_ns - since_ns > RENEWED_BY_NS:
            could_s = (now_ns - since_ns) / SECOND
            raise Violated("expiry", f"{label} expired, and could have been moved for {could_s} s")

    def _unwanted(self, state: State, instrument: InstrumentId, side: Side) -> bool:
        """Whether a side has no quote, for a reason that takes its order away at once."""
        market = state.markets.get(instrument)
        if market is None or instrument not in self._desks:
            return False
        why = market.why.get(side)
        if why is None or why in _WANTED or why is Why.RECONCILING:
            return False
        account = state.account_of(instrument)
        return (
            account.trading_up
            and state.lease_checked_ns >= state.away_ns
            and not account.lease_lost
        )

    # --- what arrives at the venue ---

    def foreign(self, order: Order) -> None:
        """An order of other people rests on the account; the bot has every chance to know."""
        self._foreign[order.order_id] = None

    def arriving(self, request: OrderRequest) -> None:
        """An order request is about to be carried out."""
        if venue_of(request) != self.name:
            raise Violated("account", f"{in_short(request)} arrives on {self.name}")
        if isinstance(request, Place | Replace) and not self._venue.guarded:
            raise Violated("dead-man", f"{in_short(request)} would outlive its connection")
        if isinstance(request, Place | Amend | Replace):
            self._check_crossing(request)
        if isinstance(request, CancelAll):
            for order in self._venue.account_orders:
                if order.order_id in self._foreign and request.instrument in (
                    None,
                    id_of(order.name, self.name),
                ):
                    raise Violated("foreign", f"a mass cancel takes {order.order_id} along")
        elif isinstance(request, Amend | Replace | Cancel) and request.order_id in self._foreign:
            raise Violated("foreign", f"{in_short(request)} is about a foreign order")

    def _check_crossing(self, request: Place | Amend | Replace) -> None:
        side = None
        own = self._exchange.accounts[self._account.account].open_orders
        if not isinstance(request, Amend):
            side = request.side
        elif request.order_id in own:
            side = Side(own[request.order_id].side.value)
        if side is None:
            return
        for order in own.values():
            if (
                id_of(order.name, self.name) == request.instrument
                and is_our_order(order)
                and order.side.value != side.value
                and (request.price - order.price) * side.sign >= 0
            ):
                raise Violated("crossing", f"{in_short(request)} meets {order.label}")

    def carried_out(self, request: OrderRequest) -> None:
        """The request has been carried out."""
        if self._venue.refusals[self._venue.kind.too_many]:
            raise Violated("credits", f"{in_short(request)} was one request too many")
        if isinstance(request, Place | Replace):
            self._check_slots(instrument_name(request.instrument))

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

    def second(self) -> None:
        """Every now and then: the line is what it is taken for."""
        if self._venue.refusals[self._venue.kind.unauthorized]:
            raise Violated("login", f"a request to {self.name} came over a line not signed in")
        untold_s = self._account.line.untold_s() if self._account.line is not None else 0.0
        if untold_s > UNTOLD_MAX_S:
            raise Violated("silence", f"nothing is told of {self.name} for {untold_s:.0f} s")

    def believed(self, state: State) -> None:
        """Orders found at the venue may have got another level than they were placed at."""
        for order in state.orders.at(self.name):
            self._levels[order.label] = order.level

    def traded(self, made: UserTrade) -> None:
        """The account has traded."""
        if made.order_id in self._foreign:
            self.foreign_fills[made.public.name] += 1

    def left(self, said: Sequence[OpenOrder]) -> None:
        """The process has ended on its own, and said that these orders are left."""
        labels = {order.label for order in said}
        for order in self._venue.our_orders:
            if order.label not in labels:
                raise Violated(
                    "left",
                    f"{order.label} rests on {self.name}, and the process said that it left"
                    f" {', '.join(map(str, labels)) or 'nothing'} there",
                )

    # --- limits ---

    def check_position(self, rule: MaxPosition, instrument: InstrumentId) -> None:
        """No more of an instrument may come about than its rule allows."""
        name = instrument_name(instrument)
        if self.foreign_fills[name]:
            return
        worst, limit = self.worst(name), self._most(rule, name)
        if limit is not None and worst > limit:
            raise Violated("limit", f"{name}: {worst} may come, the limit is {limit}")

    def _most(self, rule: MaxPosition, name: str) -> Decimal | None:
        """The limit in the venue's amount unit; where it takes a price, which moves, with slack."""
        terms = self._instruments.get(name)
        if terms is None:
            terms = instrument_of(self._exchange.terms(name), self.name)
            self._instruments[name] = terms
        book = self._exchange.book(name)
        limit = rule.most(terms, float(book.index), float(book.mark))
        steady = rule.limit.unit in ("", LOTS, unit_of(terms))
        return limit if limit is None or steady else limit * SLACK

    def exposure(self, name: str) -> Decimal:
        """The largest absolute position that may still come about, in coin of the underlying."""
        listing, worst = self._exchange.terms(name), self.worst(name)
        if listing.inverse and listing.kind is not Kind.OPTION:
            index = self._exchange.book(name).index
            worst = worst / index if index else ZERO
        return worst

    def worst(self, name: str) -> Decimal:
        """The largest absolute position in an instrument that may still come about: what is held,
        rests and flies on one side, all of it traded (venue's amount unit)."""
        held = self._exchange.position(self._account.account, name).size
        open_amount = {Side.BUY: ZERO, Side.SELL: ZERO}
        amended: dict[str, Decimal] = {}
        for request in self._account.flying.values():
            if isinstance(request, Place | Replace) and instrument_name(request.instrument) == name:
                open_amount[request.side] += request.amount
            elif isinstance(request, Amend):
                most = amended.get(request.order_id, ZERO)
                amended[request.order_id] = max(most, request.amount)
        for order in self._venue.our_orders:
            if order.name == name:
                most = max(order.amount, amended.get(order.order_id, ZERO))
                open_amount[Side(order.side.value)] += most - order.filled
        return max(held + open_amount[Side.BUY], open_amount[Side.SELL] - held)

    # --- the end ---

    def missing(self, state: State, now_ns: Nanos, *, leaving: bool) -> Iterator[str]:
        """What has not settled yet on the account."""
        ours = {order.label: order for order in self._venue.our_orders}
        if leaving:
            yield from (f"{label} still rests at the venue" for label in ours)
            if not state.account(self.name).flat_verified:
                yield f"{self.name} is not yet proved flat"
        else:
            yield from self._unsettled_orders(state, ours)
            yield from self._unquoted(state, now_ns)
        if self._account.flying:
            yield "requests on their way"
        yield from self._unbooked(state)

    def _unsettled_orders(self, state: State, ours: Mapping[str, Order]) -> Iterator[str]:
        here = state.orders.at(self.name)
        believed = {o.label: o for o in here if o.working or o.unbooked > 0}
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
            name, market = instrument_name(instrument), state.markets.get(instrument)
            believed = state.inventory.amount(instrument)
            truth = self._exchange.position(self._account.account, name).size
            if believed != truth:
                yield f"{name}: {believed} believed, {truth} held"
            if market is not None and market.halted:
                yield f"{name}: {market.halted}"
        for made in self._exchange.accounts[self._account.account].trades:
            yield from self._unkept(self._true(made))

    def _unkept(self, traded: Fill) -> Iterator[str]:
        kept = self._store.fills.get(traded.key)
        if kept is None:
            yield f"trade {traded.trade_id} is not booked"
        elif is_ours(traded.label) and kept.label != traded.label:
            yield f"trade {traded.trade_id} is not known to be {traded.label}'s"
        elif kept.finality is not traded.finality:
            said = f"{kept.finality.value}, and it is {traded.finality.value}"
            yield f"trade {traded.trade_id} is booked as {said}"
        elif (
            traded.finality is Finality.VOIDED
            and traded.reversal(traded.stated_ms).key not in self._store.fills
        ):
            yield f"trade {traded.trade_id} is void, and not taken back"

    def _unquoted(self, state: State, now_ns: Nanos) -> Iterator[str]:
        for instrument in self._desks:
            market = state.markets.get(instrument)
            if market is None or market.expired(now_ns):
                continue
            working = {o.side for o in state.orders.on(instrument) if o.status is Status.LIVE}
            for side in Side:
                why = market.why.get(side)
                if why is Why.RATE_LIMITED and self._venue.is_narrow:
                    continue
                if side not in working and (why is None or why in _NOT_YET):
                    said = why.value if why is not None else "nothing decided"
                    yield f"{market.instrument.name} {side.value}: {said}"

    def settle_up(self, state: State) -> None:
        """Once settled: is every change of equity explained?"""
        for currency, before in self._equity.items():
            explained = Pnl()
            for (venue, _, settlement, _), gone in state.retired.totals.items():
                if (venue, settlement) == (self.name, currency):
                    explained += gone.carried + gone.pnl
            for position in state.inventory.positions.values():
                instrument = position.instrument
                if (instrument.venue, instrument.settlement) == (self.name, currency):
                    explained += self._explained(instrument, state)
            parts = explained.spread + explained.inventory + explained.funding - explained.fees
            change = self._exchange.equity(self._account.account, currency) - before
            for what, said in (("total", explained.total), ("its parts", parts)):
                self.residual = max(self.residual, abs(change - said))
                if abs(change - said) >= RESIDUAL_MAX:
                    detail = f"{currency}: equity changed by {change}, {what} say {said}"
                    raise Violated("money", detail)

    def _explained(self, instrument: Instrument, state: State) -> Pnl:
        position = state.inventory.of(instrument)
        name = instrument.name
        if name in self._exchange.listings and instrument.kind.name != Kind.OPTION.name:
            position.accrued = self._exchange.funding_of(self._account.account, name)
        return position.pnl(self._exchange.book(name).mark or None)


def _are_a_pair(orders: Sequence[Belief]) -> bool:
    """Whether two orders of a slot are one and what was sent to replace it."""
    labels = {order.label for order in orders}
    return len(orders) == 2 and any(order.replaces in labels for order in orders)


def _reserve_ns(state: State, venue: str) -> Nanos:
    """When a process that found nothing left of its request budget has a reserve for cancels."""
    budget = state.account(venue).budget
    if budget.windowed:  # given back all at once
        return state.started_ns + budget.window_ns
    return state.started_ns + int(budget.reserve / budget.rate_per_s * SECOND)


def in_short(intent: OrderRequest) -> str:
    """A request in a few words."""
    match intent:
        case Replace():
            new = f"{intent.label} {intent.amount} at {intent.price}"
            return f"replace {intent.old} by {new}"
        case Place():
            where = f"{intent.side.value} {intent.amount} {instrument_name(intent.instrument)}"
            return f"place {intent.label} {where} at {intent.price}"
        case Amend():
            return f"amend {intent.label} to {intent.amount} at {intent.price}"
        case Cancel():
            return f"cancel {intent.label}"
        case CancelAll():
            return f"cancel all of {intent.instrument or intent.venue}"
