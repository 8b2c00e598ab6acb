"""What a question came to where that is no result: what everything without I/O raises and catches.

Clients make ccxt's errors of these for people (`in_ccxt.py`).
"""

from typing import Any

from mmbot.venues.requests import NO_REPLY, Outcome, Refusal, Reply


class Trouble(Exception):
    """Something known to go wrong between us and the venue; the text is for people, and `brief`
    is the same without the name of the venue that it begins with."""

    refuses = True
    """The venue does not want what was asked; else the line, or its moment, was a bad one."""
    timed_out = False
    """There has been waiting for it."""

    def __init__(self, brief: str, venue: str = "") -> None:
        super().__init__(f"{venue} {brief}" if venue else brief)
        self.brief = brief


class AnswerError(Trouble):
    """A request that came to no result."""

    def __init__(self, method: str, reply: Reply, text: str = "") -> None:
        super().__init__(text or f"{method}: {reply.error or reply.why}", reply.venue)
        self.method = method
        self.reply = reply


class NoAnswer(AnswerError):
    """No reply in time, a link lost, or a request that never left: `reply.sent` tells."""

    refuses = False

    def __init__(self, method: str, reply: Reply) -> None:
        super().__init__(method, reply)
        self.timed_out = reply.why == NO_REPLY


class Declined(AnswerError):
    """The venue's own error."""

    def __init__(self, method: str, reply: Reply, refusal: Refusal) -> None:
        super().__init__(method, reply)
        self.refusal = refusal
        self.refuses = not refusal.passing
        self.timed_out = refusal.timed_out


class SignedOut(Declined):
    """The connection is not signed in, although the venue let us in."""

    def __init__(self, method: str, reply: Reply, refusal: Refusal) -> None:
        super().__init__(method, reply, refusal)
        self.refuses, self.timed_out = True, False


class OddAnswer(AnswerError):
    """An answer that is not what was asked for."""


class LeftOut(Trouble):
    """Channels that the venue did not subscribe; `refusal` where it said why."""

    def __init__(self, text: str, refusal: Refusal | None = None, venue: str = "") -> None:
        super().__init__(text, venue)
        self.refusal = refusal


class Unarmed(Trouble):
    """Cancel-on-disconnect is not confirmed where it was before."""


class OddMessage(Trouble):
    """A message of a known channel, or a reply, that says nothing."""


class UnreadableFrame(Trouble):
    """What the message was about cannot be told."""


class LinkDown(Trouble):
    """The link could not be brought up, or is not up."""

    refuses = False

    def __init__(self, text: str, venue: str = "", *, timed_out: bool = False) -> None:
        super().__init__(text, venue)
        self.timed_out = timed_out


class Stopped(LinkDown):
    """Ended by us before it was up."""


def result_of(method: str, reply: Reply) -> Any:
    """What a reply says. Raises Declined or NoAnswer: after the latter, and where the venue itself
    leaves it open, the request may have been carried out."""
    if reply.outcome is Outcome.OK:
        return reply.result
    if reply.error is not None:
        raise Declined(method, reply, reply.error)
    raise NoAnswer(method, reply)


def refuses(error: Exception) -> bool:
    """Whether an error says that the venue does not want what was asked."""
    return isinstance(error, Trouble) and error.refuses
