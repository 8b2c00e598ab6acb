"""The latent prices: what a desk knows about real ones holds for these."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, pstdev

import pytest

from mmbot.sim.market.underlying import (
    MEMORY_MS,
    SECONDS_A_YEAR,
    STEP_MS,
    About,
    PathParams,
    Underlyings,
    response_points,
)

MINUTE_STEPS = 60_000 // STEP_MS
RETURN_S = 10
PRICES = {"BTC": 105_000.0, "ETH": 2_850.0}


def a_path(seed: int = 1, **over: float) -> Underlyings:
    return Underlyings(seed, 0, PRICES, replace(PathParams(), **over))


def returns(path: Underlyings, currency: str, minutes: int) -> list[float]:
    """Log returns over `RETURN_S` of the latent price."""
    logs = [math.log(path[currency].price)]
    for _ in range(minutes * 60 // RETURN_S):
        for _ in range(RETURN_S * 1_000 // STEP_MS):
            path.step()
        logs.append(math.log(path[currency].price))
    return [after - before for before, after in pairwise(logs)]


def autocorrelation(values: list[float], lag: int) -> float:
    mean = fmean(values)
    centered = [value - mean for value in values]
    ahead = zip(centered, centered[lag:], strict=False)
    return sum(a * b for a, b in ahead) / sum(a * a for a in centered)


def test_one_seed_is_one_history_and_another_seed_another() -> None:
    def end(seed: int) -> tuple[float, float]:
        path = a_path(seed)
        for _ in range(2_000):
            path.step()
        return path["ETH"].price, path["BTC"].price

    assert end(3) == end(3)
    assert end(3) != end(4)


def test_a_coin_listed_later_changes_nobody_elses_history() -> None:
    stormy = replace(PathParams(), jumps_a_day=20_000.0, large_jumps_a_day=2_000.0)
    first = PRICES | {"XRP": 2.2}
    before, after = (
        Underlyings(3, 0, prices, stormy) for prices in (first, first | {"SOL": 155.0})
    )
    for _ in range(2_000):
        before.step()
        after.step()
    assert [after[coin].price for coin in first] == [before[coin].price for coin in first]
    assert after["SOL"].price != 155.0


def test_the_history_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from mmbot.sim.market.underlying import *\n"
        "path = Underlyings(5, 0, {'ETH': 2850.0, 'BTC': 105000.0}, PathParams())\n"
        "for _ in range(3000): path.step()\n"
        "print([(x.price, x.index, x.vol_state()) for x in path.latents.values()])"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert "VolState" in said[0]


def test_volatility_has_the_wanted_mean_and_clusters() -> None:
    vols, clusters = [], []
    for seed in range(3):
        moves = returns(a_path(seed, jumps_a_day=0, large_jumps_a_day=0), "ETH", 120)
        vols.append(pstdev(moves) * math.sqrt(SECONDS_A_YEAR / RETURN_S))
        sizes = [abs(move) for move in moves]
        clusters.append(fmean(autocorrelation(sizes, lag) for lag in range(1, 30)))
    # Each path starts anywhere in the factors' stationary law (log sd 0.5), hence the wide band.
    assert 0.25 < fmean(vols) < 0.8
    assert fmean(clusters) > 0.03


def test_calmer_parameters_give_a_calmer_path() -> None:
    quiet = returns(a_path(2, vol_mean=0.3), "ETH", 30)
    loud = returns(a_path(2, vol_mean=1.2), "ETH", 30)
    assert pstdev(quiet) < pstdev(loud) / 2


def test_prices_and_index_stay_positive_in_a_crash() -> None:
    path = a_path(
        1, vol_mean=40.0, jumps_a_day=20_000.0, jump_sd=0.01, jump_mean_sds=-1.0, news_per_hour=60.0
    )
    for _ in range(20_000):
        path.step()
        assert path["ETH"].price > 0
        assert path["ETH"].index > 0
    assert path["ETH"].price < PRICES["ETH"] / 2


def test_currencies_move_together_but_not_as_one() -> None:
    path = a_path(7, news_per_hour=0.0)
    both: list[tuple[float, float]] = []
    for _ in range(4_000):
        before = path["ETH"].price, path["BTC"].price
        path.step()
        both.append((path["ETH"].price / before[0] - 1, path["BTC"].price / before[1] - 1))
    eth, btc = ([pair[i] for pair in both] for i in (0, 1))
    covariance = fmean(a * b for a, b in both)
    correlation = covariance / (pstdev(eth) * pstdev(btc))
    # Diffusion only: the shared part is 0.8 in each, so the correlation is 0.8 squared.
    assert correlation == pytest.approx(0.64, abs=0.05)


def test_the_index_lags_about_a_second() -> None:
    path = a_path(1)
    latent = path["ETH"]
    latent.step(STEP_MS, 0.0, 0.10)
    jumped = latent.price
    for _ in range(1_000 // STEP_MS - 1):
        latent.step(STEP_MS, 0.0, 0.0)
    # One time constant after a jump of 10 %, 1 - 1/e of it has arrived.
    arrived = (latent.index - PRICES["ETH"]) / (jumped - PRICES["ETH"])
    assert arrived == pytest.approx(1 - math.exp(-1), abs=0.02)
    assert latent.price_ago(0) == latent.price
    assert latent.price_ago(MEMORY_MS) == PRICES["ETH"]


def test_implied_volatility_answers_to_the_price() -> None:
    # +1.5 points for -1 %, +0.5 for +1 % (log moves), by specification.
    assert response_points(-0.01) == pytest.approx(1.5)
    assert response_points(0.01) == pytest.approx(0.5)
    assert response_points(0.0) == 0.0


def test_a_jump_lifts_implied_volatility_twice_as_much() -> None:
    latent = a_path(1, news_per_hour=0.0)["ETH"]
    latent.step(STEP_MS, 0.0, -0.02)
    # -2 % is 3 points once as a displacement and once as a jump.
    assert latent.vol_state().shift_points == pytest.approx(6.0, abs=0.05)


def test_news_moves_the_price_the_way_its_holders_know() -> None:
    path = a_path(11, vol_mean=0.4, jumps_a_day=0, large_jumps_a_day=0, news_per_hour=40.0)
    latent = path["ETH"]
    agree = []
    waiting: list[tuple[int, float, float]] = []
    for step in range(60 * MINUTE_STEPS):
        path.step()
        waiting += [
            (step + 400, latent.price, news.unreleased + latent.pending(About.PRICE))
            for news in latent.slices
            if news.about is About.PRICE
        ]
        while waiting and waiting[0][0] <= step:
            _, price, known = waiting.pop(0)
            agree.append((latent.price - price) * known > 0)
    assert len(agree) > 50
    assert fmean(agree) > 0.7


def test_without_news_nobody_knows_anything() -> None:
    path = a_path(1, news_per_hour=0.0)
    for _ in range(5_000):
        path.step()
        assert not path["ETH"].slices
        assert path["ETH"].pending(About.PRICE) == 0.0
