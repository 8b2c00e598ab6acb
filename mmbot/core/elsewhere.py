"""What the account holds of an underlying outside the desks: bought by hand, or by another desk.

Nobody quotes there, but the exposure is the account's all the same.
"""

from dataclasses import dataclass
from decimal import Decimal

from mmbot.core.types import ZERO, Instrument, Kind


@dataclass(slots=True)
class Elsewhere:
    """Absolute positions on one underlying, added up by what they are counted in."""

    coin: Decimal = ZERO
    usd: Decimal = ZERO
    """Of inverse perpetuals and futures."""

    def add(self, instrument: Instrument, amount: Decimal) -> None:
        """One more position, signed, in the instrument's amount unit."""
        if instrument.inverse and instrument.kind is not Kind.OPTION:
            self.usd += abs(amount)
        else:
            self.coin += abs(amount)

    def in_coin(self, index: Decimal | None) -> Decimal:
        """All of it as delta-one, in coin (`index` in USD; without one, what needs none)."""
        return self.coin if index is None else self.coin + self.usd / index
