"""Public trades of Deribit, driven by hand: each once, and only those of the book."""

from typing import Any

import pytest

from mmbot.core.events import ElementsUnread, Link, LinkChanged, TickerChanged, TradePrinted
from mmbot.core.types import Side
from tests.venues.deribit.driven import PERPETUAL, Driven, account
from tests.wire.scripted import Refused

TRADES, TICKER = f"trades.{PERPETUAL.name}.raw", f"ticker.{PERPETUAL.name}.raw"

PUBLISHED: dict[str, Any] = {
    "trade_seq": 30289442,
    "trade_id": "48079269",
    "timestamp": 1590484512188,
    "tick_direction": 2,
    "price": 8950,
    "mark_price": 8948.9,
    "instrument_name": PERPETUAL.name,
    "index_price": 8955.88,
    "direction": "sell",
    "amount": 10,
}
"""The venue's own example of a message, but for the instrument."""

PRINTED = TradePrinted(PERPETUAL.id, 8950.0, 10.0, Side.SELL, 1590484512188)


def told(*rows: object) -> Driven:
    driven = account()
    driven.push(Link.MARKET, TRADES, list(rows))
    return driven


def test_a_trade_of_anybody_is_told() -> None:
    assert told(PUBLISHED).told(TradePrinted) == [PRINTED]


def test_trades_of_one_message_are_told_one_by_one_in_their_order() -> None:
    bought = PUBLISHED | {"trade_id": "48079270", "direction": "buy", "amount": 20.5}
    assert told(PUBLISHED, bought).told(TradePrinted) == [
        PRINTED,
        TradePrinted(PERPETUAL.id, 8950.0, 20.5, Side.BUY, 1590484512188),
    ]


def test_a_trade_that_is_told_again_is_no_other_one() -> None:
    driven = told(PUBLISHED, PUBLISHED)
    driven.push(Link.MARKET, TRADES, [PUBLISHED])
    assert driven.told(TradePrinted) == [PRINTED]


@pytest.mark.parametrize(
    "said", [{"block_trade_id": "61"}, {"block_rfq_id": 3}, {"combo_id": "ETH-CS-6JUN25"}]
)
def test_what_was_agreed_on_beside_the_book_is_no_trade_in_it(said: dict[str, Any]) -> None:
    driven = told(PUBLISHED | said)
    driven.wait(1.5)
    assert (driven.told(TradePrinted), driven.told(ElementsUnread)) == ([], [])


@pytest.mark.parametrize(
    "said",
    [
        {"price": None},
        {"amount": "many"},
        {"amount": 0},
        {"direction": "zero"},
        {"timestamp": "now"},
        {"trade_id": None},
    ],
)
def test_a_trade_that_cannot_be_read_is_left_out_and_its_neighbors_count(
    said: dict[str, Any],
) -> None:
    driven = told(PUBLISHED | {"trade_id": "1"} | said, PUBLISHED)
    driven.wait(1.5)
    assert driven.told(TradePrinted) == [PRINTED]
    assert [(one.kind, one.count) for one in driven.told(ElementsUnread)] == [("public trade", 1)]


def test_a_venue_that_does_not_tell_of_trades_is_quoted_on_all_the_same() -> None:
    def taken(params: Any) -> Any:
        if any(one.startswith("trades.") for one in params["channels"]):
            raise Refused(13020, "not_found")
        return params["channels"]

    driven = account({"public/subscribe": taken})
    assert driven.told(LinkChanged) == []
    assert driven.session.connection.up(Link.MARKET)
    driven.push(Link.MARKET, TICKER, {"mark_price": 2500.5, "index_price": 2500.0})
    assert [one.mark for one in driven.told(TickerChanged)] == [2500.5]


def test_a_ticker_tells_the_best_prices_and_the_funding() -> None:
    driven = account()
    said = {
        "best_ask_price": 36443,
        "best_bid_price": 36442.5,
        "current_funding": 0,
        "funding_8h": 2.11e-05,
        "mark_price": 36446.51,
        "index_price": 36441.64,
        "instrument_name": PERPETUAL.name,
    }  # of the venue's own example
    driven.push(Link.MARKET, TICKER, said)
    [ticker] = driven.told(TickerChanged)
    assert (ticker.best_bid, ticker.best_ask) == (36442.5, 36443.0)
    assert (ticker.current_funding, ticker.funding_8h) == (0.0, 2.11e-05)
    assert (ticker.bid_iv, ticker.ask_iv) == (None, None)


def test_volatilities_are_fractions_and_zero_is_none() -> None:
    driven = account()
    said = {"mark_price": 0.02, "bid_iv": 0.0, "ask_iv": 64.5, "best_bid_price": 0.0}
    driven.push(Link.MARKET, TICKER, said)
    [ticker] = driven.told(TickerChanged)
    assert (ticker.bid_iv, ticker.ask_iv, ticker.best_bid) == (None, 0.645, None)
    assert (ticker.current_funding, ticker.funding_8h) == (None, None)
