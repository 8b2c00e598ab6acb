"""What a run says at its start about the size of its orders: unit, worth, and every change."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import nan

from mmbot.config import DeskConfig
from mmbot.config.select import Prices
from mmbot.core.contracts import Instrument
from mmbot.core.sizes import Size, change, in_words, order_size, unit_of
from mmbot.risk.max_order import MaxOrder
from mmbot.risk.max_position import MaxPosition


def size_lines(desk: DeskConfig, instruments: Sequence[Instrument], prices: Prices) -> list[str]:
    """One line for all instruments whose orders are alike: how large the desk's orders there are,
    then what was rounded, raised or cut to get there. Nothing where the strategy has no size, or
    its worth and with it the size cannot be told yet."""
    size = _size(desk.strategy.build())
    if size is None:
        return []
    caps = [rule.build() for rule in desk.rules]
    alike: dict[str, list[str]] = {}
    for instrument in instruments:
        price = prices.get(instrument.underlying, nan)
        said = _said(size, instrument, price, [c for c in caps if isinstance(c, _CAPS)])
        if said:
            alike.setdefault(said, []).append(instrument.name)
    return [f"{_names(names)}: {said}" for said, names in alike.items()]


_CAPS = MaxOrder | MaxPosition


@dataclass(frozen=True, slots=True)
class _Cut:
    """A rule that makes an order smaller."""

    most: Decimal
    rule: str


def _said(
    size: Size, instrument: Instrument, price: float, caps: Sequence[MaxOrder | MaxPosition]
) -> str:
    order = order_size(size, instrument, price, price)
    if order is None:
        return ""
    cut = _least(instrument, price, caps)
    made = min(order, order if cut is None else instrument.snap_size(cut.most))
    worth = in_words(instrument, made, price, price)
    if cut is not None and made < order:
        written = size if size.unit else f"{size} {unit_of(instrument)}"
        return f"size {written} is cut to {worth} by {cut.rule}"
    changed = change(size, instrument, price, price)
    return f"orders of {worth}; {changed}" if changed else f"orders of {worth}"


def _least(
    instrument: Instrument, price: float, caps: Sequence[MaxOrder | MaxPosition]
) -> _Cut | None:
    cuts = []
    for cap in caps:
        most = cap.most(instrument, price, price)
        if most is not None:
            cuts.append(_Cut(most, _named(cap)))
    return min(cuts, key=lambda cut: cut.most, default=None)


def _named(cap: MaxOrder | MaxPosition) -> str:
    if isinstance(cap, MaxPosition):
        return f"[risk.max_position] limit = {cap.limit} (--max-position)"
    limit = "" if cap.limit is None else f", limit = {cap.limit}"
    return f"[risk.max_order] notional_usd = {cap.notional_usd:f}{limit}"


def _size(strategy: object) -> Size | None:
    """The size of a strategy that has one; a number is in the venue's unit."""
    size = getattr(strategy, "size", None)
    if isinstance(size, int | float | Decimal) and not isinstance(size, bool) and size > 0:
        return Size(Decimal(str(size)))
    return size if isinstance(size, Size) else None


def _names(names: Sequence[str]) -> str:
    others = len(names) - 1
    return f"{names[0]} and {others} more" if others else names[0]
