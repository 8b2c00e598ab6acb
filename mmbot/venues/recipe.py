"""Several questions in a row, as a generator: what would be a coroutine if a session could wait.

A recipe yields what it asks and is sent the answer. It runs inside a session, which sends the
requests, gives each its place in the pool of its method, and resumes the recipe with the reply.
"""

from collections.abc import Generator, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from mmbot.core.events import Link

T = TypeVar("T")


class Ask(Struct, frozen=True, gc=False):
    """A request on a link, once there is room for it; the deadline counts from then on."""

    link: Link
    method: str
    params: Mapping[str, Any]
    timeout_s: float


class Get(Struct, frozen=True, gc=False):
    """The same over REST."""

    method: str
    params: Mapping[str, Any]
    timeout_s: float


class Wait(Struct, frozen=True, gc=False):
    """Let so many seconds pass."""

    seconds: float


Question = Ask | Get | Wait
Recipe = Generator[Question, Any, T]
"""Sent the venue's Reply to an Ask or a Get, None after a Wait; returns what came of it."""
