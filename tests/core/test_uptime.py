"""Time in the market per side, in seconds counted by hand."""

import pytest

from mmbot.core import events as ev
from mmbot.core.order_life import Request
from mmbot.core.types import SECOND, Side
from mmbot.core.why import Why
from tests.builders import a_quote
from tests.core.bot import Bot, both_sides

BUY, SELL = Side.BUY, Side.SELL


def test_a_quote_that_rests_is_in_the_market_all_the_time() -> None:
    bot = Bot.quoting()
    assert bot.market.uptime.share(BUY, bot.now_ns) is None
    bot.rest(*both_sides())
    bot.wait(10.0)
    assert bot.market.uptime.share(BUY, bot.now_ns) == 1.0
    assert bot.market.uptime.share(SELL, bot.now_ns) == 1.0


def test_a_gap_is_from_the_word_of_its_end_to_the_word_of_the_next_one() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    began_ns = bot.market.uptime.began_ns
    bot.wait(5.0)
    bot.turn(bot.says_cancelled(bot.on(BUY)), after_s=(began_ns + 6 * SECOND - bot.now_ns) / SECOND)
    bot.turn(bot.book(), after_s=0.5)
    bot.turn(bot.says_open(bot.on(BUY)), after_s=1.5)
    bot.turn(bot.book(), after_s=1.0)
    bot.turn(bot.book(), after_s=1.0)
    uptime = bot.market.uptime
    assert bot.now_ns - began_ns == pytest.approx(10 * SECOND, abs=10)
    assert uptime.quoted_ns(BUY, bot.now_ns) == pytest.approx(8 * SECOND, abs=10)
    assert uptime.share(BUY, bot.now_ns) == pytest.approx(0.8)
    assert uptime.share(SELL, bot.now_ns) == 1.0
    assert (uptime.sides[BUY].gaps, uptime.sides[SELL].gaps) == (1, 0)


def test_an_amend_under_way_is_no_gap() -> None:
    bot = Bot.quoting()
    bid, _ask = bot.rest(*both_sides())
    bot.wants = both_sides(bid=0.0195)
    bot.turn(bot.book())
    bot.turn(bot.book(), after_s=1.0)
    bot.turn(bot.says_open(bid), after_s=0.5)
    bot.turn(bot.book())
    assert bot.market.uptime.share(BUY, bot.now_ns) == 1.0


def test_an_order_nobody_is_sure_of_is_not_counted() -> None:
    bot = Bot.quoting()
    bid, _ask = bot.rest(*both_sides())
    bot.wants = both_sides(bid=0.0195)
    bot.turn(bot.book())
    bot.turn(ev.OutcomeUnknown(bid.label, Request.AMEND, Why.REPLY_LOST))
    assert bot.market.uptime.sides[BUY].since_ns == 0


def test_a_side_that_was_never_quoted_was_never_there() -> None:
    bot = Bot.quoting()
    bot.rest(a_quote(BUY, 0.0200))
    bot.wait(1.0)
    assert bot.market.uptime.share(SELL, bot.now_ns) == 0.0
