"""A market in turmoil against a venue that counts requests: none too many, no cancel that waits.

Twenty options and the perpetual, quoted as eagerly as the strategy can, in a market that jumps
more than once a minute. The venue's clock is one percent slow, so that its 5 requests a second are
4.95 of ours. Somebody pauses now and then, switches sides off, and changes the size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

import pytest

from mmbot.core import events as ev
from mmbot.core.desk import Desk
from mmbot.core.ports import RiskRule
from mmbot.core.scope import Scope
from mmbot.core.sizes import Size
from mmbot.core.state import State
from mmbot.core.types import SECOND, Nanos, Side
from mmbot.core.why import Why
from mmbot.risk.guards.order_to_volume import OrderToVolume
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_position import MaxPosition
from mmbot.risk.price_band import PriceBand
from mmbot.sim.market.flow import FlowParams
from mmbot.sim.market.presets import Preset
from mmbot.sim.market.underlying import PathParams
from mmbot.sim.models.credits import Bucket, Credits, Pool, Rate
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.virtual.account import ACCOUNT
from mmbot.sim.virtual.history import Outcome, WorldOptions
from mmbot.sim.virtual.translate import id_of
from mmbot.sim.virtual.world import World
from mmbot.strategies.improve_top import ImproveTop

STRIKES = (2600, 2700, 2800, 2900, 3000)
OPTIONS = [
    f"ETH-{expiry}-{strike}-{right}"
    for expiry in ("6JUN25", "13JUN25")
    for strike in STRIKES
    for right in "CP"
]
TURMOIL = Preset(
    PathParams(
        vol_mean=1.5,
        jumps_a_day=2_000.0,  # every 43 seconds or so
        large_jumps_a_day=50.0,
        news_per_hour=120.0,
        news_points=15.0,
    ),
    FlowParams(),
)
QUIET = Preset(
    PathParams(vol_mean=0.2, jumps_a_day=0.0, large_jumps_a_day=0.0, news_per_hour=0.0),
    FlowParams(noise_per_s=0.0, perpetual_noise_per_s=0.0, future_noise_per_s=0.0),
)
VENUE_RATE = Rate(4.95, 20)
RULES: tuple[RiskRule, ...] = (
    PriceBand(),
    MaxPosition(limit=Size(Decimal(20))),
    MaxExposure(limit=Decimal(200)),
)
EAGER = Desk("eager", "deribit", ImproveTop(requote_pct=0.0), RULES)
COMMANDS: tuple[ev.Event, ...] = (
    ev.Pause(Why.PAUSED),
    ev.Switched(Scope(side=Side.BUY), on=False),
    ev.Switched(Scope(), on=False),
    ev.SizeScaled(Decimal(2)),
)
UNDO: tuple[ev.Event, ...] = (
    ev.Unpause(),
    ev.Switched(Scope(), on=True),
    ev.SizeScaled(Decimal(1)),
)


class Desktop(World):
    """A world in which somebody plays with the controls, but never with the kill switch; the
    venue's clock is slow."""

    def __init__(
        self,
        seed: int,
        seconds: float,
        preset: Preset,
        *,
        people: bool = True,
        options: Sequence[str] = OPTIONS,
    ) -> None:
        desks = dict.fromkeys(map(id_of, [*options, "ETH-PERPETUAL"]), EAGER)
        world = WorldOptions(
            seconds=seconds, turns=10**9, preset=preset, flow_scale=1.0, people=people
        )
        super().__init__(seed, FaultPlan(), desks, (OrderToVolume(),), world)
        protocol = self.lone.venue.protocol
        protocol._credits[ACCOUNT] = Credits(protocol.rules.rates, self.lone.venue.ms)
        protocol._credits[ACCOUNT]._buckets[Pool.MATCHING] = Bucket(VENUE_RATE, self.lone.venue.ms)
        self._whim = Random(seed)

    def _people(self) -> None:
        if self._whim.random() < 0.05:
            self._sink(self._lives, self._whim.choice(COMMANDS))
            undo_ns = int((0.2 + 4 * self._whim.random()) * SECOND)
            self.timeline.after(undo_ns, self._undo)

    def _undo(self) -> None:
        for event in UNDO:
            self._sink(self._lives, event)

    def _heal(self) -> None:
        super()._heal()
        self._undo()


@dataclass(frozen=True, slots=True)
class Told:
    """What a history comes to."""

    outcome: Outcome
    state: State
    now_ns: Nanos

    @property
    def text(self) -> str:
        """For people: pytest -s."""
        account = self.state.account("deribit")
        hour = account.order_to_volume.last_hour(self.now_ns)
        shares = {side.value: f"{100 * self.share(side):.2f} %" for side in Side}
        return (
            f"{self.outcome.seconds:.0f} s, {self.outcome.turns} turns, requests "
            f"{dict(self.outcome.requests)}, deferred {account.budget.deferred}, longest cancel "
            f"wait {self.outcome.longest_cancel_wait_ms:.0f} ms, quoted {shares}, {hour}, "
            f"{hour.per_trade} a trade, {hour.per_1000_usd} per 1,000 USD"
        )

    def share(self, side: Side) -> float:
        """Mean time in the market on a side."""
        shares = [market.uptime.share(side, self.now_ns) for market in self.state.markets.values()]
        return sum(share or 0.0 for share in shares) / len(shares)


def told(world: World) -> Told:
    outcome = world.run()
    assert outcome.violation is None, outcome.violation
    assert world.state is not None
    return Told(outcome, world.state, world.timeline.now_ns)


def in_turmoil(seconds: float, seed: int) -> Told:
    story = told(Desktop(seed, seconds, TURMOIL))
    print(story.text)
    requests = story.outcome.requests
    assert not [code for code in requests if code.startswith("10028")], requests
    assert story.outcome.longest_cancel_wait_ms <= 200
    assert story.state.account("deribit").budget.deferred > 100, "the budget was never short"
    assert requests["CancelAll"] + requests["Cancel"] > 5
    return story


def test_a_minute_of_turmoil_is_not_too_many_requests_and_no_cancel_waits() -> None:
    in_turmoil(60.0, seed=1)


@pytest.mark.long
def test_an_hour_of_turmoil() -> None:
    in_turmoil(3600.0, seed=1)


def test_a_quiet_book_is_quoted_on_both_sides_all_the_time() -> None:
    """In this seed no maker flees and every price is far from the grid's end, so that a gap would
    be ours; the first quotes are all there within the first second."""
    near = [name for name in OPTIONS if "-2800-" in name or "-2900-" in name]
    story = told(Desktop(3, 60.0, QUIET, people=False, options=near))
    print(story.text)
    assert story.outcome.requests["Amend"] > 50, "the market did not move at all"
    for market in story.state.markets.values():
        for side in Side:
            share = market.uptime.share(side, story.now_ns)
            assert share is not None
            assert share > 0.99, (market.instrument.name, side)
