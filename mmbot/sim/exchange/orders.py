"""An order as the venue knows it, and the price level it queues in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from mmbot.sim.exchange.listing import ZERO, Side


class OrderType(Enum):
    """The values are the venue's words."""

    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(Enum):
    """The values are the venue's words."""

    GTC = "good_til_cancelled"
    IOC = "immediate_or_cancel"
    FOK = "fill_or_kill"


class OrderState(Enum):
    """The values are the venue's words."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"


class CancelReason(Enum):
    """Why an order ended unfilled; the values are the venue's words."""

    USER_REQUEST = "user_request"
    DISCONNECT = "cancel_on_disconnect"
    EDIT_POST_ONLY = "edit_post_only_reject"
    SETTLEMENT = "settlement"
    EXPIRY = "expired"  # of a venue on which orders expire
    SELF_TRADE = "risk_mitigation"  # the venue's enumeration has no word of its own for it


@dataclass(slots=True)
class Order:
    """An order as the venue knows it; `amount` is the total, `filled` included."""

    order_id: str
    account: str
    name: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: Decimal
    amount: Decimal
    label: str
    post_only: bool
    reject_post_only: bool
    reduce_only: bool
    created_ms: int
    updated_ms: int
    filled: Decimal = ZERO
    paid: Decimal = ZERO  # sum of amount x price over the fills
    state: OrderState = OrderState.OPEN
    replaced: bool = False
    cancel_reason: CancelReason | None = None
    level: Level | None = None  # where it rests; None when it does not

    @property
    def open_amount(self) -> Decimal:
        """What is not filled yet, in the listing's amount unit."""
        return self.amount - self.filled

    @property
    def average_price(self) -> Decimal:
        """Of the fills, weighted by amount; zero before the first."""
        return self.paid / self.filled if self.filled else ZERO

    def take_back(self, amount: Decimal, price: Decimal, now_ms: int) -> None:
        """A trade of it does not stand: that much is not filled, and does not rest again."""
        self.filled -= amount
        self.paid -= amount * price
        if self.state is OrderState.OPEN:
            self.amount -= amount
        self.updated_ms = now_ms

    def as_of_now(self) -> Order:
        """A copy that later events do not change."""
        return Order(
            self.order_id,
            self.account,
            self.name,
            self.side,
            self.type,
            self.time_in_force,
            self.price,
            self.amount,
            self.label,
            self.post_only,
            self.reject_post_only,
            self.reduce_only,
            self.created_ms,
            self.updated_ms,
            self.filled,
            self.paid,
            self.state,
            self.replaced,
            self.cancel_reason,
        )


class Level:
    """One price: a FIFO queue of orders and their total open amount."""

    __slots__ = ("orders", "price", "total")

    def __init__(self, price: Decimal) -> None:
        self.price = price
        self.total = ZERO
        self.orders: dict[str, Order] = {}
