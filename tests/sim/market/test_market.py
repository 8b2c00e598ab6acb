"""The market as a whole: deterministic, orderly, cheap where nobody looks, and well described."""

import os
import subprocess
import sys
from decimal import Decimal

import pytest

from mmbot.pricing import scalar
from mmbot.sim.exchange.effects import BookDelta, Prints
from mmbot.sim.exchange.listing import Kind, Right, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.market.flow import MAKERS, NOISE_ACCOUNT
from mmbot.sim.market.market import Market
from mmbot.sim.market.presets import PRESETS
from mmbot.sim.market.ticker import MarketTicker

CALL = "ETH-6JUN25-2900-C"
PUT = "ETH-6JUN25-2800-P"
PERPETUAL = "ETH-PERPETUAL"
THREE = (CALL, PUT, PERPETUAL)
MINUTE_MS = 60_000


def a_market(seed: int = 1, names: tuple[str, ...] = THREE, **over: object) -> Market:
    market = Market(Exchange(), seed, **over)  # type: ignore[arg-type]  # keywords pass through
    for name in names:
        market.watch(name)
    return market


def history(market: Market, minutes: int) -> list[BookDelta | Prints]:
    """Everything public that happens in the next minutes."""
    market.advance(market.now_ms + minutes * MINUTE_MS)
    return [e for e in market.exchange.drain() if isinstance(e, BookDelta | Prints)]


def books_of(events: list[BookDelta | Prints], name: str) -> list[object]:
    """The changes of one book, without the ids that count across all of them."""
    return [
        (e.time_ms, e.bids, e.asks) for e in events if isinstance(e, BookDelta) and e.name == name
    ]


def prints_of(events: list[BookDelta | Prints]) -> list[Prints]:
    return [event for event in events if isinstance(event, Prints)]


# -- one seed, one history ---------------------------------------------------------------------


def test_one_seed_is_one_history_in_any_process() -> None:
    program = (
        "import hashlib\n"
        "from mmbot.sim.market.market import *\n"
        "from mmbot.sim.exchange.matching import Exchange\n"
        "market = Market(Exchange(), 9, START_MS)\n"
        f"for name in {THREE!r}: market.watch(name)\n"
        "market.advance(START_MS + 60_000)\n"
        f"said = repr([market.exchange.drain(), [market.ticker(n) for n in {THREE!r}]])\n"
        "print(len(said), hashlib.sha256(said.encode()).hexdigest())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert int(said[0].split()[0]) > 10_000


def test_another_seed_is_another_history() -> None:
    assert history(a_market(1), 1) != history(a_market(2), 1)


def test_how_often_the_time_is_told_makes_no_difference() -> None:
    once, often = a_market(4), a_market(4)
    for _ in range(600):
        often.advance(often.now_ms + 100)
    assert history(once, 1) == history(often, 0)


def test_watching_one_more_changes_nothing_for_the_others() -> None:
    alone = history(a_market(3, (CALL,)), 3)
    together = history(a_market(3, ("BTC-PERPETUAL", PUT, CALL, PERPETUAL)), 3)
    assert books_of(alone, CALL) == books_of(together, CALL)
    assert books_of(alone, CALL)


def test_nobodys_orders_move_the_latent_price() -> None:
    busy, quiet = a_market(6), a_market(6, ())
    history(busy, 2)
    history(quiet, 2)
    assert busy.underlyings["ETH"].price == quiet.underlyings["ETH"].price


# -- books -------------------------------------------------------------------------------------


def test_makers_quote_both_sides_as_soon_as_somebody_watches() -> None:
    market = a_market(1, (CALL,))
    book = market.exchange.book(CALL)
    assert book.best_bid is not None
    assert book.best_ask is not None
    assert book.mark > 0


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_books_are_never_crossed_nor_off_the_ladder(preset: str) -> None:
    market = a_market(5, preset=preset)
    for _ in range(1_200):
        market.advance(market.now_ms + 50)
        for name in THREE:
            book = market.exchange.book(name)
            bid, ask = book.best_bid, book.best_ask
            if bid is not None and ask is not None:
                assert bid.price < ask.price
            for level in (bid, ask):
                assert level is None or book.listing.on_ladder(level.price)


def test_books_are_two_sided_nearly_always_and_surround_the_mark() -> None:
    market = a_market(8)
    looks = both = around = 0
    for _ in range(300):
        market.advance(market.now_ms + 1_000)
        for name in (CALL, PUT):
            book = market.exchange.book(name)
            looks += 1
            if book.best_bid is None or book.best_ask is None:
                continue
            both += 1
            tick = book.listing.tick_at(book.mark)
            around += book.best_bid.price - tick <= book.mark <= book.best_ask.price + tick
    assert both > 0.95 * looks
    assert around > 0.95 * both


def test_what_nobody_watches_has_no_book_and_says_nothing() -> None:
    market = a_market(1, ())
    assert history(market, 1) == []
    market.ticker(CALL)
    assert market.exchange.book(CALL).depth(Side.BUY) == []


def test_unwatching_takes_the_makers_away_and_leaves_everybody_else() -> None:
    market = a_market(1)
    exchange = market.exchange
    exchange.open_account("me", {"ETH": Decimal(10)})
    placed = exchange.place(
        "me",
        NewOrder(name=CALL, side=Side.BUY, amount=Decimal(1), price=Decimal("0.0001")),
        market.now_ms,
    )
    assert isinstance(placed, Placed)
    market.unwatch(CALL)
    assert exchange.book(CALL).depth(Side.BUY) == [(Decimal("0.0001"), Decimal(1))]
    assert exchange.book(CALL).depth(Side.SELL) == []
    assert exchange.book(PUT).best_bid is not None
    market.watch(CALL)
    assert exchange.book(CALL).best_ask is not None


def test_watching_twice_is_watching_once() -> None:
    once, twice = a_market(2, (CALL,)), a_market(2, (CALL, CALL))
    assert history(once, 1) == history(twice, 1)
    assert twice.watched == [CALL]


def test_the_crowd_goes_home_at_expiry() -> None:
    tonight = "ETH-3JUN25-2850-C"
    eight_o_clock_ms = 1_748_937_600_000  # 2025-06-03T08:00:00Z
    market = Market(Exchange(), 1, eight_o_clock_ms - 2_000)
    market.watch(tonight)
    assert market.watched == [tonight]
    market.advance(eight_o_clock_ms + 1_000)
    assert market.watched == []
    assert market.exchange.book(tonight).depth(Side.SELL) == []
    market.watch(tonight)
    assert market.watched == []


# -- flow --------------------------------------------------------------------------------------


def test_flow_scale_multiplies_trading() -> None:
    def traded(scale: float) -> int:
        events = history(a_market(3, (CALL, PUT), flow_scale=scale), 5)
        return sum(len(event.trades) for event in prints_of(events))

    assert traded(4.0) > 2 * traded(1.0) > 0
    assert traded(0.0) <= 2  # makers do not take; snipers may, on a jump


def test_money_only_changes_hands() -> None:
    market = a_market(3)
    exchange = market.exchange
    before = {c: sum(a.cash[c] for a in exchange.accounts.values()) for c in ("BTC", "ETH")}
    assert prints_of(history(market, 5))
    for currency, total in before.items():
        after = sum(a.cash[currency] for a in exchange.accounts.values())
        session = sum(a.session.get(currency, Decimal(0)) for a in exchange.accounts.values())
        open_cost = sum(
            position.cost
            for account in exchange.accounts.values()
            for position in account.positions.values()
            if position.listing.settlement == currency and position.listing.kind is Kind.PERPETUAL
        )
        fees = exchange.fees_collected.get(currency, Decimal(0))
        assert after + session + fees - open_cost == total


def test_makers_lean_against_what_they_hold() -> None:
    def ask_of(held: int) -> Decimal:
        market = Market(Exchange(), 2)
        exchange = market.exchange
        exchange.open_account("giver", {"ETH": Decimal(1_000_000)})
        exchange.book(CALL)
        for maker in MAKERS:
            if not held:
                continue
            for account, side in ((maker.account, Side.SELL), ("giver", Side.BUY)):
                order = NewOrder(
                    name=CALL, side=side, amount=Decimal(held), price=Decimal("0.0200")
                )
                assert isinstance(exchange.place(account, order, market.now_ms), Placed)
        market.watch(CALL)
        best = exchange.book(CALL).best_ask
        assert best is not None
        return best.price

    # Short makers ask for more.
    assert ask_of(held=60) > ask_of(held=0)


# -- tickers -----------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    "name",
    [
        "BTC-27JUN25",
        "ETH-6JUN25",
        "BTC_USDC-PERPETUAL",
        "ETH_USDC-6JUN25-2850-C",
        "XRP_USDC-6JUN25-2d2-C",
    ],
)
def test_every_product_has_its_crowd(name: str) -> None:
    market = a_market(2, (name,))
    assert prints_of(history(market, 3))
    book = market.exchange.book(name)
    assert book.best_bid is not None
    assert book.best_ask is not None
    tick = book.listing.tick_at(book.mark)
    assert book.best_bid.price - tick <= book.mark <= book.best_ask.price + tick


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


def test_the_exchanges_mark_is_the_tickers() -> None:
    market = a_market(1, (CALL, PERPETUAL))
    history(market, 1)
    for name in (CALL, PERPETUAL):
        book = market.exchange.book(name)
        ticker = market.ticker(name)
        assert float(book.mark) == pytest.approx(ticker.mark_price, abs=1e-6)
        assert float(book.index) == ticker.index_price
        assert book.min_price is not None
        assert float(book.min_price) == ticker.min_price


def test_the_indices_have_the_venues_names() -> None:
    market = a_market(1, ())
    assert market.index("eth_usd") == 2_850.0
    assert market.index("btc_usd") == 105_000.0
    with pytest.raises(KeyError):
        market.index("doge_usd")


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


def test_the_crowd_is_not_followed() -> None:
    market = a_market(1)
    history(market, 1)
    assert market.exchange.accounts[NOISE_ACCOUNT].trades == []
