"""kill -9 at any message: after every restart the venue, the store and the engine say the same.

The venue runs in the test's process, the engine is the real `mmbot quote` as a child. One world
outlives all engines: somebody trades there all the time, whether or not we are there, and a
person's own order rests on the account. A kill strikes in the moment a message passes the venue,
the n-th since it was armed, counted in both directions; half of them count order requests and their
replies only, so that a request is in flight. Half strike while the venue ignores
cancel-on-disconnect, so that our orders are still there and must be taken over. Some strike while
the engine is still coming up.

After every restart, within 5 s of both links being up: our orders at the venue, in the store and in
the engine are equal, none unknown, none twice; positions and fills are equal; what was missed was
booked before the first order was sent.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Sized
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pytest

from mmbot.config import Mode
from mmbot.core.labels import is_ours
from mmbot.core.types import Label
from mmbot.errors import StoreError
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.orders import OrderType
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from tests.engine.live import here, key_of, until
from tests.wire.venue import MANY_STARTS

AGREE_S = 5.0
HOLD_S = 6.0
"""Nothing is placed so long after an earlier run whose requests may still be on their way."""
START_S = 20.0
MESSAGES_MAX = 200
ORDER_MESSAGES_MAX = 16
STARTING_MESSAGES_MAX = 60
"""About as many as pass until the first order is sent."""
OPTIONS = [f"ETH-6JUN25-{strike}-{right}" for strike in (2800, 2900) for right in "CP"]
ELSEWHERE = "ETH-6JUN25-3000-C"
"""Where a person's order rests and nobody trades."""
BACKFILL = "private/get_user_trades_by_currency_and_time"
ORDER_METHODS = frozenset(
    {"private/buy", "private/sell", "private/edit", "private/cancel", "private/cancel_all"}
)


async def start(venue: SimVenue, home: Path, desk: str = "") -> asyncio.subprocess.Process:
    """The command of four options; `desk` is what a desk file says besides."""
    command = [sys.executable, "-m", "mmbot", "quote", "--exchange", "deribit"]
    command += ["--expiry", "20250606", "--strikes", "2800,2900", "--sim-url", venue.rest_url]
    if desk:
        file = home.parent / "desk.toml"
        file.write_text(desk)
        command += ["--config", str(file)]
    with (home.parent / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )


def ours_at_venue(venue: SimVenue) -> dict[str, tuple[Decimal, Decimal]]:
    orders = venue.exchange.accounts[venue.account].open_orders.values()
    return {o.label: (o.price, o.amount) for o in orders if is_ours(Label(o.label))}


def positions_at_venue(venue: SimVenue) -> dict[str, Decimal]:
    held = venue.exchange.accounts[venue.account].positions
    return {name: position.size for name, position in held.items() if position.size}


def trades_at_venue(venue: SimVenue) -> list[str]:
    made = venue.exchange.accounts[venue.account].trades
    return sorted(key_of(one) for one in made)


class Tap:
    """Counts the messages of a venue in both directions, and strikes at the one it is told to."""

    def __init__(self, venue: SimVenue) -> None:
        self.requests: list[str] = []
        """Methods asked for, in order."""
        self._left = 0
        self._orders_only = False
        self._strike: Callable[[], None] = lambda: None
        protocol: Any = venue.protocol
        on_open, on_frame, on_rest = protocol.on_open, protocol.on_frame, protocol.on_rest

        def opened(write: Callable[[Any, str | None], None], *rest: Any) -> Any:
            def tapped(frame: Any, method: str | None) -> None:
                self._passes(method)
                write(frame, method)

            return on_open(tapped, *rest)

        def framed(session: Any, frame: str | bytes) -> None:
            method = orjson.loads(frame)["method"]
            self.requests.append(method)
            self._passes(method)
            on_frame(session, frame)

        def rested(method: str, *rest: Any) -> Any:
            self.requests.append(method)
            self._passes(method)
            answer = on_rest(method, *rest)
            self._passes(method)
            return answer

        protocol.on_open, protocol.on_frame, protocol.on_rest = opened, framed, rested

    def arm(self, message: int, strike: Callable[[], None], *, orders_only: bool) -> None:
        """Strike when so many further messages have passed."""
        self._left, self._strike, self._orders_only = message, strike, orders_only

    def _passes(self, method: str | None) -> None:
        if self._left and (method in ORDER_METHODS or not self._orders_only):
            self._left -= 1
            if not self._left:
                self._strike()


class Books:
    """What the store says, and what the engine says in there of itself."""

    @cached_property
    def _reader(self) -> Reader:
        """Only once there is a store."""
        return Reader(locate(Mode.SIM, os.environ))

    def orders(self) -> dict[str, tuple[Decimal, Decimal]]:
        return {o.label: (o.price, o.amount) for o in self._reader.open_orders()}

    def unknown(self) -> list[Label]:
        return [o.label for o in self._reader.open_orders() if o.status == "UNKNOWN"]

    def positions(self) -> dict[str, Decimal]:
        rows = self._reader.positions()
        return {r.instrument.partition(":")[2]: r.amount for r in rows if r.amount}

    def trades(self) -> list[str]:
        return sorted(row.fill.key for row in self._reader.fills())

    def engine(self, pid: int) -> Mapping[str, Any] | None:
        """What that engine last said of itself, once it has read the account."""
        [engine] = self._reader.engines()
        if engine.run.pid != pid or engine.status is None or engine.status["link"] != "up":
            return None
        return engine.status


Believed = dict[str, tuple[Decimal | None, Decimal | None, int, Decimal]]
"""Instrument -> our bid, our ask, how many orders of ours, position."""


def believed(status: Mapping[str, Any]) -> Believed:
    """What an engine says of itself."""
    rows = {
        row["instrument"]: (
            _price(row["our_bid"]),
            _price(row["our_ask"]),
            int(row["open_orders"]),
            Decimal(str(row["position"])),
        )
        for row in status["rows"]
    }
    return {name: row for name, row in rows.items() if row != (None, None, 0, Decimal(0))}


def to_believe(venue: SimVenue) -> Believed:
    """The same, as it is."""
    orders = [
        o
        for o in venue.exchange.accounts[venue.account].open_orders.values()
        if is_ours(Label(o.label))
    ]
    positions = positions_at_venue(venue)
    rows: Believed = {}
    for name in sorted({o.name for o in orders} | set(positions)):
        here = [o for o in orders if o.name == name]
        bids = [o.price for o in here if o.side is Side.BUY]
        asks = [o.price for o in here if o.side is Side.SELL]
        position = positions.get(name, Decimal(0))
        rows[name] = (max(bids, default=None), min(asks, default=None), len(here), position)
    return rows


def _price(text: object) -> Decimal | None:
    return None if text is None else Decimal(str(text))


def differences(venue: SimVenue, books: Books, pid: int) -> list[str]:
    """Everything that venue, store and engine do not agree about."""
    try:
        status = books.engine(pid)
        pairs = {
            "orders": (ours_at_venue(venue), books.orders()),
            "positions": (positions_at_venue(venue), books.positions()),
            "fills": (trades_at_venue(venue), books.trades()),
            "engine": (to_believe(venue), believed(status) if status is not None else None),
            "unknown": ([], books.unknown()),
        }
    except StoreError as error:
        return [str(error)]
    return [f"{what}: {at} but {said}" for what, (at, said) in pairs.items() if at != said]


async def agreed(venue: SimVenue, books: Books, pid: int) -> None:
    """Venue, store and engine say the same, soon enough, also when there are quotes again, and no
    slot is filled twice."""
    await same_everywhere(lambda: differences(venue, books, pid), lambda: ours_at_venue(venue))
    orders = venue.exchange.accounts[venue.account].open_orders.values()
    slots = [(o.name, o.side) for o in orders if is_ours(Label(o.label))]
    assert len(slots) == len(set(slots)), f"two orders in one slot: {slots}"


async def same_everywhere(
    differences: Callable[[], Sequence[str]], *quotes: Callable[[], Sized]
) -> None:
    """Nothing differs soon after the start, and again when each of `quotes` has some."""
    last: list[str] = []

    def same() -> bool:
        last[:] = differences()
        return not last

    def quoting() -> bool:
        return all(map(len, (of() for of in quotes))) and same()

    try:
        await until(same, "agreement", here(AGREE_S))
        await until(quoting, "agreement about quotes", here(HOLD_S + AGREE_S))
    except AssertionError as error:
        raise AssertionError(f"{error}\n" + "\n".join(last)) from None


async def kill_and_restart(seed: int, kills: int, home: Path) -> None:
    """One world, `kills` engines that die in it, and one that leaves in an orderly way."""
    dice = random.Random(f"crash {seed}")
    deaf = [kill % 2 == 0 for kill in range(kills)]
    in_flight = [kill % 4 < 2 for kill in range(kills)]
    dice.shuffle(deaf)
    dice.shuffle(in_flight)
    async with SimVenue(VenueOptions(seed=seed, rules=MANY_STARTS)) as venue:
        tap, books, market = Tap(venue), Books(), Takers(venue, dice)
        hers = NewOrder(
            name=ELSEWHERE, side=Side.BUY, amount=Decimal(2), price=Decimal("0.001"), label="hers"
        )
        assert isinstance(venue.exchange.place(venue.account, hers, venue.now_ms()), Placed)
        for kill in range(kills):
            venue.protocol.rules = replace(
                venue.protocol.rules, ignore_cancel_on_disconnect=deaf[kill]
            )
            while_starting = dice.random() < 0.2
            most = ORDER_MESSAGES_MAX if in_flight[kill] else MESSAGES_MAX
            message = dice.randint(1, STARTING_MESSAGES_MAX if while_starting else most)
            async with an_engine(venue, home) as engine:
                if not while_starting:
                    await restarted(venue, tap, market, books, engine.pid)
                tap.arm(message, engine.kill, orders_only=in_flight[kill])
                assert await asyncio.wait_for(engine.wait(), START_S) == -signal.SIGKILL
            await until(lambda: venue.connections == 0, "the venue notices")
        async with an_engine(venue, home) as engine:
            await restarted(venue, tap, market, books, engine.pid)
            await market.stop()
            assert trades_at_venue(venue), "the market traded with us"
            engine.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(engine.wait(), START_S) == 0
        assert ours_at_venue(venue) == {}
        assert books.orders() == {}
        assert books.positions() == positions_at_venue(venue)
        assert books.trades() == trades_at_venue(venue)


@asynccontextmanager
async def an_engine(venue: SimVenue, home: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """An engine that does not outlive the test."""
    engine = await start(venue, home)
    try:
        yield engine
    finally:
        if engine.returncode is None:
            engine.kill()
            await engine.wait()


async def restarted(venue: SimVenue, tap: Tap, market: "Takers", books: Books, pid: int) -> None:
    """A new engine is there, and all is as it must be."""
    begun = len(tap.requests)
    await until(lambda: venue.connections >= 2, "both links", START_S)
    await market.stop()
    venue.freeze()  # a standing market: both sides can be read at leisure
    await agreed(venue, books, pid)
    asked = tap.requests[begun:]
    sent = [asked.index(m) for m in ("private/buy", "private/sell", "private/edit") if m in asked]
    assert BACKFILL in asked, "the account is read before anything is quoted"
    assert asked.index(BACKFILL) < min(sent, default=len(asked)), asked
    left = venue.exchange.accounts[venue.account].open_orders.values()
    assert [o.label for o in left if not is_ours(Label(o.label))] == ["hers"]
    venue.thaw()
    market.go_on()


async def test_killed_at_any_message_and_restarted(home: Path) -> None:
    await kill_and_restart(1, 10, home)


@pytest.mark.long
async def test_killed_fifty_times_in_one_world(home: Path) -> None:
    await kill_and_restart(2, 50, home)


class Takers:
    """Somebody who trades through the best prices, back and forth, until stopped."""

    def __init__(
        self, venue: SimVenue, dice: random.Random, names: Sequence[str] = OPTIONS, lot: int = 1
    ) -> None:
        self._venue = venue
        self._dice = dice
        self._names = names
        self._lot = lot
        self._trading: asyncio.Future[None] | None = None
        venue.exchange.open_account("taker", {"ETH": Decimal(10**6)}, followed=False)
        self.go_on()

    def go_on(self) -> None:
        self._trading = asyncio.ensure_future(self._trade())

    async def stop(self) -> None:
        """Whatever went wrong with the trading is said here."""
        assert self._trading is not None
        self._trading.cancel()
        with suppress(asyncio.CancelledError):
            await self._trading

    async def _trade(self) -> None:
        venue, dice = self._venue, self._dice
        while True:
            await asyncio.sleep(dice.uniform(0.05, 0.3))
            wish = NewOrder(
                name=dice.choice(self._names),
                side=dice.choice((Side.BUY, Side.SELL)),
                amount=Decimal(dice.randint(1, 20) * self._lot),
                type=OrderType.MARKET,
            )
            venue.exchange.place("taker", wish, venue.now_ms())
            venue.publish()
