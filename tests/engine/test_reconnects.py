"""Connections that break again and again: nothing piles up, nothing old is heard, quotes return."""

import asyncio
import gc
import os
import random
from functools import partial

import pytest

from mmbot.core import events as ev
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import VenueOptions
from mmbot.venues.deribit import Book
from mmbot.venues.timing import Timing
from tests.engine.live import Live, connection_of, live, until
from tests.engine.slots import watch_slots
from tests.engine.test_live import hit, quoted

SCALE = 10.0
WAIT_S = 30.0
POOLED_MAX = 3
"""Connections for REST that may be kept open for later."""


def subscriptions(bot: Live) -> list[list[str]]:
    """The channels of each session at the venue."""
    of_session: dict[object, list[str]] = {one: [] for one in bot.venue.protocol.sessions}
    for channel in bot.venue.protocol.hub.everything():
        for subscriber in channel.subscribers:
            of_session[subscriber].append(channel.name)
    return sorted(sorted(names) for names in of_session.values())


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def tasks() -> int:
    gc.collect()
    return len(asyncio.all_tasks())


def watch_books(bot: Live) -> list[str]:
    """From now on, books older than one that was heard before: left over from an old connection."""
    newest: dict[str, int] = {}
    old: list[str] = []
    connection = connection_of(bot.engine)
    tell = connection.on_book
    assert tell is not None, "connected"

    def watched(book: Book) -> None:
        if book.valid:
            if book.change_id < newest.get(book.name, 0):
                old.append(f"{book.name}: {book.change_id} after {newest[book.name]}")
            newest[book.name] = book.change_id
        tell(book)

    connection.on_book = watched
    return old


def cut(bot: Live, times: int) -> bool:
    return links_down(bot) >= times


def links_down(bot: Live) -> int:
    return sum(isinstance(event, ev.LinkChanged) and not event.up for event in bot.events)


@pytest.mark.parametrize("deaf", [False, True], ids=["cancels on disconnect", "does not"])
@pytest.mark.parametrize("cuts", [15, pytest.param(100, marks=pytest.mark.long)])
async def test_forced_disconnects_leave_nothing_behind(cuts: int, deaf: bool) -> None:
    dice = random.Random(f"cuts {cuts} {deaf}")
    rules = Rules(ignore_cancel_on_disconnect=deaf)
    timing = Timing(backoff_max_s=0.25)
    async with live(VenueOptions(rules=rules), scale=SCALE, timing=timing) as bot:
        doubles, old = watch_slots(bot.venue), watch_books(bot)
        await quoted(bot, 6)
        account = bot.state.accounts["deribit"]
        before = tasks(), open_files(), subscriptions(bot)
        assert [len(names) for names in before[2]] == [15, 2], (
            "4 books, 4 tickers, trades of 4, listings, the platform twice; ours, and locks"
        )
        for _ in range(cuts):
            await asyncio.sleep(dice.uniform(0.0, 0.1))
            if dice.random() < 0.3:
                hit(bot, dice.choice([Side.BUY, Side.SELL]), "5")
            both = links_down(bot) + 2
            bot.venue.sever()
            await until(partial(cut, bot, both), "both links down", WAIT_S)
            await until(lambda: account.trading_up and account.market_up, "both up", WAIT_S)
            if dice.random() < 0.7:
                await until(lambda: account.reconciled, "reconciled", WAIT_S)
        bot.venue.freeze()
        await quoted(bot)
        assert bot.venue.connections == 2
        await until(lambda: subscriptions(bot) == before[2], "subscribed as before", WAIT_S)
        await until(lambda: tasks() <= before[0], f"{before[0]} tasks, as before")
        assert open_files() <= before[1] + POOLED_MAX
        assert old == []
        assert doubles == []
        assert sorted(bot.state.inventory.booked) == sorted(bot.trades_at_venue())
        assert all(not market.halted for market in bot.state.markets.values())
