"""What a history is like beside its faults, and what becomes of it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mmbot.core.capabilities import Capabilities
from mmbot.core.types import InstrumentId
from mmbot.sim.market.market import FLOW_SCALE_DEMO, START_MS, START_PRICES
from mmbot.sim.market.presets import Preset
from mmbot.sim.market.underlying import STEP_MS
from mmbot.sim.models.credits import Rate
from mmbot.sim.virtual.face import TOKEN_S
from mmbot.sim.virtual.violation import Violation
from mmbot.sim.wire.faces import USUAL
from mmbot.sim.wire.manner import Manner


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """What a history is like beside its faults. Seconds are virtual.

    `seconds` of faults, then up to `heal_s` until all has settled; never more than `turns` turns
    with faults. `market_ms` is how often the market moves, `crowd_steps` how lazily its crowd acts
    (`Market`). `crash_per_hour`: how often the bot dies and starts anew. `raids_per_s`: how
    often somebody trades through the book up to an order of ours, some of it or all. `foreign`:
    somebody else has orders on the account. `people`: somebody pauses, winds down or trips the kill
    switch now and then. `departures_per_hour`: how often people end the run.
    `prices`: the coins that move, with what they begin at; None: those that are traded. Each of
    them has a part in the jumps of all. `manner`: how the venue says things. `kind`: whose protocol
    it speaks. `can`: how orders live there. `as_text`: whether frames are encoded and read again on
    their way; None: in one seed of ten. `token_s`: how long a login lasts. `watched`: what the bot
    looks at besides what its desks trade.
    """

    start_ms: int = START_MS
    seconds: float = 40.0
    heal_s: float = 60.0
    turns: int = 2_000
    market_ms: int = 100
    crowd_steps: int = 2
    preset: str | Preset = "normal"
    flow_scale: float = 2.0
    prices: Mapping[str, float] | None = None
    rate: Rate = field(default_factory=lambda: Rate(5.0, 20))
    crash_per_hour: float = 0.0
    raids_per_s: float = 0.0
    foreign: bool = False
    people: bool = False
    departures_per_hour: float = 0.0
    manner: Manner = Manner.PLAIN
    as_text: bool | None = None
    can: Capabilities = field(default_factory=Capabilities)
    kind: str = USUAL
    token_s: float = TOKEN_S
    watched: tuple[InstrumentId, ...] = ()

    @staticmethod
    def plain(start_ms: int) -> "WorldOptions":
        """The market as the embedded venue has it, step by step and of the same seed the same."""
        return WorldOptions(
            start_ms=start_ms,
            market_ms=STEP_MS,
            crowd_steps=1,
            flow_scale=FLOW_SCALE_DEMO,
            prices=START_PRICES,
        )

    def lasting(self, seconds: float) -> "WorldOptions":
        """The same for so long, however many turns that takes."""
        return replace(self, seconds=seconds, turns=sys.maxsize)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed. `settled_s`: how long it took after the last fault. `residual`: the
    most of a change of equity that is not explained, in whatever currency."""

    seed: int
    turns: int
    seconds: float
    fills: int
    volume_usd: float
    requests: Mapping[str, int]
    faults: Mapping[str, int]
    crashes: int
    departures: int
    tripped: str
    settled_s: float
    longest_cancel_wait_ms: float
    residual: float
    hash: str
    violation: Violation | None
