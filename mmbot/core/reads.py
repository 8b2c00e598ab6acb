"""What of a view's moment and book a plug-in's answer depends on, said by the plug-in itself.

A strategy or a rule with a method `reads(instrument)` is not asked again while everything in the
view is as it was but for the moment, the age of the book, the levels beyond those it reads, and
what signals say unless it reads that. What it does not say it reads it must not read: a decision
would stand that is wrong by now. One that depends on the moment has no such method, and is asked
every time.
"""

from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

from mmbot.core.contracts import Instrument


class Reads(NamedTuple):
    """`depth`: the best levels a side; of those beyond, only whether all are numbers. None: every
    level. `age_limit_ns`: the age of the book beyond which the answer is another. `signals`:
    whether it depends on what signals say, which is other numbers at nearly every turn. `chain`:
    the same of the chain's other options: such a plug-in is asked every time."""

    depth: int | None = None
    age_limit_ns: float = inf
    signals: bool = False
    chain: bool = False


def no_levels(plugin: object, instrument: Instrument) -> Reads:  # noqa: ARG001  # the same for all
    """No level of the book, at no moment: `reads = no_levels` in a plug-in's class."""
    return Reads(depth=0)


def best_levels(plugin: object, instrument: Instrument) -> Reads:  # noqa: ARG001  # the same for all
    """The best level of each side, at no moment in particular."""
    return Reads(depth=1)


def read_by_all(plugins: Iterable[object], instrument: Instrument) -> Reads | None:
    """All that any of them reads, and the lowest limit of age; None where one does not say."""
    depth: int | None = 0
    age_limit_ns, signals, chain = inf, False, False
    for plugin in plugins:
        tell: Callable[[Instrument], Reads] | None = getattr(plugin, "reads", None)
        if tell is None:
            return None
        reads = tell(instrument)
        depth = None if depth is None or reads.depth is None else max(depth, reads.depth)
        age_limit_ns = min(age_limit_ns, reads.age_limit_ns)
        signals, chain = signals or reads.signals, chain or reads.chain
    return Reads(depth, age_limit_ns, signals, chain)
