"""Asking a venue again while what is wrong may pass by itself."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mmbot.clock import Clock

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 4.0
TELL_AFTER_S = 2.0
"""A trouble that is over sooner is nobody's news."""

T = TypeVar("T")


async def patiently(
    ask: Callable[[], Awaitable[T]],
    *,
    may_pass: Callable[[BaseException], bool],
    clock: Clock,
    limit_s: float,
    tell: Callable[[BaseException], None] | None = None,
) -> T:
    """What `ask` answers; asked again after errors that may pass, until `limit_s` after the first
    time. `tell` is called once, with the error, when it takes a while. Raises the last error."""
    began_s, wait_s, told = clock.monotonic_s(), FIRST_WAIT_S, tell is None
    while True:
        try:
            return await ask()
        except Exception as error:
            spent_s = clock.monotonic_s() - began_s
            left_s = limit_s - spent_s
            if left_s <= 0 or not may_pass(error):
                raise
            if tell is not None and not told and spent_s >= TELL_AFTER_S:
                tell(error)
                told = True
        await clock.sleep(min(wait_s, left_s))
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
