"""What a desk only looks at on Derive, driven by hand: options by the slow ticker alone."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import pytest

from mmbot.core.events import Link, TickerChanged
from mmbot.venues.derive.public import PublicSession
from tests.builders import NOW_NS
from tests.venues.derive.driven import CALL, PERP, Driven, subscribed
from tests.venues.derive.samples import OPTION_TICKER
from tests.wire.scripted import Refused

SLOW = f"ticker_slim.{CALL}.1000"


def watching(name: str, answers: Mapping[str, Any] | None = None) -> Driven:
    """A session without a key, up, that trades one of the two that are listed and watches the
    other."""
    driven = Driven(PublicSession("derive", NOW_NS), answers or {}).list_all()
    watched = [one for one in driven.instruments if one.name == name]
    traded = [one for one in driven.instruments if one.name != name]
    assert (len(watched), len(traded)) == (1, 1)
    driven.carry_out(driven.session.start(traded, NOW_NS, watched))
    driven.wait(1.0)
    return driven


def asked(driven: Driven) -> list[list[str]]:
    return [call["channels"] for call in driven.calls("subscribe")]


def test_an_option_is_watched_by_its_slow_ticker_alone_and_after_what_is_traded() -> None:
    assert asked(watching(CALL)) == [
        [f"orderbook.{PERP}.1.10", f"ticker_slim.{PERP}.100"],
        [f"trades.{PERP}"],
        [SLOW],
    ]


def test_what_its_ticker_says_is_told() -> None:
    driven = watching(CALL)
    driven.push(Link.MARKET, SLOW, {"timestamp": 1, "instrument_ticker": OPTION_TICKER})
    [told] = driven.told(TickerChanged)
    assert told.instrument == f"derive:{CALL}"
    assert told.mark == float(OPTION_TICKER["M"])


def test_a_perpetual_is_watched_by_its_book_its_ticker_and_its_trades() -> None:
    watched = [f"orderbook.{PERP}.1.10", f"ticker_slim.{PERP}.100", f"trades.{PERP}"]
    assert asked(watching(PERP))[-1] == watched


def refusing(params: Mapping[str, Any]) -> Any:
    if SLOW in params["channels"]:
        raise Refused(-32602, "Invalid params")
    return subscribed(params)


def leaving_out(params: Mapping[str, Any]) -> Any:
    said = subscribed(params)
    if SLOW in said["status"]:
        said["status"][SLOW] = f"Invalid channels: instrument {CALL} not found"
    return said


@pytest.mark.parametrize("answer", [refusing, leaving_out])
def test_what_the_venue_does_not_tell_of_stops_nothing(answer: Any) -> None:
    driven = watching(CALL, {"subscribe": answer})
    assert driven.session.connection.up(Link.MARKET)
    assert len(driven.notes) == 1
    assert CALL in driven.notes[0]


def test_a_watched_ticker_that_is_silent_is_not_asked_for() -> None:
    driven = watching(CALL)
    driven.forget()
    driven.wait(10.0)
    assert {call["instrument_name"] for call in driven.calls("public/get_ticker")} == {PERP}


def test_what_is_watched_is_subscribed_again_when_the_link_comes_back() -> None:
    driven = watching(CALL)
    driven.forget()
    driven.lose(Link.MARKET)
    driven.wait(5.0)
    assert asked(driven)[-1] == [SLOW]


def test_what_becomes_traded_is_followed_in_full_and_its_slow_ticker_dropped() -> None:
    driven = watching(CALL)
    driven.forget()
    call = [one for one in driven.instruments if one.name == CALL]
    driven.carry_out(driven.session.follow(call, driven.now_ns))
    driven.wait(2.0)
    assert {"channels": [SLOW]} in driven.calls("unsubscribe")
    followed = {f"orderbook.{CALL}.1.10", f"ticker_slim.{CALL}.100", f"trades.{CALL}"}
    assert {*chain.from_iterable(asked(driven))} == followed


def test_what_has_ended_is_heard_of_no_more() -> None:
    driven = watching(CALL)
    ended = [one.id for one in driven.instruments if one.name == CALL]
    driven.carry_out(driven.session.unfollow(ended, driven.now_ns))
    driven.wait(1.0)
    assert driven.calls("unsubscribe") == [{"channels": [SLOW]}]
    driven.forget()
    driven.push(Link.MARKET, SLOW, {"timestamp": 1, "instrument_ticker": OPTION_TICKER})
    assert driven.told(TickerChanged) == []
