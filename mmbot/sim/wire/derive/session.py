"""A session: one connection, or one REST request, and what the venue knows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mmbot.sim.wire.derive.errors import WireError
from mmbot.sim.wire.derive.wallet import Counter, SessionKey, Wallet
from mmbot.sim.wire.frame import Frame


@dataclass(eq=False, slots=True)
class Session:
    """One connection, or one REST request; `write` and `hang_up` belong to the server.

    `write(frame, about)`: the method a reply answers, the channel a message is from, None for the
    first message of a channel. `ahead_ms`: by how much the caller's clock is ahead, where it lives
    in another year.
    """

    write: Callable[[Frame, str | None], None]
    hang_up: Callable[[], None]
    is_websocket: bool
    counter: Counter
    wallet: Wallet | None = None
    key: SessionKey | None = None
    ahead_ms: int = 0
    heard_ms: int = 0
    closed: bool = False
    channels: dict[str, None] = field(default_factory=dict)

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """Write something nobody asked for."""
        self.write(frame, channel)

    @property
    def cancels_on_disconnect(self) -> bool:
        """Whether its end takes the wallet's orders along."""
        return self.wallet is not None and self.wallet.cancels_on_disconnect

    @property
    def account(self) -> str | None:
        """The account of the counter, once somebody is logged in."""
        return self.counter.account if self.wallet is not None else None

    @property
    def owner(self) -> Wallet:
        """The wallet; private methods are only ever run with one."""
        assert self.wallet is not None, "a private method was run without a wallet"
        return self.wallet

    def account_of(self, subaccount_id: int) -> str:
        """The exchange's account of a subaccount; raises 14001 for one that is not the wallet's."""
        account = self.owner.subaccounts.get(subaccount_id)
        if account is None:
            raise WireError(14001, f"Subaccount {subaccount_id} not found")
        return account
