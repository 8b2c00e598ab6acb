"""Connections to the simulated Derive: who is let in, what is followed, what a broken line does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.derive.signatures import personal_digest
from mmbot.sim.wire.faces import Login
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.rules import Rules, Tiers
from tests.sim.wire.derive.venue import (
    OPTION,
    OWNER,
    OWNER_KEY,
    PERPETUAL,
    SESSION_KEY,
    SIGNER,
    STRANGER_KEY,
    Caller,
    Judged,
    Refused,
    sign,
)


@pytest.fixture
def judged() -> Judged:
    return Judged()


def anonymous(judged: Judged, **more: Any) -> Caller:
    return Caller(judged, SESSION_KEY, OWNER, **more)


# --- who is let in ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", [SESSION_KEY, OWNER_KEY])
def test_the_owner_and_its_session_keys_log_in(judged: Judged, key: bytes) -> None:
    assert Caller(judged, key, OWNER).login() == [judged.subaccount_id]


def test_a_timestamp_is_a_number_or_a_text(judged: Judged) -> None:
    caller = anonymous(judged)
    stamp = judged.now_ms
    signature = sign(personal_digest(str(stamp)), SESSION_KEY)
    assert caller.login(timestamp=stamp, signature=signature) == [judged.subaccount_id]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "0x00"}, 14014),
        ({"timestamp": "1790000000001"}, 14023),  # signed by nobody known, then
        ({"timestamp": "soon"}, -32602),
        ({"timestamp": None}, -32602),
        ({"wallet": "me"}, -32602),
        ({"wallet": SIGNER}, 14000),
    ],
)
def test_a_login_that_is_wrong(judged: Judged, changes: dict[str, Any], code: int) -> None:
    caller = anonymous(judged)
    with pytest.raises(Refused) as info:
        caller.login(**changes)
    assert info.value.code == code
    assert caller.refusal("private/get_open_orders", subaccount_id=judged.subaccount_id) == 14021


def test_a_strangers_key_is_not_let_in(judged: Judged) -> None:
    with pytest.raises(Refused) as info:
        Caller(judged, STRANGER_KEY, OWNER).login()
    assert info.value.code == 14023


def test_a_key_that_expires_ends_what_it_may(judged: Judged) -> None:
    judged.register(STRANGER_KEY, expiry_sec=judged.now_ms // 1_000 + 1)
    caller = judged.caller(STRANGER_KEY)
    judged.pass_time(2_000)
    assert caller.refusal("private/get_open_orders", subaccount_id=judged.subaccount_id) == 14030


def test_over_http_the_headers_say_who_it_is(judged: Judged) -> None:
    caller = anonymous(judged, rest=True)
    made = caller.order()
    assert [one["order_id"] for one in caller.open_orders()] == [made["order_id"]]
    _, body = judged.venue.on_rest("private/get_positions", {"subaccount_id": 1}, 1, None)
    assert orjson.loads(body.text)["error"]["code"] == 14021
    stranger = Caller(judged, STRANGER_KEY, OWNER, rest=True)
    assert stranger.refusal("private/get_subaccounts", wallet=OWNER) == 14023


def test_what_belongs_to_a_connection_is_no_method_over_http(judged: Judged) -> None:
    caller = anonymous(judged, rest=True)
    for method in ("subscribe", "public/login", "private/set_cancel_on_disconnect"):
        assert caller.refusal(method, channels=[]) == -32601


def test_a_wallet_asks_about_itself_alone(judged: Judged) -> None:
    caller = judged.caller()
    assert caller.ask("private/get_subaccounts", wallet=OWNER) == {
        "wallet": OWNER,
        "subaccount_ids": [judged.subaccount_id],
    }
    assert caller.refusal("private/get_account", wallet=SIGNER) == 14020
    assert caller.refusal("private/get_positions", subaccount_id=7) == 14001
    (key,) = caller.ask("private/session_keys", wallet=OWNER)["public_session_keys"]
    assert key["public_session_key"].lower() == SIGNER
    assert key["protocol_scopes"] == ["Trade(All)"]


def test_a_caller_of_another_year_is_judged_by_its_own_clock() -> None:
    year_ms = 365 * 86_400_000
    judged = Judged(ahead_ms=year_ms)
    caller = judged.caller()
    made = caller.order(reject_timestamp=judged.now_ms + year_ms)
    assert made["order_status"] == "open"
    late = caller.signed(reject_timestamp=judged.now_ms + year_ms - 1)
    assert caller.refusal("private/order", **late) == 11022
    # The order ends as soon as it would have by the caller's clock.
    assert made["signature_expiry_sec"] == (judged.now_ms + year_ms) // 1_000 + 600
    judged.venue.market_moves = True
    judged.pass_time(599_000, 1_000)
    assert len(caller.open_orders()) == 1
    judged.pass_time(2_000, 1_000)
    assert caller.open_orders() == []


def test_a_caller_that_is_a_little_off_is_judged_by_the_venues() -> None:
    judged = Judged(ahead_ms=2_000)
    caller = judged.caller()
    behind = caller.signed(reject_timestamp=judged.now_ms - 1)
    assert caller.refusal("private/order", **behind) == 11022


def test_a_word_makes_up_a_wallet_and_each_holder_has_its_own(judged: Judged) -> None:
    told = []
    for account in ("a", "b"):
        judged.exchange.open_account(account, {"USDC": Decimal(1)})
        login = Login(
            account=account,
            key="sim",
            secret="sim",
            token_expires_in_s=1.0,
            manner=Manner.PLAIN,
            seed=1,
            keeps_orders=lambda: False,
        )
        told.append(judged.venue.credentials(judged.venue.admit(login)))
    first, second = told
    assert not set(first.values()) & set(second.values())
    key = bytes.fromhex(str(first["session_key"]).removeprefix("0x"))
    caller = Caller(judged, key, str(first["wallet"]))
    assert caller.login() == [first["subaccount_id"]]
    # A key that was given is not told again.
    assert "session_key" not in judged.venue.credentials(judged.counter)


def test_accounts_of_one_owner_are_subaccounts_of_one_wallet(judged: Judged) -> None:
    judged.exchange.open_account("hedge", {"USDC": Decimal(1_000)})
    login = Login(
        account="hedge",
        key=OWNER,
        secret=STRANGER_KEY.hex(),
        token_expires_in_s=1.0,
        manner=Manner.PLAIN,
        seed=1,
        keeps_orders=lambda: False,
    )
    second = judged.venue.admit(login).subaccount_id
    caller, other = judged.caller(), judged.caller(STRANGER_KEY)
    assert caller.login() == other.login() == sorted([judged.subaccount_id, second])
    caller.order()
    other.order(subaccount_id=second, amount="0.1", price="2000")
    assert len(caller.ask("private/get_order_history", wallet=OWNER)["orders"]) == 0
    assert len(caller.ask("private/get_all_portfolios", wallet=OWNER)) == 2
    other.ask("private/set_cancel_on_disconnect", enabled=True)
    other.hang_up()
    assert caller.open_orders() == []
    assert len(caller.ask("private/get_order_history", wallet=OWNER)["orders"]) == 2


# --- frames -----------------------------------------------------------------------------------


def test_frames_that_are_no_requests(judged: Judged) -> None:
    caller = anonymous(judged)
    assert caller.session is not None
    for text, code in ((b"{", -32700), (b"[1]", -32600), (b'{"id": null}', -32600)):
        judged.venue.on_frame(caller.session, text)
        frame = orjson.loads(caller.texts[-1])
        assert frame["error"]["code"] == code
        assert frame["error"].keys() == {"code", "message", "data"}
    assert caller.refusal("public/get_time") == 0
    assert caller.refusal("public/nothing") == -32601


def test_the_data_of_an_error_is_there_and_may_be_null(judged: Judged) -> None:
    caller = judged.caller()
    assert caller.session is not None
    late = caller.signed(reject_timestamp=1)
    judged.venue.on_frame(
        caller.session, orjson.dumps({"id": 77, "method": "private/order", "params": late})
    )
    assert orjson.loads(caller.texts[-1]) == {
        "id": 77,
        "error": {"code": 11022, "message": "Reject timestamp exceeded", "data": None},
    }


def test_a_text_ping_is_answered_and_keeps_the_line(judged: Judged) -> None:
    caller = anonymous(judged)
    assert caller.session is not None
    for _ in range(3):
        judged.us += 400 * 10**6
        judged.venue.on_frame(caller.session, b"ping")
        assert caller.texts[-1] == b"pong"
        judged.venue.tick()
    assert not caller.hung_up
    judged.us += 601 * 10**6
    judged.venue.on_beat(caller.session)
    judged.venue.tick()
    assert not caller.hung_up
    judged.us += 601 * 10**6
    judged.venue.tick()
    assert caller.hung_up


def test_one_connection_too_many_is_told_so() -> None:
    judged = Judged(rules=Rules(tiers=Tiers(connections=2, other=100)))
    first, second, third = (anonymous(judged) for _ in range(3))
    assert [one.hung_up for one in (first, second, third)] == [False, False, True]
    assert orjson.loads(third.texts[0])["error"]["code"] == -32100


# --- what is followed -------------------------------------------------------------------------


def test_a_refusal_is_said_inside_the_status(judged: Judged) -> None:
    caller = anonymous(judged)
    orders = f"{judged.subaccount_id}.orders"
    status = caller.subscribe(
        f"orderbook.{PERPETUAL}.1.10",
        f"orderbook.{PERPETUAL}.2.10",
        f"orderbook.{PERPETUAL}.1.7",
        "orderbook.ETH-NOTHING.1.10",
        f"ticker_slim.{PERPETUAL}.500",
        f"ticker.{PERPETUAL}.100",
        "spot_feed.DOGE",
        "trades.option.ETH.Soon",
        orders,
    )
    good, *bad = status.values()
    assert good == "ok"
    assert all(words != "ok" for words in bad)
    assert status[orders].startswith("Subscription to a private channel failed")
    caller.login()
    told = caller.ask("subscribe", channels=[orders, "7.orders", f"{OWNER}.rfqs"])
    assert [words == "ok" for words in told["status"].values()] == [True, False, True]
    assert told["current_subscriptions"] == sorted(
        [f"orderbook.{PERPETUAL}.1.10", orders, f"{OWNER}.rfqs"]
    )
    left = caller.ask("unsubscribe", channels=[orders, "spot_feed.ETH"])
    assert left["status"] == {orders: "ok", "spot_feed.ETH": "Not subscribed: spot_feed.ETH"}
    assert caller.ask("unsubscribe")["remaining_subscriptions"] == []
    assert caller.refusal("subscribe", channels="all") == -32602


def test_a_book_is_told_whole_by_ticks_and_to_a_depth(judged: Judged) -> None:
    caller = judged.caller()
    for price in ("2840.01", "2840.06", "2839.99", "2830"):
        judged.quote(PERPETUAL, Side.BUY, "1", price)
    judged.quote(PERPETUAL, Side.SELL, "2", "2860.01")
    channels = [f"orderbook.{PERPETUAL}.{rest}" for rest in ("1.10", "10.10", "1.1", "100.20")]
    caller.subscribe(*channels)
    fine, coarse, first, whole = (caller.told(channel)[0] for channel in channels)
    assert fine["bids"] == [["2840.06", "1"], ["2840.01", "1"], ["2839.99", "1"], ["2830", "1"]]
    assert fine["asks"] == [["2860.01", "2"]]
    assert coarse["bids"] == [["2840", "2"], ["2839.9", "1"], ["2830", "1"]]
    assert coarse["asks"] == [["2860.1", "2"]]
    assert first["bids"] == [["2840.06", "1"]]
    assert whole["bids"] == [["2840", "2"], ["2839", "1"], ["2830", "1"]]
    judged.quote(PERPETUAL, Side.BUY, "1", "2840.06")
    judged.pass_time(100)
    (later,) = caller.told(channels[0])
    assert later["bids"][0] == ["2840.06", "2"]
    assert later["publish_id"] > fine["publish_id"]
    judged.pass_time(500)
    assert caller.told(channels[0]) == []  # nothing has changed


def test_a_ticker_names_no_instrument_and_an_empty_side_is_zero(judged: Judged) -> None:
    caller = anonymous(judged)
    channel = f"ticker_slim.{OPTION}.100"
    caller.subscribe(channel)
    (told,) = caller.told(channel)
    ticker = told["instrument_ticker"]
    assert [ticker[side] for side in "aAbB"] == ["0"] * 4
    assert 0 < float(ticker["option_pricing"]["i"]) < 3
    assert 0 < float(ticker["option_pricing"]["d"]) < 1
    assert ticker["f"] is None
    judged.quote(OPTION, Side.BUY, "1.5", "60")
    judged.pass_time(100)
    ticker = caller.told(channel)[-1]["instrument_ticker"]
    assert (ticker["b"], ticker["B"], ticker["a"]) == ("60", "1.5", "0")


def test_an_order_and_its_fill_are_told_in_lists(judged: Judged) -> None:
    caller = judged.caller()
    sub = judged.subaccount_id
    mine = [f"{sub}.{kind}" for kind in ("orders", "trades", "balances", "trades.Settled")]
    caller.subscribe(*mine, f"trades.{PERPETUAL}", "trades.perp.ETH")
    made = caller.order(price="2840", amount="2", label="a")
    assert [[one["order_status"] for one in told] for told in caller.told(mine[0])] == [["open"]]
    judged.quote(PERPETUAL, Side.SELL, "1", "2840")
    ((order,),), ((trade,),) = caller.told(mine[0]), caller.told(mine[1])
    assert (order["filled_amount"], order["order_status"]) == ("1", "open")
    assert trade["order_id"] == made["order_id"]
    assert (trade["label"], trade["liquidity_role"]) == ("a", "maker")
    (rows,) = caller.told(mine[2])
    assert [(row["name"], row["update_type"]) for row in rows] == [
        ("USDC", "trade"),
        (PERPETUAL, "trade"),
    ]
    cash, position = rows
    assert Decimal(cash["previous_balance"]) - Decimal(cash["new_balance"]) == Decimal(
        trade["trade_fee"]
    )
    assert (position["previous_balance"], position["new_balance"]) == ("0", "1")
    for channel in (f"trades.{PERPETUAL}", "trades.perp.ETH"):
        ((public,),) = caller.told(channel)
        assert (public["trade_price"], public["direction"]) == ("2840", "sell")
    judged.pass_time(11_000)
    ((again,),) = caller.told(mine[3])
    assert (again["trade_id"], again["batch_status"]) == (trade["trade_id"], "Settled")
    (row,) = caller.ask("private/get_trade_history", subaccount_id=sub)["trades"]
    assert row["tx_hash"] == again["tx_hash"]


def test_the_reply_comes_before_the_notice(judged: Judged) -> None:
    caller = judged.caller()
    caller.subscribe(f"{judged.subaccount_id}.orders")
    caller.texts.clear()
    caller.order()
    assert [b"result" in text for text in caller.texts] == [True, False]


# --- a broken line ----------------------------------------------------------------------------


def test_a_broken_line_takes_every_order_of_the_wallet(judged: Judged) -> None:
    caller, other, over_http = judged.caller(), judged.caller(), anonymous(judged, rest=True)
    assert caller.ask("private/get_account", wallet=OWNER)["cancel_on_disconnect"] is False
    assert caller.ask("private/set_cancel_on_disconnect", enabled=True) == "ok"
    assert caller.ask("private/get_account", wallet=OWNER)["cancel_on_disconnect"] is True
    other.subscribe(f"{judged.subaccount_id}.orders")
    for one in (caller, other, over_http):
        one.order()
    other.pushes.clear()
    caller.hang_up()
    assert other.open_orders() == []
    told = [one for (_, rows) in other.pushes for one in rows]
    assert [one["cancel_reason"] for one in told] == ["cancel_on_disconnect"] * 3


def test_the_setting_outlives_the_connection_that_made_it(judged: Judged) -> None:
    judged.caller().ask("private/set_cancel_on_disconnect", enabled=True)
    maker, reader = judged.caller(), judged.caller()
    maker.order()
    reader.hang_up()  # it only looked
    assert maker.open_orders() == []
    maker.ask("private/set_cancel_on_disconnect", enabled=False)
    maker.order()
    judged.caller().hang_up()
    assert len(maker.open_orders()) == 1
    maker.ask("private/set_cancel_on_disconnect")  # says nothing, changes nothing
    assert maker.ask("private/get_account", wallet=OWNER)["cancel_on_disconnect"] is False


def test_a_line_without_a_login_takes_nothing(judged: Judged) -> None:
    caller = judged.caller()
    caller.ask("private/set_cancel_on_disconnect", enabled=True)
    caller.order()
    anonymous(judged).hang_up()
    assert len(caller.open_orders()) == 1


def test_a_dead_man_that_is_ignored_leaves_them(judged: Judged) -> None:
    caller, other = judged.caller(), judged.caller()
    caller.ask("private/set_cancel_on_disconnect", enabled=True)
    other.order()
    judged.keeps_orders = True
    caller.hang_up()
    assert len(other.open_orders()) == 1


def test_a_restart_of_the_engine_takes_the_protected_orders_only(judged: Judged) -> None:
    caller = judged.caller()
    caller.ask("private/set_cancel_on_disconnect", enabled=True)
    caller.order(label="quote", mmp=True)
    caller.order(label="hedge")
    judged.venue.restart(judged.counter, with_orders=True)
    again = judged.caller()
    assert [one["label"] for one in again.open_orders()] == ["hedge"]
    judged.venue.restart(judged.counter, with_orders=False)
    assert judged.caller().open_orders() == []


# --- limits -----------------------------------------------------------------------------------


def limited(**tiers: int) -> Judged:
    usual = {"matching": 1, "instrument": 100, "other": 1_000, "cancel_all": 1, "by_label": 10}
    return Judged(rules=Rules(tiers=Tiers(**(usual | tiers))))


def test_a_wallet_has_five_seconds_worth_at_a_time() -> None:
    judged = limited()
    caller = judged.caller()
    codes = []
    for _ in range(6):
        codes.append(caller.refusal("private/order", **caller.signed()))
        judged.us += 500_000
    assert codes == [0] * 5 + [-32000]
    # The window opened with the first request, and reopens whole.
    judged.us += 2_000_000
    over_http = Caller(judged, SESSION_KEY, OWNER, rest=True)
    assert [over_http.refusal("private/order", **caller.signed()) for _ in range(6)] == [
        0,
        0,
        0,
        0,
        0,
        -32000,
    ]


def test_what_is_refused_costs_nothing_and_says_how_long_to_wait() -> None:
    judged = limited()
    caller = judged.caller()
    for _ in range(5):
        caller.order()
    judged.us += 1_000_000
    with pytest.raises(Refused) as info:
        caller.order()
    assert (info.value.code, info.value.data) == (-32000, "Retry after 4000 ms")
    told = caller.ask("public/getRateLimits")
    assert told["remaining_matching"] == {
        "remainingPoints": 0,
        "consumedPoints": 5,
        "msBeforeNext": 4_000,
        "isFirstInDuration": False,
    }
    assert told["remaining_connections"]["consumedPoints"] == 1
    assert told["remaining_per_endpoint"]["private/cancel_all"]["remainingPoints"] == 5


def test_an_instrument_has_a_bucket_that_refills_all_the_time() -> None:
    judged = limited(matching=100, instrument=1)
    caller = judged.caller()
    for _ in range(5):
        caller.order()
    assert caller.refusal("private/order", **caller.signed()) == -32000
    assert caller.order(OPTION, "buy", "1", "50")["order_status"] == "open"
    judged.us += 900_000
    assert caller.refusal("private/order", **caller.signed()) == -32000
    judged.us += 100_000
    assert caller.refusal("private/order", **caller.signed()) == 0
    assert caller.refusal("private/order", **caller.signed()) == -32000


def test_a_perpetual_may_have_a_bucket_of_another_size() -> None:
    caller = limited(matching=100, instrument=1, perpetual=3).caller()
    codes = [caller.refusal("private/order", **caller.signed()) for _ in range(16)]
    assert codes == [0] * 15 + [-32000]
    for _ in range(5):
        caller.order(OPTION, "buy", "1", "50")
    with pytest.raises(Refused):
        caller.order(OPTION, "buy", "1", "50")
    account = caller.ask("private/get_account", wallet=OWNER)
    assert (account["websocket_option_tps"], account["websocket_perp_tps"]) == (1, 3)


def test_an_order_under_protection_costs_a_third() -> None:
    judged = limited()
    caller = judged.caller()
    codes = [caller.refusal("private/order", **caller.signed(mmp=True)) for _ in range(16)]
    assert codes == [0] * 15 + [-32000]


def test_a_replace_costs_one_and_cancel_all_counts_apart() -> None:
    judged = limited()
    caller = judged.caller()
    order_id = caller.order()["order_id"]
    for _ in range(4):
        told = caller.ask("private/replace", order_id_to_cancel=order_id, **caller.signed())
        order_id = told["order"]["order_id"]
    where = {"subaccount_id": judged.subaccount_id}
    one = {**where, "instrument_name": PERPETUAL, "order_id": order_id}
    assert caller.refusal("private/cancel", **one) == -32000
    by_label = {**where, "label": "a"}
    assert caller.refusal("private/cancel_by_label", instrument_name=PERPETUAL, **by_label) == (
        -32000
    )
    assert caller.refusal("private/cancel_by_label", **by_label) == 0
    assert [caller.refusal("private/cancel_all", **where) for _ in range(6)] == [0] * 5 + [-32000]


def test_strangers_share_the_budget_of_their_address() -> None:
    judged = limited(other=1)
    strangers = [anonymous(judged) for _ in range(2)]
    codes = [strangers[at % 2].refusal("public/get_time") for at in range(6)]
    assert codes == [0] * 5 + [-32000]
    judged.us += 5_000_000
    assert strangers[0].refusal("public/get_time") == 0


# --- market maker protection ------------------------------------------------------------------


def protect(caller: Caller, **limits: Any) -> Any:
    terms = {"mmp_interval": 10_000, "mmp_frozen_time": 2_000, "currency": "ETH"} | limits
    return caller.ask("private/set_mmp_config", subaccount_id=caller.judged.subaccount_id, **terms)


def configured(caller: Caller) -> Any:
    sub = caller.judged.subaccount_id
    return caller.ask("private/get_mmp_config", subaccount_id=sub)


def test_a_protection_is_set_and_read_back_in_whole_seconds(judged: Judged) -> None:
    caller = judged.caller()
    told = protect(caller, mmp_interval=1_999, mmp_amount_limit="2.5", mmp_delta_limit="1")
    assert told == {
        "subaccount_id": judged.subaccount_id,
        "currency": "ETH",
        "mmp_interval": 1_000,
        "mmp_frozen_time": 2_000,
        "mmp_amount_limit": "2.5",
        "mmp_delta_limit": "1",
    }
    assert configured(caller) == [told | {"is_frozen": False, "mmp_unfreeze_time": 0}]


def test_too_much_traded_freezes_the_protected_quotes_of_the_currency(judged: Judged) -> None:
    caller = judged.caller()
    caller.subscribe(f"{judged.subaccount_id}.orders")
    protect(caller, mmp_amount_limit="1")
    caller.order(price="2840", amount="3", label="quote", mmp=True)
    caller.order(OPTION, "buy", "1", "50", label="other quote", mmp=True)
    caller.order(price="2500", label="hedge")
    judged.quote(PERPETUAL, Side.SELL, "1", "2840")
    assert len(caller.open_orders()) == 3  # as much as there may be
    judged.quote(PERPETUAL, Side.SELL, "0.5", "2840")
    assert [one["label"] for one in caller.open_orders()] == ["hedge"]
    reasons = {
        one["label"]: one["cancel_reason"]
        for rows in caller.told(f"{judged.subaccount_id}.orders")
        for one in rows
    }
    assert reasons == {"quote": "mmp_trigger", "other quote": "mmp_trigger", "hedge": ""}
    (row,) = configured(caller)
    assert (row["is_frozen"], row["mmp_unfreeze_time"]) == (True, judged.now_ms + 2_000)
    assert caller.refusal("private/order", **caller.signed(mmp=True)) == 11015
    assert caller.refusal("private/order", **caller.signed()) == 0
    judged.us += 2_000_000
    assert caller.refusal("private/order", **caller.signed(mmp=True)) == 0


def test_a_freeze_in_the_middle_of_forty_quotes_ends_each_of_them_once(judged: Judged) -> None:
    caller = judged.caller()
    orders = f"{judged.subaccount_id}.orders"
    protect(caller, mmp_amount_limit="0.5")
    names = [
        name
        for name, one in judged.exchange.listings.items()
        if name.startswith("ETH-20250606-") and one.strike and 2700 <= one.strike <= 2925
    ]
    for name in names:
        judged.venue.watch(name)
        judged.market.unwatch(name)
        tick, mark = judged.exchange.terms(name).tick, judged.exchange.book(name).mark
        bid = mark // tick * tick - 10 * tick
        for side, price in (("buy", bid), ("sell", bid + 20 * tick)):
            caller.order(name, side, "1", str(price), mmp=True, label=f"{name} {side}")
    resting = caller.open_orders()
    assert len(resting) == 40
    caller.subscribe(orders)
    hit = next(one for one in resting if one["label"].endswith("sell"))
    judged.quote(hit["instrument_name"], Side.BUY, "1", hit["limit_price"])
    assert caller.open_orders() == []
    ends = [one for rows in caller.told(orders) for one in rows]
    assert len(ends) == len({one["order_id"] for one in ends}) == 40
    told = sorted(one["cancel_reason"] for one in ends)
    assert told == ["", *["mmp_trigger"] * 39]  # the first was filled


def test_delta_counts_with_its_sign_and_only_for_so_long(judged: Judged) -> None:
    caller = judged.caller()
    protect(caller, mmp_interval=2_000, mmp_delta_limit="1")
    caller.order(price="2840", amount="3", mmp=True)
    caller.order(side="sell", price="2860", amount="3", mmp=True)
    for side, price in ((Side.SELL, "2840"), (Side.BUY, "2860")):
        judged.quote(PERPETUAL, side, "1", price)
    assert len(caller.open_orders()) == 2  # what was bought was sold
    judged.us += 2_000_000
    judged.quote(PERPETUAL, Side.SELL, "1", "2840")
    assert len(caller.open_orders()) == 2  # what came before counts no more
    judged.quote(PERPETUAL, Side.SELL, "0.5", "2840")
    assert caller.open_orders() == []


def test_a_freeze_without_an_end_waits_for_a_person(judged: Judged) -> None:
    caller = judged.caller()
    protect(caller, mmp_frozen_time=0, mmp_amount_limit="0.5")
    caller.order(price="2840", mmp=True)
    judged.quote(PERPETUAL, Side.SELL, "1", "2840")
    judged.us += 3_600 * 10**6
    assert caller.refusal("private/order", **caller.signed(mmp=True)) == 11015
    assert caller.ask("private/reset_mmp", subaccount_id=judged.subaccount_id) == "ok"
    assert caller.refusal("private/order", **caller.signed(mmp=True)) == 0


def test_a_freeze_lets_a_replace_cancel_and_create_nothing(judged: Judged) -> None:
    caller = judged.caller()
    resting = caller.order()
    protect(caller, mmp_amount_limit="0.5")
    caller.order(price="2840", mmp=True)
    judged.quote(PERPETUAL, Side.SELL, "1", "2840")
    terms = caller.signed(mmp=True)
    told = caller.ask("private/replace", order_id_to_cancel=resting["order_id"], **terms)
    assert told["create_order_error"]["code"] == 11015
    assert caller.open_orders() == []
