"""Market maker protection: too much traded in a short time freezes an account's quotes.

For each subaccount and currency: what its protected orders have traded within the last
`interval_ms`, in amount and in delta, must not exceed the limits (0: no limit). Where it does, they
are cancelled, and new ones refused for `frozen_ms` (0: until a person resets it).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from mmbot.sim.exchange.listing import ZERO
from mmbot.sim.wire.derive.words import text

SECOND_MS: Final = 1_000
FOREVER_MS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MmpConfig:
    """As it was set; times in whole seconds, whatever was asked for."""

    interval_ms: int
    frozen_ms: int
    amount_limit: Decimal = ZERO
    delta_limit: Decimal = ZERO

    def told(self, subaccount_id: int, currency: str) -> dict[str, Any]:
        """As set_mmp_config echoes it."""
        return {
            "subaccount_id": subaccount_id,
            "currency": currency,
            "mmp_interval": self.interval_ms,
            "mmp_frozen_time": self.frozen_ms,
            "mmp_amount_limit": text(self.amount_limit),
            "mmp_delta_limit": text(self.delta_limit),
        }


@dataclass(slots=True)
class Protection:
    """One subaccount's in one currency."""

    config: MmpConfig
    until_ms: int | None = None  # None: not frozen
    _traded: deque[tuple[int, Decimal, Decimal]] = field(default_factory=deque)

    def is_frozen(self, now_ms: int) -> bool:
        """Whether protected orders are refused now."""
        if self.until_ms is not None and now_ms >= self.until_ms:
            self.until_ms = None
        return self.until_ms is not None

    def reset(self) -> None:
        """A person has looked: go on."""
        self.until_ms = None
        self._traded.clear()

    def trade(self, now_ms: int, amount: Decimal, delta: Decimal) -> bool:
        """A protected order traded; `delta` is signed, in coin. Whether that freezes it."""
        config = self.config
        self._traded.append((now_ms, amount, delta))
        while self._traded[0][0] <= now_ms - config.interval_ms:
            self._traded.popleft()
        amounts = sum((one for _, one, _ in self._traded), ZERO)
        deltas = abs(sum((one for _, _, one in self._traded), ZERO))
        too_much = bool(config.amount_limit) and amounts > config.amount_limit
        if not too_much and not (config.delta_limit and deltas > config.delta_limit):
            return False
        self._traded.clear()
        self.until_ms = now_ms + config.frozen_ms if config.frozen_ms else FOREVER_MS
        return True

    def told(self, subaccount_id: int, currency: str, now_ms: int) -> dict[str, Any]:
        """A row of get_mmp_config."""
        frozen = self.is_frozen(now_ms)
        return self.config.told(subaccount_id, currency) | {
            "is_frozen": frozen,
            "mmp_unfreeze_time": self.until_ms if frozen and self.until_ms is not None else 0,
        }
