"""What a signal remembers of one instrument, kept in State and on the tape."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Memory:
    """Plain numbers and names, which only their signal knows how to read."""

    numbers: dict[str, int | float] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)
    """Oldest first; the signal takes out what it needs no more."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """Oldest first, for instance the ids of trades."""
