"""Numbers that add up as they are shown: every place that shows a sum and its parts rounds here.

Each part rounded by itself, 3 x 0.333 reads 0.33 + 0.33 + 0.33 = 1.00. The largest-remainder method
(Hamilton's) rounds every part down and gives the units that are missing to the parts that lost most
by it, so that what is shown adds up to the total as it is shown, and no part is off by a whole
unit.
"""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

CENTS = 2
WHOLE_FROM_USD = 10_000
"""With an amount of this size among them, whole dollars are shown."""


def digits_for(*amounts: float) -> int:
    """How many decimals amounts of money that stand together are shown with."""
    return CENTS if all(abs(amount) < WHOLE_FROM_USD for amount in amounts) else 0


def rounded(amount: float | Decimal, digits: int) -> Decimal:
    """To so many decimals; never a negative zero."""
    return Decimal(amount).quantize(_unit(digits), ROUND_HALF_EVEN) + 0


def apportioned(
    parts: Sequence[float | Decimal], total: float | Decimal, digits: int
) -> list[Decimal]:
    """The parts of a total with so many decimals, so that they add up to `rounded(total)`.

    `total` is their sum, but for what floats lose on the way. Of another total they cannot be made
    the parts: then each is rounded by itself.
    """
    unit = _unit(digits)
    exact = [Decimal(part) for part in parts]
    shown = [part.quantize(unit, ROUND_FLOOR) + 0 for part in exact]
    missing = int((rounded(total, digits) - sum(shown)) / unit)
    if abs(missing) > len(shown):
        return [rounded(part, digits) for part in exact]
    losers = sorted(range(len(shown)), key=lambda place: shown[place] - exact[place])
    if missing < 0:  # what floats lost: those that lost least give it back
        losers.reverse()
    for place in losers[: abs(missing)]:
        shown[place] += unit if missing > 0 else -unit
    return [part + 0 for part in shown]


def _unit(digits: int) -> Decimal:
    return Decimal(1).scaleb(-digits)
