"""What all signals that come with mmbot cost where a book came.

*Heard*: the book goes into the memory of each, the way a turn does it. *Told*: each is asked
what it says, once a view. The memories have trades and fills behind them, so that every signal has
something to say. What the same book costs to be read from a frame, by the fastest reader there is,
is measured beside it, in alternating blocks.
"""

import time
from random import Random
from typing import Final, cast

import msgspec

from mmbot.core import events as ev
from mmbot.core.bot import begun
from mmbot.core.desk import Desk
from mmbot.core.ports import Signal
from mmbot.core.remember import remember, values
from mmbot.core.types import MS, Side
from mmbot.plugins.registry import BUILT_IN, Family, load
from mmbot.strategies.improve_top import ImproveTop
from tests.benchmarks.blocks import Blocks, alternate
from tests.builders import NOW_NS, a_fill, a_perpetual

READ: Final = "the same book, read from its frame"
HEARD: Final = "a book, heard by all signals"
TOLD: Final = "all signals asked"

BLOCK: Final = 200
LEVELS: Final = 10
TICK: Final = 0.05
APART_MS: Final = 20
WARM: Final = 3_000


class Subject:
    """A perpetual whose desk has every signal, and its market."""

    def __init__(self) -> None:
        self.instrument = a_perpetual()
        built = [
            (name, cast(Signal, load(Family.SIGNAL, name, "the bench")()))
            for name in BUILT_IN[Family.SIGNAL]
        ]
        venue = self.instrument.venue
        self.desk = Desk("bench", venue, ImproveTop(), (), signals=tuple(built))
        self._desks = {self.instrument.id: self.desk}
        self.state = begun("0", NOW_NS, [ev.InstrumentsListed((self.instrument,))])
        self._draw, self._mid, self._count = Random(1), 2850.0, 0
        for n in range(WARM):
            self._trade(n, self.next_book())

    def next_book(self) -> ev.BookChanged:
        """The best prices of every third book are others than before."""
        self._mid += self._draw.choice((0, 0, 0, 0, TICK, -TICK))
        self._count += 1
        steps = [TICK * (n + 1) for n in range(LEVELS)]
        return ev.BookChanged(
            self.instrument.id,
            tuple((round(self._mid - step, 2), self._amount()) for step in steps),
            tuple((round(self._mid + step, 2), self._amount()) for step in steps),
            NOW_NS // MS + self._count * APART_MS,
            NOW_NS + self._count * APART_MS * MS,
        )

    def _amount(self) -> float:
        return self._draw.randrange(1, 99) * 10.0

    def _trade(self, n: int, book: ev.BookChanged) -> None:
        """A taker after that book, and now and then it is ours that he takes."""
        remember(self.state, book, self._desks, 0)
        side, at_ms = Side.BUY if n % 2 else Side.SELL, book.venue_ms + 1
        price = round(self._mid + side.sign * TICK * self._draw.randrange(1, 4), 2)
        printed = ev.TradePrinted(self.instrument.id, price, n % 7 + 1.0, side, at_ms)
        remember(self.state, printed, self._desks, 0)
        if n % 30 < 2:
            fill = a_fill(
                side.opposite,
                str(price),
                instrument=self.instrument,
                trade_id=str(n),
                venue_ms=at_ms,
            )
            for name, signal in self.desk.signals:
                signal.observe(self.state.signals[self.instrument.id][name], ev.Filled(fill))

    def take(self, name: str) -> list[int]:
        """Durations (ns) of one block."""
        taken = []
        for _ in range(BLOCK):
            book = self.next_book()
            frame = msgspec.json.encode(book)
            started_ns = time.perf_counter_ns()
            if name == READ:
                msgspec.json.decode(frame)
            elif name == HEARD:
                remember(self.state, book, self._desks, 0)
            else:
                self.told(book.received_ns)
            taken.append(time.perf_counter_ns() - started_ns)
        return taken

    def told(self, now_ns: int) -> dict[str, float | None]:
        """What all signals say."""
        return values(self.state, self.desk, self.instrument.id, now_ns)


def signals_ns(rounds: int) -> dict[str, Blocks]:
    """Nanoseconds by contestant, in alternating blocks, after one that warms up."""
    subject, contestants = Subject(), (READ, HEARD, TOLD)
    for name in contestants:
        subject.take(name)
    return alternate(contestants, rounds, subject.take)
