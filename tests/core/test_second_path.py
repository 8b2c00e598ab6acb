"""Orders left behind a broken trading link are taken back by another way, if there is any."""

from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.intents import FallbackCancel
from mmbot.core.order_life import OrderState, Status
from mmbot.core.types import SECOND, Side
from mmbot.core.why import Why
from tests.builders import an_order
from tests.core.bot import VENUE, Bot, both_sides, of_kind

DOWN = ev.LinkChanged(VENUE, ev.Link.TRADING, up=False)
UP = ev.LinkChanged(VENUE, ev.Link.TRADING, up=True)


def resting() -> Bot:
    bot = Bot.quoting()
    assert len(bot.rest(*both_sides())) == 2
    return bot


def test_it_is_tried_a_second_after_the_link_was_lost() -> None:
    bot = resting()
    bot.turn(DOWN)
    assert of_kind(FallbackCancel, bot.wait(0.9)) == [], "it may be back at once"
    (wish,) = of_kind(FallbackCancel, bot.wait(0.3))
    assert (wish.venue, wish.why) == (VENUE, Why.LINK_DOWN)


def test_it_is_tried_again_every_ten_seconds_while_the_link_stays_down() -> None:
    bot = resting()
    bot.turn(DOWN)
    bot.wait(1.2)
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, None))
    assert of_kind(FallbackCancel, bot.wait(9)) == []
    assert len(of_kind(FallbackCancel, bot.wait(2))) == 1


def test_what_it_took_back_stays_unknown_until_the_venue_says_so() -> None:
    bot = resting()
    bot.turn(DOWN)
    bot.wait(1.2)
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, ()))
    assert {order.status for order in bot.orders} == {Status.UNKNOWN}
    assert not bot.state.flat_verified, "nobody is leaving"


def test_what_it_showed_before_everything_had_to_go_proves_nothing() -> None:
    """An order may have been placed since over the link that is back."""
    bot = resting()
    bot.turn(DOWN)
    bot.wait(11.5)
    asked_ns = bot.now_ns
    bot.turn(ev.Stop(Why.USER), after_s=0.1)
    bot.turn(ev.FallbackTried(VENUE, asked_ns, ()))
    assert not bot.state.flat_verified
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, ()), after_s=0.1)
    assert bot.state.flat_verified


def test_a_second_loss_does_not_wait_for_the_first_ones_turn() -> None:
    bot = resting()
    bot.turn(DOWN)
    bot.wait(1.2)
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, ()))
    bot.turn(UP)
    bot.turn(DOWN)
    assert len(of_kind(FallbackCancel, bot.wait(1.2))) == 1


def test_a_link_that_comes_back_at_once_needs_none() -> None:
    bot = resting()
    bot.turn(DOWN)
    bot.wait(0.5)
    bot.turn(UP)
    assert of_kind(FallbackCancel, bot.wait(5)) == []


def test_a_link_without_orders_of_ours_needs_none() -> None:
    bot = Bot.quoting()
    bot.turn(DOWN)
    assert of_kind(FallbackCancel, bot.wait(5)) == []


def test_orders_of_an_earlier_run_are_left_for_the_link_to_come_up() -> None:
    bot = Bot()
    bot.turn(ev.InstrumentsListed(bot.instruments))
    bot.state.orders.add(an_order(status=Status.UNKNOWN))
    bot.turn(ev.LinkChanged(VENUE, ev.Link.MARKET, up=True))
    assert of_kind(FallbackCancel, bot.wait(5)) == []


def test_after_an_absence_lease_and_latch_are_read_first() -> None:
    bot = resting()
    bot.turn(DOWN)
    assert of_kind(FallbackCancel, bot.turn(ev.Tick(), after_s=5)) == []
    assert of_kind(FallbackCancel, bot.wait(2)) == []
    assert len(of_kind(FallbackCancel, bot.turn(bot.lease_check()))) == 1


def test_whoever_leaves_does_not_wait_for_the_next_turn() -> None:
    bot = resting()
    bot.turn(DOWN)
    bot.wait(1.2)
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, None))
    assert len(of_kind(FallbackCancel, bot.turn(ev.Stop(Why.USER)))) == 1


# --- when everything must go ------------------------------------------------------------------


def tripped_with_one_order_left() -> Bot:
    """A bid is being amended as its end is told, and not how much of it was filled; the ask has
    ended properly."""
    bot = resting()
    bot.wants = both_sides(bid=0.0198)
    bot.turn(bot.book())
    bid = bot.on(Side.BUY)
    assert bid.status is Status.AMENDING
    bot.turn(ev.Trip(Why.USER, "by hand"))
    unsized = structs.replace(bot.says(bid, OrderState.CANCELLED, answers=None), filled=None)
    bot.turn(bot.says_cancelled(bot.on(Side.SELL)), unsized)
    assert bid.working, "its amount is asked"
    return bot


def test_an_end_without_a_word_of_what_was_filled_does_not_hold_up_the_second_paths_proof() -> None:
    bot = tripped_with_one_order_left()
    bot.turn(DOWN)
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, ()), after_s=0.1)
    assert bot.state.flat_verified


def test_nor_is_the_second_path_tried_for_it() -> None:
    bot = tripped_with_one_order_left()
    assert of_kind(FallbackCancel, bot.wait(3)) == []


def test_nor_does_it_hold_up_the_first_paths_and_its_amount_is_asked() -> None:
    bot = tripped_with_one_order_left()
    asked = bot.ask_again()
    assert [label for _, label in asked.labels] == [order.label for order in bot.orders]
    bot.turn(bot.snapshot())
    assert bot.state.flat_verified
    assert [label for _, label in bot.ask_again().labels] == [order.label for order in bot.orders]


def test_a_place_of_which_nothing_was_heard_holds_up_the_proof_while_it_is_valid() -> None:
    """4 s, and one for the clocks: until then it may rest after all."""
    bot = Bot.quoting(wants=both_sides())
    bot.turn(bot.book())
    sent_ns = bot.now_ns
    bot.turn(DOWN, ev.Trip(Why.USER, "by hand"))
    for after_s in (1.0, 4.9):
        tried_ns = bot.now_ns = sent_ns + round(after_s * SECOND)
        bot.turn(ev.FallbackTried(VENUE, tried_ns, ()))
        assert not bot.state.flat_verified
    bot.turn(ev.FallbackTried(VENUE, sent_ns + 5 * SECOND + 1, ()), after_s=0.2)
    assert bot.state.flat_verified
