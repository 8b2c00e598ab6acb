"""What a desk only looks at on Deribit, driven by hand: subscribed last, it stops nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from mmbot.core.contracts import Instrument
from mmbot.core.events import (
    BookChanged,
    Link,
    LinkChanged,
    TickerChanged,
    TradePrinted,
)
from mmbot.core.types import InstrumentId
from mmbot.venues.deribit.public import PublicSession
from mmbot.venues.deribit.session import DeribitSession
from tests.builders import NOW_NS, an_option
from tests.venues.deribit.driven import KEYS, OPTION, PERPETUAL, Driven
from tests.wire.scripted import Refused

PUBLISHED: dict[str, Any] = {
    "timestamp": 1623060194301,
    "stats": {"volume": None, "price_change": None, "low": None, "high": None},
    "state": "open",
    "settlement_price": 0.9752,
    "open_interest": 3,
    "min_price": 0.0001,
    "max_price": 0.9,
    "mark_price": 0.0148,
    "mark_iv": 84.5,
    "last_price": None,
    "interest_rate": 0,
    "index_price": 36441.64,
    "greeks": {"vega": 9.1, "theta": -12.5, "rho": 1.1, "gamma": 0.00002, "delta": 0.31},
    "bid_iv": 82.9,
    "best_bid_price": 0.0145,
    "best_bid_amount": 10,
    "best_ask_price": 0.0155,
    "best_ask_amount": 9,
    "ask_iv": 88.5,
}
"""After the venue's own example of an option's ticker."""


def strikes(count: int) -> list[Instrument]:
    """So many other calls of the expiry."""
    return [named(f"ETH-6JUN25-{3000 + 25 * step}-C") for step in range(count)]


def named(name: str) -> Instrument:
    return an_option(name=name, id=f"deribit:{name}")


def slow(*instruments: Instrument) -> list[str]:
    return [f"ticker.{one.name}.100ms" for one in instruments]


def watching(
    *watched: Instrument,
    traded: Sequence[Instrument] = (OPTION,),
    answers: dict[str, Any] | None = None,
) -> Driven:
    """An account's session, up, with all it has sent and told since it began."""
    driven = Driven(DeribitSession("deribit", KEYS, NOW_NS), answers or {})
    driven.carry_out(driven.session.start(traded, NOW_NS, watched))
    driven.wait(1.0)
    return driven


def asked(driven: Driven) -> list[list[str]]:
    """Channels of instruments, by request."""
    calls = [call["channels"] for call in driven.calls("public/subscribe")]
    return [c for c in calls if not c[0].startswith(("instrument.state", "platform_state"))]


def flat(requests: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(requests))


def test_options_are_watched_by_slow_tickers_alone_and_after_what_is_traded() -> None:
    first, second = strikes(2)
    driven = watching(first, second)
    assert asked(driven) == [
        [f"book.{OPTION.name}.raw", f"ticker.{OPTION.name}.raw"],
        [f"trades.{OPTION.name}.raw"],
        slow(first, second),
    ]


def test_what_its_ticker_says_is_told() -> None:
    [one] = strikes(1)
    driven = watching(one)
    driven.push(Link.MARKET, slow(one)[0], PUBLISHED | {"instrument_name": one.name})
    [told] = driven.told(TickerChanged)
    assert (told.instrument, told.mark, told.best_bid, told.best_ask) == (
        one.id,
        0.0148,
        0.0145,
        0.0155,
    )
    assert told.delta == 0.31
    assert (told.bid_iv, told.mark_iv, told.ask_iv) == pytest.approx((0.829, 0.845, 0.885))


def test_a_perpetual_is_watched_by_its_book_its_ticker_and_its_trades() -> None:
    driven = watching(PERPETUAL)
    name = PERPETUAL.name
    assert [f"{kind}.{name}.raw" for kind in ("book", "ticker", "trades")] == asked(driven)[-1]
    book = {
        "type": "snapshot",
        "instrument_name": name,
        "change_id": 1,
        "timestamp": 1,
        "bids": [["new", 2500.0, 10.0]],
        "asks": [["new", 2501.0, 10.0]],
    }
    trade = {
        "trade_id": "1",
        "timestamp": 1,
        "price": 2500.5,
        "instrument_name": name,
        "direction": "buy",
        "amount": 10,
    }
    driven.push(Link.MARKET, f"book.{name}.raw", book)
    driven.push(Link.MARKET, f"trades.{name}.raw", [trade])
    assert [one.instrument for one in driven.told(BookChanged)] == [PERPETUAL.id]
    assert [one.price for one in driven.told(TradePrinted)] == [2500.5]


def refusing(params: Any) -> Any:
    if any(one.endswith(".100ms") for one in params["channels"]):
        raise Refused(11050, "bad_request")
    return params["channels"]


def leaving_out(params: Any) -> Any:
    return [one for one in params["channels"] if not one.endswith(".100ms")]


def silent(params: Any) -> Any:
    if any(one.endswith(".100ms") for one in params["channels"]):
        raise Refused(10040, "retry")
    return params["channels"]


@pytest.mark.parametrize("answer", [refusing, leaving_out, silent])
def test_what_the_venue_does_not_tell_of_stops_nothing(answer: Any) -> None:
    driven = watching(*strikes(2), answers={"public/subscribe": answer})
    assert driven.session.connection.up(Link.MARKET)
    assert all(one.up for one in driven.told(LinkChanged))
    driven.push(Link.MARKET, f"ticker.{OPTION.name}.raw", PUBLISHED)
    assert [one.instrument for one in driven.told(TickerChanged)] == [OPTION.id]
    assert len(driven.notes) == 1


def test_more_than_fit_one_request_wait_for_their_place() -> None:
    many = strikes(450)
    driven = watching(*many)
    driven.wait(5.0)
    requests = [call for call in asked(driven) if call[0].endswith(".100ms")]
    assert [len(one) for one in requests] == [200, 200, 50]
    assert flat(requests) == slow(*sorted(many, key=lambda one: one.name))


def test_a_watched_ticker_that_is_silent_is_not_asked_for() -> None:
    [one] = strikes(1)
    driven = watching(one)
    driven.wait(10.0)
    names = {call["instrument_name"] for call in driven.calls("public/ticker")}
    assert names == {OPTION.name}


def test_what_is_watched_is_subscribed_again_when_the_link_comes_back() -> None:
    [one] = strikes(1)
    driven = watching(one)
    driven.forget()
    driven.lose(Link.MARKET)
    driven.wait(3.0)
    assert asked(driven)[-1] == slow(one)


def test_what_is_watched_later_is_subscribed_and_while_the_link_is_down_when_it_is_back() -> None:
    first, second = strikes(2)
    driven = watching()
    driven.forget()
    driven.carry_out(driven.session.look_at([first], driven.now_ns))
    driven.wait(1.0)
    assert asked(driven) == [slow(first)]
    driven.lose(Link.MARKET)
    driven.carry_out(driven.session.look_at([second], driven.now_ns))
    assert driven.notes == []
    driven.wait(3.0)
    assert asked(driven)[-1] == slow(first, second)


def test_what_becomes_traded_is_followed_in_full_and_its_slow_ticker_dropped() -> None:
    [one] = strikes(1)
    driven = watching(one)
    driven.forget()
    driven.carry_out(driven.session.follow([one], driven.now_ns))
    driven.wait(1.0)
    assert driven.calls("public/unsubscribe") == [{"channels": slow(one)}]
    assert asked(driven)[0] == [f"book.{one.name}.raw", f"ticker.{one.name}.raw"]
    driven.wait(5.0)
    assert {"instrument_name": one.name} in driven.calls("public/ticker"), "it counts now"


def test_without_a_key_the_slow_ticker_is_the_one_that_is_traded_by() -> None:
    [one] = strikes(1)
    driven = Driven(PublicSession("deribit", NOW_NS), {})
    driven.carry_out(driven.session.start([OPTION], NOW_NS, [one]))
    driven.wait(1.0)
    driven.forget()
    driven.carry_out(driven.session.follow([one], driven.now_ns))
    driven.wait(1.0)
    assert driven.calls("public/unsubscribe") == []
    assert asked(driven) == [[f"book.{one.name}.100ms"], [f"trades.{one.name}.100ms"]]
    driven.wait(5.0)
    assert {"instrument_name": one.name} in driven.calls("public/ticker")


def test_what_is_traded_is_not_watched_besides() -> None:
    driven = watching(OPTION)
    assert slow(OPTION)[0] not in flat(asked(driven))


@pytest.mark.parametrize("is_option", [True, False])
def test_what_has_ended_is_heard_of_no_more(is_option: bool) -> None:
    one = strikes(1)[0] if is_option else PERPETUAL
    driven = watching(one)
    channels = asked(driven)[-1]
    driven.forget()
    driven.carry_out(driven.session.unfollow([InstrumentId(one.id)], driven.now_ns))
    driven.wait(1.0)
    assert flat(call["channels"] for call in driven.calls("public/unsubscribe")) == channels
    ticker = next(channel for channel in channels if channel.startswith("ticker."))
    driven.push(Link.MARKET, ticker, PUBLISHED | {"instrument_name": one.name})
    assert driven.told(TickerChanged) == []
    driven.lose(Link.MARKET)
    driven.wait(3.0)
    assert not {*flat(asked(driven))} & {*channels}


def test_new_listings_of_a_chain_that_is_watched_are_heard_of() -> None:
    bitcoin = replace(named("BTC-6JUN25-100000-C"), underlying="BTC")
    driven = watching(bitcoin)
    news = {"instrument_name": "BTC-6JUN25-101000-C", "state": "created", "timestamp": 1}
    driven.push(Link.MARKET, "instrument.state.any.any", news)
    driven.wait(1.0)
    assert {"instrument_name": "BTC-6JUN25-101000-C"} in driven.calls("public/get_instrument")
