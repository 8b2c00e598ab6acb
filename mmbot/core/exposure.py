"""Worst-case exposure: what everything of ours may still add to a position, in amount and in coin.

Limits count the worst case: the position, with or without each provisional fill, plus everything
of ours on one side that rests, is in flight, is unknown, or was just approved.
"""

from collections.abc import Sequence
from decimal import Decimal

from mmbot.core.books import Market
from mmbot.core.orders import Order
from mmbot.core.state import State
from mmbot.core.types import BUY, SELL, ZERO, Approved, Side, Slot, Target, to_decimal


def worst_amount(
    orders: Sequence[Order],
    side: Side,
    approved: Sequence[Approved],
    besides: Target | None = None,
) -> Decimal:
    """The most that may still reach the position on one side: what is owed, and for each slot
    (but that of `besides`) what rests, is in flight or unknown, or was just approved, if that is
    more."""
    if besides is None:
        return worst_amounts(orders, approved)[side is SELL]
    owed, level, owner = ZERO, besides.level, besides.owner
    others: list[Order] = []
    for order in orders:
        if order.side is side:
            if order.level != level or order.owner is not owner:
                others.append(order)
            elif order.booked < order.filled:
                owed += order.unbooked
    wanted: list[Approved] = []
    for target in approved:
        if target.side is side and (target.level != level or target.owner is not owner):
            wanted.append(target)
    if others or wanted:  # mostly a side has one slot
        owed += worst_amounts(others, wanted)[side is SELL]
    return owed


def worst_amounts(orders: Sequence[Order], approved: Sequence[Approved]) -> tuple[Decimal, Decimal]:
    """The same of every slot, for buying and for selling."""
    bought = sold = ZERO
    resting: dict[Slot, Decimal] = {}
    for order in orders:
        exposed = order.exposed
        if order.side is BUY:
            bought += exposed
        else:
            sold += exposed
        if approved:
            slot = order.slot
            resting[slot] = resting.get(slot, ZERO) + exposed - order.unbooked
    for target in approved:
        more = target.size - resting.get(target.slot, ZERO)
        if more > 0:
            if target.side is BUY:
                bought += more
            else:
                sold += more
    return bought, sold


def worst_coin(
    state: State, market: Market, orders: Sequence[Order], approved: Sequence[Approved]
) -> Decimal | None:
    """One market's worst-case exposure: the larger absolute position, in coin, if all of ours on
    one side, `approved` included, were filled. None while there is no index to reckon it by."""
    instrument = market.instrument
    index = index_of(state, market)
    if index is None:
        return None
    inventory = state.inventory
    bought, sold = worst_amounts(orders, approved)
    least = most = inventory.amount(instrument.id)
    if inventory.provisional:
        most, least = inventory.worst(instrument.id, BUY), inventory.worst(instrument.id, SELL)
    long, short = abs(most + bought), abs(least - sold)
    return instrument.coin(short if short > long else long, index)


def others_coin(state: State, market: Market) -> Decimal:
    """Worst-case exposure on a market's underlying that is not its own, in coin."""
    underlying = market.instrument.underlying
    others = state.worst_coin.get(underlying, ZERO) - market.worst_coin
    for account in state.accounts.values():
        off_desk = account.off_desk.get(underlying)
        if off_desk is not None:
            others += off_desk.in_coin(index_of(state, market))
    return others


def index_of(state: State, market: Market) -> Decimal | None:
    """USD per coin of a market's underlying, by its own ticker or that of a sibling."""
    if market.index is not None:
        return to_decimal(market.index)
    for other in state.markets.values():
        if other.instrument.underlying == market.instrument.underlying and other.index is not None:
            return to_decimal(other.index)
    return None
