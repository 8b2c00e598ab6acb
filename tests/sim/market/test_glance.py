"""Options that are looked at and not traded: what their makers say, and what they leave alone."""

from decimal import Decimal
from itertools import pairwise
from math import log

import pytest

from mmbot.pricing import scalar
from mmbot.sim.exchange.listing import Right, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.market.market import Market
from mmbot.sim.market.ticker import MarketTicker

CALL, PERPETUAL = "ETH-6JUN25-2800-C", "ETH-PERPETUAL"
WING, LINEAR = "ETH-6JUN25-3600-C", "ETH_USDC-6JUN25-2800-P"


def a_market(seed: int, glanced: tuple[str, ...], watched: tuple[str, ...] = ()) -> Market:
    market = Market(Exchange("g-"), seed)
    for name in watched:
        market.watch(name)
    for name in glanced:
        market.glance(name)
    return market


def told(market: Market, name: str) -> MarketTicker:
    ticker = market.ticker(name)
    assert ticker.quotes is not None
    return ticker


def history(market: Market, name: str, seconds: int) -> list[MarketTicker]:
    """Every ticker of so many seconds, each once."""
    seen: list[MarketTicker] = []
    for _ in range(20 * seconds):
        market.advance(market.now_ms + 50)
        fresh = told(market, name)
        if not seen or fresh is not seen[-1]:
            seen.append(fresh)
    return seen


def test_a_ticker_comes_when_a_best_price_moves_or_four_seconds_are_over() -> None:
    market = a_market(1, (CALL,))
    seen = history(market, CALL, 60)
    for before, after in pairwise(seen[1:]):  # the first came when it was asked for
        apart_ms = after.time_ms - before.time_ms
        assert apart_ms % 500 == 0
        assert apart_ms <= 4_000
    assert 15 < len(seen) <= 121
    assert len({one.quotes for one in seen}) > 5


def test_a_look_leaves_the_book_empty() -> None:
    market = a_market(1, (CALL,))
    history(market, CALL, 10)
    assert market.exchange.book(CALL).depth(Side.BUY) == []
    assert market.exchange.drain() == []
    assert market.watched == []


@pytest.mark.parametrize("name", [CALL, WING, LINEAR])
def test_the_best_prices_are_on_the_ladder_and_around_the_mark(name: str) -> None:
    market = a_market(2, (name,))
    listing = market.exchange.terms(name)
    around = looks = 0
    for ticker in history(market, name, 120):
        assert ticker.quotes is not None
        bid, ask = ticker.quotes.best_bid, ticker.quotes.best_ask
        assert ask is not None
        assert listing.on_ladder(ask.price)
        assert ask.total >= listing.min_amount
        tick = listing.tick_at(Decimal(repr(ticker.mark_price)))
        if bid is not None:
            assert bid.price < ask.price
            assert listing.on_ladder(bid.price)
        looks += 1
        low = bid.price if bid is not None else Decimal(0)
        around += low - tick <= Decimal(repr(ticker.mark_price)) <= ask.price + tick
    assert around > 0.95 * looks


@pytest.mark.parametrize("name", [CALL, LINEAR])
def test_the_volatilities_are_those_of_the_prices(name: str) -> None:
    market = a_market(3, (name,))
    listing = market.exchange.terms(name)
    strike, is_call = float(listing.strike or 0), listing.right is Right.CALL
    for ticker in history(market, name, 20):
        years = (listing.expiry_ms - ticker.time_ms) / (365 * 86_400_000)
        forward = ticker.underlying_price
        assert ticker.quotes is not None
        assert forward is not None
        assert ticker.mark_iv is not None
        prices = {
            ticker.mark_iv: ticker.mark_price,
            ticker.bid_iv: float(ticker.quotes.best_bid.price) if ticker.quotes.best_bid else None,
            ticker.ask_iv: float(ticker.quotes.best_ask.price) if ticker.quotes.best_ask else None,
        }
        for percent, price in prices.items():
            if price is None or percent is None:
                continue
            usd = price * forward if listing.inverse else price
            found = scalar.implied_vol(usd, forward, strike, years, 0.7, is_call=is_call)
            assert found is not None
            assert percent == pytest.approx(100 * found, abs=0.35)


def test_between_two_valuations_the_mark_is_what_a_valuation_would_say() -> None:
    market = a_market(4, (CALL, WING, LINEAR))
    for _ in range(120):
        market.advance(market.now_ms + 500)
        for name in (CALL, WING, LINEAR):
            said, terms = told(market, name), market.exchange.terms(name)
            if said.time_ms == market.now_ms:
                mark = float(market._worth.mark(terms).price)
                tick = float(terms.tick_at(Decimal(repr(mark))))
                assert abs(said.mark_price - mark) < tick / 10 + 1e-6


def test_quotes_are_as_wide_as_those_of_the_crowd() -> None:
    """In volatility points, on average, within a third: the same makers by the same rules."""
    quoted, traded = a_market(5, (CALL,)), a_market(5, (), (CALL,))
    wide: dict[str, list[float]] = {"quoted": [], "traded": []}
    for _ in range(300):
        for name, market in (("quoted", quoted), ("traded", traded)):
            market.advance(market.now_ms + 1_000)
            market.exchange.drain()
            ticker = market.ticker(CALL)
            if ticker.bid_iv and ticker.ask_iv:
                wide[name].append(ticker.ask_iv - ticker.bid_iv)
    means = {name: sum(one) / len(one) for name, one in wide.items()}
    assert 2 / 3 < means["quoted"] / means["traded"] < 3 / 2


def test_one_seed_is_one_history_and_another_another() -> None:
    assert history(a_market(6, (CALL,)), CALL, 5) == history(a_market(6, (CALL,)), CALL, 5)
    assert history(a_market(6, (CALL,)), CALL, 5) != history(a_market(7, (CALL,)), CALL, 5)


def test_looking_at_options_changes_nothing_of_what_is_traded() -> None:
    alone = a_market(8, (), (CALL, PERPETUAL))
    beside = a_market(8, (WING, LINEAR), (CALL, PERPETUAL))
    for _ in range(600):
        alone.advance(alone.now_ms + 50)
        beside.advance(beside.now_ms + 50)
        assert alone.exchange.drain() == beside.exchange.drain()
    assert alone.underlyings["ETH"].price == beside.underlyings["ETH"].price


def test_looking_at_one_more_changes_nothing_for_the_others() -> None:
    alone, together = a_market(9, (CALL,)), a_market(9, (CALL, WING))
    assert [one.quotes for one in history(alone, CALL, 5)] == [
        one.quotes for one in history(together, CALL, 5)
    ]


def test_where_the_book_is_wanted_the_crowd_comes_and_a_look_is_at_the_book() -> None:
    market = a_market(10, (CALL,))
    market.watch(CALL)
    assert market.glanced(CALL) is None
    assert market.ticker(CALL).quotes is None
    assert market.exchange.book(CALL).best_bid is not None
    market.unwatch(CALL)
    market.advance(market.now_ms + 500)
    assert market.glanced(CALL) is not None


def test_only_options_are_looked_at_and_only_until_they_expire() -> None:
    market = a_market(11, (PERPETUAL, "ETH-3JUN25-2850-C", "nothing"))
    assert market.glanced(PERPETUAL) is None
    assert market.glanced("ETH-3JUN25-2850-C") is not None
    expiry_ms = market.exchange.terms("ETH-3JUN25-2850-C").expiry_ms
    market.advance(expiry_ms + 1_000)
    assert market.glanced("ETH-3JUN25-2850-C") is None


def test_who_is_not_looked_at_any_more_costs_nothing() -> None:
    market = a_market(12, (CALL,))
    market.unglance(CALL)
    assert market.glanced(CALL) is None
    assert market.ticker(CALL).quotes is None


def test_nobody_quotes_what_is_halted() -> None:
    market = a_market(13, (CALL,))
    market.exchange.halt(CALL, market.now_ms)
    market.advance(market.now_ms + 500)
    quotes = told(market, CALL).quotes
    assert quotes is not None
    assert (quotes.best_bid, quotes.best_ask) == (None, None)


def test_far_from_the_money_there_is_no_bid_where_nothing_is_left_to_bid() -> None:
    name = "ETH-3JUN25-3300-C"
    market = Market(Exchange("g-"), 14)
    names = [n for n in market.exchange.listings if n.startswith("ETH-3JUN25-") and n[-1] == "C"]
    name = max(names, key=lambda n: log(float(n.split("-")[2])))
    market.glance(name)
    seen = history(market, name, 5)
    assert all(one.quotes is not None and one.quotes.best_ask is not None for one in seen)
    assert any(one.quotes is not None and one.quotes.best_bid is None for one in seen)
    assert all(one.bid_iv == 0 for one in seen if one.quotes and one.quotes.best_bid is None)
