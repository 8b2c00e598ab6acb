"""What the account holds where no desk trades: it counts in the exposure of the underlying."""

from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.core import events as ev
from mmbot.core.types import HeldPosition, Instrument, InstrumentId, Side
from mmbot.risk.max_exposure import MaxExposure
from tests.builders import a_fill, a_perpetual, a_quote, an_option
from tests.core.bot import Bot, places, resyncs

HAND_OPTION = an_option(id=InstrumentId("deribit:ETH-27JUN25-3000-C"), name="ETH-27JUN25-3000-C")
HAND_PERPETUAL = a_perpetual()
OTHER_COIN = a_perpetual(
    id=InstrumentId("deribit:BTC-PERPETUAL"), name="BTC-PERPETUAL", underlying="BTC"
)


def quoting_beside(*held: tuple[Instrument, int], limit: int = 10) -> Bot:
    """A desk on one option, on an account that holds all this besides."""
    bot = Bot(an_option(), rules=[MaxExposure(limit=Decimal(limit))])
    bot.wants = [a_quote(Side.BUY, 0.0200, 8)]
    bot.connect()
    bot.turn(with_hand_positions(bot, *held))
    return bot


def with_hand_positions(bot: Bot, *held: tuple[Instrument, int]) -> ev.SnapshotTaken:
    by_hand = tuple(HeldPosition(i.id, Decimal(amount), terms=i) for i, amount in held)
    taken = bot.snapshot()
    return replace(taken, positions=(*taken.positions, *by_hand))


@pytest.mark.parametrize(
    ("held", "size"),
    [
        ([], 8),
        ([(HAND_OPTION, 7)], 3),
        ([(HAND_OPTION, -7)], 3),
        # 12,500 USD at 2,500 USD a coin are 5 coins.
        ([(HAND_PERPETUAL, 12_500)], 5),
        ([(HAND_OPTION, -3), (HAND_PERPETUAL, 12_500)], 2),
        ([(OTHER_COIN, 1_000_000)], 8),
    ],
)
def test_what_is_held_elsewhere_takes_room(held: list[tuple[Instrument, int]], size: int) -> None:
    bot = quoting_beside(*held)
    (place,) = places(bot.turn(bot.alive(), bot.ticker(index=2500.0), bot.book()))
    assert place.amount == size


def test_a_limit_used_up_elsewhere_leaves_nothing_to_quote() -> None:
    bot = quoting_beside((HAND_OPTION, 10))
    assert places(bot.turn(bot.alive(), bot.ticker(), bot.book())) == []


def test_the_room_comes_back_when_it_is_sold() -> None:
    bot = quoting_beside((HAND_OPTION, 10))
    bot.turn(bot.alive(), bot.ticker(), bot.book())
    bot.ask_again()
    (place,) = places(bot.turn(with_hand_positions(bot), bot.alive()))
    assert place.amount == 8


def test_a_fill_elsewhere_has_the_venue_asked_at_once() -> None:
    bot = quoting_beside()
    bot.turn(bot.alive(), bot.ticker(), bot.book())
    fill = replace(a_fill(Side.BUY, Decimal("0.02"), 7), instrument=HAND_OPTION.id)
    bot.turn(ev.Filled(fill))
    assert resyncs(bot.wait(0.5))
