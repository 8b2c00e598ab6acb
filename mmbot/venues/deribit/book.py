"""One order book as Deribit sends it: right, or marked invalid. Never silently wrong.

A `book.<name>.<interval>` channel begins with a snapshot and goes on with changes. Each change
names the `change_id` it stands on (`prev_change_id`); one that stands on another id than ours means
that something was lost, and the book is invalid from that message on until the next snapshot, which
replaces everything. A `book.<name>.<group>.<depth>.<interval>` channel sends whole books each time.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Level = tuple[float, float]
"""(price, amount) in the venue's units."""


class Book:
    """The book of one channel.

    `change_id` and `timestamp_ms` are the venue's of the last message applied. While `valid` is
    false, `why` says what happened and both sides are empty.
    """

    __slots__ = ("_asks", "_bids", "change_id", "channel", "name", "timestamp_ms", "valid", "why")

    def __init__(self, channel: str, name: str) -> None:
        self.channel = channel
        self.name = name
        self.change_id = 0
        self.timestamp_ms = 0
        self.valid = False
        self.why = "waiting for the first snapshot"
        self._bids = _Levels()
        self._asks = _Levels()

    def top(self, n: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best `n` levels as (bids, asks), best first."""
        bids, asks = self._bids, self._asks
        return (
            tuple([(p, bids.amounts[p]) for p in bids.prices[: -n - 1 : -1]]),
            tuple([(p, asks.amounts[p]) for p in asks.prices[:n]]),
        )

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """All of it as (bids, asks), best first."""
        return self.top(max(len(self._bids.prices), len(self._asks.prices)))

    def apply(self, data: Mapping[str, Any]) -> bool:
        """Take in the `data` of one book message; true if the book changed and is valid.

        A change out of sequence invalidates the book; a change while it is invalid is ignored.
        Raises KeyError, TypeError or ValueError for a message of the wrong shape, after which the
        book is invalid too: it may have been applied in part.
        """
        try:
            return self._apply(data)
        except (KeyError, TypeError, ValueError, IndexError):
            self.invalidate("malformed book message")
            raise

    def _apply(self, data: Mapping[str, Any]) -> bool:
        change_id = data["change_id"]
        if data.get("type") == "change":
            if not self.valid:
                return False
            previous = data.get("prev_change_id")
            if previous != self.change_id:
                self.invalidate(f"gap: a change to {previous}, the book is at {self.change_id}")
                return False
            self._bids.change(data["bids"])
            self._asks.change(data["asks"])
        else:
            self._bids.replace(data["bids"])
            self._asks.replace(data["asks"])
            self.valid = True
            self.why = ""
        self.change_id = change_id
        self.timestamp_ms = data["timestamp"]
        return True

    def invalidate(self, why: str) -> bool:
        """Distrust and empty the book until the next snapshot; true if it was valid."""
        was_valid, self.valid, self.why = self.valid, False, why
        self._bids.replace(())
        self._asks.replace(())
        return was_valid


class _Levels:
    """One side: prices ascending, and the amount at each."""

    __slots__ = ("amounts", "prices")

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.amounts: dict[float, float] = {}

    def replace(self, rows: Iterable[Sequence[Any]]) -> None:
        """Rows are [action, price, amount], or [price, amount] in grouped books."""
        self.amounts = {row[-2]: row[-1] for row in rows if row[-1] and row[0] != "delete"}
        self.prices = sorted(self.amounts)

    def change(self, rows: Iterable[Sequence[Any]]) -> None:
        """Rows are [action, price, amount] with action new, change or delete."""
        prices, amounts = self.prices, self.amounts
        for action, price, amount in rows:
            if action == "delete" or not amount:
                if amounts.pop(price, None) is not None:
                    del prices[bisect_left(prices, price)]
            else:
                if price not in amounts:
                    insort(prices, price)
                amounts[price] = amount
