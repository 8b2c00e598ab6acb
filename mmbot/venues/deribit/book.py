"""One order book as Deribit sends it: right, or marked invalid. Never silently wrong.

A `book.<name>.<interval>` channel begins with a snapshot and goes on with changes. Each change
names the `change_id` it stands on (`prev_change_id`); one that stands on another id than ours means
that something was lost, and the book is invalid from that message on until the next snapshot, which
replaces everything. A `book.<name>.<group>.<depth>.<interval>` channel sends whole books each time.

A message is a snapshot only if it says so: by its `type`, or by naming neither `type` nor
`prev_change_id` (grouped books). Messages of 2020 had no `type`; with `prev_change_id` they are
changes. What cannot be read makes the book invalid as a whole: it is never applied in part.
"""

from bisect import bisect_left, insort
from math import inf
from typing import Any

Level = tuple[float, float]
"""(price, amount) in the venue's units."""


class MalformedBook(Exception):
    """A book message that says nothing we can rely on; the book is invalid since."""


class Book:
    """The book of one channel.

    `change_id` and `timestamp_ms` are the venue's of the last message applied. While `valid` is
    false, `why` says what happened and both sides are empty. `crossed`: the best bid is not below
    the best ask.
    """

    __slots__ = (
        "_asks",
        "_bids",
        "change_id",
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
        self.change_id = 0
        self.timestamp_ms = 0
        self.valid = False
        self.crossed = False
        self.why = "waiting for the first snapshot"
        self._bids = _Levels()
        self._asks = _Levels()

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
        bids, asks = self._bids, self._asks
        return (
            tuple([(p, bids.amounts[p]) for p in bids.prices[: -n - 1 : -1]]),
            tuple([(p, asks.amounts[p]) for p in asks.prices[:n]]),
        )

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """All of it as (bids, asks), best first."""
        return self.top(max(len(self._bids.prices), len(self._asks.prices)))

    def apply(self, data: Any) -> bool:
        """Take in the `data` of one book message; true if the book changed and is valid.

        A change out of sequence invalidates the book; a change while it is invalid is ignored.
        Raises MalformedBook, after which the book is invalid too, for a message that is not one.
        """
        try:
            change_id, timestamp_ms = data["change_id"], data["timestamp"]
            bid_rows, ask_rows = data["bids"], data["asks"]
            self._check(data)
            kind = data.get("type")
            bids, asks = self._bids, self._asks
            if kind == "change" or (kind is None and data.get("prev_change_id") is not None):
                if not self.valid:
                    return False
                previous = data.get("prev_change_id")
                if previous != self.change_id:
                    self.invalidate(f"gap: a change to {previous}, the book is at {self.change_id}")
                    return False
                if bid_rows:
                    bids.change(bid_rows)
                if ask_rows:
                    asks.change(ask_rows)
            elif kind is None or kind == "snapshot":
                bids.replace(bid_rows)
                asks.replace(ask_rows)
                self.valid = True
                self.why = ""
            else:
                raise ValueError(f"type {kind}")
        except (KeyError, TypeError, ValueError) as error:
            self.invalidate(f"malformed book message: {_words(error)}")
            raise MalformedBook(f"{self.channel}: {self.why}") from error
        self.change_id = change_id
        self.timestamp_ms = timestamp_ms
        bid_prices, ask_prices = bids.prices, asks.prices
        self.crossed = bool(bid_prices and ask_prices and bid_prices[-1] >= ask_prices[0])
        return True

    def _check(self, data: Any) -> None:
        """Raises ValueError for a message that is no book's or another book's."""
        if data["change_id"].__class__ is not int or data["timestamp"].__class__ is not int:
            raise ValueError("change_id and timestamp are not integers")
        if data["bids"].__class__ is not list or data["asks"].__class__ is not list:
            raise ValueError("bids and asks are not lists")
        if data["instrument_name"] != self.name:
            raise ValueError(f"it is about {data['instrument_name']}")

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


class _Levels:
    """One side: prices ascending, and the amount at each.

    Both methods raise ValueError or TypeError for rows that are none, perhaps half way through.
    JSON has neither NaN nor infinity, but the check costs nothing more.
    """

    __slots__ = ("amounts", "prices")

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.amounts: dict[float, float] = {}

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
