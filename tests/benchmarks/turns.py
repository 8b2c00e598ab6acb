"""What one turn costs, and how many events the inbox takes, without venue or socket.

The turn is the real one: improve_top with the default rules, on options whose orders all rest.
Three kinds are measured:

* *amend*: one book moved outward, and both orders must follow;
* *quiet*: one book changed, but nothing in it that matters to us;
* *tick*: the time signal, which looks at every market; a book that comes meanwhile has to wait.

Back to back shows the work itself; *paced*, with the process asleep between turns, what it costs in
life, when caches and branch predictors have been used by others meanwhile. The *manner* says what
else is as in life: guards that watch, or prices of which none comes twice, so that nothing that is
remembered by price is of use.

This file is run on older commits too (see driver.py).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from enum import Enum
from typing import Any, cast

from mmbot.config import load_config
from mmbot.core import events as ev
from mmbot.core.inbox import Inbox
from mmbot.core.intents import Amend, Intent, Resync
from mmbot.core.ports import Guard, RiskRule, Strategy
from mmbot.core.turn import turn
from mmbot.core.types import InstrumentId
from mmbot.risk.guards.order_to_volume import OrderToVolume
from mmbot.risk.price_band import PriceBand
from tests.benchmarks.market import (
    CLOSED_ASK,
    CLOSED_BID,
    LEVELS,
    OTHERS_AMOUNT,
    STEPS_MAX,
    TICK,
)
from tests.builders import an_option
from tests.core.bot import VENUE, Bot

PACE_S = 0.005
MARK = 0.0350
INDEX_USD = 2850.0
FINE = 1e-7
"""The tick where no price comes twice: each time the market closes, it does so one further out."""
BAND_PCT = Decimal(50)


class Manner(Enum):
    """What the turns are like beside their kind."""

    PLAIN = "plain"
    GUARDED = "guarded"
    FRESH = "fresh"


KINDS = ("amend", "quiet", "tick")


def take_turns(subject: "Subject", samples: int, *, paced: bool) -> dict[str, list[int]]:
    """Durations (ns) of each kind of turn, that many times, the kinds in turns."""
    taken: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for _ in range(samples):
        for kind, durations in taken.items():
            subject.prepare()
            if paced:
                time.sleep(PACE_S)
            measure: Callable[[], int] = getattr(subject, kind)
            durations.append(measure())
    return taken


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

    def __init__(self, instruments: int, manner: Manner = Manner.PLAIN) -> None:
        self._manner = manner
        fine = {"tick": Decimal(repr(FINE)), "tick_steps": ()} if manner is Manner.FRESH else {}
        options = [
            an_option(id=InstrumentId(f"{VENUE}:option-{n}"), name=f"option-{n}", **fine)
            for n in range(instruments)
        ]
        self._bot = Bot(*options)
        self._step = 0
        self._closures = 0
        self._count = 0
        config = load_config({"--symbols": "any"})
        desk: Any = getattr(config, "lone", config)  # once there was only one
        built = replace(
            next(iter(self._bot.desks.values())),
            strategy=cast(Strategy, desk.strategy.build()),
            rules=tuple(_wide(cast(RiskRule, rule.build())) for rule in desk.rules),
        )
        self._bot.desks = dict.fromkeys(self._bot.desks, built)
        if manner is Manner.GUARDED:
            guards = (cast(Guard, guard.build()) for guard in config.guards)
            self._bot.guards = tuple(map(_patient, guards))
        self._bot.connect()
        self._bot.turn(ev.LimitsRead(VENUE, rate_per_s=1e6, burst=1e6))
        self._bot.turn(self._bot.snapshot())
        self._bot.turn(self._bot.alive(), *self._tickers(), *map(self._book, options))
        self._settle()
        self._bot.turn(*map(self._book, options))

    def prepare(self) -> None:
        """What happens before a turn and is not measured: the market closes when it is wide open,
        and where nothing comes twice the reference values become a little more."""
        fresh = self._manner is Manner.FRESH
        if self._step == STEPS_MAX:
            self._closures += fresh
            self._move(0)
        if fresh:
            self._count += 1
            sent = self._rest_of(self._bot.turn(*self._tickers()))
            assert not sent, sent

    def amend(self) -> int:
        """Duration (ns) of the turn in which both orders of one instrument must follow."""
        took_ns, intents = self._move(self._step + 1)
        assert [type(intent) for intent in intents] == [Amend, Amend], intents
        return took_ns

    def quiet(self) -> int:
        """Duration (ns) of a turn for a book change that leaves everything as it is."""
        self._count += 1
        book = self._book(self._bot.instrument)
        *best, (price, amount) = book.bids
        more = self._count if self._manner is Manner.FRESH else self._count % 2
        took_ns, intents = self._timed(_with_bids(book, (*best, (price, amount + more))))
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
        self._rest_of(self._bot.turn(*said, self._bot.alive()))

    def _rest_of(self, intents: Sequence[Intent]) -> list[Intent]:
        """What was sent but for a question about everything, which is answered: as believed."""
        rest: list[Intent] = [one for one in intents if not isinstance(one, Resync)]
        if len(rest) < len(intents):
            orders = [self._bot.stated(order) for order in self._bot.orders if order.working]
            self._bot.turn(self._bot.snapshot(orders=orders))
        return rest

    def _tickers(self) -> list[ev.TickerChanged]:
        mark, index = MARK + self._count * 1e-10, INDEX_USD + self._count * 1e-7
        return [self._bot.ticker(o, mark=mark, index=index) for o in self._bot.instruments]

    def _timed(self, event: ev.Event) -> tuple[int, list[Intent]]:
        bot = self._bot
        bot.now_ns += 1_000_000
        events = (event,)
        started_ns = time.perf_counter_ns()
        intents = turn(bot.state, events, bot.now_ns, bot.desks, bot.guards)
        took_ns = time.perf_counter_ns() - started_ns
        return took_ns, self._rest_of(intents)

    def _book(self, instrument: Any) -> ev.BookChanged:
        """Ten levels of the others a side, and our orders among them."""
        step = self._step if instrument is self._bot.instrument else 0
        out = step * TICK + self._closures * FINE
        bid, ask = CLOSED_BID - out, CLOSED_ASK + out
        best = self._bot.book(round(bid, 7), round(ask, 7), instrument=instrument)
        deeper = range(1, LEVELS)
        return ev.BookChanged(
            instrument=best.instrument,
            bids=(*best.bids, *((round(bid - n * TICK, 7), OTHERS_AMOUNT) for n in deeper)),
            asks=(*best.asks, *((round(ask + n * TICK, 7), OTHERS_AMOUNT) for n in deeper)),
            venue_ms=best.venue_ms,
            received_ns=best.received_ns,
        )


def _wide(rule: RiskRule) -> RiskRule:
    """A band in ticks at the coarse tick is a band in percent at the fine one."""
    return replace(rule, max_pct=BAND_PCT) if isinstance(rule, PriceBand) else rule


def _patient(guard: Guard) -> Guard:
    """Nothing trades here, and there are thousands of amends in a few seconds."""
    return replace(guard, least=10**9) if isinstance(guard, OrderToVolume) else guard


def _with_bids(book: ev.BookChanged, bids: tuple[tuple[float, float], ...]) -> ev.BookChanged:
    return ev.BookChanged(
        instrument=book.instrument,
        bids=bids,
        asks=book.asks,
        venue_ms=book.venue_ms,
        received_ns=book.received_ns,
    )
