"""A person's wish, as it stands in the store, as an event for the core."""

from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core.scope import Scope
from mmbot.core.types import SECOND, Nanos, Side
from mmbot.core.why import Why
from mmbot.store.records import Command, CommandKind


def event_of(command: Command, now_ns: Nanos) -> ev.Event:
    """The event. `now_ns` is desk time. Raises ValueError, KeyError or ArithmeticError for
    arguments that are not what the command line sends."""
    said = command.arguments
    match command.kind:
        case CommandKind.PAUSE:
            return ev.Pause(Why.PAUSED)
        case CommandKind.UNPAUSE:
            return ev.Unpause()
        case CommandKind.STOP:
            return ev.Stop(Why.USER)
        case CommandKind.KILL:
            return ev.Trip(Why.USER, f"by {command.who}")
        case CommandKind.WIND_DOWN:
            return ev.WindDown(on=said["on"] == "yes")
        case CommandKind.SWITCH:
            return ev.Switched(_scope(command), on=said["on"] == "yes")
        case CommandKind.SIZE:
            return ev.SizeScaled(_positive(said["factor"]))
        case CommandKind.VOL:
            points = float(said["points"])
            return ev.VolShifted(points, now_ns + int(_positive(said["for_s"]) * SECOND))


def _scope(command: Command) -> Scope:
    said = command.arguments
    return Scope(
        instrument=said.get("instrument"),
        expiry_day=int(said["expiry_day"]) if "expiry_day" in said else None,
        side=Side(said["side"]) if "side" in said else None,
        text=said["text"],
    )


def _positive(text: str) -> Decimal:
    number = Decimal(text)
    if not (number.is_finite() and number > 0):
        raise ValueError(f"{text} is not greater than 0")
    return number
