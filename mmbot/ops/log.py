"""Log lines of what the bot did and what happened to it, written after the orders have left."""

import logging
from collections.abc import Callable, Sequence

from mmbot.core import events as ev
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    FallbackCancel,
    Intent,
    Place,
    Replace,
    Resync,
    SaveLatch,
)
from mmbot.core.statements import Fill
from mmbot.core.types import InstrumentId, Nanos, instrument_name
from mmbot.ops.limit import ALWAYS, about

_log = logging.getLogger("mmbot")


NameOf = Callable[[InstrumentId], str]


def log_taken(
    events: Sequence[ev.Event],
    intents: Sequence[Intent],
    _now_ns: Nanos,
    *,
    name_of: NameOf = instrument_name,
) -> None:
    """An observer for the runner: one line per fill, refusal, link change and request. `name_of`:
    what an instrument is called."""
    for event in events:
        _log_event(event, name_of)
    for intent in intents:
        _log_intent(intent, name_of)


def _log_event(event: ev.Event, name_of: NameOf) -> None:
    match event:
        case ev.Filled():
            _log.info("fill %s", _fill_text(event.fill, name_of), extra=ALWAYS)
        case ev.RequestRefused():
            _log.info(
                "%s of %s refused: %s (%s)",
                event.request.value,
                event.label,
                event.why.value,
                event.detail,
            )
        case ev.OutcomeUnknown():
            _log.warning(
                "no answer to %s of %s: %s", event.request.value, event.label, event.why.value
            )
        case ev.LinkChanged():
            level = logging.INFO if event.up else logging.WARNING
            state = "up" if event.up else "down"
            # Each link's coming and going is a kind of its own: one must not hide the other.
            template = f"%s {event.link.value} link {state}: %s"
            _log.log(level, template, event.venue, event.detail, extra=about(event.venue))
        case ev.SnapshotFailed():
            venue = event.venue
            _log.warning("%s could not be asked: %s", venue, event.detail, extra=about(venue))
        case ev.BookLost():
            _log.info("book of %s lost: %s", name_of(event.instrument), event.why.value)
        case ev.Stop():
            _log.info("stopping: %s", event.why.value, extra=ALWAYS)
        case ev.Pause():
            _log.info("paused: %s", event.why.value)
        case _:
            pass


def _log_intent(intent: Intent, name_of: NameOf) -> None:
    match intent:
        case Place():
            _log.info(
                "place %s %s %s @ %s: %s",
                name_of(intent.instrument),
                intent.side.value,
                intent.amount,
                intent.price,
                intent.why.value,
            )
        case Amend():
            _log.info(
                "amend %s to %s @ %s: %s",
                name_of(intent.instrument),
                intent.amount,
                intent.price,
                intent.why.value,
            )
        case Replace():
            _log.info(
                "replace %s %s by %s @ %s: %s",
                name_of(intent.instrument),
                intent.old,
                intent.amount,
                intent.price,
                intent.why.value,
            )
        case Cancel():
            _log.info(
                "cancel %s %s: %s",
                name_of(intent.instrument),
                intent.label,
                intent.why.value,
            )
        case CancelAll():
            where = intent.venue if intent.instrument is None else name_of(intent.instrument)
            _log.info("cancel all on %s: %s", where, intent.why.value, extra=about(intent.venue))
        case SaveLatch():
            _log.error("KILL SWITCH: %s: %s", intent.why.value, intent.detail, extra=ALWAYS)
        case FallbackCancel():
            venue = intent.venue
            _log.warning(
                "taking orders back from %s over the second path", venue, extra=about(venue)
            )
        case Resync():
            _log.debug("asking %s for its word: %s", intent.venue, intent.why.value)


def _fill_text(fill: Fill, name_of: NameOf) -> str:
    text = f"{name_of(fill.instrument)} {fill.side.value} {fill.amount} @ {fill.price}"
    return f"{text}, fee {fill.fee} {fill.fee_currency}"
