"""Two accounts at one kind of venue: each speaks under its own name, and of its own orders."""

from dataclasses import dataclass, field

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.intents import Place, Resync
from mmbot.core.labels import is_ours
from mmbot.core.types import SECOND, Label, Side
from mmbot.core.why import Why
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.venues.base import Venue
from mmbot.venues.canceller import Way
from mmbot.venues.credentials import Credentials
from mmbot.venues.plugin import plugin_of
from mmbot.venues.site import Site
from mmbot.venues.timing import USUAL
from tests.engine.live import until

KEYS = Credentials({"key": "sim", "secret": "sim"})
CALL_LIMIT_S = 10.0
SAID = {ev.LinkChanged, ev.LinkAlive, ev.LimitsRead, ev.BookChanged, ev.TickerChanged, ev.OrderSeen}


@dataclass(slots=True)
class Account:
    """One of two accounts, connected, and everything it has said."""

    site: Site
    venue: Venue
    clock: Clock
    instrument: Instrument
    events: list[ev.Event] = field(default_factory=list)

    async def heard(self, *kinds: type) -> None:
        await until(lambda: {*kinds} <= {type(event) for event in self.events}, self.site.name)

    def place(self, label: str) -> None:
        price = self.instrument.snap_price(1000.0, Side.BUY)
        assert price is not None
        until_ns = self.clock.now_ns() + 10 * SECOND
        amount, instrument = self.instrument.grid.min_amount, self.instrument.id
        self.venue.submit(
            [
                Place(
                    instrument,
                    Label(label),
                    Side.BUY,
                    price,
                    amount,
                    post_only=True,
                    reduce_only=False,
                    valid_until_ns=until_ns,
                    why=Why.QUOTED,
                )
            ]
        )


async def connected(name: str, simulated: SimVenue) -> Account:
    clock, site = Clock(), Site(Mode.SIM, name, "deribit", simulated.rest_url)
    clock.set_to_ms(simulated.now_ms())
    venue = plugin_of(site.kind).trading(site, KEYS, clock, USUAL)
    listed = await venue.open()
    assert {one.venue for one in listed} == {name}
    (perpetual,) = (one for one in listed if one.name == "ETH-PERPETUAL")
    account = Account(site, venue, clock, perpetual)
    await venue.connect(account.events.append, [perpetual])
    return account


def names_in(events: list[ev.Event]) -> set[str]:
    """The venues that events speak of, by a field or by the id of an instrument."""
    found: set[str] = set()
    for event in events:
        rows = [event, *getattr(event, "orders", ()), *getattr(event, "positions", ())]
        for row in rows:
            named = getattr(row, "venue", None), getattr(row, "instrument", None)
            found |= {one.partition(":")[0] for one in named if isinstance(one, str)}
    return found


def at_venue(simulated: SimVenue) -> set[str]:
    orders = simulated.exchange.accounts[simulated.account].open_orders.values()
    return {order.label for order in orders if is_ours(Label(order.label))}


async def test_two_accounts_work_side_by_side_under_their_own_names() -> None:
    still = [VenueOptions(flow_scale=0.0, world_id=world) for world in ("1", "2")]
    async with SimVenue(still[0]) as first, SimVenue(still[1]) as second:
        options = await connected("options", first)
        hedge = await connected("hedge-2", second)
        try:
            assert await options.venue.account() == "sim-1"
            assert await hedge.venue.account() == "sim-2"
            for account, label in ((options, "mm1-1"), (hedge, "mm1-2")):
                account.place(label)
            for account in (options, hedge):
                await account.heard(*SAID)
                account.venue.submit([Resync(account.site.name, 0, 0, (), Why.STARTING)])
                await account.heard(ev.SnapshotTaken)
                assert names_in(account.events) == {account.site.name}
            assert (at_venue(first), at_venue(second)) == ({"mm1-1"}, {"mm1-2"})
            await _emptied(hedge)
            assert (at_venue(first), at_venue(second)) == ({"mm1-1"}, set())
            assert await options.venue.cancel_ours() == []
            assert at_venue(first) == set()
        finally:
            await options.venue.close()
            await hedge.venue.close()


async def _emptied(account: Account) -> None:
    """By the kill switch's own path, which speaks of it under the same name."""
    canceller = plugin_of("deribit").canceller(account.site, KEYS, account.clock, CALL_LIMIT_S)
    try:
        look = await canceller.look(Way.REST)
        (order,) = look.ours
        assert order.instrument == account.instrument.id
        await canceller.cancel(Way.WEBSOCKET, look.ours, look.others, look.unread)
        assert (await canceller.look(Way.WEBSOCKET)).ours == ()
    finally:
        await canceller.close()
