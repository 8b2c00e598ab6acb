"""Volatility of paths whose volatility is known."""

from math import exp, log, sqrt
from random import Random

import pytest

from mmbot.core.ports import Heard
from mmbot.signals.realized_vol import YEAR_S, RealizedVol
from tests.builders import a_binary, an_option
from tests.signals.streams import PERPETUAL, book, heard, ns, ticker

SIGNAL = RealizedVol(half_life_s=600.0, sample_s=1.0)


def brownian(
    seed: int, sigma: float, seconds: float, mean_step_s: float
) -> list[tuple[float, float]]:
    """Moments and prices, at random moments."""
    draw, at_s, x = Random(seed), 0.0, log(2850.0)
    path = [(at_s, exp(x))]
    while at_s < seconds:
        step_s = draw.expovariate(1 / mean_step_s)
        at_s += step_s
        x += sigma * sqrt(step_s / YEAR_S) * draw.gauss(0, 1)
        path.append((at_s, exp(x)))
    return path


def told(signal: RealizedVol, *events: Heard) -> float | None:
    return signal.value(heard(signal, events), ns(0))


@pytest.mark.parametrize("mean_step_s", [0.2, 3.0])
def test_the_volatility_of_a_brownian_path_is_found(mean_step_s: float) -> None:
    found = []
    for seed in range(20):
        path = brownian(seed, 0.8, 3000, mean_step_s)
        vol = told(SIGNAL, *(book(at_s, mid - 0.1, mid + 0.1) for at_s, mid in path))
        assert vol is not None
        found.append(vol**2)
    # About 1700 s of returns each, one in a second or in four: 4 % or 9 % of a variance, and a
    # twentieth of its square over 20 paths.
    assert sqrt(sum(found) / len(found)) == pytest.approx(0.8, rel=0.04)


def test_half_of_the_weight_is_on_the_last_half_life() -> None:
    # A 1e-3 return each second for a long while, then none for one half-life.
    moving = [
        book(t, 100.0 * exp(1e-3 * (t % 2)) - 0.1, 100.0 * exp(1e-3 * (t % 2)) + 0.1)
        for t in range(12_001)
    ]
    still = [book(12_000 + t, 99.9, 100.1) for t in range(1, 601)]
    before, after = told(SIGNAL, *moving), told(SIGNAL, *moving, *still)
    assert before == pytest.approx(1e-3 * sqrt(YEAR_S), rel=1e-6)
    assert after == pytest.approx(1e-3 * sqrt(YEAR_S / 2), rel=1e-3)


def test_what_bounces_within_the_sampling_time_is_no_movement() -> None:
    bounce = [book(n / 10, 99.0 + n % 10, 101.0 + n % 10) for n in range(200)]
    assert told(SIGNAL, *bounce) == 0.0
    vol = told(RealizedVol(sample_s=0.0), *bounce)
    assert vol is not None
    assert vol > 1


def test_an_option_is_as_volatile_as_what_it_is_priced_on() -> None:
    path = brownian(1, 0.8, 3000, 0.5)
    tickers = [ticker(at_s, mark=0.02, index=1.0, forward=f) for at_s, f in path]
    noise = [book(at_s, 0.01 + at_s % 1, 2.0) for at_s, _ in path]
    by_book = told(SIGNAL, *(book(at_s, f * 0.999, f * 1.001) for at_s, f in path))
    option = SIGNAL.value(heard(SIGNAL, [*tickers, *noise], an_option()), ns(0))
    assert option == pytest.approx(by_book)
    binary = SIGNAL.value(
        heard(SIGNAL, [ticker(at_s, mark=0.5, index=f) for at_s, f in path], a_binary()), ns(0)
    )
    assert binary == pytest.approx(by_book)
    assert SIGNAL.value(heard(SIGNAL, tickers, PERPETUAL), ns(0)) is None


def test_ten_returns_are_needed_and_only_prices_are_compared() -> None:
    books = [book(t, 99.0, 101.0) for t in range(10)]
    assert told(SIGNAL, *books) is None
    for none in (book(10, 99.0, None), book(10, float("nan"), 1.0), book(10, -3.0, 1.0)):
        assert told(SIGNAL, *books, none) is None, none
    assert told(SIGNAL, *books, book(10, 99.0, 101.0)) == 0.0
