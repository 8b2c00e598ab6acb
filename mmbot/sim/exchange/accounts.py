"""What one account owns and remembers: cash, positions, its own trades and its orders."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Final

from msgspec import Struct

from mmbot.sim.exchange.ledger import Entry, Settlement
from mmbot.sim.exchange.listing import (
    MONEY_STEP,
    ZERO,
    Kind,
    Listing,
    Side,
    average_price,
    payoff,
    value,
)
from mmbot.sim.exchange.orders import Order, OrderState, OrderType

TRADES_KEPT: Final = 100_000
LOG_KEPT: Final = 100_000  # entries of the transaction log, and as many settlements
CLOSED_ORDERS_MAX: Final = 20_000  # how many ended orders an account can still ask about


class SelfTrade(Enum):
    """What happens when an account would trade with itself; the values are the venue's words."""

    CANCEL_MAKER = "cancel_maker"
    REJECT_TAKER = "reject_taker"
    TRADES = "trades"
    """It trades with itself: two executions of one trade. No word of the venue's."""


@dataclass(frozen=True, slots=True)
class Print:
    """A trade as everybody sees it; `side` is the taker's."""

    trade_id: str
    trade_seq: int  # counts within the instrument, without gaps
    name: str
    time_ms: int
    side: Side
    price: Decimal
    amount: Decimal
    mark: Decimal
    index: Decimal
    tick_direction: int  # 0 up, 1 unchanged after up, 2 down, 3 unchanged after down


@dataclass(frozen=True, slots=True)
class UserTrade:
    """A trade as one of its two accounts sees it; `side` is that account's own."""

    public: Print
    order_id: str
    label: str
    side: Side
    is_maker: bool
    fee: Decimal  # in `fee_currency`; negative is a rebate
    fee_currency: str
    realized: Decimal  # profit this trade locked in, in settlement currency, before the fee
    order_type: OrderType
    order_state: OrderState
    post_only: bool
    reduce_only: bool


@dataclass(slots=True)
class Position:
    """A position; `size` is signed, in the listing's amount unit.

    `cost` is what `size` was worth when it was taken on (`listing.value`), in settlement currency:
    profit at a mark is value(mark) - cost. Flat means both are exactly zero. A session lasts from
    one 08:00 UTC to the next.
    """

    listing: Listing
    size: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO  # in this session, before fees
    funding: Decimal = ZERO  # booked in this session; negative: paid
    funded: Decimal = ZERO  # up to where: the instrument's cumulated funding at that moment

    @property
    def average_price(self) -> Decimal:
        """In the listing's price unit; zero when flat."""
        return average_price(self.listing, self.size, self.cost) if self.size else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit of the open size at `mark`, in settlement currency."""
        return value(self.listing, self.size, mark) - self.cost if self.size else ZERO

    def funding_due(self, cumulated: Decimal) -> Decimal:
        """Funding since it was last booked; `cumulated` is what longs have paid per unit so far."""
        if not self.size or cumulated == self.funded:
            return ZERO
        return (self.size * (self.funded - cumulated)).quantize(MONEY_STEP)

    def take(self, amount: Decimal, price: Decimal) -> Decimal:
        """Add `amount` (signed) at `price`; returns the profit realized, in settlement currency."""
        if self.size * amount >= 0:
            self.size += amount
            self.cost += value(self.listing, amount, price)
            return ZERO
        closing = amount if abs(amount) <= abs(self.size) else -self.size
        if closing == -self.size:
            share = self.cost
        else:
            share = (self.cost * -closing / self.size).quantize(MONEY_STEP)
        # The whole trade is valued once and split by subtraction, so that both sides of it agree
        # to the last digit however each of them splits it.
        whole = value(self.listing, amount, price)
        opening = amount - closing
        opened = value(self.listing, opening, price) if opening else ZERO
        realized = -(whole - opened) - share
        self.size += amount
        self.cost += opened - share
        self.realized += realized
        return realized


class Booked(Struct, frozen=True, gc=False):
    """What a trade, a settlement or a delivery did to an account, in settlement currency."""

    change: Decimal  # of cash
    fee: Decimal = ZERO
    realized: Decimal = ZERO  # profit, before the fee
    funding: Decimal = ZERO  # earned since it was last booked
    cashflow: Decimal = ZERO  # the part of `change` that is neither fee nor funding
    settled_funding: Decimal | None = None  # the part that is, where a trade settles it


@dataclass(slots=True)
class Account:
    """What one account owns and has on the books.

    `cash` is settled money; premiums and fees go through it at once. The profit of perpetuals and
    futures collects in `session`, and their funding in `funding`, until a settlement moves both to
    `cash`.
    """

    name: str
    followed: bool
    self_trade: SelfTrade
    cash: dict[str, Decimal] = field(default_factory=dict)
    session: dict[str, Decimal] = field(default_factory=dict)
    funding: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    open_orders: dict[str, Order] = field(default_factory=dict)
    closed_orders: dict[str, Order] = field(default_factory=dict)
    closed_ids: deque[str] = field(default_factory=deque)
    trades: list[UserTrade] = field(default_factory=list)  # the last ones, if followed
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=LOG_KEPT))
    log_count: int = 0  # entries ever made
    settlements: deque[Settlement] = field(default_factory=lambda: deque(maxlen=LOG_KEPT))

    def position(self, listing: Listing) -> Position:
        """The position in that listing, opened flat if there is none."""
        found = self.positions.get(listing.name)
        if found is None:
            found = self.positions[listing.name] = Position(listing)
        return found

    def book_funding(self, position: Position, cumulated: Decimal) -> Decimal:
        """Book what is due on a position since the last time; returns it."""
        due = position.funding_due(cumulated)
        position.funded = cumulated
        position.funding += due
        _add(self.funding, position.listing.settlement, due)
        return due

    def settle_trade(
        self,
        listing: Listing,
        amount: Decimal,
        price: Decimal,
        owed: Decimal,
        cumulated_funding: Decimal,
    ) -> Booked:
        """Book `amount` (signed) at `price`, for a fee of `owed`."""
        position = self.position(listing)
        funding = self.book_funding(position, cumulated_funding)
        realized = position.take(amount, price)
        premium = ZERO
        if listing.kind is Kind.OPTION:
            premium = -value(listing, amount, price)
        else:
            _add(self.session, listing.settlement, realized)
        _add(self.cash, listing.settlement, premium - owed)
        return Booked(premium - owed, owed, realized, funding, premium)

    def settle_session(self, position: Position, cumulated_funding: Decimal) -> Booked:
        """A perpetual's or future's session ends: its realized profit and funding become cash."""
        due = self.book_funding(position, cumulated_funding)
        realized, funding = position.realized, position.funding
        currency = position.listing.settlement
        _add(self.session, currency, -realized)
        _add(self.funding, currency, -funding)
        _add(self.cash, currency, realized + funding)
        position.realized = position.funding = ZERO
        return Booked(realized + funding, ZERO, realized, due, realized)

    def realize_open(self, position: Position, mark: Decimal) -> None:
        """The open profit of a perpetual or future at `mark` becomes its session's."""
        worth = value(position.listing, position.size, mark)
        gained = worth - position.cost
        position.cost = worth
        position.realized += gained
        _add(self.session, position.listing.settlement, gained)

    def deliver(self, position: Position, delivery: Decimal, owed: Decimal) -> Booked:
        """The position ends at the `delivery` price (USD), for a fee of `owed`.

        An option pays off. A future is closed at that price, and its session's profit becomes cash.
        """
        listing = position.listing
        worth = value(listing, position.size, payoff(listing, delivery))
        realized = worth - position.cost
        paid = worth
        if listing.kind is not Kind.OPTION:
            _add(self.session, listing.settlement, -position.realized)
            paid = realized = realized + position.realized
        _add(self.cash, listing.settlement, paid - owed)
        del self.positions[listing.name]
        return Booked(paid - owed, owed, realized, ZERO, paid)

    def remember(self, trade: UserTrade) -> None:
        """Keep a trade for who asks later, within bounds."""
        self.trades.append(trade)
        if len(self.trades) > 2 * TRADES_KEPT:
            del self.trades[:TRADES_KEPT]

    def close_order(self, order: Order) -> None:
        """Move an ended order out of the open ones; followed accounts may still ask about it."""
        del self.open_orders[order.order_id]
        if not self.followed:
            return
        self.closed_orders[order.order_id] = order
        self.closed_ids.append(order.order_id)
        if len(self.closed_ids) > CLOSED_ORDERS_MAX:
            del self.closed_orders[self.closed_ids.popleft()]


def _add(money: dict[str, Decimal], currency: str, amount: Decimal) -> None:
    money[currency] = money.get(currency, ZERO) + amount
