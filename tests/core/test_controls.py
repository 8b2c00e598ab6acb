"""What a person may change while the bot runs, and what that does to its quotes."""

from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.core import events as ev
from mmbot.core.controls import Controls
from mmbot.core.scope import DAY_NS, Scope
from mmbot.core.types import SECOND, InstrumentId, Side
from mmbot.core.views import Valuation
from mmbot.core.why import Why
from tests.builders import EXPIRY_NS, a_perpetual, a_quote, an_option
from tests.core.bot import Bot, amends, cancels, places

BUY, SELL = Side.BUY, Side.SELL
EXPIRY_DAY = EXPIRY_NS // DAY_NS
BIDS = Scope(side=BUY, text="bids")
EVERYTHING = Scope()


def sides(bot: Bot) -> list[Side]:
    return [order.side for order in bot.orders if order.working]


def resting(amount: float = 1) -> Bot:
    bot = Bot.quoting()
    bot.rest(a_quote(BUY, 0.0200, amount), a_quote(SELL, 0.0230, amount))
    return bot


def gone(bot: Bot, *events: ev.Event) -> list[Side]:
    """Sides whose orders are cancelled by these events; the venue confirms."""
    labels = [cancel.label for cancel in cancels(bot.turn(*events))]
    orders = [order for order in bot.orders if order.label in labels]
    bot.turn(*(bot.says_cancelled(order) for order in orders))
    return [order.side for order in orders]


# --- switches ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "off"),
    [
        (EVERYTHING, [BUY, SELL]),
        (BIDS, [BUY]),
        (Scope(side=SELL), [SELL]),
        (Scope(instrument="ETH-6JUN25-2800-C"), [BUY, SELL]),
        (Scope(instrument="ETH-6JUN25-2800-P"), []),
        (Scope(expiry_day=EXPIRY_DAY), [BUY, SELL]),
        (Scope(expiry_day=EXPIRY_DAY + 1), []),
        (Scope(expiry_day=EXPIRY_DAY, side=SELL), [SELL]),
        (Scope(instrument="ETH-6JUN25-2800-P", side=SELL), []),
    ],
)
def test_what_is_switched_off_is_taken_back_and_stays_away(scope: Scope, off: list[Side]) -> None:
    bot = resting()
    assert gone(bot, ev.Switched(scope, on=False)) == off
    assert {side for side, why in bot.market.why.items() if why is Why.SWITCHED_OFF} == set(off)
    assert places(bot.wait(1)) == []
    assert len(places(bot.turn(ev.Switched(EVERYTHING, on=True)))) == len(off)


def test_of_two_switches_the_last_counts() -> None:
    controls, call = Controls(), an_option()
    controls.switch(Scope(expiry_day=EXPIRY_DAY), on=False)
    controls.switch(Scope(instrument=call.name), on=True)
    assert controls.sides_off(call) == ()
    assert controls.sides_off(an_option(name="ETH-6JUN25-2900-C")) == (BUY, SELL)
    controls.switch(Scope(expiry_day=EXPIRY_DAY), on=False)
    assert controls.sides_off(call) == (BUY, SELL)
    assert len(controls.switches) == 2


def test_a_perpetual_has_no_expiry_to_be_switched_off_by() -> None:
    controls = Controls()
    controls.switch(Scope(expiry_day=EXPIRY_DAY), on=False)
    assert controls.sides_off(a_perpetual()) == ()


def test_what_is_listed_later_is_off_too_where_it_is_meant() -> None:
    bot = resting()
    bot.turn(ev.Switched(BIDS, on=False))
    later = an_option(id=InstrumentId("deribit:later"), name="later")
    bot.turn(ev.InstrumentsListed((later,)))
    assert bot.state.markets[later.id].off == (BUY,)


# --- winding down -----------------------------------------------------------------------------


def holding(amount: int) -> Bot:
    bot = Bot()
    bot.connect()
    bot.turn(bot.snapshot(positions={bot.instrument.id: amount}))
    bot.turn(bot.alive(), bot.ticker(), bot.book())
    bot.rest(a_quote(BUY, 0.0200, 3), a_quote(SELL, 0.0230, 3))
    return bot


@pytest.mark.parametrize(
    ("held", "kept", "size"), [(5, SELL, 3), (2, SELL, 2), (-2, BUY, 2), (-5, BUY, 3)]
)
def test_winding_down_only_quotes_what_reduces_and_no_more_than_that(
    held: int, kept: Side, size: int
) -> None:
    bot = holding(held)
    sent = bot.turn(ev.WindDown(on=True))
    assert [order.side for order in bot.orders if order.label == cancels(sent)[0].label] == [
        kept.opposite
    ]
    assert [amend.amount for amend in amends(sent)] == ([size] if size < 3 else [])
    assert bot.market.why[kept.opposite] is Why.WIND_DOWN


def test_winding_down_while_flat_quotes_nothing_and_can_be_ended() -> None:
    bot = resting()
    assert gone(bot, ev.WindDown(on=True)) == [BUY, SELL]
    assert places(bot.wait(1)) == []
    assert len(places(bot.turn(ev.WindDown(on=False)))) == 2


# --- size -------------------------------------------------------------------------------------


def test_sizes_are_multiplied() -> None:
    bot = resting(4)
    assert [a.amount for a in amends(bot.turn(ev.SizeScaled(Decimal("0.5"))))] == [2, 2]


def test_a_factor_that_leaves_less_than_the_smallest_order_leaves_that() -> None:
    bot = resting(2)
    assert [a.amount for a in amends(bot.turn(ev.SizeScaled(Decimal("0.1"))))] == [1, 1]
    assert set(bot.market.why.values()) == {Why.SMALLEST_SIZE}


# --- vol offset -------------------------------------------------------------------------------


def test_a_vol_offset_acts_on_the_volatility_and_ends_by_itself() -> None:
    """F = K = 2,850 and sigma = 62 %, 92 h left: sqrt(T) = sqrt(92 / 8760) = 0.1024806. At the
    money the price in coin is 2 N(d1) - 1 with d1 = sigma sqrt(T) / 2, 0.0327938 at 64 % and
    0.0317690 at 62 %: 0.00081725 apart (vega alone would say 0.00081727)."""
    at_the_money = an_option(strike=Decimal(2850))
    bot = Bot.quoting(at_the_money)
    until_ns = bot.now_ns + 10 * SECOND
    bot.turn(ev.VolShifted(2.0, until_ns), bot.book())
    fair, mark = bot.puppet.views[-1].fair, bot.market.mark
    assert mark is not None
    assert fair - mark == pytest.approx(0.00081725, rel=1e-5)
    bot.wait(11)
    assert bot.state.controls.vol_points == 0
    bot.turn(bot.book())
    assert bot.puppet.views[-1].fair == bot.market.mark
    assert [note.kind for note in bot.state.notes] == ["control"]


def shifted(controls: Controls, bot: Bot) -> float:
    """What the bot's market is worth with these controls, valued at its mark."""
    return controls.shifted(bot.market, Valuation(bot.market.mark or 0.0), bot.now_ns).fair


def test_a_linear_options_fair_moves_in_dollars() -> None:
    inverse, linear = an_option(), an_option(inverse=False)
    controls = Controls(vol_points=2.0, vol_until_ns=EXPIRY_NS)
    moved = []
    for instrument in (inverse, linear):
        bot = Bot.quoting(instrument)
        mark = bot.market.mark or 0.0
        moved.append(shifted(controls, bot) - mark)
    assert moved[1] == pytest.approx(moved[0] * 2850)


def test_only_options_with_a_known_volatility_are_moved_and_never_below_zero() -> None:
    bot = Bot.quoting()
    controls = Controls(vol_points=-50.0, vol_until_ns=EXPIRY_NS)
    mark = bot.market.mark or 0.0
    assert 0 <= shifted(controls, bot) < mark
    bot.market.mark = 1e-9
    assert shifted(controls, bot) == 0
    bot.market.mark_iv = None
    assert shifted(controls, bot) == bot.market.mark
    perpetual = Bot.quoting(a_perpetual())
    assert shifted(controls, perpetual) == perpetual.market.mark


# --- for people -------------------------------------------------------------------------------


def test_what_is_in_force_in_words() -> None:
    controls = Controls()
    assert controls.texts(0) == ()
    controls.wind_down = True
    controls.switch(BIDS, on=False)
    controls.switch(replace(EVERYTHING, instrument="X", text="X"), on=True)
    controls.size_factor = Decimal("0.50")
    controls.vol_points, controls.vol_until_ns = -1.5, 605 * SECOND
    assert controls.texts(0) == ("winding down", "off: bids", "on: X", "size x 0.5",
                                 "vol -1.5 for 10:05")  # fmt: skip
