"""The default strategy under the default rules quotes ordinary markets on both sides."""

from decimal import Decimal

import pytest

from mmbot.config import DEFAULT_RULES, DEFAULT_STRATEGY
from mmbot.core.contracts import Instrument
from mmbot.core.ports import RiskRule, Strategy
from mmbot.core.types import Side
from mmbot.core.views import ALLOW
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, load
from tests.builders import a_perpetual, a_proposal, a_view, an_option

BTC_PERPETUAL = a_perpetual(
    name="BTC-PERPETUAL",
    underlying="BTC",
    contract_size=Decimal(10),
    min_amount=Decimal(10),
    amount_step=Decimal(10),
    tick=Decimal("0.5"),
)


@pytest.mark.parametrize(
    ("instrument", "bid", "ask", "index"),
    [
        (an_option(), 0.0200, 0.0230, 2850.0),
        (an_option(), 0.0200, 0.0210, 2850.0),
        (an_option(), 0.0780, 0.0810, 2850.0),
        (an_option(), 0.0055, 0.0070, 2850.0),
        (an_option(), 0.0045, 0.0055, 2850.0),
        (an_option(), 0.0008, 0.0012, 2850.0),
        (a_perpetual(), 2849.95, 2850.00, 2850.0),
        (a_perpetual(), 2847.00, 2853.00, 2850.0),
        (BTC_PERPETUAL, 104_000.0, 104_000.5, 104_010.0),
    ],
)
def test_both_sides_of_an_ordinary_market_are_quoted(
    instrument: Instrument, bid: float, ask: float, index: float
) -> None:
    strategy: Strategy = load(Family.STRATEGY, DEFAULT_STRATEGY, "default")()
    rules: list[RiskRule] = [load(Family.RULE, name, "default")() for name in DEFAULT_RULES]
    view = a_view(instrument, bid=bid, ask=ask, index=index)
    quotes = strategy.quotes(view)
    assert not isinstance(quotes, Why), quotes
    prices = {q.side: instrument.snap_price(q.price, q.side) for q in quotes}
    sizes = {q.side: instrument.snap_size(q.size) for q in quotes}
    for side in Side:
        price, opposite = prices[side], prices[side.opposite]
        assert price is not None
        proposal = a_proposal(
            instrument, side=side, price=price, size=sizes[side], opposite=opposite
        )
        assert [rule.check(view, proposal) for rule in rules] == [ALLOW] * len(rules)
