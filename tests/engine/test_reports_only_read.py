"""Whoever asks how things stand changes nothing: not a decision, and not a byte of the state."""

from collections.abc import Callable

import pytest

from mmbot.core.state import State
from mmbot.core.types import Nanos
from mmbot.engine.report import statistics_line, status_frame, summary
from mmbot.ops.samples import Sampler
from mmbot.sim.models.faults import Harshness
from mmbot.sim.virtual.translate import VENUE
from mmbot.sim.virtual.world import World
from mmbot.store.records import Record
from mmbot.tape.codec import encode_state
from tests.core.bot import Bot
from tests.simulation.drawn import drawn_world
from tests.tape.taped import TapedBot, busy


def ask(state: State, now_ns: Nanos) -> None:
    """Everything that people and the store are told: status, and what `explain` reads of it, the
    summary, the line in the log, samples."""
    said: list[Record] = []

    def put(record: Record) -> bool:
        said.append(record)
        return True

    status_frame(state, "sim", VENUE, now_ns, refresh_ns=dict.fromkeys(state.markets, 1))
    summary(state, "sim", VENUE, now_ns, {VENUE: 0}, "")
    statistics_line(state, now_ns)
    Sampler(state, put, lambda: now_ns).observe((), (), now_ns)


def test_a_state_is_equal_before_and_after_every_report() -> None:
    bot = Bot.quoting()
    bot.rest()
    before = encode_state(bot.state)
    ask(bot.state, bot.now_ns + 3_600_000_000_000)
    assert encode_state(bot.state) == before


def test_two_bots_with_the_same_events_are_equal_though_one_is_asked(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    class Asked(TapedBot):
        def keep(self) -> None:
            super().keep()
            ask(self.state, self.now_ns)

    plain, asked = (kind(tmp_path_factory.mktemp("tapes")) for kind in (TapedBot, Asked))
    for bot in (plain, asked):
        busy(bot)
    assert plain.state.turns > 40
    assert encode_state(plain.state) == encode_state(asked.state)


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_history_is_the_same_though_its_bot_is_asked_every_second(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = drawn_world(seed, Harshness.HARSH)
    expected = plain.run()
    every_second: Callable[[World], None] = World._every_second

    def asking(world: World) -> None:
        if world.state is not None:
            ask(world.state, world.timeline.now_ns)
        every_second(world)

    monkeypatch.setattr(World, "_every_second", asking)
    world = drawn_world(seed, Harshness.HARSH)
    assert world.run() == expected
    assert (world.state is None) == (plain.state is None)
    if world.state is not None and plain.state is not None:
        assert encode_state(world.state) == encode_state(plain.state)
