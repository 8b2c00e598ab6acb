"""Laws that hold for every strategy, setting and market, before and after prices meet the grid."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mmbot.core.contracts import Instrument
from mmbot.core.costs import cost_floor
from mmbot.core.ports import RiskRule, Strategy
from mmbot.core.reads import Reads, read_by_all
from mmbot.core.types import Kind, Quote, Side, to_decimal
from mmbot.core.views import Allow, View
from mmbot.core.why import Why
from mmbot.risk.cost_floor import CostFloor
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_order import MaxOrder
from mmbot.risk.max_position import MaxPosition
from mmbot.risk.min_spread import MinSpread
from mmbot.risk.price_band import PriceBand
from mmbot.risk.stale_market import StaleMarket
from mmbot.strategies.improve_top import ImprovementUnit, ImproveTop
from mmbot.strategies.simple_spread import Center, SimpleSpread
from tests.builders import a_linear_perpetual, a_perpetual, a_proposal, a_view, an_option

INSTRUMENTS = (
    an_option(),
    an_option(maker_fee=Decimal(0)),
    a_perpetual(),
    a_perpetual(maker_fee=Decimal("-0.0001")),
    a_linear_perpetual(tick=Decimal("0.5"), maker_fee=Decimal("0.0002")),
)


def decimals(low: str, high: str, places: int = 2) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), places=places)


@st.composite
def views(draw: st.DrawFn) -> View:
    """A sound market on the instrument's grid, one to forty ticks wide, perhaps one-sided."""
    instrument = draw(st.sampled_from(INSTRUMENTS))
    base = Decimal("0.0002") if instrument.grid.tick_steps else Decimal(2000)
    low = instrument.step_price(base, draw(st.integers(1, 120)))
    high = instrument.step_price(low, draw(st.integers(1, 40)))
    amounts = st.lists(st.floats(0.01, 50.0), min_size=1, max_size=4)

    def levels(best: Decimal, outward: int) -> list[tuple[float, float]]:
        prices = [instrument.step_price(best, outward * n) for n in range(4)]
        return [(float(p), a) for p, a in zip(prices, draw(amounts), strict=False) if p > 0]

    bids, asks = levels(low, -1), levels(high, 1)
    missing = draw(st.sampled_from(["none", "none", "bids", "asks"]))
    middle = float(low + high) / 2
    return a_view(
        instrument,
        bids=() if missing == "bids" else bids,
        asks=() if missing == "asks" else asks,
        fair=middle * draw(st.floats(0.9, 1.1)),
        position=draw(decimals("-15", "15")),
    )


improving = st.builds(
    ImproveTop,
    improvement=decimals("0", "20"),
    improvement_unit=st.sampled_from(ImprovementUnit),
    improvement_reference_size=decimals("0", "30"),
    reference_cumulative=st.booleans(),
    aggression=st.floats(0, 2),
    spread_bps=st.floats(0.1, 100),
    min_spread_bps=st.floats(0, 100),
    edge=decimals("0", "0.002", places=4),
    lean_ticks=st.floats(0, 10),
)
spreading = st.builds(
    SimpleSpread,
    center=st.sampled_from(Center),
    spread_bps=st.floats(0.01, 200),
    levels=st.integers(1, 5),
    level_spacing_bps=st.floats(0, 30),
    skew_bps_at_limit=st.floats(0, 100),
    edge=decimals("0", "0.002", places=4),
)
strategies: st.SearchStrategy[ImproveTop | SimpleSpread] = st.one_of(improving, spreading)


def quotes_of(strategy: Strategy, view: View) -> list[Quote]:
    quotes = strategy.quotes(view)
    assert not isinstance(quotes, Why), quotes
    return list(quotes)


def on_grid(instrument: Instrument, quotes: list[Quote], side: Side) -> list[Decimal]:
    """The snapped prices of a side, level by level; those below one tick left out."""
    snapped = [instrument.snap_price(q.price, side) for q in quotes if q.side is side]
    return [price for price in snapped if price is not None]


@settings(deadline=None)
@given(views(), strategies)
def test_every_bid_is_below_every_ask(view: View, strategy: ImproveTop | SimpleSpread) -> None:
    quotes = quotes_of(strategy, view)
    bids = on_grid(view.instrument, quotes, Side.BUY)
    asks = on_grid(view.instrument, quotes, Side.SELL)
    assert all(bid < ask for bid in bids for ask in asks)


@settings(deadline=None)
@given(views(), strategies)
def test_no_quote_meets_the_others(view: View, strategy: ImproveTop | SimpleSpread) -> None:
    quotes = quotes_of(strategy, view)
    for bid in on_grid(view.instrument, quotes, Side.BUY):
        assert view.ask is None or bid < to_decimal(view.ask)
    for ask in on_grid(view.instrument, quotes, Side.SELL):
        assert view.bid is None or ask > to_decimal(view.bid)


@settings(deadline=None)
@given(views(), strategies)
def test_no_quote_passes_fair_value_less_fee_and_edge(
    view: View, strategy: ImproveTop | SimpleSpread
) -> None:
    quotes = quotes_of(strategy, view)
    floor = cost_floor(view.instrument, view.fair, view.index, float(strategy.edge))
    for bid in on_grid(view.instrument, quotes, Side.BUY):
        assert bid <= to_decimal(view.fair - floor)
    for ask in on_grid(view.instrument, quotes, Side.SELL):
        assert ask >= to_decimal(view.fair + floor)


@settings(deadline=None)
@given(views(), strategies)
def test_the_terms_of_a_quote_add_up_to_its_price(
    view: View, strategy: ImproveTop | SimpleSpread
) -> None:
    for quote in quotes_of(strategy, view):
        assert sum(term.value for term in quote.terms) == pytest.approx(quote.price, abs=1e-9)


@settings(deadline=None)
@given(views(), strategies, decimals("0", "15"))
def test_a_larger_position_never_raises_a_quote(
    view: View, strategy: ImproveTop | SimpleSpread, more: Decimal
) -> None:
    def prices(position: Decimal) -> dict[tuple[Side, int], float]:
        quotes = quotes_of(strategy, replace(view, position=position))
        return {(quote.side, quote.level): quote.price for quote in quotes}

    less, longer = prices(view.position), prices(view.position + more)
    # A bid that has been pushed out of the grid is not there any more; an ask always is.
    assert longer.keys() <= less.keys()
    for slot, price in longer.items():
        assert price <= less[slot] + 1e-9


@settings(deadline=None)
@given(views(), spreading)
def test_levels_are_apart_and_step_outward(view: View, strategy: SimpleSpread) -> None:
    quotes = quotes_of(strategy, view)
    bids = on_grid(view.instrument, quotes, Side.BUY)
    asks = on_grid(view.instrument, quotes, Side.SELL)
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))


@settings(deadline=None)
@given(views(), strategies)
def test_sizes_can_be_traded_and_the_threshold_is_at_least_a_tick(
    view: View, strategy: ImproveTop | SimpleSpread
) -> None:
    for quote in quotes_of(strategy, view):
        assert quote.size >= view.instrument.grid.min_amount
        assert quote.requote_threshold >= view.instrument.grid.tick


@settings(deadline=None)
@given(views(), strategies)
def test_an_order_that_may_lead_still_keeps_its_costs_and_an_option_may_not(
    view: View, strategy: ImproveTop | SimpleSpread
) -> None:
    floor = cost_floor(view.instrument, view.fair, view.index, float(strategy.edge))
    for quote in quotes_of(strategy, view):
        at_most = (view.fair - quote.price) * quote.side.sign - floor
        assert 0 <= quote.danger <= max(0, at_most) + 1e-9
        assert quote.danger == 0 or view.instrument.kind is not Kind.OPTION


@settings(deadline=None)
@given(views(), improving)
def test_the_rules_never_refuse_a_width_that_the_strategy_was_told_to_keep(
    view: View, strategy: ImproveTop
) -> None:
    quotes = quotes_of(strategy, view)
    bids = on_grid(view.instrument, quotes, Side.BUY)
    asks = on_grid(view.instrument, quotes, Side.SELL)
    assume(bids and asks)
    bid = a_proposal(view.instrument, side=Side.BUY, price=bids[0], opposite=asks[0])
    ask = a_proposal(view.instrument, side=Side.SELL, price=asks[0], opposite=bids[0])
    for rule in (MinSpread(bps=to_decimal(strategy.min_spread_bps)), CostFloor()):
        assert isinstance(rule.check(view, bid), Allow)
        assert isinstance(rule.check(view, ask), Allow)


SPOILED: list[Callable[[View, float], View]] = [
    lambda view, bad: replace(view, fair=bad),
    lambda view, bad: replace(view, index=bad),
    lambda view, bad: replace(view, bids=((bad, 1.0), *view.bids)),
    lambda view, bad: replace(view, asks=((bad, 1.0), *view.asks)),
    lambda view, bad: replace(view, bids=((0.0200, bad), *view.bids)),
    lambda view, bad: replace(view, asks=(*view.asks, (bad, 1.0))),
    lambda view, bad: replace(view, asks=(*view.asks, (0.0300, bad))),
    lambda view, bad: replace(view, position=Decimal(bad)),
]


@pytest.mark.parametrize("strategy", [ImproveTop(), SimpleSpread()], ids=["improve", "spread"])
@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize("spoil", SPOILED, ids=map(str, range(len(SPOILED))))
def test_what_is_not_a_number_is_never_quoted_on(
    strategy: Strategy, spoil: Callable[[View, float], View], bad: float
) -> None:
    assert isinstance(strategy.quotes(spoil(a_view(), bad)), Why)


@pytest.mark.parametrize("strategy", [ImproveTop(), SimpleSpread()], ids=["improve", "spread"])
@pytest.mark.parametrize(
    ("view", "why"),
    [
        (a_view(bid=None, ask=None, fair=0.02), Why.BOOK_EMPTY),
        (a_view(bid=0.0210, ask=0.0200), Why.BOOK_CROSSED),
        (a_view(bid=0.0200, ask=0.0200), Why.BOOK_CROSSED),
        (a_view(bid=0.0, ask=0.0200), Why.BOOK_IMPLAUSIBLE),
        (a_view(bid=-0.0100, ask=0.0200), Why.BOOK_IMPLAUSIBLE),
        (replace(a_view(), fair=0.0), Why.NO_FAIR),
        (replace(a_view(), index=0.0), Why.NO_MARK),
    ],
)
def test_a_bad_book_is_never_quoted_on(strategy: Strategy, view: View, why: Why) -> None:
    assert strategy.quotes(view) is why


RULES: tuple[RiskRule, ...] = (
    CostFloor(),
    MaxExposure(),
    MaxOrder(),
    MaxPosition(),
    MinSpread(),
    PriceBand(),
    StaleMarket(),
)


selective: st.SearchStrategy[ImproveTop | SimpleSpread] = st.one_of(
    strategies,
    st.builds(
        lambda strategy, least: dataclasses.replace(
            strategy, improvement_reference_size=Decimal(0), min_spread_bps=least
        ),
        improving,
        st.none() | st.floats(0, 100),
    ),
)
"""Some of them look at the best levels alone."""


@settings(deadline=None)
@given(views(), selective, st.data())
def test_what_a_strategy_does_not_say_it_reads_changes_no_quote(
    view: View, strategy: ImproveTop | SimpleSpread, data: st.DataObject
) -> None:
    other = unread(view, strategy.reads(view.instrument), data)
    assert strategy.quotes(other) == strategy.quotes(view)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@settings(deadline=None)
@given(view=views(), side=st.sampled_from(Side), data=st.data())
def test_what_a_rule_does_not_say_it_reads_changes_no_verdict(
    rule: RiskRule, view: View, side: Side, data: st.DataObject
) -> None:
    reads = read_by_all([rule], view.instrument)
    assert reads is not None, "every rule of a desk by default says so"
    away = data.draw(st.integers(-3, 40))
    price = view.instrument.step_price(to_decimal(view.fair), -side.sign * away)
    proposal = a_proposal(view.instrument, side=side, price=price, opposite=to_decimal(view.mid))
    other = unread(view, reads, data)
    assert rule.check(other, proposal) == rule.check(view, proposal)


def unread(view: View, reads: Reads, data: st.DataObject) -> View:
    """The same view at another moment, of another age below the limit, and with other levels where
    none is read."""
    depth = reads.depth
    if depth is None:
        bids, asks = view.bids, view.asks
    else:
        below = st.lists(st.tuples(st.floats(0.0001, 9000), st.floats(0, 99)), max_size=3)
        bids = (*view.bids[:depth], *data.draw(below)) if len(view.bids) >= depth else view.bids
        asks = (*view.asks[:depth], *data.draw(below)) if len(view.asks) >= depth else view.asks
    return replace(
        view,
        bids=bids,
        asks=asks,
        now_ns=view.now_ns + data.draw(st.integers(0, 10**12)),
        book_age_ns=data.draw(st.integers(0, int(min(reads.age_limit_ns, 10**12)))),
    )


def test_the_width_of_the_others_is_looked_for_in_all_their_levels() -> None:
    """The minimum spread where none is given; a single level would not say what it averages."""
    near = a_view(a_perpetual(), bids=[(2849.95, 1.0)], asks=[(2850.0, 1.0)], fair=2849.975)
    wide = replace(near, bids=(*near.bids, (2849.0, 50.0)), asks=(*near.asks, (2851.0, 50.0)))
    strategy = ImproveTop(min_spread_bps=None)
    assert strategy.quotes(near) != strategy.quotes(wide)
    assert strategy.reads(a_perpetual()).depth is None
