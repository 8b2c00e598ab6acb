"""Orders that the market has come towards: which of them stay, and where fair value is then."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.core.events import WindDown
from mmbot.core.order_life import OrderState, Status
from mmbot.core.ports import RiskRule
from mmbot.core.resting import facing
from mmbot.core.types import MS, Quote, Side
from mmbot.core.views import ALLOW, Block, Proposal, Shrink, Verdict, View
from mmbot.core.why import Why
from mmbot.risk.min_spread import MinSpread
from tests.builders import NOW_NS, a_perpetual, a_quote, a_target, an_option, an_order
from tests.core.bot import Bot, amends, cancels

BUY, SELL = Side.BUY, Side.SELL
PERPETUAL = a_perpetual()


def around(mid: float, *, half: float = 1.0, danger: float = 0.9, size: float = 10) -> list[Quote]:
    """A bid and an ask that follow the market when it has moved by `danger`, or by 2."""
    return [
        a_quote(side, mid - half * side.sign, size, requote_threshold=2.0, danger=danger, fair=mid)
        for side in Side
    ]


def at_rest(mid: float, rules: Sequence[RiskRule] = ()) -> Bot:
    """Both orders of `around(mid)` rest on the perpetual."""
    bot = Bot.quoting(PERPETUAL, rules=rules)
    bot.wants = around(mid)
    bot.turn(bot.ticker(mark=mid), bot.book(mid - 5, mid + 5))
    bot.turn(*(bot.says_open(order) for order in bot.orders))
    bot.turn(bot.book(mid - 5, mid + 5))
    return bot


def moved(bot: Bot, mid: float, quotes: Sequence[Quote]) -> dict[Side, Decimal]:
    """Where orders are moved to when the market is around `mid` and the strategy wants `quotes`."""
    bot.wants = quotes
    sent = amends(bot.turn(bot.ticker(mark=mid), bot.book(mid - 5, mid + 5)))
    sides = {order.label: order.side for order in bot.orders}
    return {sides[amend.label]: amend.price for amend in sent}


def test_an_order_that_leads_by_less_than_it_may_stays() -> None:
    bot = at_rest(2850)
    assert moved(bot, 2849.5, around(2849.5)) == {}


def test_it_is_moved_to_its_target_once_it_leads_by_that_much() -> None:
    bot = at_rest(2850)
    assert moved(bot, 2849.1, around(2849.1)) == {BUY: Decimal("2848.10")}
    bot = at_rest(2850)
    assert moved(bot, 2850.9, around(2850.9)) == {SELL: Decimal("2851.90")}


def test_without_room_for_it_a_tick_is_too_much() -> None:
    bot = at_rest(2850)
    assert moved(bot, 2849.95, around(2849.95, danger=0.0)) == {BUY: Decimal("2848.95")}


def test_an_order_of_another_size_is_moved() -> None:
    bot = at_rest(2850)
    assert moved(bot, 2849.5, around(2849.5, size=20))[BUY] == Decimal("2848.50")


def test_a_partly_filled_order_may_stay() -> None:
    bot = at_rest(2850)
    bot.turn(bot.says(bot.on(BUY), filled=4))
    assert moved(bot, 2849.5, around(2849.5)) == {}


def test_winding_down_an_order_that_leads_goes_like_any_other() -> None:
    bot = at_rest(2850)
    bot.wants = around(2849.5)
    sent = bot.turn(WindDown(on=True), bot.ticker(mark=2849.5), bot.book(2844.5, 2854.5))
    assert len(cancels(sent)) == 2


class NearIsForbidden:
    """Refuses bids above a price."""

    def __init__(self, most: str, verdict: Verdict) -> None:
        self.most, self.verdict = Decimal(most), verdict

    def check(self, view: View, proposal: Proposal) -> Verdict:
        target = proposal.target
        return self.verdict if target.side is BUY and target.price > self.most else ALLOW


def test_an_order_that_a_rule_made_smaller_may_stay() -> None:
    bot = at_rest(2850)
    cut = NearIsForbidden("0", Shrink(Decimal(10), Why.MAX_ORDER))
    bot.desks = {PERPETUAL.id: replace(bot.desks[PERPETUAL.id], rules=(cut,))}
    bids = [quote for quote in around(2849.5, size=20) if quote.side is BUY]
    assert BUY not in moved(bot, 2849.5, bids)


@pytest.mark.parametrize(
    "verdict", [Block(Why.COST_FLOOR), Shrink(Decimal(5), Why.MAX_POSITION)], ids=["block", "cut"]
)
def test_it_stays_only_where_the_rules_would_allow_it(verdict: Verdict) -> None:
    bot = at_rest(2850, [NearIsForbidden("2849", verdict)])
    assert moved(bot, 2849.5, around(2849.5)) == {}
    bot = at_rest(2850, [NearIsForbidden("2849", verdict)])
    stricter = NearIsForbidden("2848.9", verdict)
    bot.desks = {PERPETUAL.id: replace(bot.desks[PERPETUAL.id], rules=(stricter,))}
    assert moved(bot, 2849.5, around(2849.5)) == {BUY: Decimal("2848.50")}


def test_the_least_width_is_kept_between_what_rests() -> None:
    # 2 wide at 2850 is 7 bps. A bid that stays 0.5 ahead faces the ask that stays 0.5 behind.
    width = MinSpread(bps=Decimal("6.9"))
    bot = at_rest(2850, [width])
    assert moved(bot, 2849.5, around(2849.5)) == {}
    # The ask has been filled: where the new one goes, the bid would be too near.
    bot = at_rest(2850, [width])
    ask = bot.on(SELL)
    bot.turn(bot.says(ask, OrderState.FILLED, filled=10))
    assert moved(bot, 2849.5, around(2849.5)) == {BUY: Decimal("2848.50")}


def test_a_quote_that_the_rules_forbid_is_not_faced() -> None:
    # No bid is allowed at all: the ask may lead, however near it comes to where the bid would be.
    rules: list[RiskRule] = [
        NearIsForbidden("0", Block(Why.MAX_POSITION)),
        MinSpread(bps=Decimal("6.9")),
    ]
    bot = at_rest(2850, rules)
    assert [order.side for order in bot.orders if order.working] == [SELL]
    assert moved(bot, 2850.5, around(2850.5)) == {}


# --- what an order faces ----------------------------------------------------------------------


def test_an_order_faces_what_stays_else_where_it_is_wanted() -> None:
    targets = [a_target(SELL, "0.0230", requote_threshold="0.0010")]
    lagging = an_order(SELL, "0.0235")
    assert facing([lagging], targets, SELL, NOW_NS) == Decimal("0.0235")
    far = an_order(SELL, "0.0240")
    assert facing([far], targets, SELL, NOW_NS) == Decimal("0.0230")
    just_sent = an_order(SELL, "0.0240", sent_ns=NOW_NS)
    assert facing([just_sent], targets, SELL, NOW_NS - MS) == Decimal("0.0240")
    assert facing([], targets, SELL, NOW_NS) == Decimal("0.0230")
    assert facing([], [], SELL, NOW_NS) is None


def test_an_order_in_flight_is_faced_at_both_its_ends() -> None:
    targets = [a_target(SELL, "0.0230")]
    amending = an_order(
        SELL, "0.0225", status=Status.AMENDING, want_price=Decimal("0.0230"), level=1
    )
    assert facing([amending], targets, SELL, NOW_NS) == Decimal("0.0225")


# --- fair value of what is no option ----------------------------------------------------------


def test_a_perpetual_is_worth_what_its_book_says_and_an_option_its_mark() -> None:
    bot = Bot.quoting(PERPETUAL)
    bot.turn(bot.ticker(mark=2840.0), bot.book(2849.0, 2851.0))
    assert bot.puppet.views[-1].fair == pytest.approx(2850.0)
    assert bot.puppet.views[-1].mark == 2840.0
    bot = Bot.quoting(an_option())
    bot.turn(bot.ticker(mark=0.0220), bot.book(0.0190, 0.0240))
    assert bot.puppet.views[-1].fair == pytest.approx(0.0220)
