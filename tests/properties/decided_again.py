"""Decisions that are taken again in another way, and held against the ones that were taken."""

from typing import Final

from msgspec.structs import replace

from mmbot.core.decide import Decision

KEPT: Final = ("stands", "allowance")
"""What a market keeps beside a decision: no part of it."""


def is_same(one: Decision, other: Decision) -> bool:
    """Whether both say the same."""
    without = dict.fromkeys(KEPT)
    return replace(one, **without) == replace(other, **without)
