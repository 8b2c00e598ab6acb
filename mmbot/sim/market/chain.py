"""What is listed: the venue's expiry calendar, strike ladders, names and contract terms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from mmbot.sim.exchange.listing import Kind, Listing, Right
from mmbot.sim.exchange.rules import Dates, Family, FutureTerms, OptionTerms, Period, VenueRules

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

# Strikes: the finest step within one expected deviation of the money, twice that within two, four
# times that beyond, out to `Family.reach` deviations of LADDER_VOLATILITY or LADDER_LOG_MAX in log.
LADDER_VOLATILITY: Final = 0.6
LADDER_LOG_MAX: Final = 1.1
LADDER_DAYS_MIN: Final = 1.0  # a chain in its last hours was listed days ago

# Futures are listed on the next weeklies and monthlies, and on every quarterly.
FUTURE_WEEKLIES: Final = 2
FUTURE_MONTHLIES: Final = 2


@dataclass(frozen=True, slots=True)
class Expiry:
    """A moment at which options expire."""

    time_ms: int
    period: Period

    @property
    def code(self) -> str:
        """As the venue writes it in names: `6JUN25`."""
        return expiry_code(self.time_ms)


_COIN_STEPS: Final = ((Decimal("0.005"), Decimal("0.0005")),)
_BTC_STRIKES: Final = ((8, 500), (35, 1_000), (100, 2_000), (math.inf, 5_000))
_ETH_STRIKES: Final = ((8, 25), (35, 50), (100, 100), (math.inf, 200))
_SHORT_PERIODS: Final = (Period.DAY, Period.WEEK, Period.MONTH)

FAMILIES: Final = {
    family.prefix: family
    for family in (
        Family(
            prefix="BTC",
            underlying="BTC",
            settlement="BTC",
            options=OptionTerms(
                contract=Decimal(1),
                min_amount=Decimal("0.1"),
                tick=Decimal("0.0001"),
                tick_steps=_COIN_STEPS,
            ),
            perpetual=FutureTerms(contract=Decimal(10), tick=Decimal("0.5")),
            has_futures=True,
            periods=tuple(Period),
            strike_steps=_BTC_STRIKES,
        ),
        Family(
            prefix="ETH",
            underlying="ETH",
            settlement="ETH",
            options=OptionTerms(
                contract=Decimal(1),
                min_amount=Decimal(1),
                tick=Decimal("0.0001"),
                tick_steps=_COIN_STEPS,
            ),
            perpetual=FutureTerms(contract=Decimal(1), tick=Decimal("0.05")),
            has_futures=True,
            periods=tuple(Period),
            strike_steps=_ETH_STRIKES,
        ),
        Family(
            prefix="BTC_USDC",
            underlying="BTC",
            settlement="USDC",
            options=OptionTerms(
                contract=Decimal(1),
                min_amount=Decimal("0.01"),
                tick=Decimal(5),
                tick_steps=((Decimal(500), Decimal(20)),),
            ),
            perpetual=FutureTerms(contract=Decimal("0.0001"), tick=Decimal(1)),
            has_futures=False,
            periods=_SHORT_PERIODS,
            strike_steps=((8, 1_000), (35, 2_000), (math.inf, 5_000)),
            reach=2.0,
        ),
        Family(
            prefix="ETH_USDC",
            underlying="ETH",
            settlement="USDC",
            options=OptionTerms(
                contract=Decimal(1),
                min_amount=Decimal("0.1"),
                tick=Decimal("0.2"),
                tick_steps=((Decimal(20), Decimal(1)),),
            ),
            perpetual=FutureTerms(contract=Decimal("0.001"), tick=Decimal("0.05")),
            has_futures=False,
            periods=_SHORT_PERIODS,
            strike_steps=((8, 50), (35, 100), (math.inf, 200)),
            reach=2.0,
        ),
        Family(
            prefix="XRP_USDC",
            underlying="XRP",
            settlement="USDC",
            options=OptionTerms(
                contract=Decimal(1_000),
                min_amount=Decimal(1_000),
                tick=Decimal("0.0001"),
                tick_steps=((Decimal("0.02"), Decimal("0.0005")),),
            ),
            perpetual=None,
            has_futures=False,
            periods=(Period.WEEK,),
            strike_steps=((8, 1), (math.inf, 2)),
            strike_unit=Decimal("0.05"),
            reach=1.5,
            index_digits=4,
        ),
        Family(
            prefix="SOL_USDC",
            underlying="SOL",
            settlement="USDC",
            options=OptionTerms(
                contract=Decimal(10),
                min_amount=Decimal(10),
                tick=Decimal("0.01"),
                tick_steps=((Decimal(2), Decimal("0.05")),),
            ),
            perpetual=FutureTerms(contract=Decimal("0.1"), tick=Decimal("0.01")),
            has_futures=False,
            periods=(Period.WEEK,),
            strike_steps=((8, 1), (math.inf, 2)),
            strike_unit=Decimal(5),
            reach=1.5,
            index_digits=4,
        ),
    )
}


def expiry_code(time_ms: int) -> str:
    """An expiry as the venue writes it in names: `6JUN25`."""
    day = datetime.fromtimestamp(time_ms / 1_000, UTC)
    return f"{day.day}{_MONTHS[day.month - 1]}{day.year % 100:02d}"


def families_of(rules: VenueRules) -> tuple[Family, ...]:
    """What an exchange of these rules lists."""
    return rules.families or tuple(FAMILIES.values())


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


def strikes(family: Family, price: float, years: float) -> list[Decimal]:
    """The ladder around `price` (USD) of an expiry `years` away, ascending, in USD."""
    finest = next(step for days, step in family.strike_steps if years * 365 < days)
    deviation = LADDER_VOLATILITY * math.sqrt(years)
    reach = min(family.reach * deviation, LADDER_LOG_MAX)
    price /= float(family.strike_unit)

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
    return [rung * family.strike_unit for rung in ladder]


def date_code(dates: Dates, time_ms: int) -> str:
    """An expiry as that venue writes it in names."""
    if dates is Dates.SHORT:
        return expiry_code(time_ms)
    return f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y%m%d}"


def _strike_code(strike: Decimal, point: str) -> str:
    """As a venue writes it in names: 2800, and 2d2 for 2.2 where that is its point."""
    text = f"{strike:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace(".", point)


def option(family: Family, expiry: Expiry, strike: Decimal, right: Right, now_ms: int) -> Listing:
    """An option: priced in coin (inverse) or USDC (linear), sized in coin."""
    letter = "C" if right is Right.CALL else "P"
    terms, names = family.options, family.names
    date, struck = date_code(names.dates, expiry.time_ms), _strike_code(strike, names.point)
    return Listing(
        name=f"{family.prefix}-{date}-{struck}-{letter}",
        kind=Kind.OPTION,
        underlying=family.underlying,
        settlement=family.settlement,
        inverse=family.inverse,
        contract_size=terms.contract,
        min_amount=terms.min_amount,
        amount_step=terms.step or terms.min_amount,
        tick=terms.tick,
        tick_steps=terms.tick_steps,
        maker_fee=terms.maker_fee,
        taker_fee=terms.taker_fee,
        fee_basis=terms.fee_basis,
        strike=strike,
        right=right,
        expiry_ms=expiry.time_ms,
        created_ms=now_ms,
    )


def perpetual(family: Family, now_ms: int) -> Listing:
    """The perpetual: priced in USD and sized in USD (inverse) or coin (linear)."""
    assert family.perpetual is not None, f"{family.prefix} has no perpetual"
    terms = family.perpetual
    return Listing(
        name=family.perpetual_name,
        kind=Kind.PERPETUAL,
        underlying=family.underlying,
        settlement=family.settlement,
        inverse=family.inverse,
        contract_size=terms.contract,
        min_amount=terms.contract,
        amount_step=terms.step or terms.contract,
        tick=terms.tick,
        maker_fee=terms.maker_fee,
        taker_fee=terms.taker_fee,
        fee_basis=terms.fee_basis,
        created_ms=now_ms,
    )


def future(family: Family, expiry: Expiry, now_ms: int) -> Listing:
    """A dated future: the perpetual's contract with an end."""
    like = perpetual(family, now_ms)
    assert family.perpetual is not None, "what has futures has a perpetual"
    weekly = expiry.period is Period.WEEK
    return replace(
        like,
        name=f"{family.prefix}-{date_code(family.names.dates, expiry.time_ms)}",
        kind=Kind.FUTURE,
        maker_fee=family.perpetual.weekly_maker_fee if weekly else like.maker_fee,
        expiry_ms=expiry.time_ms,
    )


def future_expiries(calendar: Sequence[Expiry]) -> list[Expiry]:
    """Those of the calendar that have a future."""
    left = {
        Period.DAY: 0,
        Period.WEEK: FUTURE_WEEKLIES,
        Period.MONTH: FUTURE_MONTHLIES,
        Period.QUARTER: QUARTERLIES,
    }
    found = []
    for expiry in calendar:
        if left[expiry.period]:
            left[expiry.period] -= 1
            found.append(expiry)
    return found


def listings(family: Family, price: float, now_ms: int) -> Iterator[Listing]:
    """Everything a family lists with the coin at `price` (USD): perpetual, futures, then chains."""
    calendar = expiries(now_ms)
    if family.perpetual is not None:
        yield perpetual(family, now_ms)
    if family.has_futures:
        for expiry in future_expiries(calendar):
            yield future(family, expiry, now_ms)
    for expiry in calendar:
        if expiry.period not in family.periods:
            continue
        days = max((expiry.time_ms - now_ms) / 86_400_000, LADDER_DAYS_MIN)
        for strike in strikes(family, price, days / 365):
            for right in Right:
                yield option(family, expiry, strike, right, now_ms)
