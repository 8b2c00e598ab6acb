"""Each guard alone: where it lets go, where it bites, and what it says."""

from decimal import Decimal
from math import isnan
from typing import Any

import pytest
from msgspec.structs import replace

from mmbot.core.order_to_volume import Traffic
from mmbot.core.ports import Guard
from mmbot.core.sizes import Size
from mmbot.core.types import SECOND
from mmbot.core.views import Holding, Margin, Ok, Pause, RiskSnapshot, Slow, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import BUILT_IN, Family, load
from mmbot.risk.guards.clock_skew import ClockSkew
from mmbot.risk.guards.day_loss import DayLoss
from mmbot.risk.guards.drawdown import Drawdown
from mmbot.risk.guards.margin import Margin as MarginGuard
from mmbot.risk.guards.order_to_volume import OrderToVolume
from mmbot.risk.guards.position import Position
from mmbot.risk.guards.reject_rate import RejectRate
from mmbot.risk.guards.session_loss import SessionLoss
from mmbot.risk.guards.stale_data import StaleData
from mmbot.risk.guards.unreconciled import Unreconciled
from tests.builders import NOW_NS, a_perpetual, an_option

NAN = float("nan")


def a_reading(**changes: Any) -> RiskSnapshot:
    """An account with which all is well."""
    reading = RiskSnapshot(
        now_ns=NOW_NS,
        session_usd=0.0,
        day_usd=0.0,
        drawdown_usd=0.0,
        positions=(),
        silent_ns=0,
        sent=100,
        refused=0,
        mismatch="",
        mismatch_ns=0,
        skew_ns=0,
        margins=(),
        traffic=(),
    )
    return replace(reading, **changes)


def held(amount: int, opening: int = 0) -> tuple[Holding, ...]:
    return (Holding(an_option(), Decimal(amount), Decimal(opening)),)


def a_margin(maintenance: str, equity: str) -> tuple[Margin, ...]:
    return (Margin("ETH", Decimal(equity), Decimal(maintenance)),)


@pytest.mark.parametrize("name", BUILT_IN[Family.GUARD])
def test_a_guard_as_configured_by_default_has_nothing_against_a_quiet_account(name: str) -> None:
    guard: Guard = load(Family.GUARD, name, "test")()
    assert guard.watch(a_reading()) == Ok(0.0)


@pytest.mark.parametrize(
    ("guard", "near", "used", "at", "why"),
    [
        (SessionLoss(limit_usd=Decimal(100)), {"session_usd": -50.0}, 0.5,
         {"session_usd": -100.0}, Why.SESSION_LOSS),
        (DayLoss(limit_usd=Decimal(100)), {"day_usd": -99.0}, 0.99,
         {"day_usd": -100.0}, Why.DAY_LOSS),
        (Drawdown(limit_usd=Decimal(100)), {"drawdown_usd": 25.0}, 0.25,
         {"drawdown_usd": 100.0}, Why.DRAWDOWN),
        (Position(limit=Size(Decimal(10))), {"positions": held(-10)}, 1.0,
         {"positions": held(-11)}, Why.POSITION),
        (StaleData(after_s=60), {"silent_ns": 30 * SECOND}, 0.5,
         {"silent_ns": 60 * SECOND}, Why.STALE_DATA),
        (RejectRate(pause_pct=50, trip_pct=80), {"refused": 40}, 0.5,
         {"refused": 80}, Why.REJECTS),
        (Unreconciled(after_s=60), {"mismatch": "A", "mismatch_ns": 15 * SECOND}, 0.25,
         {"mismatch": "A", "mismatch_ns": 60 * SECOND}, Why.UNRECONCILED),
        (ClockSkew(limit_s=1), {"skew_ns": SECOND // 2}, 0.5,
         {"skew_ns": SECOND}, Why.CLOCK_SKEW),
        (MarginGuard(limit_pct=Decimal(50)), {"margins": a_margin("1", "4")}, 0.5,
         {"margins": a_margin("2", "4")}, Why.MARGIN),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict | float | Why) else "",
)  # fmt: skip
def test_a_guard_bites_at_its_limit_and_not_before(
    guard: Guard, near: dict[str, Any], used: float, at: dict[str, Any], why: Why
) -> None:
    before, after = guard.watch(a_reading(**near)), guard.watch(a_reading(**at))
    assert isinstance(before, Ok)
    assert before.used == pytest.approx(used)
    assert isinstance(after, Trip)
    assert after.why is why
    assert after.detail


@pytest.mark.parametrize("guard", [SessionLoss(), DayLoss(), Drawdown()])
def test_a_profit_uses_nothing_of_a_loss_limit(guard: Guard) -> None:
    assert guard.watch(a_reading(session_usd=9e9, day_usd=9e9)) == Ok(0.0)


def test_a_position_that_was_there_before_us_may_stay_but_not_grow() -> None:
    guard = Position(limit=Size(Decimal(10)))
    assert guard.watch(a_reading(positions=held(50, opening=50))) == Ok(1.0)
    assert isinstance(guard.watch(a_reading(positions=held(51, opening=50))), Trip)
    assert isinstance(guard.watch(a_reading(positions=held(-51, opening=50))), Trip)


def test_the_position_that_is_too_large_is_named() -> None:
    small = Holding(an_option(), Decimal(5), Decimal(0))
    large = Holding(a_perpetual(), Decimal(-300), Decimal(0))
    said = Position(limit=Size(Decimal(10))).watch(a_reading(positions=(small, large)))
    assert said == Trip(Why.POSITION, "-300 ETH-PERPETUAL, the limit is 10")


def test_a_limit_in_dollars_waits_for_the_price() -> None:
    guard = Position(limit=Size(Decimal(2850), "USD"))
    (unpriced,) = held(5)
    assert guard.watch(a_reading(positions=(unpriced,))) == Ok(0.0)
    priced = replace(unpriced, index=2850.0, mark=0.02)
    assert isinstance(guard.watch(a_reading(positions=(priced,))), Trip)


def test_refusals_pause_before_they_trip_and_need_a_number_of_requests() -> None:
    guard = RejectRate(pause_pct=30, trip_pct=60, least=20)
    assert guard.watch(a_reading(sent=19, refused=19)) == Ok(0.0)
    paused = guard.watch(a_reading(sent=20, refused=6))
    assert isinstance(paused, Pause)
    assert paused.why is Why.REJECTS
    assert isinstance(guard.watch(a_reading(sent=20, refused=12)), Trip)


def test_margin_without_any_equity_trips() -> None:
    assert isinstance(MarginGuard().watch(a_reading(margins=a_margin("0.1", "0"))), Trip)
    assert isinstance(MarginGuard().watch(a_reading(margins=a_margin("0.1", "-1"))), Trip)


def test_every_currency_counts_for_margin() -> None:
    margins = (*a_margin("0.1", "4"), Margin("BTC", Decimal(1), Decimal("0.9")))
    assert isinstance(MarginGuard().watch(a_reading(margins=margins)), Trip)


@pytest.mark.parametrize("guard", [SessionLoss(), DayLoss(), Drawdown()])
def test_what_is_not_a_number_is_never_within_a_limit(guard: Guard) -> None:
    said = guard.watch(a_reading(session_usd=NAN, day_usd=NAN, drawdown_usd=NAN))
    assert isinstance(said, Trip) or (isinstance(said, Ok) and isnan(said.used))


def test_order_to_volume_slows_beyond_what_the_volume_allows() -> None:
    guard = OrderToVolume(per_1000_usd=100, least=1000)
    traded = Traffic(messages=2000, trades=9, volume_usd=20_000.0)  # exactly 100 per 1,000 USD
    assert guard.watch(a_reading(traffic=(traded,))) == Ok(1.0)
    verdict = guard.watch(a_reading(traffic=(traded, replace(traded, messages=2001))))
    assert verdict == Slow(Why.ORDER_TO_VOLUME, "2001 messages in an hour, allowed are 2000")


def test_order_to_volume_has_nothing_against_few_messages_however_little_is_traded() -> None:
    guard = OrderToVolume(per_1000_usd=100, least=1000)
    assert guard.watch(a_reading(traffic=(Traffic(messages=1000),))) == Ok(1.0)
    assert isinstance(guard.watch(a_reading(traffic=(Traffic(messages=1001),))), Slow)
