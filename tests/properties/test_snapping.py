"""Laws of the grid: Deribit's option ladder (0.0001; 0.0005 from 0.005) and perpetual ticks."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.contracts import Instrument
from mmbot.core.grid import TickStep
from mmbot.core.types import Side, to_decimal
from tests.builders import a_linear_perpetual, a_perpetual, an_option

OPTION = an_option()
GRIDS = [
    OPTION,
    a_perpetual(),  # ETH: 0.05
    a_perpetual(name="BTC-PERPETUAL", tick=Decimal("0.5"), amount_step=Decimal(10)),
    a_linear_perpetual(tick=Decimal("0.01")),
    an_option(  # three steps, coarser and coarser
        tick=Decimal("0.01"),
        tick_steps=(TickStep(Decimal(1), Decimal("0.05")), TickStep(Decimal(10), Decimal("0.5"))),
    ),
]

instruments = st.sampled_from(GRIDS)
sides = st.sampled_from(Side)
prices = st.one_of(
    st.floats(min_value=1e-9, max_value=0.02),
    st.floats(min_value=0.02, max_value=2.0),
    st.floats(min_value=2.0, max_value=200_000.0),
    st.sampled_from([0.0049, 0.00499999, 0.005, 0.00500001, 0.0051, 0.0055, 1.0, 10.0]),
)


@given(instruments, prices, sides)
@settings(max_examples=400, deadline=None)
def test_a_snapped_price_is_on_the_grid_and_not_nearer_to_the_market(
    instrument: Instrument, price: float, side: Side
) -> None:
    snapped = instrument.snap_price(price, side)
    if snapped is None:
        assert side is Side.BUY
        assert price < instrument.grid.tick
        return
    assert instrument.on_grid(snapped)
    assert (snapped - to_decimal(price)) * side.sign <= 0


@given(instruments, prices, sides)
@settings(max_examples=200, deadline=None)
def test_no_price_of_the_grid_lies_between_a_price_and_its_snap(
    instrument: Instrument, price: float, side: Side
) -> None:
    snapped = instrument.snap_price(price, side)
    if snapped is not None:
        nearer = instrument.step_price(snapped, side.sign)
        assert (nearer - to_decimal(price)) * side.sign > 0


@given(instruments, prices, sides)
@settings(max_examples=200, deadline=None)
def test_snapping_twice_changes_nothing(instrument: Instrument, price: float, side: Side) -> None:
    snapped = instrument.snap_price(price, side)
    if snapped is not None:
        assert instrument.snap_price(snapped, side) == snapped
        assert instrument.snap_price(snapped, side.opposite) == snapped
        assert instrument.snap_price(float(snapped), side) == snapped


@given(instruments, prices, prices, sides)
@settings(max_examples=200, deadline=None)
def test_snapping_keeps_the_order_of_prices(
    instrument: Instrument, one: float, other: float, side: Side
) -> None:
    low = instrument.snap_price(min(one, other), side)
    high = instrument.snap_price(max(one, other), side)
    assert low is None or (high is not None and low <= high)


@given(instruments, prices, st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_steps_up_and_as_many_down_return(instrument: Instrument, price: float, n: int) -> None:
    start = instrument.snap_price(price, Side.SELL)
    assert start is not None
    up = instrument.step_price(start, n)
    assert instrument.on_grid(up)
    assert instrument.step_price(up, -n) == start


@given(prices, st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_every_step_moves_and_stays_on_the_grid(price: float, n: int) -> None:
    at = OPTION.snap_price(price, Side.SELL)
    assert at is not None
    for _ in range(n):
        following = OPTION.step_price(at, -1)
        assert 0 <= following < at or following == at == 0
        assert following == 0 or OPTION.on_grid(following)
        at = following


@given(
    instruments,
    st.one_of(
        st.floats(min_value=0.0, max_value=1e6),
        st.decimals(min_value=0, max_value=10**6, places=6),
    ),
)
@settings(max_examples=200, deadline=None)
def test_a_snapped_size_is_whole_lots_and_never_more(
    instrument: Instrument, size: float | Decimal
) -> None:
    snapped = instrument.snap_size(size)
    asked = size if isinstance(size, Decimal) else to_decimal(size)
    assert snapped <= asked
    assert snapped % instrument.grid.amount_step == 0
    assert snapped == 0 or snapped >= instrument.grid.min_amount
    assert instrument.snap_size(snapped) == snapped
    assert asked - snapped < max(instrument.grid.amount_step, instrument.grid.min_amount)
