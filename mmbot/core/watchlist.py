"""The event that puts markets on the watch list: watched, and not quoted (core.watched)."""

from msgspec import Struct

from mmbot.core.contracts import Instrument


class InstrumentsWatched(Struct, frozen=True, gc=False):
    """A desk watches these that the venue lists; known ones are replaced, traded ones stay so."""

    instruments: tuple[Instrument, ...]
    desk: str = ""
