"""What it costs that options are valued with their whole chain.

Two bots quote the same option and watch the same 60 others and the perpetual; one is priced by the
venue's mark and has no chain, the other by the surface. *One book*: the turn in which the book of
the quoted option changes, far from its best prices. *The perpetual*: the turn in which its price
moves so far that every option of the chain is valued anew.
"""

import time
from dataclasses import replace
from decimal import Decimal
from itertools import cycle
from typing import Final

from mmbot.core import events as ev
from mmbot.core.chains import Fitted, Smile
from mmbot.core.contracts import Instrument
from mmbot.core.ports import Pricer
from mmbot.core.turn import turn
from mmbot.core.types import InstrumentId, Right
from mmbot.pricing.auto import Auto
from mmbot.pricing.mark import Mark
from tests.benchmarks.blocks import Blocks, alternate
from tests.builders import EXPIRY_NS, a_perpetual, an_option
from tests.core.bot import VENUE, Bot

WATCHED: Final = 60
BY_MARK: Final = "one book, by the mark"
BY_SURFACE: Final = "one book, by the surface"
ALL_ANEW: Final = f"the perpetual moves, {WATCHED + 1} options valued"

BLOCK: Final = 200
INDEX: Final = 2850.0
MOVE: Final = 20.0
MS: Final = 1_000_000


class Subject:
    """A bot that quotes one option and watches the rest of its expiry."""

    def __init__(self, pricer: Pricer) -> None:
        self.bot = bot = Bot(_option(2850, Right.CALL))
        bot.desks = {name: replace(desk, pricer=pricer) for name, desk in bot.desks.items()}
        strikes = range(2850 - 10 * WATCHED // 2, 2850 + 10 * WATCHED // 2, 10)
        watched = [_option(strike, Right.PUT) for strike in strikes]
        self._perpetual = a_perpetual()
        bot.connect()
        bot.turn(bot.snapshot())
        bot.turn(ev.InstrumentsWatched((*watched, self._perpetual), "test"))
        bot.turn(bot.alive(), *map(bot.ticker, (*bot.instruments, *watched)), bot.book())
        bot.turn(bot.ticker(self._perpetual, mark=INDEX, index=INDEX), self._lead(INDEX))
        smile = Smile(EXPIRY_NS, "svi", 0.004, 0.02, -0.2, 0.0, 0.1, quotes=40, error=0.003)
        for name in bot.state.chains:
            bot.turn(Fitted(name, bot.now_ns, (smile,)))
        self._prices = cycle((INDEX + MOVE, INDEX))
        self._amounts = cycle((11.0, 12.0))

    def one_book(self) -> int:
        """Duration (ns) of a turn for one book."""
        book = self.bot.book()
        (price, amount), *_ = book.bids
        deeper = ((price, amount), (price - 0.001, next(self._amounts)))
        return self._timed(
            ev.BookChanged(book.instrument, deeper, book.asks, book.venue_ms, book.received_ns)
        )

    def perpetual(self) -> int:
        """Duration (ns) of a turn for a move of the perpetual."""
        return self._timed(self._lead(next(self._prices)))

    def _lead(self, middle: float) -> ev.BookChanged:
        bids, asks = ((middle - 0.05, 10.0),), ((middle + 0.05, 10.0),)
        return ev.BookChanged(self._perpetual.id, bids, asks, 1, self.bot.now_ns)

    def _timed(self, event: ev.Event) -> int:
        bot = self.bot
        bot.now_ns += MS // 10
        events = (event,)
        started_ns = time.perf_counter_ns()
        turn(bot.state, events, bot.now_ns, bot.desks, bot.guards)
        return time.perf_counter_ns() - started_ns


def _option(strike: int, right: Right) -> Instrument:
    name = f"ETH-6JUN25-{strike}-{right.value[0].upper()}"
    return an_option(
        id=InstrumentId(f"{VENUE}:{name}"), name=name, strike=Decimal(strike), right=right
    )


def chains_ns(rounds: int) -> dict[str, Blocks]:
    """What each took, in alternating blocks."""
    by_mark, by_surface = Subject(Mark()), Subject(Auto())
    measured = {
        BY_MARK: by_mark.one_book,
        BY_SURFACE: by_surface.one_book,
        ALL_ANEW: by_surface.perpetual,
    }
    return alternate(measured, rounds, lambda name: [measured[name]() for _ in range(BLOCK)])
