"""Whole histories of a bot that values options on a surface, on both kinds of venue."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.core.desk import Desk
from mmbot.core.sizes import Size
from mmbot.core.types import InstrumentId
from mmbot.pricing.auto import Auto
from mmbot.pricing.chain_fit import ChainFitter
from mmbot.risk.max_position import MaxPosition
from mmbot.sim.models.faults import FaultPlan, Harshness
from mmbot.sim.virtual.history import WorldOptions
from mmbot.sim.virtual.world import Fit, World, never_fitted
from mmbot.strategies.improve_top import ImproveTop
from mmbot.venues.plugin import plugin_of

EXPIRY = {"deribit": "6JUN25", "derive": "20250606"}
PERPETUAL = {"deribit": "ETH-PERPETUAL", "derive": "ETH-PERP"}
STRIKES = range(2600, 3150, 50)


def fitting() -> Fit:
    return ChainFitter().fitted


def a_world(
    kind: str,
    seed: int,
    harshness: Harshness = Harshness.NONE,
    fits: Callable[[], Fit] = fitting,
) -> World:
    names = [f"ETH-{EXPIRY[kind]}-{strike}-{right}" for strike in STRIKES for right in "CP"]
    ids = [InstrumentId(f"{kind}:{name}") for name in names]
    traded = [one for one in ids if one.endswith(("-2850-C", "-2900-P"))]
    watched = (*(one for one in ids if one not in traded), f"{kind}:{PERPETUAL[kind]}")
    strategy = ImproveTop(size=Size(Decimal(1)), max_position=Size(Decimal(3)), requote_pct=0.0)
    rules = (MaxPosition(limit=Size(Decimal(3))),)
    desk = Desk("test", kind, strategy, rules, 500_000_000, pricer=Auto(), pricer_name="auto")
    options = replace(
        WorldOptions(
            seconds=30.0, raids_per_s=1.0, kind=kind, watched=tuple(map(InstrumentId, watched))
        ),
        can=plugin_of(kind).capabilities(),
    )
    plan = FaultPlan.drawn(seed, harshness)
    return World(seed, plan, dict.fromkeys(traded, desk), (), options, fitting=fits)


@pytest.mark.parametrize("kind", EXPIRY)
def test_a_surface_is_fitted_and_is_near_the_venues_own_volatilities(kind: str) -> None:
    world = a_world(kind, 1)
    assert world.run().violation is None
    assert world.state is not None
    [chain] = world.state.chains.values()
    assert len(chain.names) == 2 * len(STRIKES)
    assert chain.perpetual == f"{kind}:{PERPETUAL[kind]}"
    assert chain.trouble == ""
    [smile] = chain.smiles.values()
    assert smile.model == "svi"
    near = [
        abs(sigma - iv)
        for sigma, iv, fitted in zip(chain.sigma, chain.iv, chain.fitted, strict=True)
        if fitted and iv == iv
    ]
    assert len(near) > len(STRIKES)
    assert max(near) < 0.05, "five vol points, in the wings"


@pytest.mark.parametrize("kind", EXPIRY)
@pytest.mark.parametrize("seed", [2, 3])
def test_a_harsh_history_settles_with_a_surface(kind: str, seed: int) -> None:
    outcome = a_world(kind, seed, Harshness.HARSH).run()
    assert outcome.violation is None, str(outcome.violation)


def test_one_seed_is_one_history_with_its_fits() -> None:
    assert a_world("deribit", 4).run().hash == a_world("deribit", 4).run().hash


@pytest.mark.parametrize("kind", EXPIRY)
def test_a_bot_whose_fits_never_come_quotes_by_the_mark(kind: str) -> None:
    world = a_world(kind, 1, fits=never_fitted)
    outcome = world.run()
    assert outcome.violation is None
    assert outcome.fills > 0
    assert world.state is not None
    [chain] = world.state.chains.values()
    assert chain.smiles == {}
    for market in world.state.markets.values():
        if market.valuation is not None:
            assert market.valuation.model == "mark"
