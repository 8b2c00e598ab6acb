"""Options that settle on an average: against exact slopes, drawn paths, and at the seams."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from mmbot.pricing.averaging import WINDOW_YEARS, greeks_in_window, years_before
from mmbot.pricing.black76 import greeks
from tests.pricing import exact

CALL, PUT = 1.0, -1.0


def usd(
    forward: Any, strike: float, years: Any, vol: Any, sign: float, share: Any, average: Any
) -> Any:
    """By the definition: an option on (1 - u) A, which is known, and u times a lognormal value of
    deviation sigma sqrt(T/3)."""
    share = mpf(share)
    still = mpf(strike) - (1 - share) * average
    return exact.usd(share * forward, still, mpf(years) / 3, vol, sign)


@given(
    forward=st.sampled_from([100.0, 61_234.5]),
    share=st.floats(0.02, 0.98),
    lead=st.floats(-0.003, 0.003),
    deviations=st.floats(-2.5, 2.5),
    vol=st.floats(0.1, 3.0),
    sign=st.sampled_from([CALL, PUT]),
)
def test_every_greek_is_a_central_difference(
    forward: float, share: float, lead: float, deviations: float, vol: float, sign: float
) -> None:
    average = forward * (1 + lead)
    years = share * WINDOW_YEARS
    deviation = share * vol * math.sqrt(years / 3)
    strike = (share * forward + (1 - share) * average) * (1 + deviations * deviation)
    found = greeks_in_window(
        forward, strike, years, vol, sign, share_left=share, average=average, inverse=False
    )

    def worth(f: Any = forward, t: Any = years, v: Any = vol) -> Any:
        """At another time: what is known has grown by what the forward was meanwhile."""
        u = share * mpf(t) / mpf(years)
        known = (1 - mpf(share)) * mpf(average) + (mpf(share) - u) * mpf(forward)
        return usd(f, strike, t, v, sign, u, known / (1 - u))

    def delta(t: Any = years, v: Any = vol) -> Any:
        return exact.slope(lambda f: worth(f, t, v), forward)

    assert float(found.price) == pytest.approx(float(worth()), rel=1e-9, abs=1e-9 * forward)
    assert float(found.delta_black) == pytest.approx(float(delta()), rel=1e-7)
    gamma = float(exact.slope(lambda f: worth(f=f), forward, order=2))
    assert float(found.gamma_per_usd) == pytest.approx(gamma, rel=1e-7)
    vega = float(exact.slope(lambda v: worth(v=v), vol)) / 100
    assert float(found.vega_usd_per_vol_point) == pytest.approx(vega, rel=1e-7)
    vanna = float(exact.slope(lambda v: delta(v=v), vol)) / 100
    assert float(found.vanna) == pytest.approx(vanna, rel=1e-7, abs=1e-8)
    volga = float(exact.slope(lambda v: worth(v=v), vol, order=2)) / 10_000
    assert float(found.volga) == pytest.approx(volga, rel=1e-6, abs=1e-7 * vega)
    slope = float(exact.slope(lambda t: worth(t=t), years)) / 365
    whole = float(worth()) - max(sign * float(share * forward + (1 - share) * average - strike), 0)
    assert float(found.theta_usd_per_day) == pytest.approx(max(-slope, -whole), rel=1e-6)
    charm = -float(exact.slope(lambda t: delta(t=t), years)) / 365
    assert float(found.charm_per_day) == pytest.approx(charm, rel=1e-7, abs=1e-3)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("sign", [CALL, PUT])
def test_a_price_is_the_mean_payoff_over_drawn_paths(share: float, sign: float) -> None:
    forward, average, vol = 100.0, 100.05, 0.8
    years = share * WINDOW_YEARS
    draws = np.random.default_rng(11)
    steps, paths = 150, 40_000
    moves = draws.normal(0.0, vol * math.sqrt(years / steps), (paths // 2, steps))
    moves = np.concatenate([moves, -moves])  # each path with its mirror image
    walks = np.cumsum(moves, axis=1)
    # The mean over time: of every step its middle counts.
    middles = walks - 0.5 * moves - 0.25 * vol * vol * years / steps
    settled = (1 - share) * average + share * forward * np.exp(middles).mean(axis=1)
    for strike in (99.9, 100.0, 100.1):
        paid = np.maximum(sign * (settled - strike), 0.0)
        pairs = 0.5 * (paid[: paths // 2] + paid[paths // 2 :])
        error = pairs.std() / math.sqrt(len(pairs))
        found = greeks_in_window(
            forward, strike, years, vol, sign, share_left=share, average=average, inverse=False
        )
        assert float(found.price) == pytest.approx(float(paid.mean()), abs=4 * error + 2e-5)


def test_before_the_window_two_thirds_of_it_are_missing() -> None:
    # D = 30 min = 1/17520 of a year; T = 2 h: 2 h - 20 min.
    assert years_before(4 * WINDOW_YEARS) == pytest.approx(100 / 525_600)
    assert years_before(WINDOW_YEARS) == pytest.approx(10 / 525_600)
    assert years_before(0.5 * WINDOW_YEARS) == pytest.approx(5 / 525_600)
    assert years_before(-1.0) == 0.0
    assert years_before(3.0, 1.0).tolist() == pytest.approx(7 / 3)


@pytest.mark.parametrize("sign", [CALL, PUT])
def test_both_cases_meet_where_the_window_begins(sign: float) -> None:
    before = greeks(100.0, 100.1, years_before(WINDOW_YEARS), 0.6, sign, inverse=True)
    inside = greeks_in_window(
        100.0, 100.1, WINDOW_YEARS, 0.6, sign, share_left=1.0, average=1.0, inverse=True
    )
    for name in ("price", "delta_black", "gamma_per_usd", "vega_usd_per_vol_point", "vanna"):
        assert getattr(inside, name) == pytest.approx(getattr(before, name), rel=1e-12)


def test_the_average_of_what_is_left_moves_delta_by_its_share() -> None:
    # A quarter of the window left, A = F = K = 100: delta is a quarter of N(d1), d1 = w/2.
    years = 0.25 * WINDOW_YEARS
    found = greeks_in_window(
        100.0, 100.0, years, 0.6, CALL, share_left=0.25, average=100.0, inverse=True
    )
    w = 0.6 * math.sqrt(years / 3)
    assert found.delta_black == pytest.approx(0.25 * float(exact.normal(mpf(w) / 2)), rel=1e-12)
    # Deviation u F sigma sqrt(T/3); at the money a price is that / sqrt(2 pi).
    assert found.price == pytest.approx(0.25 * w / math.sqrt(2 * math.pi), rel=1e-6)
    assert found.delta_net_coin == found.delta_black - found.price


def test_what_is_certain_is_coins_and_cash() -> None:
    # Of a strike of 40 half is paid by A = 100 already.
    call, put = (
        greeks_in_window(100.0, 40.0, 1e-5, 0.6, sign, share_left=0.5, average=100.0, inverse=False)
        for sign in (CALL, PUT)
    )
    assert call.price == 60.0
    assert call.delta_black == 0.5
    assert call.charm_per_day == pytest.approx(-0.5 / 1e-5 / 365)
    assert put.price == put.delta_black == put.charm_per_day == 0.0
    for found in (call, put):
        assert found.gamma_per_usd == found.theta_usd_per_day == found.volga == 0.0


@pytest.mark.parametrize(("years", "share"), [(0.0, 0.0), (-1.0, 0.3), (0.0, 0.3), (1e-9, 0.0)])
def test_after_the_window_the_average_settles(years: float, share: float) -> None:
    found = greeks_in_window(
        100.0, 98.0, years, 0.6, CALL, share_left=share, average=99.0, inverse=False
    )
    assert found.price == 1.0
    assert [float(of) for of in found[3:]] == [0.0] * 10


def test_a_window_takes_whole_chains() -> None:
    strikes = np.array([40.0, 99.9, 100.1])
    chain = greeks_in_window(
        100.0, strikes, 1e-5, 0.6, PUT, share_left=0.5, average=100.0, inverse=True
    )
    assert {of.shape for of in chain} == {(3,)}
    assert mpmath.isfinite(sum(map(float, chain.price)))
