"""The volatilities of all expiries of an underlying: one smile each, none at odds with another.

Theory of operation
-------------------
`fit` takes the quotes of one moment (plain arrays) and gives a `Surface`, plain data that does not
change, and a `Memory` for the next fit; it reads no clock and keeps nothing, so that a worker
thread can do it. Each expiry gets the best that its quotes allow, and says which:

    svi     raw SVI, where there are enough quotes, all expiries at once (svi_fit.py)
    essvi   three parameters between the neighbors' smiles, where quotes are few, or where the
            proof of no arbitrage failed for the first (essvi.py)
    mark    the venue's own volatilities, where there are next to no quotes

No slice of the first two has butterfly arbitrage at any k, and none lies below an earlier one at
any k; `svi.py` has the proofs, and what is not proved is not taken.

Between fits the surface is carried on in vol time (vol_time.py): total variance shrinks by the
share of variance time that has passed, which no arbitrage can come of: each slice shrinks, and the
earlier ones by more. Between expiries total variance at equal k is linear in vol time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mmbot.pricing import essvi, svi, svi_fit
from mmbot.pricing.chain_quotes import YEAR_NS, ChainQuotes, Cleaned, Layout, Rule, clean
from mmbot.pricing.svi import Array, Slice
from mmbot.pricing.vol_time import VolTime

_PRIOR_PULL = (svi_fit.PRIOR_WEIGHT * svi_fit.INSIDE_COST) ** 0.5
"""The venue's volatility has its weight in the measure of an error inside bid and ask."""


_FILLERS = np.array([0.0, 0.5, 0.0, 0.5, 0.0])[:, None, None]
"""Of k, vol, pull, prior and its pull, behind an expiry's last quote."""
_SOON_NS = 60_000_000_000
"""A fit that follows another by no more need not roll it, and goes on from it by few steps."""
_FITS_MAX = 256
"""After so many fits the pressure against arbitrage, which only ever grows, begins anew."""
_PRIOR_OFF_MAX = 2.0
"""A venue's volatility so many times that of the quotes, or so small a part of it, is a mistake."""


class Model(Enum):
    """Where an expiry's volatilities are from."""

    SVI = "svi"
    ESSVI = "essvi"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Expiry:
    """One expiry's smile."""

    expiry_ns: int
    years: float
    """From the moment of the surface, ACT/365."""
    forward: float
    """NaN where the chain has none."""
    quotes: int
    """That count."""
    model: Model
    smile: Slice | None
    """None for marks."""
    marks: tuple[tuple[float, float], ...] = ()
    """For marks: log-moneyness and the venue's volatility, ascending; empty where it says none."""
    skipped: tuple[tuple[str, int], ...] = ()
    """Reason -> rows that do not count."""

    def variance(self, k: float | Array) -> Array:
        """Total variance at log-moneyness k; NaN where nothing is known."""
        if self.smile is not None:
            return self.smile.variance(k)
        at = np.asarray(k, dtype=np.float64)
        if not self.marks:
            return np.full_like(at, np.nan)
        known = np.array(self.marks)
        return np.asarray(np.interp(at, known[:, 0], known[:, 1]) ** 2 * self.years)

    def vol(self, k: float | Array) -> Array:
        """Annual volatility, as quoted: in calendar time."""
        return np.asarray(np.sqrt(self.variance(k) / self.years))

    def rolled(self, factor: float, years: float) -> Self:
        """With total variance times a factor, `years` before its end."""
        vols = (factor * self.years / years) ** 0.5 if years > 0.0 else 0.0
        return replace(
            self,
            years=years,
            smile=None if self.smile is None else self.smile.scaled(factor),
            marks=tuple((k, vol * vols) for k, vol in self.marks),
        )


@dataclass(frozen=True, slots=True)
class Surface:
    """All expiries of an underlying that are not over, the next one first."""

    at_ns: int
    underlying: str
    expiries: tuple[Expiry, ...]

    @property
    def arbitrage_free(self) -> bool:
        """Whether the smiles are proved to have no arbitrage, in themselves and over time.

        Marks are the venue's, and have no part in it.
        """
        rows = np.array([one.smile.wings for one in self.expiries if one.smile is not None])
        if not len(rows):
            return True
        return bool(svi.butterfly_free(rows).all() and svi.calendar_free(rows).all())

    @property
    def calendar_worst(self) -> float | None:
        """The smallest growth of total variance from one smile to the next at equal k; negative
        where it falls, None for fewer than two smiles."""
        smiles = [one.smile for one in self.expiries if one.smile is not None]
        gaps = [svi.calendar_gap(a, b) for a, b in pairwise(smiles)]
        return min(gaps, default=None)

    def at(self, now_ns: int, time: VolTime) -> "Surface":
        """The same surface at a later moment, without what is over by then."""
        return Surface(
            now_ns,
            self.underlying,
            tuple(
                one.rolled(
                    time.left(self.at_ns, now_ns, one.expiry_ns),
                    (one.expiry_ns - now_ns) / YEAR_NS,
                )
                for one in self.expiries
                if one.expiry_ns > now_ns
            ),
        )

    def variance(self, k: float | Array, expiry_ns: int, time: VolTime) -> Array:
        """Total variance to any moment: between expiries linear in vol time at equal k, before the
        first and after the last one in proportion to it. NaN without any expiry."""
        k = np.asarray(k, dtype=np.float64)
        known = [one for one in self.expiries if one.smile is not None or one.marks]
        if not known or expiry_ns <= self.at_ns:
            return np.full_like(k, np.nan)
        passed = time.days(self.at_ns, expiry_ns)
        before = [one for one in known if one.expiry_ns <= expiry_ns]
        after = [one for one in known if one.expiry_ns > expiry_ns]
        if not before or not after:
            nearest = before[-1] if before else after[0]
            share = passed / time.days(self.at_ns, nearest.expiry_ns)
            return np.asarray(nearest.variance(k) * share)
        early, late = before[-1], after[0]
        start, end = (time.days(self.at_ns, one.expiry_ns) for one in (early, late))
        share = (passed - start) / (end - start)
        return np.asarray(early.variance(k) * (1.0 - share) + late.variance(k) * share)

    def vol(self, k: float | Array, expiry_ns: int, time: VolTime) -> Array:
        """Annual volatility to any moment, as quoted: in calendar time."""
        years = (expiry_ns - self.at_ns) / YEAR_NS
        return np.asarray(np.sqrt(self.variance(k, expiry_ns, time) / years))


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next fit begins with; of no interest to anybody else."""

    at_ns: int
    layout: Layout
    near: tuple[Array, Array]
    expiries_ns: NDArray[np.int64]
    rows: Array
    pressure: svi_fit.Pressure
    fits: int = 0
    """Since the pressure was at its least."""


def fit(
    chain: ChainQuotes,
    memory: Memory | None = None,
    rule: Rule = Rule(),  # noqa: B008  # frozen
    time: VolTime = VolTime(),  # noqa: B008  # frozen
) -> tuple[Surface, Memory | None]:
    """The surface through a chain's quotes, and what the next fit begins with."""
    if memory is not None and (chain.at_ns < memory.at_ns or not memory.layout.fits(chain)):
        cleaned = clean(chain, rule)
    elif memory is not None:
        cleaned = clean(chain, rule, memory.layout, memory.near)
    else:
        cleaned = clean(chain, rule)
    found, memory = _slices(chain, cleaned, memory, rule, time)
    smiles = {place: (Model.SVI, one) for place, one in found.items()}
    for place in np.nonzero(cleaned.count >= rule.least)[0].tolist():
        if place not in smiles:
            one = _between(cleaned, place, smiles)
            if one is not None:
                smiles[place] = (Model.ESSVI, one)
    return _surface(chain, cleaned, smiles), memory


def _surface(
    chain: ChainQuotes, cleaned: Cleaned, smiles: dict[int, tuple[Model, Slice]]
) -> Surface:
    expiries = []
    years, forward = cleaned.years.tolist(), cleaned.forward.tolist()
    count = cleaned.count.tolist()
    for place, expiry_ns in enumerate(cleaned.layout.expiries_ns.tolist()):
        if years[place] <= 0.0:
            continue
        model, smile = smiles.get(place, (Model.MARK, None))
        expiries.append(
            Expiry(
                expiry_ns=expiry_ns,
                years=years[place],
                forward=forward[place],
                quotes=count[place],
                model=model,
                smile=smile,
                marks=_marks(chain, expiry_ns) if smile is None else (),
                skipped=cleaned.skipped[place],
            )
        )
    return Surface(chain.at_ns, chain.underlying, tuple(expiries))


def _slices(
    chain: ChainQuotes, cleaned: Cleaned, memory: Memory | None, rule: Rule, time: VolTime
) -> tuple[dict[int, Slice], Memory | None]:
    """Raw SVI of every expiry with enough quotes, as far as it is proved; by its place."""
    places = np.nonzero(cleaned.count >= rule.few)[0]
    if not len(places):
        return {}, None
    expiries_ns = cleaned.layout.expiries_ns[places]
    last, pressure = _remembered(memory, expiries_ns, chain.at_ns, time)
    brief = memory is not None and chain.at_ns - memory.at_ns <= _SOON_NS
    found = svi_fit.fit(_observed(cleaned, places), last, pressure, brief=brief)
    kept: Sequence[int] = (
        range(len(places)) if found.proved else _proved(found, cleaned.count[places])
    )
    smiles = {int(places[row]): Slice.of_wings(found.rows[row]) for row in kept}
    known = Memory(
        chain.at_ns,
        cleaned.layout,
        cleaned.near,
        expiries_ns,
        found.rows,
        found.pressure,
        0 if memory is None or pressure is None else memory.fits + 1,
    )
    return smiles, known


def _remembered(
    memory: Memory | None, expiries_ns: NDArray[np.int64], now_ns: int, time: VolTime
) -> tuple[Array | None, svi_fit.Pressure | None]:
    """The last fit's rows for these expiries, carried to now where that is worth the while."""
    if memory is None or now_ns < memory.at_ns:
        return None, None
    rows = np.full((len(expiries_ns), 5), np.nan)
    known = {expiry: row for row, expiry in enumerate(memory.expiries_ns.tolist())}
    for place, expiry in enumerate(expiries_ns.tolist()):
        if expiry in known:
            rows[place] = memory.rows[known[expiry]]
            if now_ns - memory.at_ns > _SOON_NS:
                rows[place, :3] *= time.left(memory.at_ns, now_ns, expiry)
    same = np.array_equal(expiries_ns, memory.expiries_ns) and memory.fits < _FITS_MAX
    return rows, memory.pressure if same else None


def _observed(cleaned: Cleaned, places: NDArray[np.int64]) -> svi_fit.Observed:
    """The quotes of these expiries, padded to the longest."""
    row_of = np.full(len(cleaned.count), -1, dtype=np.int64)
    row_of[places] = np.arange(len(places))
    row = row_of[cleaned.place]
    begins = np.cumsum(cleaned.count) - cleaned.count
    column = np.arange(len(row)) - begins[cleaned.place]
    chosen = row >= 0
    at = (row[chosen], column[chosen])
    shape = (len(places), int(cleaned.count[places].max()))
    vol, half = cleaned.vol, 0.5 * (cleaned.ask_vol - cleaned.bid_vol)
    pull = 1.0 / np.maximum(half, svi_fit.HALF_SPREAD_MIN)
    told = (cleaned.mark_vol > vol / _PRIOR_OFF_MAX) & (cleaned.mark_vol < vol * _PRIOR_OFF_MAX)
    padded = np.empty((5, *shape))
    padded[:] = _FILLERS
    padded[:, at[0], at[1]] = np.stack(
        (
            cleaned.k,
            vol,
            pull,
            np.where(told, cleaned.mark_vol, vol),
            np.where(told, _PRIOR_PULL * pull, 0.0),
        )
    )[:, chosen]
    return svi_fit.Observed(cleaned.years[places], *padded)


def _proved(found: svi_fit.Fit, count: NDArray[np.int64]) -> Sequence[int]:
    """The rows without arbitrage. Of two neighbors at odds, the one with fewer quotes goes."""
    kept = np.nonzero(found.butterfly_free)[0]
    while len(kept) > 1:
        at_odds = np.nonzero(~svi.calendar_free(found.rows[kept]))[0]
        if not len(at_odds):
            break
        first = int(at_odds[0])
        weaker = first if count[kept[first]] < count[kept[first + 1]] else first + 1
        kept = np.delete(kept, weaker)
    return [int(row) for row in kept]


def _between(cleaned: Cleaned, place: int, smiles: dict[int, tuple[Model, Slice]]) -> Slice | None:
    """The fallback smile of an expiry, between those that there are."""
    here = cleaned.place == place
    below = max((other for other in smiles if other < place), default=None)
    above = min((other for other in smiles if other > place), default=None)
    half = 0.5 * (cleaned.ask_vol - cleaned.bid_vol)[here]
    return essvi.fit(
        cleaned.k[here],
        cleaned.vol[here],
        1.0 / np.maximum(half, svi_fit.HALF_SPREAD_MIN),
        float(cleaned.years[place]),
        None if below is None else smiles[below][1],
        None if above is None else smiles[above][1],
    )


def _marks(chain: ChainQuotes, expiry_ns: int) -> tuple[tuple[float, float], ...]:
    """The venue's volatilities of an expiry by log-moneyness, out of the money."""
    told = (
        (chain.expiry_ns == expiry_ns)
        & (chain.mark_vol > 0.0)
        & (chain.mark_vol < np.inf)
        & (chain.forward > 0.0)
        & (chain.forward < np.inf)
        & (chain.sign * (chain.forward - chain.strike) <= 0.0)
    )
    k = np.log(chain.strike[told] / chain.forward[told])
    order = np.argsort(k)
    return tuple(zip(k[order].tolist(), chain.mark_vol[told][order].tolist(), strict=True))
