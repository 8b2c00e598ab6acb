"""The venue ends the session: the line is cut, too many requests were made, or it starts again.

Whatever became of our orders, the venue is asked before anything is quoted, and is not asked more
often than it bears.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mmbot.core import events as ev
from mmbot.core.intents import Amend, Intent, Place
from mmbot.core.order_life import Status
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.engine.live import NO_SILENCE, Live, live, until
from tests.engine.relay import Relay
from tests.engine.slots import watch_slots
from tests.engine.test_live import QUIET, agreed, hit, quoted

COOL_DOWN_MS = 5_000
NOTICED_MS = 100
"""A test sees what happened that much later, at five times the pace: two looks."""
WAIT_S = 30.0


class Story:
    """Everything that happens and is wanted from now on, in order."""

    def __init__(self, bot: Live) -> None:
        self.said: list[ev.Event | Intent] = []
        bot.engine.runner.observers.append(
            lambda events, intents, _: self.said.extend([*events, *intents])
        )

    def since_up(self) -> list[str]:
        """What came first after the trading link came up last: looks at the venue, and orders."""
        came_up = max(
            number
            for number, said in enumerate(self.said)
            if isinstance(said, ev.LinkChanged) and said.link is ev.Link.TRADING and said.up
        )
        kinds = (ev.SnapshotTaken, Place, Amend)
        return [type(said).__name__ for said in self.said[came_up:] if isinstance(said, kinds)]


def labels(bot: Live) -> set[str]:
    return set(bot.at_venue())


def traded(bot: Live) -> set[str]:
    """The orders of ours that had a fill."""
    return {trade.label for trade in bot.venue.exchange.accounts[bot.venue.account].trades}


# --- a cut line -------------------------------------------------------------------------------


async def test_a_cut_line_takes_our_orders_with_it_and_we_learn_that() -> None:
    async with live(QUIET, scale=5.0, timing=NO_SILENCE) as bot:
        await quoted(bot)
        before, story = labels(bot), Story(bot)
        account = bot.state.accounts["deribit"]
        bot.venue.sever()
        await until(lambda: not before & labels(bot), "cancelled on disconnect")
        await until(lambda: not account.trading_up, "down")
        await until(lambda: account.reconciled, "reconciled")
        known = {order.label for order in bot.state.orders.all() if order.working}
        assert not before & known, "none of them is believed to rest"
        await quoted(bot)
        assert story.since_up()[0] == "SnapshotTaken"
        assert not before & labels(bot)


# --- too many requests ------------------------------------------------------------------------


async def test_too_many_requests_end_the_session_and_the_venue_is_left_alone_for_a_while() -> None:
    relay = Relay()
    async with live(QUIET, line=relay, scale=5.0, timing=NO_SILENCE) as bot:
        await quoted(bot)
        bot.venue.freeze()
        await agreed(bot)
        story, doubles = Story(bot), watch_slots(bot.venue)
        account = bot.state.accounts["deribit"]
        bot.venue.answer("private/edit", 10028)
        bot.engine.runner.sink(ev.SizeScaled(Decimal(2)))
        await until(lambda: not account.trading_up, "the session is over")
        since_ms, dials, asked = bot.venue.now_ms(), relay.dials, len(relay.asked)
        assert account.market_up, "the other link has done nothing wrong"
        await until(lambda: account.trading_up, "back again", WAIT_S)
        assert bot.venue.now_ms() - since_ms >= COOL_DOWN_MS - NOTICED_MS
        assert relay.dials == dials + 1
        private = [name for name in relay.asked[asked:] if name.startswith("private/")]
        login = private.index("private/enable_cancel_on_disconnect")
        assert private[:login] in ([], ["private/get_open_orders"] * 2), "one look over REST"
        await quoted(bot)
        assert story.since_up()[0] == "SnapshotTaken"
        assert doubles == []


async def test_too_many_requests_on_the_way_in_are_waited_for_each_time() -> None:
    relay = Relay()
    async with live(QUIET, line=relay, scale=5.0, timing=NO_SILENCE) as bot:
        await quoted(bot)
        bot.venue.answer("private/enable_cancel_on_disconnect", 10028, 3)
        since_ms, dials = bot.venue.now_ms(), relay.dials
        bot.venue.sever()
        account = bot.state.accounts["deribit"]
        await until(lambda: not account.trading_up, "down")
        await until(lambda: account.trading_up, "back again", WAIT_S)
        assert relay.dials - dials <= 5, "four for trading, one for market data"
        assert bot.venue.now_ms() - since_ms >= 3 * COOL_DOWN_MS
        await quoted(bot)


async def test_too_many_requests_over_rest_are_no_reason_to_quote_blindly() -> None:
    async with live(QUIET, scale=5.0, timing=NO_SILENCE) as bot:
        await quoted(bot)
        story, account = Story(bot), bot.state.accounts["deribit"]
        bot.venue.answer_http("private/get_user_trades_by_currency_and_time", 429, 3)
        bot.venue.sever()
        await until(lambda: not account.trading_up, "down")
        await until(lambda: account.reconciled, "reconciled in the end", WAIT_S)
        await quoted(bot)
        assert sum(isinstance(said, ev.SnapshotFailed) for said in story.said) >= 1
        assert story.since_up()[0] == "SnapshotTaken"


# --- a venue that starts again ----------------------------------------------------------------


@pytest.mark.parametrize("with_orders", [True, False], ids=["with its orders", "without them"])
async def test_a_venue_that_starts_again(with_orders: bool) -> None:
    async with live(QUIET, scale=5.0, timing=NO_SILENCE) as bot:
        await quoted(bot)
        bot.venue.freeze()
        await agreed(bot)
        story, doubles, before = Story(bot), watch_slots(bot.venue), labels(bot)
        bot.venue.restart(with_orders=with_orders, away_s=5.0)
        account = bot.state.accounts["deribit"]
        await until(lambda: not account.trading_up, "down")
        assert labels(bot) == (before if with_orders else set())
        statuses = {order.status for order in bot.state.orders.all()}
        assert statuses == {Status.UNKNOWN}, "no line, no word of the venue"
        if with_orders:
            hit(bot, Side.SELL, "50")
        await until(lambda: account.reconciled, "reconciled", WAIT_S)
        bot.venue.thaw()
        await quoted(bot)
        if with_orders:
            assert traded(bot) & before
            assert before - labels(bot) == traded(bot) & before, "adopted as they rest, or filled"
        else:
            assert not before & labels(bot)
        assert story.since_up()[0] == "SnapshotTaken"
        assert sorted(bot.state.inventory.booked) == sorted(bot.trades_at_venue())
        assert doubles == []


class Reborn:
    """A `line` to a venue that ends and comes back from its file, on the same port."""

    venue: SimVenue

    def __init__(self, file: Path, *, with_orders: bool) -> None:
        self._options = VenueOptions(flow_scale=0.0, state_path=file, restore_orders=with_orders)
        self._life = AsyncExitStack()

    @asynccontextmanager
    async def __call__(self, _: str) -> AsyncIterator[str]:
        self.venue = await self._life.enter_async_context(SimVenue(self._options))
        self._options = replace(self._options, port=int(self.venue.rest_url.rsplit(":", 1)[1]))
        try:
            yield self.venue.rest_url
        finally:
            await self._life.aclose()

    async def end(self) -> None:
        await self._life.aclose()

    async def begin(self) -> None:
        self.venue = await self._life.enter_async_context(SimVenue(self._options))


@pytest.mark.parametrize("with_orders", [True, False], ids=["with its orders", "without them"])
async def test_a_venue_that_comes_back_from_its_file(with_orders: bool, tmp_path: Path) -> None:
    reborn = Reborn(tmp_path / "venue", with_orders=with_orders)
    async with live(QUIET, line=reborn, timing=NO_SILENCE) as bot:
        bot.venue = reborn.venue
        await quoted(bot)
        bot.venue.freeze()
        await agreed(bot)
        story, before = Story(bot), labels(bot)
        account = bot.state.accounts["deribit"]
        await reborn.end()
        await until(lambda: not account.trading_up, "down")
        assert {order.label for order in bot.state.orders.all()} == before, "none is forgotten"
        await reborn.begin()
        bot.venue = reborn.venue
        doubles = watch_slots(bot.venue)
        assert labels(bot) == (before if with_orders else set())
        await until(lambda: account.reconciled, "reconciled", WAIT_S)
        await quoted(bot)
        if with_orders:
            assert before - labels(bot) == traded(bot) & before, "adopted as they rest, or filled"
        else:
            assert not before & labels(bot)
        assert story.since_up()[0] == "SnapshotTaken"
        assert sorted(bot.state.inventory.booked) == sorted(bot.trades_at_venue())
        assert doubles == []
