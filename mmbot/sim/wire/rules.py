"""What the venue allows its accounts: rates of requests, heartbeats, idle connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from mmbot.sim.models.credits import RATES, Pool, Rate


class Moves(Enum):
    """How an order gets another price."""

    EDIT = auto()
    """It keeps its id."""
    REPLACE = auto()
    """It ends, and another one is created by the same request."""
    NONE = auto()
    """Not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """What a venue that counts in windows of five seconds allows: requests a second, of which five
    seconds' worth may come at once. `instrument`: to the matching engine in one instrument;
    `perpetual`: where that is another number for perpetuals."""

    matching: int = 1
    instrument: int = 1
    perpetual: int | None = None
    other: int = 5
    cancel_all: int = 1
    by_label: int = 10
    live_names: int = 1
    connections: int = 16

    @property
    def in_perpetual(self) -> int:
        """To the matching engine in one perpetual."""
        return self.instrument if self.perpetual is None else self.perpetual


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The defaults are the lowest tier's."""

    matching: Rate = RATES[Pool.MATCHING]
    cancel_all: Rate = RATES[Pool.CANCEL_ALL]
    instruments: Rate = RATES[Pool.INSTRUMENTS]
    subscribe: Rate = RATES[Pool.SUBSCRIBE]
    transaction_log: Rate = RATES[Pool.TRANSACTION_LOG]
    other: Rate = RATES[Pool.OTHER]
    tiers: Tiers = field(default_factory=Tiers)
    heartbeat_min_s: float = 10.0
    inactivity_s: float = 600.0
    ignore_cancel_on_disconnect: bool = False
    moves: Moves = Moves.EDIT
    names_labels: bool = True
    """Whether the account's own labels are in what is said of its orders and trades."""
    cancel_tells_filled: bool = True
    """Whether the reply to a cancel says what the order was and how much of it was filled."""
    fills_final: bool = True
    """False: a trade is only matched at first. Its row says how far it is (`status`), and comes
    again when it is confirmed or has failed."""

    orders_expire_s: float | None = None
    """So long after its request could be carried out at the latest (`valid_until`; without one,
    after it was) an order ends by itself, unless it has been moved since; None: it stays."""

    @property
    def rates(self) -> dict[Pool, Rate]:
        """What is allowed of each pool."""
        return {pool: getattr(self, pool.value) for pool in Pool}
