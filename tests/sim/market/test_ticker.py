"""What the venue publishes about an instrument: it agrees with itself and with the market."""

import pytest

from mmbot.pricing import scalar
from mmbot.sim.exchange.listing import Kind, Right
from mmbot.sim.market.ticker import MarketTicker
from tests.sim.histories import CALL, PUT, a_market, history


def reprice(ticker: MarketTicker, strike: float, expiry_ms: int, right: Right) -> float:
    assert ticker.underlying_price is not None
    assert ticker.mark_iv is not None
    years = (expiry_ms - ticker.time_ms) / (365 * 86_400_000)
    forward = ticker.underlying_price
    is_call = right is Right.CALL
    value = scalar.value(forward, strike, years, ticker.mark_iv / 100, is_call=is_call)
    return value.price / forward


@pytest.mark.parametrize("watched", [True, False])
def test_an_options_mark_reprices_from_its_own_ticker(watched: bool) -> None:
    market = a_market(1, (CALL,) if watched else ())
    history(market, 1)
    ticker = market.ticker(CALL)
    expiry_ms = market.exchange.listings[CALL].expiry_ms
    # mark_iv is rounded to 0.01 point, which is worth about 4e-6 coin here.
    assert reprice(ticker, 2_900, expiry_ms, Right.CALL) == pytest.approx(
        ticker.mark_price, abs=5e-6
    )
    assert ticker.index_price == market.index("eth_usd")
    assert ticker.underlying_index == "ETH-6JUN25"
    assert ticker.greeks is not None
    assert 0 < ticker.greeks.delta < 1
    assert ticker.min_price < ticker.mark_price < ticker.max_price


def test_quoted_volatilities_surround_the_mark_and_are_zero_without_quotes() -> None:
    market = a_market(1, (CALL,))
    seen = market.ticker(CALL)
    assert seen.bid_iv is not None
    assert seen.mark_iv is not None
    assert seen.ask_iv is not None
    assert 0 < seen.bid_iv < seen.ask_iv
    assert abs((seen.bid_iv + seen.ask_iv) / 2 - seen.mark_iv) < 3
    unseen = market.ticker(PUT)
    assert (unseen.bid_iv, unseen.ask_iv) == (0.0, 0.0)


def test_puts_and_calls_of_a_strike_agree() -> None:
    # Parity in coin: C - P = 1 - K / F; marks are rounded to 1e-6.
    market = a_market(1, ())
    history(market, 1)
    call, put = market.ticker("ETH-6JUN25-2800-C"), market.ticker(PUT)
    assert call.underlying_price is not None
    expected = 1 - 2_800 / call.underlying_price
    assert call.mark_price - put.mark_price == pytest.approx(expected, abs=2e-6)


def test_linear_options_are_worth_the_same_in_usdc() -> None:
    market = a_market(1, ())
    history(market, 1)
    inverse, linear = market.ticker(PUT), market.ticker(f"ETH_USDC-{PUT.partition('-')[2]}")
    assert inverse.underlying_price is not None
    # The inverse mark is rounded to 1e-6 coin, which is 0.003 USDC.
    expected = inverse.mark_price * inverse.underlying_price
    assert linear.mark_price == pytest.approx(expected, abs=0.005)
    assert linear.mark_iv == inverse.mark_iv
    assert linear.greeks == inverse.greeks
    assert linear.index_price == inverse.index_price == market.index("eth_usdc")
    assert linear.underlying_index == "SYN.ETH_USDC-6JUN25"


def test_dates_without_a_future_have_a_synthetic_underlying() -> None:
    market = a_market(1, ())
    names = {market.ticker(f"ETH-{date}-2800-C").underlying_index for date in ("4JUN25", "20JUN25")}
    assert names == {"SYN.ETH-4JUN25", "SYN.ETH-20JUN25"}
    weekly = market.ticker(CALL)
    assert weekly.underlying_price == pytest.approx(
        market.ticker("ETH-6JUN25").mark_price, abs=0.01
    )


def test_every_listing_has_a_sensible_ticker() -> None:
    market = a_market(1, ())
    for name, listing in market.exchange.listings.items():
        ticker = market.ticker(name)
        assert ticker.min_price <= ticker.mark_price <= ticker.max_price or (
            ticker.mark_price < float(listing.tick)
        )
        if listing.kind is Kind.OPTION:
            assert ticker.mark_price >= 0
            assert ticker.mark_iv is not None
            assert 10 < ticker.mark_iv < 400
        elif listing.kind is Kind.PERPETUAL:
            assert ticker.current_funding is not None
            assert abs(ticker.current_funding) < 0.001
            assert ticker.mark_price == pytest.approx(ticker.index_price, rel=0.001)
        else:
            assert ticker.current_funding is None
            assert ticker.mark_price == pytest.approx(ticker.index_price, rel=0.1)
