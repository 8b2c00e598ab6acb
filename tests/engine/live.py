"""The real engine on the real client, trading on a simulated venue in the test's own process."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import astuple, dataclass, replace
from decimal import Decimal
from pathlib import Path

from mmbot.assemble import assemble
from mmbot.clock import Clock
from mmbot.config import load_config
from mmbot.core import events as ev
from mmbot.core import timing as core_timing
from mmbot.core.intents import Intent
from mmbot.core.labels import is_ours
from mmbot.core.state import State
from mmbot.core.statements import booking_key, execution_key
from mmbot.core.types import Label, Side
from mmbot.engine.supervise import Engine
from mmbot.errors import VenueUnreachable
from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.venues.connection import Connection
from mmbot.venues.deribit.venue import DeribitVenue
from mmbot.venues.timing import USUAL, Timing

DEADLINE_S = 10.0
CALL = "ETH-6JUN25-2800-C"
FLAGS = {"--exchange": "deribit", "--expiry": "20250606", "--strikes": "2800,2900"}


def key_of(made: UserTrade) -> str:
    """What an execution on the simulated venue is booked under."""
    side = Side(made.side.value)
    return booking_key("deribit", execution_key(made.public.trade_id, side))


@dataclass(slots=True)
class Live:
    """A running engine, the venue it trades on, and everything it said and heard."""

    engine: Engine
    venue: SimVenue
    events: list[ev.Event]
    intents: list[Intent]
    ticking: asyncio.Future[None]
    """The engine's own loop, which makes the Ticks."""

    @property
    def state(self) -> State:
        return self.engine.runner.state

    def at_venue(self) -> dict[str, tuple[str, Decimal, Decimal]]:
        """Our open orders as the exchange has them: label -> (side, price, amount)."""
        return {
            order.label: (order.side.value, order.price, order.amount)
            for order in self.venue.exchange.accounts[self.venue.account].open_orders.values()
            if is_ours(Label(order.label))
        }

    def trades_at_venue(self) -> list[str]:
        """Keys of every execution of the account, as the exchange has them."""
        made = self.venue.exchange.accounts[self.venue.account].trades
        return [key_of(one) for one in made]

    def in_table(self) -> dict[str, tuple[str, Decimal, Decimal]]:
        """Our working orders as the engine believes."""
        return {
            order.label: (order.side.value, order.price, order.amount)
            for order in self.state.orders.all()
            if order.working
        }


class HastyVenue(SimVenue):
    """A simulated venue whose time, like that of a scaled `Clock`, runs faster than the wall's."""

    def __init__(self, options: VenueOptions | None, scale: float) -> None:
        super().__init__(replace(options or VenueOptions(), scale=scale))


ROOMY = Path(__file__).with_name("roomy.toml")
"""A desk file under which sizes may be doubled."""


NO_SILENCE = Timing(probe_timeout_s=60.0)
"""A stall of this machine is no silence of the venue's, however fast the clock."""


def patient(engine: Engine, scale: float) -> None:
    """A stall of this machine is no absence of the bot's that is `scale` times as long."""
    usual = core_timing.Timing()
    engine.runner.state.timing = core_timing.Timing(*(int(one * scale) for one in astuple(usual)))


async def connected(engine: Engine, scale: float) -> None:
    """Connect. Scaled deadlines are short for a machine that is busy: then once more."""
    for last in (scale == 1.0, False, True):
        try:
            await engine.members[0].venue.connect(engine.runner.sink, engine.instruments)
        except VenueUnreachable:
            if last:
                raise
        else:
            return


def venue_of(engine: Engine) -> DeribitVenue:
    """The engine's venue, when it is only one."""
    assert isinstance(engine.members[0].venue, DeribitVenue)
    return engine.members[0].venue


def connection_of(engine: Engine) -> Connection:
    """What keeps that venue's links up."""
    return venue_of(engine)._session.connection


def here(seconds: float) -> float:
    """What takes so long on a machine that has a core for everybody, on this one as busy as it is:
    for bounds on processes beside the test's own."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


async def until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition, not for a time."""
    end = asyncio.get_running_loop().time() + deadline_s
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def live(
    options: VenueOptions | None = None,
    desk: dict[str, str] | None = None,
    config: Path | None = ROOMY,
    line: Callable[[str], AbstractAsyncContextManager[str]] = nullcontext,
    scale: float = 1.0,
    timing: Timing = USUAL,
    **flags: str,
) -> AsyncIterator[Live]:
    """A connected engine whose loop runs; on leaving it is stopped hard and closed.

    `desk` says what is quoted (four ETH options unless given), `config` and `flags` anything else.
    `line` leads from the venue's URL to the one the engine is given. With `scale`, the time of both
    runs that much faster than the wall's.
    """
    async with HastyVenue(options, scale) as venue, line(venue.rest_url) as url:
        given = (FLAGS if desk is None else desk) | {"--sim-url": url}
        given |= {f"--{name.replace('_', '-')}": text for name, text in flags.items()}
        engine = await assemble(load_config(given, config), Clock(scale), timing)
        patient(engine, scale)
        events: list[ev.Event] = []
        intents: list[Intent] = []

        def watch(happened: Sequence[ev.Event], wanted: Sequence[Intent], now_ns: int) -> None:
            events.extend(happened)
            intents.extend(wanted)

        engine.runner.observers.append(watch)
        leave = asyncio.Event()
        try:
            await connected(engine, scale)
            running = asyncio.ensure_future(engine.runner.run(leave, None))
            yield Live(engine, venue, events, intents, running)
        finally:
            leave.set()
            with suppress(UnboundLocalError, asyncio.CancelledError):
                await running
            await engine.close(0)
