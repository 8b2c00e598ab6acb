"""What hedgers want: quotes on any traded market, on top of what its own desk quotes there.

A hedger is asked at every turn in which something is decided, because what it wants follows from
every position: a want of the turn before would be traded twice. Its orders have slots of their own
(core.types.Owner) and end as they arrive; while one is out, or a fill of it is not booked, its slot
takes no other. Positions count at their final size: what may still be taken back is not hedged.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from mmbot.core.books import Market
from mmbot.core.desk import Desk
from mmbot.core.state import State
from mmbot.core.types import InstrumentId, Nanos, Owner, Quote, to_decimal
from mmbot.core.views import HedgedMarket, HedgeView

Hedges = dict[InstrumentId, tuple[Quote, ...]]


def hedges(
    state: State, dirty: Iterable[InstrumentId], desks: Mapping[InstrumentId, Desk], now_ns: Nanos
) -> dict[str, Hedges]:
    """By desk, what its hedger wants; empty where no desk has one, or nothing is decided."""
    asked = bool(state.hedges)
    for instrument in dirty:
        desk = desks.get(instrument)
        if asked or (desk is not None and desk.hedger is not None):
            hedging = {d.name: d for d in desks.values() if d.hedger is not None}
            return {name: _of(state, one, desks, now_ns) for name, one in hedging.items()}
    return {}


def _of(state: State, desk: Desk, desks: Mapping[InstrumentId, Desk], now_ns: Nanos) -> Hedges:
    assert desk.hedger is not None
    traded = [market for name, market in state.markets.items() if name in desks]
    view = HedgeView(
        now_ns,
        tuple(_market(state, one, desks[one.instrument.id].name == desk.name) for one in traded),
    )
    found: Hedges = {}
    for instrument, quote in desk.hedger.hedges(view):
        assert instrument in desks, f"{desk.hedger_name} hedges on {instrument}: no desk trades it"
        ours = replace(quote, owner=Owner.HEDGE)
        found[instrument] = (*found.get(instrument, ()), ours)
    return found


def _market(state: State, market: Market, of_desk: bool) -> HedgedMarket:
    position = state.inventory.final(market.instrument.id)
    return HedgedMarket(
        instrument=market.instrument,
        bids=market.bids,
        asks=market.asks,
        mark=market.mark,
        index=market.index,
        position=position,
        delta_coin=_delta_coin(market, float(position)),
        of_desk=of_desk,
    )


def _delta_coin(market: Market, position: float) -> float | None:
    if not position:
        return 0.0
    if market.instrument.right is not None:
        return None if market.delta is None else position * market.delta
    if market.index is None:
        return None
    return float(market.instrument.coin(to_decimal(position), to_decimal(market.index)))
