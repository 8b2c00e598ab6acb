"""What a signal remembers of one instrument, kept in State and on the tape."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Memory:
    """Plain numbers by name, which only their signal knows how to read."""

    numbers: dict[str, int | float] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)
    """Oldest first; the signal takes out what it needs no more."""
