"""What the move of an order waits for, in words: what is decided is what is told."""

from dataclasses import replace
from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.order_life import Request
from mmbot.core.types import SECOND, Side
from mmbot.core.why import Why
from mmbot.engine.held_back import held_back
from tests.builders import a_quote
from tests.core.bot import VENUE, Bot, amends

REFRESH_NS = 2 * SECOND


def lagging(price: float, requote_threshold: float) -> tuple[Bot, str]:
    """A bid rests at 0.0200, and 0.0200 + something is wanted since five seconds ago."""
    bot = Bot.quoting()
    bot.rest(a_quote(Side.BUY, 0.0200))
    bot.wait(5)
    bot.wants = [a_quote(Side.BUY, price, requote_threshold=requote_threshold)]
    bot.turn(bot.alive(), bot.book())
    return bot, told(bot)


def told(bot: Bot) -> str:
    return held_back(bot.state, bot.market, REFRESH_NS, bot.now_ns).get("buy", "")


def test_an_order_where_it_should_be_waits_for_nothing() -> None:
    assert lagging(0.0200, requote_threshold=0.0)[1] == ""


def test_a_small_lag_is_not_worth_a_request() -> None:
    bot, said = lagging(0.0210, requote_threshold=0.0015)
    assert amends(bot.turn(bot.book())) == []
    assert said == "it lags by 0.001, and a move is worth a request from 0.0015 on"


def test_a_small_lead_is_left_alone() -> None:
    bot = Bot.quoting()
    bot.rest(a_quote(Side.BUY, 0.0200))
    bot.wait(5)
    bot.wants = [a_quote(Side.BUY, 0.0195, danger=0.001)]
    assert amends(bot.turn(bot.alive(), bot.book())) == []
    assert told(bot) == "it leads by 0.0005, and may by less than 0.001 while the rules allow it"


def test_a_request_on_its_way() -> None:
    bot, said = lagging(0.0210, requote_threshold=0.0)
    assert said == "a request about it is on its way"
    bot.turn(ev.OutcomeUnknown(bot.order.label, Request.AMEND, Why.REPLY_LOST))
    assert told(bot) == "nobody knows whether it stands: the venue is being asked"


def test_what_was_sent_a_moment_ago_is_not_moved_again() -> None:
    bot = Bot.quoting()
    bot.desks = {name: replace(desk, refresh_ns=REFRESH_NS) for name, desk in bot.desks.items()}
    bot.rest(a_quote(Side.BUY, 0.0200))
    bot.wants = [a_quote(Side.BUY, 0.0210)]
    assert amends(bot.turn(bot.alive(), bot.book())) == []
    assert told(bot).startswith("it was sent 0.0 s ago")
    assert told(bot).endswith("what merely lags is moved every 2 s")


def test_no_request_left() -> None:
    bot = Bot.quoting()
    bot.rest(a_quote(Side.BUY, 0.0200))
    bot.wait(5)
    bot.account.budget.level = 0.0
    bot.wants = [a_quote(Side.BUY, 0.0210)]
    assert amends(bot.turn(bot.alive(), bot.book(), after_s=0.001)) == []
    assert told(bot).startswith("no request left: 0 of ")


def test_an_order_of_ours_on_the_other_side() -> None:
    bot = Bot.quoting()
    bot.rest(a_quote(Side.BUY, 0.0200), a_quote(Side.SELL, 0.0205))
    bot.wait(5)
    bot.wants = [a_quote(Side.BUY, 0.0210), a_quote(Side.SELL, 0.0220)]
    bot.turn(bot.alive(), bot.book())
    assert bot.on(Side.BUY).price == Decimal("0.0200")
    assert told(bot) == "an order of ours on the other side is in the way"


def moved_at_a_venue_that(move: Move) -> str:
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(move=move)))
    bot.rest(a_quote(Side.BUY, 0.0200))
    bot.wants = [a_quote(Side.BUY, 0.0210)]
    bot.turn(bot.alive(), bot.book())
    return told(bot)


def test_a_move_in_two_orders_says_what_it_waits_for() -> None:
    assert moved_at_a_venue_that(Move.REPLACE).startswith("it is being replaced by a new order")
    assert moved_at_a_venue_that(Move.NONE) == (
        "it is being cancelled: what is wanted is placed when its end is known"
    )
