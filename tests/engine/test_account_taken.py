"""The lease, the latch and the stopped process: what keeps two engines, or a zombie, from trading.

The venue runs in the test's process, the engine is the real `mmbot quote` as a child.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmbot.config import Mode
from mmbot.core.labels import base36
from mmbot.core.why import Why
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store import latch
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from mmbot.store.records import AccountKey
from tests.engine.live import until
from tests.engine.test_crash import START_S, ours_at_venue, start

SENDS = ("private/buy", "private/sell", "private/edit")


def account_key(venue: SimVenue) -> AccountKey:
    return AccountKey(Mode.SIM, "deribit", venue.account)


async def quoting(venue: SimVenue) -> None:
    await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders", START_S)


def said(home: Path) -> str:
    return (home.parent / "log").read_text()


@contextmanager
def heard(venue: SimVenue) -> Iterator[list[str]]:
    """The methods the venue is sent meanwhile."""
    methods: list[str] = []
    on_frame = venue.protocol.on_frame

    def listen(session: object, text: str) -> None:
        methods.extend(method for method in SENDS if f'"{method}"' in text)
        on_frame(session, text)  # type: ignore[arg-type]  # passed on as it came

    venue.protocol.on_frame = listen  # type: ignore[assignment,method-assign]  # a listener
    try:
        yield methods
    finally:
        venue.protocol.on_frame = on_frame  # type: ignore[method-assign]  # as it was


async def test_a_second_engine_is_refused_with_the_first_ones_run(home: Path) -> None:
    async with SimVenue(VenueOptions(flow_scale=0.0)) as venue:
        first = await start(venue, home)
        await quoting(venue)
        (row,) = Reader(locate(Mode.SIM, os.environ)).runs()
        second = await start(venue, home)
        assert await asyncio.wait_for(second.wait(), START_S) == 4
        assert f"run {base36(row.run)} " in said(home).splitlines()[-1]
        assert len(ours_at_venue(venue)) == 8, "the first one is not disturbed"
        first.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(first.wait(), START_S) == 0


async def test_a_tripped_latch_stops_the_engine_and_survives_restarts(home: Path) -> None:
    async with SimVenue(VenueOptions(flow_scale=0.0)) as venue:
        engine = await start(venue, home)
        await quoting(venue)
        location = locate(Mode.SIM, os.environ)
        latch.trip(location, [account_key(venue)], Why.USER, "enough", "test", time.time_ns())
        with heard(venue) as methods:
            await until(lambda: not ours_at_venue(venue), "everything cancelled", 3.0)
            await asyncio.sleep(1.0)
            assert methods == []
        engine.send_signal(signal.SIGTERM)
        await asyncio.wait_for(engine.wait(), START_S)
        again = await start(venue, home)
        assert await asyncio.wait_for(again.wait(), START_S) == 4
        assert "kill switch" in said(home).splitlines()[-1]
        assert "mmbot resume" in said(home).splitlines()[-1]
        latch.rearm(location, account_key(venue), "looked at it", "test", time.time_ns())
        third = await start(venue, home)
        await quoting(venue)
        third.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(third.wait(), START_S) == 0


async def test_a_stopped_engine_reads_the_latch_before_it_sends_again(home: Path) -> None:
    async with SimVenue(VenueOptions(flow_scale=0.0)) as venue:
        engine = await start(venue, home)
        await quoting(venue)
        engine.send_signal(signal.SIGSTOP)
        latch.trip(
            locate(Mode.SIM, os.environ),
            [account_key(venue)],
            Why.USER,
            "enough",
            "test",
            time.time_ns(),
        )
        await asyncio.sleep(2.5)  # longer than a pause the engine takes for nothing
        with heard(venue) as methods:
            engine.send_signal(signal.SIGCONT)
            await until(lambda: not ours_at_venue(venue), "everything cancelled", START_S)
            await asyncio.sleep(1.0)
            assert methods == []
        engine.send_signal(signal.SIGTERM)
        await asyncio.wait_for(engine.wait(), START_S)


async def test_a_stopped_engine_goes_on_when_nothing_has_changed(home: Path) -> None:
    async with SimVenue(VenueOptions(flow_scale=0.0)) as venue:
        engine = await start(venue, home)
        await quoting(venue)
        before = set(ours_at_venue(venue))
        engine.send_signal(signal.SIGSTOP)
        await asyncio.sleep(2.5)
        engine.send_signal(signal.SIGCONT)
        await asyncio.sleep(2.0)
        assert set(ours_at_venue(venue)) == before, "the same orders, found again"
        engine.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(engine.wait(), START_S) == 0
