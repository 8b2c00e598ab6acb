"""Which quotes a person means: those of an instrument, an expiry, a side, or all."""

from dataclasses import dataclass

from mmbot.core.contracts import Instrument
from mmbot.core.types import SECOND, Nanos, Side

DAY_NS: Nanos = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Scope:
    """Which quotes are meant; None: no matter."""

    instrument: str | None = None
    """The venue's name, or the whole name where two venues have one of that name."""
    expiry_day: int | None = None
    """Day of the expiry (UTC), counted in days since 1970."""
    side: Side | None = None
    text: str = "everything"
    """The same for people."""

    def covers(self, instrument: Instrument, side: Side) -> bool:
        """Whether a quote on that side of that instrument is meant."""
        return (
            self.instrument in (None, instrument.name, instrument.id)
            and self.expiry_day in (None, _day_of(instrument))
            and self.side in (None, side)
        )

    @property
    def everything(self) -> bool:
        """Whether every quote is meant."""
        return self.instrument is None and self.expiry_day is None and self.side is None


def _day_of(instrument: Instrument) -> int | None:
    return None if instrument.expiry_ns is None else instrument.expiry_ns // DAY_NS
