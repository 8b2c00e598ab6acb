"""Whose an order is where the venue does not name our label.

Theory of operation
-------------------
1. An order is ours when its id is in the table of ids (`Orders.ids`): put there by the reply to the
   request that created it, and by the store, which keeps the table, after a restart.
2. What is told of an id that is not in the table may be about an order whose reply is still on its
   way. Fills are booked all the same, money first; they and the last word about it are kept until
   no reply is awaited any more, and are believed when the id is learned.
3. A lost reply is made up for by terms and time. A look at the venue shows open orders and trades;
   those that are not in the table and have the instrument, side, price and amount of a lost order,
   and came about while its request was valid, are its candidates. As many candidates as there are
   lost orders that they fit, or fewer, are ours; which is whose, nearness in time tells (money is
   right in any case). More are too many: which one is ours nobody can
   tell, so that the lost order stays UNKNOWN, and nothing is placed beside it, until they are gone.
4. Everything else is foreign: shown, and never touched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import inf

from msgspec.structs import replace

from mmbot.core.absence import CLOCK_SKEW_NS
from mmbot.core.events import OrderSeen, SnapshotTaken
from mmbot.core.expiry import has_expired
from mmbot.core.inventory import Claimed
from mmbot.core.order_life import Status
from mmbot.core.orders import Order
from mmbot.core.state import Account, State
from mmbot.core.statements import Fill, Finality, Liquidity, order_key
from mmbot.core.types import MS, ZERO, InstrumentId, Label, Side
from mmbot.core.unclaimed import Unclaimed


def label_of(state: State, account: Account, order_id: str) -> Label | None:
    """The label of an order by its id, where the venue does not name it."""
    if account.capabilities.label_echoed:
        return None
    return state.orders.ids.get(order_key(account.venue, order_id))


def keep_word(account: Account, seen: OrderSeen) -> None:
    """An order that is not known to be ours is as stated, for all that is known."""
    if not account.capabilities.label_echoed:
        kept = account.unclaimed.setdefault(seen.order_id, Unclaimed())
        if kept.seen is None or kept.seen.venue_ms <= seen.venue_ms:
            kept.seen = seen


def keep_fill(account: Account, fill: Fill) -> None:
    """A fill has been booked, and is not known to be ours."""
    if not account.capabilities.label_echoed:
        account.unclaimed.setdefault(fill.order_id, Unclaimed()).fills.append(fill)


def learn(state: State, account: Account, order: Order) -> OrderSeen | None:
    """The id of an order of ours has become known: what was told of it before counts now. Returns
    the last word about it, if there was one."""
    state.orders.ids[order_key(account.venue, order.order_id)] = order.label
    state.orders.learned[order.label] = (account.venue, order.order_id)
    account.foreign.pop(order.order_id, None)
    kept = account.unclaimed.pop(order.order_id, None)
    if kept is None:
        return None
    for fill in kept.fills:
        _credit(state, order, fill)
    return replace(kept.seen, label=order.label) if kept.seen is not None else None


def is_nameless(account: Account, order: Order) -> bool:
    """Whether nobody can ask about an order: its id is not known, and its label the venue's not."""
    return not (order.order_id or account.capabilities.label_echoed)


def forget_unclaimed(state: State, account: Account) -> None:
    """Drop what was told of others, unless an order of ours may be among them."""
    if not any(o.working and not o.order_id for o in state.orders.at(account.venue)):
        account.unclaimed.clear()


# --- lost replies -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Candidate:
    """An order of the account that is in no table. `price` is the worst at which it traded, where
    it is known by its trades alone."""

    order_id: str
    instrument: InstrumentId | None
    side: Side | None
    price: Decimal | None
    amount: Decimal | None
    created_ms: int | None
    traded_ms: int = 0
    """When it first traded, where it is known by its trades alone ..."""
    made: bool = False
    """... and whether it rested for one of them: then that was at its own price."""


def claim_lost(state: State, account: Account, event: SnapshotTaken) -> dict[Label, None]:
    """Find orders whose reply was lost among what the venue shows. Returns those that have too many
    candidates."""
    lost = [
        order
        for order in state.orders.at(account.venue)
        if order.status is Status.UNKNOWN and is_nameless(account, order)
    ]
    lost.sort(key=lambda order: order.placed_ns, reverse=True)  # the newest is chosen for first
    in_doubt: dict[Label, None] = {}
    if not lost:
        return in_doubt
    left = list(_candidates(state, account, event))
    for order in lost:
        found = [one for one in left if _fits(account, order, one)]
        rivals = [
            o for o in lost if not o.order_id and any(_fits(account, o, one) for one in found)
        ]
        if len(found) > len(rivals):
            if not has_expired(order, event.asked_ns):  # then it is none of those that are open
                in_doubt[order.label] = None
        else:
            one = _own(order, found, rivals)
            if one is not None:
                left.remove(one)
                _claim(state, account, order, one.order_id, event)
    return in_doubt


def _own(order: Order, found: list[_Candidate], rivals: list[Order]) -> _Candidate | None:
    """Which one is it: of this price, or of no other lost order's; of several, the one that came
    about soonest after the order was sent."""
    same = [one for one in found if one.price == order.price]
    prices = {rival.price for rival in rivals}
    able = same or [one for one in found if one.price not in prices]
    placed_ms = order.placed_ns // MS
    return min(
        able,
        key=lambda one: inf if one.created_ms is None else abs(one.created_ms - placed_ms),
        default=None,
    )


def _candidates(state: State, account: Account, event: SnapshotTaken) -> Iterator[_Candidate]:
    """Open orders, then orders of which there are only trades."""
    ids, listed = state.orders.ids, set()
    for stated in event.orders:
        listed.add(stated.order_id)
        if stated.label is None and order_key(account.venue, stated.order_id) not in ids:
            yield _Candidate(
                stated.order_id,
                stated.instrument,
                stated.side,
                stated.price,
                stated.amount,
                stated.created_ms,
            )
    traded: dict[str, _Candidate] = {}
    for fill in event.fills:
        order_id = fill.order_id
        if fill.label is not None or order_id in listed:
            continue
        if order_key(account.venue, order_id) in ids:
            continue
        one = traded.get(order_id)
        if one is None:
            created_ms = _created_ms(account, order_id)
            one = traded[order_id] = _Candidate(
                order_id, fill.instrument, fill.side, fill.price, ZERO, created_ms, fill.venue_ms
            )
        assert one.price is not None
        assert one.amount is not None
        worst = max if fill.side is Side.BUY else min
        one.price, one.amount = worst(one.price, fill.price), one.amount + fill.amount
        one.traded_ms = min(one.traded_ms, fill.venue_ms)
        one.made = one.made or fill.liquidity is Liquidity.MAKER
    yield from traded.values()


def _created_ms(account: Account, order_id: str) -> int | None:
    """When an order came about, where a list or a push has said it."""
    known = account.foreign.get(order_id)
    if known is not None:
        return known.created_ms
    kept = account.unclaimed.get(order_id)
    return kept.seen.created_ms if kept is not None and kept.seen is not None else None


def _fits(account: Account, order: Order, one: _Candidate) -> bool:
    """Whether one may be a lost order of ours; what is not told may be anything."""
    if one.instrument not in (order.instrument, None) or one.side not in (order.side, None):
        return False
    slack_ns = CLOCK_SKEW_NS + account.skew_ns
    first_ms = (order.placed_ns - slack_ns) // MS
    valid_ns = account.capabilities.takes_effect_within_ns
    last_ms = (order.placed_ns + valid_ns + slack_ns) // MS
    if one.created_ms is not None and not first_ms <= one.created_ms <= last_ms:
        return False
    if not one.traded_ms:
        smaller_too = not account.capabilities.fills_final  # by what was taken back of it
        amount_fits = one.amount in (order.amount, None) or (
            smaller_too and one.amount < order.amount
        )
        return one.price in (order.price, None) and amount_fits
    assert one.price is not None
    assert one.amount is not None
    better = (order.price - one.price) * order.side.sign >= 0 and not one.made
    in_bounds = (better or one.price == order.price) and one.amount <= order.amount
    return in_bounds and one.traded_ms >= first_ms


def _claim(
    state: State, account: Account, order: Order, order_id: str, event: SnapshotTaken
) -> None:
    order.order_id = order_id
    state.orders.changed[order.label] = order
    kept = account.unclaimed.get(order_id, Unclaimed())
    credited = {fill.key for fill in kept.fills}
    learn(state, account, order)  # the look says more than any word before it
    for told in event.fills:
        for fill in _entries_of(state, told) if told.order_id == order_id else ():
            booked = state.inventory.knows(fill.key, fill.venue_ms)
            if booked and fill.key not in credited:
                _credit(state, order, fill)  # booked by an earlier run, as nobody's


def _entries_of(state: State, fill: Fill) -> tuple[Fill, ...]:
    """What the books have of a fill: of one that was taken back, the reversal too."""
    if fill.finality is not Finality.VOIDED or fill.key in state.inventory.provisional:
        return (fill,)
    return fill, fill.reversal(fill.stated_ms or fill.venue_ms)


def _credit(state: State, order: Order, fill: Fill) -> None:
    """A fill that is booked is this order's, and so is what the venue has yet to say of it."""
    pending = state.inventory.provisional.get(fill.key)
    if pending is not None:
        state.inventory.provisional[fill.key] = replace(pending, label=order.label)
    fill = replace(fill, label=order.label)
    state.orders.book(order, fill)
    state.entries.append(Claimed(fill))
