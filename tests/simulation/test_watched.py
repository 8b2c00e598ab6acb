"""Whole histories of a bot that watches what it does not trade, on both kinds of venue."""

from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.core.desk import Desk
from mmbot.core.sizes import Size
from mmbot.core.types import InstrumentId, instrument_name
from mmbot.risk.max_position import MaxPosition
from mmbot.sim.models.faults import FaultPlan, Harshness
from mmbot.sim.virtual.history import WorldOptions
from mmbot.sim.virtual.world import World
from mmbot.strategies.improve_top import ImproveTop
from mmbot.venues.plugin import plugin_of

NAMES = {
    "deribit": (
        ("ETH-6JUN25-2800-C", "ETH-6JUN25-2900-P"),
        ("ETH-6JUN25-2850-C", "ETH-6JUN25-2850-P", "ETH-6JUN25-3400-C", "ETH-PERPETUAL"),
    ),
    "derive": (
        ("ETH-20250606-2800-C", "ETH-20250606-2900-P"),
        ("ETH-20250606-2850-C", "ETH-20250606-3000-P", "ETH-PERP"),
    ),
}


def a_world(kind: str, seed: int, harshness: Harshness = Harshness.NONE) -> World:
    traded, watched = (tuple(InstrumentId(f"{kind}:{n}") for n in one) for one in NAMES[kind])
    strategy = ImproveTop(size=Size(Decimal(1)), max_position=Size(Decimal(3)), requote_pct=0.0)
    desk = Desk("test", kind, strategy, (MaxPosition(limit=Size(Decimal(3))),), 500_000_000)
    options = replace(
        WorldOptions(seconds=20.0, raids_per_s=1.0, kind=kind, watched=watched),
        can=plugin_of(kind).capabilities(),
    )
    plan = FaultPlan.drawn(seed, harshness)
    return World(seed, plan, dict.fromkeys(traded, desk), (), options)


@pytest.mark.parametrize("kind", NAMES)
def test_what_is_watched_is_known_and_nothing_of_it_is_traded(kind: str) -> None:
    world = a_world(kind, 1)
    outcome = world.run()
    assert outcome.violation is None
    assert outcome.fills > 0
    state = world.state
    assert state is not None
    assert {instrument_name(one) for one in state.watched} == {*NAMES[kind][1]}
    for market in state.watched.values():
        assert market.mark is not None
        if market.instrument.has_vega:
            assert market.best_ask is not None
            assert market.bids == ()
        else:
            assert market.bids
    account = world.exchange.accounts["bot"]
    placed = {one.name for one in (*account.open_orders.values(), *account.closed_orders.values())}
    assert placed == {*NAMES[kind][0]}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("seed", [2, 3, 5])
def test_a_harsh_history_settles_with_what_is_watched(kind: str, seed: int) -> None:
    outcome = a_world(kind, seed, Harshness.HARSH).run()
    assert outcome.violation is None, str(outcome.violation)


def test_one_seed_is_one_history() -> None:
    assert a_world("deribit", 4).run().hash == a_world("deribit", 4).run().hash


def test_latent_prices_are_what_they_are_without_a_watcher() -> None:
    watching = a_world("deribit", 6)
    plain = World(
        6,
        FaultPlan(seed=6),
        watching.desks,
        (),
        replace(watching.options, watched=()),
    )
    for _ in range(200):
        for world in (watching, plain):
            world.market.advance(world.market.now_ms + 50)
        paths = [world.market.underlyings["ETH"].price for world in (watching, plain)]
        assert paths[0] == paths[1]
