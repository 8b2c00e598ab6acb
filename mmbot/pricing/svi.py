"""One smile as raw SVI: total variance, its slope and curvature, and proofs that it is honest.

Total variance w(k) = vol(k)^2 x years at the log-moneyness k = ln(K / F) is (Gatheral 2004)

    w(k) = a + b (rho (k - m) + R),    R = sqrt((k - m)^2 + s^2).

*Wing form.* With the slopes of its two wings, left = b (1 - rho) and right = b (1 + rho), the same
is w = a + left (R - x) / 2 + right (R + x) / 2, x = k - m: linear in (a, left, right), and every
bound on a wing becomes a bound on one number. Arrays of slices are held in it: `WING` columns
a, left, right, m, ln s, one row a slice.

*No butterfly arbitrage*: the density of the price at expiry is g(k) times something positive, where

    g = (1 - k w' / (2 w))^2 - w'^2 / 4 (1 / w + 1 / 4) + w'' / 2,

so that w > 0 and g >= 0 for every k, with wings that rise by less than 2, say that no butterfly
costs less than nothing (Gatheral and Jacquier 2014, "Arbitrage-free SVI volatility surfaces").

*The proof of it for every k, not for those of a grid.* Put k = m + s (t - 1/t) / 2, t > 0. Then
R = s (t + 1/t) / 2, everything is rational in t, and W^2 (t^2 + 1)^3 g(t), with W = t w, is a
polynomial P of degree 10. Its coefficients in Bernstein's basis on a piece of the line bound it
from below there; where all are >= 0 on all pieces, g >= 0 everywhere. Pieces that stay undecided
are decided by the roots of P. What is left is rounding: some 1e-12 of the terms of P.

*The proof of the calendar* (total variance of the later slice nowhere below the earlier one's, at
equal k): both are convex, so between two points the later one lies above its tangents, the earlier
one below its chord, and the smaller of two straight lines' distances is a bound. Outside of all
points the slopes of the wings decide.

Domain for the search: Martini and Mingone 2022, "No arbitrage SVI"; here the same set is kept to by
a penalty (svi_fit.py) and then proved as above.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import comb, exp, inf, log, sqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FAR = 8.0
"""In log-moneyness: beyond it slices are compared by their wings' asymptotes."""
SLOPE_MAX = 2.0
"""Of a wing: from there on prices are not those of any distribution (Lee 2004)."""

_LEAST_W = 1e-100
"""Stands for total variance where that is not positive, so that nothing overflows."""
_PIECES = np.exp(np.linspace(-9.0, 9.0, 61))
"""Ends of the pieces of the line of t on which P is bounded."""
_SINH = np.sinh(np.linspace(-9.0, 9.0, 721))
"""Points of a slice, in units of s from m, at which it is looked at closely."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The smile of one expiry: raw SVI in total variance."""

    a: float
    b: float
    rho: float
    m: float
    s: float

    @classmethod
    def of_wings(cls, row: Array) -> Self:
        """From one row in wing form."""
        a, left, right, m, log_s = (float(value) for value in row)
        b = 0.5 * (left + right)
        rho = 0.5 * (right - left) / b if b > 0.0 else 0.0
        return cls(a, b, rho, m, exp(log_s))

    @property
    def wings(self) -> Array:
        """One row in wing form."""
        left, right = self.b * (1.0 - self.rho), self.b * (1.0 + self.rho)
        return np.array([self.a, left, right, self.m, log(self.s)])

    @property
    def least_variance(self) -> float:
        """The lowest total variance at any k."""
        return self.a + self.b * self.s * sqrt(1.0 - self.rho * self.rho)

    def variance(self, k: float | Array) -> Array:
        """Total variance at log-moneyness k."""
        x = np.asarray(k, dtype=np.float64) - self.m
        return np.asarray(self.a + self.b * (self.rho * x + np.sqrt(x * x + self.s * self.s)))

    def slope(self, k: float | Array) -> Array:
        """dw/dk."""
        x = np.asarray(k, dtype=np.float64) - self.m
        return np.asarray(self.b * (self.rho + x / np.sqrt(x * x + self.s * self.s)))

    def vol(self, k: float | Array, years: float) -> Array:
        """Annual volatility at log-moneyness k."""
        return np.asarray(np.sqrt(self.variance(k) / years))

    def vol_slope(self, k: float | Array, years: float) -> Array:
        """d vol / dk, what the skew term of a binary option asks for."""
        return np.asarray(0.5 * self.slope(k) / np.sqrt(self.variance(k) * years))

    def density_factor(self, k: float | Array) -> Array:
        """g(k): negative where a butterfly pays its buyer; -inf where w is not positive."""
        points = np.atleast_1d(np.asarray(k, dtype=np.float64))
        return np.asarray(density_factor(self.wings[None], points[None])[0])

    def scaled(self, factor: float) -> Self:
        """Every total variance times a factor.

        For a factor below 1 nothing that was free of butterfly arbitrage gains any: g of the scaled
        slice is a concave function of the factor, a square at 0, and >= 0 at 1.
        """
        return type(self)(self.a * factor, self.b * factor, self.rho, self.m, self.s)


def variance(rows: Array, k: Array) -> Array:
    """Total variance of every slice (row, wing form) at its own row of k."""
    x = k - rows[:, 3:4]
    root = np.sqrt(x * x + np.exp(2.0 * rows[:, 4:5]))
    left, right = rows[:, 1:2], rows[:, 2:3]
    return np.asarray(rows[:, 0:1] + (0.5 * (right - left)) * x + (0.5 * (left + right)) * root)


def variance_gradient(rows: Array, k: Array) -> tuple[Array, Array]:
    """Total variance, and its derivative by (a, left, right, m, ln s) along the last axis."""
    s = np.exp(rows[:, 4:5])
    x = k - rows[:, 3:4]
    root = np.sqrt(x * x + s * s)
    half = 0.5 * (rows[:, 1:2] + rows[:, 2:3])
    tilt = 0.5 * (rows[:, 2:3] - rows[:, 1:2])
    gradient = np.empty((*root.shape, 5))
    gradient[..., 0] = 1.0
    gradient[..., 1] = 0.5 * (root - x)
    gradient[..., 2] = 0.5 * (root + x)
    gradient[..., 3] = -tilt - half * (x / root)
    gradient[..., 4] = half * (s * s / root)
    return rows[:, 0:1] + tilt * x + half * root, gradient


def density_factor(rows: Array, k: Array) -> Array:
    """g of every slice at its own row of k; -inf where total variance is not positive."""
    s = np.exp(rows[:, 4:5])
    x = k - rows[:, 3:4]
    root = np.sqrt(x * x + s * s)
    half = 0.5 * (rows[:, 1:2] + rows[:, 2:3])
    tilt = 0.5 * (rows[:, 2:3] - rows[:, 1:2])
    w = rows[:, 0:1] + tilt * x + half * root
    inverse = 1.0 / np.maximum(w, _LEAST_W)
    slope = tilt + half * (x / root)
    lead = 1.0 - 0.5 * k * slope * inverse
    g = lead * lead - (0.25 * slope * slope) * (inverse + 0.25)
    g += (0.5 * half * s * s) / (root * root * root)
    g[w <= 0.0] = -inf
    return np.asarray(g)


def density_gradient(rows: Array, k: Array) -> Array:
    """Derivative of g by (a, left, right, m, ln s) along the last axis, w held off zero."""
    s = np.exp(rows[:, 4:5])
    x = k - rows[:, 3:4]
    root = np.sqrt(x * x + s * s)
    w, by_w = variance_gradient(rows, k)
    w = np.maximum(w, 1e-9)
    half = 0.5 * (rows[:, 1:2] + rows[:, 2:3])
    lean, share = x / root, (s / root) ** 2
    slope = 0.5 * (rows[:, 2:3] - rows[:, 1:2]) + half * lean
    bend = half * share / root
    lead = 1.0 - k * slope / (2.0 * w)
    on_slope = -lead * k / w - 0.5 * slope * (1.0 / w + 0.25)
    on_w = (lead * k * slope + 0.25 * slope * slope) / (w * w)
    gradient: Array = on_w[..., None] * by_w
    edge = 0.25 * share / root
    gradient[..., 1] += on_slope * (0.5 * (lean - 1.0)) + edge
    gradient[..., 2] += on_slope * (0.5 * (lean + 1.0)) + edge
    gradient[..., 3] += -on_slope * bend + 1.5 * x * bend / (root * root)
    gradient[..., 4] += -on_slope * x * bend + 0.5 * bend * (2.0 - 3.0 * share)
    return gradient


# --- proofs -----------------------------------------------------------------------------------


def butterfly_free(rows: Array) -> NDArray[np.bool_]:
    """Whether each slice is proved free of butterfly arbitrage, at every k."""
    s = np.exp(rows[:, 4])
    least = rows[:, 0] + s * np.sqrt(np.maximum(rows[:, 1] * rows[:, 2], 0.0))
    within = (rows[:, 1:3] >= 0.0).all(1) & (rows[:, 1:3] < SLOPE_MAX).all(1) & (least > 0.0)
    polynomial = _density_polynomial(rows)
    bounds = (polynomial @ _BERNSTEIN).reshape(len(rows), -1, _DEGREE + 1).min(2)
    proved = within & (bounds >= 0.0).all(1)
    for place in np.nonzero(within & ~proved)[0]:
        proved[place] = len(_crossings(polynomial[place])) == 0
    return np.asarray(proved)


def arbitrage_intervals(smile: Slice) -> list[tuple[float, float]]:
    """The stretches of k in which g < 0, as far as the line goes (-inf, inf)."""
    row = smile.wings[None]
    t = _crossings(_density_polynomial(row)[0])
    edges = [smile.m + smile.s * 0.5 * (one - 1.0 / one) for one in t]
    between = [0.5 * (low + high) for low, high in pairwise(edges)]
    inside = [edges[0] - smile.s, *between, edges[-1] + smile.s] if edges else [smile.m]
    pieces = pairwise([-inf, *edges, inf])
    negative = smile.density_factor(np.array(inside)) < 0.0
    return [piece for piece, bad in zip(pieces, negative, strict=True) if bad]


def least_density_factor(smile: Slice, reach: float) -> float:
    """The smallest g on |k| <= reach, on a grid that is dense where the slice bends and at 0."""
    k = np.concatenate((smile.m + smile.s * _SINH, np.linspace(-reach, reach, 601)))
    return float(smile.density_factor(k[np.abs(k) <= reach]).min())


def calendar_gap(early: Slice, late: Slice) -> float:
    """The smallest difference of total variance, later less earlier, at any k; negative where a
    calendar spread costs less than nothing, -inf where the wings cross far out."""
    if (late.wings[1:3] < early.wings[1:3]).any():
        return -inf
    k = np.concatenate((early.m + early.s * _SINH, late.m + late.s * _SINH))
    return float((late.variance(k) - early.variance(k)).min())


def calendar_free(rows: Array) -> NDArray[np.bool_]:
    """Whether each slice but the first is proved to lie nowhere below the one before it."""
    early, late = rows[:-1], rows[1:]
    proved = _above(early, late, _SINH[::12])
    doubtful = np.nonzero(~proved)[0]
    if len(doubtful):
        proved[doubtful] = _above(early[doubtful], late[doubtful], _SINH)
    return proved


def _above(early: Array, late: Array, spread: Array) -> NDArray[np.bool_]:
    """Whether each later slice is proved, with the points at hand, to be above the earlier one."""
    proved: NDArray[np.bool_] = np.all(late[:, 1:3] >= early[:, 1:3], axis=1)
    if not len(early):
        return proved
    k = np.concatenate(
        [part[:, 3:4] + np.exp(part[:, 4:5]) * spread for part in (early, late)], axis=1
    )
    k.sort(axis=1)
    np.clip(k, -FAR, FAR, out=k)
    k[:, 0], k[:, -1] = -FAR, FAR
    below = variance(early, k)
    above, tangent = _with_slope(late, k)
    # Beyond the last point a slice lies above its asymptote and below a line of the wing's slope.
    for side, edge, end in ((1, 0, -FAR), (2, -1, FAR)):
        proved &= asymptote(late, side, end) >= below[:, edge]
    # Within a piece, the later slice lies above its tangents, and their bound is lowest where they
    # meet; the earlier one lies below its chord.
    width = np.maximum(k[:, 1:] - k[:, :-1], 1e-300)
    left, right = tangent[:, :-1], tangent[:, 1:]
    bend = np.maximum(right - left, 1e-14)
    meet = (above[:, :-1] - above[:, 1:] + right * width) / bend
    meet = np.minimum(np.maximum(meet, 0.0), width)
    lowest = above[:, :-1] + left * meet
    chord = below[:, :-1] + (below[:, 1:] - below[:, :-1]) * (meet / width)
    return np.asarray(proved & (lowest >= chord).all(1) & (above >= below).all(1))


def asymptote(rows: Array, side: int, k: float) -> Array:
    """Of the left (1) or the right (2) wing at k: total variance is nowhere below it."""
    away = k - rows[:, 3]
    return np.asarray(rows[:, 0] + rows[:, side] * (away if side == 2 else -away))


def _with_slope(rows: Array, k: Array) -> tuple[Array, Array]:
    """Total variance, and dw/dk."""
    x = k - rows[:, 3:4]
    root = np.sqrt(x * x + np.exp(2.0 * rows[:, 4:5]))
    half = 0.5 * (rows[:, 1:2] + rows[:, 2:3])
    tilt = 0.5 * (rows[:, 2:3] - rows[:, 1:2])
    return rows[:, 0:1] + tilt * x + half * root, tilt + half * (x / root)


_DEGREE = 10


def _density_polynomial(rows: Array) -> Array:
    """Coefficients of P, lowest power first, one row a slice.

    With x the powers of t: W = left/2 s + a t + right/2 s t^2, K = t k = (t^2 - 1) s/2 + m t, and
    D = (t^2 + 1) w' = right t^2 - left:

        P = (W (t^2 + 1) - K D / 2)^2 (t^2 + 1) - D^2 (t^2 + 1) (t W + W^2 / 4) / 4
            + 2 (left + right) / s t^3 W^2

    The bracket that is squared has the powers 0 to 4: s left/4, a + m left/2, 3 s (left + right)/4,
    a - m right/2, s right/4. All terms are products of few numbers; which of them go into which
    power does not depend on the slice, and is written down once in `_POWERS`.
    """
    a, left, right, m = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3]
    s = np.exp(rows[:, 4])
    count = len(rows)
    lead = np.empty((count, 5))
    lead[:, 0] = 0.25 * s * left
    lead[:, 1] = a + 0.5 * m * left
    lead[:, 2] = 0.75 * s * (left + right)
    lead[:, 3] = a - 0.5 * m * right
    lead[:, 4] = 0.25 * s * right
    w = np.empty((count, 12))
    w[:, 0] = 0.5 * s * left
    w[:, 1] = a
    w[:, 2] = 0.5 * s * right
    w[:, 3:] = (w[:, :3, None] * w[:, None, :3]).reshape(count, 9)
    slope = np.empty((count, 4))
    slope[:, 0] = left * left
    slope[:, 1] = left * right
    slope[:, 2] = right * right
    slope[:, 3] = 2.0 * (left + right) / s
    products = np.concatenate(
        (
            (lead[:, :, None] * lead[:, None, :]).reshape(count, 25),
            (slope[:, :, None] * w[:, None, :]).reshape(count, 48),
        ),
        axis=1,
    )
    return np.asarray(products @ _POWERS)


def _powers() -> Array:
    """Product -> what it adds to each coefficient of P."""
    found = np.zeros((73, _DEGREE + 1))
    for i in range(5):
        for j in range(5):
            found[5 * i + j, [i + j, i + j + 2]] += 1.0
    of_w = [(power + 1, 1.0) for power in range(3)]
    of_w += [(i + j, 0.25) for i in range(3) for j in range(3)]
    for place, (power, factor) in enumerate(((0, 1.0), (2, -2.0), (4, 1.0))):
        for part, (shift, share) in enumerate(of_w):
            at = power + shift
            found[25 + 12 * place + part, [at, at + 2]] -= 0.25 * factor * share
    for part, (power, _) in enumerate(of_w[3:]):
        found[25 + 36 + 3 + part, power + 3] += 1.0
    return found


def _crossings(polynomial: Array) -> list[float]:
    """Where on t > 0 the polynomial changes its sign, in order."""
    roots = np.roots(polynomial[::-1])
    near = roots[(np.abs(roots.imag) <= 1e-7 * np.abs(roots)) & (roots.real > 0.0)].real
    points = np.sort(near)
    if not len(points):
        return []
    between = np.concatenate((points[:1] / 2, np.sqrt(points[1:] * points[:-1]), points[-1:] * 2))
    signs = np.polynomial.polynomial.polyval(between, polynomial) >= 0.0
    return [float(one) for one, turns in zip(points, signs[1:] != signs[:-1], strict=True) if turns]


def _bernstein() -> Array:
    """From coefficients of powers to Bernstein's on every piece, the two open ends included.

    On [p, q] with t = p + (q - p) v the coefficient of v^j of t^n is C(n, j) p^(n-j) (q - p)^j, and
    Bernstein's coefficient i is the sum over j <= i of C(i, j) / C(10, j) times it. On the last
    piece, [p, inf), the polynomial in 1/t is taken. Each piece is scaled by its q^10.
    """
    size = _DEGREE + 1
    to_bernstein = np.array(
        [
            [comb(i, j) / comb(_DEGREE, j) if j <= i else 0.0 for i in range(size)]
            for j in range(size)
        ]
    )
    pieces = []
    for low, high in zip((0.0, *_PIECES[:-1]), _PIECES, strict=True):
        ratio = low / high
        shift = np.array(
            [
                [
                    comb(n, j) * ratio ** (n - j) * (1.0 - ratio) ** j * high ** (n - _DEGREE)
                    if j <= n
                    else 0.0
                    for j in range(size)
                ]
                for n in range(size)
            ]
        )
        pieces.append(shift @ to_bernstein)
    # t = p / v with v in [0, 1]: t^n v^10 = p^n v^(10 - n).
    open_end = np.array(
        [
            [_PIECES[-1] ** (n - _DEGREE) if j == _DEGREE - n else 0.0 for j in range(size)]
            for n in range(size)
        ]
    )
    pieces.append(open_end @ to_bernstein)
    return np.concatenate(pieces, axis=1)


_POWERS = _powers()
_BERNSTEIN = _bernstein()
