"""Records the golden tapes anew: `.venv/bin/python -m tests.tape.record [NAME...]`.

Each is a few seconds of the real engine on the real client and a simulated venue. They are recorded
again when the core decides otherwise *on purpose*; what changed is then read off with `mmbot tape
verify tests/tape/golden/NAME.tape.zst` before.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from mmbot.core import events as ev
from mmbot.core.why import Why
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import VenueOptions
from mmbot.tape.folder import SUFFIX, tapes_in
from tests.engine.live import CALL, Live, live, until
from tests.engine.test_live import hit, quoted

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens on a golden tape."""

    play: Callable[[Live], Awaitable[None]]
    venue: VenueOptions


def deaf() -> VenueOptions:
    """A venue on which nobody else trades, and that leaves our orders when the line breaks."""
    return VenueOptions(flow_scale=0.0, rules=Rules(ignore_cancel_on_disconnect=True))


def position(bot: Live) -> Decimal:
    """What the engine holds of the call."""
    market = next(m for m in bot.state.markets.values() if m.instrument.name == CALL)
    return bot.state.inventory.of(market.instrument).amount


async def turns(bot: Live, count: int) -> None:
    """Let so many turns pass."""
    last = bot.state.turns + count
    await until(lambda: bot.state.turns >= last, f"{count} turns")


async def quiet(bot: Live) -> None:
    """Nobody trades; the market breathes."""
    await quoted(bot)
    await turns(bot, 40)


async def fills(bot: Live) -> None:
    """Takers on both sides, more than one lot, and a person who halves the sizes."""
    await quoted(bot)
    for side, after in ((Side.SELL, 1), (Side.BUY, 0), (Side.SELL, 1), (Side.SELL, 2)):
        hit(bot, side, "60")
        await until(lambda after=after: position(bot) == after, f"a position of {after}")  # type: ignore[misc]  # mypy guesses no type for it
        await quoted(bot)
    bot.engine.runner.sink(ev.SizeScaled(Decimal(2)))
    await turns(bot, 10)


async def reconnect(bot: Live) -> None:
    """The line breaks, an order is filled meanwhile; the snapshot brings the fill."""
    await quoted(bot)
    bot.venue.freeze()
    bot.venue.sever()
    hit(bot, Side.SELL, "60")
    await until(lambda: not bot.state.accounts["deribit"].trading_up, "the line is down")
    await until(lambda: position(bot) == 1, "the fill is booked")
    await until(lambda: bot.state.accounts["deribit"].reconciled, "reconciled")
    bot.venue.thaw()
    await turns(bot, 10)


async def kill_switch(bot: Live) -> None:
    """Tripped with eight orders out: everything is taken back, and that is proved."""
    await quoted(bot)
    bot.engine.runner.sink(ev.Trip(Why.SIGNAL, "SIGUSR1"))
    await until(lambda: bot.state.flat_verified, "flat")
    await turns(bot, 5)


SCENES = {
    "quiet": Scene(quiet, VenueOptions(flow_scale=0.0)),
    "fills": Scene(fills, VenueOptions(flow_scale=0.0)),
    "reconnect": Scene(reconnect, deaf()),
    "kill-switch": Scene(kill_switch, VenueOptions(flow_scale=0.0)),
}


async def record(name: str) -> Path:
    """Play a scene; the tape it was recorded on."""
    scene = SCENES[name]
    with tempfile.TemporaryDirectory() as home:
        os.environ["MMBOT_HOME"] = home
        async with live(scene.venue) as bot:
            await scene.play(bot)
        (tape,) = tapes_in(Path(home) / "tapes" / "sim")
        golden = GOLDEN / f"{name}{SUFFIX}"
        golden.write_bytes(tape.read_bytes())
    return golden


def main() -> None:
    """The scenes named, or all of them."""
    for name in sys.argv[1:] or SCENES:
        golden = asyncio.run(record(name))
        print(f"{golden}: {golden.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
