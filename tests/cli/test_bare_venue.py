"""A venue that says nothing but what its specification promises can be traded on, and left."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.cli.desk import COMMAND_S, mmbot
from tests.cli.terminal import MMBOT
from tests.engine.liar import Liar
from tests.engine.live import until
from tests.engine.test_crash import START_S, ours_at_venue
from tests.wire.spec.strip import stripped, stripped_push

TWO_OPTIONS = ("--symbols", "ETH-6JUN25-2800-C,ETH-6JUN25-2900-P")


def bare() -> Liar:
    """A line that lets nothing through that the specification calls optional."""
    liar = Liar()
    liar.reply = lambda method, params, result: stripped(method, result)
    liar.push = lambda channel, data: (stripped_push(channel, data),)
    return liar


@asynccontextmanager
async def quoting(
    venue: SimVenue, url: str, *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`mmbot quote` with two orders on each of two options, as the venue sees it."""
    command = (MMBOT, "quote", "--exchange", "deribit", *TWO_OPTIONS, "--sim-url", url, "--json")
    bot = await asyncio.create_subprocess_exec(
        *command, *more, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        await until(lambda: len(ours_at_venue(venue)) == 4, "four orders", START_S)
        yield bot
    finally:
        if bot.returncode is None:
            bot.send_signal(signal.SIGCONT)
            bot.kill()
        await bot.wait()


async def seen_resting(bot: asyncio.subprocess.Process) -> None:
    """Until `mmbot status` shows that engine with its four orders."""
    async with asyncio.timeout(COMMAND_S):
        while True:
            if bot.returncode is not None:
                raise AssertionError(f"ended, {bot.returncode}: {await bot.communicate()}")
            engines = (await mmbot("status", "--json")).json()["engines"]
            if ("running", 4, bot.pid) in [
                (e["state"], e["open_orders"], e["pid"]) for e in engines
            ]:
                return


async def test_it_is_quoted_looked_at_and_left(home: Path) -> None:
    quiet = VenueOptions(flow_scale=0.0)
    async with SimVenue(quiet) as venue, bare()(venue.rest_url) as url, quoting(venue, url) as bot:
        await seen_resting(bot)
        doctor = await mmbot("doctor", "--sim-url", url)
        assert doctor.code in (0, 1), doctor
        assert "bug" not in doctor.out + doctor.err
        bot.send_signal(signal.SIGTERM)
        async with asyncio.timeout(COMMAND_S):
            _, err = await bot.communicate()
        assert bot.returncode == 0, err.decode()
        assert ours_at_venue(venue) == {}


async def test_the_kill_switch_empties_it_while_the_engine_stands_still(home: Path) -> None:
    quiet = VenueOptions(flow_scale=0.0)
    async with SimVenue(quiet) as venue, bare()(venue.rest_url) as url, quoting(venue, url) as bot:
        bot.send_signal(signal.SIGSTOP)
        done = await mmbot("cancel-all")
        assert done.code == 0, done
        assert "4 cancelled, 0 remain" in done.out
        assert ours_at_venue(venue) == {}


async def test_orders_of_a_killed_run_are_found_again(home: Path) -> None:
    keeps = VenueOptions(flow_scale=0.0, rules=Rules(ignore_cancel_on_disconnect=True))
    async with SimVenue(keeps) as venue, bare()(venue.rest_url) as url:
        async with quoting(venue, url) as bot:
            bot.kill()
            await bot.wait()
        left = ours_at_venue(venue)
        assert len(left) == 4
        async with quoting(venue, url) as bot:
            await seen_resting(bot)
            bot.send_signal(signal.SIGTERM)
            async with asyncio.timeout(COMMAND_S):
                _, err = await bot.communicate()
            assert bot.returncode == 0, err.decode()
        assert ours_at_venue(venue) == {}
