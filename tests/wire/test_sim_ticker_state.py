"""What a ticker channel compares before it writes a ticker: whatever shows in one is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.settlement import deliver, settle_session
from mmbot.sim.market.market import START_MS, Market
from mmbot.sim.wire.deribit import shapes
from tests.sim.orders import D, ask, bid, placed
from tests.wire.venue import OPTION, PERPETUAL

HOUR_MS = 3_600_000


def a_market() -> Market:
    """An option and a perpetual on which somebody rests and holds, and nobody else acts."""
    market = Market(Exchange(), seed=1, prices={"ETH": 2_850.0})
    exchange = market.exchange
    for name in ("ann", "bob"):
        exchange.open_account(name, {"ETH": D(100)})
    exchange.set_mark(OPTION, D("0.03"), index=D(2850))
    for name, price, other in ((OPTION, "0.03", "0.035"), (PERPETUAL, "2850", "2860")):
        exchange.set_mark(name, D(price), index=D(2850))
        placed(exchange, "ann", bid("5", price, name=name))
        placed(exchange, "ann", ask("5", other, name=name))
        placed(exchange, "bob", ask("1", price, name=name))
    return market


CHANGES: Mapping[str, Callable[[Market], object]] = {
    "a better bid": lambda m: placed(m.exchange, "ann", bid("1", "0.0305")),
    "more at the best bid": lambda m: placed(m.exchange, "ann", bid("1", "0.03")),
    "a trade": lambda m: placed(m.exchange, "bob", ask("1", "0.03")),
    "the asks are gone": lambda m: placed(m.exchange, "bob", bid("5", "0.035")),
    "the market moves": lambda m: m.advance(START_MS + 1_000),
    "it is halted": lambda m: m.exchange.halted.add(OPTION),
    "a session ends": lambda m: settle_session(m.exchange, START_MS),
    "it is delivered": lambda m: deliver(m.exchange, OPTION, D(2850), START_MS),
    "funding": lambda m: m.exchange.accrue_funding(PERPETUAL, D("0.1")),
    "hours go by": lambda m: m.advance(START_MS + 2 * HOUR_MS // 100),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_ticker_that_says_something_new_has_another_state(what: str) -> None:
    market = a_market()
    shown = 0
    before = {name: _both(market, name) for name in (OPTION, PERPETUAL)}
    CHANGES[what](market)
    for name, (state, said) in before.items():
        state_now, said_now = _both(market, name)
        if said_now != said:
            shown += 1
            assert state_now != state
    assert shown


def test_where_nothing_happens_the_state_is_the_same() -> None:
    market = a_market()
    assert _both(market, OPTION) == _both(market, OPTION)
    placed(market.exchange, "ann", bid("1", "0.02"))  # below the best, so the ticker shows nothing
    first = _both(market, OPTION)
    placed(market.exchange, "ann", bid("1", "0.02"))
    assert _both(market, OPTION) == first


def _both(market: Market, name: str) -> tuple[object, dict[str, object]]:
    ticker = market.ticker(name)
    said = shapes.ticker(market.exchange, name, ticker, now_ms=0)
    return shapes.ticker_state(market.exchange, name, ticker), said
