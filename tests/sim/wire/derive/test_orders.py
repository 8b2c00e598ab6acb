"""Orders at the simulated Derive: what is verified, what is refused, and how an order moves."""

from __future__ import annotations

from typing import Any

import pytest

from mmbot.sim.exchange.listing import Side
from tests.sim.wire.derive.venue import (
    MAKER,
    NETWORKS,
    OPTION,
    OWNER_KEY,
    PERPETUAL,
    STRANGER_KEY,
    Caller,
    Judged,
    Refused,
)

DAY_S = 86_400
ASK, BID = "2860", "2840"


@pytest.fixture
def judged() -> Judged:
    """A perpetual that somebody else quotes: 5 at 2840, 5 at 2860."""
    made = Judged()
    made.quote(PERPETUAL, Side.BUY, "5", BID)
    made.quote(PERPETUAL, Side.SELL, "5", ASK)
    return made


@pytest.fixture
def caller(judged: Judged) -> Caller:
    return judged.caller()


def refused(caller: Caller, **more: Any) -> int:
    return caller.refusal("private/order", **caller.signed(**more))


# --- verified ---------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", NETWORKS)
def test_an_order_is_let_in_on_either_network(caller: Caller, domain: bytes) -> None:
    made = caller.order(domain=domain, label="mine", mmp=True)
    assert (made["order_status"], made["label"], made["mmp"]) == ("open", "mine", True)
    assert (made["limit_price"], made["amount"], made["filled_amount"]) == ("2500", "1", "0")


def test_the_owner_signs_for_itself(judged: Judged) -> None:
    owner = judged.caller(OWNER_KEY)
    assert owner.order()["signer"] == owner.owner


@pytest.mark.parametrize(
    "changed",
    [
        {"limit_price": "2501"},
        {"amount": "1.001"},
        {"max_fee": "1001"},
        {"direction": "sell"},
        {"instrument_name": OPTION},
    ],
)
def test_what_differs_from_what_was_signed_is_14014(
    caller: Caller, changed: dict[str, str]
) -> None:
    assert caller.refusal("private/order", **(caller.signed() | changed)) == 14014


def test_one_wrong_byte_is_14014(caller: Caller) -> None:
    terms = caller.signed()
    raw = bytearray.fromhex(terms["signature"][2:])
    raw[40] ^= 1
    assert (
        caller.refusal(
            "private/order",
            **terms,
        )
        == 0
    )
    again = caller.signed() | {"signature": "0x" + raw.hex()}
    assert caller.refusal("private/order", **again) == 14014


def test_a_key_that_is_not_the_wallets_is_14023(caller: Caller) -> None:
    assert refused(caller, key=STRANGER_KEY) == 14023


def test_a_key_that_has_expired_is_14030(judged: Judged, caller: Caller) -> None:
    judged.register(STRANGER_KEY, expiry_sec=judged.now_ms // 1_000 + 1)
    assert refused(caller, key=STRANGER_KEY) == 0
    judged.pass_time(2_000)
    assert refused(caller, key=STRANGER_KEY) == 14030


def test_a_key_without_a_trade_scope_is_14031(judged: Judged, caller: Caller) -> None:
    judged.register(STRANGER_KEY, scopes=("Read",))
    assert refused(caller, key=STRANGER_KEY) == 14031
    reader = judged.caller(STRANGER_KEY)
    assert reader.open_orders() == []
    assert reader.refusal("private/order", **reader.signed()) == 14031
    assert reader.refusal("private/cancel_all", subaccount_id=judged.subaccount_id) == 14031
    assert reader.refusal("private/set_cancel_on_disconnect", enabled=True) == 14031


@pytest.mark.parametrize(("left_s", "code"), [(299, 11011), (300, 0), (120 * DAY_S + 1, 11011)])
def test_a_signature_lasts_between_five_minutes_and_120_days(
    judged: Judged, caller: Caller, left_s: int, code: int
) -> None:
    until = judged.now_ms // 1_000 + left_s
    assert refused(caller, signature_expiry_sec=until) == code


@pytest.mark.parametrize(
    ("ahead_s", "code"),
    [(0, 0), (3_599, 0), (3_601, 11018), (-89 * DAY_S, 0), (-91 * DAY_S, 11018)],
)
def test_a_nonce_is_of_the_last_90_days_or_the_next_hour(
    judged: Judged, caller: Caller, ahead_s: int, code: int
) -> None:
    nonce = str((judged.now_ms // 1_000 + ahead_s) * 10**9)
    assert refused(caller, nonce=nonce) == code


def test_a_nonce_in_milliseconds_or_microseconds_is_11018(judged: Judged, caller: Caller) -> None:
    for scale in (1, 1_000):
        assert refused(caller, nonce=str(judged.now_ms * scale)) == 11018


def test_a_nonce_is_used_once_and_need_not_grow(judged: Judged, caller: Caller) -> None:
    later, earlier = (str((judged.now_ms + ms) * 10**6) for ms in (1, 0))
    assert refused(caller, nonce=later) == 0
    assert refused(caller, nonce=earlier) == 0
    assert refused(caller, nonce=later) == 11017
    # A nonce is used up by an order that there is, not by one that was refused.
    fresh = str((judged.now_ms + 2) * 10**6)
    assert refused(caller, nonce=fresh, price=ASK, time_in_force="post_only") == 11008
    assert refused(caller, nonce=fresh) == 0


def test_too_small_a_fee_is_11023_and_says_which_is_needed(caller: Caller) -> None:
    # The perpetual's taker rate of the index, and its base fee over the amount.
    with pytest.raises(Refused) as info:
        caller.order(max_fee="0.5")
    assert info.value.code == 11023
    assert info.value.data is not None
    index = caller.judged.market.index("eth_usdc")
    told = float(info.value.data.removeprefix("signed max_fee must be >= "))
    assert told == pytest.approx(0.0003 * index + 0.01)
    assert refused(caller, max_fee="0.87") == 0


def test_a_moment_after_which_it_is_not_wanted(judged: Judged, caller: Caller) -> None:
    assert refused(caller, reject_timestamp=judged.now_ms) == 0
    assert refused(caller, reject_timestamp=judged.now_ms - 1) == 11022


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"price": "2500.005"}, 11013),
        ({"price": "0"}, 11013),
        ({"amount": "1.0005"}, 11012),
        ({"amount": "0.009"}, 11012),
        ({"amount": "100000"}, 11012),
        ({"name": OPTION, "amount": "0.05", "price": "50"}, 11012),
        ({"name": OPTION, "price": "50.05"}, 11013),
        ({"order_type": "market", "time_in_force": "post_only"}, 11010),
        ({"reduce_only": True}, 11024),
        ({"reduce_only": True, "time_in_force": "ioc", "price": ASK}, 11025),
    ],
)
def test_terms_that_cannot_be(caller: Caller, terms: dict[str, Any], code: int) -> None:
    assert refused(caller, **terms) == code


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"subaccount_id": "130837"}, -32602),
        ({"limit_price": "2500.0000000000001"}, -32602),
        ({"amount": "one"}, -32602),
        ({"nonce": None}, -32602),
        ({"direction": "up"}, -32602),
        ({"order_type": "stop"}, -32602),
        ({"time_in_force": "day"}, -32602),
        ({"mmp": "yes"}, -32602),
        ({"signer": "me"}, -32602),
        ({"trigger_type": "stoploss"}, -32602),
        ({"subaccount_id": 7}, 14001),
        ({"instrument_name": "ETH-NOTHING"}, 12001),
    ],
)
def test_requests_that_cannot_be_read(caller: Caller, terms: dict[str, Any], code: int) -> None:
    assert caller.refusal("private/order", **(caller.signed() | terms)) == code


def test_the_venue_tells_what_it_would_verify(caller: Caller) -> None:
    told = caller.ask("private/order_debug", **caller.signed())
    assert told["recovered_signer"] == told["expected_signer"]
    assert caller.open_orders() == []


# --- carried out ------------------------------------------------------------------------------


def test_an_order_that_would_trade_is_refused_or_moved_off_the_touch(caller: Caller) -> None:
    assert refused(caller, price=ASK, time_in_force="post_only") == 11008
    made = caller.order(price=ASK, time_in_force="post_only", reject_post_only=False)
    assert (made["limit_price"], made["signed_limit_price"]) == ("2859.99", ASK)
    assert made["order_status"] == "open"


def test_beyond_the_price_band_an_order_may_only_wait(judged: Judged, caller: Caller) -> None:
    book = judged.exchange.book(PERPETUAL)
    assert book.max_price is not None
    beyond = str(book.max_price + 10)
    assert refused(caller, price=beyond) == 11008
    # What takes is matched up to the band, and ends there.
    judged.quote(PERPETUAL, Side.SELL, "5", str(book.max_price + 5))
    made = caller.order(amount="7", price=beyond, time_in_force="ioc")
    assert (made["filled_amount"], made["average_price"]) == ("5", ASK)
    for order_id in list(judged.exchange.accounts[MAKER].open_orders):
        judged.exchange.cancel(MAKER, order_id, judged.now_ms)
    assert caller.order(price=beyond)["order_status"] == "open"


def test_an_order_never_meets_the_accounts_own(caller: Caller) -> None:
    caller.order(price="2850")
    assert refused(caller, side="sell", price="2850") == 11007


def test_what_does_not_rest_takes_what_there_is(caller: Caller) -> None:
    taken = caller.ask("private/order", **caller.signed(amount="7", price=ASK, time_in_force="ioc"))
    order, (trade,) = taken["order"], taken["trades"]
    assert (order["order_status"], order["filled_amount"]) == ("cancelled", "5")
    assert order["cancel_reason"] == "ioc_or_market_partial_fill"
    assert (trade["trade_amount"], trade["trade_price"]) == ("5", ASK)
    assert (trade["liquidity_role"], trade["batch_status"]) == ("taker", None)
    assert trade["trade_fee"] == order["order_fee"]


def test_a_market_order_goes_no_further_than_its_limit(judged: Judged, caller: Caller) -> None:
    judged.quote(PERPETUAL, Side.SELL, "5", "2861")
    made = caller.order(amount="7", price="2860.5", order_type="market")
    assert (made["filled_amount"], made["average_price"]) == ("5", ASK)
    assert (made["order_type"], made["order_status"]) == ("market", "cancelled")


def test_where_there_is_nothing_to_take(caller: Caller) -> None:
    for terms in ({"time_in_force": "ioc"}, {"time_in_force": "fok"}, {"order_type": "market"}):
        assert refused(caller, price="2850", **terms) == 11009
    assert refused(caller, price=ASK, amount="6", time_in_force="fok") == 11014
    assert refused(caller, price=ASK, amount="5", time_in_force="fok") == 0


def test_an_order_beyond_the_means_is_11000(caller: Caller) -> None:
    assert refused(caller, amount="2000", price="2500") == 11000


def test_a_position_is_reduced_and_never_turned(caller: Caller) -> None:
    caller.order(amount="2", price=ASK, time_in_force="ioc")
    closing = {"reduce_only": True, "time_in_force": "ioc", "price": BID}
    made = caller.order(side="sell", amount="3", **closing)
    assert made["filled_amount"] == "2"
    assert refused(caller, side="sell", **closing) == 11025


def test_an_order_ends_when_its_signature_does(judged: Judged, caller: Caller) -> None:
    caller.subscribe(f"{judged.subaccount_id}.orders")
    made = caller.order(signature_expiry_sec=judged.now_ms // 1_000 + 301)
    judged.venue.market_moves = True
    judged.pass_time(302_000)
    assert caller.open_orders() == []
    (ended,) = caller.told(f"{judged.subaccount_id}.orders")[-1]
    assert (ended["order_id"], ended["order_status"]) == (made["order_id"], "expired")
    where = {"subaccount_id": judged.subaccount_id, "instrument_name": PERPETUAL}
    assert caller.refusal("private/cancel", order_id=made["order_id"], **where) == 11005


# --- moved and cancelled ----------------------------------------------------------------------


def replaced(caller: Caller, order_id: str, **more: Any) -> Any:
    extra = {name: more.pop(name) for name in ("expected_filled_amount",) if name in more}
    terms = caller.signed(**more) | extra
    return caller.ask("private/replace", order_id_to_cancel=order_id, **terms)


def test_a_replace_ends_one_order_and_creates_another(caller: Caller) -> None:
    made = caller.order(label="a")
    told = replaced(caller, made["order_id"], price="2510", label="b")
    assert told["cancelled_order"]["order_id"] == made["order_id"]
    assert told["cancelled_order"]["order_status"] == "cancelled"
    assert told["order"]["replaced_order_id"] == made["order_id"]
    assert told["create_order_error"] is None
    (resting,) = caller.open_orders()
    assert (resting["label"], resting["limit_price"]) == ("b", "2510")
    assert resting["order_id"] != made["order_id"]


def test_a_replace_by_nonce(caller: Caller) -> None:
    made = caller.order()
    terms = caller.signed(price="2510")
    told = caller.ask("private/replace", nonce_to_cancel=int(made["nonce"]), **terms)
    assert told["cancelled_order"]["order_id"] == made["order_id"]


def test_what_the_exchange_refuses_is_said_beside_the_order_that_is_gone(caller: Caller) -> None:
    made = caller.order()
    told = replaced(caller, made["order_id"], price=ASK, time_in_force="post_only")
    assert told["cancelled_order"]["order_status"] == "cancelled"
    assert told["order"] is None
    assert told["trades"] is None
    assert told["create_order_error"]["code"] == 11008
    assert told["create_order_error"]["data"]
    assert caller.open_orders() == []


def test_what_is_wrong_with_a_replace_leaves_the_order_alone(caller: Caller) -> None:
    made = caller.order()
    order_id = made["order_id"]
    for more, code in (
        ({"price": "2500.005"}, 11013),
        ({"key": STRANGER_KEY}, 14023),
        ({"nonce": made["nonce"]}, 11017),
        ({"expected_filled_amount": "0.5"}, 11028),
    ):
        with pytest.raises(Refused) as info:
            replaced(caller, order_id, **more)
        assert info.value.code == code
    assert [one["order_id"] for one in caller.open_orders()] == [order_id]


def test_a_replace_of_what_has_ended_says_how(judged: Judged, caller: Caller) -> None:
    cancelled, filled = caller.order(), caller.order(price="2850", amount="1")
    where = {"subaccount_id": judged.subaccount_id, "instrument_name": PERPETUAL}
    caller.ask("private/cancel", order_id=cancelled["order_id"], **where)
    judged.quote(PERPETUAL, Side.SELL, "1", "2850")
    unknown = "00000000-0000-4000-8000-000000000000"
    for order_id, code in (
        (cancelled["order_id"], 11003),
        (filled["order_id"], 11004),
        (unknown, 11006),
    ):
        assert caller.refusal("private/cancel", order_id=order_id, **where) == code
        terms = caller.signed()
        assert caller.refusal("private/replace", order_id_to_cancel=order_id, **terms) == code
    assert caller.open_orders() == []


def test_a_hundred_replaces_that_fail_leave_one_order_at_most(caller: Caller) -> None:
    order = caller.order()
    for number in range(100):
        assert len(caller.open_orders()) == 1
        crossing = {"price": ASK, "time_in_force": "post_only"} if number % 2 else {}
        told = replaced(caller, order["order_id"], **crossing)
        failed = told["order"] is None
        assert failed == bool(number % 2)
        assert len(caller.open_orders()) == (0 if failed else 1)
        order = caller.order() if failed else told["order"]


def test_cancels_by_label_nonce_instrument_and_all(judged: Judged, caller: Caller) -> None:
    sub = {"subaccount_id": judged.subaccount_id}
    for label in ("a", "a", "b"):
        caller.order(label=label)
    caller.order(OPTION, "buy", "1", "50", label="a")
    here = {**sub, "instrument_name": PERPETUAL}
    assert caller.ask("private/cancel_by_label", label="a", **here) == {"cancelled_orders": 2}
    assert [one["label"] for one in caller.open_orders()] == ["b", "a"]
    # Over all instruments the count is not told.
    assert caller.ask("private/cancel_by_label", label="a", **sub) == {"cancelled_orders": -1}
    (left,) = caller.open_orders()
    nonce = int(left["nonce"])
    assert caller.ask("private/cancel_by_nonce", nonce=nonce, **here) == {"cancelled_orders": 1}
    assert caller.ask("private/cancel_by_nonce", nonce=nonce, **here) == {"cancelled_orders": 0}
    caller.order()
    caller.order(OPTION, "buy", "1", "50")
    assert caller.ask("private/cancel_by_instrument", **here) == {"cancelled_orders": 1}
    assert caller.ask("private/cancel_all", **sub) == "ok"
    assert caller.open_orders() == []


def test_questions_about_orders(judged: Judged, caller: Caller) -> None:
    sub = {"subaccount_id": judged.subaccount_id}
    first, second = caller.order(label="a"), caller.order(label="b")
    assert caller.ask("private/get_order", order_id=first["order_id"], **sub)["label"] == "a"
    judged.pass_time(50)
    where = {**sub, "instrument_name": PERPETUAL}
    caller.ask("private/cancel", order_id=second["order_id"], **where)
    judged.pass_time(50)
    caller.ask("private/cancel", order_id=first["order_id"], **where)
    told = caller.ask("private/get_order_history", page=1, page_size=1, **sub)
    assert told["pagination"] == {"count": 2, "num_pages": 2}
    assert [one["label"] for one in told["orders"]] == ["a"]  # the latest first
    since = caller.ask("private/get_order_history", from_timestamp=judged.now_ms, **sub)
    assert [one["label"] for one in since["orders"]] == ["a"]
    assert caller.refusal("private/get_order_history", page_size=1_001, **sub) == -32602
