"""What goes wrong between us and Derive, each fault as it looks on the wire: real sockets, the real
client and engine, and the simulated venue.

The contract (tests/contract) has the faults that every venue has; here are this one's own.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Sized
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.core import events as ev
from mmbot.core.capabilities import Draws
from mmbot.core.intents import Replace
from mmbot.core.labels import is_ours
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import OpenOrder
from mmbot.core.types import Side
from mmbot.core.why import Why
from mmbot.errors import ExitCode
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.wire.frame import Frame
from tests.contract.bench import World
from tests.contract.client import Client, client_on
from tests.contract.commands import mmbot, to_quote
from tests.contract.desk import Desk, desk_on
from tests.contract.test_orders import agreed, ended, moved
from tests.contract.venues.derive import DeriveBench

CREATES_MISSED = 100
EVERY_TENTH = 10
ORDERS_MANY = 60
UNCONFIRMED = {"code": 9000, "message": "Order confirmation timeout", "data": None}
STAYING = World(scale=4.0, dead_man_works=False)
TOLERANT = Path(__file__).with_name("tolerant.toml")


@asynccontextmanager
async def started(world: World) -> AsyncIterator[DeriveBench]:
    """The venue; whatever was said must have been permitted."""
    async with DeriveBench(world) as bench:
        yield bench
        assert bench.faults_of_speech() == []


async def as_many(bench: DeriveBench, wanted: int, of: Callable[[], Sized]) -> None:
    """Wait until there are so many."""
    await bench.until(lambda: len(of()) >= wanted, f"{wanted} of what is waited for")


def replacing(client: Client, resting: OpenOrder) -> Replace:
    """What moves an order two ticks down, not sent yet."""
    again = client.order(price=client.a_price(Side.BUY, -2))
    (intent,) = client.bench.to_move(
        resting, again.price, again.amount, client.valid_until_ns(), again
    )
    assert isinstance(intent, Replace)
    return intent


@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_cut_in_the_middle_of_a_replace_leaves_one_order(carried_out: bool) -> None:
    """Which of the two it is, the next look says; until then it is unknown."""
    async with started(STAYING) as bench, client_on(bench) as client:
        resting = await client.rests(client.order())
        intent, since = replacing(client, resting), client.so_far
        bench.venue.cut_on("private/replace", before=not carried_out)
        client.venue.submit([intent])
        unknown = await client.hear(ev.OutcomeUnknown, since=since)
        assert (unknown.label, unknown.request) == (resting.label, Request.REPLACE)
        await client.down_and_up(ev.Link.TRADING, since)
        looked = await client.taken(intent.old, intent.label)
        left = intent.label if carried_out else intent.old
        assert [one.label for one in looked.orders if is_ours(one.label)] == [left]
        over = dict(looked.lookups)
        if carried_out:
            seen = over[intent.old]
            assert seen is not None
            assert seen.state is OrderState.CANCELLED
        else:
            assert over == {intent.label: None}
        await agreed(client)


@pytest.mark.parametrize("world", [World(scale=4.0), STAYING], ids=["dead-man", "orders stay"])
async def test_an_engine_lives_through_cuts_in_the_middle_of_replaces(world: World) -> None:
    """Whether the end of the connection takes the orders along or leaves them."""
    async with started(world) as bench, desk_on(bench) as desk:
        await desk.quotes()
        sizes = itertools.cycle((Decimal(2), Decimal(1)))
        for before in (True, False, True, False):
            wanted = len(desk.heard(ev.LinkChanged)) + 1
            bench.venue.cut_on("private/replace", before=before)
            desk.tell(ev.SizeScaled(next(sizes)))
            await as_many(bench, wanted, lambda: desk.heard(ev.LinkChanged))
            await desk.quotes()
        assert bench.most_in_a_slot == 1
        assert len(set(bench.labels)) == len(bench.labels)


async def test_a_create_that_fails_after_its_cancel_leaves_nothing_100_times() -> None:
    """The new price would trade, and the order is post-only: each time the old order is over, the
    new one is refused, and no ghost of either is left."""
    async with started(World()) as bench, client_on(bench) as client:
        for _ in range(CREATES_MISSED):
            resting = await client.rests(client.order())
            assert resting.label is not None
            since = client.so_far
            again = await moved(client, resting, client.a_price(Side.SELL), bench.amount)
            await ended(client, resting.label)
            refused = await client.refused(again.label, since)
            assert (refused.request, refused.stands is True) == (Request.PLACE, False)
            assert refused.why is Why.CROSSED_BOOK
        assert bench.orders() == []
        assert bench.most_in_a_slot == 1
        assert bench.trades() == []
        await agreed(client)


async def test_an_engine_whose_creates_fail_100_times_never_has_two_orders_in_a_slot() -> None:
    async with started(World(scale=4.0)) as bench, desk_on(bench, config=TOLERANT) as desk:
        await desk.quotes()
        failures = failing_creates(bench)
        sizes = itertools.cycle((Decimal(2), Decimal(1)))
        while len(failures) < CREATES_MISSED:
            wanted = len(failures) + 4
            desk.tell(ev.SizeScaled(next(sizes)))
            await as_many(bench, wanted, lambda: failures)
            await desk.quotes()
        assert bench.most_in_a_slot == 1
        assert len(set(bench.labels)) == len(bench.labels)
        assert len(bench.ours()) == 4


def failing_creates(bench: DeriveBench) -> list[str]:
    """From now on a replace cancels, and does not create; the labels of those it did not."""
    place, failed = bench.venue.exchange.place, list[str]()

    def placed(account: str, wish: Any, now_ms: int) -> Any:
        if account == bench.venue.account and bench.asked[-1].method == "private/replace":
            failed.append(wish.label)
            return Refusal(Code.SETTLEMENT_IN_PROGRESS)
        return place(account, wish, now_ms)

    bench.venue.exchange.place = placed  # type: ignore[method-assign]  # for one test
    return failed


async def test_an_order_without_an_answer_is_found_by_its_label_and_its_fill_is_ours() -> None:
    """Known by its label alone, and filled before anybody has asked (nautilus #4958): it is neither
    taken for refused nor sent again, and the position is nobody else's."""
    async with started(World(scale=4.0)) as bench, client_on(bench) as client:
        order = client.order()
        untold(bench, 1)
        client.venue.submit([order])
        await client.hear(ev.OutcomeUnknown, lambda e: e.label == order.label)
        (resting,) = bench.ours()
        looked = await client.taken(order.label)
        assert [(o.order_id, o.label) for o in looked.orders] == [(resting.order_id, order.label)]
        bench.venue.lose_push(f"{bench.accounts}orders")
        bench.venue.lose_push(f"{bench.accounts}trades")
        bench.fill(resting.order_id, bench.amount)
        looked = await client.taken(order.label)
        assert [(f.label, f.amount) for f in looked.fills] == [(order.label, bench.amount)]
        found = dict(looked.lookups)[order.label]
        assert found is not None
        assert (found.order_id, found.state) == (resting.order_id, OrderState.FILLED)
        assert client.heard(ev.RequestRefused) == []
        assert bench.labels == [order.label]


async def test_an_engine_takes_up_orders_without_an_answer() -> None:
    async with started(World(scale=4.0)) as bench:
        untold(bench, 4)
        async with desk_on(bench) as desk:
            await desk.quotes()
            befallen = bench.venue.trouble.counts
            assert (befallen["lost_reply"], befallen["lost_push"]) == (4, 4)
            assert len(bench.labels) == 4, "each was sent once"
            desk.trade(Side.BUY)
            await bench.until(lambda: desk.position(bench.ids[0]) > 0, "booked")
            await desk.quotes()
            assert {one.fill.label for one in desk.heard(ev.Filled)} <= set(bench.labels)


def untold(bench: DeriveBench, count: int) -> None:
    """So many places are carried out, and neither answered nor told."""
    bench.lose_reply(Draws.PLACE, count)
    bench.venue.lose_push(f"{bench.accounts}orders", count)


def unknown(desk: Desk) -> list[ev.OutcomeUnknown]:
    """The places of which nobody knew what became."""
    return [one for one in desk.heard(ev.OutcomeUnknown) if one.request is Request.PLACE]


async def test_every_tenth_order_is_not_confirmed() -> None:
    """9000: the order may rest or not. It is asked about, and quoting goes on."""
    async with started(World(scale=4.0)) as bench:
        unconfirmed(bench)
        async with desk_on(bench) as desk:
            await desk.quotes()
            while bench.arrived(Draws.PLACE) < ORDERS_MANY:
                desk.tell(ev.Pause(Why.PAUSED))
                await bench.until(lambda: not bench.ours(), "paused")
                desk.tell(ev.Unpause())
                await desk.quotes()
            assert len(unknown(desk)) >= ORDERS_MANY // EVERY_TENTH - 1
            assert desk.heard(ev.RequestRefused) == []
            assert [one for one in desk.heard(ev.LinkChanged) if not one.up] == []
        assert bench.most_in_a_slot == 1
        assert len(set(bench.labels)) == len(bench.labels)


def unconfirmed(bench: DeriveBench) -> None:
    """Every tenth order is carried out and its answer is 9000; after each of those, the next one
    that would have been is not even carried out."""
    counted, distorted = itertools.count(1), bench.tap.distorted

    def told(said: Frame, about: str | None) -> Frame:
        if about != "private/order" or next(counted) % EVERY_TENTH:
            return distorted(said, about)
        bench.venue.answer("private/order", 9000)
        return Frame({"id": said.message["id"], "error": UNCONFIRMED})

    bench.tap.distorted = told  # type: ignore[method-assign]  # for one test


async def test_without_a_confirmed_dead_man_a_start_is_refused() -> None:
    async with started(World()) as bench:
        bench.deny_dead_man()
        done = await mmbot(bench, *to_quote(bench))
        assert done.code == ExitCode.REFUSED
        assert "did not confirm cancel-on-disconnect" in done.err
        assert bench.labels == []


async def test_limits_that_are_not_told_are_the_least_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One request a second, five in five seconds."""
    async with started(World(scale=4.0)) as bench:
        bench.venue.answer("public/getRateLimits", -32601, 100)
        silent_account(bench)
        async with client_on(bench) as client:
            told = client.heard(ev.VenueDescribed)[-1].capabilities
            limits = {gate.name: (gate.rate_per_s, gate.burst) for gate in told.gates}
            assert set(limits.values()) == {(1.0, 5.0)}, limits
            assert "getRateLimits" in caplog.text
            await client.rests(client.order())


def silent_account(bench: DeriveBench) -> None:
    """The account does not say what it is allowed."""
    distorted = bench.tap.distorted

    def told(said: Frame, about: str | None) -> Frame:
        if about == "private/get_account" and "result" in said.message:
            result = {k: v for k, v in said.message["result"].items() if "tps" not in k}
            said = Frame({**said.message, "result": result})
        return distorted(said, about)

    bench.tap.distorted = told  # type: ignore[method-assign]  # for one test


async def test_a_nonce_that_was_used_before_costs_one_order() -> None:
    """11017: another process came to the same number. Nothing rests, and the next has another."""
    async with started(World()) as bench, client_on(bench) as client:
        used = taken_nonces(bench, 1)
        order = client.order()
        client.venue.submit([order])
        refused = await client.refused(order.label)
        assert (refused.request, refused.stands) == (Request.PLACE, False)
        assert "11017" in refused.detail
        assert bench.orders() == []
        await client.rests(client.order())
        assert len(used) == 1


async def test_an_engine_goes_on_when_nonces_were_used_before() -> None:
    async with started(World(scale=4.0)) as bench:
        used = taken_nonces(bench, 2)
        async with desk_on(bench) as desk:
            await desk.quotes()
            assert len(used) == 2
            assert len(desk.heard(ev.RequestRefused)) == 2
        assert bench.most_in_a_slot == 1


def taken_nonces(bench: DeriveBench, count: int) -> list[tuple[int, int]]:
    """The next so many nonces have been used already; those of which that was said."""
    said: list[tuple[int, int]] = []

    class Taken(dict[tuple[int, int], None]):
        def __contains__(self, key: object) -> bool:
            if len(said) < count and isinstance(key, tuple):
                said.append(key)
                return True
            return super().__contains__(key)

    (wallet,) = bench.protocol.wallets.values()
    wallet.nonces = Taken(wallet.nonces)
    return said
