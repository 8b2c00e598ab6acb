"""Requests in flight: every one ends exactly once, as OK, REFUSED or UNKNOWN.

UNKNOWN is what an honest client says when the socket closed, the deadline passed or the venue
answered with an error that does not tell what happened: the request may have been carried out. A
reply that arrives after that is not lost but handed over as a late one.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from msgspec import Struct

from mmbot.venues.dialect import Dialect
from mmbot.venues.meanings import OrderFate

NO_REPLY = "no reply in time"
"""Why a request is UNKNOWN whose deadline has passed."""


class Outcome(Enum):
    """How a request ended."""

    OK = "ok"
    REFUSED = "refused"
    """The venue says that it did not do it."""
    UNKNOWN = "unknown"
    """The outcome is unknown: the request may have been carried out, or may yet be."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The venue's error: `code` is its own, `message` the code's name."""

    code: int
    message: str
    data: Any = None
    passing: bool = field(default=False, compare=False)
    """The venue cannot now, rather than that it will not ..."""
    timed_out: bool = field(default=False, compare=False)
    """... having waited for long enough."""

    def __str__(self) -> str:
        detail = f" {self.data}" if self.data else ""
        return f"{self.code} {self.message}{detail}"


class Reply(Struct, frozen=True):
    """The end of one request.

    `result` is the venue's for OK; `error` is there for REFUSED, and for UNKNOWN when the venue
    answered with an error that leaves it open. `why` explains an UNKNOWN; `sent` is false when the
    frame certainly never left this process. `out_us` is the venue's clock as the answer left it, in
    microseconds, where it says.
    """

    id: int
    outcome: Outcome
    result: Any = None
    error: Refusal | None = None
    why: str = ""
    sent: bool = True
    out_us: int | None = None
    cause: Exception | None = None
    """What was raised where it was asked, over REST."""
    venue: str = "venue"
    """Who was asked, for people."""


Done = Callable[[Reply], None]


def reply_of(dialect: Dialect, frame: dict[str, Any]) -> Reply:
    """A JSON-RPC reply frame, with an id, as a Reply.

    An error of another shape than the venue's leaves open what happened.
    """
    out_us = frame.get("usOut")
    if out_us.__class__ is not int:
        out_us = None
    id_, error, venue = frame["id"], frame.get("error"), dialect.name
    if error is None and "result" in frame:
        return Reply(id_, Outcome.OK, frame["result"], out_us=out_us, venue=venue)
    refusal = refusal_of(dialect, error)
    if refusal is None:
        why = f"the answer cannot be read: {str(error)[:100]}"
        return Reply(id_, Outcome.UNKNOWN, why=why, out_us=out_us, venue=venue)
    outcome, why = Outcome.REFUSED, ""
    if dialect.meaning_of(refusal.code, refusal.data).fate is OrderFate.OPEN:
        outcome, why = Outcome.UNKNOWN, str(refusal)
    return Reply(id_, outcome, error=refusal, why=why, out_us=out_us, venue=venue)


def refusal_of(dialect: Dialect, error: object) -> Refusal | None:
    """The `error` of a frame; None: it is none of the venue's."""
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or code.__class__ is not int:
        return None
    message = error.get("message")
    return Refusal(
        code,
        message if isinstance(message, str) else "",
        error.get("data"),
        code in dialect.passing,
        code in dialect.timed_out,
    )


class Pending(Struct):
    """One request in flight."""

    link: object
    method: str
    done: Done | None
    deadline_s: float


class Requests:
    """The table of requests in flight. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self.last_id = 0
        self._pending: dict[int, Pending] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def next_id(self) -> int:
        """A number never used before on either link."""
        self.last_id += 1
        return self.last_id

    def add(
        self, id_: int, link: object, method: str, done: Done | None, deadline_s: float
    ) -> None:
        """Expect a reply to `id_`, a call of `method` on `link`, until `deadline_s`."""
        self._pending[id_] = Pending(link, method, done, deadline_s)
        heapq.heappush(self._deadlines, (deadline_s, id_))

    def take(self, id_: object) -> Pending | None:
        """End a request; None: no such one was in flight."""
        return self._pending.pop(id_, None) if id_.__class__ is int else None

    @property
    def earliest_s(self) -> float | None:
        """The first deadline of a request in flight."""
        while self._deadlines and self._deadlines[0][1] not in self._pending:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def take_expired(self, now_s: float) -> list[tuple[int, Pending]]:
        """End and return what is past its deadline, oldest deadline first."""
        expired = []
        while self._deadlines and self._deadlines[0][0] <= now_s:
            _, id_ = heapq.heappop(self._deadlines)
            pending = self._pending.pop(id_, None)
            if pending is not None:
                expired.append((id_, pending))
        return expired

    def take_all(self, link: object) -> list[tuple[int, Pending]]:
        """End and return everything in flight on `link`, oldest first."""
        ids = [id_ for id_, pending in self._pending.items() if pending.link is link]
        return [(id_, self._pending.pop(id_)) for id_ in ids]
