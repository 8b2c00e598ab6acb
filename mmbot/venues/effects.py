"""What a venue's session wants done, and how it is driven: sessions do no I/O and read no clock.

Theory of operation
-------------------
A session is a function from frames to events and from intents to frames. Whoever drives it (a shell
of sockets, or a pump in virtual time) calls one of the entries below with the time, and carries out
the effects that are returned, in their order. Nothing else happens between two calls. `due_ns` is
when the session wants to be called next though nothing has come: then `tick` it.

Frames are JSON objects, whose numbers may be Decimals on the way out. A frame that is no JSON
comes in as the text or the bytes it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec import Struct

from mmbot.core.events import Event, Link
from mmbot.core.types import Nanos

Frame = Mapping[str, Any]
"""A JSON object."""


class Dial(Struct, frozen=True, gc=False):
    """Connect. `opened` or `closed` follows."""

    link: Link
    limit_s: float
    """How long that may take."""


class Send(Struct, frozen=True, gc=False):
    """Write a frame on a connection, before anything else happens."""

    link: Link
    frame: Frame


class SendText(Struct, frozen=True, gc=False):
    """Write something that is no JSON. Nobody is told where that fails."""

    link: Link
    text: str


class Cut(Struct, frozen=True, gc=False):
    """End a connection now, if it is not over. No `closed` follows. `politely`: say goodbye."""

    link: Link
    why: str
    politely: bool = False


class Http(Struct, frozen=True, gc=False):
    """Ask over REST; `answered` follows, exactly once."""

    id: int
    method: str
    """The venue's name for it."""
    params: Frame
    timeout_s: float


class Emit(Struct, frozen=True, gc=False):
    """Tell whoever listens."""

    event: Event


Effect = Dial | Send | SendText | Cut | Http | Emit


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came of a REST request: the body, parsed; None where there is none that could be read,
    and then `why` says so. `status` is None where nothing came at all."""

    status: int | None
    body: object = None
    why: str = ""
    cause: Exception | None = field(default=None, compare=False)
    """What was raised where it was asked, for whoever finds words for it."""


class Driven(Protocol):
    """What a shell or a pump drives. `now_ns` is desk time and never falls."""

    @property
    def due_ns(self) -> Nanos | None:
        """When to `tick`, unless something else happens before; None: not needed."""
        ...

    def opened(self, link: Link, now_ns: Nanos) -> Sequence[Effect]:
        """A connection that was dialed is established."""
        ...

    def closed(self, link: Link, why: str, now_ns: Nanos) -> Sequence[Effect]:
        """A connection is over, or could not be established."""
        ...

    def receive(self, link: Link, frame: Frame | str | bytes, now_ns: Nanos) -> Sequence[Effect]:
        """A frame came over the present connection of a link."""
        ...

    def unsent(self, frame: Frame, why: str, now_ns: Nanos) -> Sequence[Effect]:
        """A frame that was to be sent could not be written, and certainly has not left."""
        ...

    def answered(self, http_id: int, answer: HttpAnswer, now_ns: Nanos) -> Sequence[Effect]:
        """A REST request has ended."""
        ...

    def tick(self, now_ns: Nanos) -> Sequence[Effect]:
        """Time has passed."""
        ...
