"""One option's worth: Black-76 by hand, by its own laws, and against the venue's recordings."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest

from mmbot.pricing import scalar
from mmbot.pricing.black76 import price

RECORDINGS = Path(__file__).parents[3] / "shared" / "data"
CHAINS = RECORDINGS / "deribit_chains"
MESSAGES = RECORDINGS / "deribit_messages"


def test_a_textbook_option_at_the_money() -> None:
    # F = K = 100, T = 1, sigma = 0.2: d1 = 0.1, d2 = -0.1. From a table of the normal law
    # N(0.1) = 0.5398278, phi(0.1) = 0.3969525, so call = put = 100 (2 x 0.5398278 - 1) = 7.96557,
    # vega = 100 x 0.3969525 / 100 a point, gamma = 0.3969525 / (100 x 0.2),
    # theta = -100 x 0.3969525 x 0.2 / 2 / 365, rho = T K N(d2) / 100 = 0.4601722.
    call = scalar.value(100, 100, 1.0, 0.2, is_call=True)
    assert call.price == pytest.approx(7.96557, abs=1e-5)
    assert call.delta == pytest.approx(0.5398278, abs=1e-7)
    assert call.vega == pytest.approx(0.3969525, abs=1e-7)
    assert call.gamma == pytest.approx(0.01984763, abs=1e-8)
    assert call.theta == pytest.approx(-0.0108754, abs=1e-7)
    assert call.rho == pytest.approx(0.4601722, abs=1e-7)
    put = scalar.value(100, 100, 1.0, 0.2, is_call=False)
    assert put.price == pytest.approx(7.96557, abs=1e-5)
    assert put.delta == pytest.approx(-0.4601722, abs=1e-7)
    assert put.rho == pytest.approx(-0.5398278, abs=1e-7)


def test_a_textbook_option_off_the_money() -> None:
    # F = 20, K = 22, T = 0.25, sigma = 0.4: spread = 0.2, ln(20/22) = -0.0953102,
    # d1 = -0.4765509 + 0.1 = -0.3765509, d2 = -0.5765509; N(d1) = 0.353253, N(d2) = 0.282121
    # (table): call = 20 x 0.353253 - 22 x 0.282121 = 0.858398; put = call + 2 by parity.
    call = scalar.value(20, 22, 0.25, 0.4, is_call=True)
    assert call.price == pytest.approx(0.8584, abs=2e-4)
    assert scalar.value(20, 22, 0.25, 0.4, is_call=False).price == pytest.approx(
        call.price + 2, abs=1e-12
    )


@pytest.mark.parametrize(("is_call", "worth"), [(True, 10.0), (False, 0.0)])
def test_at_expiry_only_what_it_pays_is_left(is_call: bool, worth: float) -> None:
    value = scalar.value(110, 100, 0.0, 0.5, is_call=is_call)
    assert value.price == worth
    assert value.vega == value.gamma == value.theta == 0


def test_in_its_last_day_an_option_has_only_its_time_value_to_lose() -> None:
    value = scalar.value(2_850.0, 2_800.0, 0.5 / 365, 0.6, is_call=True)
    assert value.theta == pytest.approx(50.0 - value.price)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [1_500.0, 2_500.0, 2_850.0, 3_200.0, 5_000.0])
def test_greeks_are_the_slopes_of_the_price(is_call: bool, strike: float) -> None:
    forward, years, vol = 2_850.0, 0.1, 0.6
    value = scalar.value(forward, strike, years, vol, is_call=is_call)

    def price(f: float = forward, t: float = years, v: float = vol) -> float:
        return scalar.value(f, strike, t, v, is_call=is_call).price

    step = 0.1
    up, down = price(f=forward + step), price(f=forward - step)
    assert value.delta == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert value.gamma == pytest.approx((up - 2 * value.price + down) / step**2, abs=1e-6)
    a_point = (price(v=vol + 0.0001) - price(v=vol - 0.0001)) / 0.0002 / 100
    assert value.vega == pytest.approx(a_point, rel=1e-5, abs=1e-9)
    a_year = (price(t=years + 1e-6) - price(t=years - 1e-6)) / 2e-6
    assert value.theta == pytest.approx(-a_year / 365, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [2_000.0, 2_850.0, 4_000.0])
@pytest.mark.parametrize("guess", [0.05, 0.6, 4.0])
def test_implied_volatility_inverts_the_price(is_call: bool, strike: float, guess: float) -> None:
    price = scalar.value(2_850.0, strike, 0.1, 0.7, is_call=is_call).price
    found = scalar.implied_vol(price, 2_850.0, strike, 0.1, guess, is_call=is_call)
    assert found == pytest.approx(0.7, abs=1e-5)


@pytest.mark.parametrize("price", [0.0, 849.9, 2_850.0, 3_000.0])
def test_no_volatility_explains_an_impossible_price(price: float) -> None:
    # A call on 2,850 struck at 2,000 is worth between 850 and 2,850.
    assert scalar.implied_vol(price, 2_850.0, 2_000.0, 0.1, 0.6, is_call=True) is None


@pytest.mark.skipif(not CHAINS.is_dir(), reason="the recordings are not on this machine")
def test_recorded_marks_reprice_from_their_own_volatility() -> None:
    with gzip.open(CHAINS / "djienne_btc_chain_20260207.json.gz", "rt") as file:
        chain = json.load(file)
    misses = []
    for expiry in chain["expiries"].values():
        for listed in expiry["options"]:
            if listed["mark_iv"] is None or listed["mark_price"] is None:
                continue
            forward = listed["underlying_price"]
            value = scalar.value(
                forward,
                listed["strike"],
                listed["time_to_expiry"],
                listed["mark_iv"],
                is_call=listed["option_type"] == "call",
            )
            misses.append(abs(value.price / forward - listed["mark_price"]))
    assert len(misses) > 200
    # Volatilities are recorded to a hundredth of a point, worth up to 2e-5 coin in this chain.
    assert median(misses) < 1e-5


@pytest.mark.skipif(not MESSAGES.is_dir(), reason="the recordings are not on this machine")
def test_recorded_greeks_have_our_scaling() -> None:
    compared = 0
    with gzip.open(MESSAGES / "cryptofeed_deribit_options_ws_20210722.txt.gz", "rt") as file:
        for line in file:
            if '"channel":"ticker.' not in line:
                continue
            data = json.loads(line[line.index("{") :])["params"]["data"]
            day, strike, letter = data["instrument_name"].split("-")[1:]
            expiry = datetime.strptime(day, "%d%b%y").replace(hour=8, tzinfo=UTC)
            years = (expiry.timestamp() - data["timestamp"] / 1_000) / (365 * 86_400)
            is_call = letter == "C"
            iv = data["mark_iv"] / 100
            value = scalar.value(
                data["underlying_price"], float(strike), years, iv, is_call=is_call
            )
            greeks = data["greeks"]
            assert value.delta == pytest.approx(greeks["delta"], abs=5e-4)
            assert value.gamma == pytest.approx(greeks["gamma"], abs=1e-5)
            assert value.vega == pytest.approx(greeks["vega"], rel=5e-3, abs=1e-3)
            assert value.theta == pytest.approx(greeks["theta"], rel=5e-3, abs=1e-3)
            assert value.rho == pytest.approx(greeks["rho"], rel=5e-3, abs=1e-3)
            compared += 1
    assert compared > 50


@pytest.mark.parametrize("strike", [2_000.0, 2_850.0, 4_000.0])
def test_vega_for_itself_is_that_of_the_value(strike: float) -> None:
    a_point = scalar.value(2_850.0, strike, 0.1, 0.7, is_call=True).vega
    terms = {"forward": 2_850.0, "strike": strike, "years": 0.1, "vol": 0.7}
    assert scalar.vega(**terms, inverse=False) == pytest.approx(100 * a_point)
    assert scalar.vega(**terms, inverse=True) == pytest.approx(100 * a_point / 2_850.0)


@pytest.mark.parametrize("name", ["forward", "strike", "years", "vol"])
def test_vega_is_zero_where_nothing_is_left_to_move(name: str) -> None:
    terms = {"forward": 100.0, "strike": 100.0, "years": 1.0, "vol": 0.2, name: 0.0}
    assert scalar.vega(**terms, inverse=False) == 0.0


@pytest.mark.parametrize("strike", [2000.0, 2800.0, 2900.0, 4000.0])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("inverse", [True, False])
def test_vega_is_what_the_price_changes_by(strike: float, sign: int, inverse: bool) -> None:
    years, vol, step = 4 / 365, 0.62, 1e-4
    above, below = (
        float(price(2850.0, strike, years, at, sign, inverse=inverse))
        for at in (vol + step, vol - step)
    )
    found = scalar.vega(forward=2850.0, strike=strike, years=years, vol=vol, inverse=inverse)
    assert found == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-9)


def test_vega_at_the_money_by_hand() -> None:
    """d1 = 0.62 sqrt(4/365) / 2 = 0.0324514; phi(d1) sqrt(4/365) = 0.0417415."""
    terms = {"forward": 2850.0, "strike": 2850.0, "years": 4 / 365, "vol": 0.62}
    assert scalar.vega(**terms, inverse=True) == pytest.approx(0.0417415, rel=1e-5)
    assert scalar.vega(**terms, inverse=False) == pytest.approx(2850 * 0.0417415, rel=1e-5)
