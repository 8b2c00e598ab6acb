"""The tape of a real engine that lives through everything comes out the same, turn by turn."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import cycle
from pathlib import Path

import pytest

from mmbot.core import events as ev
from mmbot.core.chains import FitSurface
from mmbot.core.intents import Amend, Cancel, Place, Resync, SaveLatch
from mmbot.core.scope import Scope
from mmbot.core.types import SECOND, InstrumentId
from mmbot.core.types import Side as OurSide
from mmbot.core.why import Why
from mmbot.engine.report import status_frame, summary
from mmbot.errors import ConfigError
from mmbot.ops.samples import Sampler
from mmbot.sim.exchange.listing import Side
from mmbot.sim.models.faults import FaultPlan, Harshness
from mmbot.sim.wire.server import VenueOptions
from mmbot.tape.codec import encode_state
from mmbot.tape.folder import tapes_in
from mmbot.tape.format import EndReason
from mmbot.tape.reader import TapeFile
from mmbot.tape.replay import Again, Replay, goes_on
from tests.builders import an_option
from tests.core.bot import Bot, both_sides
from tests.engine.live import ROOMY, Live, live, until
from tests.engine.test_live import QUIET, hit, quoted

BIDS = Scope(side=OurSide.BUY, text="bids")

ON_THE_TAPE = {
    *(Place, Amend, Cancel, Resync, SaveLatch, FitSurface),
    *(ev.Filled, ev.Fitted, ev.LinkChanged, ev.Trip),
}
AT_THE_END = {SaveLatch, ev.Trip}
LONGER_S = 30.0
"""How much longer it goes on for what has not happened yet: a busy machine has fewer turns."""


def troubles(bot: Live) -> Iterator[Callable[[], object]]:
    """What a person and the world do to a bot, over and over."""
    sink, clock = bot.engine.runner.sink, bot.engine.clock
    sizes = cycle((Decimal(1), Decimal(2)))
    return cycle(
        [
            lambda: sink(ev.Pause(Why.USER)),
            lambda: sink(ev.Unpause()),
            lambda: sink(ev.SizeScaled(next(sizes))),
            bot.venue.sever,
            lambda: sink(ev.Switched(BIDS, False)),
            lambda: bot.venue.drop_reply("private/buy", 2),
            lambda: sink(ev.Switched(BIDS, True)),
            lambda: sink(ev.VolShifted(1.5, clock.now_ns() + SECOND)),
            bot.venue.garble,
            lambda: sink(ev.WindDown(True)),
            lambda: bot.venue.answer("private/sell", 10028, 2),
            lambda: sink(ev.WindDown(False)),
        ]
    )


def happened(bot: Live) -> set[type]:
    """The kinds of events and intents there have been."""
    return {type(one) for one in (*bot.events, *bot.intents)}


async def live_through(bot: Live, seconds: float, every_s: float) -> None:
    """Takers, troubles, and somebody who keeps looking; in the end the kill switch."""
    await quoted(bot, 4)
    bot.engine.runner.sink(ev.SizeScaled(Decimal(2)))
    await until(lambda: Amend in happened(bot), "what rests is amended to its new size")
    chance, waiting = random.Random(7), troubles(bot)
    waited_for = ON_THE_TAPE - AT_THE_END
    time = asyncio.get_running_loop().time
    end = time() + seconds
    while time() < end or (time() < end + LONGER_S and not happened(bot) >= waited_for):
        next(waiting)()
        for _ in range(3):
            await asyncio.sleep(every_s / 3)
            if all(book.bids and book.asks for book in bot.state.markets.values()):
                hit(bot, chance.choice(list(Side)), str(chance.randint(1, 20)))
            status_frame(bot.state, "sim", "deribit", bot.engine.clock.now_ns())
    bot.engine.runner.sink(ev.Trip(Why.USER, "by hand"))
    await until(lambda: bot.state.flat_verified, "flat", 30.0)
    summary(bot.state, "sim", "deribit", bot.engine.clock.now_ns(), {}, "")


def all_again(home: Path) -> list[Again]:
    """Every turn of every tape below a home; the seams between files fit."""
    turns: list[Again] = []
    before: Replay | None = None
    for file in tapes_in(home / "tapes" / "sim"):
        tape = TapeFile(file)
        assert before is None or goes_on(before.state, tape)
        before = Replay(tape)
        turns += before.turns()
        assert not tape.ending.damage
    assert tape.ending.why is EndReason.CLOSED
    return turns


def check(bot: Live, home: Path) -> None:
    assert len(tapes_in(home / "tapes" / "sim")) > 1
    turns = all_again(home)
    first = next((turn.difference for turn in turns if turn.difference), None)
    assert first is None, first
    assert [turn.number for turn in turns] == list(range(1, bot.state.turns + 1))
    seen = {type(one) for turn in turns for one in (*turn.events, *turn.intents)}
    assert seen >= ON_THE_TAPE
    assert [i for turn in turns for i in turn.intents] == bot.intents


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A desk file whose tapes are ended every few seconds, so that there are seams; sizes may be
    doubled."""
    monkeypatch.setattr("mmbot.assemble.MB", 10_000)
    desk = tmp_path / "desk.toml"
    desk.write_text(f"[tape]\nfile_mb = 1\n{ROOMY.read_text()}")
    return desk


async def test_a_few_seconds_of_everything_come_out_the_same(home: Path, small_files: Path) -> None:
    async with live(VenueOptions(flow_scale=10.0), config=small_files) as bot:
        await live_through(bot, seconds=5.0, every_s=0.4)
    check(bot, home)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
async def test_half_a_minute_of_everything_and_faults_come_out_the_same(
    seed: int, home: Path, small_files: Path
) -> None:
    plan = replace(FaultPlan.drawn(seed, Harshness.MILD), expiry_soon=0.0)
    async with live(VenueOptions(flow_scale=10.0, faults=plan), config=small_files) as bot:
        await live_through(bot, seconds=30.0, every_s=0.6)
    check(bot, home)


# --- what is switched on and off, and what is refused -----------------------------------------


async def test_a_run_without_a_tape_writes_none(home: Path) -> None:
    async with live(QUIET, no_tape="yes") as bot:
        await quoted(bot)
    assert not (home / "tapes").exists()


async def test_a_run_leaves_one_tape_that_names_its_settings(home: Path) -> None:
    async with live(QUIET, size="3") as bot:
        await quoted(bot)
    (file,) = tapes_in(home / "tapes" / "sim")
    origin = TapeFile(file).header.origin
    assert (origin.run, origin.mode, origin.venue) == (bot.state.run, "sim", "deribit")
    assert ("strategy.improve_top.size", "3", "--size") in origin.settings


async def test_a_folder_that_cannot_be_written_is_told_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("in the way")
    desk = tmp_path / "desk.toml"
    desk.write_text(f'[tape]\ndirectory = "{tmp_path}/file/tapes"\n')
    with pytest.raises(ConfigError, match=r"desk.toml:2: tapes cannot be written to .*--no-tape"):
        async with live(QUIET, config=desk):
            pass


# --- nobody else changes the state ------------------------------------------------------------


def test_looking_at_the_state_changes_nothing() -> None:
    """Reports value positions at the present mark: also one taken over before any was known."""
    later = replace(an_option(), id=InstrumentId("deribit:B"), name="B")
    bot = Bot(an_option(), later)
    bot.connect()
    bot.turn(bot.snapshot(positions={an_option().id: 3}))
    bot.turn(bot.alive(), bot.ticker(), bot.book())
    bot.wants = both_sides()
    bot.turn(bot.book())
    bot.turn(ev.Filled(bot.fill(bot.on(OurSide.BUY))), bot.ticker(mark=0.0225))
    before = encode_state(bot.state)
    status_frame(bot.state, "sim", "deribit", bot.now_ns)
    summary(bot.state, "sim", "deribit", bot.now_ns, {}, "")
    watcher = Sampler(bot.state, lambda record: True, lambda: bot.now_ns)
    watcher.observe([bot.snapshot(asked_ns=bot.now_ns)], [], bot.now_ns)
    assert encode_state(bot.state) == before
