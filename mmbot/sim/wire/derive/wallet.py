"""Who is let in: a wallet, the keys registered for it, and what each key may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from mmbot.sim.wire.derive.errors import WireError
from mmbot.sim.wire.derive.limits import Budget
from mmbot.sim.wire.derive.manners import Manners
from mmbot.sim.wire.derive.mmp import Protection
from mmbot.sim.wire.derive.signatures import checksummed

TRADE_ALL: Final = "Trade(All)"
NEVER_SEC: Final = 32_503_680_000  # the year 3000
NONCES_KEPT: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """A key that acts for a wallet; `scopes` in the venue's words, like Trade(All)."""

    address: str  # lower case
    scopes: tuple[str, ...] = (TRADE_ALL,)
    expiry_sec: int = NEVER_SEC
    label: str = ""

    @property
    def trades(self) -> bool:
        """Whether it may place and cancel orders."""
        return any(scope.startswith(("Trade", "Admin")) for scope in self.scopes)

    @property
    def trades_everything(self) -> bool:
        """Whether it may do that in every instrument, and say what happens to all orders."""
        return TRADE_ALL in self.scopes or "Admin" in self.scopes

    def told(self, subaccount_ids: list[int]) -> dict[str, Any]:
        """A row of session_keys."""
        return {
            "public_session_key": checksummed(self.address),
            "expiry_sec": self.expiry_sec,
            "ip_whitelist": [],
            "label": self.label,
            "offchain_scopes": [],
            "protocol_scopes": list(self.scopes),
            "registered_sec": 0,
            "subaccount_ids": subaccount_ids,
        }


@dataclass(eq=False, slots=True)
class Wallet:
    """An owner with subaccounts, and everything that is set for all of them."""

    owner: str  # lower case
    budget: Budget
    keys: dict[str, SessionKey] = field(default_factory=dict)  # by address
    subaccounts: dict[int, str] = field(default_factory=dict)  # the exchange's account of each
    labels: dict[int, str] = field(default_factory=dict)
    cancels_on_disconnect: bool = False
    protections: dict[tuple[int, str], Protection] = field(default_factory=dict)
    nonces: dict[tuple[int, int], None] = field(default_factory=dict)  # used: (subaccount, nonce)

    def key_of(self, address: str, now_ms: int) -> SessionKey:
        """The owner's or a registered key; raises 14023 for any other, 14030 for an expired one."""
        if address == self.owner:
            return SessionKey(address=address)
        key = self.keys.get(address)
        if key is None:
            raise WireError(14023, "Session key does not belong to wallet")
        if key.expiry_sec <= now_ms // 1_000:
            raise WireError(14030, f"Session key expired at {key.expiry_sec}")
        return key

    def use(self, subaccount_id: int, nonce: int) -> None:
        """That nonce is used up."""
        self.nonces[subaccount_id, nonce] = None
        if len(self.nonces) > NONCES_KEPT:
            del self.nonces[next(iter(self.nonces))]


@dataclass(eq=False, slots=True)
class Counter:
    """Where the holder of one account is let in. `keeps_orders` is asked when a line breaks: True
    leaves the orders it should take along."""

    wallet: Wallet
    account: str
    subaccount_id: int
    key: str  # private, in hex: what the holder signs with; empty where nobody knows it here
    signer: str
    keeps_orders: Callable[[], bool]
    manners: Manners
    strangers: Budget
    """Who has not signed in: they all call from one address."""
