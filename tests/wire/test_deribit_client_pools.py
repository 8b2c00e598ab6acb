"""The pools of requests that are not orders: obeyed over both sockets and REST alike."""

import asyncio
from typing import Any

import pytest

from mmbot.core.events import Link
from mmbot.venues.deribit import Limits
from mmbot.venues.deribit.pools import Pool, Pools, pool_of
from mmbot.venues.rates import Rate
from tests.wire.clients import HandClock, ours
from tests.wire.scripted import LIMITS, Refused, Scripted, snapshot, until, with_markets

LOG = "private/get_transaction_log"


def at_once(pools: Pools, pool: Pool, now_s: float) -> int:
    """How many requests may be sent at this moment; they are, and answered."""
    sent = 0
    while not pools.take(pool, now_s):
        pools.sent(pool)
        pools.ended(pool, now_s)
        sent += 1
    return sent


class TestPools:
    @pytest.mark.parametrize(
        ("method", "pool"),
        [
            (LOG, Pool.TRANSACTION_LOG),
            ("public/subscribe", Pool.SUBSCRIBE),
            ("private/subscribe", Pool.SUBSCRIBE),
            ("public/get_instruments", Pool.INSTRUMENTS),
            ("private/cancel_all", Pool.CANCEL_ALL),
            ("private/cancel_all_by_instrument", Pool.CANCEL_ALL),
            ("private/get_positions", Pool.OTHER),
            ("public/test", Pool.OTHER),
            ("private/buy", None),
            ("private/cancel_by_label", None),
        ],
    )
    def test_of_a_method(self, method: str, pool: Pool | None) -> None:
        assert pool_of(method) is pool

    @pytest.mark.parametrize(
        ("pool", "half", "full"),
        # Of the venue's 8, 10, 5 and 100 at once one is left alone; half may have been used.
        [
            (Pool.TRANSACTION_LOG, 3, 7),
            (Pool.SUBSCRIBE, 4, 9),
            (Pool.INSTRUMENTS, 2, 4),
            (Pool.OTHER, 49, 99),
        ],
    )
    def test_begin_half_full_and_are_full_in_time(self, pool: Pool, half: int, full: int) -> None:
        pools = Pools(0.0)
        assert at_once(pools, pool, 0.0) == half
        assert at_once(pools, pool, 1000.0) == full

    def test_refill_a_little_slower_than_the_venue_says(self) -> None:
        pools = Pools(0.0)
        at_once(pools, Pool.TRANSACTION_LOG, 0.0)
        # Half of 7 to begin with, less 3 spent, and 2 s at 0.98/s: 2.46.
        assert at_once(pools, Pool.TRANSACTION_LOG, 2.0) == 2
        assert pools.take(Pool.TRANSACTION_LOG, 2.0) == pytest.approx((1 - 0.46) / 0.98)

    def test_refill_only_with_what_was_answered(self) -> None:
        pools = Pools(0.0)
        at_once(pools, Pool.TRANSACTION_LOG, 0.0)
        for _ in range(7):
            assert not pools.take(Pool.TRANSACTION_LOG, 100.0)
            pools.sent(Pool.TRANSACTION_LOG)
        assert pools.take(Pool.TRANSACTION_LOG, 200.0), "the venue may not have counted them yet"
        for _ in range(7):
            pools.ended(Pool.TRANSACTION_LOG, 200.0)
        assert pools.take(Pool.TRANSACTION_LOG, 200.0)
        assert at_once(pools, Pool.TRANSACTION_LOG, 202.1) == 2

    def test_leave_a_share_to_others(self) -> None:
        pools = Pools(0.0)
        pools.take(Pool.OTHER, 1000.0)
        taken = 0
        while not pools.take(Pool.OTHER, 1000.0, keep_share=0.5):
            taken += 1
        assert taken == 48
        assert at_once(pools, Pool.OTHER, 1000.0) == 50

    def test_make_up_for_what_could_not_wait(self) -> None:
        pools = Pools(0.0)
        at_once(pools, Pool.OTHER, 0.0)
        for _ in range(20):
            pools.spend(Pool.OTHER, 0.0)
        assert pools.take(Pool.OTHER, 0.9)
        assert at_once(pools, Pool.OTHER, 2.0) > 0

    def test_are_no_larger_for_an_account_that_may_do_more(self) -> None:
        pools = Pools(0.0)
        pools.obey(Limits.from_venue(LIMITS))  # 1500 at once, 1000 a second
        assert at_once(pools, Pool.OTHER, 1000.0) == 99

    def test_are_smaller_for_an_account_that_may_do_less(self) -> None:
        pools = Pools(0.0)
        pools.obey(Limits(non_matching=Rate(5.0, 11.0), cancel_all=Rate(1.0, 3.0)))
        assert at_once(pools, Pool.OTHER, 1000.0) == 10
        assert at_once(pools, Pool.CANCEL_ALL, 1000.0) == 2


class Meter:
    """The venue's side: a pool of its own, and who went beyond."""

    def __init__(self, clock: Any, rate: float, burst: float) -> None:
        self.clock, self.rate, self.burst = clock, rate, burst
        self.level, self.at_s = burst, clock()
        self.asked = self.refused = 0

    def __call__(self, _: dict[str, Any]) -> Any:
        now_s = self.clock()
        self.level = min(self.burst, self.level + (now_s - self.at_s) * self.rate)
        self.at_s = now_s
        self.asked += 1
        if self.level < 1.0:
            self.refused += 1
            return Refused(10028, "too_many_requests")
        self.level -= 1.0
        return {"logs": [], "continuation": None}


def fast(scale: float = 50.0) -> Any:
    """A clock that runs `scale` times faster than the loop's."""
    loop = asyncio.get_running_loop()
    return lambda: loop.time() * scale


class TestTheClient:
    async def test_is_never_refused_however_much_is_asked_at_once(self) -> None:
        clock = fast()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=1 / 50) as (client, notes),
        ):
            meter = Meter(clock, 1.0, 8.0)
            venue.answer(LOG, meter)
            await client.start(Link)
            asked = [client.rpc(Link.TRADING, LOG, {"currency": "BTC"}) for _ in range(10)]
            asked += [client.rpc(Link.MARKET, LOG, {"currency": "ETH"}) for _ in range(5)]
            asked += [client.privateGetGetTransactionLog({"currency": "BTC"}) for _ in range(5)]
            await asyncio.gather(*asked)
            assert (meter.asked, meter.refused) == (20, 0)
            assert [up for _, up in notes.links] == [True, True]

    async def test_holds_no_order_up_for_them(self) -> None:
        clock = HandClock()
        async with Scripted() as venue, ours(venue, monotonic=clock) as (client, _):
            venue.answer(LOG, {"logs": []})
            venue.answer("private/buy", {})
            await client.start([Link.TRADING])
            waiting = [asyncio.ensure_future(client.rpc(Link.TRADING, LOG, {})) for _ in range(20)]
            await until(lambda: len(venue.last.calls(LOG)) == 3, "as many as there is room for")
            for _ in range(200):
                client.send(Link.TRADING, "private/buy", {})
                client.send(Link.TRADING, "public/test", {})
            await until(lambda: len(venue.last.calls("private/buy")) == 200, "orders go")
            await until(lambda: len(venue.last.calls("public/test")) == 200, "and proof of life")
            assert len(venue.last.calls(LOG)) == 3
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def test_asks_for_listings_over_rest_at_the_venues_pace(self) -> None:
        clock = fast(200.0)
        async with (
            Scripted() as venue,
            ours(with_markets(venue), monotonic=clock, time_scale=1 / 200) as (client, _),
        ):
            listed = venue.answers["public/get_instruments"]
            meter = Meter(clock, 0.1, 5.0)

            def paced(params: dict[str, Any]) -> Any:
                answer = meter(params)
                return answer if isinstance(answer, Refused) else listed

            venue.answer("public/get_instruments", paced)
            for _ in range(8):
                await client.load_markets(True)
            assert (meter.asked, meter.refused) == (8, 0)

    async def test_resubscribes_a_thousand_books_within_the_pool(self) -> None:
        clock = fast()
        names = [f"X{number}" for number in range(1000)]
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=1 / 50) as (client, notes),
        ):
            meter = Meter(clock, 3.3, 10.0)

            def paced(params: dict[str, Any]) -> Any:
                answer = meter(params)
                return answer if isinstance(answer, Refused) else params["channels"]

            venue.answer("public/subscribe", paced)
            await client.start([Link.MARKET], {Link.MARKET: [f"book.{n}.raw" for n in names]})
            for name in names:
                await venue.last.push(f"book.{name}.raw", snapshot(1, [], [], name))
            await until(lambda: len(notes.books) == 1000, "all there")
            for _ in range(3):
                before = meter.asked
                await venue.last.say("garbage")
                await until(lambda n=before: meter.asked >= n + 5, "all again")  # type: ignore[misc]
            assert meter.refused == 0
            assert client.up(Link.MARKET)
