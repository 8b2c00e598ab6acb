"""The border of a venue: its messages about the account become the core's nouns, or are refused.

Each venue's `parse.py` is one. Every function raises Unreadable (`reading.py`) for an element that
says too little; what is wrong beside that is noted and unknown. `venue` is our name for it.
"""

from typing import Protocol

from mmbot.core.contracts import Instrument
from mmbot.core.events import OrderSeen, RequestRefused
from mmbot.core.order_life import Request
from mmbot.core.statements import Fill, HeldPosition, OpenOrder
from mmbot.core.types import Label
from mmbot.venues.reading import Unread


class Border(Protocol):
    """What is read of one account."""

    def seen_of(
        self, venue: str, data: object, answers: Request | None, unread: Unread
    ) -> OrderSeen:
        """The venue's statement about one order."""
        ...

    def open_order_of(self, venue: str, data: object, unread: Unread) -> OpenOrder:
        """One row of the list of open orders."""
        ...

    def fill_of(self, venue: str, data: object, unread: Unread) -> Fill:
        """One execution on the account."""
        ...

    def position_of(
        self, venue: str, data: object, terms: Instrument | None, unread: Unread
    ) -> HeldPosition:
        """One position; `terms`: of an instrument that is not followed."""
        ...

    def refusal_of(
        self, code: int, data: object, detail: str, label: Label, request: Request
    ) -> RequestRefused:
        """An error answer to an order request."""
        ...
