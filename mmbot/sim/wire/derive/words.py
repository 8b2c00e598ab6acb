"""Numbers as the venue writes them: texts of plain decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

STEP: Final = Decimal("1E-12")  # finer is nothing that the venue says


def rounded(number: Decimal) -> str:
    """What a division has made, with as many digits as the venue writes."""
    return text(number.quantize(STEP))


def text(number: Decimal) -> str:
    """Without an exponent, and without zeros at the end."""
    written = f"{number:f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def text_of(number: float) -> str:
    """The same of a model's number: its shortest digits."""
    return text(Decimal(repr(float(number))))
