"""Market-maker protection, as a venue tells of it: where too much of our quotes on a coin traded at
once it takes them all back, and takes no new ones for a while or until that is reset.

Quotes alone are under it: a hedge goes on.
"""

from typing import Final

from msgspec import Struct

from mmbot.core.types import Nanos

FOREVER: Final[Nanos] = 2**62
"""Until it is reset."""


class ProtectionTold(Struct, frozen=True, gc=False):
    """The venue protects our quotes on `underlying`, and takes none of them before
    `frozen_until_ns` (desk time); 0: it takes them."""

    venue: str
    underlying: str
    frozen_until_ns: Nanos


def is_frozen(protected: dict[str, Nanos], underlying: str, now_ns: Nanos) -> bool:
    """Whether quotes on a coin are not taken now."""
    return now_ns < protected.get(underlying, 0)
