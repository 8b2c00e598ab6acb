"""The half hour before 08:00: its mean, and what is to be expected of it on the way."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean, stdev

import pytest

from mmbot.sim.market.delivery import (
    WINDOW_MS,
    DeliveryWindow,
    averaged_deviation,
    next_settlement_ms,
)

EIGHT_MS = 1_749_196_800_000  # 2025-06-06T08:00:00Z
DAY_MS = 86_400_000
OPEN_MS = EIGHT_MS - WINDOW_MS
YEAR_S = 365 * 86_400


def a_window(now_ms: int = OPEN_MS, index: float = 100.0) -> DeliveryWindow:
    return DeliveryWindow(now_ms, index)


@pytest.mark.parametrize(
    ("now_ms", "expected_ms"),
    [
        (EIGHT_MS - 1, EIGHT_MS),
        (EIGHT_MS, EIGHT_MS + DAY_MS),
        (EIGHT_MS + DAY_MS - 1, EIGHT_MS + DAY_MS),
    ],
)
def test_settlement_is_at_eight(now_ms: int, expected_ms: int) -> None:
    assert next_settlement_ms(now_ms) == expected_ms


def test_the_delivery_price_is_the_mean_of_the_half_hour_alone() -> None:
    window = a_window(OPEN_MS - 60_000)
    for second in range(-59, 1_801):
        # Wild before; then 100 for the first third and 130 for the rest: 120.
        index = 1e6 if second <= 0 else 100.0 if second <= 600 else 130.0
        window.observe(OPEN_MS + second * 1_000, index)
    assert window.delivery(1e6) == pytest.approx(120)
    assert window.close_ms == EIGHT_MS + DAY_MS
    assert window.delivery(7.0) == 7.0  # nothing was observed


def test_the_estimate_blends_the_mean_so_far_with_the_price_now() -> None:
    window = a_window()
    assert window.blend(OPEN_MS - 1_000, 150.0) == 150.0
    for second in range(1, 601):
        window.observe(OPEN_MS + second * 1_000, 100.0)
    third_ms = OPEN_MS + 600_000
    assert window.share_left(third_ms) == pytest.approx(2 / 3)
    assert window.blend(third_ms, 130.0) == pytest.approx(100 / 3 + 130 * 2 / 3)


def test_a_world_that_begins_inside_takes_the_index_to_have_stood_still() -> None:
    window = a_window(EIGHT_MS - 600_000, 90.0)
    for second in range(1, 601):
        window.observe(EIGHT_MS - 600_000 + second * 1_000, 120.0)
    assert window.delivery(0.0) == pytest.approx(90 * 2 / 3 + 120 / 3)


@pytest.mark.parametrize("minutes_left", [45, 30, 12])
def test_the_deviation_is_that_of_an_average(minutes_left: int) -> None:
    # Against 4,000 drawn paths, whose own deviation is known to about 1.1 %.
    volatility = 0.8
    step = volatility * math.sqrt(30 / YEAR_S)
    draw = Random(minutes_left)
    delivered = []
    for _ in range(4_000):
        price, total, count = 0.0, 0.0, 0
        for half_minute in range(2 * minutes_left, 0, -1):
            move = step * draw.gauss(0, 1)
            if half_minute <= 60:
                total += price + move / 2  # the mean of the half minute
                count += 1
            price += move
        delivered.append(total / 60)
    years = minutes_left * 60 / YEAR_S
    expected = averaged_deviation(years, volatility, min(minutes_left / 30, 1.0))
    assert stdev(delivered) == pytest.approx(expected, rel=0.05)
    assert abs(fmean(delivered)) < 4 * expected / math.sqrt(len(delivered))


def test_there_is_no_jump_where_the_window_opens() -> None:
    years = 1_800 / YEAR_S
    before = averaged_deviation(years, 0.5, 1.0)
    assert averaged_deviation(years, 0.5, 1 - 1e-9) == pytest.approx(before)
