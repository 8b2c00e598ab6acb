"""What signals say, as a status frame shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import nan
from typing import ClassVar

from mmbot.cli.engines import _without_market
from mmbot.cli.status import _instrument
from mmbot.core.contracts import Instrument
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import Nanos
from mmbot.engine.report import status_frame
from mmbot.engine.status import InstrumentRow
from mmbot.signals.imbalance import Imbalance
from tests.core.bot import VENUE, Bot


@dataclass(frozen=True, slots=True)
class Broken:
    """One number that is none, and one that is."""

    units: ClassVar[Mapping[str, str]] = {"": "coins", "half": "half-coins"}

    def start(self, instrument: Instrument) -> Memory:
        return Memory()

    def observe(self, memory: Memory, event: Heard) -> None: ...

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:
        return nan

    def values(self, memory: Memory, now_ns: Nanos) -> Mapping[str, float | None]:
        return {"half": 0.5}


def a_row(bot: Bot) -> InstrumentRow:
    (row,) = status_frame(bot.state, "sim", VENUE, bot.now_ns, signal_desks=bot.desks).rows
    return row


def with_signals() -> Bot:
    bot = Bot.quoting()
    both = (("imbalance", Imbalance()), ("broken", Broken()))
    bot.desks = {i: replace(desk, signals=both) for i, desk in bot.desks.items()}
    return bot


def test_every_number_has_its_name_and_what_is_none_is_null() -> None:
    bot = with_signals()
    assert a_row(bot).signals == {"imbalance": None, "broken": None, "broken.half": None}
    bot.turn(bot.book())
    row = a_row(bot)
    assert row.signals == {"imbalance": 0.0, "broken": None, "broken.half": 0.5}
    assert row.signal_units == {"broken": "coins", "broken.half": "half-coins"}
    assert _instrument(row)["signals"] == row.signals


def test_a_desk_without_signals_has_none() -> None:
    bot = Bot.quoting()
    row = a_row(bot)
    assert (row.signals, row.signal_units) == ({}, {})
    assert _instrument(row)["signals"] == {}


def test_what_a_silent_engine_knew_of_a_market_is_not_known_any_more() -> None:
    bot = with_signals()
    bot.turn(bot.book())
    row = _without_market(a_row(bot))
    assert row.signals == {"imbalance": None, "broken": None, "broken.half": None}


def test_asking_changes_nothing() -> None:
    bot = with_signals()
    a_row(bot)
    assert bot.state.signals == {}
