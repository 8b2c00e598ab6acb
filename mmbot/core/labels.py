"""Labels: our names for orders, `mm<run, base 36>-<sequence, base 36>`.

A run has 28 random bits and a sequence 24, so that the pair also fits a 53-bit integer.
"""

from functools import lru_cache

from mmbot.core.types import Label

SEQUENCES_MAX = 1 << 24
"""Labels of one run."""

_LABELS_KEPT = 4096
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = tuple(first + second for first in _DIGITS for second in _DIGITS)


def base36(number: int) -> str:
    """Base 36, lower case."""
    digits = ""
    while number >= len(_PAIRS):
        number, rest = divmod(number, len(_PAIRS))
        digits = _PAIRS[rest] + digits
    return (_PAIRS[number] if number >= len(_DIGITS) else _DIGITS[number]) + digits


@lru_cache(_LABELS_KEPT)  # asked of every word on an order
def is_ours(label: Label | None) -> bool:
    """Whether a label has our form: mm<run>-<sequence>, whichever store or run it came from."""
    if not label or not label.startswith("mm"):
        return False
    run, dash, sequence = label[2:].partition("-")
    return bool(run and dash and sequence) and all(c in _DIGITS for c in run + sequence)


def label_of(run: str, sequence: int) -> Label:
    """The label of one order of a run (in base 36)."""
    return Label(f"mm{run}-{base36(sequence)}")
