"""Trades that are large for their instrument. Numbers by hand."""

import pytest

from mmbot.core.types import Side
from mmbot.signals.large_trade import KEPT, LargeTrade
from tests.signals.streams import heard, ns, trade

SIGNAL = LargeTrade(quantile=0.95, half_life_s=10.0)
USUAL = [trade(n, Side.BUY, 101.0, float(n)) for n in range(1, 21)]
"""Twenty, of sizes 1 to 20: nothing above 20 is usual."""


def told(*trades: object, at_s: float, signal: LargeTrade = SIGNAL) -> float | None:
    return signal.value(heard(signal, trades), ns(at_s))  # type: ignore[arg-type]  # trades


def test_a_large_trade_counts_as_a_multiple_of_what_counts_as_large() -> None:
    assert told(*USUAL, trade(30, Side.BUY, 101.0, 30.0), at_s=30) == 1.5
    assert told(*USUAL, trade(30, Side.SELL, 99.0, 50.0), at_s=30) == -2.5


def test_one_that_is_usual_counts_nothing() -> None:
    assert told(*USUAL, trade(30, Side.BUY, 101.0, 20.0), at_s=30) == 0.0
    same = [trade(n, Side.BUY, 101.0, 5.0) for n in range(40)]
    assert told(*same, at_s=40) == 0.0, "where all are alike none is large"


def test_it_fades() -> None:
    assert told(*USUAL, trade(30, Side.BUY, 101.0, 40.0), at_s=50) == 0.5


def test_what_is_printed_in_parts_is_one_trade() -> None:
    parts = [trade(30, Side.BUY, 101.0, 15.0), trade(30, Side.BUY, 102.0, 25.0)]
    whole = heard(SIGNAL, [*USUAL, trade(30, Side.BUY, 101.0, 40.0)])
    assert heard(SIGNAL, [*USUAL, *parts]) == whole
    assert SIGNAL.value(whole, ns(30)) == 2.0
    three = [trade(30, Side.BUY, 101.0, 30.0), *parts]
    assert told(*USUAL, *three, at_s=30) == 3.5, "each part before is counted again, not twice"


def test_sides_and_moments_are_kept_apart() -> None:
    apart = [trade(30, Side.BUY, 101.0, 15.0), trade(30.1, Side.BUY, 101.0, 15.0)]
    assert told(*USUAL, *apart, at_s=30.1) == 0.0
    sides = [trade(30, Side.BUY, 101.0, 15.0), trade(30, Side.SELL, 99.0, 15.0)]
    assert told(*USUAL, *sides, at_s=30.1) == 0.0


def test_it_is_told_once_there_have_been_trades_enough() -> None:
    assert told(at_s=1) is None
    assert told(*USUAL[:19], at_s=30) is None
    assert told(*USUAL, at_s=30) == 0.0
    assert told(*USUAL[:2], at_s=30, signal=LargeTrade(quantile=0.5)) == 0.0


def test_what_was_usual_long_ago_is_forgotten() -> None:
    small = [trade(100 + n, Side.BUY, 101.0, 1.0) for n in range(KEPT)]
    memory = heard(SIGNAL, [*USUAL, *small])
    assert memory.series == {"sizes": [1.0] * KEPT, "sorted": [1.0] * KEPT}
    SIGNAL.observe(memory, trade(1000, Side.SELL, 99.0, 3.0))
    assert SIGNAL.value(memory, ns(1000)) == pytest.approx(-3.0)
