"""What an account may ask of the exchange: a new order, a change of one, and the answer."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.orders import Order, OrderType, TimeInForce

T = TypeVar("T")


class NewOrder(Struct, frozen=True, kw_only=True, gc=False):
    """A wish; `price` is ignored for market orders. Amounts in the listing's amount unit."""

    name: str
    side: Side
    amount: Decimal
    price: Decimal | None = None
    type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    label: str = ""
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    valid_until_ms: int | None = None

    @property
    def is_market(self) -> bool:
        """Whether it takes what there is, without a price."""
        return self.type is OrderType.MARKET


class Terms(Struct, frozen=True, gc=False):
    """What an edited order is to be; `amount` includes what is filled."""

    price: Decimal
    amount: Decimal
    post_only: bool
    reject_post_only: bool
    reduce_only: bool


class Edit(Struct, frozen=True, kw_only=True, gc=False):
    """A change of an open order; None keeps what it has. `amount` includes what is filled."""

    order_id: str
    amount: Decimal | None = None
    price: Decimal | None = None
    post_only: bool | None = None
    reject_post_only: bool | None = None
    reduce_only: bool | None = None
    valid_until_ms: int | None = None

    def terms(self, order: Order) -> Terms:
        """What `order` is to be after it."""
        return Terms(
            _either(self.price, order.price),
            _either(self.amount, order.amount),
            _either(self.post_only, order.post_only),
            _either(self.reject_post_only, order.reject_post_only),
            _either(self.reduce_only, order.reduce_only),
        )


class Placed(Struct, frozen=True, gc=False):
    """The answer to a place or an edit: the live order, and the trades it made as a taker."""

    order: Order
    trades: list[UserTrade]


def _either(wanted: T | None, present: T) -> T:
    return present if wanted is None else wanted
