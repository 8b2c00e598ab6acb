"""Market-maker protection: where a venue has frozen our quotes on a coin none is wanted there, and
hedges go on."""

from collections.abc import Iterable

from mmbot.core import events as ev
from mmbot.core.intents import Cancel, Place
from mmbot.core.order_life import OrderState
from mmbot.core.protection import FOREVER, ProtectionTold
from mmbot.core.types import SECOND, Nanos, Side, TimeInForce
from mmbot.core.why import Why
from tests.builders import a_quote
from tests.core.bot import VENUE, Bot, both_sides
from tests.core.test_hedge import hedging, on_perpetual

BUY, SELL = Side.BUY, Side.SELL


def frozen(until_ns: Nanos = FOREVER, coin: str = "ETH") -> ProtectionTold:
    return ProtectionTold(VENUE, coin, until_ns)


def whys(bot: Bot) -> set[Why]:
    return set(bot.state.markets[bot.instrument.id].why.values())


def places(sent: Iterable[object]) -> int:
    return sum(isinstance(one, Place) for one in sent)


def test_quotes_on_a_frozen_coin_are_not_wanted_and_say_why() -> None:
    bot = Bot.quoting()
    bot.rest(a_quote(BUY, 0.0205), a_quote(SELL, 0.0225))
    sent = bot.turn(frozen(), bot.book())
    assert {one.why for one in sent if isinstance(one, Cancel)} == {Why.MMP_FROZEN}
    assert sum(isinstance(one, Cancel) for one in sent) == 2
    assert whys(bot) == {Why.MMP_FROZEN}


def test_another_coin_is_quoted_on() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.turn(frozen(coin="BTC"), bot.book())
    assert len(bot.orders) == 2
    assert Why.MMP_FROZEN not in whys(bot)


def test_a_freeze_ends_by_itself_or_when_the_venue_says_so() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.turn(frozen(bot.now_ns + 5 * SECOND), bot.book())
    assert places(bot.wait(4.8)) == 0
    bot.turn(bot.book())
    assert places(bot.wait(2.0)) == 2
    bot.turn(frozen(), bot.book())
    assert whys(bot) == {Why.MMP_FROZEN}
    bot.turn(frozen(0), bot.book())
    assert Why.MMP_FROZEN not in whys(bot)


def test_a_fill_is_hedged_on_a_frozen_coin() -> None:
    bot = hedging()
    bot.rest(a_quote(BUY, 0.0200, 2))
    bot.wants = []
    order = bot.on(BUY)
    done = bot.says(order, OrderState.FILLED, filled=order.amount)
    fill = ev.Filled(bot.fill(order, order.amount))
    (hedge,) = on_perpetual(bot.turn(frozen(), fill, done, bot.book()))
    assert (hedge.side, hedge.time_in_force) == (SELL, TimeInForce.IOC)
