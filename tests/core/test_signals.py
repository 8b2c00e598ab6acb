"""Signals remember: in State, on the tape, and for the strategy to read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.memory import Memory
from mmbot.core.types import Nanos, Side
from mmbot.plugins.registry import Family, register
from mmbot.signals.imbalance import Imbalance
from mmbot.tape.codec import decode_state, encode_state
from mmbot.tape.plan import PluginPlan
from mmbot.tape.reader import TapeFile
from mmbot.tape.replay import Replay
from tests.builders import an_option
from tests.core.bot import Bot
from tests.tape.taped import TapedBot

PUT = an_option(id="deribit:ETH-6JUN25-2800-P", name="ETH-6JUN25-2800-P")
TRADE = ev.TradePrinted(an_option().id, 0.0200, 1.0, Side.SELL, 0)


@register(Family.SIGNAL, "last_trades")
@dataclass(frozen=True, slots=True)
class LastTrades:
    """The mean price of the last trades, and how many there were."""

    most: int = 2

    def start(self, instrument: Instrument) -> Memory:
        return Memory({"seen": 0}, {"prices": []})

    def observe(
        self,
        memory: Memory,
        event: ev.BookChanged | ev.TickerChanged | ev.TradePrinted | ev.BookLost,
    ) -> None:
        if isinstance(event, ev.TradePrinted):
            memory.numbers["seen"] += 1
            memory.series["prices"] = [*memory.series["prices"], event.price][-self.most :]

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:
        prices = memory.series["prices"]
        return sum(prices) / len(prices) if prices else None


def listening(*instruments: Instrument) -> Bot:
    bot = Bot.quoting(*instruments)
    both = (("imbalance", Imbalance()), ("last_trades", LastTrades()))
    bot.desks = {i: replace(desk, signals=both) for i, desk in bot.desks.items()}
    return bot


def said(bot: Bot) -> Mapping[str, float | None]:
    return bot.puppet.views[-1].signals


def test_a_strategy_reads_what_the_signals_of_its_desk_have_heard() -> None:
    bot = listening()
    bot.turn(bot.book())
    assert said(bot) == {"imbalance": 0.0, "last_trades": None}
    bot.turn(TRADE, structs.replace(TRADE, price=0.0210), structs.replace(TRADE, price=0.0230))
    assert said(bot)["last_trades"] == (0.0210 + 0.0230) / 2


def test_each_instrument_has_a_memory_of_its_own() -> None:
    bot = listening(an_option(), PUT)
    there = structs.replace(TRADE, instrument=PUT.id, price=0.03)
    bot.turn(bot.book(instrument=PUT), TRADE, there, structs.replace(TRADE, price=0.022))
    seen = {view.instrument.id: view.signals["last_trades"] for view in bot.puppet.views[-2:]}
    assert seen == {an_option().id: (0.0200 + 0.022) / 2, PUT.id: 0.03}


def test_without_signals_nothing_is_kept() -> None:
    bot = Bot.quoting()
    bot.turn(TRADE, bot.book())
    assert (said(bot), bot.state.signals) == ({}, {})


def test_what_is_remembered_comes_back_from_a_checkpoint_to_the_digit() -> None:
    bot = listening()
    bot.turn(TRADE, bot.book())
    encoded = encode_state(bot.state)
    state = decode_state(encoded)
    assert state.signals == bot.state.signals
    assert state.signals[TRADE.instrument]["last_trades"] == Memory({"seen": 1}, {"prices": [0.02]})
    assert encode_state(state) == encoded


def test_a_replay_ends_with_what_the_run_remembered(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path, signals={"last_trades": LastTrades(most=3)})
    bot.quote()
    for price in (0.0200, 0.0210, 0.0220, 0.0240):
        bot.turn(structs.replace(TRADE, price=price), bot.book())
    (file,) = bot.files()
    replay = Replay(TapeFile(file))
    assert [turn.difference for turn in replay.turns() if turn.difference] == []
    assert replay.state.signals == bot.state.signals
    memory = replay.state.signals[TRADE.instrument]["last_trades"]
    assert (memory.numbers["seen"], memory.series["prices"]) == (4, [0.0210, 0.0220, 0.0240])


def test_the_settings_of_a_signal_are_on_the_tape() -> None:
    plan = PluginPlan.of(Family.SIGNAL, "imbalance", Imbalance(levels=3))
    assert plan.build() == Imbalance(levels=3)
