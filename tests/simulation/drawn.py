"""What a seed trades, and how: instruments, strategies, limits and company, all drawn from it."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random

from mmbot.core.capabilities import Capabilities
from mmbot.core.desk import Desk
from mmbot.core.ports import Guard, Strategy
from mmbot.core.sizes import Size
from mmbot.core.types import MS, InstrumentId
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
from mmbot.sim.virtual.face import TOKEN_S
from mmbot.sim.virtual.history import WorldOptions
from mmbot.sim.virtual.kinds import kind_of
from mmbot.sim.virtual.translate import VENUE, id_of
from mmbot.sim.virtual.world import World
from mmbot.sim.wire.manner import Manner
from mmbot.strategies.improve_top import ImproveTop
from mmbot.strategies.simple_spread import Center, SimpleSpread
from mmbot.venues.plugin import plugin_of

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

DERIVE = "derive"
DERIVE_LOTS = {
    "ETH-20250606-2800-C": Decimal(1),
    "ETH-20250606-2900-P": Decimal(1),
    "ETH-20250603-2850-C": Decimal(1),
    "ETH-20250613-2900-C": Decimal("0.5"),
    "ETH-PERP": Decimal("0.5"),
    "BTC-20250606-105000-C": Decimal("0.2"),
    "BTC-PERP": Decimal("0.02"),
}
"""The same at the simulated Derive."""

CRASHES = {Harshness.NONE: 0.0, Harshness.MILD: 30.0, Harshness.HARSH: 150.0}
RATES = (Rate(5.0, 20), Rate(5.0, 20), Rate(10.0, 50))
HEDGE = "hedge"
"""The second account of a world that has two."""
SHORT_TOKEN_S = 30.0
GUARDS: tuple[Guard, ...] = (
    ClockSkew(),
    Margin(),
    Position(limit=Size(Decimal(1_000_000))),
    RejectRate(),
    SessionLoss(limit_usd=Decimal(100_000)),
    StaleData(),
    Unreconciled(),
)
PRESETS = ("normal", "normal", "toxic", "crash")


def drawn_world(
    seed: int,
    harshness: Harshness = Harshness.HARSH,
    crash_per_hour: float | None = None,
    can: Capabilities | None = None,
) -> World:
    """The world of a seed. `crash_per_hour`: in place of the harshness's own. `can`: how orders
    live at the venue."""
    draw = Random(f"desks {seed}")
    names = _names(draw)
    exposure = MaxExposure(limit=Decimal(draw.choice((5, 20))))
    desks = {id_of(name): _desk(draw, LOTS[name], exposure) for name in names}
    guards: tuple[Guard, ...] = ()
    if draw.random() < 0.7:
        guards = GUARDS
    options = replace(
        _options(draw, seed, harshness, crash_per_hour),
        can=can or Capabilities(),
        token_s=SHORT_TOKEN_S if seed % 4 == 1 else TOKEN_S,
    )
    return World(seed, FaultPlan.drawn(seed, harshness), desks, guards, options)


def drawn_on_derive(seed: int, harshness: Harshness = Harshness.HARSH) -> World:
    """A world whose venue is Derive, at one of the rates it gives."""
    draw = Random(f"derive {seed}")
    names = _names(draw, DERIVE_LOTS)
    exposure = MaxExposure(limit=Decimal(draw.choice((5, 20))))
    desks = {
        id_of(name, DERIVE): replace(_desk(draw, DERIVE_LOTS[name], exposure), venue=DERIVE)
        for name in names
    }
    kind = kind_of(DERIVE)
    options = replace(
        _options(draw, seed, harshness, None),
        kind=DERIVE,
        can=plugin_of(DERIVE).capabilities(),
        rate=draw.choice(kind.rates),
    )
    return World(seed, FaultPlan.drawn(seed, harshness), desks, GUARDS, options)


def drawn_pair(seed: int, harshness: Harshness = Harshness.HARSH) -> World:
    """A world of two accounts under one book, which now and then quote the same instrument; people
    end its runs."""
    draw = Random(f"pair {seed}")
    exposure = MaxExposure(limit=Decimal(draw.choice((5, 20))))
    desks: dict[InstrumentId, Desk] = {}
    for venue in (VENUE, HEDGE):
        for name in _names(draw)[:2]:
            desk = replace(_desk(draw, LOTS[name], exposure), name=f"at {venue}", venue=venue)
            desks[id_of(name, venue)] = desk
    options = WorldOptions(
        rate=draw.choice(RATES),
        market_ms=draw.choice((100, 200)),
        preset=draw.choice(PRESETS),
        raids_per_s=draw.choice((0.2, 1.0, 3.0)),
        crash_per_hour=draw.choice((0.0, CRASHES[harshness])),
        foreign=draw.random() < 0.3,
        people=draw.random() < 0.2,
        departures_per_hour=draw.choice((100.0, 400.0)),
    )
    guards = (Margin(), SessionLoss(limit_usd=Decimal(100_000)), StaleData(), Unreconciled())
    return World(seed, FaultPlan.drawn(seed, harshness), desks, guards, options)


def _options(
    draw: Random, seed: int, harshness: Harshness, crash_per_hour: float | None
) -> WorldOptions:
    """The weather and who else is about."""
    return WorldOptions(
        rate=draw.choice(RATES),
        market_ms=draw.choice((50, 100, 100, 200)),
        preset=draw.choice(PRESETS),
        raids_per_s=draw.choice((0.2, 1.0, 3.0)),
        crash_per_hour=draw.choice((0.0, CRASHES[harshness]))
        if crash_per_hour is None
        else crash_per_hour * draw.choice((0, 1)),
        foreign=draw.random() < 0.3,
        people=draw.random() < 0.5,
        manner=Manner.drawn(seed),
    )


def _names(draw: Random, lots: Mapping[str, Decimal] = LOTS) -> list[str]:
    """Two or three instruments, mostly on one coin."""
    coin = "BTC" if draw.random() < 0.2 else "ETH"
    known = [name for name in lots if name.startswith(coin)]
    if draw.random() < 0.1:
        known = list(lots)
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
