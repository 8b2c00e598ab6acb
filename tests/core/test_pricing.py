"""A desk's pricer: whose fair value its quotes are built on, and what becomes of a bad one."""

from dataclasses import replace
from decimal import Decimal
from math import inf, nan

import pytest

from mmbot.core import events as ev
from mmbot.core.chains import Chain
from mmbot.core.contracts import Instrument
from mmbot.core.ports import Pricer
from mmbot.core.types import SECOND, Nanos, Side
from mmbot.core.views import MarketView, Valuation
from mmbot.core.why import Why
from mmbot.pricing.mid import Mid
from tests.builders import a_quote, an_option
from tests.core.bot import Bot, both_sides, cancels


class Says:
    """A pricer that says what it is told to, and remembers what it saw."""

    def __init__(self, said: Valuation | Why) -> None:
        self.said = said
        self.seen: list[MarketView] = []

    def fair(self, market: MarketView, chain: Chain | None, now_ns: Nanos) -> Valuation | Why:
        self.seen.append(market)
        return self.said


def priced(pricer: Pricer, *instruments: Instrument) -> Bot:
    bot = Bot.quoting(*instruments)
    bot.desks = {
        i: replace(desk, pricer=pricer, pricer_name="says") for i, desk in bot.desks.items()
    }
    return bot


def test_a_desk_is_priced_by_the_venues_mark_unless_it_says_otherwise() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.turn(bot.ticker(mark=0.0217), bot.book())
    assert bot.puppet.views[-1].fair == 0.0217
    assert bot.market.pricer == "mark"


def test_the_strategy_sees_the_pricers_value_with_what_the_model_says_besides() -> None:
    bot = priced(Says(Valuation(0.0222, sigma=0.7, delta=0.4)))
    bot.turn(bot.book())
    view = bot.puppet.views[-1]
    assert (view.fair, view.sigma, view.delta) == (0.0222, 0.7, 0.4)
    assert (view.mark, view.mark_iv) == (0.0215, 0.62), "the venue's stand beside it"
    assert bot.market.pricer == "says"


def test_a_model_without_a_delta_leaves_the_venues() -> None:
    bot = priced(Says(Valuation(0.0222)))
    bot.turn(bot.book())
    assert (bot.puppet.views[-1].delta, bot.puppet.views[-1].sigma) == (0.5, None)


def test_a_pricer_sees_the_book_without_our_orders() -> None:
    pricer = Says(Valuation(0.0215))
    bot = priced(pricer)
    bot.rest(a_quote(Side.BUY, 0.0200, 1))
    assert bot.book().bids[0] == (0.0200, 1.0)
    assert pricer.seen[-1].bids == ((0.0190, 10.0),)
    mid = priced(Mid())
    mid.rest(a_quote(Side.BUY, 0.0200, 1))
    assert mid.puppet.views[-1].fair == pytest.approx((0.0190 + 0.0240) / 2)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Why.NO_MARK, Why.NO_MARK),
        (Valuation(nan), Why.NO_FAIR),
        (Valuation(inf), Why.NO_FAIR),
        (Valuation(-0.0001), Why.NO_FAIR),
    ],
)
def test_without_a_value_nothing_is_quoted_and_what_rests_goes(
    said: Valuation | Why, why: Why
) -> None:
    pricer = Says(Valuation(0.0215))
    bot = priced(pricer)
    bot.rest()
    pricer.said = said
    looks = len(bot.puppet.views)
    assert len(cancels(bot.turn(bot.book()))) == 2
    assert bot.market.why == {Side.BUY: why, Side.SELL: why}
    assert len(bot.puppet.views) == looks, "the strategy is not asked"


def test_a_persons_vol_offset_moves_any_pricers_value() -> None:
    bot = priced(Says(Valuation(0.0222)), an_option(strike=Decimal(2850)))
    bot.turn(ev.VolShifted(2.0, bot.now_ns + 60 * SECOND), bot.book())
    # By the numbers of tests/core/test_controls.py.
    assert bot.puppet.views[-1].fair - 0.0222 == pytest.approx(0.00081725, rel=1e-5)
