"""What rests in a target's slot and against it: whether it may stay, and what it would lose.

An order *leads* when it rests at a better price than its target, because the market has come
towards it. Moving it at once, however little it leads, would be safest and would never earn: a
market that only trembles drives such a bot away from itself. So a target says how far its order
may lead (`danger`), and the order stays as long as every rule would allow it where it rests.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import exp

from msgspec.structs import replace

from mmbot.core.books import Market
from mmbot.core.fitting import fits
from mmbot.core.order_life import Status
from mmbot.core.orders import Order
from mmbot.core.types import Approved, Nanos, Side, Slot, Target
from mmbot.core.why import Why


def leading(orders: Iterable[Order], targets: Iterable[Target]) -> dict[Slot, Target]:
    """Targets whose live order leads, and by less than it may: each at the price of its order, by
    its slot."""
    found: dict[Slot, Target] = {}
    for target in targets:
        if target.danger:
            for order in orders:
                if order.slot == target.slot and order.status is Status.LIVE:
                    lead = (order.price - target.price) * target.side.sign
                    if 0 < lead < target.danger:
                        found[target.slot] = replace(target, price=order.price)
    return found


def stays(orders: Iterable[Order], verdict: Target | Why) -> Target | None:
    """What the rules made of a target at the price of its order, if the order can stay as it is."""
    if not isinstance(verdict, Target):
        return None
    for order in orders:
        if order.slot == verdict.slot and order.status is Status.LIVE:
            return verdict if fits(order, Approved(verdict), 0) else None
    return None


def facing(
    orders: Iterable[Order], targets: Sequence[Target], side: Side, settled_ns: Nanos
) -> Decimal | None:
    """The nearest price that orders of that side will rest at, None when there will be none.

    An order that may lag behind its target stays where it is; one with a request in flight may be
    at either end of it.
    """
    prices: list[Decimal] = []
    held: set[Slot] = set()
    wanted = {target.slot: target for target in targets if target.side is side}
    for order in orders:
        if order.side is not side or not order.working:
            continue
        target = wanted.get(order.slot)
        if order.status is not Status.LIVE:
            prices += (order.price, order.want_price or order.price)
        elif target is not None and fits(order, Approved(target), settled_ns):
            prices.append(order.price)
            held.add(order.slot)
    prices += [target.price for slot, target in wanted.items() if slot not in held]
    nearest = max if side is Side.BUY else min
    return nearest(prices, default=None)


def less_aggressive(orders: Iterable[Order], target: Target) -> Order | None:
    """The live order in a target's slot, if it rests at its price or behind it."""
    for order in orders:
        if order.slot == target.slot and (order.status is Status.LIVE and order.remaining):
            behind = (target.price - order.price) * target.side.sign >= 0
            return order if behind else None
    return None


def expected_loss(market: Market, order: Order, target: Target) -> float:
    """What an order that has become too aggressive is expected to lose where it rests, in USD:
    its open size, times what a unit costs against the price wanted now, times the chance of being
    hit.

    That chance is 1 for a price at or beyond the new fair value. Behind it, it falls as the rate
    of fills does in Avellaneda and Stoikov (2008, "High-frequency trading in a limit order book",
    section 2.5), exp(-k distance), with half the market's width as the length 1/k.
    """
    instrument, size, price = market.instrument, order.remaining, order.price
    loss = float(abs(instrument.value(size, price) - instrument.value(size, target.price)))
    if instrument.settlement == instrument.underlying and market.index is not None:
        loss *= market.index
    distance = (target.fair - float(price)) * order.side.sign
    bids, asks = market.bids, market.asks
    if distance > 0 and bids and asks:
        width = asks[0][0] - bids[0][0]
        return loss * exp(-2 * distance / width) if width > 0 else loss
    return loss
