"""Being let in by Derive, and staying there: login, dead-man, limits, pings, subscriptions."""

from typing import Any

import pytest

from mmbot.core.budget import Budget
from mmbot.core.capabilities import DeadMan, Draws, Gate, GateKind, GateScope, Move
from mmbot.core.events import Link, LinkAlive, LinkChanged, VenueDescribed
from mmbot.core.types import MS, SECOND, Label
from mmbot.venues.derive.limits import (
    INSTRUMENTS,
    LABEL_CANCELS,
    MASS_CANCELS,
    OPTIONS,
    ORDERS,
    PERPETUALS,
    READS,
)
from mmbot.venues.derive.public import PublicSession
from mmbot.venues.derive.session import DeriveSession
from mmbot.venues.derive.signin import NoSubaccount
from tests.builders import NOW_NS
from tests.venues.derive.driven import (
    CALL,
    NOW_MS,
    OWNER,
    PART,
    PERP,
    SUBACCOUNT,
    Driven,
    account,
    signer,
    subscribed,
)
from tests.venues.derive.samples import ACCOUNT, RATE_LIMITS
from tests.venues.driven import raising
from tests.wire.scripted import SILENCE, Refused

TRADING_CHANNELS = [f"{SUBACCOUNT}.{kind}" for kind in ("orders", "trades", "balances")]


def entering(answers: dict[str, Any]) -> Driven:
    """An account's session that comes up, or tries to."""
    session = DeriveSession("derive", signer(), PART, NOW_NS)
    driven = Driven(session, answers).list_all()
    driven.forget()
    driven.carry_out(session.start(driven.instruments, driven.now_ns))
    driven.wait(12.0)
    return driven


def gates(driven: Driven) -> dict[str, Gate]:
    (described,) = driven.told(VenueDescribed)
    return {gate.name: gate for gate in described.capabilities.gates}


# --- being let in -----------------------------------------------------------------------------


def test_only_the_trading_link_is_logged_in_and_armed_before_it_is_up() -> None:
    driven = entering({})
    trading = driven.methods(Link.TRADING)
    assert trading[:4] == [
        "public/login",
        "public/getRateLimits",
        "private/set_cancel_on_disconnect",
        "private/get_account",
    ]
    assert "public/login" not in driven.methods(Link.MARKET)
    assert not any(method.startswith("private/") for method in driven.methods(Link.MARKET))
    assert {c.link for c in driven.told(LinkChanged) if c.up} == set(Link)


def test_the_login_is_the_owners_with_the_moment_signed() -> None:
    driven = entering({})
    (login,) = driven.calls("public/login")
    assert (login["wallet"], login["timestamp"]) == (OWNER, NOW_MS)
    assert login == signer().login(NOW_MS)


def test_channels_are_asked_for_by_instrument_and_by_subaccount() -> None:
    driven = entering({})
    asked = [call["channels"] for call in driven.calls("subscribe")]
    assert {channel for part in asked for channel in part} == {
        f"orderbook.{CALL}.1.10",
        f"orderbook.{PERP}.1.10",
        f"trades.{CALL}",
        f"trades.{PERP}",
        f"ticker_slim.{CALL}.100",
        f"ticker_slim.{PERP}.100",
        *TRADING_CHANNELS,
    }


def test_a_wallet_without_the_subaccount_is_told_what_it_has() -> None:
    driven = account({"private/get_subaccounts": {"subaccount_ids": [5, 9], "wallet": OWNER}})
    with pytest.raises(NoSubaccount, match=r"has no subaccount 86815 .* it has 5, 9"):
        driven.ask(driven.session.account())  # type: ignore[attr-defined]  # an account's session


def test_a_login_that_does_not_open_the_subaccount_keeps_the_link_down() -> None:
    driven = entering({"public/login": [1, 2]})
    assert not driven.session.connection.up(Link.TRADING)
    assert driven.session.connection.up(Link.MARKET)


@pytest.mark.parametrize(
    "answers",
    [
        {"private/get_account": {**ACCOUNT, "cancel_on_disconnect": False}},
        {"private/get_account": raising(Refused(14000, "Account not found"))},
        {"private/get_account": {"cancel_on_disconnect": "true", "subaccount_ids": []}},
        {"private/set_cancel_on_disconnect": raising(Refused(14031, "Unauthorized key scope"))},
    ],
    ids=["off all the same", "not read back", "unreadable", "out of scope"],
)
def test_what_is_not_read_back_is_not_armed(answers: dict[str, Any]) -> None:
    session = entering(answers).session
    assert isinstance(session, DeriveSession)
    assert not session.cod_enabled


def test_a_link_that_was_armed_is_not_up_again_without() -> None:
    driven = account()
    driven.answers["private/get_account"] = {**ACCOUNT, "cancel_on_disconnect": False}
    driven.lose(Link.TRADING)
    driven.wait(12.0)
    assert not driven.session.connection.up(Link.TRADING)


# --- limits -----------------------------------------------------------------------------------


def test_the_account_states_its_limits() -> None:
    stated = {
        **ACCOUNT,
        "websocket_matching_tps": 500,
        "websocket_non_matching_tps": 100,
        "websocket_option_tps": 10,
        "websocket_perp_tps": 20,
        "per_endpoint_tps": {"private/cancel_all": 2, "private/cancel_by_label": 10},
    }
    wide = {"remainingPoints": 9000, "consumedPoints": 0, "msBeforeNext": 0}
    wide |= {"isFirstInDuration": True}
    windows = {**RATE_LIMITS, "remaining_matching": wide, "remaining_non_matching": wide}
    found = gates(entering({"private/get_account": stated, "public/getRateLimits": windows}))
    told = {name: (gate.rate_per_s, gate.burst) for name, gate in found.items()}
    assert told == {
        ORDERS: (500.0, 2500.0),
        OPTIONS: (10.0, 50.0),
        PERPETUALS: (20.0, 100.0),
        MASS_CANCELS: (2.0, 10.0),
        LABEL_CANCELS: (10.0, 50.0),
        READS: (100.0, 500.0),
    }


@pytest.mark.parametrize("told", ["websocket_option_tps", "websocket_perp_tps"])
def test_a_kind_of_which_nothing_is_stated_has_what_the_other_has(told: str) -> None:
    nothing: dict[str, Any] = {"websocket_option_tps": None, "websocket_perp_tps": 0}
    found = gates(entering({"private/get_account": {**ACCOUNT, **nothing, told: 7}}))
    assert found[INSTRUMENTS].rate_per_s == 7.0
    assert not found[INSTRUMENTS].name_ends


def test_a_window_that_holds_less_than_the_account_states_counts() -> None:
    stated = {**ACCOUNT, "websocket_matching_tps": 10}
    found = gates(entering({"private/get_account": stated}))
    assert (found[ORDERS].rate_per_s, found[ORDERS].burst) == (1.0, 5.0)  # 4 left and 1 used


def test_where_nothing_is_told_the_least_is_assumed() -> None:
    nothing = {"cancel_on_disconnect": True, "subaccount_ids": [SUBACCOUNT]}
    refused = raising(Refused(-32000, "Rate limit exceeded"))
    driven = entering({"private/get_account": nothing, "public/getRateLimits": refused})
    assert driven.session.connection.up(Link.TRADING)
    found = gates(driven)
    assert {(gate.rate_per_s, gate.burst) for gate in found.values()} == {(1.0, 5.0)}


def test_what_draws_from_which_limit() -> None:
    found = gates(entering({}))
    windows = {name for name, gate in found.items() if gate.kind is GateKind.FIXED_WINDOW}
    assert windows == {ORDERS, MASS_CANCELS, LABEL_CANCELS, READS}
    assert found[INSTRUMENTS].scope is GateScope.INSTRUMENT
    for draws in (Draws.PLACE, Draws.MOVE, Draws.CANCEL):
        assert found[ORDERS].weight(draws) == found[INSTRUMENTS].weight(draws) == 1.0
    assert found[ORDERS].weight(Draws.MASS_CANCEL) == 0.0
    assert found[MASS_CANCELS].weight(Draws.MASS_CANCEL) == 1.0
    assert found[LABEL_CANCELS].weights == ((Draws.LABEL_CANCEL, 1.0),)
    left = Budget(rate_per_s=1.0, burst=5.0, level=4.0, windowed=True)
    left.reserve_share = found[ORDERS].cancel_reserve
    spent = 0
    while left.affords():
        left.spend(Label(str(spent)), SECOND)
        spent += 1
    assert spent == 3, "of five, one is never used and one is kept for a cancel"


def test_orders_are_replaced_and_the_dead_man_is_the_wallets() -> None:
    (described,) = entering({}).told(VenueDescribed)
    can = described.capabilities
    assert (can.move, can.dead_man, can.label_echoed) == (Move.REPLACE, DeadMan.WALLET, True)


def test_the_limits_are_asked_for_every_minute_and_told_where_they_change() -> None:
    driven = account()
    driven.wait(70.0)
    assert driven.told(VenueDescribed) == []
    used = {**RATE_LIMITS["remaining_matching"], "remainingPoints": 49}
    driven.answers["private/get_account"] = SILENCE
    driven.answers["public/getRateLimits"] = {**RATE_LIMITS, "remaining_matching": used}
    driven.wait(70.0)
    assert driven.told(VenueDescribed) == []  # the account has stated less: 1 a second
    asked = [link for link, frame in driven.sent if frame["method"] == "public/getRateLimits"]
    assert asked.count(Link.TRADING) == 2


# --- staying there ----------------------------------------------------------------------------


def test_links_are_proved_alive_by_pings_that_cost_nothing() -> None:
    driven = account()
    driven.wait(10.0)
    assert {link for link, _ in driven.texts} == set(Link)
    proofs = driven.told(LinkAlive)
    assert {proof.link for proof in proofs} == set(Link)
    asked = [frame["method"] for _, frame in driven.sent]
    assert asked.count("public/get_time") == 1


def test_now_and_then_the_venues_clock_is_asked_for() -> None:
    driven = account({"public/get_time": NOW_MS + 2000})
    driven.wait(11.0)
    stamps = {p.venue_ns for p in driven.told(LinkAlive) if p.link is Link.MARKET}
    assert stamps == {None, (NOW_MS + 2000) * MS}


def test_a_link_that_answers_no_ping_is_cut() -> None:
    driven = account()
    driven.pongs = False
    driven.wait(5.0)
    assert Link.TRADING in {cut.link for cut in driven.cuts}


def test_a_pong_that_comes_late_proves_nothing_of_the_next_ping() -> None:
    driven = account()
    driven.pongs = False
    driven.wait(1.0)
    driven.hear(Link.TRADING, {"method": "subscription", "params": {"channel": "x", "data": {}}})
    first = [link for link, _ in driven.texts].count(Link.TRADING)
    driven.wait(1.6)  # the first ping's time is up, the line lives
    driven.forget()
    for _ in range(first):
        driven.hear(Link.TRADING, "pong")
    assert not [p for p in driven.told(LinkAlive) if p.asked_ns > driven.now_ns - 10**9]


def test_a_channel_that_is_refused_is_told_and_the_others_count() -> None:
    def refusing(params: Any) -> Any:
        told = subscribed(params)
        for channel in told["status"]:
            if channel.startswith("ticker_slim."):
                told["status"][channel] = "Invalid channel"
        return told

    driven = entering({"subscribe": refusing})
    connection = driven.session.connection
    assert connection.up(Link.MARKET)
    refused = connection.links[Link.MARKET].refused
    assert set(refused) == {f"ticker_slim.{CALL}.100", f"ticker_slim.{PERP}.100"}
    assert "(Invalid channel)" in str(refused[f"ticker_slim.{CALL}.100"])


@pytest.mark.parametrize("kind", ["orders", "trades", "balances"])
def test_the_trading_link_is_not_up_where_a_private_channel_is_refused(kind: str) -> None:
    def refusing(params: Any) -> Any:
        told = subscribed(params)
        if f"{SUBACCOUNT}.{kind}" in told["status"]:
            told["status"][f"{SUBACCOUNT}.{kind}"] = "Subscription to a private channel failed"
        return told

    assert not entering({"subscribe": refusing}).session.connection.up(Link.TRADING)


def test_a_refusal_for_want_of_a_login_ends_the_connection() -> None:
    driven = account({"private/get_open_orders": SILENCE})
    driven.ask_open_orders()
    driven.reply("private/get_open_orders", error={"code": 14021, "message": "no wallet"})
    assert [cut.link for cut in driven.cuts] == [Link.TRADING]


def test_one_connection_too_many_is_left_for_a_while() -> None:
    driven = account()
    refusal = {"id": None, "error": {"code": -32100, "message": "too many", "data": None}}
    driven.hear(Link.TRADING, refusal)
    assert [cut.link for cut in driven.cuts] == [Link.TRADING]
    driven.wait(4.0)
    assert driven.dials == []
    driven.wait(2.0)
    assert driven.dials == [Link.TRADING]


# --- without a key ----------------------------------------------------------------------------


def test_the_market_alone_needs_no_key() -> None:
    session = PublicSession("derive", NOW_NS)
    driven = Driven(session, {}).list_all()
    driven.carry_out(session.start(driven.instruments, driven.now_ns))
    driven.wait(12.0)
    assert driven.session.connection.up(Link.MARKET)
    assert {link for link, _ in driven.sent} == {Link.MARKET}
    assert not any("private" in frame["method"] for _, frame in driven.sent)
    assert all(not asked.method.startswith("private/") for asked in driven.asked)
