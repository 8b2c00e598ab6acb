"""What the account holds where no desk trades: it counts in the exposure of the underlying."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.off_desk import Held, look_off_desk
from mmbot.core.statements import HeldPosition
from mmbot.core.types import InstrumentId, Side
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
def test_what_is_held_off_desk_takes_room(held: list[tuple[Instrument, int]], size: int) -> None:
    bot = quoting_beside(*held)
    (place,) = places(bot.turn(bot.alive(), bot.ticker(index=2500.0), bot.book()))
    assert place.amount == size


def test_a_limit_used_up_off_desk_leaves_nothing_to_quote() -> None:
    bot = quoting_beside((HAND_OPTION, 10))
    assert places(bot.turn(bot.alive(), bot.ticker(), bot.book())) == []


def test_the_room_comes_back_when_it_is_sold() -> None:
    bot = quoting_beside((HAND_OPTION, 10))
    bot.turn(bot.alive(), bot.ticker(), bot.book())
    bot.ask_again()
    (place,) = places(bot.turn(with_hand_positions(bot), bot.alive()))
    assert place.amount == 8


def test_a_fill_off_desk_has_the_venue_asked_at_once() -> None:
    bot = quoting_beside()
    bot.turn(bot.alive(), bot.ticker(), bot.book())
    fill = replace(a_fill(Side.BUY, Decimal("0.02"), 7), instrument=HAND_OPTION.id)
    bot.turn(ev.Filled(fill))
    assert resyncs(bot.wait(0.5))


# --- what it earned ---------------------------------------------------------------------------


def stated(amount: int, mark: str, average: str | None = None) -> HeldPosition:
    """Of the option that nobody quotes: prices in ETH, one ETH a unit."""
    return HeldPosition(
        HAND_OPTION.id,
        Decimal(amount),
        Decimal(mark),
        terms=HAND_OPTION,
        average=Decimal(average) if average else None,
    )


def profits(*looks: HeldPosition | None) -> list[Decimal | None]:
    """What the one position had earned after each look."""
    held: dict[InstrumentId, Held] = {}
    found = []
    for place, look in enumerate(looks):
        look_off_desk(held, [look] if look else [], {}, first=place == 0)
        found.append(held[HAND_OPTION.id].profit if held else None)
    return found


def test_what_was_there_before_us_earns_from_the_first_mark_on() -> None:
    assert profits(stated(-3, "0.02", "0.05"), stated(-3, "0.018", "0.05")) == [
        0,
        Decimal("0.006"),
    ]


def test_what_was_bought_later_earns_from_its_price_on() -> None:
    assert profits(None, stated(2, "0.02", "0.015")) == [None, Decimal("0.010")]


def test_more_of_it_costs_what_the_average_tells() -> None:
    # 2 at 0.02, then 2 more at 0.03: the average is 0.025. At a mark of 0.03 the first two earned.
    looks = stated(2, "0.02", "0.02"), stated(4, "0.03", "0.025")
    assert profits(*looks) == [0, Decimal("0.02")]


def test_what_was_sold_keeps_what_it_earned() -> None:
    looks = stated(2, "0.02"), stated(2, "0.03"), None, None
    assert profits(*looks) == [0, *[Decimal("0.02")] * 3]


def test_a_trade_that_is_heard_of_counts_at_its_price_and_fee() -> None:
    held: dict[InstrumentId, Held] = {}
    look_off_desk(held, [stated(2, "0.02")], {}, first=True)
    sold = replace(a_fill(Side.SELL, Decimal("0.03"), 2), instrument=HAND_OPTION.id)
    held[HAND_OPTION.id].trade(sold)
    assert held[HAND_OPTION.id].profit == Decimal("0.02") - sold.fee
    look_off_desk(held, [], {}, first=False)
    assert held[HAND_OPTION.id].profit == Decimal("0.02") - sold.fee


def test_without_a_mark_nobody_can_tell() -> None:
    unmarked = HeldPosition(HAND_OPTION.id, Decimal(2), terms=HAND_OPTION)
    assert profits(unmarked, stated(2, "0.02", "0.01")) == [None, None]


def test_a_position_of_unknown_size_is_what_it_was() -> None:
    unknown = replace(stated(2, "0.05"), amount=None)
    assert profits(stated(2, "0.02"), unknown) == [0, 0]
