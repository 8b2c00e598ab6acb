"""One order book as a venue's channel states it: right, or marked invalid. Never silently wrong."""

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from math import inf
from typing import Any

Level = tuple[float, float]
"""(price, amount) in the venue's units."""


class MalformedBook(Exception):
    """A book message that says nothing we can rely on; the book is invalid since."""


class Book(ABC):
    """The book of one channel.

    `timestamp_ms` is the venue's of the last message applied. While `valid` is
    false, `why` says what happened and both sides are empty. `crossed`: the best bid is not below
    the best ask.
    """

    __slots__ = (
        "_asks",
        "_bids",
        "channel",
        "crossed",
        "name",
        "timestamp_ms",
        "valid",
        "why",
    )

    def __init__(self, channel: str, name: str) -> None:
        self.channel = channel
        self.name = name
        self.timestamp_ms = 0
        self.valid = False
        self.crossed = False
        self.why = "waiting for the first snapshot"
        self._bids = Levels()
        self._asks = Levels()

    @property
    def best_bid(self) -> float | None:
        """The best bid's price; None: nobody bids."""
        return self._bids.prices[-1] if self._bids.prices else None

    @property
    def best_ask(self) -> float | None:
        """The best ask's price; None: nobody asks."""
        return self._asks.prices[0] if self._asks.prices else None

    def top(self, n: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best `n` levels as (bids, asks), best first."""
        return self._bids.at(self._bids.prices[: -n - 1 : -1]), self._asks.at(self._asks.prices[:n])

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """All of it as (bids, asks), best first."""
        return self.top(max(len(self._bids.prices), len(self._asks.prices)))

    @abstractmethod
    def apply(self, data: Any) -> bool:
        """Take in the data of one message; true if the book changed and is valid. Raises
        MalformedBook, after which the book is invalid too, for a message that is not one."""
        ...

    def _malformed(self, error: Exception) -> MalformedBook:
        """The book is invalid, because of a message that cannot be read."""
        self.invalidate(f"malformed book message: {_words(error)}")
        return MalformedBook(f"{self.channel}: {self.why}")

    def _stands(self) -> bool:
        """A message has been applied."""
        bids, asks = self._bids.prices, self._asks.prices
        self.crossed = bool(bids and asks and bids[-1] >= asks[0])
        return True

    def invalidate(self, why: str) -> bool:
        """Distrust and empty the book until the next snapshot; true if it was valid."""
        was_valid, self.valid, self.why = self.valid, False, why
        self.crossed = False
        self._bids.replace([])
        self._asks.replace([])
        return was_valid


def _words(error: Exception) -> str:
    """What was wrong with a message, for people."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return "a value of another type" if isinstance(error, TypeError) else str(error)


class Levels:
    """One side: prices ascending, and the amount at each.

    Both methods raise ValueError or TypeError for rows that are none, perhaps half way through.
    JSON has neither NaN nor infinity, but the check costs nothing more.
    """

    __slots__ = ("amounts", "prices")

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.amounts: dict[float, float] = {}

    def at(self, prices: list[float]) -> tuple[Level, ...]:
        """The levels at these prices, each of which is one."""
        return tuple(zip(prices, map(self.amounts.__getitem__, prices), strict=True))

    def replace(self, rows: list[Any]) -> None:
        """Rows are [action, price, amount], or [price, amount] in grouped books."""
        amounts: dict[float, float] = {}
        for row in rows:
            if len(row) == 3:
                action, price, amount = row
            else:
                price, amount = row
                action = "new"
            if not 0.0 < price < inf or price is True:
                raise ValueError(f"price {price}")
            if action == "new" or action == "change":
                if not 0.0 < amount < inf or amount is True:
                    raise ValueError(f"amount {amount}")
                amounts[price] = amount
            elif action != "delete":
                raise ValueError(f"action {action}")
        self.amounts = amounts
        self.prices = sorted(amounts)

    def change(self, rows: list[Any]) -> None:
        """Rows are [action, price, amount] with action new, change or delete."""
        prices, amounts = self.prices, self.amounts
        for action, price, amount in rows:
            if not 0.0 < price < inf or price is True:
                raise ValueError(f"price {price}")
            if action == "change" or action == "new":
                if not 0.0 < amount < inf or amount is True:
                    raise ValueError(f"amount {amount}")
                if price not in amounts:
                    insort(prices, price)
                amounts[price] = amount
            elif action == "delete":
                if amounts.pop(price, None) is not None:
                    del prices[bisect_left(prices, price)]
            else:
                raise ValueError(f"action {action}")
