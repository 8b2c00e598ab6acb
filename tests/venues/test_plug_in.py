"""A venue from a person's own module: looked at, checked and traded like any other."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mmbot.assemble import assemble
from mmbot.clock import Clock
from mmbot.config import Mode, load_config
from mmbot.core.capabilities import Capabilities, DeadMan
from mmbot.core.types import Side
from mmbot.core.why import Why
from mmbot.errors import ConfigError, ExitCode, Refused
from mmbot.plugins import registry
from mmbot.plugins.registry import Family
from mmbot.venues.plugin import credentials_of, plugin_of
from mmbot.venues.site import Site
from tests.cli.inprocess import Mmbot

MODULE = "tests.venues.null_venue"
DESK = f"""\
plugins = ["{MODULE}"]
[desk]
mode = "testnet"
venue = "null"
symbols = ["NULL"]
[strategy.simple_spread]
"""
LINES = 60


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Path]:
    """A desk file on a kind of venue that is known for as long as the test takes."""
    path = tmp_path / "desk.toml"
    path.write_text(DESK)
    yield path
    registry._registered[Family.VENUE].pop("null", None)
    sys.modules.pop(MODULE, None)


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


def test_a_venue_needs_few_lines() -> None:
    text = Path(__file__).with_name("null_venue.py").read_text()
    assert sum(bool(line.strip()) for line in text.splitlines()) < LINES


def test_an_unknown_kind_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"unknown venue 'nil'; there is: deribit, derive"):
        plugin_of("nil")


def test_an_account_that_needs_no_key_opens_without_one(desk: Path, tmp_path: Path) -> None:
    load_config({}, desk)
    assert credentials_of(Site(Mode.TESTNET, "any", "null"), tmp_path).parts == {}


def test_what_it_lists_is_shown(desk: Path, mmbot: Mmbot) -> None:
    (one,) = mmbot.json("markets", "--config", str(desk))
    assert (one["id"], one["kind"]) == ("null:NULL", "perpetual")


def test_it_is_checked(desk: Path, mmbot: Mmbot) -> None:
    said = mmbot.json("doctor", "--config", str(desk))
    checks = {one["check"]: one["found"] for one in said["checks"]}
    assert (said["venue"], said["ok"]) == ("null", True)
    assert checks["credentials"] == "none is needed"


def test_its_configuration_is_fine_and_shows_no_key(desk: Path, mmbot: Mmbot) -> None:
    assert mmbot.json("config", "check", str(desk))["venue"] == "null"
    keys = {one["key"] for one in mmbot.json("config", "show", str(desk))}
    assert "desk.venue" in keys
    assert not any("KEY" in key or "SECRET" in key for key in keys)


def test_the_manuals_are_printed_as_ever(desk: Path, mmbot: Mmbot) -> None:
    load_config({}, desk)
    assert "improve_top" in mmbot.page("strategies")


async def test_it_is_quoted_on_for_a_second_and_left_empty(desk: Path) -> None:
    clock = Clock()
    engine = await assemble(load_config({}, desk), clock)
    try:
        await engine.members[0].venue.connect(engine.runner.sink, engine.instruments)
        began_ns = clock.now_ns()
        running = asyncio.ensure_future(engine.runner.run(asyncio.Event(), 1.0))
        resting = engine.members[0].venue.resting  # type: ignore[attr-defined]  # a NullVenue's
        async with asyncio.timeout(20):
            while {order.side for order in resting.values()} != set(Side):
                await clock.sleep(0.01)
        quoted = {order.side: order.price for order in resting.values()}
        await running
        assert clock.now_ns() - began_ns >= 10**9
        assert quoted[Side.BUY] < 100 < quoted[Side.SELL]
        assert await engine.runner.stop(Why.USER) == {engine.members[0].venue.name: []}
        assert resting == {}
    finally:
        with suppress(UnboundLocalError):
            running.cancel()
        await engine.close(0)


async def test_one_that_cancels_nothing_when_we_are_gone_is_refused_unless_that_is_wanted(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config({}, desk)
    nothing = Capabilities(dead_man=DeadMan.NONE)
    monkeypatch.setattr(registry.load(Family.VENUE, "null", ""), "capabilities", lambda _: nothing)
    with pytest.raises(Refused) as refused:
        await assemble(config, Clock())
    assert refused.value.exit_code is ExitCode.REFUSED
    assert str(refused.value).startswith("null: the venue cancels nothing when this engine is gone")
    assert "\n" not in str(refused.value)
    for table in ("run", "venues.null"):
        desk.write_text(f"{DESK}[{table}]\nrequire_dead_man = false\n")  # noqa: ASYNC240  # one line
        engine = await assemble(load_config({}, desk), Clock())
        await engine.close(0)
    strict = "[run]\nrequire_dead_man = false\n[venues.null]\nrequire_dead_man = true\n"
    desk.write_text(DESK + strict)  # noqa: ASYNC240  # one line
    with pytest.raises(Refused):
        await assemble(load_config({}, desk), Clock())
