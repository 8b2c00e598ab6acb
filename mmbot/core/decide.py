"""Deciding about one market: what its orders should become, and why.

Theory of operation
-------------------
1. `standing_reason` and `books.book_fault`: is there a reason not to quote at all, whatever the
   strategy thinks?
2. If not: the view of the market without our own orders, with the pricer's fair value; the
   strategy's quotes, and those of hedgers; and what core.approve leaves of them.
3. `diff` says which requests turn the working orders into the approved targets.

Nothing is written here: a Decision says what was found out on the way, and core.record writes it.
"""

from collections.abc import Iterable
from decimal import Decimal
from itertools import chain
from math import inf

from msgspec import Struct, field

from mmbot.core.approve import approve
from mmbot.core.basis import can_stand, still_stands
from mmbot.core.books import Market, book_fault, reference
from mmbot.core.capabilities import Move
from mmbot.core.closures import is_locked
from mmbot.core.desk import Desk
from mmbot.core.diff import Action, diff
from mmbot.core.exposure import others_coin, worst_coin
from mmbot.core.leeway import Allowance, allowance
from mmbot.core.moves import in_two_orders
from mmbot.core.order_life import CANCEL, DONE, Request, Status
from mmbot.core.orders import Order
from mmbot.core.protection import is_frozen
from mmbot.core.references import NO_REFERENCES
from mmbot.core.remember import values
from mmbot.core.standing import Standing
from mmbot.core.state import Account, State
from mmbot.core.types import (
    BUY,
    MS,
    SECOND,
    SELL,
    Approved,
    InstrumentId,
    Level,
    Nanos,
    Quote,
    Side,
    unnamed,
)
from mmbot.core.views import NO_SIGNALS, DeskView, MarketView, Valuation, View
from mmbot.core.why import Why

RECONCILE_GRACE_NS: Nanos = 500 * MS
"""While reconciling, live orders are left alone for this long before they are cancelled."""

EXPIRY_LOOK_NS: Nanos = 1 * SECOND
"""After an expiry the venue is asked what it came to."""


_SAME_ID = Move.SAME_ID
_NOT_QUOTED, _RECONCILING = Why.NOT_QUOTED, Why.RECONCILING  # a class's look-up is a Python call
_MMP_FROZEN = Why.MMP_FROZEN

_ORPHANED = {Side.BUY: Why.ORPHAN, Side.SELL: Why.ORPHAN}


class Decision(Struct):
    """What was decided about one market, and what was found out on the way."""

    orders: list[Order]
    """Our orders on it, as they were."""
    why: dict[Side, Why] = field(default_factory=dict)
    """Why each side is as it is."""
    quotes: tuple[Quote, ...] | None = None
    """What the strategy wants; None: nothing new is known of that."""
    pricer: str = ""
    """Whose fair value it is built on ..."""
    valuation: Valuation | None = None
    """... and what that was; None: nothing new is known of it."""
    actions: list[Action] = field(default_factory=list)
    worst_coin: Decimal | None = None
    """Worst-case exposure with what was approved, in coin; None: as before."""
    references: dict[Side, tuple[Level, ...]] = field(default_factory=dict)
    """Good references of this moment, to stand in while our own orders blur the book."""
    look_ns: Nanos = 0
    """When the venue must be asked about it at the latest; 0: it need not be."""
    expired: bool = False
    allowance: Allowance | None = None
    """What the desk's rules surely allow (core.leeway); None: as before."""
    again: bool = False
    """Something had to wait that is no event: decide again at the next turn."""
    stands: Standing | None = None
    """What is kept of it, where it can stand (core.basis)."""


def decide(state: State, desk: Desk, market: Market, now_ns: Nanos) -> Decision:
    """What one market's orders should become, and the requests that get them there."""
    instrument = market.instrument
    account = state.accounts[instrument.venue]
    heard_ns, alive_ns = market.received_ns, account.alive_ns
    age_ns = now_ns - (heard_ns if heard_ns > alive_ns else alive_ns)
    orders = list(state.orders.on(instrument.id))
    decision = Decision(orders, pricer=desk.pricer_name)
    standing = _standing_reason(state, account, market, decision, now_ns)
    standing = standing or book_fault(market, age_ns, now_ns)
    if standing is _RECONCILING and now_ns < account.doubted_ns + RECONCILE_GRACE_NS:
        decision.why = {Side.BUY: standing, Side.SELL: standing}
        return decision  # the venue is being asked: what rests there has rested for a while
    approved: list[Approved] = []
    settled_ns = now_ns - desk.refresh_ns if state.watch.slowed is None else 0
    decision.quotes = ()
    view: View | Why = _NOT_QUOTED
    if standing is not None:
        decision.why = {Side.BUY: standing, Side.SELL: standing}
    else:
        view = _view(state, desk, market, decision, age_ns, now_ns)
        last = still_stands(state, desk, market, view, orders, settled_ns)
        if last is not None:
            return _again(decision, last)
        quotes = _wanted(account, desk, view)
        hedges = _hedges(state, market) if state.hedges else ()
        if isinstance(quotes, Why):
            decision.why = {Side.BUY: quotes, Side.SELL: quotes}
            quotes = ()
        if isinstance(view, View) and (hedges or not decision.why):
            decision.quotes = (*quotes, *hedges)
            allowed = decision.allowance = allowance(desk.rules, view, market.allowance)
            approved, why = approve(
                state, desk, market, decision.quotes, view, orders, allowed, settled_ns
            )
            decision.why = why | decision.why if decision.why else why
    wanted = diff(approved, orders, decision.why, settled_ns)
    move, coming = account.capabilities.move, orders
    if move is not _SAME_ID and approved:
        assert isinstance(view, View), "nothing is approved without a view"
        if account.no_new_risk(now_ns) is not None or state.controls.wind_down:
            move = Move.NONE  # two orders that reduce, both filled, may do more than that
        wanted, more = in_two_orders(move, desk, state.inventory, view, orders, approved, wanted)
        coming = orders + more
    decision.worst_coin = worst_coin(state, market, coming, approved)
    if state.exit_ns:
        wanted += _insist(orders, decision.why)
    if wanted:
        decision.actions = [
            one for one in wanted if one.request is not CANCEL or may_cancel(one, now_ns)
        ]
        decision.again = len(decision.actions) < len(wanted)
    else:
        decision.stands = can_stand(
            state,
            desk,
            market,
            view,
            orders,
            settled_ns,
            decision.quotes,
            decision.why,
            decision.worst_coin,
        )
    return decision


def _wanted(account: Account, desk: Desk, view: View | Why) -> Iterable[Quote] | Why:
    """What the strategy quotes, or why it is not asked. Hedges are not under protection."""
    if not isinstance(view, View):
        return view
    frozen = account.protected
    if frozen and is_frozen(frozen, view.instrument.underlying, view.now_ns):
        return _MMP_FROZEN
    return desk.strategy.quotes(view)


def _again(decision: Decision, last: Standing) -> Decision:
    """The last decision once more."""
    decision.quotes, decision.why, decision.worst_coin = (
        last.quotes,
        dict(last.why),
        last.worst_coin,
    )
    decision.stands = last
    return decision


def _hedges(state: State, market: Market) -> tuple[Quote, ...]:
    """What hedgers want on a market."""
    by_desk = (of_desk.get(market.instrument.id, ()) for of_desk in state.hedges.values())
    return tuple(chain.from_iterable(by_desk))


def decide_orphans(
    state: State, instrument: InstrumentId, now_ns: Nanos
) -> tuple[list[Action], bool]:
    """Orders of ours where no desk quotes, left over from another run, all go. Returns the requests
    and whether some must wait for the next turn."""
    orders = list(state.orders.on(instrument))
    wanted = diff((), orders, _ORPHANED, now_ns)
    if state.exit_ns:
        wanted += _insist(orders, _ORPHANED)
    actions = [action for action in wanted if may_cancel(action, now_ns)]
    return actions, len(actions) < len(wanted)


def _insist(orders: list[Order], reasons: dict[Side, Why]) -> list[Action]:
    """Leaving or tripped, orders nobody is sure of are cancelled too: a cancel does no harm."""
    return [
        Action(Request.CANCEL, order.instrument, order, None, reasons[order.side])
        for order in orders
        if order.status is Status.UNKNOWN and order.order_id and not order.ended
    ]


def may_cancel(action: Action, now_ns: Nanos) -> bool:
    """Whether it is no cancel, or one whose order was not cancelled a moment ago already."""
    order = action.order
    return action.request is not CANCEL or order is None or now_ns >= order.cancel_again_ns


def _standing_reason(  # noqa: C901  # a list of reasons, first come first said
    state: State, account: Account, market: Market, decision: Decision, now_ns: Nanos
) -> Why | None:
    """Why nothing may be quoted whatever the market does."""
    if market.expired(now_ns):
        if not market.expiry_asked and state.inventory.amount(market.instrument.id):
            decision.look_ns = now_ns + EXPIRY_LOOK_NS
        decision.expired = True
        return Why.EXPIRED
    why = _told_not_to(state, account)
    if why is not None:
        return why
    if not account.trading_up or not account.market_up:
        return Why.LINK_DOWN
    if not account.reconciled or account.proven_ns < account.doubted_ns:
        return Why.RECONCILING
    if market.halted:
        return Why.HALTED
    if account.locks and is_locked(account.locks, market.instrument):
        return Why.LOCKED
    shut = account.refused.reason(now_ns) or market.closure.reason(now_ns)
    if shut is not None:
        return shut
    if _unsized(state, account, decision.orders):
        return Why.RECONCILING
    if not state.inventory.opened(market.instrument.id):
        decision.look_ns = now_ns  # listed since the last look at the venue
        return Why.RECONCILING
    return None


def _told_not_to(state: State, account: Account) -> Why | None:
    """Why nothing may be quoted: by a person, a guard, or what keeps our records."""
    if state.latch.tripped is not None:
        return Why.TRIPPED
    if account.lease_lost:
        return Why.LEASE_LOST
    if state.stopping is not None:
        return Why.STOPPING
    if state.store_trouble:
        return Why.STORE
    if state.tape_trouble:
        return Why.TAPE
    return state.paused or state.watch.paused


def _unsized(state: State, account: Account, orders: list[Order]) -> bool:
    """Whether an order of ours may rest there, or nobody knows where, of which the venue did not
    say how much it is."""
    for order in orders:
        if order.unsized and order.status is not DONE:
            return True
    nowhere = state.orders.by_instrument.get(unnamed(account.venue))
    return nowhere is not None and any(order.working for order in nowhere.values())


def _view(
    state: State, desk: Desk, market: Market, decision: Decision, age_ns: Nanos, now_ns: Nanos
) -> View | Why:
    """What the strategy may see, or why there is nothing: our own orders blur the book, or the
    pricer knows no value."""
    orders = decision.orders
    bids = reference(market, BUY, orders, now_ns, decision.references)
    asks = reference(market, SELL, orders, now_ns, decision.references)
    if bids is None or asks is None:
        return Why.OWN_ORDERS_UNCLEAR
    mark, index, instrument = market.mark, market.index, market.instrument
    assert mark is not None, "a fault without one"
    assert index is not None, "a fault without one"
    forward = market.forward if market.forward is not None else index
    chain_of = state.chains[market.chain] if market.chain else None
    iv, row = market.mark_iv, market.row
    valuation = desk.pricer.fair(
        MarketView(instrument, bids, asks, mark, index, forward, iv, market.delta, row),
        chain_of,
        now_ns,
    )
    if not isinstance(valuation, Valuation):
        return valuation
    if not 0 <= valuation.fair < inf:  # true for NaN
        return Why.NO_FAIR
    if state.controls.vol_points:
        valuation = state.controls.shifted(market, valuation, now_ns)
    decision.valuation = valuation
    references = state.references.newest  # mostly there are none
    inventory = state.inventory
    position = worst_long = worst_short = inventory.amount(instrument.id)
    if inventory.provisional:
        worst_long = inventory.worst(instrument.id, BUY)
        worst_short = inventory.worst(instrument.id, SELL)
    for order in orders:
        if order.side is BUY:
            worst_long += order.exposed
        else:
            worst_short -= order.exposed
    return View(  # by place, as in MarketView: beyond 15 keywords a call goes through a dictionary
        instrument,
        now_ns,
        bids,
        asks,
        mark,
        index,
        forward,
        valuation.fair,
        iv,
        market.delta if valuation.delta is None else valuation.delta,
        min_price=market.min_price,
        max_price=market.max_price,
        position=position,
        worst_long=worst_long,
        worst_short=worst_short,
        book_age_ns=age_ns,
        desk=DeskView(others_coin=others_coin(state, market)),
        references=(
            references.get(market.instrument.underlying, NO_REFERENCES)
            if references
            else NO_REFERENCES
        ),
        sigma=valuation.sigma,
        signals=values(state, desk, instrument.id, now_ns) if desk.signals else NO_SIGNALS,
        chain=chain_of,
        row=row,
    )
