"""Samples for reports: the mark some time after each fill, and what the account was worth.

An observer of the runner: it sees every turn after its orders have left.

* A fill asks for the mark at each of MARKOUT_HORIZONS_S after it. These wishes are kept in the
  order they fall due, on a grid of a quarter second, so that however many fills there are, an
  instrument gets four samples a second at most.
* With a snapshot of the account, half a minute apart and once everything is taken back, go its
  equity, our profit, and the mark of everything held: what `mmbot fills report --check` compares.
  The marks are the venue's own of that look, and it counts only where positions are as we have
  them: else a trade is told of in the one and not in the other.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from heapq import heappop, heappush

from mmbot.core import events as ev
from mmbot.core.books import Market
from mmbot.core.intents import Intent
from mmbot.core.inventory import Pnl
from mmbot.core.state import State
from mmbot.core.statements import Fill, HeldPosition
from mmbot.core.types import MS, SECOND, ZERO, InstrumentId, Nanos, to_decimal
from mmbot.store.records import EquitySampled, MarkSampled, PnlSampled, Record

MARKOUT_HORIZONS_S = (1, 10, 60)

GRID_NS: Nanos = 250 * MS
ACCOUNT_EVERY_NS: Nanos = 25 * SECOND
"""Less than the time between two snapshots when nothing is unclear."""


class Sampler:
    """`put` takes a record for the store, `wall_ns` gives wall time."""

    def __init__(
        self, state: State, put: Callable[[Record], bool], wall_ns: Callable[[], Nanos]
    ) -> None:
        self._state = state
        self._put = put
        self._wall_ns = wall_ns
        self._wishes: list[tuple[Nanos, InstrumentId]] = []
        self._wished: set[tuple[Nanos, InstrumentId]] = set()
        self._account_ns: dict[str, Nanos] = {}
        """By venue, when the account there was sampled, and ..."""
        self._last_told: dict[str, bool] = {}
        """... whether everything was taken back then."""

    def observe(
        self, events: Sequence[ev.Event], _intents: Sequence[Intent], now_ns: Nanos
    ) -> None:
        """One turn has been."""
        for event in events:
            match event:
                case ev.Filled():
                    self._wish(event.fill, now_ns)
                case ev.SnapshotTaken():
                    for fill in event.fills:
                        self._wish(fill, now_ns)
                    self._account(event, now_ns)
        while self._wishes and self._wishes[0][0] <= now_ns:
            wish = heappop(self._wishes)
            self._wished.discard(wish)
            market = self._state.markets.get(wish[1])
            if market is not None:  # it may have come to its end
                self._mark(market, now_ns)

    def _wish(self, fill: Fill, now_ns: Nanos) -> None:
        """Marks after a fill; those whose time has gone by are nowhere to be had any more."""
        if fill.instrument not in self._state.markets:
            return
        for horizon_s in MARKOUT_HORIZONS_S:
            at_ns = fill.venue_ms * MS + horizon_s * SECOND
            wish = (-(-at_ns // GRID_NS) * GRID_NS, fill.instrument)
            if at_ns > now_ns and wish not in self._wished:
                self._wished.add(wish)
                heappush(self._wishes, wish)

    def _account(self, taken: ev.SnapshotTaken, now_ns: Nanos) -> None:
        state, venue = self._state, taken.venue
        account = state.account(venue)
        last = account.flat_verified and not self._last_told.get(venue, False)
        if now_ns < self._account_ns.get(venue, 0) + ACCOUNT_EVERY_NS and not last:
            return
        held = {position.instrument: position for position in taken.positions}
        if not self._agrees(venue, held):
            return
        self._account_ns[venue], self._last_told[venue] = now_ns, account.flat_verified
        at_ns = self._wall_ns()
        for equity in account.equity.values():
            if equity.cross:  # the whole portfolio's worth says nothing about one currency's profit
                continue
            self._put(EquitySampled(equity, at_ns, now_ns // MS, venue))
        profit = self._settled(venue)
        for market in state.markets.values():
            instrument = market.instrument
            if instrument.venue != venue:
                continue
            position = state.inventory.of(instrument)
            mark = to_decimal(market.mark) if market.mark is not None else position.mark
            pnl = state.inventory.session(instrument, mark)
            profit[instrument.settlement] = profit.get(instrument.settlement, Pnl()) + pnl
            if position.amount or position.accrued:
                there = held.get(instrument.id)
                self._mark(market, now_ns, there.mark if there is not None else None)
        for currency, total in profit.items():
            self._put(PnlSampled(currency, total, at_ns, venue))

    def _settled(self, venue: str) -> dict[str, Pnl]:
        """By currency, what instruments that are gone have earned."""
        profit: dict[str, Pnl] = {}
        for (where, _, currency, _), gone in self._state.retired.totals.items():
            if where == venue:
                profit[currency] = profit.get(currency, Pnl()) + gone.pnl
        return profit

    def _agrees(self, venue: str, held: Mapping[InstrumentId, HeldPosition]) -> bool:
        """Whether the venue's positions are ours."""
        return all(
            (held[id_].amount if id_ in held else ZERO)
            == self._state.inventory.of(market.instrument).amount
            for id_, market in self._state.markets.items()
            if market.instrument.venue == venue
        )

    def _mark(self, market: Market, now_ns: Nanos, stated: Decimal | None = None) -> None:
        """`stated`: the mark that goes with what else is sampled, where there is one."""
        position = self._state.inventory.of(market.instrument)
        mark = stated
        if mark is None:
            mark = to_decimal(market.mark) if market.mark is not None else position.mark
        if mark is not None:
            index = to_decimal(market.index) if market.index is not None else None
            self._put(
                MarkSampled(
                    market.instrument.id,
                    now_ns // MS,
                    mark,
                    index,
                    position.accrued,
                    self._wall_ns(),
                )
            )
