"""What options are worth: Black-76 by hand and by recording, and a surface without arbitrage."""

import gzip
import json
import math
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from mmbot.sim.exchange.listing import Right
from mmbot.sim.market.smile import ETA, RHO, Smile, black76, implied_volatility, smile
from mmbot.sim.market.underlying import PathParams, Underlyings, VolState

RECORDINGS = Path(__file__).parents[4] / "shared" / "data"
CHAINS = RECORDINGS / "deribit_chains"
MESSAGES = RECORDINGS / "deribit_messages"
DAYS = (0.01, 0.1, 0.8, 1.8, 4, 7, 11, 18, 25, 53, 88, 116, 151, 207, 298)
STRIKES = [i / 20 for i in range(-40, 41)]  # ln(K / F)


def a_state(**over: float) -> VolState:
    terms = {
        "diffusion_variance": 0.2,
        "jump_variance": 0.05,
        "slow_ratio": 1.0,
        "fast_ratio": 1.0,
        "shift_points": 0.0,
        "premium": 0.0,
    }
    return VolState(**{**terms, **over})


def test_a_textbook_option_at_the_money() -> None:
    # F = K = 100, T = 1, sigma = 0.2: d1 = 0.1, d2 = -0.1. From a table of the normal law
    # N(0.1) = 0.5398278, phi(0.1) = 0.3969525, so call = put = 100 (2 x 0.5398278 - 1) = 7.96557,
    # vega = 100 x 0.3969525 / 100 a point, gamma = 0.3969525 / (100 x 0.2),
    # theta = -100 x 0.3969525 x 0.2 / 2 / 365, rho = T K N(d2) / 100 = 0.4601722.
    call = black76(100, 100, 1.0, 0.2, Right.CALL)
    assert call.price == pytest.approx(7.96557, abs=1e-5)
    assert call.delta == pytest.approx(0.5398278, abs=1e-7)
    assert call.vega == pytest.approx(0.3969525, abs=1e-7)
    assert call.gamma == pytest.approx(0.01984763, abs=1e-8)
    assert call.theta == pytest.approx(-0.0108754, abs=1e-7)
    assert call.rho == pytest.approx(0.4601722, abs=1e-7)
    put = black76(100, 100, 1.0, 0.2, Right.PUT)
    assert put.price == pytest.approx(7.96557, abs=1e-5)
    assert put.delta == pytest.approx(-0.4601722, abs=1e-7)
    assert put.rho == pytest.approx(-0.5398278, abs=1e-7)


def test_a_textbook_option_off_the_money() -> None:
    # F = 20, K = 22, T = 0.25, sigma = 0.4: spread = 0.2, ln(20/22) = -0.0953102,
    # d1 = -0.4765509 + 0.1 = -0.3765509, d2 = -0.5765509; N(d1) = 0.353253, N(d2) = 0.282121
    # (table): call = 20 x 0.353253 - 22 x 0.282121 = 0.858398; put = call + 2 by parity.
    call = black76(20, 22, 0.25, 0.4, Right.CALL)
    assert call.price == pytest.approx(0.8584, abs=2e-4)
    assert black76(20, 22, 0.25, 0.4, Right.PUT).price == pytest.approx(call.price + 2, abs=1e-12)


@pytest.mark.parametrize(("right", "worth"), [(Right.CALL, 10.0), (Right.PUT, 0.0)])
def test_at_expiry_only_what_it_pays_is_left(right: Right, worth: float) -> None:
    value = black76(110, 100, 0.0, 0.5, right)
    assert value.price == worth
    assert value.vega == value.gamma == value.theta == 0


def test_in_its_last_day_an_option_has_only_its_time_value_to_lose() -> None:
    value = black76(2_850.0, 2_800.0, 0.5 / 365, 0.6, Right.CALL)
    assert value.theta == pytest.approx(50.0 - value.price)


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("strike", [1_500.0, 2_500.0, 2_850.0, 3_200.0, 5_000.0])
def test_greeks_are_the_slopes_of_the_price(right: Right, strike: float) -> None:
    forward, years, vol = 2_850.0, 0.1, 0.6
    value = black76(forward, strike, years, vol, right)

    def price(f: float = forward, t: float = years, v: float = vol) -> float:
        return black76(f, strike, t, v, right).price

    step = 0.1
    up, down = price(f=forward + step), price(f=forward - step)
    assert value.delta == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert value.gamma == pytest.approx((up - 2 * value.price + down) / step**2, abs=1e-6)
    a_point = (price(v=vol + 0.0001) - price(v=vol - 0.0001)) / 0.0002 / 100
    assert value.vega == pytest.approx(a_point, rel=1e-5, abs=1e-9)
    a_year = (price(t=years + 1e-6) - price(t=years - 1e-6)) / 2e-6
    assert value.theta == pytest.approx(-a_year / 365, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("strike", [2_000.0, 2_850.0, 4_000.0])
@pytest.mark.parametrize("guess", [0.05, 0.6, 4.0])
def test_implied_volatility_inverts_the_price(right: Right, strike: float, guess: float) -> None:
    price = black76(2_850.0, strike, 0.1, 0.7, right).price
    found = implied_volatility(price, 2_850.0, strike, 0.1, right, guess)
    assert found == pytest.approx(0.7, abs=1e-5)


@pytest.mark.parametrize("price", [0.0, 849.9, 2_850.0, 3_000.0])
def test_no_volatility_explains_an_impossible_price(price: float) -> None:
    # A call on 2,850 struck at 2,000 is worth between 850 and 2,850.
    assert implied_volatility(price, 2_850.0, 2_000.0, 0.1, Right.CALL, 0.6) is None


def test_the_week_answers_to_the_price_point_for_point() -> None:
    week = 7 / 365

    def at_the_money(shift: float) -> float:
        return 100 * smile(a_state(shift_points=shift), week).volatility(0.0)

    assert at_the_money(0.0) == pytest.approx(50.0)  # sqrt(0.2 + 0.05)
    assert at_the_money(1.5) - at_the_money(0.0) == pytest.approx(1.5)


def test_a_fall_moves_near_expiries_more_than_far_ones() -> None:
    def moved(days: float) -> float:
        before, after = (smile(a_state(shift_points=s), days / 365) for s in (0.0, 2.0))
        return after.volatility(0.0) - before.volatility(0.0)

    assert moved(1) > moved(7) > moved(60) > moved(300) > 0


def test_excited_volatility_lifts_the_front_of_the_curve() -> None:
    excited = [
        smile(a_state(fast_ratio=3.0, slow_ratio=2.0), days / 365).volatility(0) for days in DAYS
    ]
    assert excited == sorted(excited, reverse=True)


def durrleman(curve: Smile, k: float) -> float:
    """The density's sign: negative means a butterfly that costs nothing (Gatheral 2014, eq. 2.1).

    g = (1 - k w'/2w)^2 - w'^2/4 (1/w + 1/4) + w''/2, by central differences.
    """
    step = 1e-4
    w = curve.total_variance(k)
    up, down = curve.total_variance(k + step), curve.total_variance(k - step)
    slope = (up - down) / (2 * step)
    bend = (up - 2 * w + down) / step**2
    return (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + bend / 2


def states_of_paths() -> list[VolState]:
    found = [
        a_state(fast_ratio=9.0, slow_ratio=5.0, shift_points=40.0, premium=0.4),
        a_state(fast_ratio=0.05, slow_ratio=0.1, premium=-0.4),
        a_state(fast_ratio=0.02, slow_ratio=4.0),
        a_state(fast_ratio=12.0, slow_ratio=0.1),
    ]
    for seed in range(3):
        path = Underlyings(seed, 0, {"ETH": 2_850.0}, PathParams(vol_mean=1.5, jumps_a_day=2_000))
        for step in range(6_000):
            path.step()
            if step % 1_500 == 0:
                found.append(path["ETH"].vol_state())
    return found


def test_the_surface_has_no_arbitrage_at_any_sampled_moment() -> None:
    assert ETA * (1 + abs(RHO)) <= 2
    for state in states_of_paths():
        curves = [smile(state, days / 365) for days in DAYS]
        for curve in curves:
            assert all(durrleman(curve, k) > -1e-6 for k in STRIKES)
        for near, far in pairwise(curves):
            for k in STRIKES:
                assert near.total_variance(k) <= far.total_variance(k)


def test_the_arbitrage_check_would_notice() -> None:
    # A slice with eta far beyond the bound: total variance bends down to a negative density.
    class Bent(Smile):
        def total_variance(self, k: float) -> float:
            return 0.02 + 0.5 * math.sqrt(abs(k)) * abs(k)

    assert min(durrleman(Bent(0.1, 0.02), k) for k in STRIKES if abs(k) > 0.1) < 0


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
            value = black76(
                forward,
                listed["strike"],
                listed["time_to_expiry"],
                listed["mark_iv"],
                Right(listed["option_type"]),
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
            right = Right.CALL if letter == "C" else Right.PUT
            iv = data["mark_iv"] / 100
            value = black76(data["underlying_price"], float(strike), years, iv, right)
            greeks = data["greeks"]
            assert value.delta == pytest.approx(greeks["delta"], abs=5e-4)
            assert value.gamma == pytest.approx(greeks["gamma"], abs=1e-5)
            assert value.vega == pytest.approx(greeks["vega"], rel=5e-3, abs=1e-3)
            assert value.theta == pytest.approx(greeks["theta"], rel=5e-3, abs=1e-3)
            assert value.rho == pytest.approx(greeks["rho"], rel=5e-3, abs=1e-3)
            compared += 1
    assert compared > 50
