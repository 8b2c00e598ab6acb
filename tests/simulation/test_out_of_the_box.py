"""Every product on its defaults, in the fault-free market of the embedded venue, in virtual time.

A minute and a half each: it must trade, stay near the market, and not drum on the venue's door.
"""

from dataclasses import dataclass, field
from statistics import median

import pytest

from mmbot.config import load_config
from mmbot.config.desks import trading_desk
from mmbot.core.desk import Desk
from mmbot.core.types import SECOND
from mmbot.sim.exchange.listing import Side
from mmbot.sim.market.market import START_MS
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.virtual.account import ACCOUNT
from mmbot.sim.virtual.history import WorldOptions
from mmbot.sim.virtual.translate import VENUE, id_of
from mmbot.sim.virtual.world import World

LASTS_S = 90.0
AMENDS_A_MINUTE_MAX = 60
TIMES_THE_MARKET_MAX = 3.0
SPREAD_BPS = 10.0
"""What improve_top is given for its own width."""


@dataclass(slots=True)
class Widths:
    """Once a second: what we and the others are wide, in bps."""

    ours: list[float] = field(default_factory=list)
    market: list[float] = field(default_factory=list)


def default_desk(name: str) -> Desk:
    return trading_desk(load_config({"--exchange": VENUE, "--symbols": name}, None).lone)


def watched(world: World, name: str) -> Widths:
    """Looks at both widths every second."""
    widths = Widths()

    def look() -> None:
        book = world.exchange.book(name)
        orders = world.exchange.accounts[ACCOUNT].open_orders.values()
        bids = [order.price for order in orders if order.side is Side.BUY]
        asks = [order.price for order in orders if order.side is Side.SELL]
        if book.best_bid is not None and book.best_ask is not None and bids and asks:
            mid = (book.best_bid.price + book.best_ask.price) / 2
            widths.ours.append(float((min(asks) - max(bids)) / mid * 10_000))
            market = (book.best_ask.price - book.best_bid.price) / mid * 10_000
            widths.market.append(float(market))
        world.timeline.after(SECOND, look)

    world.timeline.after(SECOND, look)
    return widths


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "name", ["BTC-PERPETUAL", "ETH-PERPETUAL", "ETH_USDC-PERPETUAL", "SOL_USDC-PERPETUAL"]
)
def test_a_perpetual_trades_near_the_market_with_few_amends(name: str, seed: int) -> None:
    options = WorldOptions.plain(START_MS).lasting(LASTS_S)
    world = World(seed, FaultPlan(), {id_of(name): default_desk(name)}, options=options)
    widths = watched(world, name)
    outcome = world.run()
    assert outcome.violation is None
    assert outcome.fills >= 1
    assert outcome.requests["Amend"] / outcome.seconds * 60 <= AMENDS_A_MINUTE_MAX
    assert median(widths.ours) <= max(TIMES_THE_MARKET_MAX * median(widths.market), SPREAD_BPS)
    assert median(widths.ours) <= 5 * median(widths.market)
    assert world.state is not None
    assert world.state.account(VENUE).budget.deferred == 0


@pytest.mark.parametrize("name", ["BTC-6JUN25", "ETH-27JUN25"])
def test_a_future_stays_near_its_market_with_few_amends(name: str) -> None:
    """Few trade there: whether somebody does in so short a time is up to chance, and so is how wide
    one short market is."""
    options = WorldOptions.plain(START_MS).lasting(LASTS_S)
    ours: list[float] = []
    market: list[float] = []
    for seed in (1, 2, 3):
        world = World(seed, FaultPlan(), {id_of(name): default_desk(name)}, options=options)
        widths = watched(world, name)
        outcome = world.run()
        assert outcome.violation is None
        assert outcome.requests["Amend"] / outcome.seconds * 60 <= AMENDS_A_MINUTE_MAX
        assert len(widths.ours) >= 10, "hardly ever on both sides"
        ours += widths.ours
        market += widths.market
    assert median(ours) <= 5 * median(market)
