"""Trades that are not final at once: matched, and later confirmed or failed.

Theory of operation
-------------------
1. Where a venue settles elsewhere (on a chain), a match is only a promise of both sides. It counts
   at once, and is said to be MATCHED; some seconds later it is CONFIRMED, or FAILED.
2. A failed trade is taken back on both sides: position, money and fee as if it had never been
   (funding of the time between stays). What an order had filled by it is not filled any more, and
   does not come back into the book: an open order is smaller by it.
3. What expires is confirmed before it is delivered.

Which trade fails, and when, is drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

from mmbot.sim.exchange.accounts import Print
from mmbot.sim.exchange.listing import Charge, Side

FAILS: Final = 0.15
"""The share of trades that fail."""
SOON_S: Final = (0.3, 6.0)
LATE_S: Final = (6.0, 30.0)
LATE: Final = 0.1
"""The share of trades whose end is known late."""


class Standing(Enum):
    """How far a trade is; the values are the words of venues that settle on a chain."""

    MATCHED = "MATCHED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Part:
    """One account's part of a trade, with what it was charged."""

    account: str
    order_id: str
    side: Side
    charge: Charge


@dataclass(frozen=True, slots=True)
class Match:
    """A trade of which nobody knows yet whether it stands, but for the draw."""

    public: Print
    parts: tuple[Part, ...]
    due_ms: int
    fails: bool


class LateFinality:
    """The trades of accounts that are followed, and how far each is."""

    def __init__(self, seed: int) -> None:
        self.open: dict[str, Match] = {}
        """By trade id."""
        self._said: dict[str, tuple[Standing, int]] = {}
        self._draw = Random(f"finality {seed}")

    def matched(self, public: Print, parts: tuple[Part, ...]) -> None:
        """One more trade."""
        fails, late = self._draw.random() < FAILS, self._draw.random() < LATE
        least, most = LATE_S if late else SOON_S
        wait_s = least + (most - least) * self._draw.random()
        due_ms = public.time_ms + int(1_000 * wait_s)
        self.open[public.trade_id] = Match(public, parts, due_ms, fails)

    def due(self, now_ms: int) -> Iterator[Match]:
        """The trades that end by now."""
        return iter([match for match in self.open.values() if match.due_ms <= now_ms])

    def of(self, name: str) -> Iterator[Match]:
        """The open ones in an instrument."""
        return iter([match for match in self.open.values() if match.public.name == name])

    def conclude(self, match: Match, standing: Standing, now_ms: int) -> None:
        """It has ended so."""
        del self.open[match.public.trade_id]
        self._said[match.public.trade_id] = (standing, now_ms)

    def standing(self, trade_id: str) -> tuple[Standing, int]:
        """How far a trade is, and since when (venue time, ms); 0 while it is only matched."""
        if trade_id in self.open:
            return Standing.MATCHED, 0
        return self._said.get(trade_id, (Standing.CONFIRMED, 0))
