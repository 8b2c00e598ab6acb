"""The manners of the simulated Deribit: thin is permitted, odd hurts nothing vital."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import orjson
import pytest

from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.deribit.manners import Manners
from mmbot.sim.wire.deribit.strangers import BASKET, STRANGE_ID
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.server import SimVenue
from mmbot.sim.wire.talk import Talk
from tests.wire.spec import history, law
from tests.wire.venue import OPTION, connected, rest, scripted_options

Json = dict[str, Any]

ORDER: Json = {
    "order_id": "ETH-1",
    "order_state": "open",
    "order_type": "limit",
    "time_in_force": "good_til_cancelled",
    "instrument_name": "ETH-PERPETUAL",
    "direction": "buy",
    "price": 2000.0,
    "amount": 10.0,
    "contracts": 10.0,
    "filled_amount": 0.0,
    "average_price": 0.0,
    "label": "mm1-1",
    "post_only": True,
    "reject_post_only": True,
    "reduce_only": False,
    "api": True,
    "web": False,
    "user_id": 1,
    "creation_timestamp": 1,
    "last_update_timestamp": 2,
}


def talk_of(manner: Manner, seed: int = 1) -> Talk:
    return Manners(manner, seed, lambda: 1_748_865_600_000).talk()


def said(talk: Talk, about: str | None, frame: Json) -> list[Json]:
    return [orjson.loads(one.text) for one in talk.frames(Frame(frame), about)]


def objects(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from objects(one)


def results(judge: history.Judge, method: str) -> list[Any]:
    """Every result of a method."""
    return [
        frame["result"]
        for frame in judge.frames
        if "result" in frame and judge.asked[frame["id"]][0] == method
    ]


def test_plain_is_what_the_venue_has_to_say() -> None:
    frame = Frame({"jsonrpc": "2.0", "id": 1, "result": {"order": ORDER, "trades": []}})
    assert list(talk_of(Manner.PLAIN).frames(frame, "private/buy")) == [frame]


def test_a_thin_morning_conforms() -> None:
    faults = sorted(set(history.morning(Manner.THIN).faults))
    assert not faults, "\n".join(faults[:40])


def test_a_thin_order_has_what_the_specification_requires_and_what_it_is_about() -> None:
    reply = {"jsonrpc": "2.0", "id": 7, "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": True}
    reply["result"] = {"order": ORDER, "trades": []}
    (frame,) = said(talk_of(Manner.THIN), "private/buy", reply)
    assert frame.keys() == {"jsonrpc", "id", "result"}
    assert frame["result"]["order"].keys() == {
        "order_id",
        "order_state",
        "order_type",
        "time_in_force",
        "creation_timestamp",
        "last_update_timestamp",
        "direction",
        "price",
        "label",
        "post_only",
        "api",
        "instrument_name",
        "amount",
        "reject_post_only",
        "reduce_only",
    }


def test_a_thin_account_says_little_and_who_it_is_to_who_asks() -> None:
    judge = history.morning(Manner.THIN)
    plain, extended, _ = results(judge, "private/get_account_summaries")[:3]
    assert plain.keys() == {"summaries"}
    assert extended.keys() == {
        "id",
        "system_name",
        "username",
        "email",
        "security_keys_enabled",
    } | {"summaries"}
    for summary in plain["summaries"]:
        assert {"equity", "balance", "maintenance_margin"} <= summary.keys()
        assert not {"margin_balance", "limits", "cross_collateral_enabled"} & summary.keys()


def test_a_thin_ticker_of_an_option_knows_no_volatility_and_none_is_null() -> None:
    judge = history.morning(Manner.THIN)
    tickers = [
        frame["params"]["data"]
        for frame in judge.frames
        if frame.get("method") == "subscription"
        and frame["params"]["channel"] == f"ticker.{history.INVERSE_OPTION}.raw"
    ]
    assert tickers
    assert all(one["greeks"] is one["mark_iv"] is one["bid_iv"] is None for one in tickers)
    assert all(one["mark_price"] > 0 for one in tickers)
    empty = {"best_bid_price": 0.0, "best_bid_amount": 0.0, "best_ask_price": 2.0}
    channel = "ticker.X.raw"
    (frame,) = said(talk_of(Manner.THIN), channel, _pushed({"channel": channel, "data": empty}))
    assert frame["params"]["data"] == {
        "best_bid_price": None,
        "best_bid_amount": 0.0,
        "best_ask_price": 2.0,
    }


def test_a_thin_refusal_has_no_details() -> None:
    error = {"code": 10009, "message": "not_enough_funds", "data": {"reason": "x"}}
    (frame,) = said(talk_of(Manner.THIN), "private/buy", {"id": 1, "error": error, "usIn": 1})
    assert frame == {"id": 1, "error": {"code": 10009, "message": "not_enough_funds"}}


@pytest.mark.parametrize("seed", [1, 2])
def test_odd_leaves_alone_what_money_hangs_on_in_our_own_elements(seed: int) -> None:
    judge = history.morning(Manner.ODD, seed)
    plain = history.morning()
    vital = {"order_id", "label", "price", "amount", "filled_amount", "direction", "order_state"}
    ours = [of for of in objects(judge.frames) if str(of.get("order_id", "")).startswith("ETH-j")]
    assert ours
    for order in ours:
        for name in vital & order.keys():
            kinds = (int, float) if name in ("price", "amount", "filled_amount") else str
            assert isinstance(order[name], kinds), (name, order)
    for method in ("private/get_position", "private/get_account_summary"):
        for odd, even in zip(results(judge, method), results(plain, method), strict=True):
            for name in ("size", "equity", "balance", "maintenance_margin", "currency"):
                assert odd.get(name) == even.get(name)


def test_odd_puts_other_peoples_things_beside_ours() -> None:
    judge = history.morning(Manner.ODD)
    listed = results(judge, "public/get_instruments")[0]
    kinds = {row["kind"] for row in listed}
    assert kinds == {"option", "future", "spot", "future_combo", "option_combo", BASKET}
    orders = results(judge, "private/get_open_orders")[0]
    strange = [one for one in orders if one["order_state"] == "untriggered"]
    assert strange
    assert not any("filled_amount" in one for one in strange)
    assert BASKET in {one["kind"] for one in results(judge, "private/get_positions")[0]}
    page = results(judge, "private/get_transaction_log")[-1]
    assert any(row["id"] >= STRANGE_ID and not row["change"] for row in page["logs"])


def test_odd_says_what_nobody_expects() -> None:
    frames = [frame for seed in (1, 2) for frame in history.morning(Manner.ODD, seed).frames]
    seen = list(objects(frames))
    assert any(name.startswith("x_") for one in seen for name in one)
    assert any(isinstance(one.get("open_interest"), str) for one in seen)
    assert any("mark_iv" in one and one["mark_iv"] is None for one in seen)
    assert any(one.get("tick_direction") == 99 for one in seen)
    assert any(isinstance(one.get("mark_price"), str) for one in seen if "best_bid_price" in one)


def test_odd_sends_the_notice_of_an_order_before_the_reply_now_and_then() -> None:
    judge = history.morning(Manner.ODD)
    early = late = 0
    noticed: set[str] = set()
    for frame in judge.frames:
        if frame.get("method") == "subscription":
            if frame["params"]["channel"] == "user.orders.any.any.raw":
                noticed.add(frame["params"]["data"]["order_id"])
        elif "result" in frame and judge.asked[frame["id"]][0] == "private/buy":
            known = frame["result"]["order"]["order_id"] in noticed
            early, late = early + known, late + (not known)
    assert early
    assert late


def test_odd_tells_of_strange_listings_where_news_of_listings_are_subscribed() -> None:
    talk = talk_of(Manner.ODD)
    channel = "instrument.state.any.any"
    said(talk, "public/subscribe", {"id": 1, "result": ["quote.X", channel]})
    pushes = [
        said(talk, "quote.X", _pushed({"channel": "quote.X", "data": {}})) for _ in range(3000)
    ]
    news = [one for frames in pushes for one in frames if one["params"]["channel"] == channel]
    assert news
    assert all(law.pattern_of(one["params"]["channel"]) for one in news)


def test_one_seed_of_odd_manners_says_the_same_every_time() -> None:
    frame = Frame({"id": 1, "result": [ORDER] * 50})

    def all_said(seed: int) -> list[bytes]:
        said = talk_of(Manner.ODD, seed).frames(frame, "private/get_open_orders")
        return [one.text for one in said]

    assert all_said(1) == all_said(1) != all_said(2)


@pytest.mark.parametrize("manner", [Manner.THIN, Manner.ODD])
async def test_manners_hold_on_sockets_and_over_rest(manner: Manner) -> None:
    options = scripted_options(manners=manner)
    async with SimVenue(options) as venue, connected(venue) as client:
        rest(venue, Side.SELL, "1", "0.04", OPTION)
        await client.subscribe(f"ticker.{OPTION}.100ms")
        ticker = await client.push(f"ticker.{OPTION}.100ms")
        listed = await client.ask("public/get_instruments", currency="any")
        async with aiohttp.ClientSession() as http:
            url = f"{venue.rest_url}/api/v2/public/get_instruments?currency=any"
            async with http.get(url) as reply:
                over_rest = (await reply.json())["result"]
    kinds = {row["kind"] for row in listed}
    assert kinds == {row["kind"] for row in over_rest}
    assert (BASKET in kinds) == (manner is Manner.ODD)
    if manner is Manner.THIN:
        assert ticker["greeks"] is ticker["best_bid_price"] is None
        assert "estimated_delivery_price" not in ticker


def _pushed(params: Json) -> Json:
    return {"jsonrpc": "2.0", "method": "subscription", "params": params}
