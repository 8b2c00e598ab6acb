"""The plug-in's Venue on a bench: what it is sent, and what it says."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.intents import Cancel, Place, Resync
from mmbot.core.labels import label_of
from mmbot.core.order_life import OrderState
from mmbot.core.statements import OpenOrder
from mmbot.core.types import InstrumentId, Label, Side, TimeInForce
from mmbot.core.why import Why
from mmbot.errors import VenueUnreachable
from mmbot.venues.base import Venue
from mmbot.venues.timing import Timing
from tests.contract.bench import Bench
from tests.contract.law import contradictions

E = TypeVar("E", bound=ev.Event)
T = TypeVar("T")

UNHURRIED = Timing(probe_timeout_s=60.0)
"""A stall of this machine is no silence of the venue's, however fast the clock."""


@dataclass
class Client:
    """A connected Venue, and everything it has said."""

    bench: Bench
    venue: Venue
    listed: dict[InstrumentId, Instrument]
    events: list[ev.Event] = field(default_factory=list)
    numbers: Iterable[int] = field(default_factory=itertools.count)

    # --- what it says ---

    def heard(self, kind: type[E], fits: Callable[[E], object] = lambda _: True) -> list[E]:
        """Everything of a kind so far that fits."""
        return [one for one in self.events if isinstance(one, kind) and fits(one)]

    async def hear(
        self,
        kind: type[E],
        fits: Callable[[E], object] = lambda _: True,
        since: int = 0,
    ) -> E:
        """The first one that fits, among those after the first `since` events, come or to come."""

        def found() -> list[E]:
            return [one for one in self.events[since:] if isinstance(one, kind) and fits(one)]

        await self.bench.until(found, f"{kind.__name__} after {self.events[-5:]}")
        return found()[0]

    @property
    def so_far(self) -> int:
        """How much it has said; see `hear`."""
        return len(self.events)

    async def refused(self, label: Label, since: int = 0) -> ev.RequestRefused:
        """A request about an order of ours is told to be refused."""
        return await self.hear(ev.RequestRefused, lambda e: e.label == label, since)

    async def seen(self, label: Label, state: OrderState = OrderState.OPEN) -> ev.OrderSeen:
        """What it says of an order of ours in that state."""
        return await self.hear(ev.OrderSeen, lambda e: e.label == label and e.state is state)

    # --- what it is sent ---

    def instrument(self, number: int = 0) -> Instrument:
        """One of the two that are traded."""
        return self.listed[self.bench.ids[number]]

    def a_price(self, side: Side, ticks: int = 0, number: int = 0) -> Decimal:
        """The best price others have on a side, `ticks` nearer to the market; below 0: further
        from it."""
        bids, asks = self.bench.book(self.bench.instruments[number])
        grid = self.instrument(number).grid
        best = Decimal(repr((bids if side is Side.BUY else asks)[0][0]))
        return grid.step_price(best, ticks * side.sign)

    def label(self) -> Label:
        """One that nothing has had."""
        return label_of("contract", next(iter(self.numbers)))

    def valid_until_ns(self) -> int:
        """How long a request of now is good."""
        valid_for_ns = self.bench.capabilities.takes_effect_within_ns
        return self.bench.clock.now_ns() + valid_for_ns

    def order(
        self,
        side: Side = Side.BUY,
        *,
        ticks: int = -1,
        number: int = 0,
        price: Decimal | None = None,
        amount: Decimal | None = None,
        label: Label | None = None,
        post_only: bool = True,
    ) -> Place:
        """A place, not sent yet: passive unless told otherwise."""
        return Place(
            instrument=self.bench.ids[number],
            label=label or self.label(),
            side=side,
            price=self.a_price(side, ticks, number) if price is None else price,
            amount=self.bench.amount if amount is None else amount,
            post_only=post_only,
            reduce_only=False,
            valid_until_ns=self.valid_until_ns(),
            why=Why.QUOTED,
            time_in_force=TimeInForce.GTC if post_only else TimeInForce.IOC,
        )

    async def rests(self, order: Place) -> OpenOrder:
        """Place it, and wait until it is told to rest; the order by the venue's word."""
        self.venue.submit([order])
        seen = await self.seen(order.label)
        return OpenOrder(
            seen.order_id,
            order.label,
            order.instrument,
            order.side,
            order.price,
            order.amount,
            seen.filled,
        )

    def cancel(self, resting: OpenOrder) -> Label:
        """Ask to have it taken away; its label."""
        assert resting.instrument is not None
        assert resting.label is not None
        order = Cancel(resting.instrument, resting.label, resting.order_id, Why.NOT_WANTED)
        self.venue.submit([order])
        return resting.label

    async def look(
        self, *labels: Label, flows: bool = False, number: int = 0
    ) -> ev.SnapshotTaken | ev.SnapshotFailed:
        """The venue's word on everything, and on these labels by name."""
        since, since_ms = self.so_far, self.bench.now_ms() - 3_600_000
        asked = tuple((self.bench.ids[number], label) for label in labels)
        flows_ms = since_ms if flows else None
        resync = Resync(self.bench.name, since_ms, flows_ms, asked, Why.RECONCILING)
        self.venue.submit([resync])
        kinds = (ev.SnapshotTaken, ev.SnapshotFailed)
        await self.bench.until(
            lambda: any(isinstance(one, kinds) for one in self.events[since:]), "a look"
        )
        return next(one for one in self.events[since:] if isinstance(one, kinds))

    async def taken(self, *labels: Label, flows: bool = False) -> ev.SnapshotTaken:
        """The same, which must succeed: asked again where it does not."""
        for _ in range(20):
            looked = await self.look(*labels, flows=flows)
            if isinstance(looked, ev.SnapshotTaken):
                return looked
            await self.bench.pass_s(0.5)
        raise AssertionError(f"no look succeeds: {looked}")

    async def link(self, link: ev.Link, *, up: bool, since: int = 0) -> int:
        """A link is told to be up or down; which event that is."""
        told = await self.hear(ev.LinkChanged, lambda e: (e.link, e.up) == (link, up), since)
        return self.events.index(told, since)

    async def down_and_up(self, link: ev.Link, since: int) -> None:
        """A link is told to be down, and later up again."""
        await self.link(link, up=True, since=await self.link(link, up=False, since=since))

    async def of(
        self, kind: type[ev.BookChanged | ev.BookLost], instrument: InstrumentId, since: int = 0
    ) -> None:
        """A book is told, or told to be lost."""
        await self.hear(kind, lambda e: e.instrument == instrument, since)

    async def both_up(self) -> None:
        """Both links are up, and both books are there."""
        for link in ev.Link:
            await self.link(link, up=True)
        for one in self.bench.ids:
            await self.of(ev.BookChanged, one)


@asynccontextmanager
async def client_on(bench: Bench, timing: Timing = UNHURRIED) -> AsyncIterator[Client]:
    """The plug-in's Venue, connected, with both links up."""
    venue = bench.plugin.trading(bench.site, bench.credentials, bench.clock, timing)
    try:
        listed = {one.id: one for one in await again(venue.open)}
        client = Client(bench, venue, listed)
        traded = [listed[one] for one in bench.ids]
        await again(lambda: venue.connect(client.events.append, traded))
        await client.both_up()
        yield client
        doubled = [label for label, count in Counter(bench.labels).items() if count > 1]
        assert contradictions(bench.capabilities, client.events, doubled) == []
    finally:
        await venue.close()


async def again(begin: Callable[[], Awaitable[T]]) -> T:
    """Begin something. Scaled deadlines are short for a machine that is busy: then once more."""
    for _ in range(3):
        with suppress(VenueUnreachable):
            return await begin()
    return await begin()
