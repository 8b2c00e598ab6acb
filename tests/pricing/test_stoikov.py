"""Stoikov's microprice on books whose next move is known."""

import numpy as np
import pytest

from mmbot.pricing.stoikov import Adjustment, fit

TICK = 0.5
BUCKETS = 5


def books(
    draws: np.random.Generator, updates: int, persistent: float = 0.0
) -> tuple[np.ndarray, ...]:
    """Imbalances of five kinds, a spread of a tick, and a middle that moves by a tick up with the
    chance 0.2 I and down with 0.2 (1 - I). With `persistent` the imbalance mostly stays."""
    imbalance, price = 0.5, 10_000.0
    rows = []
    for _ in range(updates):
        rows.append((price, 100 * imbalance, price + TICK, 100 * (1 - imbalance)))
        chance = draws.random()
        if chance < 0.2 * imbalance:
            price += TICK
        elif chance > 1 - 0.2 * (1 - imbalance):
            price -= TICK
        if draws.random() >= persistent:
            imbalance = (draws.integers(BUCKETS) + 0.5) / BUCKETS
    return tuple(np.array(rows).T)


def fitted(persistent: float, updates: int = 60_000) -> Adjustment:
    rows = books(np.random.default_rng(2), updates, persistent)
    return fit(*rows, tick=TICK, buckets=BUCKETS, widest=2)


def test_the_adjustment_is_the_expected_move() -> None:
    # The imbalance is drawn anew at every update: only the next move is foretold, by
    # 0.2 I - 0.2 (1 - I) ticks: -0.16, -0.08, 0, 0.08, 0.16.
    found = fitted(persistent=0.0)
    assert found.ticks[:, 0] == pytest.approx([-0.16, -0.08, 0.0, 0.08, 0.16], abs=0.012)
    assert found.ticks[:, 1] == pytest.approx([0.0] * BUCKETS)  # a spread that was never seen


def test_an_imbalance_that_stays_foretells_more() -> None:
    # It stays with the chance 0.75: four moves are foretold on average instead of one.
    found = fitted(persistent=0.75)
    assert found.ticks[:, 0] == pytest.approx([-0.64, -0.32, 0.0, 0.32, 0.64], abs=0.05)


def test_a_microprice_is_the_middle_plus_its_adjustment() -> None:
    table = np.array([[-0.3, -0.6], [0.3, 0.6]])
    found = Adjustment(table, TICK, 100)
    assert found.microprice(100.0, 1.0, 100.5, 9.0) == pytest.approx(100.25 - 0.15)
    assert found.microprice(100.0, 9.0, 100.5, 1.0) == pytest.approx(100.25 + 0.15)
    assert found.microprice(100.0, 9.0, 101.0, 1.0) == pytest.approx(100.5 + 0.3)
    assert found.microprice(100.0, 9.0, 105.0, 0.0) == pytest.approx(102.5 + 0.3)  # wide as two
    assert found.microprice(100.0, 0.0, 100.5, 0.0) is None


def test_buying_and_selling_are_mirror_images() -> None:
    found = fitted(persistent=0.5, updates=3_000)
    assert found.ticks == pytest.approx(-found.ticks[::-1], abs=1e-9)


def test_a_middle_that_never_moves_has_no_adjustment() -> None:
    flat = np.full(50, 100.0)
    sizes = np.linspace(1.0, 9.0, 50)
    found = fit(flat, sizes, flat + TICK, sizes[::-1].copy(), tick=TICK)
    assert found.ticks == pytest.approx(np.zeros((10, 3)))
    assert found.updates == 49
