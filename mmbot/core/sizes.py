"""Sizes as people write them: `1 ETH`, `1000 USD`, `2 lots`; a bare number is the venue's unit.

What an amount is counted in depends on the product (core.types): 1 is 1 ETH of an option, one US
dollar of an inverse perpetual and one share of a binary. Lots count smallest orders, where those
are more than one step of the grid: ten lots are room for ten orders everywhere. A size keeps what
was written; it becomes an amount of one instrument where its price is known.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal
from math import isfinite

from mmbot.core.contracts import Instrument
from mmbot.core.types import ONE, ZERO, to_decimal

USD = "USD"
LOTS = "lots"
SHARES = "shares"
_SMALLEST = "smallest"

_COUNTS = {"LOT": LOTS, "LOTS": LOTS, "SHARE": SHARES, "SHARES": SHARES}

_WRITTEN = re.compile(r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*([A-Za-z][A-Za-z0-9_]+)?\s*")

_PRICE_DIGITS = 3
"""Significant digits of the price that turns one unit into another: a size in USD must not change,
and cost a request, with every tick of the price."""

_ROUNDED_UP = 1 + 10.0 ** (1 - _PRICE_DIGITS)
"""The most that rounding to so many digits makes of a price."""


def unit_of(instrument: Instrument) -> str:
    """What amounts of an instrument are counted in: a coin, USD, or shares."""
    if instrument.counted_in_coin:
        return instrument.underlying
    return USD if instrument.counted_in_usd else SHARES


def unit_price(instrument: Instrument, index: float, mark: float) -> float | None:
    """US dollars of notional in one unit of amount; None where the price it takes is not known.

    Options count their underlying (at `index`, USD per coin), not their premium; linear perpetuals
    and futures, and the shares of binaries, count at their own price (`mark`); inverse ones are US
    dollars already.
    """
    if instrument.counted_in_usd:
        return 1.0
    price = index if instrument.counted_by_underlying else mark
    return price if isfinite(price) and price > 0 else None


def usd_per_unit(instrument: Instrument, index: float, mark: float) -> Decimal | None:
    """The same as an exact number."""
    price = unit_price(instrument, index, mark)
    return None if price is None else to_decimal(price)


def usd_value(instrument: Instrument, amount: Decimal, index: float, mark: float) -> Decimal | None:
    """US dollars of notional in an amount, with its sign; None where no price is known."""
    per_unit = usd_per_unit(instrument, index, mark)
    return None if per_unit is None else amount * per_unit


@dataclass(frozen=True, slots=True)
class Size:
    """A size as written: `unit` is a currency in capitals, LOTS, SHARES, or "" for the venue's
    unit."""

    amount: Decimal
    unit: str = ""

    @staticmethod
    def parse(value: object) -> "Size":
        """The size in a number or a text. Raises ValueError for what is none, or not above 0."""
        if isinstance(value, Size):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
            raise ValueError(f"{value!r} is no size")
        if isinstance(value, str) and value.strip().lower() in (_SMALLEST, str(SMALLEST)):
            return SMALLEST
        written = _WRITTEN.fullmatch(str(value))
        if written is None or not Decimal(written[1]) > 0:
            raise ValueError(f"{value!r} is no size")
        unit = (written[2] or "").upper()
        return Size(Decimal(written[1]), _COUNTS.get(unit, unit))

    def __str__(self) -> str:
        if self.unit == _SMALLEST:
            return "smallest order"
        return f"{plain(self.amount)} {self.unit}".rstrip()

    def times(self, factor: int) -> "Size":
        """That many times this size."""
        return Size(self.amount * factor, self.unit)


SMALLEST = Size(ONE, _SMALLEST)
"""The smallest order the venue takes, whatever it is."""

POSITION = Size(Decimal(10), LOTS)
"""What a desk may hold of an instrument either way, unless it is told otherwise."""


def units(instrument: Instrument) -> tuple[str, ...]:
    """The units a size of an instrument may be written in, the venue's own first."""
    # The shares of a binary are no amount of its underlying.
    coin = [] if instrument.counted_in_shares else [instrument.underlying]
    others = [*coin, USD, *([] if instrument.inverse else [instrument.settlement])]
    return tuple(dict.fromkeys((unit_of(instrument), *others, LOTS)))


def amount_of(size: Size, instrument: Instrument, index: float, mark: float) -> Decimal | None:
    """A size in the instrument's amount unit, not rounded to its lots.

    None where the unit is not one of the instrument's, or the price it takes is not known.
    """
    if size.unit == _SMALLEST:
        return instrument.grid.min_amount
    if size.unit == LOTS:
        return size.amount * max(instrument.grid.amount_step, instrument.grid.min_amount)
    own = unit_of(instrument)
    if size.unit in ("", own):
        return size.amount
    if size.unit not in units(instrument):
        return None
    if own == USD:  # and the size is in coin
        return size.amount * _steady(index) if isfinite(index) and index > 0 else None
    per_unit = usd_per_unit(instrument, index, mark)
    return None if per_unit is None else size.amount / _steady(float(per_unit))


def order_size(size: Size, instrument: Instrument, index: float, mark: float) -> Decimal | None:
    """The order a size makes: rounded down to the lot, never below the smallest order.

    None as in `amount_of`.
    """
    amount = amount_of(size, instrument, index, mark)
    return None if amount is None else max(instrument.snap_size(amount), instrument.grid.min_amount)


def most(instrument: Instrument, usd: Decimal, index: float, mark: float) -> Decimal | None:
    """The largest order worth at most so many US dollars of notional, in whole lots, but the
    smallest order at least; None where no price is known. Steady while the price ticks."""
    per_unit = usd_per_unit(instrument, index, mark)
    if per_unit is None:
        return None
    amount = usd / (per_unit if per_unit == ONE else _steady(float(per_unit), ROUND_UP))
    return max(instrument.snap_size(amount), instrument.grid.min_amount)


def surely_within(usd: Decimal, size: Decimal, price: float) -> bool:
    """Whether an order of `size` at so many US dollars a unit is so far below `usd` that no
    rounding matters: then it is below `most` too."""
    return float(size) * price * _ROUNDED_UP <= float(usd)


def change(size: Size, instrument: Instrument, index: float, mark: float) -> str:
    """In what an order differs from the size that was written, both numbers; "" where it does not,
    or cannot be told yet."""
    amount = amount_of(size, instrument, index, mark)
    order = order_size(size, instrument, index, mark)
    if amount is None or order is None or amount == order:
        return ""
    unit, lot = unit_of(instrument), plain(instrument.grid.amount_step)
    made = f"size {size if size.unit else f'{size} {unit}'} "
    if order > amount:
        return f"{made}raised to {plain(order)} {unit}, the smallest order"
    if size.unit in ("", unit):
        return f"{made}rounded down to {plain(order)} {unit}: lots of {lot} {unit}"
    return f"{made}is {plain(order)} {unit}: lots of {lot} {unit}"


def in_words(instrument: Instrument, amount: Decimal, index: float, mark: float) -> str:
    """An amount with its unit and, where that is not USD and its price is known, its worth:
    `1 ETH (2,850 USD)`."""
    said = f"{plain(amount)} {unit_of(instrument)}"
    value = usd_value(instrument, amount, index, mark)
    if value is None or unit_of(instrument) == USD:
        return said
    # Said with its own rounding: ccxt changes that of the thread it is called in.
    return f"{said} ({value.quantize(ONE, ROUND_HALF_EVEN):,f} USD)"


def plain(number: Decimal) -> str:
    """A number without an exponent and without zeros at its end."""
    return f"{number.normalize() + ZERO:f}"


def _steady(price: float, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    exact = to_decimal(price)
    return exact.quantize(ONE.scaleb(exact.adjusted() - _PRICE_DIGITS + 1), rounding)
