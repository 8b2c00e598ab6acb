"""A surface of volatilities without arbitrage, which answers to the price."""

import math
from itertools import pairwise

import pytest

from mmbot.sim.market.smile import ETA, RHO, Smile, smile
from mmbot.sim.market.underlying import PathParams, Underlyings, VolState

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
