"""What a test can command the venue to do to its markets: lock, close, open, list."""

from __future__ import annotations

from collections.abc import Mapping

from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.wire.deribit.protocol import DeribitProtocol


class Closures:
    """Everything here is told on the channels the real venue tells it on."""

    account: str
    exchange: Exchange
    protocol: DeribitProtocol

    def lock(self, index: str | None = None, *, maintenance: bool = False) -> None:
        """Stop trading in what that price index (eth_usd) prices, or with None in anything.

        Orders rest on and can be cancelled; placing and editing is refused with 10019. In
        `maintenance` every request to the matching engine is refused with 11051.
        """
        self.protocol.locks.lock(index, maintenance=maintenance)

    def unlock(self, index: str | None = None) -> None:
        """Undo `lock`; with None everywhere."""
        self.protocol.locks.unlock(index)

    def lock_account(self, currency: str | None = None) -> None:
        """The account may not place or edit in that currency, or with None in any."""
        self.protocol.locks.lock_account(self.account, currency, locked=True)

    def unlock_account(self, currency: str | None = None) -> None:
        """Undo `lock_account`; with None in all currencies."""
        self.protocol.locks.lock_account(self.account, currency, locked=False)

    def allow_strangers(self, allowed: bool) -> None:
        """Whether public requests are answered without a login."""
        self.protocol.locks.let_strangers(allowed)

    def close_instrument(self, name: str) -> None:
        """End trading in an instrument before its time: its orders are cancelled."""
        self.exchange.halt(name, self.protocol.now_ms())
        self.protocol.publish()

    def open_instrument(self, name: str) -> None:
        """Undo `close_instrument`."""
        self.exchange.resume_trading(name, self.protocol.now_ms())
        self.protocol.publish()

    def list_combo(self, legs: Mapping[str, int]) -> str:
        """List a combo of those instruments and multipliers; returns its name."""
        return self.protocol.catalog.list_combo(legs)
