"""Durations measured in alternating blocks, and how two contestants compare.

Two ratios say it. *Pooled*: a percentile of all samples of one over that of the other. *Blocks*:
the median of the ratios of neighbors, block by block, of their medians; what comes over the
machine for a while is in both of a pair and drops out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median, quantiles
from typing import TypeVar

Key = TypeVar("Key")
T = TypeVar("T")

Blocks = list[list[int]]
"""One contestant's durations in nanoseconds, in the order of the blocks."""


def alternate(
    contestants: Iterable[Key], blocks: int, measure: Callable[[Key], T]
) -> dict[Key, list[T]]:
    """That many blocks of every contestant. Each round goes the other way round than the last, so
    that none always comes first."""
    order = list(contestants)
    taken: dict[Key, list[T]] = {key: [] for key in order}
    for number in range(blocks):
        for key in reversed(order) if number % 2 else order:
            taken[key].append(measure(key))
    return taken


def grouped(
    rounds: Mapping[Key, Sequence[Mapping[str, list[int]]]], kind: str
) -> dict[Key, Blocks]:
    """Of blocks that measured several kinds of a thing at once, one kind."""
    return {key: [block[kind] for block in blocks] for key, blocks in rounds.items()}


def percentile_us(blocks: Blocks, percent: int) -> float:
    """A percentile of all samples, in microseconds."""
    pooled = [sample for block in blocks for sample in block]
    if len(pooled) < 2:
        return pooled[0] / 1e3
    return quantiles(pooled, n=100, method="inclusive")[percent - 1] / 1e3


def pooled_ratio(ours: Blocks, theirs: Blocks, percent: int) -> float:
    """A percentile of all our samples over that of all of theirs."""
    return percentile_us(ours, percent) / percentile_us(theirs, percent)


def ratio_of_blocks(ours: Blocks, theirs: Blocks) -> float:
    """The median over the pairs of blocks of the ratio of their medians."""
    return median(median(a) / median(b) for a, b in zip(ours, theirs, strict=True))
