"""What must always hold in the virtual world, and what must hold in the end.

Everything is judged on the truth: the exchange's own orders, positions and trades, what really
travels on the lines, and what the bot believes beside it. A check that fails raises `Violated`.
What holds on each account by itself is judged in `account_checks.py`, the rest here.

Always:

* bug       a turn ends, and not with an exception
* money     cash and positions of all accounts add up to what they were
* grid      no price or amount off the venue's grid leaves the bot (R-K1)
* book      nothing is quoted on a book that is known to be lost, crossed or empty (R-C2), and what
            is shown of a book is what it was a moment ago
* tripped   nothing is placed or amended after the kill switch (R-I1), and whoever begins knows
* crossing  no order of ours meets another one of ours
* account   a request arrives on the account whose instrument it is about
* slot      one working order per instrument, side and level, at the venue and in the table (R-A3);
            in the table, the one that it was sent to replace may stand beside it
* limit     position and everything that may still be traded stay within the desk's limits, and on
            all accounts together within those of the one risk book
* deadline  no request in flight outlives its deadline, and no order stays unknown though the venue
            has been asked about it, by name and late enough, more than three times
* ghost     no order is told to rest that the venue never had
* order     no amend or cancel leaves before the venue has answered for the order it is about
* memory    of an order, the newest word that came is believed, whatever comes after it
* booking   every fill is booked once, as the venue has it (R-B1), and taken back if it is void
* foreign   nobody else's order is touched (R-A7)
* credits   the venue never has to refuse a request for there being too many (R-E1)
* cancel    a cancel that is wanted leaves within 200 ms (R-A8), once a process that took over has
            the reserve again that the one before it may have spent
* lease     nothing is sent to an account that another engine has taken
* left      after a process has ended on its own, no order of ours rests on any account, unless it
            said so; and where it said that there is none, the venue had shown it so
* dead-man  no order leaves over a line that would not take it along when it breaks
* login     the venue never has to refuse a request for want of a login
* expiry    no order of ours expires that the bot wants and was free to renew
* silence   a line on which the account's channel has fallen silent is given up
* blame     a refusal is told with the reach that it has, and no other
* mark      a mark that is told is about the venue's
* look      the positions of a look at the account are not older than the trades in it

In the end, once nothing goes wrong any more, within a bounded time: our working orders are the
venue's, positions agree, every trade is booked, nothing is unknown, every market that may be quoted
is quoted, and the change of equity is explained to 1e-9 in every currency (R-D1), on each account.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core import gates
from mmbot.core.chains import FitSurface
from mmbot.core.intents import (
    Amend,
    Cancel,
    CheckLease,
    Intent,
    Place,
    Replace,
    ReserveLabels,
    SaveLatch,
    venue_of,
)
from mmbot.core.inventory import Booked, Entry
from mmbot.core.order_life import OrderState
from mmbot.core.state import State
from mmbot.core.types import ZERO, InstrumentId, Nanos, instrument_name, venue_name
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_position import MaxPosition
from mmbot.sim.exchange.effects import BookDelta
from mmbot.sim.exchange.finality import Standing
from mmbot.sim.exchange.listing import Kind
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order
from mmbot.sim.virtual.account import VirtualAccount
from mmbot.sim.virtual.account_checks import SLACK, AccountChecks, in_short
from mmbot.sim.virtual.border_checks import BorderChecks, check_blame
from mmbot.sim.virtual.leaving import Left
from mmbot.sim.virtual.store import VirtualStore
from mmbot.sim.virtual.violation import Violated


class Checks:
    """The judge of one history, over all its accounts. `state` is the bot's belief."""

    def __init__(
        self, exchange: Exchange, accounts: Sequence[VirtualAccount], store: VirtualStore
    ) -> None:
        self.tripped_ns: Nanos = 0
        self.asked_to_place = 0
        self.at = {one.name: AccountChecks(exchange, one, store) for one in accounts}
        """By our name of an account: its own judge."""
        self._exchange = exchange
        self._store = store
        self._desks = {id_: desk for one in accounts for id_, desk in one.desks.items()}
        seen = (one.id for account in accounts for one in account.venue.watched)
        self._border = BorderChecks(exchange, (*self._desks, *seen))
        self._kind = accounts[0].venue.kind
        self._left: Left = {}
        """What the last process said that it left, by account; None: it did not know."""
        self._currencies = tuple(exchange.currencies)
        self._money = dict(self._sums())

    @property
    def longest_cancel_wait_ns(self) -> Nanos:
        """On whichever account."""
        return max(one.longest_cancel_wait_ns for one in self.at.values())

    @property
    def residual(self) -> Decimal:
        """The most of a change of equity that was not explained in the end."""
        return max(one.residual for one in self.at.values())

    # --- what the bot is told, does and books ---

    def begin(self) -> None:
        """A new process of the bot: it knows of the kill switch, and nothing else."""
        if self.tripped_ns and self._store.latch is None:
            raise Violated("tripped", "a process begins, and nothing tells it of the kill switch")
        self._left = {}
        for one in self.at.values():
            one.begin()

    def told(self, event: ev.Event) -> None:
        """The bot is told this."""
        match event:
            case ev.TickerChanged(mark=mark) if mark is not None:
                self._border.marked(event.instrument, mark)
            case ev.BookChanged():
                self._border.shown(event)
                self._of(event.instrument).book_shown(event)
            case ev.RequestRefused():
                check_blame(event, self._kind)
            case ev.OrderSeen(label=label) if label is not None:
                is_open = event.state is OrderState.OPEN
                self.at[event.venue].order_seen(label, event.venue_ms, is_open=is_open)
            case ev.BookLost():
                self._of(event.instrument).book_lost(event.instrument)
            case ev.LinkChanged(link=ev.Link.MARKET, up=False):
                self.at[event.venue].books_lost()
            case ev.SnapshotTaken():
                self.at[event.venue].looked(event.asked_ns, event.orders)
                self.at[event.venue].look_is_one(event)
            case ev.FallbackTried(left=left) if left is not None:
                self.at[event.venue].looked(event.asked_ns, left)
            case _:
                pass

    def moved(self, delta: BookDelta) -> None:
        """The venue's book has changed."""
        self._border.moved(delta)

    def foreign(self, order: Order) -> None:
        """An order of other people is on one of our accounts."""
        for one in self.at.values():
            one.foreign(order)

    def decided(self, state: State, intents: Sequence[Intent], now_ns: Nanos) -> None:
        """A turn has ended with these intents."""
        if state.latch.tripped is not None and not self.tripped_ns:
            self.tripped_ns = now_ns
        for intent in intents:
            if isinstance(intent, ReserveLabels | SaveLatch | CheckLease | FitSurface):
                continue
            venue = venue_of(intent)
            if state.account(venue).lease_lost:
                said = f"{type(intent).__name__} to {venue}, which another engine has"
                raise Violated("lease", said)
            if isinstance(intent, Place | Amend | Replace):
                if self.tripped_ns:
                    raise Violated("tripped", f"{in_short(intent)} after the kill switch")
                self.at[venue].wanted(state, intent)
                self.asked_to_place += not isinstance(intent, Amend)
            if isinstance(intent, Amend | Replace | Cancel) and not _is_known(state, intent):
                raise Violated("order", f"{in_short(intent)} overtakes its place")
        for one in self.at.values():
            one.table(state, now_ns)

    def absorbed(self, state: State, snapshot: ev.SnapshotTaken) -> None:
        """A turn has ended that began with this snapshot."""
        self.at[snapshot.venue].absorbed(state, snapshot)

    def sent(self, intents: Sequence[Intent]) -> None:
        """These are on their way."""
        for intent in intents:
            if isinstance(intent, Place | Amend | Replace):
                self._check_limits(intent.instrument)

    def booked(self, entries: Sequence[Entry]) -> None:
        """The bot hands these to the store."""
        for entry in entries:
            if isinstance(entry, Booked):
                self._of(entry.fill.instrument).booked(entry)

    def believed(self, state: State) -> None:
        """This is what the bot believes of its orders."""
        for one in self.at.values():
            one.believed(state)

    def left(self, state: State, said: Left) -> None:
        """The process ends on its own, and says what it leaves."""
        for name, orders in said.items():
            if orders == () and self.at[name].empty_ns < state.exit_ns:
                raise Violated("left", f"nothing on {name}, says the process, and was not shown so")
        self._left = said
        self._check_left()

    def crashed(self) -> None:
        """The process has died, and says nothing."""
        self._left = {}

    def _check_left(self) -> None:
        for name, orders in self._left.items():
            if orders is not None:
                self.at[name].left(orders)

    def _of(self, instrument: InstrumentId) -> AccountChecks:
        return self.at[venue_name(instrument)]

    def standing(self, trade_id: str) -> Standing:
        """How far a trade is at the venue."""
        finality = self._exchange.finality
        return Standing.CONFIRMED if finality is None else finality.standing(trade_id)[0]

    # --- limits ---

    def _check_limits(self, instrument: InstrumentId) -> None:
        for rule in self._desks[instrument].rules:
            if isinstance(rule, MaxPosition):
                self._of(instrument).check_position(rule, instrument)
            elif isinstance(rule, MaxExposure):
                self._check_exposure(self._underlying(instrument))

    def _check_exposure(self, underlying: str) -> None:
        """Of one coin on all accounts together: there is one risk book. A desk that may take more
        than another takes what that one may not."""
        total, limits = ZERO, list[Decimal]()
        for instrument, desk in self._desks.items():
            name, account = instrument_name(instrument), self._of(instrument)
            if self._underlying(instrument) != underlying:
                continue
            own = [rule.limit for rule in desk.rules if isinstance(rule, MaxExposure)]
            if not own:
                return
            limits.append(min(own))
            if not account.foreign_fills[name]:
                total += account.exposure(name)
        limit = max(limits)
        if total > limit * SLACK:
            said = f"{underlying}: {total:.4f} may come, the limit is {limit}"
            raise Violated("limit", said)

    def _underlying(self, instrument: InstrumentId) -> str:
        return self._exchange.terms(instrument_name(instrument)).underlying

    # --- money ---

    def second(self) -> None:
        """Every now and then: nothing comes from nowhere, and what was left is left."""
        self._check_left()
        for one in self.at.values():
            one.second()
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
        leaving = state.latch.tripped is not None or state.stopping is not None
        return [
            what for one in self.at.values() for what in one.missing(state, now_ns, leaving=leaving)
        ]

    def settle_up(self, state: State) -> None:
        """Once settled: is every change of equity explained?"""
        for one in self.at.values():
            one.settle_up(state)


def _is_known(state: State, intent: Amend | Replace | Cancel) -> bool:
    """Whether the venue has told of the order: it names it by its id, or takes it by its label
    where the venue counts that apart."""
    if isinstance(intent, Cancel) and gates.by_label(state.account(venue_of(intent))):
        return bool(state.orders.by_label[intent.label].order_id)
    return bool(intent.order_id)
