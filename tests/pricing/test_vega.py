"""Vega of one option against numbers by hand and against the price itself."""

import pytest

from mmbot.pricing.black76 import price
from mmbot.pricing.vega import vega

YEARS, VOL = 4 / 365, 0.62


def test_at_the_money_by_hand() -> None:
    """d1 = 0.62 sqrt(4/365) / 2 = 0.0324514; phi(d1) sqrt(4/365) = 0.0417415."""
    inverse = vega(forward=2850.0, strike=2850.0, years=YEARS, vol=VOL, inverse=True)
    linear = vega(forward=2850.0, strike=2850.0, years=YEARS, vol=VOL, inverse=False)
    assert inverse == pytest.approx(0.0417415, rel=1e-5)
    assert linear == pytest.approx(2850 * 0.0417415, rel=1e-5)


@pytest.mark.parametrize("strike", [2000.0, 2800.0, 2900.0, 4000.0])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("inverse", [True, False])
def test_it_is_what_the_price_changes_by(strike: float, sign: int, inverse: bool) -> None:
    step = 1e-4
    above, below = (
        float(price(2850.0, strike, YEARS, vol, sign, inverse=inverse))
        for vol in (VOL + step, VOL - step)
    )
    found = vega(forward=2850.0, strike=strike, years=YEARS, vol=VOL, inverse=inverse)
    assert found == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("gone", ["forward", "strike", "years", "vol"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_what_is_not_positive_has_none(gone: str, value: float) -> None:
    sound = {"forward": 2850.0, "strike": 2800.0, "years": YEARS, "vol": VOL}
    assert vega(**(sound | {gone: value}), inverse=True) == 0.0
