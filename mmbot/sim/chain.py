"""What is listed: the venue's expiry calendar, strike ladders, names and contract terms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Final

from mmbot.sim.listing import Kind, Listing, Right

EXPIRY_HOUR: Final = 8  # UTC
DAILIES: Final = 4
WEEKLIES: Final = 4
MONTHLIES: Final = 3
QUARTERLIES: Final = 4

_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)
_FRIDAY: Final = 4
_QUARTER_MONTHS: Final = (3, 6, 9, 12)

OPTION_TICK: Final = Decimal("0.0001")
OPTION_TICK_STEPS: Final = ((Decimal("0.005"), Decimal("0.0005")),)
OPTION_FEE: Final = Decimal("0.0003")
PERPETUAL_TAKER_FEE: Final = Decimal("0.0005")

# Strikes: the finest step within one expected deviation of the money, twice that within two, four
# times that beyond, out to LADDER_SDS deviations of LADDER_VOLATILITY or LADDER_LOG_MAX in log.
LADDER_VOLATILITY: Final = 0.6
LADDER_SDS: Final = 4.0
LADDER_LOG_MAX: Final = 1.1


class Period(Enum):
    """Which cycle an expiry belongs to; the values are the venue's settlement periods."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


@dataclass(frozen=True, slots=True)
class Expiry:
    """A moment at which options expire."""

    time_ms: int
    period: Period

    @property
    def code(self) -> str:
        """As the venue writes it in names: `6JUN25`."""
        return expiry_code(self.time_ms)


@dataclass(frozen=True, slots=True)
class Currency:
    """One coin's contract terms. `strike_steps` holds (days to expiry below which, USD) pairs."""

    name: str
    option_min: Decimal
    perpetual_tick: Decimal
    perpetual_contract: Decimal  # USD
    strike_steps: tuple[tuple[float, int], ...]

    @property
    def index_name(self) -> str:
        return f"{self.name.lower()}_usd"

    @property
    def perpetual_name(self) -> str:
        return f"{self.name}-PERPETUAL"


CURRENCIES: Final = {
    "BTC": Currency(
        "BTC",
        Decimal("0.1"),
        Decimal("0.5"),
        Decimal(10),
        ((8, 500), (35, 1_000), (100, 2_000), (math.inf, 5_000)),
    ),
    "ETH": Currency(
        "ETH",
        Decimal(1),
        Decimal("0.05"),
        Decimal(1),
        ((8, 25), (35, 50), (100, 100), (math.inf, 200)),
    ),
}


def expiry_code(time_ms: int) -> str:
    """An expiry as the venue writes it in names: `6JUN25`."""
    day = datetime.fromtimestamp(time_ms / 1_000, UTC)
    return f"{day.day}{_MONTHS[day.month - 1]}{day.year % 100:02d}"


def expiries(now_ms: int) -> list[Expiry]:
    """Everything that can be traded at `now_ms`, nearest first, no date twice.

    A date that belongs to several cycles counts for the longest; each cycle is filled up with the
    next dates that are left to it.
    """
    now = datetime.fromtimestamp(now_ms / 1_000, UTC)
    taken: dict[datetime, Period] = {}
    for period, count in (
        (Period.QUARTER, QUARTERLIES),
        (Period.MONTH, MONTHLIES),
        (Period.WEEK, WEEKLIES),
        (Period.DAY, DAILIES),
    ):
        for day in _days_after(now):
            if count == 0:
                break
            if _longest_period(day) is period or (period is Period.DAY and day not in taken):
                taken[day] = period
                count -= 1
    return [Expiry(round(day.timestamp() * 1_000), taken[day]) for day in sorted(taken)]


def _days_after(now: datetime) -> Iterator[datetime]:
    day = now.replace(hour=EXPIRY_HOUR, minute=0, second=0, microsecond=0)
    if day <= now:
        day += timedelta(days=1)
    while True:
        yield day
        day += timedelta(days=1)


def _longest_period(day: datetime) -> Period:
    if day.weekday() != _FRIDAY:
        return Period.DAY
    if (day + timedelta(days=7)).month == day.month:
        return Period.WEEK
    return Period.QUARTER if day.month in _QUARTER_MONTHS else Period.MONTH


def strikes(currency: Currency, price: float, years: float) -> list[int]:
    """The ladder around `price` (USD) of an expiry `years` away, ascending, in USD."""
    finest = next(step for days, step in currency.strike_steps if years * 365 < days)
    deviation = LADDER_VOLATILITY * math.sqrt(years)
    reach = min(LADDER_SDS * deviation, LADDER_LOG_MAX)

    def step_at(strike: float) -> int:
        distance = abs(math.log(strike / price))
        if distance <= deviation:
            return finest
        return 2 * finest if distance <= 2 * deviation else 4 * finest

    money = round(price / finest) * finest
    ladder = [money]
    strike = money
    while strike < price * math.exp(reach):
        step = step_at(strike)
        strike = (strike // step + 1) * step
        ladder.append(strike)
    strike = money
    while strike > price * math.exp(-reach):
        step = step_at(strike)
        strike = (strike - 1) // step * step
        ladder.insert(0, strike)
    return ladder


def option(currency: Currency, expiry: Expiry, strike: int, right: Right, now_ms: int) -> Listing:
    """An inverse option: priced and sized in coin."""
    letter = "C" if right is Right.CALL else "P"
    return Listing(
        name=f"{currency.name}-{expiry.code}-{strike}-{letter}",
        kind=Kind.OPTION,
        underlying=currency.name,
        settlement=currency.name,
        inverse=True,
        contract_size=Decimal(1),
        min_amount=currency.option_min,
        amount_step=currency.option_min,
        tick=OPTION_TICK,
        tick_steps=OPTION_TICK_STEPS,
        maker_fee=OPTION_FEE,
        taker_fee=OPTION_FEE,
        strike=Decimal(strike),
        right=right,
        expiry_ms=expiry.time_ms,
        created_ms=now_ms,
    )


def perpetual(currency: Currency, now_ms: int) -> Listing:
    """The inverse perpetual: priced and sized in USD."""
    return Listing(
        name=currency.perpetual_name,
        kind=Kind.PERPETUAL,
        underlying=currency.name,
        settlement=currency.name,
        inverse=True,
        contract_size=currency.perpetual_contract,
        min_amount=currency.perpetual_contract,
        amount_step=currency.perpetual_contract,
        tick=currency.perpetual_tick,
        taker_fee=PERPETUAL_TAKER_FEE,
        created_ms=now_ms,
    )


def listings(currency: Currency, price: float, now_ms: int) -> Iterator[Listing]:
    """Everything listed on one coin at `price` (USD): the perpetual first, then the chains."""
    yield perpetual(currency, now_ms)
    for expiry in expiries(now_ms):
        years = (expiry.time_ms - now_ms) / (365 * 86_400_000)
        for strike in strikes(currency, price, years):
            for right in Right:
                yield option(currency, expiry, strike, right, now_ms)
