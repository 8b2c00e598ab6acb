"""One instrument's book: price levels that are queues, two sides, the mark and the price band."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from mmbot.sim.exchange.ladder import Ladder
from mmbot.sim.exchange.listing import ZERO, Listing, Side
from mmbot.sim.exchange.orders import Level, Order

CHANGE_ID_FIRST: Final = 1_000_000
Action = str  # "new", "change" or "delete": the venue's words
LevelChange = tuple[Action, Decimal, Decimal]


class BookSide:
    """The bids or the asks: levels by price, and which of them the request has touched."""

    __slots__ = ("before", "is_bid", "levels", "prices")

    def __init__(self, is_bid: bool) -> None:
        self.is_bid = is_bid
        self.levels: dict[Decimal, Level] = {}
        self.prices: list[Decimal] = []  # ascending
        self.before: dict[Decimal, Decimal] = {}  # totals of touched levels when the request began

    def best(self) -> Level | None:
        """The best level; None when the side is empty."""
        if not self.prices:
            return None
        return self.levels[self.prices[-1 if self.is_bid else 0]]

    def from_best(self) -> Iterable[Level]:
        """The levels, best first."""
        prices = reversed(self.prices) if self.is_bid else iter(self.prices)
        return (self.levels[price] for price in prices)

    def touch(self, level: Level) -> None:
        """Note what a level held before the request first changed it."""
        if level.price not in self.before:
            self.before[level.price] = level.total

    def add(self, order: Order) -> None:
        """Rest an order at the end of its price's queue."""
        level = self.levels.get(order.price)
        if level is None:
            level = self.levels[order.price] = Level(order.price)
            insort(self.prices, order.price)
        self.touch(level)
        level.orders[order.order_id] = order
        level.total += order.open_amount
        order.level = level

    def reduce(self, order: Order, by: Decimal) -> None:
        """Take `by` off a resting order's part of its level (the order keeps its place)."""
        assert order.level is not None, "only a resting order can shrink"
        self.touch(order.level)
        order.level.total -= by

    def remove(self, order: Order) -> None:
        """Take a resting order out, and its level with the last one."""
        level = order.level
        assert level is not None, "only a resting order can leave the book"
        self.touch(level)
        level.total -= order.open_amount
        del level.orders[order.order_id]
        order.level = None
        if not level.orders:
            del self.levels[level.price]
            del self.prices[bisect_left(self.prices, level.price)]

    def changes(self) -> list[LevelChange]:
        """What the request did to this side; forgets it."""
        found: list[LevelChange] = []
        for price, before in self.before.items():
            level = self.levels.get(price)
            after = level.total if level is not None else ZERO
            if after == before:
                continue
            action = "new" if not before else "change" if after else "delete"
            found.append((action, price, after))
        self.before.clear()
        return found


class Book:
    """One instrument's book, with its mark and price band.

    The band is where orders may be priced: no buy above `max_price`, no sell below `min_price`
    (None: no limit).
    """

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.ladder = Ladder(listing)
        self.bids = BookSide(is_bid=True)
        self.asks = BookSide(is_bid=False)
        self.change_id = CHANGE_ID_FIRST
        self.time_ms = listing.created_ms
        self.mark = ZERO
        self.index = ZERO
        self.underlying = ZERO
        self.min_price: Decimal | None = None
        self.max_price: Decimal | None = None
        self.last_price: Decimal | None = None
        self.last_tick_direction = 0
        self.trade_seq = 0

    @property
    def best_bid(self) -> Level | None:
        """The best bid's level (price, total), None when the side is empty."""
        prices = self.bids.prices
        return self.bids.levels[prices[-1]] if prices else None

    @property
    def best_ask(self) -> Level | None:
        """The best ask's level (price, total), None when the side is empty."""
        prices = self.asks.prices
        return self.asks.levels[prices[0]] if prices else None

    def side(self, side: Side) -> BookSide:
        """Where orders of that side rest."""
        return self.bids if side is Side.BUY else self.asks

    def depth(self, side: Side, count: int | None = None) -> list[tuple[Decimal, Decimal]]:
        """(price, total amount) of the first `count` levels, best first; None for all."""
        levels: list[tuple[Decimal, Decimal]] = []
        for level in self.side(side).from_best():
            if count is not None and len(levels) >= count:
                break
            levels.append((level.price, level.total))
        return levels
