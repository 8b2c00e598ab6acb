"""What rules surely allow is what they allow, and they are asked about everything else."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmbot.core.contracts import Instrument
from mmbot.core.leeway import UNBOUNDED, Leeway, Prices, allowance, is_within
from mmbot.core.ports import RiskRule
from mmbot.core.sizes import Size
from mmbot.core.types import MS, SECOND, Side
from mmbot.core.views import ALLOW, Block, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.risk.cost_floor import CostFloor
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_order import MaxOrder
from mmbot.risk.max_position import MaxPosition
from mmbot.risk.min_spread import MinSpread
from mmbot.risk.price_band import PriceBand
from mmbot.risk.stale_market import StaleMarket
from tests.builders import (
    a_binary,
    a_linear_perpetual,
    a_perpetual,
    a_proposal,
    a_view,
    an_option,
)
from tests.core.bot import Bot, both_sides

BUY, SELL = Side.BUY, Side.SELL

RULES: list[RiskRule] = [
    CostFloor(profit=Decimal("0.0004")),
    MaxExposure(limit=Decimal(20)),
    MaxOrder(notional_usd=Decimal(20_000), limit=Size(Decimal(8))),
    MaxPosition(limit=Size(Decimal(10))),
    MinSpread(),
    PriceBand(),
    StaleMarket(),
]

WORTH: dict[Callable[[], Instrument], float] = {
    an_option: 0.02,
    a_perpetual: 2850.0,
    a_linear_perpetual: 2850.0,
    a_binary: 0.4,
}
"""Each kind of instrument, and about what it is worth."""


def told(rule: RiskRule, view: View) -> Leeway | None:
    """What a rule surely allows in a view."""
    found = allowance((rule,), view, None)
    return None if found.others else found.leeway


numbers = st.floats(0.9, 1.1) | st.sampled_from([1.0, 0.0, -1.0, inf, nan])
amounts = st.integers(-24, 24).map(Decimal)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@given(
    make=st.sampled_from(list(WORTH)),
    prices=st.tuples(numbers, numbers, numbers),
    band=st.tuples(st.none() | numbers, st.none() | numbers),
    others=st.integers(0, 25).map(Decimal),
    side=st.sampled_from(Side),
    at=st.floats(0.9, 1.1),
    size=st.integers(1, 24).map(Decimal),
    worst_position=amounts,
    age_ms=st.integers(0, 4000),
)
def test_what_is_surely_allowed_is_allowed(
    rule: RiskRule,
    make: Callable[[], Instrument],
    prices: tuple[float, float, float],
    band: tuple[float | None, float | None],
    others: Decimal,
    side: Side,
    at: float,
    size: Decimal,
    worst_position: Decimal,
    age_ms: int,
) -> None:
    instrument, worth = make(), WORTH[make]
    fair, mark, index = prices
    least, most = (None if bound is None else bound * worth for bound in band)
    view = a_view(
        instrument,
        bid=0.9 * worth,
        ask=1.1 * worth,
        fair=fair * worth,
        mark=mark * worth,
        index=index * 2850.0,
        min_price=least,
        max_price=most,
        others_coin=others,
        book_age_ns=age_ms * MS,
    )
    price = instrument.snap_price(at * worth, side)
    assume(price is not None)
    assert price is not None
    proposal = a_proposal(
        instrument, side=side, price=price, size=size, worst_position=worst_position
    )
    leeway = told(rule, view)
    if leeway is not None and is_within(
        leeway, proposal.target, proposal.worst_position, view.book_age_ns
    ):
        assert rule.check(view, proposal) == ALLOW


@pytest.mark.parametrize(
    ("rule", "bounds"),
    [
        # Fair 0.0215; the fee is 0.03 % of the index, 0.0003 coin, and half of 0.0004 is kept.
        (
            CostFloor(profit=Decimal("0.0004")),
            Leeway(bid_most=Decimal("0.021"), ask_least=Decimal("0.022")),
        ),
        (MaxExposure(limit=Decimal(20)), Leeway(position=Decimal(20))),
        (MaxOrder(limit=Size(Decimal(1))), Leeway(size=Decimal(1))),
        (MaxPosition(limit=Size(Decimal(10))), Leeway(position=Decimal(10))),
        (MinSpread(), UNBOUNDED),
        # 20 ticks of 0.0005 are more than 5 % of 0.0215.
        (
            PriceBand(),
            Leeway(
                bid_most=Decimal("0.0315"),
                ask_least=Decimal("0.0115"),
                lowest=Decimal("0.0115"),
                highest=Decimal("0.0315"),
            ),
        ),
        (StaleMarket(after_s=3.0), Leeway(age_ns=3.0 * SECOND)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_the_bounds_of_an_option(rule: RiskRule, bounds: Leeway) -> None:
    assert told(rule, a_view()) == bounds


def test_a_bound_is_within_and_a_tick_beyond_is_not() -> None:
    leeway = Leeway(
        bid_most=Decimal("0.0210"),
        ask_least=Decimal("0.0220"),
        lowest=Decimal("0.0100"),
        highest=Decimal("0.0300"),
        size=Decimal(2),
        position=Decimal(5),
        age_ns=SECOND,
    )

    def within(worst: int = 0, age_ns: int = 0, **target: object) -> bool:
        made = a_proposal(**target).target  # type: ignore[arg-type]
        return is_within(leeway, made, Decimal(worst), age_ns)

    assert within(side=BUY, price="0.0210")
    assert within(side=BUY, price="0.0100")
    assert within(side=SELL, price="0.0220")
    assert within(side=SELL, price="0.0300")
    assert not within(side=BUY, price="0.0215")
    assert not within(side=BUY, price="0.0099")
    assert not within(side=SELL, price="0.0215")
    assert not within(side=SELL, price="0.0305")
    assert within(size=2)
    assert not within(size=3)
    assert within(worst=4)
    assert not within(worst=5)
    assert within(worst=-4, side=SELL, price="0.0220")
    assert not within(worst=-5, side=SELL, price="0.0220")
    assert within(age_ns=SECOND)
    assert not within(age_ns=SECOND + 1)


def test_what_no_price_is_known_for_is_not_surely_allowed() -> None:
    assert told(CostFloor(), a_view(fair=nan)) is None
    assert told(PriceBand(), a_view(mark=0.0)) is None
    assert told(PriceBand(), a_view(max_price=nan)) is None
    assert told(MaxExposure(), a_view(index=nan)) is None
    assert told(MaxOrder(), a_view(index=inf)) is None
    assert told(MinSpread(), a_view(a_perpetual(), bid=2849.5, ask=2850.5)) is None


# --- asking the others ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule that allows everything, and notes of what it was asked; with a leeway or without."""

    leeway_of: Leeway | None = None
    verdict: Verdict = ALLOW
    targets: list[Proposal] = field(default_factory=list)
    said: list[Prices] = field(default_factory=list)

    def check(self, view: View, proposal: Proposal) -> Verdict:
        self.targets.append(proposal)
        return self.verdict

    def leeway(self, prices: Prices) -> Leeway | None:
        self.said.append(prices)
        return self.leeway_of


def quoting(*rules: RiskRule) -> Bot:
    """A bot that has been asked to quote both sides under these rules."""
    bot = Bot.quoting(wants=both_sides(), rules=rules)
    bot.turn(bot.book())
    return bot


def test_within_its_leeway_a_rule_is_not_asked_and_the_others_are() -> None:
    silent, curious = Asked(UNBOUNDED), Asked()
    bot = quoting(silent, curious)
    assert not silent.targets
    assert {one.target.side for one in curious.targets} == {BUY, SELL}
    assert len(bot.orders) == 2


def test_beyond_the_leeway_of_one_every_rule_is_asked_in_order() -> None:
    narrow = Asked(Leeway(size=Decimal(0)))
    first, second = Asked(UNBOUNDED, Block(Why.PAUSED)), Asked(UNBOUNDED, Block(Why.HALTED))
    bot = quoting(narrow, first, second)
    assert narrow.targets
    assert first.targets
    assert not second.targets
    assert not bot.orders
    assert set(bot.market.why.values()) == {Why.PAUSED}


def test_a_leeway_is_asked_for_again_when_a_price_has_changed_and_not_before() -> None:
    rule = Asked(UNBOUNDED)
    bot = quoting(rule)
    bot.acknowledge()
    rule.said.clear()
    bot.turn(bot.book(0.0195, 0.0235))
    assert not rule.said
    bot.turn(bot.ticker(mark=0.0216))
    assert [prices.mark for prices in rule.said] == [0.0216]


def test_another_desk_has_its_own_leeway() -> None:
    bot = quoting(Asked(UNBOUNDED))
    bot.acknowledge()
    strict = Asked(Leeway(size=Decimal(0)), Block(Why.PAUSED))
    desk = replace(bot.desks[bot.instrument.id], rules=(strict,))
    bot.desks = dict.fromkeys(bot.desks, desk)
    bot.turn(bot.book(0.0195, 0.0235))
    assert strict.targets
