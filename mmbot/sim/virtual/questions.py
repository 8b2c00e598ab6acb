"""What the adapter asks of the venue, question by question, as the real one does.

Each generator yields questions and is sent their answers; what it returns is what came of them.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Final

from mmbot.core import events as ev
from mmbot.core.intents import Cancel, CancelAll, Resync
from mmbot.core.labels import is_ours
from mmbot.core.types import InstrumentId, Nanos
from mmbot.core.why import Why
from mmbot.sim.virtual.translate import VENUE
from mmbot.sim.virtual.venue import VirtualVenue

POSITIONS_TRIES_MAX: Final = 3

Questions = Generator[Callable[[], Any], Any, Any]


def snapshot(venue: VirtualVenue, intent: Resync, asked_ns: Nanos) -> Questions:
    """As the adapter asks: orders, labels by name, money, then positions until they agree with
    the trades asked for beside them."""
    orders = yield venue.open_orders
    lookups = []
    for place, (_, label) in enumerate(intent.labels):
        order_id = intent.order_ids[place] if intent.order_ids else ""
        lookups.append((label, (yield partial(venue.look_up, label, order_id))))
    equity = yield venue.equity
    positions = yield venue.positions
    fills: Any = ()
    flows: Any = ()
    for _ in range(POSITIONS_TRIES_MAX):
        fills = yield partial(venue.fills, intent.fills_since_ms)
        if intent.flows_since_ms is not None:
            flows = yield partial(venue.flows, intent.flows_since_ms)
        again = yield venue.positions
        if _sizes(again) == _sizes(positions):
            break
        positions = again
    return ev.SnapshotTaken(
        venue=VENUE,
        asked_ns=asked_ns,
        orders=orders,
        positions=positions,
        fills=fills,
        flows=flows,
        lookups=tuple(lookups),
        equity=equity,
    )


def cancel_ours(venue: VirtualVenue, order_ids: Sequence[str] = ()) -> Questions:
    """As the adapter asks: everything of ours at once where nothing else is open, else one by
    one, then what is left. `order_ids`: ours, where that cannot be told by a label."""
    stated = yield venue.open_orders
    ours = [order for order in stated if is_ours(order.label) or order.order_id in order_ids]
    if ours and len(ours) == len(stated):
        yield partial(venue.carry_out_over_rest, CancelAll(VENUE, None, (), Why.LINK_DOWN))
    else:
        for order in ours:
            cancel = Cancel(order.instrument, order.label, order.order_id, Why.LINK_DOWN)
            yield partial(venue.carry_out_over_rest, cancel)
    stated = yield venue.open_orders
    return tuple(o for o in stated if is_ours(o.label) or o.order_id in order_ids)


def _sizes(positions: Sequence[Any]) -> dict[InstrumentId, Any]:
    return {held.instrument: held.amount for held in positions}
