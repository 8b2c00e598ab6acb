"""Whatever it is asked, the simulated Derive answers, and goes on."""

from __future__ import annotations

from random import Random
from typing import Any, Final

import orjson
import pytest

from mmbot.sim.wire.derive.protocol import METHODS
from tests.sim.wire.derive import law
from tests.sim.wire.derive.venue import OPTION, OWNER, PERPETUAL, Judged, Refused

VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 7, 130_837, 2**53, 2**63 - 1, 1.5, -0.5, 1e300,
    "", "0", "1", "-1", "0.1", "1e5", "1e999", "1e-999", "NaN", "Infinity", "²", "٣", "0x", OWNER,
    "ETH", "USDC", "DOGE", PERPETUAL, OPTION, "ETH-", "-", "buy", "sell", "limit", "market",
    "option", "perp", "erc20", "gtc", "ioc", "post_only", "00000000-0000-4000-8000-000000000000",
    [], [1], ["x"], [None], {}, {"a": 1}, "x" * 5_000, "\u0000", "🙂",
)  # fmt: skip


def fields(method: str) -> list[str]:
    """The parameters that a method has."""
    stated = law.law()["methods"][method]["params"]
    name = stated.get("$ref", "").rsplit("/", 1)[-1]
    shape = law.law()["$defs"].get(name, stated)
    return [*shape.get("properties", {}), "unknown"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rest", [False, True])
def test_any_parameters_are_answered(seed: int, rest: bool) -> None:
    judged, draw = Judged(), Random(seed)
    caller = judged.caller(rest=rest)
    good = {
        "subaccount_id": judged.subaccount_id,
        "wallet": OWNER,
        "instrument_name": PERPETUAL,
        "instrument_type": "option",
        "expired": False,
    }
    answered = 0
    for _ in range(1_500):
        method = draw.choice(tuple(METHODS))
        params = {name: one for name, one in good.items() if draw.random() < 0.8}
        if method in ("private/order", "private/replace", "private/order_debug"):
            params |= caller.signed()
        for name in fields(method):
            if draw.random() < 0.3:
                params[name] = draw.choice(VALUES)
        try:
            caller.ask(method, **params)
            answered += 1
        except Refused:
            pass
    assert not judged.judge.faults, judged.judge.faults[:20]
    assert answered > 200
    judged.venue.tick()


@pytest.mark.parametrize("seed", range(2))
def test_any_frame_is_answered(seed: int) -> None:
    judged, draw = Judged(), Random(seed)
    caller = judged.caller()
    assert caller.session is not None
    for _ in range(500):
        count = len(caller.texts)
        request = {
            name: draw.choice((*VALUES, "public/get_time", "subscribe"))
            for name in ("id", "method", "params")
            if draw.random() < 0.9
        }
        judged.venue.on_frame(caller.session, orjson.dumps(request))
        assert len(caller.texts) == count + 1
        told = orjson.loads(caller.texts[-1])
        assert told.keys() in ({"id", "error"}, {"id", "result"})


def test_any_channel_is_answered() -> None:
    judged, draw = Judged(), Random(1)
    caller = judged.caller()
    parts = ("orderbook", "trades", "ticker_slim", "spot_feed", PERPETUAL, "ETH", "option", "1",
             "100", "Settled", "130837", "orders", "balances", "", "²", OWNER, "rfqs")  # fmt: skip
    for _ in range(2_000):
        name = ".".join(draw.choice(parts) for _ in range(draw.randrange(1, 5)))
        status = caller.subscribe(name)
        assert isinstance(status[name], str)
        assert (status[name] == "ok") == (
            name in caller.ask("subscribe", channels=[])["current_subscriptions"]
        )
    judged.pass_time(2_000)
    assert not judged.judge.faults
