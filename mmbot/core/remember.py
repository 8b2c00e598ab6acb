"""Signals hear what happens on the markets of their desk, and are asked for their value.

Books come conflated: of several changes between two turns a signal sees the newest.
"""

from collections.abc import Mapping, Sequence

from mmbot.core.desk import Desk
from mmbot.core.events import BookChanged, BookLost, Event, TickerChanged, TradePrinted
from mmbot.core.state import State
from mmbot.core.types import InstrumentId, Nanos

_HEARD = (BookChanged, TickerChanged, TradePrinted, BookLost)


def remember(state: State, events: Sequence[Event], desks: Mapping[InstrumentId, Desk]) -> None:
    """Let every signal of an instrument's desk hear what happened there."""
    for event in events:
        if isinstance(event, _HEARD):
            desk = desks.get(event.instrument)
            if desk is not None and desk.signals and event.instrument in state.markets:
                _hear(state, desk, event)


def _hear(
    state: State, desk: Desk, event: BookChanged | TickerChanged | TradePrinted | BookLost
) -> None:
    memories = state.signals.setdefault(event.instrument, {})
    for name, signal in desk.signals:
        memory = memories.get(name)
        if memory is None:
            instrument = state.markets[event.instrument].instrument
            memory = memories[name] = signal.start(instrument)
        signal.observe(memory, event)


def values(
    state: State, desk: Desk, instrument: InstrumentId, now_ns: Nanos
) -> dict[str, float | None]:
    """What the desk's signals say of an instrument, by name; None: nothing heard yet."""
    memories = state.signals.get(instrument, {})
    return {
        name: signal.value(memories[name], now_ns) if name in memories else None
        for name, signal in desk.signals
    }
