"""The engine's venue on real sockets: a session and the shell that carries it out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mmbot.clock import Clock
from mmbot.core.contracts import Instrument
from mmbot.core.events import Event, Link, LinkChanged, OrderSeen
from mmbot.core.order_life import Request
from mmbot.errors import Refused as StartRefused
from mmbot.errors import VenueUnreachable
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.venue import DeribitVenue
from tests.venues.deribit.driven import OPTION, PERPETUAL
from tests.venues.deribit.test_session_orders import PLACED, place
from tests.wire.scripted import SILENCE, Refused, Scripted, option, until


@asynccontextmanager
async def venue_at(scripted: Scripted) -> AsyncIterator[DeribitVenue]:
    clock = Clock()
    client = Deribit(scripted.config(apiKey="key", secret="secret"), clock=clock)
    venue = DeribitVenue("deribit", client, clock)
    try:
        yield venue
    finally:
        await venue.close()


async def test_two_orders_leave_with_their_own_digits_and_are_answered() -> None:
    async with Scripted() as scripted, venue_at(scripted) as venue:
        scripted.answer("private/buy", {"order": PLACED, "trades": []})
        events: list[Event] = []
        await venue.connect(events.append, [OPTION])
        venue.submit([place()])
        seen = await until(lambda: [e for e in events if isinstance(e, OrderSeen)], "an answer")
        assert seen[0].answers is Request.PLACE
        trading = next(c for c in scripted.connections if c.calls("private/buy"))
        [sent] = trading.calls("private/buy")
        assert (sent["price"], sent["amount"]) == (0.02, 3)


async def test_what_is_newly_listed_may_be_followed_at_once() -> None:
    later = "ETH-13JUN25-3000-C"
    async with Scripted() as scripted, venue_at(scripted) as venue:
        scripted.answer("public/get_instrument", option(later))
        await venue.connect(lambda _: None, [PERPETUAL])

        def follow(listed: list[Instrument]) -> None:
            venue.follow([one for one in listed if one.name == later])

        venue.on_listed = follow
        market = next(c for c in scripted.connections if f"book.{PERPETUAL.name}.raw" in c.channels)
        news = {"instrument_name": later, "state": "created"}
        await market.push("instrument.state.any.any", news)
        await until(lambda: f"book.{later}.raw" in market.channels, "followed")


async def test_a_venue_that_will_not_cancel_on_disconnect_is_refused() -> None:
    async with Scripted() as scripted, venue_at(scripted) as venue:
        scripted.answer("private/get_cancel_on_disconnect", {"enabled": False})
        with pytest.raises(StartRefused, match="did not confirm cancel-on-disconnect"):
            await venue.connect(lambda _: None, [PERPETUAL])


async def test_connecting_again_after_a_failure_goes_on_where_it_was() -> None:
    async with Scripted() as scripted, venue_at(scripted) as venue:
        events: list[Event] = []
        usual = scripted.answers["private/enable_cancel_on_disconnect"]
        scripted.answer("public/auth", Refused(13004, "invalid_credentials"))
        with pytest.raises(VenueUnreachable) as raised:
            await venue.connect(events.append, [PERPETUAL])
        assert not raised.value.may_pass
        assert "refuses the credentials (" in str(raised.value)
        scripted.answers |= Scripted().answers | {"private/enable_cancel_on_disconnect": usual}
        await venue.connect(events.append, [PERPETUAL])
        ups = [e.link for e in events if isinstance(e, LinkChanged) and e.up]
        assert sorted(ups, key=lambda link: link.value) == [Link.MARKET, Link.TRADING]
        await venue.connect(events.append, [PERPETUAL])


async def test_a_channel_that_the_venue_leaves_out_is_named() -> None:
    async with Scripted() as scripted, venue_at(scripted) as venue:
        scripted.answer(
            "public/subscribe", lambda p: [c for c in p["channels"] if not c.startswith("ticker.")]
        )
        with pytest.raises(VenueUnreachable, match="did not subscribe ticker"):
            await venue.connect(lambda _: None, [PERPETUAL])


async def test_nothing_is_heard_after_the_end_and_nothing_is_left_running() -> None:
    before = asyncio.all_tasks()
    events: list[Event] = []
    async with Scripted() as scripted:
        running = asyncio.all_tasks()
        async with venue_at(scripted) as venue:
            scripted.answer("private/buy", SILENCE)
            await venue.connect(events.append, [OPTION])
            venue.submit([place()])
            told = len(events)
        assert len(events) == told
        await until(lambda: asyncio.all_tasks() <= running, "no task of ours")
    await until(lambda: asyncio.all_tasks() <= before, "no task at all")
