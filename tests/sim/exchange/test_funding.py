"""Funding: the venue's rate, what it costs, and what is remembered of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mmbot.sim.exchange.funding import Funding, rate_of
from mmbot.sim.market.chain import FAMILIES, perpetual

INVERSE, LINEAR = (perpetual(FAMILIES[name], 0) for name in ("ETH", "ETH_USDC"))
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("premium", "rate"),
    [
        (0.0, 0.0),
        (0.00025, 0.0),
        (-0.0002, 0.0),
        (0.001, 0.00075),
        (-0.001, -0.00075),
        (0.1, 0.005),  # the cap
        (-0.1, -0.005),
    ],
)
def test_the_rate_is_the_premium_beyond_a_dead_band(premium: float, rate: float) -> None:
    assert rate_of(premium) == pytest.approx(rate)


def test_a_second_costs_its_share_of_eight_hours() -> None:
    # 0.075 % / 28,800: of one dollar at 2500 in coin, of one coin at 2500 in USDC.
    share = 0.00075 / 28_800
    assert float(Funding(INVERSE, 0, 2500).accrue(1_000, 0.001, 2500)) == pytest.approx(
        share / 2500
    )
    assert float(Funding(LINEAR, 0, 2500).accrue(1_000, 0.001, 2500)) == pytest.approx(share * 2500)
    assert Funding(INVERSE, 0, 2500).accrue(1_000, 0.0001, 2500) == Decimal(0)


def test_hours_are_remembered_with_what_they_cost() -> None:
    funding = Funding(INVERSE, 0, 2000)
    for second in range(1, 10 * 3_600 + 1):
        hour = (second - 1) // 3_600
        funding.accrue(second * 1_000, 0.00025 + 0.0008 * (hour < 5), 2000 + hour)
    # An hour at 0.08 % for eight costs 0.01 %.
    assert [hour.time_ms for hour in funding.hours] == [n * HOUR_MS for n in range(1, 11)]
    assert [hour.interest_1h for hour in funding.hours] == pytest.approx([0.0001] * 5 + [0.0] * 5)
    assert funding.hours[4].interest_8h == pytest.approx(0.0005)
    assert funding.hours[9].interest_8h == pytest.approx(0.0003)  # hours 3 to 10
    assert (funding.hours[1].previous_index, funding.hours[1].index) == (2000, 2001)


def test_the_mean_trails_by_about_eight_hours() -> None:
    funding = Funding(INVERSE, 0, 2000)
    for second in range(1, 8 * 3_600 + 1):
        funding.accrue(second * 1_000, 0.00125, 2000)
    assert funding.rate == pytest.approx(0.001)
    assert funding.mean_8h == pytest.approx(0.001 * (1 - 2.718281828**-1), rel=1e-3)
