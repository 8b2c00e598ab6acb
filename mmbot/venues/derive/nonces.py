"""Nonces of orders: nanoseconds since 1970, each used once for a subaccount.

Theory of operation
-------------------
The venue takes a nonce from 90 days before its clock to an hour after it, in any order, and each
once for a subaccount, whoever sends it: an engine, the one that ran before, another terminal. So
processes must not count alike. A nonce is the time in steps of about a millisecond, and in the low
bits the part of the process that drew it: two processes with different parts never meet, and one
process never uses a step twice. In a burst it runs ahead of the clock by a step a nonce.

Pure: the time and the part are arguments.
"""

from hashlib import blake2b
from typing import Final

from mmbot.core.types import SECOND, Nanos

PART_BITS: Final = 20
PARTS: Final = 1 << PART_BITS

OLDEST_NS: Final[Nanos] = 90 * 86_400 * SECOND
"""How far before the venue's clock a nonce may lie ..."""

AHEAD_NS: Final[Nanos] = 3_600 * SECOND
"""... and how far after it."""


class Nonces:
    """Those of one process for one subaccount."""

    def __init__(self, part: int) -> None:
        assert 0 <= part < PARTS, part
        self._part = part
        self._step = 0

    def draw(self, now_ns: Nanos) -> int:
        """Another one. `now_ns`: the venue's clock, as far as it is known."""
        self._step = max(now_ns >> PART_BITS, self._step + 1)
        nonce = self._step << PART_BITS | self._part
        assert nonce <= now_ns + AHEAD_NS, "orders are sent faster than nonces can be told apart"
        return nonce


def part_of(*names: str | int) -> int:
    """The part of a process by what sets it apart from all others of the account: its run, its
    host, its process id."""
    text = "\n".join(map(str, names)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") % PARTS
