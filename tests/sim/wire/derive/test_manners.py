"""The manners of the simulated Derive: thin is permitted, odd hurts nothing vital."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mmbot.sim.wire.derive.manners import Manners
from mmbot.sim.wire.derive.strangers import STRANGE_NAME, STRANGE_ORDER
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.talk import Talk
from tests.sim.wire.derive import history, law
from tests.sim.wire.derive.venue import PERPETUAL, Judged, objects

Json = dict[str, Any]

VITAL = {
    "order_id": str,
    "label": str,
    "limit_price": str,
    "amount": str,
    "filled_amount": str,
    "order_status": str,
    "direction": str,
    "instrument_name": str,
    "nonce": str,
}


def said(talk: Talk, about: str | None, frame: Json) -> list[Json]:
    return [orjson.loads(one.text) for one in talk.frames(Frame(frame), about)]


def talk_of(manner: Manner, seed: int = 1) -> Talk:
    return Manners(manner, seed).talk()


def an_order(**changes: Any) -> Json:
    judged = Judged()
    return judged.caller().order(**changes)


def test_plain_is_what_the_venue_has_to_say() -> None:
    frame = Frame({"id": 1, "result": an_order()})
    assert list(talk_of(Manner.PLAIN).frames(frame, "private/get_order")) == [frame]


def test_a_thin_morning_conforms() -> None:
    judge = history.morning(Manner.THIN).judge
    faults = sorted(set(judge.faults))
    assert not faults, "\n".join(faults[:40])
    assert judge.pushed == history.TOLD


def test_a_thin_order_lacks_what_stands_for_nothing_and_no_more() -> None:
    order = an_order(label="mine")
    (frame,) = said(talk_of(Manner.THIN), "private/get_order", {"id": 1, "result": order})
    left = frame["result"]
    assert left.keys() <= order.keys()
    required = set(law.law()["$defs"]["Order"]["required"])
    assert required <= left.keys()
    assert left["label"] == "mine"
    gone = order.keys() - left.keys()
    assert gone >= {"cancel_reason", "trigger_type", "algo_type"}
    assert all(order[name] in (None, "") for name in gone)
    (frame,) = said(talk_of(Manner.THIN), "private/get_order", {"id": 1, "result": an_order()})
    assert "label" not in frame["result"]


def test_a_thin_push_lacks_what_the_specification_does_not_have() -> None:
    row = dict.fromkeys(("trade_id", "instrument_name", "trade_price", "trade_amount"), "1")
    row |= dict.fromkeys(("mark_price", "index_price", "direction"), "1")
    told = row | {"timestamp": 1, "quote_id": None, "wallet": "0x", "subaccount_id": 1}
    params = {"channel": f"trades.{PERPETUAL}", "data": [told]}
    frame = {"method": "subscription", "params": params}
    (thin,) = said(talk_of(Manner.THIN), f"trades.{PERPETUAL}", frame)
    assert thin["params"]["data"] == [row | {"timestamp": 1}]


def test_a_thin_refusal_has_no_data_where_there_is_none() -> None:
    error = {"code": 11022, "message": "late", "data": None}
    (frame,) = said(talk_of(Manner.THIN), None, {"id": 1, "error": error})
    assert frame["error"] == {"code": 11022, "message": "late"}


@pytest.mark.parametrize("seed", range(2))
def test_an_odd_morning_touches_nothing_vital(seed: int) -> None:
    """The same things happen, and what matters of them is told as it is."""
    plain, odd = history.morning(), history.morning(Manner.ODD, seed + 1)
    assert odd.judge.pushed == plain.judge.pushed
    caller = odd.caller()
    caller.order(label="a")
    for order in caller.open_orders():
        if order["order_id"] != STRANGE_ORDER:
            for name, kind in VITAL.items():
                assert isinstance(order[name], kind), (name, order)


def test_an_odd_venue_shows_strangers_and_unknown_fields() -> None:
    caller = Judged(manner=Manner.ODD, manner_seed=5).caller()
    listed = caller.ask("public/get_all_instruments", instrument_type="erc20", expired=False)
    assert STRANGE_NAME in {one["instrument_name"] for one in listed["instruments"]}
    waiting = [
        one
        for _ in range(20)
        for one in caller.ask(
            "private/get_trigger_orders", subaccount_id=caller.judged.subaccount_id
        )["orders"]
    ]
    assert waiting
    assert {one["order_status"] for one in waiting} == {"untriggered"}
    resting = [one for _ in range(40) for one in caller.open_orders()]
    assert {one["order_id"] for one in resting} == {STRANGE_ORDER}
    told = caller.ask("public/get_tickers", instrument_type="perp")
    assert told.keys() >= {"tickers"}
    unknown = [name for one in objects(listed) for name in one if name.startswith("x_")]
    for _ in range(30):
        more = caller.ask("public/get_all_currencies")
        unknown += [name for one in objects(more) for name in one if name.startswith("x_")]
    assert unknown


def test_odd_notices_come_before_replies_now_and_then() -> None:
    caller = Judged(manner=Manner.ODD, manner_seed=3).caller()
    sub = caller.judged.subaccount_id
    caller.subscribe(f"{sub}.orders")
    firsts = set()
    for _ in range(30):
        caller.texts.clear()
        caller.order()
        firsts.add("id" in orjson.loads(caller.texts[0]))
    assert firsts == {True, False}


def test_a_manner_is_the_same_for_the_same_seed() -> None:
    frame = {"id": 1, "result": an_order()}
    one, other, third = (
        [said(talk, "private/get_order", frame) for _ in range(50)]
        for talk in (
            talk_of(Manner.ODD),
            talk_of(Manner.ODD),
            talk_of(Manner.ODD, seed=2),
        )
    )
    assert one == other != third
