"""How many messages, for what volume, and how long in the market: from the state to the picture."""

from dataclasses import replace

from mmbot.core import events as ev
from mmbot.core.types import MS, SECOND
from mmbot.core.views import Slow
from mmbot.core.why import Why
from mmbot.engine.report import status_frame
from tests.builders import a_fill
from tests.core.bot import VENUE, Bot, both_sides
from tests.core.test_guards import Guarded


def test_a_frame_says_what_was_sent_for_what_was_traded() -> None:
    bot = Bot.quoting()
    bid, _ask = bot.rest(*both_sides())
    fill = a_fill(amount=2, label=bid.label, venue_ms=bot.now_ns // MS)
    bot.turn(ev.Filled(fill))
    traffic = status_frame(bot.state, "sim", VENUE, bot.now_ns).order_to_volume
    assert traffic is not None
    assert (traffic.trades, traffic.volume_usd) == (1, 5700.0)  # two options on an ETH at 2,850 USD
    assert traffic.per_trade == traffic.messages
    assert traffic.per_1000_usd == 1000 * traffic.messages / 5700.0
    assert not traffic.slowed


def test_a_frame_says_that_it_is_slowed_down() -> None:
    bot = Guarded().resting()
    bot.answer = Slow(Why.ORDER_TO_VOLUME, "in a test")
    bot.turn(bot.alive(), ev.Tick())
    frame = status_frame(bot.state, "sim", VENUE, bot.now_ns)
    assert frame.order_to_volume is not None
    assert frame.order_to_volume.slowed
    assert frame.controls == ("slowed: order-to-volume",)


def test_the_time_in_the_market_of_an_expired_instrument_stands() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    instrument = bot.market.instrument
    bot.market.instrument = replace(instrument, expiry_ns=bot.now_ns + SECOND)
    bot.wait(0.9)
    shares = []
    for _ in range(2):
        bot.wait(5.0)
        bot.turn(*(bot.says_cancelled(order) for order in bot.orders if order.working))
        [row] = status_frame(bot.state, "sim", VENUE, bot.now_ns).rows
        shares.append(row.quoted_share)
    assert shares[0] == shares[1]
    assert shares[0].keys() == {"buy", "sell"}
