"""How much of each order is filled, by all that has been told of it: what a replace counts on."""

from decimal import Decimal
from typing import Final

from mmbot.core.events import Event, Filled, OrderSeen, SnapshotTaken
from mmbot.core.order_life import OrderState
from mmbot.core.types import ZERO

ORDERS_MAX: Final = 2000


class Progress:
    """By the venue's ids. An order's own word and its trades come apart, in either order, and each
    may come twice: the larger of the two is what is known."""

    def __init__(self) -> None:
        self._stated: dict[str, Decimal] = {}
        self._trades: dict[str, dict[str, Decimal]] = {}

    def note(self, event: Event) -> None:
        """Something has been told."""
        match event:
            case OrderSeen():
                self._tell(event.order_id, event.filled, over=event.state is not OrderState.OPEN)
            case Filled(fill) if fill.order_id:
                trades = self._trades.setdefault(fill.order_id, {})
                trades[fill.trade_id] = fill.amount
                _bound(self._trades)
            case SnapshotTaken():
                for order in event.orders:
                    self._tell(order.order_id, order.filled, over=False)

    def _tell(self, order_id: str, filled: Decimal | None, *, over: bool) -> None:
        if over:
            self._stated.pop(order_id, None)
            self._trades.pop(order_id, None)
        elif filled is not None:
            self._stated[order_id] = max(filled, self._stated.get(order_id, ZERO))
            _bound(self._stated)

    def filled(self, order_id: str) -> Decimal | None:
        """How much is filled; None where nothing was ever told of it."""
        if order_id not in self._stated:
            return None
        return max(self._stated[order_id], sum(self._trades.get(order_id, {}).values(), ZERO))


def _bound(known: dict[str, Decimal] | dict[str, dict[str, Decimal]]) -> None:
    if len(known) > ORDERS_MAX:
        del known[next(iter(known))]
