"""Public trades of Derive, driven by hand: each once, and only those of the book."""

from typing import Any

import pytest

from mmbot.core.events import ElementsUnread, Link, TickerChanged, TradePrinted
from mmbot.core.types import InstrumentId, Side
from mmbot.venues.derive.public import PublicSession
from tests.builders import NOW_NS
from tests.venues.derive.driven import PERP, Driven
from tests.venues.derive.samples import OPTION_TICKER, PERP_TICKER, PUBLIC_TRADE

PERPETUAL = InstrumentId(f"derive:{PERP}")
TRADES, TICKER = f"trades.{PERP}", f"ticker_slim.{PERP}.100"

TRADE = PUBLIC_TRADE | {"instrument_name": PERP}
PRINTED = TradePrinted(PERPETUAL, 83863.0, 0.0357, Side.BUY, 1790792657383)


def market() -> Driven:
    driven = Driven(PublicSession("derive", NOW_NS), {}).list_all()
    driven.carry_out(driven.session.start(driven.instruments, driven.now_ns))
    driven.wait(1.0)
    driven.forget()
    return driven


def told(*rows: object) -> Driven:
    driven = market()
    driven.push(Link.MARKET, TRADES, list(rows))
    return driven


def test_a_trade_of_anybody_is_told_once() -> None:
    driven = told(TRADE)
    driven.push(Link.MARKET, TRADES, [TRADE])
    assert driven.told(TradePrinted) == [PRINTED]


def test_amounts_may_be_numbers() -> None:
    assert told(TRADE | {"trade_price": 83863, "trade_amount": 0.0357}).told(TradePrinted) == [
        PRINTED
    ]


def test_what_was_agreed_on_beside_the_book_is_no_trade_in_it() -> None:
    assert told(TRADE | {"rfq_id": "d2c0"}).told(TradePrinted) == []


@pytest.mark.parametrize(
    "said",
    [{"trade_price": "?"}, {"trade_amount": "0"}, {"direction": None}, {"timestamp": None}],
)
def test_a_trade_that_cannot_be_read_is_left_out_and_its_neighbors_count(
    said: dict[str, Any],
) -> None:
    driven = told(TRADE | {"trade_id": "1"} | said, TRADE)
    driven.wait(1.5)
    assert driven.told(TradePrinted) == [PRINTED]
    assert [one.kind for one in driven.told(ElementsUnread)] == ["public trade"]


def test_a_ticker_tells_the_best_prices_and_the_funding_for_8_hours() -> None:
    driven = market()
    driven.push(Link.MARKET, TICKER, {"timestamp": 1, "instrument_ticker": PERP_TICKER})
    [ticker] = driven.told(TickerChanged)
    assert (ticker.best_bid, ticker.best_ask) == (84634.2, 84638.2)
    assert ticker.current_funding == pytest.approx(8 * 0.0000125)
    assert (ticker.bid_iv, ticker.ask_iv, ticker.funding_8h) == (None, None, None)


def test_an_option_has_volatilities_and_no_funding_and_an_empty_side_no_price() -> None:
    driven = market()
    pricing = OPTION_TICKER["option_pricing"] | {"bi": "0", "ai": "0.41"}
    said = OPTION_TICKER | {"b": "0", "B": "0", "option_pricing": pricing}
    driven.push(Link.MARKET, TICKER, {"instrument_ticker": said})
    [ticker] = driven.told(TickerChanged)
    assert (ticker.bid_iv, ticker.ask_iv) == (None, 0.41)
    assert (ticker.best_bid, ticker.current_funding) == (None, None)
