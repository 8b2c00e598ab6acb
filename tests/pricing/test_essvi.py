"""The smile of three parameters: its bounds by construction, and its place between neighbors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.pricing import svi
from mmbot.pricing.essvi import fit, slice_of
from mmbot.pricing.svi import Slice

K = np.linspace(-0.2, 0.2, 5)
PULL = np.full(5, 200.0)


def test_by_hand() -> None:
    # theta 0.04, rho 0: w(0) = 0.04 / 2 (1 + 1); phi 5: w(0.2) = 0.02 (1 + sqrt(1 + 1)).
    smile = slice_of(0.04, 0.0, 5.0)
    assert float(smile.variance(0.0)) == pytest.approx(0.04, abs=1e-15)
    assert float(smile.variance(0.2)) == pytest.approx(0.02 * (1 + 2**0.5), abs=1e-15)
    # With rho -0.6 the slope at the money is theta rho phi / 2 (1 + 1) = theta rho phi.
    tilted = slice_of(0.04, -0.6, 5.0)
    assert float(tilted.variance(0.0)) == pytest.approx(0.04, abs=1e-15)
    assert float(tilted.slope(0.0)) == pytest.approx(0.04 * -0.6 * 5.0, abs=1e-15)


def test_a_known_smile_is_found_from_five_quotes() -> None:
    true = slice_of(0.03, -0.25, 4.0)
    found = fit(K, true.vol(K, 0.1), PULL, 0.1)
    assert found is not None
    assert 100 * np.abs(found.vol(K, 0.1) - true.vol(K, 0.1)).max() < 0.05


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.2, 1.5), min_size=5, max_size=5), st.floats(0.005, 1.0))
def test_whatever_is_quoted_it_has_no_butterfly_arbitrage(vols: list[float], years: float) -> None:
    found = fit(K, np.array(vols), PULL, years)
    assert found is not None
    assert svi.butterfly_free(found.wings[None])[0]


def test_it_stays_between_its_neighbors() -> None:
    below, above = slice_of(0.03, -0.2, 4.0), slice_of(0.033, -0.2, 4.0)
    # Quoted below the earlier expiry: it comes to rest upon it.
    found = fit(K, slice_of(0.02, -0.2, 4.0).vol(K, 0.1), PULL, 0.1, below, above)
    assert found is not None
    assert svi.calendar_free(np.array([one.wings for one in (below, found, above)])).all()
    assert float(found.variance(0.0)) == pytest.approx(0.03, rel=0.02)


def test_between_neighbors_that_cross_there_is_none() -> None:
    below, above = Slice(0.03, 0.1, 0, 0, 0.1), Slice(0.02, 0.1, 0, 0, 0.1)
    assert fit(K, np.full(5, 0.5), PULL, 0.1, below, above) is None
