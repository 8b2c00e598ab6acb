"""Our client of Derive and the simulated venue, over sockets: they share no code, and each is held
against the venue's specification by itself. Whatever the venue's manners."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

import pytest

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.intents import Cancel, CancelAll, Place, Replace, Resync
from mmbot.core.order_life import OrderState, Request
from mmbot.core.types import SECOND, Label, Side, TimeInForce
from mmbot.core.why import Why
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.server import Venue as Simulated
from mmbot.sim.wire.world import FaceOptions
from mmbot.venues.base import Venue
from mmbot.venues.canceller import Way
from mmbot.venues.credentials import Credentials
from mmbot.venues.plugin import plugin_of
from mmbot.venues.site import Site
from mmbot.venues.timing import USUAL
from tests.sim.wire.derive.venue import served

T = TypeVar("T", bound=ev.Event)

WAIT_S = 30.0
CALL, PERP = "ETH-20250606-2800-C", "ETH-PERP"
OLD, NEW, THIRD = Label("mm7-1"), Label("mm7-2"), Label("mm7-3")


@dataclass
class Met:
    """Our client at the simulated venue, and what it told."""

    simulated: Simulated
    site: Site
    keys: Credentials
    clock: Clock
    venue: Venue
    told: list[ev.Event] = field(default_factory=list)
    listed: dict[str, Instrument] = field(default_factory=dict)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.told if isinstance(event, kind)]

    def seen(self, label: Label, state: OrderState) -> list[ev.OrderSeen]:
        return [o for o in self.of(ev.OrderSeen) if (o.label, o.state) == (label, state)]

    async def comes(self, found: Callable[[], object], what: str) -> None:
        """Wait for it, not for a time."""
        end_s = asyncio.get_running_loop().time() + WAIT_S
        while not found():
            assert asyncio.get_running_loop().time() < end_s, what
            await asyncio.sleep(0.02)

    def place(self, name: str, label: Label, price: Decimal, **changes: object) -> None:
        one = self.listed[name]
        valid_ns = self.clock.now_ns() + 10 * SECOND
        terms = (one.id, label, Side.BUY, price, one.grid.min_amount)
        given = {"post_only": True, "reduce_only": False, "valid_until_ns": valid_ns}
        self.venue.submit([Place(*terms, why=Why.QUOTED, **(given | changes))])  # type: ignore[arg-type]

    def replace(self, name: str, old: Label, order_id: str, new: Label, price: Decimal) -> None:
        one = self.listed[name]
        valid_ns = self.clock.now_ns() + 10 * SECOND
        terms = (Side.BUY, price, one.grid.min_amount, True, False, valid_ns, Why.MOVED)
        self.venue.submit([Replace(one.id, old, order_id, new, *terms)])

    async def snapshot(self, *labels: Label) -> ev.SnapshotTaken:
        count, since_ms = len(self.of(ev.SnapshotTaken)), self.clock.now_ms() - 60_000
        wanted = tuple((self.listed[PERP].id, label) for label in labels)
        self.venue.submit([Resync("derive", since_ms, since_ms, wanted, Why.STARTING)])
        await self.comes(lambda: len(self.of(ev.SnapshotTaken)) > count, "a look")
        return self.of(ev.SnapshotTaken)[-1]

    def touch(self, name: str) -> tuple[Decimal, Decimal]:
        """The best prices of the last book."""
        told = [one for one in self.of(ev.BookChanged) if one.instrument == self.listed[name].id]
        return Decimal(str(told[-1].bids[0][0])), Decimal(str(told[-1].asks[0][0]))


@asynccontextmanager
async def met(manner: Manner = Manner.THIN) -> AsyncIterator[Met]:
    """Both of them, connected."""
    face = FaceOptions(name="derive", kind="derive", manners=manner)
    async with served(face) as (simulated,):
        at, clock = simulated.endpoints, Clock()
        clock.set_to_ms(simulated.now_ms())
        site = Site(Mode.SIM, "derive", "derive", at.rest)
        login = {key: str(value) for key, value in at.login.items()}
        parts = {"wallet": "wallet", "subaccount": "subaccount_id", "key": "session_key"}
        keys = Credentials({part: login[name] for part, name in parts.items()})
        venue = plugin_of("derive").trading(site, keys, clock, USUAL)
        pair = Met(simulated, site, keys, clock, venue)
        try:
            pair.listed = {one.name: one for one in await venue.open()}
            wanted = [pair.listed[CALL], pair.listed[PERP]]
            await venue.account()
            await venue.connect(pair.told.append, wanted)
            books = {one.id for one in wanted}
            await pair.comes(
                lambda: {b.instrument for b in pair.of(ev.BookChanged)} == books, "books"
            )
            yield pair
        finally:
            await venue.close()


@pytest.mark.parametrize("manner", list(Manner))
async def test_an_order_lives_its_life(manner: Manner) -> None:
    async with met(manner) as pair:
        bid, _ = pair.touch(PERP)
        low = (bid * Decimal("0.97")).quantize(Decimal("0.01"))
        pair.place(PERP, OLD, low)
        await pair.comes(lambda: pair.seen(OLD, OrderState.OPEN), "it rests")
        order_id = pair.seen(OLD, OrderState.OPEN)[0].order_id
        pair.replace(PERP, OLD, order_id, NEW, low + 1)
        await pair.comes(lambda: pair.seen(NEW, OrderState.OPEN), "its successor rests")
        assert pair.seen(OLD, OrderState.CANCELLED)
        told = await pair.snapshot(OLD)
        assert [order.label for order in told.orders if order.label == NEW] == [NEW]
        ((label, seen),) = told.lookups
        assert label == OLD
        assert seen is not None
        assert seen.state is OrderState.CANCELLED
        new_id = pair.seen(NEW, OrderState.OPEN)[0].order_id
        pair.venue.submit([Cancel(pair.listed[PERP].id, NEW, new_id, Why.STOPPING)])
        await pair.comes(lambda: pair.seen(NEW, OrderState.CANCELLED), "it ends")
        assert not pair.of(ev.RequestRefused)


@pytest.mark.parametrize("manner", list(Manner))
async def test_a_replace_that_would_cross_ends_the_old_order_alone(manner: Manner) -> None:
    async with met(manner) as pair:
        bid, ask = pair.touch(PERP)
        pair.place(PERP, OLD, (bid * Decimal("0.97")).quantize(Decimal("0.01")))
        await pair.comes(lambda: pair.seen(OLD, OrderState.OPEN), "it rests")
        order_id = pair.seen(OLD, OrderState.OPEN)[0].order_id
        crossing = (ask * Decimal("1.005")).quantize(Decimal("0.01"))
        pair.replace(PERP, OLD, order_id, NEW, crossing)
        await pair.comes(lambda: pair.of(ev.RequestRefused), "no successor")
        (refused,) = pair.of(ev.RequestRefused)
        assert (refused.label, refused.request, refused.stands) == (NEW, Request.PLACE, False)
        assert refused.why is Why.CROSSED_BOOK
        assert pair.seen(OLD, OrderState.CANCELLED)
        told = await pair.snapshot(NEW)
        assert told.lookups == ((NEW, None),)


@pytest.mark.parametrize("manner", list(Manner))
async def test_what_takes_is_told_as_fills_with_fees_and_held(manner: Manner) -> None:
    async with met(manner) as pair:
        _, ask = pair.touch(PERP)
        price = (ask * Decimal("1.005")).quantize(Decimal("0.01"))
        pair.place(PERP, OLD, price, post_only=False, time_in_force=TimeInForce.IOC)
        await pair.comes(lambda: pair.seen(OLD, OrderState.FILLED), "it trades")
        told = await pair.snapshot()
        size = pair.listed[PERP].grid.min_amount
        held = {one.instrument: one.amount for one in told.positions}
        assert held[pair.listed[PERP].id] == size
        fills = {one.fill.key: one.fill for one in pair.of(ev.Filled) if one.fill.label == OLD}
        assert sum(fill.amount for fill in fills.values()) == size
        assert all(fill.fee > 0 and fill.fee_currency == "USDC" for fill in fills.values())
        assert set(fills) <= {fill.key for fill in told.fills}
        (equity,) = told.equity
        assert equity.currency == "USDC"


async def test_orders_go_by_label_and_all_together() -> None:
    async with met() as pair:
        pair.place(CALL, OLD, Decimal("10"))
        pair.place(CALL, NEW, Decimal("10.1"))
        pair.place(PERP, THIRD, pair.touch(PERP)[0] - 50)
        await pair.comes(lambda: pair.seen(THIRD, OrderState.OPEN), "they rest")
        pair.venue.submit([Cancel(pair.listed[CALL].id, OLD, "", Why.STOPPING)])
        await pair.comes(lambda: pair.seen(OLD, OrderState.CANCELLED), "one goes")
        of_one = CancelAll("derive", pair.listed[CALL].id, (NEW,), Why.STOPPING)
        pair.venue.submit([of_one])
        await pair.comes(lambda: pair.seen(NEW, OrderState.CANCELLED), "those of the option go")
        assert not pair.seen(THIRD, OrderState.CANCELLED)
        pair.venue.submit([CancelAll("derive", None, (THIRD,), Why.STOPPING)])
        await pair.comes(lambda: pair.seen(THIRD, OrderState.CANCELLED), "all go")


async def test_another_process_takes_back_ours_and_the_engine_stays_connected() -> None:
    async with met() as pair:
        pair.place(PERP, OLD, pair.touch(PERP)[0] - 50)
        pair.place(PERP, Label("by hand"), pair.touch(PERP)[0] - 60)
        await pair.comes(lambda: pair.seen(Label("by hand"), OrderState.OPEN), "they rest")
        outside = plugin_of("derive").canceller(pair.site, pair.keys, pair.clock, 5.0)
        try:
            look = await outside.look(Way.REST)
            assert [order.label for order in look.ours] == [OLD]
            await outside.cancel(Way.REST, look.ours, look.others, look.unread)
            await pair.comes(lambda: pair.seen(OLD, OrderState.CANCELLED), "ours goes")
            assert await outside.account(Way.REST) == await pair.venue.account()
        finally:
            await outside.close()
        left = await pair.snapshot()
        assert Label("by hand") in [order.label for order in left.orders]
        assert not [link for link in pair.of(ev.LinkChanged) if not link.up]


async def test_the_end_of_the_trading_line_takes_the_orders_along_and_it_comes_back() -> None:
    async with met() as pair:
        pair.place(PERP, OLD, pair.touch(PERP)[0] - 50)
        await pair.comes(lambda: pair.seen(OLD, OrderState.OPEN), "it rests")
        pair.simulated.sever()
        await pair.comes(lambda: [c for c in pair.of(ev.LinkChanged) if not c.up], "both break")
        await asyncio.sleep(0)
        await pair.comes(
            lambda: {c.link for c in pair.of(ev.LinkChanged)[-2:] if c.up} == set(ev.Link),
            "both are back",
        )
        told = await pair.snapshot(OLD)
        assert told.orders == ()
        ((_, seen),) = told.lookups
        assert seen is not None
        assert seen.state is OrderState.CANCELLED
