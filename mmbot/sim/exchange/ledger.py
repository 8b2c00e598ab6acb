"""What an account remembers of its money: every change of cash, and every settlement."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum


class EntryType(Enum):
    """Why cash changed; the values are the venue's words."""

    TRADE = "trade"
    SETTLEMENT = "settlement"
    DELIVERY = "delivery"
    TRANSFER = "transfer"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the transaction log: the cash of `currency` changed by `change`.

    `amount` (unsigned) and `position` (what is held afterwards, signed) are in the listing's amount
    unit, `price` and `mark` in its price unit, `index` in USD, everything else in `currency`.
    `change` is premium and fee of a trade; realized profit and funding of the session at a
    settlement; the payoff (option) or the session's profit (future) less the fee at a delivery. A
    transfer or withdrawal has no instrument, prices or position, just what left the account.
    """

    id: int  # counts over all accounts
    user_seq: int  # counts within the account, without gaps
    time_ms: int
    type: EntryType
    name: str
    currency: str
    side: str  # open buy, close sell ...; at a settlement long or short
    amount: Decimal
    position: Decimal
    price: Decimal
    mark: Decimal
    index: Decimal
    cashflow: Decimal  # options: paid or received for them; futures: session profit settled
    change: Decimal
    balance: Decimal  # cash afterwards
    equity: Decimal  # afterwards
    commission: Decimal
    interest_pl: Decimal | None  # at a settlement: the session's funding, now in the balance
    total_interest_pl: Decimal | None  # of a perpetual: the session's funding so far
    session_rpl: Decimal | None  # at a settlement: the session's realized profit
    trade_id: str | None = None
    order_id: str | None = None
    is_maker: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What one settlement or delivery did to one position; money in settlement currency."""

    time_ms: int
    type: EntryType
    name: str
    currency: str
    position: Decimal  # before it, signed
    session_profit: Decimal  # realized, funding included; of an option its whole profit
    profit: Decimal  # what the position had made over its entry, realized or not
    funding: Decimal
    mark: Decimal
    index: Decimal
