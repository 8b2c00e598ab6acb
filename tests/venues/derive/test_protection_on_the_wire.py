"""Market-maker protection over real sockets: the real engine, whose quotes the venue freezes.

What a person sees of it is in tests/cli/test_derive_protection.py.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest

from mmbot.core import events as ev
from mmbot.core.protection import ProtectionTold
from mmbot.core.statements import OpenOrder
from mmbot.core.types import Side, instrument_name
from mmbot.core.why import Why
from mmbot.sim.wire.derive.terms import RULES
from tests.contract.bench import World
from tests.contract.desk import Desk, desk_on
from tests.contract.venues.derive import DeriveBench

OPTIONS = [f"ETH-20250606-{k}-{right}" for k in range(2725, 2975, 25) for right in "CP"]
QUOTES = 2 * len(OPTIONS)
ELSEWHERE = "BTC-PERP"
BTC_QUOTES = 2
LIMIT = Decimal("0.25")
"""Three orders of the smallest size are more."""
AUTO_RESET_S = 6


class BothCoins(DeriveBench):
    """Derive with BTC."""

    rules: ClassVar = RULES


@asynccontextmanager
async def quoting(tmp_path: Path, protection: str) -> AsyncIterator[tuple[BothCoins, Desk]]:
    """Forty protected quotes on ETH rest, and two on BTC."""
    file = tmp_path / "desk.toml"
    terms = f"interval_ms = 600000\nfrozen_ms = 0\namount = {LIMIT}\n{protection}"
    file.write_text(f"[venues.derive]\n[venues.derive.mmp]\n{terms}")
    async with BothCoins(World(scale=4.0)) as bench:
        bench.thaw()
        for name in (*OPTIONS, ELSEWHERE):
            bench.protocol.watch(name)
        bench.protocol.tick()
        bench.freeze()
        symbols = ",".join((*OPTIONS, ELSEWHERE))
        async with desk_on(bench, config=file, symbols=symbols) as desk:
            await desk.quotes(QUOTES + BTC_QUOTES)
            yield bench, desk
            assert bench.most_in_a_slot == 1
            assert desk.state.latch.tripped is None
        assert bench.faults_of_speech() == []


def on(bench: BothCoins, coin: str) -> list[OpenOrder]:
    """Our quotes on a coin."""
    return [o for o in bench.ours() if o.instrument and instrument_name(o.instrument)[:3] == coin]


@pytest.mark.parametrize("resets", ["person", "policy"])
async def test_a_freeze_in_the_middle_of_forty_quotes_stops_that_coin_alone(
    tmp_path: Path, resets: str
) -> None:
    policy = f"auto_reset_s = {AUTO_RESET_S}\n" if resets == "policy" else ""
    async with quoting(tmp_path, policy) as (bench, desk):
        assert len(on(bench, "ETH")) == QUOTES == 40
        hers = bench.place_by_hand(OPTIONS[0], Side.BUY, bench.amount, bench.lowest(OPTIONS[0]))
        elsewhere = {one.label for one in on(bench, "BTC")}
        for one in on(bench, "ETH")[:3]:
            assert one.amount is not None
            bench.fill(one.order_id, one.amount)
        await bench.until(lambda: on(bench, "ETH") == [], "the venue takes them all")
        placed, began_ms = len(bench.labels), bench.now_ms()
        frozen = {id_ for id_ in desk.state.markets if "ETH" in id_}

        def told() -> bool:
            whys = [desk.state.markets[id_].why for id_ in frozen]
            return all(set(why.values()) == {Why.MMP_FROZEN} for why in whys)

        await bench.until(told, "every side says why")
        (at,) = desk.engine.frame().venues
        assert at.mmp is not None
        assert (at.mmp.configured, at.mmp.frozen, at.mmp.until) == (True, True, None)
        assert {one.label for one in on(bench, "BTC")} == elsewhere
        assert hers in {one.order_id for one in bench.orders()}
        if resets == "person":
            await bench.pass_s(4.0)
            assert (on(bench, "ETH"), len(bench.labels)) == ([], placed)
            assert not desk.engine.reset_protection("deribit")
            assert desk.engine.reset_protection("derive")
        await desk.quotes(QUOTES + BTC_QUOTES)
        lasted_s = (bench.now_ms() - began_ms) / 1000
        assert resets == "person" or lasted_s > AUTO_RESET_S * 0.8
        last = [one for one in desk.heard(ProtectionTold) if one.underlying == "ETH"][-1]
        assert last.frozen_until_ns == 0
        assert not [one for one in desk.heard(ev.LinkChanged) if not one.up]
        assert Why.MMP_FROZEN.value == "market maker protection"
