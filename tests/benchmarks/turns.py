"""What one turn costs, and how many events the inbox takes, without venue or socket.

The turn is the real one: improve_top with the default rules, on options whose orders all rest. Four
kinds are measured, each on few and on many instruments:

* *amend*: one book moved outward, and both orders must follow;
* *quiet*: one book changed, but nothing in it that matters to us;
* *tick*: the time signal, which looks at every market; a book that comes meanwhile has to wait.

Back to back shows the work itself; *paced*, with the process asleep between turns, what it costs in
life, when caches and branch predictors have been used by others meanwhile.
"""

import time
from dataclasses import dataclass
from typing import cast

from msgspec.structs import replace

from mmbot.config import load_config
from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.inbox import Inbox
from mmbot.core.intents import Amend, Intent
from mmbot.core.ports import RiskRule, Strategy
from mmbot.core.turn import turn
from mmbot.core.types import InstrumentId
from tests.benchmarks.venue import CLOSED_ASK, CLOSED_BID, LEVELS, STEPS_MAX, TICK
from tests.builders import an_option
from tests.core.bot import VENUE, Bot
from tests.wire.fixed import INDEX_USD, MARK

PACE_S = 0.005


@dataclass(frozen=True, slots=True)
class TurnCosts:
    """Durations in nanoseconds of single turns."""

    instruments: int
    paced: bool
    amend: list[int]
    quiet: list[int]
    tick: list[int]


def turn_costs(instruments: int, samples: int, *, paced: bool) -> TurnCosts:
    """Measure each kind of turn that many times, after a tenth of it as warm-up."""
    subject = Subject(instruments)
    costs = TurnCosts(instruments, paced, [], [], [])
    pause_s = PACE_S if paced else 0.0
    for _ in range(samples + samples // 10):
        for taken, kind in (
            (costs.amend, subject.amend),
            (costs.quiet, subject.quiet),
            (costs.tick, subject.tick),
        ):
            if pause_s:
                time.sleep(pause_s)
            taken.append(kind())
    for taken in (costs.amend, costs.quiet, costs.tick):
        del taken[: samples // 10]
    return costs


def inbox_events_per_s(bursts: int, burst: int) -> float:
    """Book events put and drained a second, by bursts in which each instrument comes up twice."""
    inbox = Inbox()
    ids = [InstrumentId(f"{VENUE}:{number}") for number in range(burst // 2)]
    events = [ev.BookChanged(i, (), (), 0, 0) for i in (*ids, *ids)]
    started_ns = time.perf_counter_ns()
    for _ in range(bursts):
        for event in events:
            inbox.put(event)
        inbox.drain()
    return bursts * len(events) * 1e9 / (time.perf_counter_ns() - started_ns)


class Subject:
    """A bot with both orders resting on every instrument, and a market that can be moved."""

    def __init__(self, instruments: int) -> None:
        options = [
            an_option(id=InstrumentId(f"{VENUE}:option-{n}"), name=f"option-{n}")
            for n in range(instruments)
        ]
        self._bot = Bot(*options)
        self._step = 0
        self._odd = False
        self._bot.desks = dict.fromkeys(self._bot.desks, _desk())
        self._bot.connect()
        self._bot.turn(ev.LimitsRead(VENUE, rate_per_s=1e6, burst=1e6))
        self._bot.turn(self._bot.snapshot())
        tickers = [self._bot.ticker(o, mark=MARK, index=INDEX_USD) for o in options]
        self._bot.turn(self._bot.alive(), *tickers, *map(self._book, options))
        self._settle()
        self._bot.turn(*map(self._book, options))

    def amend(self) -> int:
        """Duration (ns) of the turn in which both orders of one instrument must follow."""
        if self._step == STEPS_MAX:
            self._move(0)
        took_ns, intents = self._move(self._step + 1)
        assert [type(intent) for intent in intents] == [Amend, Amend], intents
        return took_ns

    def quiet(self) -> int:
        """Duration (ns) of a turn for a book change that leaves everything as it is."""
        self._odd = not self._odd
        book = self._book(self._bot.instrument)
        (price, amount), *rest = reversed(book.bids)
        worst = (price, amount + self._odd)
        took_ns, intents = self._timed(replace(book, bids=(*reversed(rest), worst)))
        assert not intents, intents
        return took_ns

    def tick(self) -> int:
        """Duration (ns) of a turn that looks at every market and finds nothing to do."""
        took_ns, intents = self._timed(ev.Tick())
        assert not intents, intents
        return took_ns

    def _move(self, step: int) -> tuple[int, list[Intent]]:
        self._step = step
        took_ns, intents = self._timed(self._book(self._bot.instrument))
        self._settle()
        self._timed(self._book(self._bot.instrument))
        return took_ns, intents

    def _settle(self) -> None:
        """The venue says yes to everything that is under way, and gives a sign of life."""
        said = [self._bot.says_open(o) for o in self._bot.orders if o.request is not None]
        self._bot.turn(*said, self._bot.alive())

    def _timed(self, event: ev.Event) -> tuple[int, list[Intent]]:
        bot = self._bot
        bot.now_ns += 1_000_000
        started_ns = time.perf_counter_ns()
        intents = turn(bot.state, (event,), bot.now_ns, bot.desks)
        return time.perf_counter_ns() - started_ns, intents

    def _book(self, instrument: Instrument) -> ev.BookChanged:
        """Ten levels of the others a side, and our orders among them."""
        step = self._step if instrument is self._bot.instrument else 0
        bid, ask = CLOSED_BID - step * TICK, CLOSED_ASK + step * TICK
        best = self._bot.book(round(bid, 4), round(ask, 4), instrument=instrument)
        deeper = range(1, LEVELS)
        return replace(
            best,
            bids=(*best.bids, *((round(bid - n * TICK, 4), 25.0) for n in deeper)),
            asks=(*best.asks, *((round(ask + n * TICK, 4), 25.0) for n in deeper)),
        )


def _desk() -> Desk:
    """The default desk, free to amend at any time."""
    config = load_config({"--symbols": "any"})
    return Desk(
        name=config.lone.strategy.name,
        venue=VENUE,
        strategy=cast(Strategy, config.lone.strategy.build()),
        rules=tuple(cast(RiskRule, rule.build()) for rule in config.lone.rules),
    )
