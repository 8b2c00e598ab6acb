"""Leaving with two venues: each is proved empty by itself, and what is left is told of each."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from mmbot.clock import Clock
from mmbot.core import events as ev
from mmbot.core.bot import begun
from mmbot.core.contracts import Instrument
from mmbot.core.intents import FallbackCancel, Resync, VenueIntent
from mmbot.core.statements import OpenOrder
from mmbot.core.types import InstrumentId
from mmbot.core.why import Why
from mmbot.engine.leaving import tell_left
from mmbot.engine.runner import Runner
from mmbot.engine.store_bridge import Forgetful
from mmbot.errors import VenueUnreachable
from mmbot.venues.base import Sink
from tests.core.bot import VENUE, a_foreign_order
from tests.core.two import HEDGE, HERE, THERE

SCALE = 20.0
"""Desk seconds a second."""


class Empty:
    """A venue without any order: it answers every question, unless it is `dead`."""

    clock: Clock
    sink: Sink

    def __init__(self, name: str, *, dead: bool = False) -> None:
        self.name = self.endpoint = name
        self.on_listed: Callable[[list[Instrument]], None] | None = None
        self.unread_listings: dict[str, str] = {}
        self.dead = dead
        self.asked: list[VenueIntent] = []
        self.second_path = 0
        self.left: list[OpenOrder] = []

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        self.asked += intents
        for intent in intents:
            if isinstance(intent, Resync) and not self.dead:
                asked_ns = self.clock.now_ns()
                self.sink(ev.SnapshotTaken(self.name, asked_ns, (), (), ()))
            elif isinstance(intent, FallbackCancel):
                self.sink(ev.FallbackTried(self.name, self.clock.now_ns(), None))

    async def cancel_ours(self, _order_ids: Sequence[str] = ()) -> list[OpenOrder]:
        self.second_path += 1
        if self.dead:
            raise VenueUnreachable(f"{self.name} does not answer")
        return self.left

    async def open(self) -> list[Instrument]:
        raise AssertionError("it is open")

    async def account(self) -> str:
        return "somebody"

    async def venue_ms(self) -> int:
        raise AssertionError("the clock is set")

    async def index_price(self, instrument: Instrument) -> float:
        raise AssertionError("nothing is chosen")

    def look_at(self, instruments: Sequence[Instrument]) -> None:
        raise AssertionError("nothing is listed")

    def unfollow(self, instruments: Sequence[InstrumentId]) -> None:
        raise AssertionError("nothing ends here")

    def follow(self, instruments: Sequence[Instrument]) -> None:
        raise AssertionError("nothing is listed")

    async def connect(
        self, sink: Sink, instruments: Sequence[Instrument], watched: Sequence[Instrument] = ()
    ) -> None:
        raise AssertionError("it is connected")

    def reads_left(self) -> dict[str, float]:
        return {}

    def reset_protection(self) -> None:
        raise AssertionError("nothing is frozen")

    async def close(self) -> None:
        raise AssertionError("whoever opened it closes it")


def running(*venues: Empty) -> Runner:
    clock = Clock(SCALE)
    listed = ev.InstrumentsListed((HERE, THERE))
    state = begun("test", clock.now_ns(), (listed,))
    runner = Runner(state, {}, {venue.name: venue for venue in venues}, clock)
    runner.store = Forgetful(runner.sink, clock)
    for venue in venues:
        venue.clock, venue.sink = clock, runner.sink
        for link in ev.Link:
            runner.sink(ev.LinkChanged(venue.name, link, up=not venue.dead))
    return runner


async def test_two_venues_that_answer_are_both_proved_empty() -> None:
    here, there = Empty(VENUE), Empty(HEDGE)
    runner = running(here, there)
    assert await runner.stop(Why.USER) == {VENUE: [], HEDGE: []}
    assert runner.state.flat_verified
    assert (here.second_path, there.second_path) == (0, 0)


async def test_a_dead_venue_does_not_keep_the_other_from_being_proved_empty() -> None:
    here, there = Empty(VENUE), Empty(HEDGE, dead=True)
    runner = running(here, there)
    assert await runner.stop(Why.USER) == {VENUE: [], HEDGE: None}
    assert runner.state.account(VENUE).flat_verified
    assert here.second_path == 0, "it was proved over the first path"
    assert there.second_path > 0


async def test_the_second_path_tells_of_each_venue_what_is_left() -> None:
    here, there = Empty(VENUE), Empty(HEDGE, dead=True)
    here.left = [a_foreign_order(label="mmtest-1")]
    runner = running(here, there)
    assert await runner.take_back(1.0) == {VENUE: here.left, HEDGE: None}


async def test_where_another_engine_has_taken_over_nothing_is_sent_when_leaving() -> None:
    here, there = Empty(VENUE), Empty(HEDGE)
    runner = running(here, there)
    runner.sink(ev.LeaseLost("thief", HEDGE))
    await asyncio.wait_for(runner.run(asyncio.Event(), None), 5.0)
    asked = len(there.asked)
    assert await runner.stop(Why.LEASE_LOST) == {VENUE: [], HEDGE: None}
    assert len(there.asked) == asked
    assert there.second_path == 0


def test_one_line_tells_how_each_of_several_venues_was_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    tell_left({"a": [], "b": None, "c": [a_foreign_order(label="mmtest-1")]})
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in said] == ["still open", "a", "b", "c"]
    assert said[1:] == [
        "a: proved that nothing of ours is left",
        "b: nobody knows what is left: the venue could not be asked",
        "c: 1 of our orders are left",
    ]


def test_of_a_lone_venue_only_what_is_open_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tell_left({"a": None})
    assert caplog.records == []
