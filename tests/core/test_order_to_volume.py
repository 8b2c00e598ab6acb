"""Messages for what is traded: counted in the core, an hour back, and what too many do."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.order_life import OrderState
from mmbot.core.order_to_volume import MINUTE_NS, OrderToVolume, Traffic
from mmbot.core.statements import Fill, Liquidity
from mmbot.core.types import MS, Side
from mmbot.core.views import GuardVerdict, Ok, Slow
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_fill, a_perpetual, a_quote
from tests.core.bot import VENUE, Bot, amends, both_sides, cancels, places
from tests.core.test_guards import Guarded

BUY, SELL = Side.BUY, Side.SELL


def hour(bot: Bot) -> Traffic:
    return bot.account.order_to_volume.last_hour(bot.now_ns)


def made(bot: Bot, fill: Fill) -> ev.Filled:
    """An execution of ours, now."""
    return ev.Filled(replace(fill, label=bot.orders[0].label, venue_ms=bot.now_ns // MS))


def test_every_place_amend_and_cancel_is_a_message() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    assert hour(bot) == Traffic(messages=2)
    bot.wants = [a_quote(BUY, 0.0195)]
    bot.turn(bot.book())
    assert hour(bot).messages == 4
    assert (hour(bot).per_trade, hour(bot).per_1000_usd) == (None, None)


def test_each_order_of_a_mass_cancel_counts_by_itself() -> None:
    bot = Bot.quoting()
    bot.rest(a_quote(BUY, 0.0200), a_quote(BUY, 0.0195, level=1), a_quote(BUY, 0.0190, level=2))
    bot.turn(ev.Stop(Why.USER))
    assert hour(bot).messages == 6


def test_volume_is_the_notional_value_traded_as_maker() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())  # two messages
    bot.turn(made(bot, a_fill(amount=2, trade_id="t1")))  # two options on an ETH at 2,850 USD
    assert hour(bot) == Traffic(messages=2, trades=1, volume_usd=5700.0)
    assert hour(bot).per_trade == 2.0
    assert hour(bot).per_1000_usd == pytest.approx(2 / 5.7)


def test_an_inverse_perpetual_is_sized_in_dollars() -> None:
    perpetual = a_perpetual()
    bot = Bot.quoting(perpetual)
    bot.turn(bot.ticker(mark=2850.0))
    bot.wants = [a_quote(BUY, 2849.0, 100, fair=2850.0)]
    bot.turn(bot.book(2848.0, 2852.0))
    bot.turn(made(bot, a_fill(price=2849, amount=100, instrument=perpetual)))
    assert hour(bot).volume_usd == 100.0


def test_trades_as_taker_of_others_and_told_twice_are_no_volume() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    taken = replace(a_fill(trade_id="t1"), liquidity=Liquidity.TAKER)
    mine = made(bot, a_fill(trade_id="t2"))
    bot.turn(made(bot, taken), ev.Filled(a_fill(trade_id="t3", label="hers")), mine, mine)
    assert hour(bot).trades == 1


def test_an_hour_is_sixty_minutes_and_takes_no_more_memory_than_that() -> None:
    counted = OrderToVolume()
    for minute in range(1000):
        counted.sent(2, NOW_NS + minute * MINUTE_NS)
    assert counted.last_hour(NOW_NS + 999 * MINUTE_NS) == Traffic(messages=120)
    assert counted.last_hour(NOW_NS + 1028 * MINUTE_NS).messages == 62
    assert counted.last_hour(NOW_NS + 1059 * MINUTE_NS) == Traffic()
    assert len(counted.minutes) <= 60


def test_fills_told_late_count_where_they_belong() -> None:
    counted = OrderToVolume()
    counted.sent(1, NOW_NS)
    counted.traded(1000.0, NOW_NS - 59 * MINUTE_NS)
    counted.traded(1000.0, NOW_NS - 60 * MINUTE_NS)  # more than an hour ago
    counted.traded(1000.0, NOW_NS)
    assert counted.last_hour(NOW_NS) == Traffic(messages=1, trades=2, volume_usd=2000.0)
    assert counted.last_hour(NOW_NS + MINUTE_NS).trades == 1


# --- too many ---------------------------------------------------------------------------------


SLOW: GuardVerdict = Slow(Why.ORDER_TO_VOLUME, "in a test")


def slowed() -> Guarded:
    """A bot with two orders resting, told to send less."""
    bot = Guarded().resting()
    bot.answer = SLOW
    bot.turn(bot.alive(), ev.Tick())
    return bot


def test_slowed_nothing_that_lags_is_moved() -> None:
    bot = slowed()
    bot.wants = both_sides(bid=0.0205, ask=0.0225)
    assert bot.turn(bot.book()) == []
    assert bot.wait(5.0) == []


def test_slowed_what_is_too_aggressive_still_moves_and_what_is_unwanted_still_goes() -> None:
    bot = slowed()
    bot.wants = [a_quote(BUY, 0.0195)]
    sent = bot.turn(bot.book())
    assert [amend.price for amend in amends(sent)] == [Decimal("0.0195")]
    assert len(cancels(sent)) == 1


def test_slowed_a_side_without_a_quote_gets_one() -> None:
    bot = slowed()
    bid = bot.on(BUY)
    fill = a_fill(label=bid.label, venue_ms=bot.now_ns // MS)
    sent = bot.turn(bot.says(bid, OrderState.FILLED, filled=1), ev.Filled(fill))
    assert [p.side for p in places(sent)] == [BUY]


def test_quick_again_once_nothing_is_said_any_more() -> None:
    bot = slowed()
    bot.wants = both_sides(bid=0.0205, ask=0.0225)
    bot.turn(bot.book())
    bot.answer = Ok()
    assert len(amends(bot.wait(1.0))) == 2


def test_a_guard_sees_every_accounts_hour() -> None:
    bot = Guarded().resting()
    assert bot.reading.traffic == (Traffic(messages=2),)
    assert VENUE in bot.state.accounts
