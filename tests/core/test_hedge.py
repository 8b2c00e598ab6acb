"""A hedger's quotes go the way of any quote, to orders that end as they arrive."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from msgspec import structs

from mmbot.core import bot as core
from mmbot.core import events as ev
from mmbot.core.intents import Place
from mmbot.core.order_life import OrderState
from mmbot.core.orders import Order
from mmbot.core.ports import Hedger
from mmbot.core.types import InstrumentId, Owner, Quote, Side, TimeInForce
from mmbot.core.views import HedgeView, Proposal, Shrink, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.strategies.improve_top import ImproveTop
from mmbot.tape.plan import DeskPlan, PluginPlan
from tests.builders import a_perpetual, a_quote, an_option
from tests.core.bot import Bot, both_sides

BUY, SELL = Side.BUY, Side.SELL
OPTION, PERPETUAL = an_option(), a_perpetual()


@register(Family.HEDGER, "flat")
@dataclass(frozen=True, slots=True)
class Flat:
    """Trade the delta of everything on ETH-PERPETUAL, at its best price."""

    band: float = 0.1

    def hedges(self, desk: HedgeView) -> Iterable[tuple[InstrumentId, Quote]]:
        delta = sum(market.delta_coin or 0.0 for market in desk.markets)
        (perpetual,) = (m for m in desk.markets if m.instrument.id == PERPETUAL.id)
        if abs(delta) <= self.band or not perpetual.bids or perpetual.index is None:
            return
        side = SELL if delta > 0 else BUY
        price = (perpetual.bids if side is SELL else perpetual.asks)[0][0]
        size = abs(delta) * perpetual.index
        yield PERPETUAL.id, Quote(side, price, size, price, Why.QUOTED)


def hedging(hedger: Hedger | None = None) -> Bot:
    """An option and a perpetual on two desks; the option's is hedged. Nothing is held."""
    bot = Bot.quoting(OPTION, PERPETUAL)
    desk = bot.desks[OPTION.id]
    bot.desks[OPTION.id] = replace(
        desk, name="options", hedger=hedger or Flat(), hedger_name="flat"
    )
    bot.desks[PERPETUAL.id] = replace(desk, name="perpetual")
    bot.turn(bot.ticker(PERPETUAL, mark=2850.0), bot.book(2849.0, 2851.0, instrument=PERPETUAL))
    return bot


def filled(bot: Bot, amount: int = 2) -> list[Place]:
    """A bid on the option is filled; what is sent on the perpetual in that turn."""
    bot.rest(a_quote(BUY, 0.0200, amount))
    bot.wants = []
    order = bot.on(BUY)
    done = bot.says(order, OrderState.FILLED, filled=order.amount)
    return on_perpetual(bot.turn(ev.Filled(bot.fill(order, order.amount)), done, bot.book()))


def on_perpetual(sent: Iterable[object]) -> list[Place]:
    return [one for one in sent if isinstance(one, Place) and one.instrument == PERPETUAL.id]


def hedge_of(bot: Bot) -> Order:
    (order,) = (o for o in bot.orders if o.owner is Owner.HEDGE)
    return order


def perpetual_book(bot: Bot) -> ev.BookChanged:
    return bot.book(2849.0, 2851.0, instrument=PERPETUAL)


def test_a_fill_is_hedged_in_the_turn_that_books_it() -> None:
    (place,) = filled(hedging())
    # 2 calls of delta 0.5 are 1 coin: 2,850 USD of the perpetual, sold at the best bid.
    assert (place.side, place.price, place.amount) == (SELL, Decimal("2849"), Decimal(2850))
    assert (place.time_in_force, place.post_only) == (TimeInForce.IOC, False)


def test_while_it_is_out_and_until_its_fill_is_booked_no_second_one_is_sent() -> None:
    bot = hedging()
    filled(bot)
    order = hedge_of(bot)
    assert on_perpetual(bot.turn(perpetual_book(bot), bot.book(), after_s=1.0)) == []
    bot.turn(bot.says(order, OrderState.FILLED, filled=2850))
    assert on_perpetual(bot.turn(perpetual_book(bot), after_s=1.0)) == []
    fill = structs.replace(
        bot.fill(order, 2850),
        instrument=PERPETUAL.id,
    )
    assert on_perpetual(bot.turn(ev.Filled(fill), perpetual_book(bot))) == []
    assert bot.state.inventory.of(PERPETUAL).amount == -2850
    assert on_perpetual(bot.turn(perpetual_book(bot), after_s=1.0)) == [], "flat: nothing is wanted"
    assert bot.state.hedges == {"options": {}}


def test_what_was_not_to_be_had_is_tried_again_after_a_while() -> None:
    bot = hedging()
    filled(bot)
    gone = bot.says(hedge_of(bot), OrderState.CANCELLED)
    assert on_perpetual(bot.turn(gone, perpetual_book(bot))) == []
    assert on_perpetual(bot.turn(perpetual_book(bot), after_s=0.4)) == []
    assert len(on_perpetual(bot.turn(perpetual_book(bot), after_s=0.2))) == 1


def test_a_desks_own_quotes_stand_beside_a_hedge_and_keep_their_reasons() -> None:
    bot = hedging()
    bot.puppet.wants[PERPETUAL.id] = [a_quote(BUY, 2840.0, 10), a_quote(SELL, 2860.0, 10)]
    bot.turn(perpetual_book(bot))
    filled(bot)
    orders = [o for o in bot.state.orders.on(PERPETUAL.id) if o.working]
    assert {o.slot for o in orders} == {
        (BUY, Owner.DESK, 0),
        (SELL, Owner.DESK, 0),
        (SELL, Owner.HEDGE, 0),
    }
    assert len(orders) == 3
    assert bot.state.markets[PERPETUAL.id].why == {BUY: Why.QUOTED, SELL: Why.QUOTED}


def test_a_strategy_that_quotes_nothing_does_not_keep_a_hedge_back() -> None:
    bot = hedging()
    bot.puppet.wants[PERPETUAL.id] = Why.NO_FAIR
    assert len(filled(bot)) == 1
    assert bot.state.markets[PERPETUAL.id].why == {BUY: Why.NO_FAIR, SELL: Why.NO_FAIR}


def test_a_hedge_never_trades_with_an_order_of_our_own() -> None:
    bot = hedging()
    bot.puppet.wants[PERPETUAL.id] = [a_quote(BUY, 2849.5, 10)]
    bot.turn(perpetual_book(bot))
    own = next(bot.state.orders.on(PERPETUAL.id))
    bot.turn(bot.says_open(own))
    bot.turn(perpetual_book(bot))
    assert filled(bot) == []
    assert bot.state.markets[PERPETUAL.id].why[SELL] is Why.SELF_CROSS


class Half:
    def check(self, view: View, proposal: Proposal) -> Verdict:
        return Shrink(Decimal(1000), Why.CUT_ORDER)


def test_the_rules_of_the_desk_that_trades_there_judge_a_hedge() -> None:
    bot = hedging()
    bot.desks[PERPETUAL.id] = replace(bot.desks[PERPETUAL.id], rules=(Half(),))
    (place,) = filled(bot)
    assert (place.amount, place.why) == (Decimal(1000), Why.CUT_ORDER)


def test_a_persons_size_factor_is_about_quotes_and_leaves_a_hedge_whole() -> None:
    bot = hedging()
    bot.turn(ev.SizeScaled(Decimal("0.5")))
    (place,) = filled(bot, amount=4)
    assert bot.position == 2, "the quote was half as large"
    assert place.amount == Decimal(2850)


@pytest.mark.parametrize("event", [ev.Pause(Why.USER), ev.Trip(Why.USER, "by hand")])
def test_nothing_is_hedged_while_nothing_may_be_quoted(event: ev.Event) -> None:
    bot = hedging()
    order = bot.rest(a_quote(BUY, 0.0200, 2))[0]
    bot.turn(event)
    sent = bot.turn(ev.Filled(bot.fill(order, 2)), perpetual_book(bot))
    assert on_perpetual(sent) == []


class Elsewhere:
    def hedges(self, desk: HedgeView) -> Iterable[tuple[InstrumentId, Quote]]:
        yield InstrumentId("deribit:BTC-PERPETUAL"), a_quote(BUY, 100.0)


def test_a_hedge_where_no_desk_trades_is_a_bug_and_ends_the_turn() -> None:
    bot = Bot.quoting()
    desk = replace(bot.desks[OPTION.id], hedger=Elsewhere(), hedger_name="elsewhere")
    taken = core.Bot(bot.state, {OPTION.id: desk}).step([bot.book()], bot.now_ns)
    assert taken.failure.endswith("elsewhere hedges on deribit:BTC-PERPETUAL: no desk trades it")


def test_without_a_hedger_nothing_is_kept() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.turn(bot.book())
    assert bot.state.hedges == {}


def test_the_hedger_is_on_the_tape() -> None:
    strategy = PluginPlan.of(Family.STRATEGY, "improve_top", ImproveTop())
    flat = PluginPlan.of(Family.HEDGER, "flat", Flat(band=0.5))
    desk = DeskPlan("test", "deribit", strategy, (), 0, hedger=flat).build()
    assert (desk.hedger, desk.hedger_name) == (Flat(band=0.5), "flat")
