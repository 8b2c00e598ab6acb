"""Ten minutes without name resolution: no order is forgotten, no fill missed, none doubled.

Everything but the system's resolver is real. Existing connections end when names stop resolving,
because a resolver that fails rarely fails alone.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from mmbot.core import events as ev
from mmbot.core.intents import Amend, Intent, Place
from mmbot.core.order_life import Status
from mmbot.core.types import InstrumentId
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import VenueOptions
from tests.engine.live import CALL, NO_SILENCE, Live, live, until, venue_of
from tests.engine.slots import watch_slots
from tests.engine.test_live import agreed, hit, quoted

HOST = "localhost"
PUT = "ETH-6JUN25-2800-P"
SCALE = 40.0
WAIT_S = 60.0


class Names:
    """A resolver that knows one name, and can be made to fail. `names` is a `line` for `live`."""

    def __init__(self) -> None:
        self.fails = False
        self.asked_in_vain = 0

    @asynccontextmanager
    async def __call__(self, url: str) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        system = loop.getaddrinfo

        async def getaddrinfo(host: Any, *args: Any, **named: Any) -> Any:
            if host != HOST:
                return await system(host, *args, **named)
            if self.fails:
                self.asked_in_vain += 1
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return await system("127.0.0.1", *args, **named)

        loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]  # of this test's own loop
        yield f"http://{HOST}:{urlsplit(url).port}"

    def fail(self, bot: Live) -> None:
        """No name is found any more, and every connection there is breaks."""
        self.fails = True
        connector = venue_of(bot.engine)._exchange.session.connector
        connector.clear_dns_cache()  # ten minutes outlive it
        bot.venue.sever()


async def later(bot: Live, seconds: float) -> None:
    """Let that much venue time pass."""
    end_ms = bot.venue.now_ms() + int(seconds * 1000)
    await until(lambda: bot.venue.now_ms() >= end_ms, f"{seconds} s of venue time", WAIT_S)


def position(bot: Live, name: str) -> Any:
    return bot.state.inventory.of(bot.state.markets[InstrumentId(f"deribit:{name}")].instrument)


@pytest.mark.parametrize("deaf", [False, True], ids=["cancels on disconnect", "does not"])
@pytest.mark.parametrize(
    "outage_s", [120, pytest.param(600, marks=pytest.mark.long)], ids=["2 min", "10 min"]
)
async def test_every_order_is_recovered_and_every_fill_booked(outage_s: int, deaf: bool) -> None:
    names, story = Names(), list[ev.Event | Intent]()
    options = VenueOptions(flow_scale=0.0, rules=Rules(ignore_cancel_on_disconnect=deaf))
    async with live(options, line=names, scale=SCALE, timing=NO_SILENCE) as bot:
        await quoted(bot)
        bot.venue.freeze()
        await agreed(bot)
        doubles = watch_slots(bot.venue)
        account = bot.state.accounts["deribit"]
        known = {order.label for order in bot.state.orders.all()}
        bot.engine.runner.observers.append(lambda said, done, _: story.extend([*said, *done]))

        names.fail(bot)
        await later(bot, outage_s / 3)
        hit(bot, Side.SELL, "50", CALL)
        await later(bot, outage_s / 3)
        hit(bot, Side.BUY, "50", PUT)
        await later(bot, outage_s / 3)
        assert names.asked_in_vain > 0
        assert {order.label for order in bot.state.orders.all()} == known, "none was forgotten"
        assert {order.status for order in bot.state.orders.all()} == {Status.UNKNOWN}
        assert len(bot.at_venue()) == (6 if deaf else 0), "what the venue knows, and we do not"
        assert not any(isinstance(said, Place | Amend) for said in story)

        names.fails = False
        await until(lambda: account.reconciled, "reconciled", WAIT_S)
        bot.venue.thaw()
        await quoted(bot)
        first = next(i for i, said in enumerate(story) if isinstance(said, Place | Amend))
        assert any(isinstance(said, ev.SnapshotTaken) for said in story[:first])
        assert sorted(bot.state.inventory.booked) == sorted(bot.trades_at_venue())
        filled = 1 if deaf else 0
        assert (position(bot, CALL).amount, position(bot, PUT).amount) == (filled, -filled)
        assert all(not market.halted for market in bot.state.markets.values())
        assert doubles == []
