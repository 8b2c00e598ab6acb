"""The statistics of the last 24 hours are those of the trades."""

import pytest

from tests.sim.histories import PERPETUAL, a_market, history, prints_of


def test_stats_are_those_of_the_trades_that_were_noted() -> None:
    market = a_market(1, (PERPETUAL,))
    assert market.ticker(PERPETUAL).stats.high is None
    trades = []
    for event in prints_of(history(market, 2)):
        market.note(event)
        trades += event.trades
    stats = market.ticker(PERPETUAL).stats
    assert stats.high == float(max(trade.price for trade in trades))
    assert stats.low == float(min(trade.price for trade in trades))
    assert stats.volume_usd == float(sum(trade.amount for trade in trades))
    assert stats.price_change == pytest.approx(
        100 * float(trades[-1].price / trades[0].price - 1), abs=1e-4
    )
