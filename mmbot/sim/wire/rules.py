"""What the venue allows its accounts: rates of requests, heartbeats, idle connections."""

from __future__ import annotations

from dataclasses import dataclass

from mmbot.sim.models.credits import RATES, Pool, Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The defaults are the lowest tier's."""

    matching: Rate = RATES[Pool.MATCHING]
    cancel_all: Rate = RATES[Pool.CANCEL_ALL]
    instruments: Rate = RATES[Pool.INSTRUMENTS]
    subscribe: Rate = RATES[Pool.SUBSCRIBE]
    transaction_log: Rate = RATES[Pool.TRANSACTION_LOG]
    other: Rate = RATES[Pool.OTHER]
    heartbeat_min_s: float = 10.0
    inactivity_s: float = 600.0
    ignore_cancel_on_disconnect: bool = False
    fills_final: bool = True
    """False: a trade is only matched at first. Its row says how far it is (`status`), and comes
    again when it is confirmed or has failed."""

    @property
    def rates(self) -> dict[Pool, Rate]:
        """What is allowed of each pool."""
        return {pool: getattr(self, pool.value) for pool in Pool}
