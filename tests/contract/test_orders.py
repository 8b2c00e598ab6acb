"""Orders: placed, refused, moved, cancelled, and every one accounted for."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.capabilities import CancelScope, Draws, Move
from mmbot.core.intents import Cancel, CancelAll, Place
from mmbot.core.labels import is_ours
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import OpenOrder
from mmbot.core.types import Label, Side, instrument_name
from mmbot.core.why import Why
from tests.contract.bench import World, terms_of
from tests.contract.client import Client, client_on
from tests.contract.conftest import Start

TERMS = ("label", "instrument", "side", "price", "amount", "filled")
"""What is told of an order, beside its id and when."""


def apart(told: Sequence[OpenOrder], true: Sequence[OpenOrder]) -> list[str]:
    """Where what is told of orders is not as it is. What is not told of one is no difference, and
    an account may have orders of other people's that the bench knows nothing of."""
    found = [f"told twice: {told}"] if len({one.order_id for one in told}) < len(told) else []
    there = {one.order_id: one for one in true}
    found += [f"not told: {there[one]}" for one in there.keys() - {one.order_id for one in told}]
    for one in told:
        truth = there.get(one.order_id)
        said = [name for name in TERMS if getattr(one, name) is not None]
        if truth is None:
            found += [f"there is no {one}"] if is_ours(one.label) else []
        elif any(getattr(one, name) != getattr(truth, name) for name in said):
            found.append(f"{one} but {truth}")
    return found


async def agreed(client: Client) -> None:
    """The venue's word in a look is the truth, and nothing in it is in doubt."""
    looked = await client.taken()
    assert looked.orders_complete
    assert apart(looked.orders, client.bench.orders()) == []


async def refused(client: Client, order: Place) -> ev.RequestRefused:
    """That a place is refused, and that this left nothing."""
    client.venue.submit([order])
    said = await client.refused(order.label)
    assert said.request is Request.PLACE
    assert said.stands is not True, "there is no order"
    assert said.detail
    assert order.label not in {one.label for one in client.bench.orders()}
    return said


async def ended(client: Client, label: Label) -> None:
    """That the venue says the order is over, in a push, an answer or a look."""
    states = (OrderState.CANCELLED, OrderState.FILLED)
    await client.hear(ev.OrderSeen, lambda e: e.label == label and e.state in states)
    assert label not in {one.label for one in client.bench.orders()}


async def test_listing_round_trip(start: Start) -> None:
    async with start(World()) as bench, client_on(bench) as client:
        assert client.venue.unread_listings == {}
        truth = bench.listed()
        read = {one.name: terms_of(one) for one in client.listed.values()}
        assert {name: truth[name] for name in read} == read
        assert set(bench.instruments) <= read.keys()
        for one in client.listed.values():
            assert (one.venue, instrument_name(one.id)) == (bench.name, one.name)
            assert bench.id_of(one.name) == one.id
        public = bench.plugin.data(bench.site, bench.clock)
        try:
            assert {one.id: one for one in await public.open()} == client.listed
        finally:
            await public.close()


async def test_place(start: Start) -> None:
    async with start(World()) as bench, client_on(bench) as client:
        for side in Side:
            order = client.order(side)
            resting = await client.rests(order)
            assert apart([resting], [o for o in bench.orders() if o.label == order.label]) == []
            seen = [e for e in client.heard(ev.OrderSeen) if e.label == order.label]
            assert [e.answers for e in seen if e.answers] in ([], [Request.PLACE])
        await agreed(client)
        assert bench.trades() == []


async def test_post_only_cross_refused(start: Start) -> None:
    async with start(World()) as bench, client_on(bench) as client:
        for side in Side:
            crossing = client.order(side, price=client.a_price(side.opposite))
            said = await refused(client, crossing)
            assert said.why is Why.CROSSED_BOOK
        assert bench.trades() == []
        taking = client.order(Side.BUY, price=client.a_price(Side.SELL), post_only=False)
        client.venue.submit([taking])
        fill = await client.hear(ev.Filled, lambda e: e.fill.label == taking.label)
        assert fill.fill.key in {one.key for one in bench.trades()}, "the price was one to trade at"


async def test_grid_lot_and_notional_refused(start: Start) -> None:
    async with start(World()) as bench, client_on(bench) as client:
        instrument = client.instrument()
        grid, price = instrument.grid, client.a_price(Side.BUY, -1)
        half_a_tick = grid.tick_at(price) / 2
        lots = bench.amount + grid.amount_step / 2
        off_the_grid = client.order(price=price - half_a_tick)
        off_the_lot = client.order(price=price, amount=lots)
        if bench.snaps:
            await snapped(client, off_the_grid, price - 2 * half_a_tick, bench.amount)
            await snapped(client, off_the_lot, price, bench.amount)
        else:
            await refused(client, off_the_grid)
            await refused(client, off_the_lot)
        await refused(client, client.order(price=price, amount=grid.min_amount / 2))
        if grid.min_notional is not None:
            least = grid.least_amount(price)
            await refused(client, client.order(price=price, amount=least - grid.amount_step))
        smallest = grid.least_amount(price)
        await client.rests(client.order(price=price, amount=smallest))
        assert [one.amount for one in bench.ours()] == [smallest]


async def snapped(client: Client, order: Place, price: Decimal, amount: Decimal) -> None:
    """That a place is carried out on the grid, no nearer to the market and no larger, and told as
    it is."""
    resting = await client.rests(order)
    (there,) = client.bench.ours()
    assert (there.price, there.amount) == (price, amount)
    seen = await client.seen(order.label)
    assert (seen.price, seen.amount) == (price, amount)
    client.cancel(resting)
    await ended(client, order.label)


async def moved(client: Client, resting: OpenOrder, price: Decimal, amount: Decimal) -> Place:
    """Ask for an order to be moved the way this venue moves one; the order as it is to be."""
    again = client.order(price=price, amount=amount)
    client.venue.submit(
        client.bench.to_move(resting, price, amount, client.valid_until_ns(), again)
    )
    if client.bench.capabilities.move is Move.NONE:
        assert resting.label is not None
        await ended(client, resting.label)
        client.venue.submit([again])
    return again


async def test_move_as_declared(start: Start) -> None:
    async with start(World()) as bench, client_on(bench) as client:
        resting = await client.rests(client.order())
        price, amount = client.a_price(Side.BUY, -2), bench.amount / 2
        again = await moved(client, resting, price, amount)
        await bench.until(
            lambda: [(o.price, o.amount) for o in bench.ours()] == [(price, amount)], "moved"
        )
        (found,) = bench.ours()
        same = bench.capabilities.move is Move.SAME_ID
        assert (found.order_id == resting.order_id) is same
        assert found.label == (resting.label if same else again.label)
        assert found.label is not None
        await client.hear(
            ev.OrderSeen,
            lambda e: (e.label, e.price, e.amount) == (found.label, price, amount),
        )
        await agreed(client)
        assert len(bench.ours()) == 1


async def test_move_racing_a_fill(start: Start) -> None:
    """The fill is first: a move that comes too late brings nothing back, and hides no fill."""
    async with start(World()) as bench, client_on(bench) as client:
        resting = await client.rests(client.order())
        assert resting.label is not None
        how = bench.capabilities.move
        bench.late_request(Draws.CANCEL if how is Move.NONE else Draws.MOVE, 0.3)
        since, price = client.so_far, client.a_price(Side.BUY, -2)
        again = client.order(price=price)
        intents = bench.to_move(resting, price, bench.amount, client.valid_until_ns(), again)
        client.venue.submit(intents)
        bench.fill(resting.order_id, bench.amount)
        refused = await client.hear(
            ev.RequestRefused, lambda e: e.label in (resting.label, again.label), since
        )
        assert refused.stands is not True
        await client.seen(resting.label, OrderState.FILLED)
        told = {one.fill.key: one.fill.amount for one in client.heard(ev.Filled)}
        assert told == {one.key: one.amount for one in bench.trades()}
        assert sum(told.values()) == bench.amount
        assert bench.ours() == []
        await agreed(client)


async def test_replace_half_done(start: Start) -> None:
    """The old order is gone and the new one refused. Elsewhere that cannot be: a move that fails,
    is lost or is not answered leaves the order there was, or the moved one, and never two."""
    async with start(World(scale=4.0)) as bench, client_on(bench) as client:
        resting = await client.rests(client.order())
        assert resting.label is not None
        if bench.capabilities.move is Move.REPLACE:
            await moved(client, resting, client.a_price(Side.SELL), bench.amount)
            await ended(client, resting.label)
            await client.hear(ev.RequestRefused, lambda e: e.label != resting.label)
            assert bench.ours() == []
            return
        asked = Draws.CANCEL if bench.capabilities.move is Move.NONE else Draws.MOVE
        request = Request.CANCEL if asked is Draws.CANCEL else Request.AMEND
        for trouble, takes_effect in ((bench.lose_request, False), (bench.lose_reply, True)):
            trouble(asked)
            since, price = client.so_far, client.a_price(Side.BUY, -3)
            again = client.order(price=price)
            intents = bench.to_move(resting, price, bench.amount, client.valid_until_ns(), again)
            client.venue.submit(intents)
            unknown = await client.hear(ev.OutcomeUnknown, since=since)
            assert (unknown.label, unknown.request) == (resting.label, request)
            left = [one.price for one in bench.ours()]
            if not takes_effect:
                assert left == [resting.price]
            else:
                assert left == ([price] if bench.capabilities.move is Move.SAME_ID else [])
            await agreed(client)
        assert bench.most_in_a_slot == 1


async def test_cancel_of_live_filled_unknown(start: Start) -> None:
    async with start(World()) as bench, client_on(bench) as client:
        live = await client.rests(client.order())
        label = client.cancel(live)
        seen = await client.seen(label, OrderState.CANCELLED)
        assert seen.filled in (Decimal(0), None)
        filled = await client.rests(client.order())
        bench.fill(filled.order_id, bench.amount)
        assert filled.label is not None
        await client.seen(filled.label, OrderState.FILLED)
        client.cancel(filled)
        nobodys = replace(filled, order_id=bench.nobodys, label=client.label())
        client.cancel(nobodys)
        for wrong in (filled.label, nobodys.label):
            assert wrong is not None
            said = await client.refused(wrong)
            assert (said.request, said.stands is True) == (Request.CANCEL, False)
        assert bench.orders() == []
        assert sum(one.amount for one in bench.trades()) == bench.amount
        await agreed(client)


async def test_mass_cancel_spares_foreign(start: Start) -> None:
    """What takes back all that is ours leaves a person's order; what the venue offers to cancel
    all of something takes that, and no more."""
    async with start(World()) as bench, client_on(bench) as client:
        first, second = bench.instruments
        price = client.a_price(Side.BUY, -4)
        hers = bench.place_by_hand(first, Side.BUY, bench.amount, price)
        for number in (0, 1):
            for side in Side:
                await client.rests(client.order(side, number=number))
        if CancelScope.INSTRUMENT in bench.capabilities.cancels_all_of:
            here = [one for one in bench.ours() if one.instrument == bench.ids[1]]
            labels = tuple(one.label for one in here if one.label is not None)
            client.venue.submit([CancelAll(bench.name, bench.ids[1], labels, Why.PAUSED)])
            for label in labels:
                await client.seen(label, OrderState.CANCELLED)
            assert {one.instrument for one in bench.ours()} == {bench.ids[0]}, second
        assert len(bench.ours()) >= 2
        assert await client.venue.cancel_ours() == []
        assert [one.order_id for one in bench.orders()] == [hers]
        looked = await client.taken()
        assert [one for one in looked.orders if is_ours(one.label)] == []
        assert hers in {one.order_id for one in looked.orders}


async def test_partial_fill(start: Start) -> None:
    async with start(World()) as bench, client_on(bench) as client:
        order = client.order()
        resting = await client.rests(order)
        part = bench.amount / 4
        bench.fill(resting.order_id, part)
        first = await client.hear(ev.Filled)
        assert (first.fill.label, first.fill.amount) == (order.label, part)
        assert (first.fill.price, first.fill.side) == (order.price, Side.BUY)
        await agreed(client)
        bench.fill(resting.order_id, part)
        await client.hear(ev.Filled, lambda e: e.fill.key != first.fill.key)
        client.cancel(resting)
        over = await client.seen(order.label, OrderState.CANCELLED)
        assert over.filled in (2 * part, None)
        told = sorted((one.fill.key, one.fill.amount) for one in client.heard(ev.Filled))
        assert dict(told) == {one.key: one.amount for one in bench.trades()}
        assert bench.positions() == {bench.ids[0]: 2 * part}


async def test_duplicate_id(start: Start) -> None:
    """A label that is used already. Whether the venue takes it twice is its business; whatever
    rests then is told, each by an id of its own, and can be taken away."""
    async with start(World()) as bench, client_on(bench) as client:
        once = client.order()
        await client.rests(once)
        since = client.so_far
        twice = client.order(Side.BUY, ticks=-2, label=once.label)
        client.venue.submit([twice])
        await bench.until(lambda: answered(client, twice, since), "answered")
        resting = bench.ours()
        assert {one.label for one in resting} == {once.label}
        assert len({one.order_id for one in resting}) == len(resting)
        await agreed(client)
        for one in resting:
            client.venue.submit([Cancel(bench.ids[0], once.label, one.order_id, Why.ORPHAN)])
        await bench.until(lambda: bench.orders() == [], "all gone")
        await agreed(client)


def answered(client: Client, order: Place, since: int) -> bool:
    """Whether the venue has said anything of a place."""
    return any(
        (isinstance(one, ev.RequestRefused) and one.label == order.label)
        or (isinstance(one, ev.OrderSeen) and one.answers is Request.PLACE)
        for one in client.events[since:]
    )
