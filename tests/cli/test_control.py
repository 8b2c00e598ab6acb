"""Changes to a running engine from another terminal: the real commands, the real engine."""

import os
import signal
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.sim.wire.server import SimVenue
from mmbot.store.commands import whoami
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from tests.cli.desk import QUIET, Done, an_engine, ended, mmbot
from tests.engine.live import until
from tests.engine.test_crash import ours_at_venue


def asked() -> list[dict[str, object]]:
    """What the audit trail says people asked for."""
    rows = Reader(locate(Mode.SIM, os.environ)).audit()
    return [dict(row.body) for row in rows if row.kind == "command"]


def resting(venue: SimVenue) -> dict[str, int]:
    """How many of our orders rest, by side."""
    orders = venue.exchange.accounts[venue.account].open_orders.values()
    sides = [order.side.value for order in orders]
    return {side: sides.count(side) for side in ("buy", "sell")}


def names(venue: SimVenue) -> set[str]:
    return {o.name for o in venue.exchange.accounts[venue.account].open_orders.values()}


async def in_force() -> list[str]:
    """What `mmbot status` says was changed."""
    (engine,) = (await mmbot("status", "--json")).json()["engines"]
    controls = engine["controls"]
    assert isinstance(controls, list)
    return controls


async def done(*arguments: str) -> Done:
    """Run a command that must succeed."""
    end = await mmbot(*arguments)
    assert (end.code, end.err) == (0, ""), end
    return end


async def test_pause_takes_everything_back_and_unpause_quotes_again(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        assert (await done("pause")).out.endswith(": paused\n")
        await until(lambda: not ours_at_venue(venue), "nothing rests")
        await until_in_force(["paused"])
        assert (await done("unpause")).out.endswith(": not paused any more\n")
        await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders again")
        both = [(whoami(), "pause"), (whoami(), "unpause")]
        kept = "both are in the audit trail, which is written after the orders have left"
        await until(lambda: [(one["who"], one["what"]) for one in asked()] == both, kept)
        assert await ended(engine) == 0


async def test_sides_instruments_and_expiries_are_switched(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home):
        await done("set", "disable", "--side", "bid")
        await until(lambda: resting(venue) == {"buy": 0, "sell": 4}, "asks only")
        await done("set", "disable", "--instrument", "ETH/USD:ETH-250606-2800-C")
        await until(lambda: len(ours_at_venue(venue)) == 3, "three asks")
        assert "ETH-6JUN25-2800-C" not in names(venue)
        await done("set", "enable", "--side", "bid", "--instrument", "eth-6jun25-2900-p")
        await until(lambda: resting(venue) == {"buy": 1, "sell": 3}, "one bid more")
        await until_in_force(["off: bids", "off: ETH-6JUN25-2800-C", "on: ETH-6JUN25-2900-P bids"])
        await done("set", "disable", "--expiry", "6jun25")
        await until(lambda: not ours_at_venue(venue), "nothing rests")
        await done("set", "enable")
        await until(lambda: len(ours_at_venue(venue)) == 8, "everything again")
        await until_in_force([])


ROOM_FOR_THREE = "[risk.max_order]\nnotional_usd = 10_000\n"


async def test_winding_down_size_and_vol_offset(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home, ROOM_FOR_THREE):
        await done("set", "size", "3")
        amounts = venue.exchange.accounts[venue.account].open_orders
        await until(lambda: {o.amount for o in amounts.values()} == {3}, "three times the size")
        await done("set", "vol", "-1.5", "--for", "10m")
        await done("wind-down")
        await until(lambda: not ours_at_venue(venue), "flat: nothing would reduce")
        said = await until_in_force_begins(["winding down", "size x 3", "vol -1.5 for "])
        assert said[2] in [f"vol -1.5 for {left}" for left in ("10:00", *LAST_MINUTE)]
        await done("set", "vol", "0")
        await done("set", "size", "1")
        await done("wind-down", "--off")
        await until(lambda: {o.amount for o in amounts.values()} == {1}, "as configured")
        await until_in_force([])


async def test_half_of_the_smallest_order_is_said_and_silences_nobody(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home, ROOM_FOR_THREE):
        assert (await done("set", "size", "0.5")).out.endswith(
            ": size x 0.5: quotes of 1 ETH on 4 instruments, the smallest order there: 0.5 ETH is "
            "less than the venue takes\n"
        )
        twice = (await done("set", "size", "2")).out
        assert twice.endswith("quotes of 2 ETH on 4 instruments, as far as the limits allow\n")
        amounts = venue.exchange.accounts[venue.account].open_orders
        await until(lambda: {o.amount for o in amounts.values()} == {2}, "twice the size")
        await done("set", "size", "0.3")
        await until(lambda: {o.amount for o in amounts.values()} == {1}, "the smallest orders")
        assert len(ours_at_venue(venue)) == 8
        while "at smallest order" not in (await mmbot("status")).out:
            pass  # it speaks once a second; the test's own deadline ends this

        assert (await mmbot("cancel-all")).code == 0
        late = await mmbot("unpause")
        assert (late.code, late.out, late.err.count("\n")) == (2, "", 1)
        assert "is dead: the kill switch holds it (asked by the user: " in late.err
        assert "ended and started again after `mmbot resume --reason" in late.err
        other = await mmbot("pause")
        assert other.out.endswith(": paused\n")
        assert "is dead: the kill switch holds it" in other.err


LAST_MINUTE = tuple(f"9:{second:02}" for second in range(60))


async def until_in_force(wanted: list[str]) -> None:
    """The status is published once a second."""
    assert await until_in_force_begins(wanted) == wanted


async def until_in_force_begins(wanted: list[str]) -> list[str]:
    for _ in range(20):
        said = await in_force()
        if len(said) == len(wanted) and all(map(str.startswith, said, wanted)):
            break
    return said


async def test_json_says_what_was_asked_of_whom(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home):
        (one,) = (await done("set", "size", "0.5", "--json")).json()["asked"]
        (engine,) = (await mmbot("status", "--json")).json()["engines"]
        assert one == {
            "run_id": engine["run_id"],
            "mode": "sim",
            "venue": "deribit",
            "what": "size",
            "arguments": {"factor": 0.5},
            "said": "size x 0.5: quotes of 1 ETH on 4 instruments, the smallest order there: "
            "0.5 ETH is less than the venue takes",
            "killed": False,
            "taken": True,
        }


async def test_an_engine_that_hangs_is_told_apart(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        (known,) = (await mmbot("status", "--json")).json()["engines"]
        engine.send_signal(signal.SIGSTOP)
        end = await mmbot("pause", "--run", known["run_id"], "--json")
        assert (end.code, end.json()["asked"][0]["taken"]) == (1, False)
        assert "has not answered within 5 s: it does it once it comes round" in end.err
        engine.send_signal(signal.SIGCONT)
        await until(lambda: bool(asked()), "it takes it")


async def test_what_cannot_be_meant_is_one_line_and_asks_nothing(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home):
        for arguments, words in MISTAKES:
            end = await mmbot(*arguments.split())
            assert (end.code, end.out, end.err.count("\n")) == (2, "", 1), (arguments, end)
            assert words in end.err, (arguments, end.err)
        assert asked() == []


MISTAKES = [
    ("pause --run 0", "--run: unknown running engine '0'"),
    ("pause --run !", "--run: '!' is not the name of a run"),
    ("unpause --venue dervie", "--venue: unknown venue 'dervie'; did you mean 'deribit'?"),
    ("unpause --venue deribit", "--venue: deribit has no market-maker protection"),
    ("set disable", "say what to switch off"),
    ("set disable --side buy", "--side: unknown side 'buy'"),
    ("set disable --instrument ETH-6JUN25-2800", "did you mean 'ETH-6JUN25-2800-"),
    ("set disable --expiry 6JUN", "'6JUN' is not a date"),
    ("set disable --expiry 20250607", "nothing of 20250607 is traded; there is: 20250606"),
    ("set size 0", "FACTOR: '0' is not a number greater than 0"),
    ("set size 11", "at most 10"),
    ("set size nan", "FACTOR: 'nan'"),
    ("set size two", "FACTOR: 'two'"),
    ("set vol 1.5", "--for is missing"),
    ("set vol 51 --for 1m", "between -50 and 50"),
    ("set vol nan --for 1m", "POINTS: 'nan'"),
    ("set vol 1 --for 0", "--for: '0' is not a time"),
    ("set vol 1 --for 8h30", "--for: '8h30' is not a time"),
    ("set vol 1 --for 200h", "at most 7 days"),
    ("set colour red", "No such command 'colour'"),
]


@pytest.mark.parametrize("command", ["pause", "unpause", "wind-down", "set enable", "set size 2"])
async def test_without_an_engine_there_is_nothing_to_change(command: str) -> None:
    end = await mmbot(*command.split())
    assert (end.code, end.out) == (2, "")
    assert end.err == "mmbot: no engine runs: start one with `mmbot quote`\n"
