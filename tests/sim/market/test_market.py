"""The market as a whole: deterministic, orderly, cheap where nobody looks, and well described."""

import os
import subprocess
import sys
from decimal import Decimal

import pytest

from mmbot.sim.exchange.effects import BookDelta, Prints
from mmbot.sim.exchange.listing import Kind, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.market.flow import MAKERS, NOISE_ACCOUNT
from mmbot.sim.market.market import Market
from mmbot.sim.market.presets import PRESETS
from tests.sim.histories import CALL, PERPETUAL, PUT, THREE, a_market, history, prints_of


def books_of(events: list[BookDelta | Prints], name: str) -> list[object]:
    """The changes of one book, without the ids that count across all of them."""
    return [
        (e.time_ms, e.bids, e.asks) for e in events if isinstance(e, BookDelta) and e.name == name
    ]


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


def test_makers_skew_against_what_they_hold() -> None:
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


def test_the_crowd_is_not_followed() -> None:
    market = a_market(1)
    history(market, 1)
    assert market.exchange.accounts[NOISE_ACCOUNT].trades == []
