"""What anybody may see of Derive, driven by hand: books, tickers, listings."""

from collections.abc import Mapping
from typing import Any

import pytest

from mmbot.core.events import BookChanged, BookLost, ElementsUnread, Link, TickerChanged
from mmbot.core.types import InstrumentId
from mmbot.venues.asking import UnreadableError
from mmbot.venues.derive.public import PublicSession
from tests.builders import NOW_NS
from tests.venues.derive.driven import CALL, NOW_MS, PERP, Driven, listings
from tests.venues.derive.samples import ETH_CALL, OPTION_TICKER, ORDERBOOK, PERP_TICKER
from tests.venues.driven import raising
from tests.wire.scripted import SILENCE, Refused

OPTION = InstrumentId(f"derive:{CALL}")
PERPETUAL = InstrumentId(f"derive:{PERP}")
BOOK, TICKER = f"orderbook.{CALL}.1.10", f"ticker_slim.{CALL}.100"
MARKET = Link.MARKET


def market(answers: Mapping[str, Any] | None = None) -> Driven:
    """A session without a key, up, that has heard both books and tickers."""
    driven = Driven(PublicSession("derive", NOW_NS), answers or {}).list_all()
    driven.carry_out(driven.session.start(driven.instruments, driven.now_ns))
    driven.wait(1.0)
    for name in (CALL, PERP):
        driven.push(MARKET, f"orderbook.{name}.1.10", book(1, instrument_name=name))
        driven.push(MARKET, f"ticker_slim.{name}.100", ticker())
    driven.forget()
    return driven


def book(publish_id: int, **changes: Any) -> dict[str, Any]:
    return {**ORDERBOOK, "publish_id": publish_id, "timestamp": NOW_MS, **changes}


def ticker(**changes: Any) -> dict[str, Any]:
    stated = {**OPTION_TICKER, "t": NOW_MS, "a": "119", "b": "118.2", **changes}
    return {"timestamp": NOW_MS, "instrument_ticker": stated}


# --- books ------------------------------------------------------------------------------------


def test_every_message_is_the_whole_book() -> None:
    driven = market()
    driven.push(MARKET, BOOK, book(2))
    driven.push(MARKET, BOOK, book(3, bids=[["118", "1"]], asks=[]))
    first, second = driven.told(BookChanged)
    assert first.instrument == OPTION
    assert first.bids == ((118.2, 4.0), (118.1, 10.5))
    assert first.asks == ((119.0, 3.25), (119.4, 1.0), (120.0, 7.0))
    assert (second.bids, second.asks) == (((118.0, 1.0),), ())
    assert (first.venue_ms, first.received_ns) == (NOW_MS, driven.now_ns)


def test_levels_may_be_objects_and_in_any_order_and_of_nothing() -> None:
    driven = market()
    bids = [{"price": "117", "amount": "2"}, {"price": "118", "amount": "1"}]
    driven.push(MARKET, BOOK, book(2, bids=bids, asks=[["121", "0"], ["120", "1"]]))
    (told,) = driven.told(BookChanged)
    assert told.bids == ((118.0, 1.0), (117.0, 2.0))
    assert told.asks == ((120.0, 1.0),)


@pytest.mark.parametrize("publish_id", [1, 0], ids=["twice", "late"])
def test_a_book_that_is_not_newer_is_left_alone(publish_id: int) -> None:
    driven = market()
    driven.push(MARKET, BOOK, book(publish_id, bids=[["1", "1"]]))
    assert driven.told(BookChanged) == []
    assert driven.told(BookLost) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"publish_id": None},
        {"publish_id": "2"},
        {"timestamp": None},
        {"instrument_name": PERP},
        {"bids": None},
        {"bids": [["118"]]},
        {"bids": [["nan", "1"]]},
        {"asks": [["-1", "1"]]},
        {"asks": [["119", "-1"]]},
        {"asks": ["119"]},
    ],
)
def test_a_book_that_cannot_be_read_is_lost_and_asked_for_anew(changes: dict[str, Any]) -> None:
    driven = market()
    driven.push(MARKET, BOOK, {**book(2), **changes})
    assert [lost.instrument for lost in driven.told(BookLost)] == [OPTION]
    driven.wait(6.0)
    assert driven.calls("unsubscribe")[0] == {"channels": [BOOK]}
    assert {"channels": [BOOK]} in driven.calls("subscribe")
    driven.push(MARKET, BOOK, book(1))  # of a new subscription, whatever its number
    assert [told.instrument for told in driven.told(BookChanged)] == [OPTION]


def test_nothing_of_a_book_survives_its_connection() -> None:
    driven = market()
    driven.lose(MARKET)
    assert {lost.instrument for lost in driven.told(BookLost)} == {OPTION, PERPETUAL}
    driven.wait(3.0)
    driven.push(MARKET, BOOK, book(1))
    assert [told.instrument for told in driven.told(BookChanged)] == [OPTION]


def test_a_book_that_its_ticker_contradicts_for_a_while_is_lost() -> None:
    driven = market()
    for _ in range(3):
        driven.wait(1.5)
        driven.push(MARKET, TICKER, ticker(t=driven.now_ns // 10**6, b="110", a="111"))
    assert [lost.instrument for lost in driven.told(BookLost)] == [OPTION]


def test_a_ticker_that_names_an_empty_side_agrees_with_an_empty_side() -> None:
    driven = market()
    driven.push(MARKET, BOOK, book(2, asks=[]))
    for _ in range(3):
        driven.wait(1.5)
        driven.push(MARKET, TICKER, ticker(t=driven.now_ns // 10**6, a="0", A="0"))
    assert driven.told(BookLost) == []


# --- tickers ----------------------------------------------------------------------------------


def test_a_ticker_is_its_channels() -> None:
    driven = market()
    channel = f"ticker_slim.{PERP}.100"
    driven.push(MARKET, channel, {"timestamp": 1, "instrument_ticker": PERP_TICKER})
    (told,) = driven.told(TickerChanged)
    assert told.instrument == PERPETUAL
    assert (told.mark, told.index, told.forward) == (84636.2, 84622.0, None)
    assert (told.min_price, told.max_price) == (82976.7, 86328.9)


@pytest.mark.parametrize("data", [None, [], "x"])
def test_of_a_ticker_that_is_none_nothing_is_known_any_more(data: Any) -> None:
    driven = market()
    driven.push(MARKET, TICKER, data)
    (told,) = driven.told(TickerChanged)
    assert (told.instrument, told.mark, told.index) == (OPTION, None, None)


def test_a_ticker_that_is_silent_is_asked_for() -> None:
    driven = market({"public/get_ticker": {**OPTION_TICKER, "M": "77.5"}})
    driven.wait(6.0)
    assert {"instrument_name": CALL} in driven.calls("public/get_ticker")
    assert 77.5 in {told.mark for told in driven.told(TickerChanged)}


def test_the_least_that_a_ticker_may_hold() -> None:
    driven = market()
    driven.push(MARKET, TICKER, {"instrument_ticker": {"M": "1", "option_pricing": None}})
    (told,) = driven.told(TickerChanged)
    assert (told.mark, told.index, told.mark_iv, told.delta) == (1.0, None, None, None)


# --- frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame", ["{", b"\xff", "[]", "null", '{"x": 1}', {"method": "subscription"}, "pongs"]
)
def test_a_frame_that_nobody_can_read_ends_nothing_but_the_trust_in_books(frame: Any) -> None:
    driven = market()
    driven.hear(MARKET, frame)
    assert {lost.instrument for lost in driven.told(BookLost)} == {OPTION, PERPETUAL}
    assert driven.cuts == []


def test_a_pong_that_nobody_asked_for_is_nothing() -> None:
    driven = market()
    driven.hear(MARKET, "pong")
    driven.hear(MARKET, b"pong")
    assert driven.events == []


# --- listings ---------------------------------------------------------------------------------


def test_what_is_listed_comes_in_pages_and_does_without_what_does_not_trade() -> None:
    pages = {
        1: [ETH_CALL] * 999 + [{**ETH_CALL, "is_active": False}],
        2: [{**ETH_CALL, "instrument_name": "ETH-20250606-2900-C"}],
    }

    def paged(params: Any) -> Any:
        if params["instrument_type"] == "perp":
            return listings(params)
        rows = pages[params["page"]]
        return {"instruments": rows, "pagination": {"num_pages": 2, "count": 1001}}

    driven = Driven(PublicSession("derive", NOW_NS), {"public/get_all_instruments": paged})
    driven.list_all()
    assert set(driven.terms) == {CALL, "ETH-20250606-2900-C", PERP}


def test_terms_that_cannot_be_read_are_named() -> None:
    odd = {**ETH_CALL, "instrument_name": "ETH-20250606-3000-C", "tick_size": "x"}

    def one_odd(params: Any) -> Any:
        told = listings(params)
        told["instruments"] = [*told["instruments"], odd]
        return told

    driven = Driven(PublicSession("derive", NOW_NS), {"public/get_all_instruments": one_odd})
    driven.list_all()
    assert set(driven.session.unread_listings) == {"ETH-20250606-3000-C"}


@pytest.mark.parametrize("answer", [None, {"instruments": None}, {"instruments": []}, 5])
def test_a_list_that_is_none_is_no_answer(answer: Any) -> None:
    driven = Driven(PublicSession("derive", NOW_NS), {"public/get_all_instruments": answer})
    with pytest.raises(UnreadableError, match="get_all_instruments"):
        driven.ask(driven.session.listed())


def test_what_trades_is_judged_by_the_venues_clock() -> None:
    later = NOW_MS + 4 * 86_400_000  # the option is over by then
    session = PublicSession("derive", NOW_NS)
    driven = Driven(session, {"public/get_time": later})
    assert [one.name for one in driven.ask(session.listed())] == [PERP]


def test_names_that_are_new_are_asked_about_and_told() -> None:
    new = "ETH-20250613-2800-C"
    listing = {**ETH_CALL, "instrument_name": new, "option_details": None}
    names = [CALL, PERP, new, "BTC-20250613-90000-C", "ETH-USDC"]
    driven = market({"public/get_all_live_instruments": names, "public/get_instrument": listing})
    told: list[list[str]] = []
    driven.session.on_listed = lambda listed: told.append([one.name for one in listed])
    driven.wait(301.0)
    assert driven.calls("public/get_instrument") == [{"instrument_name": new}]
    assert [sorted(names) for names in told] == [sorted([CALL, PERP, new])]


def test_names_that_are_refused_are_asked_for_another_time() -> None:
    refused = raising(Refused(-32000, "Rate limit exceeded"))
    driven = market({"public/get_all_live_instruments": refused})
    driven.wait(601.0)
    assert len(driven.calls("public/get_all_live_instruments")) == 2


# --- questions --------------------------------------------------------------------------------


def test_the_price_of_a_coin_is_its_tickers() -> None:
    driven = market({"public/get_ticker": {**OPTION_TICKER, "I": "2850.5"}})
    assert driven.ask(driven.session.index_price(driven.terms[CALL])) == 2850.5


@pytest.mark.parametrize("answer", [{}, {"I": "0"}, {"I": None}, {"I": "x"}])
def test_a_price_that_is_none_is_no_answer(answer: Any) -> None:
    driven = market({"public/get_ticker": answer})
    with pytest.raises(UnreadableError):
        driven.ask(driven.session.index_price(driven.terms[CALL]))


def test_what_could_not_be_read_is_told_once_a_second() -> None:
    driven = market({"public/get_ticker": SILENCE})
    for _ in range(3):
        driven.push(MARKET, TICKER, {"instrument_ticker": {"M": [], "I": "2850"}})
    driven.wait(1.1)
    (told,) = driven.told(ElementsUnread)
    assert (told.venue, told.kind, told.count) == ("derive", "ticker field", 3)
