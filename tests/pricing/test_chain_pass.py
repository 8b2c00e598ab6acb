"""A whole chain valued in one pass, against Black's formula in 50 digits and option by option."""

import random
from math import isnan, nan, sqrt

import pytest
from mpmath import mp

from mmbot.pricing.chain_pass import Pass, value_chain

DAY = 1 / 365
SVI = (0.004, 0.02, -0.3, 0.01, 0.08)
NONE = (nan,) * 5


def one(
    strike: float = 2850.0,
    sign: float = 1.0,
    iv: float = 0.6,
    forward: float = 2850.0,
    years: float = 7 * DAY,
    smile: tuple[float, float, float, float, float] = NONE,
    *,
    inverse: bool = True,
    step: float = nan,
) -> Pass:
    return value_chain(
        strike=[strike],
        sign=[sign],
        place=[0],
        iv=[iv],
        step=[step],
        forward=[forward],
        years=[years],
        smiles=[smile],
        inverse=inverse,
    )


def exact(
    strike: float, sign: float, vol: float, forward: float, years: float
) -> tuple[float, float]:
    """Premium in USD and delta."""
    with mp.workdps(50):
        deviation = mp.mpf(vol) * mp.sqrt(years)
        d1 = mp.log(mp.mpf(forward) / strike) / deviation + deviation / 2
        d2 = d1 - deviation
        price = sign * (forward * mp.ncdf(sign * d1) - strike * mp.ncdf(sign * d2))
        return float(price), float(sign * mp.ncdf(sign * d1))


def svi_vol(k: float, years: float) -> float:
    a, b, rho, m, s = SVI
    return sqrt((a + b * (rho * (k - m) + sqrt((k - m) ** 2 + s * s))) / years)


@pytest.mark.parametrize("inverse", [True, False])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("strike", [2200.0, 2850.0, 3600.0])
def test_without_a_smile_an_option_is_worth_its_own_volatility(
    strike: float, sign: float, inverse: bool
) -> None:
    found = one(strike, sign, inverse=inverse)
    price, delta = exact(strike, sign, 0.6, 2850.0, 7 * DAY)
    assert found.fair[0] == pytest.approx(price / (2850.0 if inverse else 1.0), rel=1e-9)
    assert found.delta[0] == pytest.approx(delta, rel=1e-9)
    assert found.sigma == [0.6]
    assert found.fitted == [False]


@pytest.mark.parametrize("strike", [2200.0, 2850.0, 3600.0])
def test_with_a_smile_it_is_worth_the_smiles_volatility_at_its_strike(strike: float) -> None:
    found = one(strike, smile=SVI)
    vol = svi_vol(float(mp.log(strike / 2850.0)), 7 * DAY)
    assert found.sigma[0] == pytest.approx(vol, rel=1e-12)
    assert found.fair[0] == pytest.approx(exact(strike, 1.0, vol, 2850.0, 7 * DAY)[0] / 2850.0)
    assert found.fitted == [True]


def test_each_option_has_the_forward_the_time_and_the_smile_of_its_expiry() -> None:
    draw = random.Random(5)
    strikes = [draw.uniform(2000, 4000) for _ in range(40)]
    signs = [draw.choice((1.0, -1.0)) for _ in strikes]
    place = [draw.randrange(3) for _ in strikes]
    ivs = [draw.uniform(0.3, 1.0) for _ in strikes]
    forward, years = [2850.0, 2860.0, 2900.0], [2 * DAY, 9 * DAY, 90 * DAY]
    smiles = [NONE, SVI, NONE]
    found = value_chain(
        strike=strikes,
        sign=signs,
        place=place,
        iv=ivs,
        step=[nan] * 40,
        forward=forward,
        years=years,
        smiles=smiles,
        inverse=True,
    )
    for row, at in enumerate(place):
        alone = one(strikes[row], signs[row], ivs[row], forward[at], years[at], smiles[at])
        for column in Pass._fields[:-1]:
            assert getattr(found, column)[row] == pytest.approx(getattr(alone, column)[0])


@pytest.mark.parametrize(("forward", "iv"), [(nan, 0.6), (2850.0, nan), (0.0, 0.6), (2850.0, 0.0)])
def test_what_lacks_a_forward_or_a_volatility_takes_no_neighbor_along(
    forward: float, iv: float
) -> None:
    found = value_chain(
        strike=[2850.0, 2850.0],
        sign=[1.0, 1.0],
        place=[0, 1],
        iv=[iv, 0.6],
        step=[0.1, 0.1],
        forward=[forward, 2850.0],
        years=[7 * DAY] * 2,
        smiles=[NONE, NONE],
        inverse=True,
    )
    assert isnan(found.fair[0]) or found.fair[0] == 0.0
    assert found.fair[1] == pytest.approx(exact(2850.0, 1.0, 0.6, 2850.0, 7 * DAY)[0] / 2850.0)
    assert found.step_usd > 0.0


@pytest.mark.parametrize(("strike", "worth"), [(2800.0, 50.0 / 2850.0), (2900.0, 0.0)])
def test_at_its_expiry_an_option_is_its_intrinsic_value(strike: float, worth: float) -> None:
    for smile in (NONE, SVI):
        assert one(strike, years=0.0, smile=smile).fair[0] == pytest.approx(worth)
        assert one(strike, years=-DAY, smile=smile).fair[0] == pytest.approx(worth)


@pytest.mark.parametrize("inverse", [True, False])
def test_the_step_is_the_forwards_move_that_moves_a_price_by_what_matters(inverse: bool) -> None:
    wanted = 0.0001 if inverse else 0.3
    step = one(2900.0, step=wanted, inverse=inverse).step_usd
    before = one(2900.0, inverse=inverse).fair[0]
    after = one(2900.0, forward=2850.0 + step, inverse=inverse).fair[0]
    assert after - before == pytest.approx(wanted, rel=0.02)


def test_options_that_nobody_trades_move_nothing() -> None:
    assert one().step_usd == float("inf")
