"""A witness at the exchange: it sees every order of ours the moment it is placed."""

from collections import Counter
from typing import Any

from mmbot.core.labels import is_ours
from mmbot.core.types import Label
from mmbot.sim.wire.server import SimVenue


def watch_slots(venue: SimVenue) -> list[str]:
    """From now on, every moment in which two of our orders rest on one side of an instrument (the
    desks of these tests quote one level) is written into the list that is returned."""
    doubles: list[str] = []
    exchange = venue.exchange
    place = exchange.place

    def watched(account: str, *args: Any, **named: Any) -> Any:
        placed = place(account, *args, **named)
        resting = exchange.accounts[venue.account].open_orders.values()
        ours = [order for order in resting if is_ours(Label(order.label))]
        slots = Counter(f"{order.name} {order.side.value}" for order in ours)
        doubles.extend(slot for slot, count in slots.items() if count > 1)
        return placed

    exchange.place = watched  # type: ignore[method-assign]  # an instance's own, for one test
    return doubles
