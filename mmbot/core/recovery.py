"""Taking over from earlier runs: what a fresh state makes of what the store has of them.

The store only says what was written; what follows from it is decided here: from when on the venue
is asked for trades, which of them must be known so that none is booked twice, how long an order
whose end nobody has written may still turn up, how long its unwritten requests may still reach the
venue, and how many of them may have been spent.
"""

from collections.abc import Iterable

from mmbot.core.absence import uncertain_ns
from mmbot.core.inventory import Position
from mmbot.core.order_life import Status
from mmbot.core.orders import ORPHAN_LEVEL, Order
from mmbot.core.state import State
from mmbot.core.statements import Fill, order_key
from mmbot.core.types import MS, SECOND, Nanos, venue_name
from mmbot.core.why import Why

KNOWN_BEFORE_MS = 3_600_000
"""Trades booked up to this long before the moment we resume from are kept in mind."""

UNHEARD_NS: Nanos = 1 * SECOND
"""So long an earlier run may have sent requests after its last sign of life."""


def take_positions(state: State, venue: str, held: Iterable[Position]) -> int:
    """Positions at one venue with their accounting, of instruments that are listed; they are the
    state's now.

    Returns the moment (venue time, ms) from which on every booked trade must be known by its id.
    """
    known_ms: list[int] = []
    for position in held:
        state.inventory.take_over(position)
        if position.opened:
            known_ms.append(max(position.opened_ms, position.last_fill_ms))
    account = state.add_account(venue)
    account.resume_ms = min(known_ms, default=0)
    return (account.resume_ms or state.started_ns // MS) - KNOWN_BEFORE_MS


def take_provisional(state: State, fills: Iterable[Fill]) -> None:
    """Fills an earlier run booked as provisional, each with the mark it was booked at: the venue
    has yet to say whether they stand."""
    for fill in fills:
        state.inventory.know(fill.key)
        state.inventory.provisional[fill.key] = fill


def take_order(state: State, noted: Order, age_ns: Nanos, now_ns: Nanos) -> None:
    """An order whose end nobody has seen, as it was written `age_ns` ago. A request sent just
    before the end may still be on its way."""
    venue = venue_name(noted.instrument)
    doubt_ns = uncertain_ns(state.add_account(venue).capabilities) - max(0, age_ns)
    for other in state.orders.on(noted.instrument):
        linked = noted.label == other.replaces or other.label == noted.replaces
        if other.slot == noted.slot and not linked:
            # One was placed when the other had ended, which nobody has written: that one goes.
            ended = other if other.placed_ns <= noted.placed_ns else noted
            ended.level = ORPHAN_LEVEL
    state.orders.add(
        Order(
            label=noted.label,
            instrument=noted.instrument,
            side=noted.side,
            level=noted.level,
            price=noted.price,
            amount=noted.amount,
            filled=noted.filled,
            booked=noted.booked,
            why=Why.ADOPTED,
            status=Status.UNKNOWN,
            order_id=noted.order_id or _id_of(state, noted),
            venue_ms=noted.venue_ms,
            sent_ns=now_ns,
            uncertain_until_ns=now_ns + max(0, doubt_ns),
            unknown_ns=now_ns,
            replaces=noted.replaces,
            placed_ns=noted.placed_ns,
            ended=noted.ended,
        )
    )


def _id_of(state: State, noted: Order) -> str:
    """The id that was written after the order was, where the venue names no labels."""
    key = next((one for one, label in state.orders.ids.items() if label == noted.label), "")
    return key.removeprefix(order_key(venue_name(noted.instrument), ""))


def take_budget(state: State, venue: str, silent_ns: Nanos, now_ns: Nanos) -> None:
    """An earlier run gave its last sign of life `silent_ns` ago, and may have spent everything the
    venue allowed it."""
    account = state.add_account(venue)
    account.budget.inherit(silent_ns - UNHEARD_NS, now_ns)
    account.idle_since_ns = now_ns - max(0, silent_ns - UNHEARD_NS)


def take_end(state: State, venue: str, silent_ns: Nanos, now_ns: Nanos) -> None:
    """An earlier run was last heard of `silent_ns` ago and did not prove that nothing of it is
    left. Requests of which the store knows nothing may still be on their way: until the venue must
    refuse them, nothing is placed beside them that adds to a position."""
    account = state.add_account(venue)
    left_ns = uncertain_ns(account.capabilities) + UNHEARD_NS - max(0, silent_ns)
    account.earlier_run_ns = now_ns + max(0, left_ns)
