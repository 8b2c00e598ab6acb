"""Slices through quotes: what is known is found again, and arbitrage is not taken over."""

from dataclasses import replace

import numpy as np
import pytest

from mmbot.pricing import svi
from mmbot.pricing.svi import Array, Slice
from mmbot.pricing.svi_fit import Observed, fit, quasi_explicit, repaired
from tests.pricing.test_svi import VOGT

TRUE = Slice(a=0.006, b=0.05, rho=-0.3, m=0.02, s=0.12)


def quoted(smiles: list[Slice], years: list[float], k: Array, half: float = 0.005) -> Observed:
    """Quotes of that half-spread around slices, and no opinion of a venue."""
    vol = np.array([one.vol(k, t) for one, t in zip(smiles, years, strict=True)])
    return Observed(
        np.array(years),
        np.broadcast_to(k, vol.shape).copy(),
        vol,
        np.full_like(vol, 1 / half),
        vol,
        np.zeros_like(vol),
    )


def error_points(rows: Array, observed: Observed) -> Array:
    """Largest error of each expiry in vol points."""
    vol = np.sqrt(svi.variance(rows, observed.k) / observed.years[:, None])
    return np.asarray(100 * np.abs(vol - observed.vol).max(axis=1))


def test_a_known_slice_is_found_from_nothing() -> None:
    observed = quoted([TRUE], [0.1], np.linspace(-0.5, 0.5, 25))
    found = fit(observed)
    assert found.proved
    assert error_points(found.rows, observed)[0] < 0.02


def test_a_chain_is_found_from_nothing_and_its_slices_are_in_order() -> None:
    years = [0.01, 0.05, 0.1, 0.5]
    smiles = [TRUE.scaled(t / 0.1) for t in years]
    observed = quoted(smiles, years, np.linspace(-0.3, 0.3, 21))
    found = fit(observed)
    assert found.proved
    assert (error_points(found.rows, observed) < 0.05).all()


def test_zeliades_start_is_near_already() -> None:
    observed = quoted([TRUE], [0.1], np.linspace(-0.5, 0.5, 25))
    assert error_points(quasi_explicit(observed, 1)[:, 0], observed)[0] < 1.0


def test_a_fit_that_begins_at_the_solution_stays_there() -> None:
    observed = quoted([TRUE], [0.1], np.linspace(-0.5, 0.5, 25))
    again = fit(observed, TRUE.wings[None], brief=True)
    assert again.steps == 1
    assert error_points(again.rows, observed)[0] < 0.01


def test_a_fit_follows_a_market_that_has_moved() -> None:
    k = np.linspace(-0.5, 0.5, 25)
    before = fit(quoted([TRUE], [0.1], k))
    observed = quoted([replace(TRUE, a=0.0065, rho=-0.25)], [0.1], k)
    after = fit(observed, before.rows, before.pressure, brief=True)
    assert after.proved
    assert error_points(after.rows, observed)[0] < 0.25


def test_an_expiry_without_a_past_begins_from_nothing() -> None:
    years = [0.05, 0.1]
    observed = quoted([TRUE.scaled(0.5), TRUE], years, np.linspace(-0.4, 0.4, 21))
    last = np.array([TRUE.scaled(0.5).wings, np.full(5, np.nan)])
    found = fit(observed, last, brief=True)
    assert found.proved
    assert (error_points(found.rows, observed) < 0.05).all()


def test_the_published_counter_example_is_repaired() -> None:
    found = repaired(VOGT)
    assert svi.butterfly_free(found.wings[None])[0]
    assert svi.arbitrage_intervals(found) == []
    k = np.linspace(-1.5, 1.5, 301)
    assert 100 * np.abs(found.vol(k, 1.0) - VOGT.vol(k, 1.0)).max() < 2.0


def test_what_needs_no_repair_gets_none() -> None:
    assert repaired(TRUE) is TRUE


def test_quotes_with_a_butterfly_arbitrage_are_not_followed() -> None:
    observed = quoted([VOGT], [1.0], np.linspace(-1.5, 1.5, 31))
    found = fit(observed)
    assert found.proved
    assert svi.least_density_factor(Slice.of_wings(found.rows[0]), 1.5) >= 0
    # There is no such slice closer than that.
    assert 0.3 < error_points(found.rows, observed)[0] < 3.0


def test_expiries_at_odds_share_the_correction() -> None:
    # The later expiry is quoted below the earlier one.
    years = [0.1, 0.12]
    observed = quoted([TRUE, TRUE.scaled(0.97)], years, np.linspace(-0.4, 0.4, 21))
    found = fit(observed)
    assert found.proved
    early, late = (Slice.of_wings(row) for row in found.rows)
    assert svi.calendar_gap(early, late) >= 0
    first, second = error_points(found.rows, observed)
    assert 0.1 < first < 1.5
    assert 0.1 < second < 1.5


def test_wings_of_an_early_expiry_do_not_cross_a_later_one() -> None:
    # Within its quotes the early one is far below; its wings alone would cross.
    early, late = Slice(0.0005, 0.12, 0.0, 0.0, 0.02), Slice(0.02, 0.06, 0.0, 0.0, 0.2)
    observed = quoted([early, late], [0.01, 0.2], np.linspace(-0.05, 0.05, 11))
    found = fit(observed)
    assert found.proved
    assert (found.rows[1, 1:3] >= found.rows[0, 1:3]).all()


def test_within_the_spread_an_error_costs_a_tenth() -> None:
    # A quote that is off by less than its spread moves the fit less than by its share.
    k = np.linspace(-0.4, 0.4, 21)
    observed = quoted([TRUE], [0.1], k, half=0.02)
    observed.vol[0, 10] += 0.014
    off = 100 * abs(float(Slice.of_wings(fit(observed).rows[0]).vol(k[10], 0.1)) - TRUE.vol(0, 0.1))
    assert off < 0.5


def test_the_venues_volatility_decides_where_quotes_are_silent() -> None:
    k = np.linspace(-0.4, 0.4, 21)
    observed = quoted([TRUE], [0.1], k, half=0.02)
    told = replace(
        observed, prior=observed.vol + 0.004, prior_pull=np.full_like(observed.vol, 50.0)
    )
    moved = 100 * (Slice.of_wings(fit(told).rows[0]).vol(k, 0.1) - observed.vol[0])
    # 50^2 against a tenth of 50^2: ten elevenths of the way.
    assert moved.mean() == pytest.approx(0.4 * 10 / 11, abs=0.05)
