"""One question and its answer, as parts of recipes; and what is said where there is none.

Pure: no clock, no socket, no log.
"""

from collections.abc import Mapping
from typing import Any, Final

from mmbot.core.events import Link
from mmbot.venues.answers import AnswerError, Trouble, result_of
from mmbot.venues.recipe import Ask, Get, Recipe
from mmbot.venues.requests import Refusal

ANSWER_S: Final = 5.0
"""How long a question over a connection may take, once it is sent ..."""

REST_S: Final = 10.0
"""... and one over REST."""

PHRASE_MAX_CHARS: Final = 200


class UnreadableError(Exception):
    """An answer that says something else than was asked for."""


class RestError(AnswerError):
    """A request over REST that came to no result: the text is what the line said of it, or else the
    venue, without the method."""

    def __init__(self, error: AnswerError) -> None:
        refusal, why = error.reply.error, error.reply.why
        text = _spoken(refusal) if refusal is not None and why in ("", str(refusal)) else why
        super().__init__(error.method, error.reply, text)
        self.refuses, self.timed_out = error.refuses, error.timed_out


def ask(link: Link, method: str, params: Mapping[str, Any]) -> Recipe[Any]:
    """A question's result. Raises AnswerError."""
    reply = yield Ask(link, method, params, ANSWER_S)
    return result_of(method, reply)


def get(method: str, params: Mapping[str, Any]) -> Recipe[Any]:
    """The same over REST."""
    reply = yield Get(method, params, REST_S)
    try:
        return result_of(method, reply)
    except AnswerError as error:
        raise RestError(error) from error


def in_brief(error: Exception) -> str:
    """What went wrong, in one phrase of one line."""
    phrase = (
        error.brief
        if isinstance(error, Trouble)
        else f"unreadable answer ({type(error).__name__}: {error})"
    )
    return " ".join(phrase.split())[:PHRASE_MAX_CHARS]


def _spoken(refusal: Refusal) -> str:
    """Code, message and reason of the venue's error."""
    data = refusal.data
    reason = data.get("reason") if isinstance(data, Mapping) else None
    return f"{refusal.code} {refusal.message}" + (f": {reason}" if reason else "")
