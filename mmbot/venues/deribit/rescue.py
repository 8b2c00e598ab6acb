"""How Deribit is asked for its open orders, and to cancel them (`venues/rescue.py`)."""

from dataclasses import dataclass
from typing import Final

from mmbot.core.statements import OpenOrder
from mmbot.venues.deribit.orders import cancel, cancel_all
from mmbot.venues.deribit.parse import open_order_of
from mmbot.venues.reading import Unread
from mmbot.venues.rescue import Call, Rescue

OPEN_ORDERS: Final = "private/get_open_orders"


@dataclass(frozen=True, slots=True)
class DeribitRescue(Rescue):
    """`venue` is our name for it."""

    venue: str

    def list_open(self) -> Call:
        """Of every currency."""
        return OPEN_ORDERS, {}

    def read(self, row: object) -> OpenOrder:
        """One row. Raises Unreadable."""
        return open_order_of(self.venue, row, Unread())

    def cancel(self, order: OpenOrder) -> Call | None:
        """By its id, else by its label."""
        if order.order_id or order.label is not None:
            return cancel(order.order_id, order.label or "")
        return None

    def cancel_label(self, label: str) -> Call:
        """Labels are the account's."""
        return cancel("", label)

    def cancel_all(self, name: str | None = None) -> Call:
        """Of the account, or of one instrument."""
        return cancel_all(name)
