"""What anybody may see, driven by hand: books, tickers, living links, news of listings, locks."""

from typing import Any

import pytest

from mmbot.core.events import (
    BookChanged,
    BookLost,
    ElementsUnread,
    InstrumentState,
    LimitsRead,
    Link,
    LinkAlive,
    LinkChanged,
    PlatformState,
    TickerChanged,
)
from mmbot.core.types import MS, SECOND
from mmbot.core.why import Why
from mmbot.venues.deribit.public import PublicSession
from mmbot.venues.deribit.session import DeribitSession
from tests.builders import NOW_NS, an_option
from tests.venues.deribit.driven import KEYS, OPTION, PERPETUAL, Driven, account
from tests.venues.driven import raising
from tests.wire.scripted import SILENCE, Refused, option

BOOK, TICKER = f"book.{PERPETUAL.name}.raw", f"ticker.{PERPETUAL.name}.raw"
SNAPSHOT = {
    "type": "snapshot",
    "instrument_name": PERPETUAL.name,
    "change_id": 1,
    "timestamp": NOW_NS // MS,
    "bids": [["new", 2500.0, 10.0]],
    "asks": [["new", 2501.0, 10.0]],
}
BOTH = (Link.MARKET, Link.TRADING)


# --- coming up --------------------------------------------------------------------------------


def test_an_account_comes_up_on_two_links_with_its_channels() -> None:
    driven = Driven(DeribitSession("deribit", KEYS, NOW_NS), {})
    driven.carry_out(driven.session.start([PERPETUAL], NOW_NS))
    driven.wait(1.0)  # for a place in the pool
    assert driven.dials == [*BOTH]
    assert [(one.link, one.up) for one in driven.told(LinkChanged)] == [(one, True) for one in BOTH]
    channels = [one for call in driven.calls("public/subscribe") for one in call["channels"]]
    assert channels[:2] == [BOOK, TICKER]
    private = [one for call in driven.calls("private/subscribe") for one in call["channels"]]
    assert private == ["user.changes.any.any.raw", "user.lock"]
    assert driven.told(LimitsRead) == [LimitsRead("deribit", 200.0, 250.0)]


def test_whoever_only_looks_has_one_link_and_signs_in_nowhere() -> None:
    driven = Driven(PublicSession("deribit", NOW_NS), {})
    driven.carry_out(driven.session.start([PERPETUAL], NOW_NS))
    assert driven.dials == [Link.MARKET]
    assert not any(one.startswith("private/") or one == "public/auth" for one in driven.methods())
    assert driven.calls("public/subscribe")[0]["channels"] == [
        f"book.{PERPETUAL.name}.100ms",
        f"ticker.{PERPETUAL.name}.100ms",
    ]


def test_a_link_that_is_lost_is_told_and_comes_back_by_itself() -> None:
    driven = account()
    driven.lose(Link.MARKET, "reset")
    assert driven.told(LinkChanged) == [LinkChanged("deribit", Link.MARKET, False, "reset")]
    driven.wait(2.0)
    assert driven.told(LinkChanged)[1:] == [LinkChanged("deribit", Link.MARKET, True, "connected")]


def test_what_is_followed_later_is_subscribed_and_what_has_ended_is_dropped() -> None:
    driven = account()
    later = an_option(name="ETH-6JUN25-2900-C", id="deribit:ETH-6JUN25-2900-C")
    channels = [f"book.{later.name}.raw", f"ticker.{later.name}.raw"]
    trades = [f"trades.{later.name}.raw"]
    driven.carry_out(driven.session.follow([later], driven.now_ns))
    driven.wait(1.0)  # for a place in the pool
    assert driven.calls("public/subscribe") == [{"channels": channels}, {"channels": trades}]
    driven.carry_out(driven.session.unfollow([later.id], driven.now_ns))
    driven.wait(1.0)
    assert driven.calls("public/unsubscribe") == [{"channels": channels}, {"channels": trades}]
    driven.push(Link.MARKET, channels[1], {"mark_price": 0.02})
    assert driven.told(TickerChanged) == []


def test_a_session_that_is_stopped_says_goodbye_and_wants_nothing_more() -> None:
    driven = account()
    driven.carry_out(driven.session.stop(driven.now_ns))
    assert [(cut.link, cut.politely) for cut in driven.cuts] == [(one, True) for one in BOTH]
    driven.wait(20.0)
    driven.forget()
    driven.wait(20.0)
    assert driven.sent == []
    assert driven.session.due_ns is None


def test_a_session_may_be_started_again() -> None:
    driven = account()
    driven.carry_out(driven.session.stop(driven.now_ns))
    driven.start()
    driven.wait(1.05)
    assert {one.link for one in driven.told(LinkAlive)} == {*BOTH}


# --- books and tickers ------------------------------------------------------------------------


def test_a_book_is_told_whole_and_a_gap_in_it_as_a_loss() -> None:
    driven = account()
    driven.push(Link.MARKET, BOOK, SNAPSHOT)
    [book] = driven.told(BookChanged)
    assert (book.instrument, book.bids, book.asks) == (
        PERPETUAL.id,
        ((2500.0, 10.0),),
        ((2501.0, 10.0),),
    )
    assert (book.venue_ms, book.received_ns) == (NOW_NS // MS, driven.now_ns)
    gap = SNAPSHOT | {"type": "change", "change_id": 9, "prev_change_id": 8}
    driven.push(Link.MARKET, BOOK, gap)
    assert driven.told(BookLost) == [BookLost(PERPETUAL.id, Why.BOOK_GAPPED)]


def test_a_frame_that_cannot_be_read_costs_every_book_of_its_link() -> None:
    driven = account()
    driven.push(Link.MARKET, BOOK, SNAPSHOT)
    driven.hear(Link.MARKET, b"\xff")
    assert driven.told(BookLost) == [BookLost(PERPETUAL.id, Why.BOOK_GAPPED)]


def test_a_ticker_keeps_what_of_it_can_be_read() -> None:
    driven = account()
    driven.push(Link.MARKET, TICKER, {"mark_price": 2500.5, "index_price": "high"})
    [ticker] = driven.told(TickerChanged)
    assert (ticker.mark, ticker.index, ticker.received_ns) == (2500.5, None, driven.now_ns)
    driven.wait(1.1)
    assert [(one.kind, one.count) for one in driven.told(ElementsUnread)] == [("ticker field", 1)]


def test_what_cannot_be_read_is_told_each_second_and_noted_every_ten() -> None:
    driven = account()
    for _ in range(12):
        driven.push(Link.MARKET, TICKER, {"mark_price": "high"})
        driven.wait(1.0)
    assert len(driven.told(ElementsUnread)) >= 11
    assert (
        driven.notes
        == ["warning: deribit: 1 x ticker field not understood: mark_price is 'high'"] * 2
    )


# --- whether links live -----------------------------------------------------------------------


def test_each_link_is_asked_each_second_and_its_answer_proves_it_alive() -> None:
    driven = account()
    driven.wait(3.05)
    alive = driven.told(LinkAlive)
    for link in BOTH:
        told = [one for one in alive if one.link is link]
        assert len(told) == 3
        assert told[0].asked_ns == told[0].received_ns == told[0].venue_ns
        assert told[1].asked_ns - told[0].asked_ns == SECOND


def test_a_venue_that_does_not_stamp_its_answers_is_asked_for_its_time() -> None:
    driven = Driven(DeribitSession("deribit", KEYS, NOW_NS), {"public/get_time": 1_748_865_600_123})
    driven.stamped = False
    driven.start()
    driven.wait(2.05)
    assert driven.told(LinkAlive)[-1].venue_ns == 1_748_865_600_123 * MS


def test_a_link_on_which_nothing_comes_any_more_is_cut() -> None:
    driven = account()
    driven.answers["public/test"] = driven.answers["public/ticker"] = SILENCE
    driven.wait(2.6)
    assert driven.cuts == []
    driven.wait(0.5)
    assert {cut.link for cut in driven.cuts} == {*BOTH}
    assert all(cut.why.startswith("nothing heard for 2.") for cut in driven.cuts)


def test_a_probe_without_an_answer_costs_no_link_on_which_other_things_come() -> None:
    driven = account()
    driven.answers["public/test"] = SILENCE
    for _ in range(10):
        driven.wait(0.5)
        driven.push(Link.MARKET, TICKER, {"mark_price": 2500.5})
        driven.push(Link.TRADING, "user.portfolio.eth", {})
    assert driven.cuts == []


def test_what_has_arrived_is_read_before_a_link_is_cut() -> None:
    """As when it was this process that slept: the answers are there, but later in the queue."""
    driven = account()
    driven.answers["public/test"] = driven.answers["public/ticker"] = SILENCE
    driven.wait(1.05)
    driven.now_ns += 3 * SECOND
    driven.carry_out(driven.session.tick(driven.now_ns))
    assert driven.cuts == []
    driven.push(Link.MARKET, TICKER, {"mark_price": 2500.5})
    driven.wait(0.25)
    assert [cut.link for cut in driven.cuts] == [Link.TRADING]


# --- listings ---------------------------------------------------------------------------------

NEWS = "instrument.state.any.any"


def heard(driven: Driven, name: str, state: str = "created") -> None:
    driven.push(Link.MARKET, NEWS, {"instrument_name": name, "state": state})


def test_a_new_instrument_on_a_coin_of_ours_is_asked_about_and_listed() -> None:
    driven = account({"public/get_instrument": option("ETH-13JUN25-3000-C")})
    listed: list[str] = []
    driven.session.on_listed = lambda all_: listed.extend(one.name for one in all_)
    heard(driven, "ETH-13JUN25-3000-C")
    assert driven.calls("public/get_instrument") == [{"instrument_name": "ETH-13JUN25-3000-C"}]
    assert listed == ["ETH-13JUN25-3000-C"]
    heard(driven, "ETH-13JUN25-3000-C")
    assert len(driven.calls("public/get_instrument")) == 1, "known by now"


@pytest.mark.parametrize(
    "name",
    [
        "BTC-13JUN25-90000-C",
        "ETH-FS-13JUN25_PERP",
        "ETH-CS-13JUN25-2800_3000",
        "ETH_USDC-PERPETUAL",
    ],
)
def test_combos_and_other_coins_are_not_asked_about(name: str) -> None:
    driven = account()
    heard(driven, name)
    assert driven.sent == []


def test_an_instrument_that_closes_is_told_if_it_is_followed() -> None:
    driven = account()
    heard(driven, OPTION.name, "closed")
    heard(driven, "ETH-13JUN25-3000-C", "closed")
    assert driven.events == [InstrumentState(OPTION.id, "closed")]


def test_what_is_newly_listed_is_asked_for_one_after_the_other() -> None:
    """Hundreds are listed at 08:00: a look at the account does not wait behind all of them."""
    driven = account({"public/get_instrument": SILENCE})
    for strike in range(2_000, 2_300):
        news = {"instrument_name": f"ETH-13JUN25-{strike}-C", "state": "created", "timestamp": 1}
        driven.push(Link.MARKET, NEWS, news)
    asked = "public/get_instrument"
    assert driven.calls(asked) == [{"instrument_name": "ETH-13JUN25-2000-C"}]
    driven.reply(asked, result=None)
    assert driven.calls(asked)[1:] == [{"instrument_name": "ETH-13JUN25-2001-C"}]


def test_terms_that_do_not_come_are_noted_and_may_be_asked_for_again() -> None:
    driven = account({"public/get_instrument": raising(Refused(13020, "not_found"))})
    heard(driven, "ETH-13JUN25-3000-C")
    heard(driven, "ETH-13JUN25-3000-C")
    assert len(driven.calls("public/get_instrument")) == 2
    assert (
        driven.notes
        == [
            "warning: deribit: the terms of ETH-13JUN25-3000-C: "
            "public/get_instrument: 13020 not_found"
        ]
        * 2
    )


def test_news_that_cannot_be_read_are_counted() -> None:
    driven = account()
    driven.push(Link.MARKET, NEWS, {"state": "created"})
    driven.wait(1.1)
    assert [(one.kind, one.count) for one in driven.told(ElementsUnread)] == [("listing news", 1)]


def test_where_the_venue_has_no_channel_for_any_kind_the_kinds_are_asked_for() -> None:
    def some(params: dict[str, Any]) -> list[str]:
        return [one for one in params["channels"] if one != NEWS]

    driven = Driven(DeribitSession("deribit", KEYS, NOW_NS), {"public/subscribe": some})
    driven.carry_out(driven.session.start([PERPETUAL], NOW_NS))
    assert driven.calls("public/subscribe")[-1] == {
        "channels": ["instrument.state.future.any", "instrument.state.option.any"]
    }


# --- locks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "data", "currency", "locked"),
    [
        ("platform_state", {"price_index": "eth_usd", "locked": True}, "eth_usd", True),
        ("platform_state", {"price_index": "eth_usd", "locked": False}, "eth_usd", False),
        ("platform_state", {"locked": True}, None, True),
        ("user.lock", {"currency": "ALL", "locked": True}, None, True),
        ("user.lock", {"currency": "ETH", "locked": True}, "ETH", True),
    ],
)
def test_a_lock_is_told_with_what_it_locks(
    channel: str, data: dict[str, Any], currency: str | None, locked: bool
) -> None:
    driven = account()
    link = Link.TRADING if channel.startswith("user.") else Link.MARKET
    driven.push(link, channel, data)
    assert driven.events == [PlatformState("deribit", currency, locked, channel)]


@pytest.mark.parametrize(
    ("status", "locked"),
    [
        ({"locked": "false"}, []),
        ({"locked": "true"}, [None]),
        ({"locked": "partial", "locked_indices": ["eth_usd", "btc_usd"]}, ["eth_usd", "btc_usd"]),
        ({"locked": "partial", "locked_currencies": ["ETH"]}, ["ETH"]),
    ],
)
def test_what_is_locked_already_is_asked_as_the_link_comes_up(
    status: dict[str, Any], locked: list[str | None]
) -> None:
    driven = Driven(DeribitSession("deribit", KEYS, NOW_NS), {"public/status": status})
    driven.carry_out(driven.session.start([PERPETUAL], NOW_NS))
    assert driven.told(PlatformState) == [
        PlatformState("deribit", None, False, ""),
        *(PlatformState("deribit", name, True, "public/status") for name in locked),
    ]


@pytest.mark.parametrize("answer", [None, {}, {"locked": 7}])
def test_a_venue_that_does_not_tell_what_is_locked_changes_nothing(answer: Any) -> None:
    driven = Driven(DeribitSession("deribit", KEYS, NOW_NS), {"public/status": answer})
    driven.carry_out(driven.session.start([PERPETUAL], NOW_NS))
    assert driven.told(PlatformState) == []
    assert any("does not tell what is locked" in note for note in driven.notes)
