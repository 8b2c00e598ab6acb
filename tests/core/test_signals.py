"""Signals remember: in State, on the tape, and for the strategy to read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from random import Random
from typing import ClassVar, cast

from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard, Signal
from mmbot.core.remember import units, values
from mmbot.core.statements import Finality
from mmbot.core.types import MS, Nanos, Side
from mmbot.core.why import Why
from mmbot.plugins.registry import BUILT_IN, Family, load, register
from mmbot.signals.imbalance import Imbalance
from mmbot.tape.codec import decode_state, encode_state
from mmbot.tape.plan import PluginPlan
from mmbot.tape.reader import TapeFile
from mmbot.tape.replay import Replay
from tests.builders import a_fill, an_option
from tests.core.bot import Bot, both_sides
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

    def observe(self, memory: Memory, event: Heard) -> None:
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


# --- fills of ours ----------------------------------------------------------------------------


@register(Family.SIGNAL, "own_fills")
@dataclass(frozen=True, slots=True)
class OwnFills:
    """What our fills add up to, and the same by the sides and by the prices' digits."""

    units: ClassVar[Mapping[str, str]] = {"": "lots", "buys": "fills"}

    def start(self, instrument: Instrument) -> Memory:
        return Memory({"net": 0.0, "buys": 0}, names={"ids": []})

    def observe(self, memory: Memory, event: Heard) -> None:
        if isinstance(event, ev.Filled):
            fill = event.fill
            memory.numbers["net"] += fill.side.sign * float(fill.amount)
            memory.numbers["buys"] += (fill.side is Side.BUY) - 2 * bool(fill.reverses)
            memory.names["ids"].append(fill.trade_id)

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:
        return memory.numbers["net"]

    def values(self, memory: Memory, now_ns: Nanos) -> Mapping[str, float | None]:
        return {"buys": memory.numbers["buys"], "sells": None}


def with_fills() -> Bot:
    bot = Bot.quoting()
    only = (("own_fills", OwnFills()),)
    bot.desks = {i: replace(desk, signals=only) for i, desk in bot.desks.items()}
    return bot


def ids(bot: Bot) -> list[str]:
    memories = bot.state.signals.get(bot.instrument.id, {})
    return memories["own_fills"].names["ids"] if memories else []


def test_a_fill_is_heard_once_however_often_it_is_told() -> None:
    bot = with_fills()
    bid = next(order for order in bot.rest() if order.side is Side.BUY)
    fill = bot.fill(bid)
    bot.turn(ev.Filled(fill), ev.Filled(fill), bot.book())
    bot.turn(ev.Filled(fill))
    bot.ask_again()
    bot.turn(bot.snapshot(fills=(fill,)))
    assert ids(bot) == [fill.trade_id]
    assert said(bot) == {"own_fills": 1.0, "own_fills.buys": 1, "own_fills.sells": None}


def test_one_that_a_snapshot_tells_first_is_heard_too() -> None:
    bot = with_fills()
    bid = next(order for order in bot.rest() if order.side is Side.BUY)
    fill = bot.fill(bid)
    bot.ask_again()
    bot.turn(bot.snapshot(fills=(fill,)))
    assert ids(bot) == [fill.trade_id]


def test_fills_of_somebody_else_on_the_account_are_not_heard() -> None:
    bot = with_fills()
    bot.turn(ev.Filled(a_fill(label=None, venue_ms=bot.ms)), bot.book())
    assert ids(bot) == []


def test_a_fill_that_is_final_is_heard_no_second_time_and_one_that_is_void_is_taken_back() -> None:
    for last, heard in ((Finality.FINAL, ["one"]), (Finality.VOIDED, ["one", "one void"])):
        bot = with_fills()
        bid = next(order for order in bot.rest() if order.side is Side.BUY)
        fill = structs.replace(bot.fill(bid, trade_id="one"), finality=Finality.PROVISIONAL)
        end = structs.replace(fill, finality=last, stated_ms=bot.ms + 900)
        bot.turn(ev.Filled(fill))
        bot.turn(ev.Filled(end), ev.Filled(end), bot.book())
        assert ids(bot) == heard
        assert said(bot)["own_fills"] == 2.0 - len(heard)


def test_the_parts_of_a_signal_that_has_heard_nothing_are_named_and_not_known() -> None:
    bot = with_fills()
    assert values(bot.state, bot.desks[bot.instrument.id], bot.instrument.id, bot.now_ns) == {
        "own_fills": None,
        "own_fills.buys": None,
        "own_fills.sells": None,
    }


def test_a_signal_may_say_what_its_numbers_are_counted_in() -> None:
    assert units("own_fills", OwnFills()) == {"own_fills": "lots", "own_fills.buys": "fills"}
    assert units("last_trades", LastTrades()) == {}


# --- all that come with mmbot -----------------------------------------------------------------

BUILT = {
    name: cast(Signal, load(Family.SIGNAL, name, "the test")()) for name in BUILT_IN[Family.SIGNAL]
}


def a_busy_market(bot: Bot, seed: int) -> list[ev.Event]:
    """Books, tickers, trades, a loss and fills of ours, in the order in which they happened."""
    draw, happened = Random(seed), list[ev.Event]()
    bid = next(order for order in bot.orders if order.side is Side.BUY)
    for n in range(300):
        at_ns = bot.now_ns + n * 50 * MS
        down, up = draw.randrange(3) * 1e-4, draw.randrange(3) * 1e-4
        book = bot.book(0.0195 - down, 0.0235 + up)
        book = structs.replace(book, venue_ms=at_ns // MS, received_ns=at_ns)
        ticker = structs.replace(
            bot.ticker(mark=0.0215 + up - down), received_ns=at_ns, forward=2850.0 + draw.random()
        )
        side = draw.choice((Side.BUY, Side.SELL))
        price = 0.0230 + up if side is Side.BUY else 0.0200 - down
        trade = ev.TradePrinted(
            bot.instrument.id, price, float(draw.randrange(1, 9)), side, at_ns // MS - 3
        )
        happened += draw.sample([book, ticker, trade], draw.randrange(1, 4))
        if n % 40 == 20:
            fill = bot.fill(bid, "0.01", trade_id=f"fill-{n}")
            fill = structs.replace(fill, venue_ms=at_ns // MS - 2)
            happened += [ev.Filled(fill)] * draw.randrange(1, 3)
    happened.insert(600, ev.BookLost(bot.instrument.id, Why.BOOK_GAPPED))
    return happened


def having_heard(parts: Callable[[list[ev.Event]], Iterable[Sequence[ev.Event]]]) -> Bot:
    bot = Bot.quoting()
    bot.rest(*both_sides(size=1.0))
    bot.desks = {i: replace(desk, signals=tuple(BUILT.items())) for i, desk in bot.desks.items()}
    for part in parts(a_busy_market(bot, seed=7)):
        bot.turn(*part)
    return bot


def test_memories_do_not_depend_on_how_events_fall_into_turns() -> None:
    at_once = having_heard(lambda all_: [all_])
    one_by_one = having_heard(lambda all_: [[one] for one in all_])
    in_sevens = having_heard(lambda all_: [all_[n : n + 7] for n in range(0, len(all_), 7)])
    assert at_once.state.signals == one_by_one.state.signals == in_sevens.state.signals
    memories = at_once.state.signals[at_once.instrument.id]
    assert memories.keys() == BUILT.keys()
    assert len(memories["own_markout"].series["due_ns"] + memories["own_markout"].series["buy"]) > 5


def test_every_memory_comes_back_from_a_checkpoint_to_the_digit() -> None:
    bot = having_heard(lambda all_: [all_])
    encoded = encode_state(bot.state)
    state = decode_state(encoded)
    assert state.signals == bot.state.signals
    assert encode_state(state) == encoded


def test_a_replay_of_every_signal_ends_with_what_the_run_remembered(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path, signals=BUILT)
    bot.quote()
    happened = a_busy_market(bot, seed=8)
    for n in range(0, len(happened), 5):
        bot.turn(*happened[n : n + 5])
    (file,) = bot.files()
    replay = Replay(TapeFile(file))
    assert [turn.difference for turn in replay.turns() if turn.difference] == []
    assert replay.state.signals == bot.state.signals
    assert replay.state.signals[bot.instrument.id].keys() == BUILT.keys()


def test_numbers_that_are_not_known_are_none_and_the_names_are_always_the_same() -> None:
    bot = having_heard(lambda all_: [all_])
    desk, instrument = bot.desks[bot.instrument.id], bot.instrument.id
    late = values(bot.state, desk, instrument, bot.now_ns)
    bot.state.signals.clear()
    early = values(bot.state, desk, instrument, bot.now_ns)
    assert list(early) == list(late)
    assert set(early.values()) == {None}
    assert all(value is None or isfinite(value) for value in late.values())
    named = {name for signal, one in BUILT.items() for name in units(signal, one)}
    assert named <= set(late)
    assert set(late) - named == {"imbalance"}
