"""What happened in a history, in a few words: for who reads of a seed that failed, and its hash."""

from collections.abc import Sequence

from mmbot.core import events as ev
from mmbot.core.intents import Amend, Cancel, Intent, Place, Replace, Resync
from mmbot.sim.virtual.leaving import Left


def told(events: Sequence[ev.Event], intents: Sequence[Intent] = ()) -> str:
    """What the bot was told in a turn and what it wanted, in a few words."""
    heard = ", ".join(_word(event) for event in events) or "nothing"
    return f"{heard} -> {'; '.join(map(said, intents))}" if intents else heard


def _word(event: ev.Event) -> str:
    match event:
        case ev.OrderSeen():
            answers = f" (answers {event.answers.value})" if event.answers is not None else ""
            return f"{event.label} {event.state.value} {event.filled}/{event.amount}{answers}"
        case ev.Filled(fill):
            return f"fill {fill.trade_id} of {fill.label}: {fill.amount} at {fill.price}"
        case ev.RequestRefused():
            return f"{event.label} {event.request.value} refused: {event.detail}"
        case ev.OutcomeUnknown():
            return f"{event.label} {event.request.value} unknown"
        case ev.LinkChanged():
            return f"{event.venue} {event.link.value} {'up' if event.up else 'down'}"
        case ev.SnapshotTaken() | ev.SnapshotFailed() | ev.FallbackTried() | ev.LeaseLost():
            return f"{type(event).__name__} {event.venue}"
        case ev.BookLost():
            return f"BookLost {event.instrument}"
        case _:
            return type(event).__name__


def said(intent: Intent) -> str:
    """What the bot wants, in a few words."""
    match intent:
        case Place():
            side, name = intent.side.value, intent.instrument
            return f"place {intent.label} {side} {intent.amount} {name} at {intent.price}"
        case Amend():
            return f"amend {intent.label} to {intent.amount} at {intent.price}"
        case Replace():
            new = f"{intent.label} {intent.amount} at {intent.price}"
            return f"replace {intent.old} by {new}"
        case Cancel():
            return f"cancel {intent.label} ({intent.why.value})"
        case Resync():
            return f"resync, asking for {len(intent.labels)} labels"
        case _:
            return type(intent).__name__


def said_left(left: Left) -> str:
    """What a process says that it leaves on each account, in a few words."""
    return ", ".join(
        f"{name}: {'nobody knows' if orders is None else len(orders)}"
        for name, orders in left.items()
    )
