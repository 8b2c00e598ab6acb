"""Laws of the grid: Deribit's option ladder (0.0001; 0.0005 from 0.005), perpetual ticks, and the
prices of binaries, which have a lowest and a highest one."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.contracts import Instrument
from mmbot.core.grid import Grid, TickStep
from mmbot.core.types import Side, to_decimal
from tests.builders import a_binary, a_linear_perpetual, a_perpetual, an_option

OPTION = an_option()
GRIDS = [
    OPTION,
    a_perpetual(),  # ETH: 0.05
    a_perpetual(name="BTC-PERPETUAL", tick=Decimal("0.5"), amount_step=Decimal(10)),
    a_linear_perpetual(tick=Decimal("0.01")),
    a_binary(),
    a_binary(lowest=None, highest=None),
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
    grid = instrument.grid
    if snapped is None:
        if side is Side.BUY:
            assert price < (grid.lowest or grid.tick)
        else:
            assert grid.highest is not None
            assert price > grid.highest
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
        assert (nearer - to_decimal(price)) * side.sign > 0 or not instrument.on_grid(nearer)


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
    if side is Side.BUY:  # what is too low is no bid, and above it all are
        assert low is None or (high is not None and low <= high)
    else:
        assert high is None or (low is not None and low <= high)


@given(instruments, prices, st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_steps_up_and_as_many_down_return(instrument: Instrument, price: float, n: int) -> None:
    start = instrument.snap_price(price, Side.SELL)
    if start is None:
        assert instrument.grid.highest is not None
        return
    up = instrument.step_price(start, n)
    highest = instrument.grid.highest
    assert instrument.on_grid(up) or (highest is not None and up > highest)
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


# --- any grid ---------------------------------------------------------------------------------


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Ladders that get coarser or finer by 2, 5 or 10 at boundaries both sides have, with any range
    and any least order. A range is drawn in finest ticks, so that its ends may be between two."""
    finest = Decimal(1).scaleb(-draw(st.integers(0, 6)))
    factors = draw(st.lists(st.sampled_from([1, 2, 5, 10]), min_size=1, max_size=4))
    ticks = [finest * factor for factor in factors]
    steps, at = [], Decimal(0)
    for tick in ticks[1:]:
        at += 10 * finest * draw(st.integers(1, 50))
        steps.append(TickStep(at, tick))
    low = draw(st.none() | st.integers(1, 300))
    high = draw(st.none() | st.integers((low or 1) + 20, 3000))
    lot = Decimal(draw(st.sampled_from(["1", "0.1", "10", "25"])))
    return Grid(
        tick=ticks[0],
        tick_steps=tuple(steps),
        amount_step=lot,
        min_amount=lot * draw(st.integers(1, 5)),
        min_notional=draw(st.none() | st.decimals(1, 100, places=1)),
        lowest=None if low is None else low * finest,
        highest=None if high is None else high * finest,
    )


def refusal(grid: Grid, price: Decimal) -> str:
    """Why a venue with this grid refuses a price, by its own rules; "" where it takes it."""
    if price <= 0 or (grid.lowest is not None and price < grid.lowest):
        return "too low"
    if grid.highest is not None and price > grid.highest:
        return "too high"
    held = [grid.tick, *(step.tick for step in grid.tick_steps if step.above <= price)][-1]
    return "wrong tick" if price % held else ""


@given(grids(), st.decimals(-10, 4000, places=8), sides, st.booleans())
@settings(max_examples=1000, deadline=None)
def test_whatever_the_grid_no_venue_refuses_a_snapped_price(
    grid: Grid, price: Decimal, side: Side, as_float: bool
) -> None:
    snapped = grid.snap_price(float(price) if as_float else price, side)
    if snapped is None:
        return
    assert refusal(grid, snapped) == ""
    assert grid.on_grid(snapped)
    assert (snapped - price) * side.sign <= 0, "never nearer to the market"
    assert grid.snap_price(snapped, Side.BUY) == grid.snap_price(snapped, Side.SELL) == snapped


@given(grids(), st.integers(0, 3000), sides)
@settings(max_examples=500, deadline=None)
def test_whatever_the_grid_a_price_the_venue_takes_is_its_own_snap(
    grid: Grid, ticks: int, side: Side
) -> None:
    price = ticks * min(grid.tick, *(step.tick for step in grid.tick_steps), grid.tick)
    taken = refusal(grid, price) == ""
    assert grid.on_grid(price) is taken
    assert (grid.snap_price(price, side) == price) is taken


@given(grids(), st.decimals("0.0001", 4000, places=4))
@settings(max_examples=500, deadline=None)
def test_whatever_the_grid_the_least_order_is_whole_lots_and_one_less_is_refused(
    grid: Grid, unit_worth: Decimal
) -> None:
    least = grid.least_amount(unit_worth)
    notional = grid.min_notional or 0
    assert least >= grid.min_amount
    assert least % grid.amount_step == 0
    assert least * unit_worth >= notional or grid.min_notional is None
    fewer = least - grid.amount_step
    assert fewer < grid.min_amount or fewer * unit_worth < notional
