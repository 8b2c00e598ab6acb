"""Signals hear what happens on the markets of their desk, and are asked for their values.

Each event is heard right after it was applied, with what was booked because of it: a memory does
not depend on how events fall into turns, and of an execution that is told twice one is heard.
"""

from collections.abc import Callable, Mapping
from functools import cache

from mmbot.core.desk import Desk
from mmbot.core.events import BookChanged, BookLost, Event, Filled, TickerChanged, TradePrinted
from mmbot.core.inventory import Booked, Claimed
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard, Signal
from mmbot.core.state import State
from mmbot.core.types import InstrumentId, Nanos

_OF_MARKETS = (BookChanged, TickerChanged, TradePrinted, BookLost)

Values = Mapping[str, float | None]


def remember(
    state: State, event: Event, desks: Mapping[InstrumentId, Desk], known_entries: int
) -> None:
    """Let the signals of an instrument's desk hear an event that was applied just now, when so many
    entries waited for the store."""
    if isinstance(event, _OF_MARKETS):
        _hear(state, desks, event.instrument, event)
    if len(state.entries) > known_entries:
        for entry in state.entries[known_entries:]:
            match entry:
                case Booked(fill, ours=True, again=False) | Claimed(fill):
                    _hear(state, desks, fill.instrument, Filled(fill))


def _hear(
    state: State, desks: Mapping[InstrumentId, Desk], instrument: InstrumentId, event: Heard
) -> None:
    desk = desks.get(instrument)
    if desk is None or not desk.signals or instrument not in state.markets:
        return
    memories = state.signals.setdefault(instrument, {})
    for name, signal in desk.signals:
        memory = memories.get(name)
        if memory is None:
            memory = memories[name] = signal.start(state.markets[instrument].instrument)
        signal.observe(memory, event)


def values(
    state: State, desk: Desk, instrument: InstrumentId, now_ns: Nanos
) -> dict[str, float | None]:
    """What the desk's signals say of an instrument, by name; None: it cannot be told yet."""
    memories = state.signals.get(instrument, {})
    said: dict[str, float | None] = {}
    for name, signal in desk.signals:
        memory = memories.get(name)
        said[name] = None if memory is None else signal.value(memory, now_ns)
        if not _has_parts(type(signal)):
            continue
        parts: Callable[[Memory, Nanos], Values] = signal.values  # type: ignore[attr-defined]  # has
        if memory is not None:
            for part, value in parts(memory, now_ns).items():
                said[f"{name}.{part}"] = value
        else:  # nothing was heard
            blank = signal.start(state.markets[instrument].instrument)
            said |= dict.fromkeys(f"{name}.{part}" for part in parts(blank, now_ns))
    return said


@cache
def _has_parts(signal: type) -> bool:
    return hasattr(signal, "values")


def units(name: str, signal: Signal) -> dict[str, str]:
    """What the numbers of a signal are counted in, by their names, where it says."""
    of_parts: Mapping[str, str] = getattr(signal, "units", {})
    return {f"{name}.{part}" if part else name: unit for part, unit in of_parts.items()}
