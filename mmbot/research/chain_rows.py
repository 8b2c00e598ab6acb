"""One option of a chain as a file has it, and many of them as the arrays that a fit takes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import nan

import numpy as np

from mmbot.pricing import black76
from mmbot.pricing.chain_quotes import YEAR_NS, ChainQuotes

_NAME = re.compile(r"([A-Z0-9]+(?:_[A-Z]+)?)-(\d{1,2}[A-Z]{3}\d{2}|\d{8})-(\d+(?:[d.]\d+)?)-([CP])")
_EXPIRES = time(8, tzinfo=UTC)
"""The hour at which the venues' options end."""
_TICK = 1e-4
"""Of an inverse option, in coin; a linear one has no tick that matters here."""


@dataclass(frozen=True, slots=True)
class Name:
    """What an option's name says."""

    underlying: str
    """The coin, with the currency behind it for a linear option: BTC, BTC_USDC."""
    expiry_ns: int
    strike: float
    sign: float

    @property
    def inverse(self) -> bool:
        """Whether its price is in coin."""
        return "_" not in self.underlying


@dataclass(frozen=True, slots=True)
class Row:
    """One option at one moment; NaN where nothing was said."""

    name: Name
    bid: float = nan
    ask: float = nan
    mark: float = nan
    mark_vol: float = nan
    """A fraction."""
    forward: float = nan
    synthetic: bool = False


def parsed(name: object) -> Name | None:
    """An option's name, COIN-9JAN26-91500-C or COIN-20260109-91500-C; None for anything else."""
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        return None
    underlying, day, strike, right = match.groups()
    on = _day(day)
    worth = float(strike.replace("d", "."))
    if on is None or worth <= 0.0:
        return None
    expiry_ns = int(datetime.combine(on, _EXPIRES).timestamp()) * 1_000_000_000
    if day.isdigit():  # where dates are written so, options are linear
        underlying = f"{underlying}_USDC"
    return Name(underlying, expiry_ns, worth, 1.0 if right == "C" else -1.0)


def _day(text: str) -> date | None:
    try:
        if text.isdigit():
            return date.fromisoformat(text)
        return datetime.strptime(text.title(), "%d%b%y").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def number(value: object) -> float:
    """A number of a file; NaN for what is none."""
    if isinstance(value, bool) or value is None:
        return nan
    try:
        return float(value)  # type: ignore[arg-type]  # what cannot be converted raises
    except (TypeError, ValueError):
        return nan


def quotes(rows: Iterable[Row], underlying: str, at_ns: int) -> ChainQuotes:
    """The arrays of one underlying. Of an option that comes twice, the last one counts; where the
    venue says no volatility, that of its mark stands for it."""
    latest = {row.name: row for row in rows if row.name.underlying == underlying}
    kept = list(latest.values())
    names = [row.name for row in kept]
    inverse = "_" not in underlying
    expiry_ns = np.array([name.expiry_ns for name in names], dtype=np.int64)
    strike = np.array([name.strike for name in names], dtype=np.float64)
    sign = np.array([name.sign for name in names], dtype=np.float64)
    forward = np.array([row.forward for row in kept], dtype=np.float64)
    mark_vol = np.array([row.mark_vol for row in kept], dtype=np.float64)
    mark = np.array([row.mark for row in kept], dtype=np.float64)
    unsaid = np.isnan(mark_vol) & (mark > 0.0) & (forward > 0.0) & (expiry_ns > at_ns)
    if unsaid.any():
        mark_vol[unsaid] = black76.implied_vol(
            mark[unsaid],
            forward[unsaid],
            strike[unsaid],
            (expiry_ns[unsaid] - at_ns) / YEAR_NS,
            sign[unsaid],
            inverse=inverse,
        )
    return ChainQuotes(
        at_ns=at_ns,
        underlying=underlying,
        expiry_ns=expiry_ns,
        strike=strike,
        sign=sign,
        forward=forward,
        bid=np.array([row.bid for row in kept], dtype=np.float64),
        ask=np.array([row.ask for row in kept], dtype=np.float64),
        mark_vol=mark_vol,
        synthetic=np.array([row.synthetic for row in kept], dtype=np.bool_),
        inverse=inverse,
        tick=_TICK if inverse else 0.0,
    )
