"""What the exchange tells of: books, public trades, accounts and instruments that changed."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from mmbot.sim.exchange.accounts import Print, UserTrade
from mmbot.sim.exchange.book import LevelChange
from mmbot.sim.exchange.listing import Listing
from mmbot.sim.exchange.orders import Order


class BookDelta(Struct, frozen=True, gc=False):
    """One change of one book; amounts are the levels' new totals, zero when deleted."""

    name: str
    time_ms: int
    prev_change_id: int
    change_id: int
    bids: list[LevelChange]
    asks: list[LevelChange]


class Prints(Struct, frozen=True, gc=False):
    """The public trades one request caused, in one instrument."""

    name: str
    trades: list[Print]


class AccountChange(Struct, frozen=True, gc=False):
    """What one request did to one followed account in one instrument; orders as of then.

    `delivered`: the position ended without a trade.
    """

    account: str
    name: str
    time_ms: int
    orders: list[Order]
    trades: list[UserTrade]
    delivered: bool = False


class TradeConcluded(Struct, frozen=True, gc=False):
    """A trade that was only matched has been confirmed, or has failed and was taken back. `order`
    as of then; None where the venue knows it no more."""

    account: str
    trade: UserTrade
    order: Order | None
    time_ms: int


class InstrumentState(Enum):
    """What became of an instrument; the values are the venue's words."""

    CREATED = "created"
    STARTED = "started"
    SETTLED = "settled"
    CLOSED = "closed"


class InstrumentChanged(Struct, frozen=True, gc=False):
    """An instrument began or ended."""

    listing: Listing
    state: InstrumentState
    time_ms: int


Effect = BookDelta | Prints | AccountChange | TradeConcluded | InstrumentChanged
