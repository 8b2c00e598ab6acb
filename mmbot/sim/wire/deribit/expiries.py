"""Orders that end by themselves, which Deribit does not have: for a venue on which they do."""

from __future__ import annotations

from mmbot.sim.exchange.orders import CancelReason
from mmbot.sim.wire.deribit.floor import Floor


class Expiries:
    """When each open order of those who are let in ends."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._ends: dict[str, tuple[str, int]] = {}
        """By order id, oldest first: whose it is, and when it ends (venue time, ms)."""

    def count(self, account: str, order_id: str, valid_until_ms: int | None) -> None:
        """An order was placed or moved just now."""
        lives_s = self._floor.rules.orders_expire_s
        if lives_s is None:
            return
        now_ms = self._floor.now_ms()
        from_ms = now_ms if valid_until_ms is None else valid_until_ms
        self._ends[order_id] = (account, from_ms + round(lives_s * 1_000))

    def look(self) -> None:
        """End what has come to its end."""
        now_ms, open_orders = self._floor.now_ms(), self._floor.exchange.orders
        for order_id, (account, ends_ms) in list(self._ends.items()):
            if order_id not in open_orders:
                del self._ends[order_id]
            elif now_ms >= ends_ms:
                del self._ends[order_id]
                self._floor.exchange.cancel(account, order_id, now_ms, CancelReason.EXPIRY)
