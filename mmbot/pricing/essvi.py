"""A smile of three parameters for an expiry with too few quotes: one slice of extended SSVI.

    w(k) = theta / 2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2))

is raw SVI with a = theta (1 - rho^2) / 2, b = theta phi / 2, m = -rho / phi and
s = sqrt(1 - rho^2) / phi. Free of butterfly arbitrage where, with psi = theta phi,
psi (1 + |rho|) <= 4 and psi^2 (1 + |rho|) <= 4 theta (Gatheral and Jacquier 2014, theorem 4.2).
Extended: rho is each slice's own (Corbetta, Cohort, Laachir and Martini 2019, "Robust calibration
and arbitrage-free interpolation of SSVI slices"; Mingone 2022 for the global search).

For given (rho, phi) total variance is theta times a known shape, so that the best theta, the bounds
of no arbitrage and those of the neighbors (between the earlier slice and the later one at each k)
all have closed forms: one interval of theta. What is left is searched on a net of (rho, phi) that
closes in.
"""

import numpy as np

from mmbot.pricing import svi
from mmbot.pricing.svi import Array, Slice

_ROUNDS = 6
_NET = 17
_ROOM = 1e-3
"""Relative distance that is kept from the neighbors and from the bounds."""
_SIDE = np.geomspace(0.002, 4.0, 40)
_POINTS = np.concatenate((-_SIDE[::-1], [0.0], _SIDE))
_FAR = np.array([-svi.FAR, svi.FAR])


def fit(
    k: Array,
    vol: Array,
    pull: Array,
    years: float,
    below: Slice | None = None,
    above: Slice | None = None,
) -> Slice | None:
    """The best slice through volatilities with weights `pull`, between an earlier and a later
    slice; None where none fits between them."""
    wanted = vol * vol * years
    weight = pull / (2.0 * vol * years)
    scale = float(vol[np.abs(k).argmin()]) * years**0.5
    rho_at, width = 0.0, 0.98
    # Phi in units of 1 / deviation: the bounds allow up to about 2 of them.
    log_at, log_width = -1.5, 4.5
    best: tuple[float, Array] | None = None
    for _ in range(_ROUNDS):
        rho, log_phi = (
            part.ravel()[:, None]
            for part in np.meshgrid(
                np.clip(np.linspace(rho_at - width, rho_at + width, _NET), -0.99, 0.99),
                np.linspace(log_at - log_width, log_at + log_width, _NET),
            )
        )
        phi = np.exp(log_phi) / scale
        theta, cost = _best_theta(rho, phi, k, wanted, weight, below, above)
        place = int(cost.argmin())
        if np.isfinite(cost[place]) and (best is None or cost[place] <= best[0]):
            best = float(cost[place]), np.array([theta[place], rho[place, 0], phi[place, 0]])
            rho_at, log_at = float(rho[place, 0]), float(log_phi[place, 0])
        width, log_width = width * 0.35, log_width * 0.35
    if best is None:
        return None
    found = slice_of(*best[1])
    return found if _fits(found, below, above) else None


def slice_of(theta: float, rho: float, phi: float) -> Slice:
    """The same smile as raw SVI."""
    rest = 1.0 - rho * rho
    return Slice(
        float(0.5 * theta * rest),
        float(0.5 * theta * phi),
        float(rho),
        float(-rho / phi),
        float(rest**0.5 / phi),
    )


def _best_theta(
    rho: Array,
    phi: Array,
    k: Array,
    wanted: Array,
    weight: Array,
    below: Slice | None,
    above: Slice | None,
) -> tuple[Array, Array]:
    """Of every (rho, phi): theta, and the cost, infinite where no theta is allowed."""
    shape = _shape(rho, phi, k) * weight
    free = (shape * (wanted * weight)).sum(axis=1) / (shape * shape).sum(axis=1)
    lean = 1.0 + np.abs(rho[:, 0])
    steep = phi[:, 0]
    high = np.minimum(4.0 / (steep * lean), 4.0 / (steep * steep * lean)) * (1.0 - _ROOM)
    low = np.full_like(high, 1e-9)
    # The order in time is that of the proof: within a reach by total variance, at its ends that of
    # an earlier slice against a later one's asymptote, and beyond by the slopes of the wings.
    near, far = _shape(rho, phi, _POINTS), _shape(rho, phi, _FAR)
    asymptote = 0.5 * (1.0 + rho * phi * _FAR + np.abs(phi * _FAR + rho))
    slopes = 0.5 * phi * np.concatenate((1.0 - rho, 1.0 + rho), axis=1)
    if below is not None:
        least = (below.variance(_POINTS), below.variance(_FAR), below.wings[1:3])
        for value, shape_there in zip(least, (near, asymptote, slopes), strict=True):
            low = np.maximum(low, (value / shape_there).max(axis=1) * (1.0 + _ROOM))
    if above is not None:
        row = above.wings[None]
        ends = np.concatenate((svi.asymptote(row, 1, -svi.FAR), svi.asymptote(row, 2, svi.FAR)))
        most = (above.variance(_POINTS), ends, above.wings[1:3])
        for value, shape_there in zip(most, (near, far, slopes), strict=True):
            high = np.minimum(high, (value / shape_there).min(axis=1) * (1.0 - _ROOM))
    theta = np.clip(free, low, np.maximum(low, high))
    cost = ((theta[:, None] * shape - wanted * weight) ** 2).sum(axis=1)
    return theta, np.where(low <= high, cost, np.inf)


def _shape(rho: Array, phi: Array, k: Array) -> Array:
    moved = phi * k + rho
    return np.asarray(0.5 * (1.0 + rho * phi * k + np.sqrt(moved * moved + 1.0 - rho * rho)))


def _fits(found: Slice, below: Slice | None, above: Slice | None) -> bool:
    chain = [one.wings for one in (below, found, above) if one is not None]
    rows = np.array(chain)
    return bool(svi.butterfly_free(found.wings[None])[0] and svi.calendar_free(rows).all())
