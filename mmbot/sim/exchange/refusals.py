"""Why the exchange says no: the venue's own numbers and words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Code(Enum):
    """A refusal's number and message on the wire."""

    QTY_TOO_LOW = (10002, "qty_too_low")
    ORDER_OVERLAP = (10003, "order_overlap")
    ORDER_NOT_FOUND = (10004, "order_not_found")
    PRICE_TOO_LOW = (10005, "price_too_low")
    PRICE_TOO_HIGH = (10007, "price_too_high")
    NOT_ENOUGH_FUNDS = (10009, "not_enough_funds")
    INVALID_INSTRUMENT = (10020, "invalid_or_unsupported_instrument")
    INVALID_AMOUNT = (10021, "invalid_amount")
    INVALID_PRICE = (10023, "invalid_price")
    SETTLEMENT_IN_PROGRESS = (10041, "settlement_in_progress")
    PRICE_WRONG_TICK = (10043, "price_wrong_tick")
    OTHER_REJECT = (11030, "other_reject")
    BAD_ARGUMENT = (11043, "bad_argument")
    NOT_OPEN_ORDER = (11044, "not_open_order")
    POST_ONLY_REJECT = (11054, "post_only_reject")
    BOOK_CLOSED = (13019, "orderbook_closed")
    NON_UNIQUE_LABEL = (13032, "non_unique_order_label")
    TIMED_OUT = (13888, "timed_out")

    @property
    def number(self) -> int:
        """The venue's error number."""
        return self.value[0]

    @property
    def message(self) -> str:
        """The venue's word for it."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that changed nothing, or (where the venue does so) only cancelled the order."""

    code: Code
    reason: str = ""
    param: str = ""
