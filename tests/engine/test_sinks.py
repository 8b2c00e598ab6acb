"""Fills go to the store first, then to every sink of the desk file: once, in order, without waiting
for any of them."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mmbot.engine import sinks as module
from mmbot.engine.sinks import FillSink, Sinks
from mmbot.plugins.registry import Family, register
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.server import VenueOptions
from mmbot.store.records import FillBooked
from mmbot.store.writer import Writer
from tests.engine.live import ROOMY, live, until
from tests.engine.test_live import hit, quoted
from tests.store.desk import a_record

WRITTEN: list[str] = []


@register(Family.SINK, "notebook")
@dataclass(frozen=True, slots=True)
class Notebook:
    """Writes the keys of executions down."""

    prefix: str = ""

    def put(self, record: FillBooked) -> bool:
        WRITTEN.append(self.prefix + record.fill.key)
        return True


@dataclass
class Box:
    """A sink with room for so many fills."""

    room: int = 1_000
    kept: list[FillBooked] = field(default_factory=list)
    raises: Exception | None = None

    def put(self, record: FillBooked) -> bool:
        if self.raises is not None:
            raise self.raises
        if len(self.kept) == self.room:
            return False
        self.kept.append(record)
        return True


def test_every_sink_gets_each_fill_once_and_in_order() -> None:
    first, second = Box(), Box()
    sinks = Sinks([("first", first), ("second", second)])
    fills = [a_record(number) for number in range(3)]
    for fill in fills:
        sinks.put(fill)
        sinks.hand_on()
    sinks.hand_on()
    assert (first.kept, second.kept) == (fills, fills)


def test_a_full_sink_gets_the_rest_later_and_holds_up_no_other() -> None:
    full, roomy = Box(room=1), Box()
    sinks = Sinks([("full", full), ("roomy", roomy)])
    fills = [a_record(number) for number in range(3)]
    for fill in fills:
        sinks.put(fill)
    sinks.hand_on()
    assert (full.kept, roomy.kept) == (fills[:1], fills)
    full.room = 3
    sinks.hand_on()
    assert full.kept == fills


def test_a_sink_that_raises_is_told_of_once_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = Box(raises=OSError("no space left"))
    sinks = Sinks([("mine", broken)])
    sinks.put(a_record(1))
    for _ in range(3):
        sinks.hand_on()
    assert [one.message for one in caplog.records] == ["sink mine: OSError: no space left"]
    broken.raises = None
    sinks.hand_on()
    assert broken.kept == [a_record(1)]


def test_what_waits_is_bounded_and_what_is_left_out_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 2)
    full = Box(room=0)
    sinks = Sinks([("full", full)])
    fills = [a_record(number) for number in range(3)]
    for fill in fills:
        sinks.put(fill)
    full.room = 9
    sinks.hand_on()
    assert full.kept == fills[1:]
    assert [one.message for one in caplog.records] == [
        f"sink full: fill {fills[0].fill.trade_id} is left out"
    ]


def test_the_stores_writer_is_a_sink() -> None:
    sink: type[FillSink] = Writer
    assert callable(sink.put)


async def test_a_fill_of_a_running_engine_reaches_the_sink_of_its_desk_file(tmp_path: Path) -> None:
    WRITTEN.clear()
    desk = tmp_path / "desk.toml"
    desk.write_text(f"{ROOMY.read_text()}\n[sink.notebook]\nprefix = 'trade '\n")
    async with live(VenueOptions(flow_scale=0.0), config=desk) as bot:
        await quoted(bot)
        hit(bot, Side.SELL, "50")
        await until(lambda: bool(WRITTEN), "the fill is written down")
        await until(lambda: len(WRITTEN) == len(bot.trades_at_venue()), "every one of them")
        assert [f"trade {trade}" for trade in bot.trades_at_venue()] == WRITTEN
