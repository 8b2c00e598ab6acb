"""What an order has beside what the exchange knows of it, and what a position has lived through."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.exchange.listing import ZERO


@dataclass(slots=True, kw_only=True)
class Ticket:
    """One order's. `expiry_sec` is as it was signed, `ends_ms` that moment by the venue's clock.
    `status` and `reason` are in the venue's words, where it did not end as the exchange has it.
    Money in USDC."""

    nonce: int = 0
    signer: str = "0x0000000000000000000000000000000000000000"
    signature: str = ""
    expiry_sec: int = 2**63 - 1
    ends_ms: int = 2**63 - 1
    max_fee: Decimal = ZERO
    mmp: bool = False
    replaced_order_id: str | None = None
    signed_limit_price: Decimal | None = None
    type: str = "limit"
    time_in_force: str = "gtc"
    fee: Decimal = ZERO
    status: str | None = None
    reason: str | None = None

    def saved(self) -> dict[str, Any]:
        """As JSON, to be read again by `restored`."""
        told = asdict(self)
        for name in ("max_fee", "fee", "signed_limit_price"):
            told[name] = None if told[name] is None else str(told[name])
        return told

    @classmethod
    def restored(cls, told: dict[str, Any]) -> Ticket:
        """What `saved` has written."""
        read = dict(told)
        for name in ("max_fee", "fee", "signed_limit_price"):
            read[name] = None if read[name] is None else Decimal(read[name])
        return cls(**read)


@dataclass(slots=True)
class Life:
    """One position since it was opened: entry, fees and what it has realized, in USDC.

    `entry` is what the open size cost without fees, `entry_fees` the fees of that part.
    """

    opened_ms: int = 0
    size: Decimal = ZERO
    entry: Decimal = ZERO
    entry_fees: Decimal = ZERO
    fees: Decimal = ZERO
    realized: Decimal = ZERO  # without fees
    realized_fees: Decimal = ZERO  # those of what has been closed
    funding: Decimal = ZERO  # settled so far

    def take(self, trade: UserTrade) -> tuple[Decimal, Decimal]:
        """One more trade; returns what it realized, with fees and without."""
        signed = trade.public.amount * trade.side.sign
        price, fee = trade.public.price, trade.fee
        self.fees += fee
        if self.size * signed >= 0:
            self.size += signed
            self.entry += signed * price
            self.entry_fees += fee
            return ZERO, ZERO
        closing = signed if abs(signed) <= abs(self.size) else -self.size
        share = -closing / self.size
        closed_entry, closed_fees = self.entry * share, self.entry_fees * share
        paid = fee * (closing / signed)
        gained = -closing * price - closed_entry
        lost = closed_fees + paid
        self.entry -= closed_entry
        self.entry_fees -= closed_fees
        self.realized += gained
        self.realized_fees += lost
        self.size += closing
        opening = signed - closing
        if opening:
            self.size = opening
            self.entry = opening * price
            self.entry_fees = fee - paid
        return gained - lost, gained

    @property
    def average_price(self) -> Decimal:
        """What a coin of it was entered at, fees included."""
        return (self.entry + self.entry_fees) / self.size if self.size else ZERO

    @property
    def average_price_excl_fees(self) -> Decimal:
        """The same without them."""
        return self.entry / self.size if self.size else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """What it would gain at that mark, less the fees of entering it."""
        return self.size * mark - self.entry - self.entry_fees
