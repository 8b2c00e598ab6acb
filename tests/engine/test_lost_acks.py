"""Requests that arrive late or never, and answers that do: one live order per slot at all times.

A slot is a side of an instrument here. Late is a minute: long after the bot has given up waiting,
asked the venue what became of the order, and gone on.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest

from mmbot.core import events as ev
from mmbot.core.order_life import Request
from mmbot.core.why import Why
from mmbot.sim.wire.server import SimVenue
from tests.engine.live import NO_SILENCE, Live, live, until
from tests.engine.slots import watch_slots
from tests.engine.test_live import QUIET, agreed, quoted

SCALE = 20.0
LATE_S = 60.0
WAIT_S = 30.0

Trouble = Callable[[SimVenue, str, int], None]


def request_lost(sim: SimVenue, method: str, count: int) -> None:
    sim.lose_request(method, count)


def answer_lost(sim: SimVenue, method: str, count: int) -> None:
    sim.drop_reply(method, count)


def request_late(sim: SimVenue, method: str, count: int) -> None:
    sim.delay_request(method, LATE_S / SCALE, count)


def answer_late(sim: SimVenue, method: str, count: int) -> None:
    sim.delay_reply(method, LATE_S / SCALE, count)


TROUBLES = (request_lost, answer_lost, request_late, answer_late)


def one_of_each(sim: SimVenue, method: str, _: int) -> None:
    """Four requests meet a different fate each."""
    for trouble in TROUBLES:
        trouble(sim, method, 1)


each_trouble = pytest.mark.parametrize(
    "trouble",
    [one_of_each, *(pytest.param(trouble, marks=pytest.mark.long) for trouble in TROUBLES)],
    ids=lambda trouble: trouble.__name__,
)


async def comes_right(bot: Live, doubles: list[str], since_ms: int) -> None:
    """Everything late has arrived, and then table and venue say the same, with 8 orders."""
    end_ms = since_ms + int(LATE_S * 1000) + 2_000
    await until(lambda: bot.venue.now_ms() > end_ms, "what was late has arrived", WAIT_S)
    await quoted(bot)
    assert doubles == []
    assert sorted(bot.state.inventory.booked) == sorted(bot.trades_at_venue())


@each_trouble
async def test_place(trouble: Trouble) -> None:
    async with live(QUIET, scale=SCALE, timing=NO_SILENCE) as bot:
        bot.venue.freeze()
        doubles, since_ms = watch_slots(bot.venue), bot.venue.now_ms()
        for method in ("private/buy", "private/sell"):
            trouble(bot.venue, method, 4)
        await until(lambda: unknown(bot, Request.PLACE) >= 1, "an outcome nobody knows")
        await comes_right(bot, doubles, since_ms)


@each_trouble
async def test_amend(trouble: Trouble) -> None:
    async with live(QUIET, scale=SCALE, timing=NO_SILENCE) as bot:
        await quoted(bot)
        bot.venue.freeze()
        await agreed(bot)
        doubles, since_ms = watch_slots(bot.venue), bot.venue.now_ms()
        trouble(bot.venue, "private/edit", 8)
        bot.engine.runner.sink(ev.SizeScaled(Decimal(2)))
        await until(lambda: unknown(bot, Request.AMEND) >= 1, "an outcome nobody knows")
        await comes_right(bot, doubles, since_ms)
        assert {amount for _, _, amount in bot.at_venue().values()} == {Decimal(2)}


@each_trouble
async def test_cancel(trouble: Trouble) -> None:
    async with live(QUIET, scale=SCALE, timing=NO_SILENCE) as bot:
        await quoted(bot)
        bot.venue.freeze()
        doubles, since_ms = watch_slots(bot.venue), bot.venue.now_ms()
        trouble(bot.venue, "private/cancel", 8)
        bot.engine.runner.sink(ev.Pause(Why.PAUSED))
        await until(lambda: unknown(bot, Request.CANCEL) >= 1, "an outcome nobody knows")
        await until(lambda: not bot.at_venue(), "all cancelled in the end")
        bot.engine.runner.sink(ev.Unpause())
        await comes_right(bot, doubles, since_ms)


def unknown(bot: Live, request: Request) -> int:
    """How often nobody knew what became of such a request."""
    return sum(isinstance(e, ev.OutcomeUnknown) and e.request is request for e in bot.events)
