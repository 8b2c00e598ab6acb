"""How well a surface fits the quotes it was fitted to, and how long that takes.

An error is the volatility of the smile less that in the middle of bid and ask, in vol points
(0.01). The figures of the whole are those of expiries more than a day away with enough quotes for
five parameters; each expiry has its own besides.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbot.pricing import svi
from mmbot.pricing.chain_quotes import ChainQuotes, Cleaned, Rule, clean
from mmbot.pricing.surface import Expiry, Memory, Surface, fit
from mmbot.pricing.svi import Array
from mmbot.research.chain_files import moment_text

_DAY_YEARS = 1 / 365
_REACH = 1.5
"""In log-moneyness: as far as `g_min` looks. The proof looks everywhere."""
_WARM = 5
"""Warm fits of which the median is told."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Of some quotes, in vol points; None without any."""

    rmse: float | None = None
    median: float | None = None
    p95: float | None = None
    inside: float | None = None
    """Share of them between bid and ask."""


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of a fit that knows nothing, and of one that follows another."""

    cold: float
    warm: float


@dataclass(frozen=True, slots=True)
class Line:
    """One expiry."""

    expiry: Expiry
    errors: Errors
    g_min: float | None
    took: Took


@dataclass(frozen=True, slots=True)
class Report:
    """A surface, its quotes, and how far apart they are."""

    surface: Surface
    cleaned: Cleaned
    errors: Errors
    took: Took
    lines: tuple[Line, ...]
    expired: tuple[tuple[int, int], ...]
    """Expiries that are over, and their rows."""

    @property
    def arbitrage_free(self) -> bool | None:
        """None where no expiry has a smile."""
        smiles = any(one.smile is not None for one in self.surface.expiries)
        return self.surface.arbitrage_free if smiles else None


def report(
    chain: ChainQuotes,
    now_s: Callable[[], float],
    rule: Rule = Rule(),  # noqa: B008  # frozen
    said: Callable[[float], None] = lambda _: None,
) -> Report:
    """Fit a chain and measure it. `now_s` is a clock to take times with."""
    surface, took = _timed(chain, now_s, rule)
    cleaned = clean(chain, rule)
    misses, insides, lines = [], [], []
    for number, one in enumerate(surface.expiries):
        said(number / len(surface.expiries))
        here = cleaned.rows_of(one.expiry_ns)
        vol = one.vol(cleaned.k[here])
        miss = 100.0 * np.abs(vol - cleaned.vol[here])
        inside = (cleaned.bid_vol[here] <= vol) & (vol <= cleaned.ask_vol[here])
        if one.years > _DAY_YEARS and one.quotes >= rule.few:
            misses.append(miss)
            insides.append(inside)
        g_min = None if one.smile is None else svi.least_density_factor(one.smile, _REACH)
        _, alone = _timed(_only(chain, one.expiry_ns), now_s, rule)
        lines.append(Line(one, _errors(miss, inside), g_min, alone))
    over = chain.expiry_ns[chain.expiry_ns <= chain.at_ns]
    expired = zip(*(part.tolist() for part in np.unique(over, return_counts=True)), strict=True)
    return Report(
        surface,
        cleaned,
        _errors(
            np.concatenate([np.empty(0), *misses]),
            np.concatenate([np.empty(0, dtype=np.bool_), *insides]),
        ),
        took,
        tuple(lines),
        tuple(expired),
    )


def _errors(miss: Array, inside: NDArray[np.bool_]) -> Errors:
    if not len(miss):
        return Errors()
    return Errors(
        rmse=float(np.sqrt((miss * miss).mean())),
        median=float(np.median(miss)),
        p95=float(np.percentile(miss, 95)),
        inside=float(inside.mean()),
    )


def _timed(chain: ChainQuotes, now_s: Callable[[], float], rule: Rule) -> tuple[Surface, Took]:
    """A cold fit, and the median of some that follow it."""
    began = now_s()
    surface, memory = fit(chain, None, rule)
    cold = now_s() - began
    warm = sorted(_again(chain, memory, now_s, rule) for _ in range(_WARM))[_WARM // 2]
    return surface, Took(1e3 * cold, 1e3 * warm)


def _again(
    chain: ChainQuotes, memory: Memory | None, now_s: Callable[[], float], rule: Rule
) -> float:
    began = now_s()
    fit(chain, memory, rule)
    return now_s() - began


def _only(chain: ChainQuotes, expiry_ns: int) -> ChainQuotes:
    here = chain.expiry_ns == expiry_ns
    return replace(
        chain,
        **{
            name: getattr(chain, name)[here]
            for name in (
                "expiry_ns", "strike", "sign", "forward", "bid", "ask", "mark_vol", "synthetic"
            )
        },
    )  # fmt: skip


def as_object(told: Report) -> dict[str, Any]:
    """For programs; NaN is null."""
    surface, errors = told.surface, told.errors
    return {
        "at": moment_text(surface.at_ns),
        "underlying": surface.underlying,
        "median_vol_points": errors.median,
        "p95_vol_points": errors.p95,
        "inside_share": errors.inside,
        "arbitrage_free": told.arbitrage_free,
        "calendar_worst": surface.calendar_worst,
        "refit_ms_cold": told.took.cold,
        "refit_ms_warm": told.took.warm,
        "expiries": [*map(_over, told.expired), *map(_line, told.lines)],
    }


def _line(line: Line) -> dict[str, Any]:
    one, errors = line.expiry, line.errors
    return {
        "expiry": moment_text(one.expiry_ns),
        "years": one.years,
        "forward": one.forward,
        "n": one.quotes,
        "model": one.model.value,
        "params": None
        if one.smile is None
        else {name: getattr(one.smile, name) for name in ("a", "b", "rho", "m", "s")},
        "rmse_vol_points": errors.rmse,
        "median_vol_points": errors.median,
        "p95_vol_points": errors.p95,
        "inside_share": errors.inside,
        "g_min": line.g_min,
        "ms_cold": line.took.cold,
        "ms_warm": line.took.warm,
        "skipped": dict(one.skipped),
    }


def _over(expired: tuple[int, int]) -> dict[str, Any]:
    """An expiry that has no volatility any more."""
    expiry_ns, rows = expired
    empty = dict.fromkeys(
        (
            "params", "rmse_vol_points", "median_vol_points", "p95_vol_points", "inside_share",
            "g_min", "ms_cold", "ms_warm",
        )
    )  # fmt: skip
    return {
        "expiry": moment_text(expiry_ns),
        "years": 0.0,
        "forward": None,
        "n": 0,
        "model": "mark",
        **empty,
        "skipped": {"expired": rows},
    }
