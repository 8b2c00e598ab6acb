"""From a model's quote to an order on the venue's grid: the one way from float to Decimal."""

from decimal import Decimal

from mmbot.core.books import Market
from mmbot.core.types import ONE, ZERO, Owner, Quote, Target, TimeInForce, to_decimal
from mmbot.core.why import Why

_HEDGE = Owner.HEDGE
_GTC, _IOC = TimeInForce


def within(
    step: Decimal, least: Decimal, size: float | Decimal, factor: Decimal
) -> tuple[Decimal, bool]:
    """The amount to quote of a model's `size` when a person wants `factor` times as much: whole
    steps, zero where even the model's is less than `least`, the venue's smallest order; and whether
    it is that one because a person's factor would leave less."""
    wanted = size if isinstance(size, Decimal) else to_decimal(size)
    if not wanted.is_finite():
        return ZERO, False
    scaled = wanted * factor // step * step
    if scaled >= least:
        return scaled, False
    whole = wanted // step * step
    return (least, True) if factor < ONE and whole >= least else (ZERO, False)


def on_grid(market: Market, quote: Quote, size_factor: Decimal) -> Target | Why:
    """A quote as it may be sent, or why nothing of it is left. A hedge is as large as the risk it
    is against, whatever a person's factor for quotes, and takes what there is."""
    instrument, side, hedges = market.instrument, quote.side, quote.owner is _HEDGE
    grid, factor = instrument.grid, ONE if hedges else size_factor
    ladder = grid.ladder
    price = ladder.snap(quote.price, side)
    if price is None:
        return Why.BELOW_TICK
    least = grid.min_amount if grid.min_notional is None else instrument.least_amount(price, side)
    size, smallest = ladder.lots(quote.size, factor), False
    if size < least:
        size, smallest = within(grid.amount_step, least, quote.size, factor)
    if size <= 0:
        return Why.BELOW_MIN_SIZE
    return Target(
        instrument=instrument.id,
        side=side,
        level=quote.level,
        price=price,
        size=size,
        fair=quote.fair,
        why=Why.SMALLEST_SIZE if smallest else quote.why,
        requote_threshold=to_decimal(quote.requote_threshold),
        danger=to_decimal(quote.danger) if quote.danger else ZERO,
        post_only=not hedges,
        owner=quote.owner,
        time_in_force=_IOC if hedges else _GTC,
    )
