"""What a seed trades, and how: instruments, strategies, limits and company, all drawn from it."""

from decimal import Decimal
from random import Random

from mmbot.core.desk import Desk
from mmbot.core.ports import Guard, Strategy
from mmbot.core.sizes import Size
from mmbot.core.types import MS
from mmbot.risk.cost_floor import CostFloor
from mmbot.risk.guards.clock_skew import ClockSkew
from mmbot.risk.guards.margin import Margin
from mmbot.risk.guards.position import Position
from mmbot.risk.guards.reject_rate import RejectRate
from mmbot.risk.guards.session_loss import SessionLoss
from mmbot.risk.guards.stale_data import StaleData
from mmbot.risk.guards.unreconciled import Unreconciled
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_position import MaxPosition
from mmbot.risk.price_band import PriceBand
from mmbot.risk.stale_market import StaleMarket
from mmbot.sim.models.credits import Rate
from mmbot.sim.models.faults import FaultPlan, Harshness
from mmbot.sim.virtual.translate import VENUE
from mmbot.sim.virtual.world import World, WorldOptions
from mmbot.strategies.improve_top import ImproveTop
from mmbot.strategies.simple_spread import Center, SimpleSpread

LOTS = {
    "ETH-6JUN25-2800-C": Decimal(1),
    "ETH-6JUN25-2900-P": Decimal(1),
    "ETH-3JUN25-2850-C": Decimal(1),
    "ETH-13JUN25-2900-C": Decimal(1),
    "ETH-PERPETUAL": Decimal(1_000),
    "ETH-6JUN25": Decimal(1_000),
    "ETH_USDC-6JUN25-2850-P": Decimal("0.5"),
    "BTC-6JUN25-105000-C": Decimal("0.2"),
    "BTC-PERPETUAL": Decimal(1_000),
}
"""What may be traded, by the venue's names, with a size that is a few of its lots."""

CRASHES = {Harshness.NONE: 0.0, Harshness.MILD: 30.0, Harshness.HARSH: 150.0}
RATES = (Rate(5.0, 20), Rate(5.0, 20), Rate(10.0, 50))
PRESETS = ("normal", "normal", "toxic", "crash")


def drawn_world(
    seed: int,
    harshness: Harshness = Harshness.HARSH,
    crash_per_hour: float | None = None,
    *,
    late_finality: bool = False,
) -> World:
    """The world of a seed. `crash_per_hour`: in place of the harshness's own."""
    draw = Random(f"desks {seed}")
    names = _names(draw)
    exposure = MaxExposure(limit=Decimal(draw.choice((5, 20))))
    desks = {name: _desk(draw, LOTS[name], exposure) for name in names}
    guards: tuple[Guard, ...] = ()
    if draw.random() < 0.7:
        guards = (
            ClockSkew(),
            Margin(),
            Position(limit=Size(Decimal(1_000_000))),
            RejectRate(),
            SessionLoss(limit_usd=Decimal(100_000)),
            StaleData(),
            Unreconciled(),
        )
    options = WorldOptions(
        rate=draw.choice(RATES),
        market_ms=draw.choice((50, 100, 100, 200)),
        preset=draw.choice(PRESETS),
        raids_per_s=draw.choice((0.2, 1.0, 3.0)),
        crash_per_hour=draw.choice((0.0, CRASHES[harshness]))
        if crash_per_hour is None
        else crash_per_hour * draw.choice((0, 1)),
        foreign=draw.random() < 0.3,
        people=draw.random() < 0.5,
        late_finality=late_finality,
    )
    return World(seed, FaultPlan.drawn(seed, harshness), desks, guards, options)


def _names(draw: Random) -> list[str]:
    """Two or three instruments, mostly on one coin."""
    coin = "BTC" if draw.random() < 0.2 else "ETH"
    known = [name for name in LOTS if name.startswith(coin)]
    if draw.random() < 0.1:
        known = list(LOTS)
    return draw.sample(known, min(len(known), draw.choice((2, 2, 3))))


def _desk(draw: Random, lot: Decimal, exposure: MaxExposure) -> Desk:
    limit = lot * draw.choice((2, 3, 5))
    rules = (
        StaleMarket(after_s=3),
        PriceBand(),
        CostFloor(),
        MaxPosition(limit=Size(limit)),
        exposure,
    )
    return Desk(
        name="drawn",
        venue=VENUE,
        strategy=_strategy(draw, lot, limit),
        rules=rules,
        refresh_ns=draw.choice((100, 500, 1_000)) * MS,
    )


def _strategy(draw: Random, lot: Decimal, limit: Decimal) -> Strategy:
    requote_pct = draw.choice((0.0, 0.01, 0.5))
    if draw.random() < 0.6:
        return ImproveTop(size=Size(lot), max_position=Size(limit), requote_pct=requote_pct)
    return SimpleSpread(
        center=draw.choice(list(Center)),
        spread_bps=draw.choice((2.0, 5.0, 20.0)),
        levels=draw.choice((1, 2)),
        level_spacing_bps=5.0,
        size=Size(lot),
        max_position=Size(limit),
        requote_pct=requote_pct,
    )
