"""Money that comes and goes: deposits, withdrawals and transfers of the accounts.

Nothing of it goes over a chain: a transfer or a withdrawal that the cash covers is taken from it at
once and is confirmed. Deposits are what an account was opened with. A venue that ends forgets the
lists; what they moved stays in the transaction log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b

from mmbot.sim.exchange.ledger import Entry, EntryType
from mmbot.sim.exchange.listing import ZERO
from mmbot.sim.wire.deribit.floor import Floor
from mmbot.sim.wire.deribit.shapes import Json


@dataclass(slots=True)
class Movements:
    """One account's, oldest first."""

    withdrawals: list[Json] = field(default_factory=list)
    transfers: list[Json] = field(default_factory=list)


class Wallet:
    """All accounts' movements, and the addresses they deposit to."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._of: dict[str, Movements] = {}
        self._count = 0

    def of(self, account: str) -> Movements:
        """The movements of an account."""
        return self._of.setdefault(account, Movements())

    def address(self, account: str, currency: str) -> str:
        """Where that account's deposits of a currency would go."""
        return "0x" + blake2b(f"{account}:{currency}".encode(), digest_size=20).hexdigest()

    def transfer(self, account: str, currency: str, amount: Decimal, other_side: str) -> Json:
        """Pay to somebody; without the funds it is only noted."""
        paid = self._pay(account, currency, amount, EntryType.TRANSFER)
        now_ms = self._floor.now_ms()
        shaped: Json = {
            "id": self._count,
            "created_timestamp": now_ms,
            "updated_timestamp": now_ms,
            "currency": currency,
            "amount": float(amount),
            "other_side": other_side,
            "direction": "payment",
            "state": "confirmed" if paid else "insufficient_funds",
        }
        self.of(account).transfers.append(shaped)
        return shaped

    def withdraw(self, account: str, currency: str, amount: Decimal, address: str) -> Json:
        """Pay to an address; without the funds it is rejected."""
        paid = self._pay(account, currency, amount, EntryType.WITHDRAWAL)
        now_ms = self._floor.now_ms()
        shaped: Json = {
            "id": self._count,
            "created_timestamp": now_ms,
            "updated_timestamp": now_ms,
            "confirmed_timestamp": now_ms if paid else None,
            "currency": currency,
            "address": address,
            "amount": float(amount),
            "fee": 0.0,
            "priority": 1.0,
            "state": "completed" if paid else "rejected",
            "transaction_id": f"0x{self._count:064x}" if paid else None,
        }
        self.of(account).withdrawals.append(shaped)
        return shaped

    def _pay(self, account: str, currency: str, amount: Decimal, type_: EntryType) -> bool:
        self._count += 1
        exchange = self._floor.exchange
        owner = exchange.accounts[account]
        margin = exchange.margin_of(account, currency).initial
        free = float(exchange.margin_balance(account, currency)) - margin
        if amount > owner.cash.get(currency, ZERO) or float(amount) > free:
            return False
        owner.cash[currency] -= amount
        exchange.hold(currency, amount)
        exchange.counts.entries += 1
        owner.log_count += 1
        owner.log.append(
            Entry(
                id=exchange.counts.entries,
                user_seq=owner.log_count,
                time_ms=self._floor.now_ms(),
                type=type_,
                name="",
                currency=currency,
                side="-",
                amount=amount,
                position=ZERO,
                price=ZERO,
                mark=ZERO,
                index=ZERO,
                cashflow=-amount,
                change=-amount,
                balance=owner.cash[currency],
                equity=exchange.equity(account, currency),
                commission=ZERO,
                interest_pl=None,
                total_interest_pl=None,
                session_rpl=None,
            )
        )
        return True
