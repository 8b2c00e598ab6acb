"""How long the bot may be silent before that means something."""

from dataclasses import dataclass

from mmbot.core.types import SECOND, Nanos


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds in desk time. They are part of State, so that a tape replays under its own."""

    away_pause_ns: Nanos = 2 * SECOND
    """Without a turn for that long the bot was away: it reconciles before it quotes again ..."""
    away_trip_ns: Nanos = 10 * SECOND
    """... and for that long, the kill switch trips."""
    guards_missed_ns: Nanos = 3 * SECOND
    """Turns go on, but no Tick has come for that long: the guards were not asked. A gap in the
    turns themselves is noticed as such before (`away_pause_ns`)."""
