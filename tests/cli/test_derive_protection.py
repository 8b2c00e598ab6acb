"""Market-maker protection from a desk file to the screen: set, frozen, reset."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.server import Venue
from tests.cli.desk import COMMAND_S, mmbot
from tests.cli.terminal import MMBOT
from tests.cli.test_derive import opens
from tests.engine.live import until
from tests.sim.wire.derive.venue import served


def desk(path: Path, venue: Venue, protection: str) -> Path:
    path.write_text(f"""\
[run]
mode = "sim"
[venues.derive]
url = "{venue.endpoints.rest}"
[venues.derive.mmp]
{protection}
[desks.options]
venue = "derive"
expiry = 2025-06-06
strikes = [2800]
[desks.options.strategy.improve_top]
""")
    return path


async def start(file: Path, venue: Venue, home: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(MMBOT, "quote", "--config", str(file), "--no-screen"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**opens(venue), "MMBOT_HOME": str(home), "PATH": "/usr/bin:/bin"},
    )


async def shown(home: Path, holds: Callable[[dict[str, Any], dict[str, Any]], bool]) -> Any:
    """`mmbot status --json` once something holds of the engine and its venue."""
    async with asyncio.timeout(COMMAND_S):
        while True:
            told = (await mmbot("status", "--json", MMBOT_HOME=str(home))).json()["engines"]
            if told and told[0]["venues"][0]["mmp"] and holds(told[0], told[0]["venues"][0]):
                return told[0]


def ours(venue: Venue) -> list[Any]:
    return list(venue.exchange.accounts[venue.account].open_orders.values())


def sell_to(venue: Venue) -> None:
    """Somebody sells through everything down to a bid of ours."""
    bid = next(one for one in ours(venue) if one.side is Side.BUY)
    venue.exchange.open_account("seller", {"USDC": Decimal(10**9)}, followed=False)
    wish = NewOrder(name=bid.name, side=Side.SELL, amount=Decimal(2000), price=bid.price)
    assert isinstance(venue.exchange.place("seller", wish, venue.now_ms()), Placed)
    venue.publish()


@pytest.mark.parametrize("resets", ["person", "policy"])
async def test_a_freeze_pauses_the_quotes_of_its_coin_until_it_is_reset(
    tmp_path: Path, resets: str
) -> None:
    terms = "interval_ms = 600000\nfrozen_ms = 0\namount = 0.05\n"
    if resets == "policy":
        terms += "auto_reset_s = 3\n"
    async with served() as (venue,):
        home = tmp_path / "home"
        engine = await start(desk(tmp_path / "desk.toml", venue, terms), venue, home)
        try:
            await until(lambda: len(ours(venue)) == 4, "quotes", COMMAND_S)
            tickets: Any = venue.protocol
            assert all(tickets.tickets[one.order_id].mmp for one in ours(venue))
            protections = venue._counter.wallet.protections.values()
            assert [(p.config.interval_ms, str(p.config.amount_limit)) for p in protections] == [
                (600_000, "0.05")
            ]
            sell_to(venue)
            if resets == "policy":
                await until(lambda: any(p.until_ms for p in protections), "a freeze", COMMAND_S)
                await until(lambda: not any(p.until_ms for p in protections), "ours", COMMAND_S)
                return
            told = await shown(home, lambda _, at: bool(at["mmp"]["frozen"]))
            assert told["venues"][0]["mmp"] == {"configured": True, "frozen": True, "until": None}
            assert "quotes on ETH frozen: `mmbot unpause --venue derive`" in told["locks"]
            told = await shown(home, lambda one, _: one["open_orders"] == 0)
            assert {one["why"] for one in told["instruments"]} == {"market maker protection"}
            wrong = await mmbot("unpause", "--venue", "dervie", MMBOT_HOME=str(home))
            said = "--venue: unknown venue 'dervie'; did you mean 'derive'? There is: derive"
            assert (wrong.code, wrong.err.strip()) == (2, f"mmbot: {said}")
            assert any(p.until_ms for p in protections)
            done = await mmbot("unpause", "--venue", "derive", MMBOT_HOME=str(home))
            assert done.code == 0, done
            await until(lambda: not any(p.until_ms for p in protections), "a reset", COMMAND_S)
        finally:
            if engine.returncode is None:
                engine.terminate()
            assert await asyncio.wait_for(engine.wait(), COMMAND_S) == 0
        assert ours(venue) == []


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ("interval_ms = 5000\nfrozen_ms = 0", "limits nothing"),
        ("interval_ms = 5\nfrozen_ms = 0\namount = 1", "interval_ms"),
        ("interval_ms = 5000\nfrozen_ms = 0\namount = 1\nlimt = 3", "limt"),
    ],
)
async def test_what_protects_nothing_is_refused(tmp_path: Path, terms: str, said: str) -> None:
    async with served() as (venue,):
        file = desk(tmp_path / "desk.toml", venue, terms)
        done = await mmbot("quote", "--config", str(file), MMBOT_HOME=str(tmp_path / "home"))
        assert done.code == 2
        assert said in done.err
        assert "desk.toml:" in done.err
