"""What a decision is made from, and whether it stands: a turn that would decide the same again is
not taken twice.

Theory of operation
-------------------
1. Reasons not to quote at all, the book without our own orders, the pricer's value and everything
   else in the view are found anew each time (core.decide). What is saved is what follows from them:
   the strategy, the grid, the rules, the diff and the worst case.
2. A strategy and a rule see the view and nothing else, so their answer is the same while the view
   is. It never quite is: it holds the moment, the age of the book, levels far from the top, and
   what signals say. A plug-in that says what it `reads` of these (core.reads) answers the same
   while that is the same; one that says nothing is asked every time, and so is all of its desk.
3. Everything else that is read on the way is in the basis by its value: every field of every order
   of ours, whether each may be left to lag, what is held in the worst case, what people changed,
   why only what reduces may be sent, and whether the venue has frozen quotes.
4. What depends on the moment alone is never remembered: a decision stands only if it asked for
   nothing, so that nothing has to be tried again, and where no slot has to wait.
5. A hedger wants what the whole desk adds up to: where one wants something, nothing stands.
"""

from dataclasses import fields
from decimal import Decimal
from itertools import starmap
from math import isfinite
from operator import add, attrgetter

from mmbot.core.approve import only_reducing
from mmbot.core.books import Market
from mmbot.core.desk import Desk
from mmbot.core.orders import Order
from mmbot.core.protection import is_frozen
from mmbot.core.reads import Reads, read_by_all
from mmbot.core.standing import SlotKey, Standing
from mmbot.core.state import State
from mmbot.core.types import BUY, SELL, Nanos, Quote, Side
from mmbot.core.views import View
from mmbot.core.why import Why

_TOLD_BY_READS = ("now_ns", "book_age_ns", "bids", "asks", "signals", "chain")

VIEWED = tuple(name for name in View.__match_args__ if name not in _TOLD_BY_READS)
"""What is in a view besides, every field of it."""

_of_view = attrgetter(*VIEWED)
_of_order = attrgetter(*[field.name for field in fields(Order)])


def still_stands(
    state: State,
    desk: Desk,
    market: Market,
    view: View | Why,
    orders: list[Order],
    settled_ns: Nanos,
) -> Standing | None:
    """The last decision about a market, if nothing that it was made from has changed."""
    last = market.stands
    if (
        last is None
        or not isinstance(view, View)
        or state.hedges
        or view.book_age_ns > last.reads.age_limit_ns
        or not _same_book(view, last)  # mostly the first to differ
        or last.basis != _basis(state, desk, market, view, orders, settled_ns, last.reads)
        or _must_wait(state, last.slots, view.now_ns)
    ):
        return None
    return last


def can_stand(
    state: State,
    desk: Desk,
    market: Market,
    view: View | Why,
    orders: list[Order],
    settled_ns: Nanos,
    quotes: tuple[Quote, ...],
    why: dict[Side, Why],
    worst_coin: Decimal | None,
) -> Standing | None:
    """A decision that was made just now and asks for nothing, if it can stand."""
    if not isinstance(view, View) or state.hedges:
        return None
    reads = read_by_all((desk.strategy, *desk.rules), view.instrument)
    # Past the lowest limit of age nothing is known of the others.
    if reads is None or reads.chain or view.book_age_ns > reads.age_limit_ns:
        return None
    slots = tuple((view.instrument.id, one.side, one.owner, one.level) for one in quotes)
    if _must_wait(state, slots, view.now_ns):
        return None
    basis = _basis(state, desk, market, view, orders, settled_ns, reads)
    bids, asks, sound = view.bids[: reads.depth], view.asks[: reads.depth], _is_sound(view)
    return Standing(reads, bids, asks, sound, basis, slots, quotes, dict(why), worst_coin)


def _same_book(view: View, last: Standing) -> bool:
    """Whether what a desk reads of the others' book is as it was. A slice to None is the whole."""
    depth = last.reads.depth
    return (
        view.bids[:depth] == last.bids
        and view.asks[:depth] == last.asks
        and _is_sound(view) == last.sound
    )


def _is_sound(view: View) -> bool:
    """Whether all levels are numbers. One sum finds NaN and infinity: both survive addition."""
    return isfinite(sum(starmap(add, view.bids)) + sum(starmap(add, view.asks)))


def _basis(
    state: State,
    desk: Desk,
    market: Market,
    view: View,
    orders: list[Order],
    settled_ns: Nanos,
    reads: Reads,
) -> tuple[object, ...]:
    """What else a decision is made from, by its value."""
    held, instrument = state.inventory, view.instrument.id
    account = state.account(view.instrument.venue)
    return (
        desk,
        _of_view(view),
        view.signals if reads.signals else None,
        list(map(_of_order, orders)),
        [order.sent_ns <= settled_ns for order in orders],
        held.worst(instrument, BUY),
        held.worst(instrument, SELL),
        market.off,
        state.controls.size_factor,
        only_reducing(state, desk, view.now_ns),
        is_frozen(account.protected, view.instrument.underlying, view.now_ns),
    )


def _must_wait(state: State, slots: tuple[SlotKey, ...], now_ns: Nanos) -> bool:
    """Whether something was tried in one of these slots a moment ago."""
    known = state.slots
    for slot in slots if known else ():
        memory = known.get(slot)
        if memory is not None and now_ns < memory.not_before_ns:
            return True
    return False
