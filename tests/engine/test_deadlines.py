"""A venue that accepts and says nothing: every call of ours gives up in time, and says so.

One method at a time is never answered, over WebSocket or REST; the line itself stays up.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from mmbot.assemble import assemble
from mmbot.clock import Clock
from mmbot.config import Config, load_config
from mmbot.core import events as ev
from mmbot.core.intents import Amend, Place
from mmbot.core.types import SECOND
from mmbot.core.why import Why
from mmbot.errors import ExitCode, VenueUnreachable
from mmbot.sim.wire.server import SimVenue
from tests.engine.live import FLAGS, live, until
from tests.engine.relay import DIAL, Relay
from tests.engine.test_live import QUIET, quoted

CALL_S = 10.0
"""The longest deadline of one call, dialing and REST included."""
SLACK_S = 3.0
START_S = 60.0
"""What everything else of a start may take on a very busy machine, at five times its pace."""
WAIT_S = 30.0


def at_length(*methods: str) -> list[ParameterSet]:
    """Parameters of the long tests."""
    return [pytest.param(method, marks=pytest.mark.long) for method in methods]


@pytest.mark.parametrize(
    "method",
    [
        "public/get_instruments",
        DIAL,
        "private/subscribe",
        *at_length(
            "public/get_time",
            "private/get_account_summaries",
            "public/set_heartbeat",
            "public/auth",
            "private/enable_cancel_on_disconnect",
            "private/get_cancel_on_disconnect",
            "public/subscribe",
        ),
    ],
)
async def test_a_start_ends_with_one_line(method: str) -> None:
    relay = Relay()
    async with SimVenue(QUIET) as venue, relay(venue.rest_url) as url:
        relay.silent.add(method)
        clock = Clock(scale=5.0)
        config = load_config(FLAGS | {"--sim-url": url})
        began_s = clock.monotonic_s()
        with pytest.raises(VenueUnreachable) as caught:
            await start(config, clock)
        assert clock.monotonic_s() - began_s <= CALL_S + START_S
        assert caught.value.exit_code is ExitCode.VENUE_UNREACHABLE
        assert "\n" not in str(caught.value)


async def start(config: Config, clock: Clock) -> None:
    engine = await assemble(config, clock)
    try:
        await engine.members[0].venue.connect(engine.runner.sink, engine.instruments)
    finally:
        await engine.close(5)


@pytest.mark.parametrize(
    "method",
    [
        "private/get_open_orders",
        "private/get_user_trades_by_currency_and_time",
        *at_length("private/get_order_state_by_label", "private/get_positions"),
    ],
)
async def test_a_look_at_the_venue_is_given_up_and_tried_again(method: str) -> None:
    relay = Relay()
    async with live(QUIET, line=relay, scale=5.0) as bot:
        await quoted(bot)
        account = bot.state.accounts["deribit"]
        relay.silent.add(method)
        bot.venue.sever()
        await until(lambda: not account.trading_up, "down")
        before = len(bot.intents)
        since_ns = bot.engine.clock.now_ns()

        def failures() -> int:
            return sum(isinstance(event, ev.SnapshotFailed) for event in bot.events)

        await until(lambda: failures() >= 1, "given up", WAIT_S)
        # The link comes back, the question is asked, and its deadline passes.
        assert (bot.engine.clock.now_ns() - since_ns) / SECOND <= CALL_S + 2 * SLACK_S
        await until(lambda: failures() >= 2, "tried again", WAIT_S)
        assert not account.reconciled
        assert not any(isinstance(intent, Place | Amend) for intent in bot.intents[before:])
        relay.silent.clear()
        await quoted(bot)


async def test_leaving_does_not_wait_for_ever() -> None:
    relay = Relay()
    async with live(QUIET, line=relay, scale=5.0) as bot:
        await quoted(bot)
        relay.silent |= {
            "private/get_open_orders",
            "private/cancel",
            "private/cancel_all",
            "private/cancel_all_by_instrument",
        }
        began_ns = bot.engine.clock.now_ns()
        assert await bot.engine.runner.stop(Why.USER) == {"deribit": None}, (
            "nobody knows what is left"
        )
        took_s = (bot.engine.clock.now_ns() - began_ns) / SECOND
        assert took_s <= 2 * CALL_S + SLACK_S, "one deadline for each of the two paths"


@pytest.mark.long
async def test_the_command_says_in_one_line_that_nobody_answers(home: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mmbot", "quote", "--sim-url", f"http://127.0.0.1:{port}"),
            *(text for pair in FLAGS.items() for text in pair),
            env={**os.environ, "MMBOT_HOME": str(home)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(START_S + WAIT_S):
                _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 5
    (line,) = [line for line in said.decode().splitlines() if line.startswith("mmbot: ")]
    assert "does not answer" in line
    assert b"Traceback" not in said
