"""What the signals of every instrument say, for people: numbers by name, and their units."""

from collections.abc import Mapping
from math import isfinite

from mmbot.core.desk import Desk
from mmbot.core.remember import units, values
from mmbot.core.state import State
from mmbot.core.types import InstrumentId, Nanos


def said(
    state: State, desks: Mapping[InstrumentId, Desk], now_ns: Nanos
) -> dict[InstrumentId, dict[str, float | None]]:
    """By instrument of a desk that has signals; None: not known, or no number."""
    return {
        one: {
            name: value if value is not None and isfinite(value) else None
            for name, value in values(state, desk, one, now_ns).items()
        }
        for one, desk in desks.items()
        if desk.signals and one in state.markets
    }


def units_of(desk: Desk) -> dict[str, str]:
    """What the numbers of a desk's signals are counted in, where they say."""
    found: dict[str, str] = {}
    for name, signal in desk.signals:
        found |= units(name, signal)
    return found
