"""How Derive is asked for its open orders, and to cancel them (`venues/rescue.py`)."""

from collections.abc import Mapping
from dataclasses import dataclass

from mmbot.core.statements import OpenOrder
from mmbot.core.types import instrument_name
from mmbot.venues.derive.orders import cancel, cancel_all, cancel_by_label
from mmbot.venues.derive.parse import open_order_of
from mmbot.venues.reading import Unread
from mmbot.venues.rescue import Call, Rescue


@dataclass(frozen=True, slots=True)
class DeriveRescue(Rescue):
    """`venue` is our name for it."""

    venue: str
    subaccount_id: int

    def list_open(self) -> Call:
        """Of one subaccount."""
        return "private/get_open_orders", {"subaccount_id": self.subaccount_id}

    def rows_of(self, result: object) -> object:
        """They stand among other things."""
        return result.get("orders") if isinstance(result, Mapping) else None

    def read(self, row: object) -> OpenOrder:
        """One row. Raises Unreadable."""
        return open_order_of(self.venue, row, Unread())

    def cancel(self, order: OpenOrder) -> Call | None:
        """By its id, for which the instrument is needed too; else by its label."""
        if order.order_id and order.instrument is not None:
            return cancel(self.subaccount_id, instrument_name(order.instrument), order.order_id)
        return self.cancel_label(order.label) if order.label is not None else None

    def cancel_label(self, label: str) -> Call:
        """On whatever instrument it is."""
        return cancel_by_label(self.subaccount_id, None, label)

    def cancel_all(self, name: str | None = None) -> Call:
        """Of the subaccount, or of one instrument."""
        return cancel_all(self.subaccount_id, name)
