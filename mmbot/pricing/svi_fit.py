"""Raw SVI through the quotes of all expiries at once, without arbitrage.

*What is minimized.* With e = (vol - mid) / half the spread in volatility, an error costs e^2 / 10
as long as it stays within CALM of the spread, and grows with its full slope beyond: a price inside
bid and ask is as good as any other there (Echenim, Gobet and Maurice 2022). The venue's own
volatility is a second, weaker quote. Arbitrage costs the square of the violation, times a weight
that grows until the proofs of svi.py hold: g below a margin at points of each slice, and a later
slice below an earlier one at points common to all.

*How.* Levenberg and Marquardt's steps on the wing form, with exact derivatives. Without calendar
violations the expiries do not touch and each has its own 5 x 5 system; with them the system is
block tridiagonal, so that neighbors share the correction as their quotes allow.

*Where it starts.* From the last fit; else from Zeliade's quasi-explicit solution ("Quasi-explicit
calibration of Gatheral's SVI model", 2009): for given (m, s) total variance is linear in
(a, left, right), solved and cut to its domain on a net of (m, s); the best few go on.

Arrays have one row an expiry, in the order of time, padded on the right with weights of zero.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbot.pricing import svi
from mmbot.pricing.svi import Array, Slice

INSIDE_COST = 0.1
CALM = 0.8
"""Share of the half-spread up to which an error costs little: some of it is kept in reserve, or
fits would come to rest on the quotes themselves."""
HALF_SPREAD_MIN = 0.002
"""In volatility: quotes tighter than that do not count for more."""
PRIOR_WEIGHT = 0.3
"""Of the venue's volatility, beside a quote's 1."""

_DENSITY_POINTS = np.sinh(np.linspace(-6.0, 6.0, 49))
_CALENDAR_SIDE = np.concatenate((np.geomspace(0.004, 4.0, 24), [svi.FAR]))
_CALENDAR_POINTS = np.concatenate((-_CALENDAR_SIDE[::-1], [0.0], _CALENDAR_SIDE))
_EDGES = ((1, 0), (2, -1))
"""At the outermost points the later slice's asymptote counts, of the left and the right wing."""
_LOW = np.array([-np.inf, 0.0, 0.0, -3.0, -9.0])
_HIGH = np.array([np.inf, 1.98, 1.98, 3.0, 1.5])
_BEND_MIN = 0.05
"""The least s, in standard deviations to expiry: sharper is a kink between strikes, no smile."""
_ROUNDS = 10
_STEPS_COLD = 25
_STEPS = 12
_STARTS = 3
_REACH = 0.5
"""At most so many s does m move in a step, and ln s by as much."""
_DAMPING = 1e-3
_DAMPING_MAX = 1e8
_SETTLED = 1e-3
"""Share of the cost that a step must still save to be followed by another."""
_SETTLED_WARM = 0.05
_SETTLED_QUOTE = 0.002
"""The same for a fit that follows another, and what a step must save by quote besides, about the
cost of a seventh of the half-spread: what is left to gain, the next fits will."""
_NEAR = 0.5
"""Points within this share of the margin from where arbitrage costs hold a step back, too: else it
would go from one violation to the next."""
_INSIDE_SLOPE = INSIDE_COST**0.5
_DIAGONAL = np.arange(5)


@dataclass(frozen=True, slots=True)
class Observed:
    """The quotes of all expiries."""

    years: Array
    """One an expiry, ascending."""
    k: Array
    vol: Array
    """In the middle of bid and ask."""
    pull: Array
    """1 / half the spread, in volatility; 0 where there is no quote."""
    prior: Array
    """The venue's volatility."""
    prior_pull: Array


@dataclass(frozen=True, slots=True)
class Pressure:
    """How much arbitrage weighs, the margin kept from it, and the domain: a row a slice or pair."""

    density_weight: Array
    density_margin: Array
    calendar_weight: Array
    calendar_margin: Array
    wing_weight: Array
    low: Array
    """The least each parameter may be."""

    def more(self, butterflies: NDArray[np.bool_], calendars: NDArray[np.bool_]) -> "Pressure":
        """More of both where arbitrage is still found."""
        slices, pairs = butterflies[:, None], calendars[:, None]
        return Pressure(
            np.where(slices, 4.0, 1.0) * self.density_weight,
            np.where(slices, 1.5, 1.0) * self.density_margin,
            np.where(pairs, 3.0, 1.0) * self.calendar_weight,
            np.where(pairs, 1.7, 1.0) * self.calendar_margin,
            np.where(pairs, 3.0, 1.0) * self.wing_weight,
            self.low,
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """One row of parameters (svi.py, wing form) an expiry, and what was proved of each."""

    rows: Array
    butterfly_free: NDArray[np.bool_]
    calendar_free: NDArray[np.bool_]
    """Of each pair of neighbors."""
    steps: int
    pressure: "Pressure"
    """What it took; the next fit of the same expiries begins with it."""

    @property
    def proved(self) -> bool:
        """Whether nothing in it has arbitrage."""
        return bool(self.butterfly_free.all() and self.calendar_free.all())


def fit(
    observed: Observed,
    last: Array | None = None,
    pressure: Pressure | None = None,
    *,
    brief: bool = False,
) -> Fit:
    """The best slices. `last` holds rows to begin with, NaN where an expiry has none; `pressure` is
    that of the last fit of the same expiries. Brief: one of many fits that follow each other, each
    of which goes as far as is worth its while."""
    count = len(observed.years)
    rows = np.full((count, 5), np.nan) if last is None else last.copy()
    new: NDArray[np.bool_] = np.any(np.isnan(rows), axis=1)
    steps = 0
    if new.any():
        rows[new], steps = _from_nothing(_some(observed, new))
    if pressure is None:
        pressure = first_pressure(observed)
    warm = brief and not new.any()
    for _ in range(_ROUNDS):
        problem = _Problem(observed, pressure)
        rows, _, taken = _descend(problem, rows, _STEPS, together=True, warm=warm)
        steps += taken
        found = Fit(rows, svi.butterfly_free(rows), svi.calendar_free(rows), steps, pressure)
        if found.proved:
            break
        pressure = pressure.more(~found.butterfly_free, ~found.calendar_free)
    return found


_REPAIR_REACH = 1.5
_REPAIR_POINTS = 121
_REPAIR_PULL = 50.0


def repaired(smile: Slice) -> Slice:
    """The nearest slice (in volatility, over log-moneyness up to 1.5) without butterfly arbitrage;
    the slice itself where it has none. Raises ValueError where none was found."""
    rows = smile.wings[None]
    if svi.butterfly_free(rows)[0]:
        return smile
    k = np.linspace(-_REPAIR_REACH, _REPAIR_REACH, _REPAIR_POINTS)[None]
    vol = np.sqrt(np.maximum(smile.variance(k), 1e-9))
    pull, none = np.full_like(vol, _REPAIR_PULL), np.zeros_like(vol)
    found = fit(Observed(np.ones(1), k, vol, pull, vol, none), rows)
    if not found.proved:
        raise ValueError(f"no slice without arbitrage was found near {smile}")
    return Slice.of_wings(found.rows[0])


def first_pressure(observed: Observed) -> Pressure:
    """A violation of total variance weighs as the error in volatility that it stands for."""
    count = len(observed.years)
    quoted = observed.pull > 0.0
    number = np.maximum(quoted.sum(axis=1), 1)
    vol = (observed.vol * quoted).sum(axis=1) / number
    level = vol * vol * observed.years
    pull = observed.pull.sum(axis=1) / number
    low = np.tile(_LOW, (count, 1))
    low[:, 4] = np.log(_BEND_MIN * np.sqrt(level))
    # Far out, where total variance is many times that at the money, it weighs less.
    rise = 1.0 + np.abs(_CALENDAR_POINTS) / np.sqrt(level[:-1, None])
    return Pressure(
        density_weight=np.full((count, 1), 30.0),
        density_margin=np.full((count, 1), 4e-3),
        calendar_weight=(1.5 * pull * vol / level)[1:, None] / rise,
        calendar_margin=6e-4 * level[:-1, None] * rise,
        wing_weight=np.full((max(count - 1, 0), 1), 300.0),
        low=low,
    )


def _some(observed: Observed, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Observed:
    return Observed(
        observed.years[chosen],
        observed.k[chosen],
        observed.vol[chosen],
        observed.pull[chosen],
        observed.prior[chosen],
        observed.prior_pull[chosen],
    )


# --- the start --------------------------------------------------------------------------------

_SHIFTS, _WIDTHS = (
    net.ravel()
    for net in np.meshgrid(
        [-2.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 2.0], [0.05, 0.15, 0.4, 0.8, 1.5, 3.0]
    )
)
"""Of the net of (m, s), in standard deviations to expiry."""


def _from_nothing(observed: Observed) -> tuple[Array, int]:
    """Slices without a past, each on its own, and the steps taken."""
    count = len(observed.years)
    starts = quasi_explicit(observed, _STARTS)
    each = np.repeat(np.arange(count), _STARTS)
    many = _some(observed, each)
    problem = _Problem(many, first_pressure(many), coupled=False)
    rows, cost, steps = _descend(problem, starts.reshape(-1, 5), _STEPS_COLD, together=False)
    best = cost.reshape(count, _STARTS).argmin(axis=1)
    return rows.reshape(count, _STARTS, 5)[np.arange(count), best], steps


def quasi_explicit(observed: Observed, best: int) -> Array:
    """The best few rows of each expiry on the net of (m, s), with (a, left, right) solved for."""
    years = observed.years[:, None]
    nearest = np.where(observed.pull > 0.0, np.abs(observed.k), np.inf).argmin(axis=1)
    deviation = observed.vol[np.arange(len(years)), nearest] * np.sqrt(observed.years)
    m, s = deviation[:, None] * _SHIFTS, deviation[:, None] * _WIDTHS
    x = observed.k[:, None, :] - m[..., None]
    root = np.sqrt(x * x + s[..., None] ** 2)
    # The error in volatility to first order: d vol = d w / (2 vol T).
    pull = (observed.pull / (2.0 * observed.vol * years))[:, None, :]
    basis = np.stack((np.ones_like(x), 0.5 * (root - x), 0.5 * (root + x)), axis=-1)
    basis *= pull[..., None]
    wanted = (observed.vol**2 * years)[:, None, :] * pull
    normal = basis.swapaxes(2, 3) @ basis
    normal += 1e-9 * np.trace(normal, axis1=2, axis2=3)[..., None, None] * np.eye(3)
    free = np.linalg.solve(normal, basis.swapaxes(2, 3) @ wanted[..., None])[..., 0]
    # Cut to the domain, in which the level is solved for again.
    wings = np.clip(free[..., 1:], 1e-4, 1.9)
    rest = wanted - (basis[..., 1:] @ wings[..., None])[..., 0]
    level = (rest * basis[..., 0]).sum(-1) / (basis[..., 0] ** 2).sum(-1)
    level = np.maximum(level, -0.98 * s * np.sqrt(wings.prod(axis=-1)))
    cost = ((rest - level[..., None] * basis[..., 0]) ** 2).sum(-1)
    row = np.arange(len(years))[:, None]
    chosen = np.argsort(cost, axis=1)[:, :best]
    return np.stack(
        (
            level[row, chosen],
            wings[row, chosen, 0],
            wings[row, chosen, 1],
            m[row, chosen],
            np.log(s[row, chosen]),
        ),
        axis=-1,
    )


# --- the descent ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Normal:
    """The cost of each expiry at some rows, half its gradient, and Gauss and Newton's matrix."""

    cost: Array
    matrix: Array
    gradient: Array
    coupling: Array | None = None
    """Off the diagonal: of each expiry with the next, where a calendar violation couples them."""


@dataclass(slots=True)
class _Quoted:
    """Of the quotes alone: the cost of each expiry, and by total variance at each quote half its
    slope and Gauss and Newton's weight."""

    cost: Array
    weight: Array
    slope: Array


def _descend(
    problem: "_Problem", rows: Array, most: int, *, together: bool, warm: bool = False
) -> tuple[Array, Array, int]:
    """Rows at about the least cost, the cost of each, and the steps taken.

    Together: one damping, and a step is taken if it pays in sum; else each row has its own.
    """
    share, extra = (_SETTLED_WARM, _SETTLED_QUOTE * problem.quotes) if warm else (_SETTLED, 0.0)
    damping = np.full(len(rows), _DAMPING)
    at = problem.normal(rows)
    steps = 0
    while True:
        steps += 1
        tried = problem.within(_moved(rows, _step(at, damping)))
        before = at.cost.sum()
        if warm and -(at.gradient * (tried - rows)).sum() <= share * before + extra:
            # So little is promised, so near, that there is no need to see whether it is kept.
            return tried, at.cost, steps
        cost = problem.cost(tried)
        if together:
            after = cost.sum()
            better = np.full(len(rows), after <= before)
            over = 0.0 <= before - after <= share * before + extra
        else:
            better = cost <= at.cost
            over = bool(better.all() and np.all(at.cost - cost <= share * at.cost))
        rows = np.where(better[:, None], tried, rows)
        cost = np.where(better, cost, at.cost)
        if over or steps == most or damping.min() > _DAMPING_MAX:
            return rows, cost, steps
        damping = np.where(better, np.maximum(damping / 5.0, 1e-7), damping * 6.0)
        damping = np.minimum(damping, 10.0 * _DAMPING_MAX)
        if better.any():
            at = problem.normal(rows)


def _step(at: _Normal, damping: Array) -> Array:
    matrix = at.matrix.copy()
    diagonal = matrix[:, _DIAGONAL, _DIAGONAL]
    least = 1e-9 * diagonal.max(axis=1, keepdims=True) + 1e-12
    matrix[:, _DIAGONAL, _DIAGONAL] = diagonal * (1.0 + damping[:, None]) + least
    if at.coupling is None:
        return np.asarray(-np.linalg.solve(matrix, at.gradient[..., None])[..., 0])
    count = len(matrix)
    whole = np.zeros((count, 5, count, 5))
    each = np.arange(count)
    whole[each, :, each, :] = matrix
    whole[each[:-1], :, each[1:], :] = at.coupling
    whole[each[1:], :, each[:-1], :] = at.coupling.swapaxes(1, 2)
    size = 5 * count
    solved = np.linalg.solve(whole.reshape(size, size), at.gradient.reshape(size))
    return np.asarray(-solved.reshape(-1, 5))


def _moved(rows: Array, step: Array) -> Array:
    """Rows after a step that is cut where it leads further than the derivatives can tell."""
    s = np.exp(rows[:, 4])
    length = np.maximum(np.abs(step[:, 3]) / s, np.abs(step[:, 4]))
    return np.asarray(rows + step * np.minimum(1.0, _REACH / np.maximum(length, _REACH))[:, None])


class _Problem:
    """The cost and its derivatives; without pressure on calendars each expiry is on its own."""

    def __init__(self, observed: Observed, pressure: Pressure, *, coupled: bool = True) -> None:
        self._quotes = observed
        self._pressure = pressure
        self._years = observed.years[:, None]
        self._prior_square = observed.prior_pull**2
        self.quotes = np.count_nonzero(observed.pull)
        self._coupled = coupled and len(observed.years) > 1

    def within(self, rows: Array) -> Array:
        """Rows cut to their domain."""
        return np.asarray(np.minimum(np.maximum(rows, self._pressure.low), _HIGH))

    def cost(self, rows: Array) -> Array:
        """Of each expiry."""
        found = self._quoted(svi.variance(rows, self._quotes.k)).cost
        short = np.maximum(self._density_lack(rows)[1], 0.0) * self._pressure.density_weight
        found += np.einsum("ij,ij->i", short, short)
        if self._coupled:
            _, short, wing = self._calendar(rows)
            self._add_calendar_cost(found, short, wing)
        return found

    def normal(self, rows: Array) -> _Normal:
        """Everything about the cost at these rows."""
        w, by_row = svi.variance_gradient(rows, self._quotes.k)
        quoted = self._quoted(w)
        across = by_row.swapaxes(1, 2)
        found = _Normal(
            quoted.cost,
            (across * quoted.weight[:, None, :]) @ by_row,
            (across @ quoted.slope[..., None])[..., 0],
        )
        self._add_density(rows, found)
        if self._coupled:
            self._add_calendar(rows, found)
        return found

    def _quoted(self, w: Array) -> "_Quoted":
        """What the quotes say to these total variances."""
        quotes = self._quotes
        vol = np.sqrt(np.maximum(w, 1e-9) / self._years)
        error = (vol - quotes.vol) * quotes.pull
        size = np.abs(error)
        calm = size <= CALM
        rate = np.where(calm, _INSIDE_SLOPE, 1.0)
        reckoned = np.where(calm, _INSIDE_SLOPE * size, size - (1.0 - _INSIDE_SLOPE) * CALM)
        rate *= quotes.pull
        miss = (vol - quotes.prior) * quotes.prior_pull
        by_w = 0.5 / (vol * self._years)
        return _Quoted(
            np.einsum("ij,ij->i", reckoned, reckoned) + np.einsum("ij,ij->i", miss, miss),
            (rate * rate + self._prior_square) * (by_w * by_w),
            (np.copysign(reckoned, error) * rate + miss * quotes.prior_pull) * by_w,
        )

    def _density_lack(self, rows: Array) -> tuple[Array, Array]:
        """Points of each slice, and by how much g is below its margin there."""
        k = rows[:, 3:4] + np.exp(rows[:, 4:5]) * _DENSITY_POINTS
        g = np.maximum(svi.density_factor(rows, k), -100.0)
        return k, self._pressure.density_margin - g

    def _add_density(self, rows: Array, found: _Normal) -> None:
        pressure = self._pressure
        k, lack = self._density_lack(rows)
        near = lack > -_NEAR * pressure.density_margin
        places = np.nonzero(near.any(axis=1))[0]
        if not len(places):
            return
        weight = pressure.density_weight[places]
        short = np.maximum(lack[places], 0.0) * weight
        found.cost[places] += np.einsum("ij,ij->i", short, short)
        by_row = svi.density_gradient(rows[places], k[places])
        by_row *= (near[places] * weight)[..., None]
        across = by_row.swapaxes(1, 2)
        found.matrix[places] += across @ by_row
        found.gradient[places] -= (across @ short[..., None])[..., 0]

    def _calendar(self, rows: Array) -> tuple[Array, Array, Array]:
        """Of each pair: by how much the later slice is below the earlier one and the margin, what
        that costs at each point, and what it costs that wings rise by less."""
        pressure = self._pressure
        w = svi.variance(rows, _CALENDAR_POINTS)
        late = w[1:].copy()
        for side, edge in _EDGES:
            late[:, edge] = svi.asymptote(rows[1:], side, _CALENDAR_POINTS[edge])
        lack = w[:-1] - late + pressure.calendar_margin
        wing = np.maximum(rows[:-1, 1:3] - rows[1:, 1:3] + 1e-5, 0.0) * pressure.wing_weight
        return lack, np.maximum(lack, 0.0) * pressure.calendar_weight, wing

    @staticmethod
    def _add_calendar_cost(cost: Array, short: Array, wing: Array) -> None:
        half = 0.5 * (np.einsum("ij,ij->i", short, short) + np.einsum("ij,ij->i", wing, wing))
        cost[:-1] += half
        cost[1:] += half

    def _add_calendar(self, rows: Array, found: _Normal) -> None:
        pressure = self._pressure
        lack, short, wing = self._calendar(rows)
        near = lack > -_NEAR * pressure.calendar_margin
        points = np.nonzero(near.any(axis=0))[0]
        if not (len(points) or wing.any()):
            return
        self._add_calendar_cost(found.cost, short, wing)
        k = _CALENDAR_POINTS[points]
        short = short[:, points, None]
        hit = (near * pressure.calendar_weight)[:, points, None]
        _, by_row = svi.variance_gradient(rows, k)
        early = by_row[:-1] * hit
        for side, edge in _EDGES:
            place = np.nonzero(points == edge % len(_CALENDAR_POINTS))[0]
            if len(place):
                by_row[1:, place, 1:] = 0.0
                by_row[1:, place, side] = np.abs(k[place] - rows[1:, 3:4])
                by_row[1:, place, 3] = rows[1:, side : side + 1] * (1.0 if side == 1 else -1.0)
        late = by_row[1:] * hit
        early_across, late_across = early.swapaxes(1, 2), late.swapaxes(1, 2)
        found.matrix[:-1] += early_across @ early
        found.matrix[1:] += late_across @ late
        found.coupling = -(early_across @ late)
        found.gradient[:-1] += (early_across @ short)[..., 0]
        found.gradient[1:] -= (late_across @ short)[..., 0]
        if wing.any():
            weight = (wing > 0.0) * pressure.wing_weight
            for side in (1, 2):
                square = weight[:, side - 1] ** 2
                found.matrix[:-1, side, side] += square
                found.matrix[1:, side, side] += square
                found.coupling[:, side, side] -= square
                pull = wing[:, side - 1] * weight[:, side - 1]
                found.gradient[:-1, side] += pull
                found.gradient[1:, side] -= pull
