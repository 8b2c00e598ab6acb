"""One turn: the conductor. Read this first.

    turn(state, events, now, desks, guards) -> intents

Theory of operation
-------------------
1. Every event of the batch is applied to the state (state.apply). Nothing is decided yet.
2. If the bot was away (no turn for 2 s, while Ticks come every 0.1 s), what it believes is old: it
   reconciles with the venue before it quotes again; away for 10 s, the kill switch trips.
   Then the guards look at the whole account (core.guards): all is well, pause, or trip.
3. For each market that changed: is there a reason not to quote at all (`_standing_reason`,
   `books.distrust`)? If not: view -> strategy -> the venue's grid -> risk rules in order ->
   Approved -> diff against our working orders -> actions.
4. Actions of all markets compete for the venue's request budget: cancels, then orders whose
   resting price loses most, then what reduces a position, then the rest. What cannot be afforded
   is not kept: its market is decided about again once there is budget, so the newest quote wins.
5. What is sent is promised first (state.promise), so the state never lags behind the wire.

The function is pure: same state, events, time and desks give the same intents.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice

from mmbot.core import events as ev
from mmbot.core.books import Market, distrust, microprice, reference
from mmbot.core.closures import is_locked
from mmbot.core.diff import Action, Sweep, amended_amount, diff
from mmbot.core.guards import watch
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    Intent,
    Place,
    ReadAuthority,
    ReserveLabels,
    Resync,
    SaveLatch,
    TakeBack,
    VenueIntent,
)
from mmbot.core.orders import IN_FLIGHT, STRAY_LEVEL, Order, Status
from mmbot.core.ports import Guard, RiskRule, Strategy
from mmbot.core.resting import expected_loss, facing, leading, less_aggressive, stays
from mmbot.core.rules import within_rules
from mmbot.core.sizing import on_grid
from mmbot.core.state import (
    VALID_FOR_NS,
    Account,
    State,
    apply,
    be_away,
    due,
    promise,
    trip,
    unresolved,
)
from mmbot.core.types import (
    MS,
    SECOND,
    ZERO,
    Approved,
    InstrumentId,
    Kind,
    Nanos,
    Side,
    Target,
    to_decimal,
)
from mmbot.core.views import DeskView, Proposal, View
from mmbot.core.why import Why

AWAY_PAUSE_NS: Nanos = 2 * SECOND
AWAY_TRIP_NS: Nanos = 10 * SECOND

FILLS_OVERLAP_MS = 60_000
"""How far a back-fill reaches back beyond the last snapshot."""

VERIFY_AGAIN_NS: Nanos = 200 * MS
"""Between two looks at the venue until it shows nothing of ours."""

RESYNC_DEADLINE_NS: Nanos = 30 * SECOND
"""A snapshot not back by then never comes."""

SECOND_PATH_NS: Nanos = 1 * SECOND
"""So long orders may outlive the kill switch or the trading link before they are taken back over
the second path."""

_STRAY = {Side.BUY: Why.STRAY, Side.SELL: Why.STRAY}

AUTHORITY_AGAIN_NS: Nanos = 1 * SECOND
"""Between two questions to the store whether we may still send."""

FLOWS_EVERY_NS: Nanos = 60 * SECOND
"""How often funding, deliveries and transfers are asked for."""

RECONCILE_GRACE_NS: Nanos = 500 * MS
"""While reconciling, live orders are left alone for this long before they are cancelled."""

EXPIRY_LOOK_NS: Nanos = 1 * SECOND
"""After an expiry the venue is asked what it came to."""

LABELS_BLOCK = 512
"""Label sequences set aside at a time."""

LABELS_LOW = 256
"""With fewer left, the next block is asked for."""

LOOKUPS_MAX = 40
"""Orders asked about by name at a time: questions count at the venue too."""

SWEEP_FROM = 3
"""From this many cancels on, a sweeping cancel is used when leaving."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One strategy with its rules on some instruments of one venue.

    `refresh_ns`: an order that merely lags behind the market is moved at most this often; one that
    has become more aggressive than it may be is moved at once.
    """

    name: str
    venue: str
    strategy: Strategy
    rules: tuple[RiskRule, ...]
    refresh_ns: Nanos = 0


def turn(
    state: State,
    events: Sequence[ev.Event],
    now_ns: Nanos,
    desks: Mapping[InstrumentId, Desk],
    guards: Sequence[Guard] = (),
) -> list[Intent]:
    """Apply `events`, decide for every market that changed, and return what must be done."""
    state.turns += 1
    for event in events:
        apply(state, event, now_ns)
    _notice_absence(state, now_ns)
    watch(state, guards, now_ns)

    _recover(state, now_ns)
    dirty, state.dirty = state.dirty, {}
    if len(dirty) > 1:  # a market alone is judged by what the others add up to, which stands
        dirty = {i: None for i in (*state.markets, *dirty) if i in dirty}  # as a person named them
        for instrument in filter(desks.__contains__, dirty):
            orders = list(state.orders.on(instrument))
            _reckon(state, state.markets[instrument], orders, ())
    actions: list[Action] = []
    for instrument in dirty:
        desk = desks.get(instrument)
        if desk is not None:
            actions += _decide(state, desk, state.markets[instrument], now_ns)
        else:  # orders of ours where nobody quotes: left over from another run
            actions += diff((), state.orders.on(instrument), _STRAY, now_ns)

    intents = list(_keep(state, now_ns))
    if _may_send(state, now_ns):
        intents += _spend(state, _swept(state, actions, now_ns), now_ns)
    else:
        state.dirty.update(dirty)
    if not state.lease_lost:
        for account in state.accounts.values():
            intents += _look(state, account, now_ns)
    state.last_turn_ns = now_ns
    return intents


def _keep(state: State, now_ns: Nanos) -> Iterator[Intent]:
    """What the store must do for us: read lease and latch, keep the latch, set labels aside."""
    if state.authority_ns < state.away_ns and (
        state.authority_asked_ns < state.away_ns
        or now_ns >= state.authority_asked_ns + AUTHORITY_AGAIN_NS
    ):
        state.authority_asked_ns = now_ns
        yield ReadAuthority()
    latch = state.latch
    if latch.tripped is not None and not latch.asked:
        latch.asked = True
        yield SaveLatch(latch.tripped, latch.detail)
    if state.withdraw_ns:
        return
    if state.reserved_upto - state.next_sequence < LABELS_LOW and (
        state.labels_asked <= state.reserved_upto
    ):
        state.labels_asked = max(state.reserved_upto, state.next_sequence) + LABELS_BLOCK
        yield ReserveLabels(state.labels_asked)


def _may_send(state: State, now_ns: Nanos) -> bool:
    """Not while a tripped latch is on its way to disk, nor before latch and lease have been read
    again after an absence, nor ever when another engine has taken over."""
    if state.lease_lost or state.authority_ns < state.away_ns:
        return False
    return not state.latch.holds_back(now_ns)


def _notice_absence(state: State, now_ns: Nanos) -> None:
    """A machine that slept, a process that was stopped: do not act on what was true before."""
    if not 0 < state.watch.ticking_ns <= state.last_turn_ns:
        return  # nobody ticks while the venue is being connected to
    away_ns = now_ns - state.last_turn_ns
    if away_ns < AWAY_PAUSE_NS:
        return
    be_away(state, now_ns)
    asked = state.stopping is not None or state.paused is Why.SUSPENDED
    if away_ns >= AWAY_TRIP_NS and not asked:
        detail = f"no turn for {away_ns / SECOND:.1f} s"
        trip(state, Why.GAP_IN_TURNS, detail, now_ns)


# --- deciding for one market ------------------------------------------------------------------


def _decide(state: State, desk: Desk, market: Market, now_ns: Nanos) -> list[Action]:
    """What one market's orders should become, and the requests that get them there."""
    instrument = market.instrument
    account = state.account(instrument.venue)
    age_ns = now_ns - max(market.received_ns, account.alive_ns)
    orders = list(state.orders.on(instrument.id))
    market.presence.look(orders, now_ns)
    standing = _standing_reason(state, account, market, orders, now_ns)
    standing = standing or distrust(market, age_ns, now_ns)
    if standing is Why.RECONCILING and now_ns < account.doubted_ns + RECONCILE_GRACE_NS:
        market.why = {Side.BUY: standing, Side.SELL: standing}
        return []  # the venue is being asked: what rests there has rested for a while
    approved: list[Approved] = []
    settled_ns = now_ns - desk.refresh_ns if state.watch.slowed is None else 0
    market.quotes = ()
    if standing is not None:
        market.why = {Side.BUY: standing, Side.SELL: standing}
    else:
        view = _view(state, market, orders, age_ns, now_ns)
        quotes = desk.strategy.quotes(view) if view is not None else Why.OWN_ORDERS_UNCLEAR
        if view is None or isinstance(quotes, Why):
            assert isinstance(quotes, Why)
            market.why = {Side.BUY: quotes, Side.SELL: quotes}
        else:
            market.quotes = tuple(quotes)
            approved = _approve(state, desk, market, view, orders, now_ns, settled_ns)
    _reckon(state, market, orders, approved)
    actions = diff(approved, orders, market.why, settled_ns)
    if state.withdraw_ns:
        actions += _insist(orders, market.why)
    return [a for a in actions if _may_cancel(state, a, now_ns)]


def _insist(orders: list[Order], reasons: dict[Side, Why]) -> list[Action]:
    """Leaving or tripped, orders nobody is sure of are cancelled too: a cancel does no harm."""
    return [
        Action(ev.Request.CANCEL, order.instrument, order, None, reasons[order.side])
        for order in orders
        if order.status is Status.UNKNOWN and order.order_id
    ]


def _may_cancel(state: State, action: Action, now_ns: Nanos) -> bool:
    """Whether it is no cancel, or one whose order was not cancelled a moment ago already."""
    order = action.order
    if action.request is not ev.Request.CANCEL or order is None:
        return True
    if now_ns >= order.cancel_again_ns:
        return True
    state.touch(order.instrument)
    return False


def _standing_reason(
    state: State, account: Account, market: Market, orders: list[Order], now_ns: Nanos
) -> Why | None:
    """Why nothing may be quoted whatever the market does."""
    if market.expired(now_ns):
        if not market.expiry_asked and state.inventory.of(market.instrument).amount:
            due(account, now_ns + EXPIRY_LOOK_NS)
        market.expiry_asked = True
        return Why.EXPIRED
    if state.latch.tripped is not None:
        return Why.TRIPPED
    if state.stopping is not None:
        return Why.STOPPING
    if state.lease_lost:
        return Why.LEASE_LOST
    if state.store_trouble:
        return Why.STORE
    if state.tape_trouble:
        return Why.TAPE
    if state.paused is not None:
        return state.paused
    if state.watch.paused is not None:
        return state.watch.paused
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
    if _unsized(state, account, orders):
        return Why.RECONCILING
    if not state.inventory.of(market.instrument).opened:
        due(account, now_ns)  # listed since the last look at the venue
        return Why.RECONCILING
    return None


def _unsized(state: State, account: Account, orders: list[Order]) -> bool:
    """Whether an order of ours may rest there, or nobody knows where, of which the venue did not
    say how much it is."""
    for order in orders:
        if order.unsized and order.working:
            return True
    nowhere = state.orders.by_instrument.get(InstrumentId(f"{account.venue}:"))
    return nowhere is not None and any(order.working for order in nowhere.values())


def _view(
    state: State, market: Market, orders: list[Order], age_ns: Nanos, now_ns: Nanos
) -> View | None:
    """What the strategy may see; None while our own orders blur the book."""
    bids = reference(market, Side.BUY, orders, now_ns)
    asks = reference(market, Side.SELL, orders, now_ns)
    if bids is None or asks is None:
        return None
    mark, index = market.mark, market.index
    assert mark is not None, "distrusted without one"
    assert index is not None, "distrusted without one"
    if market.instrument.kind is Kind.OPTION:
        fair = state.controls.fair(market, mark, now_ns)
    else:
        fair = microprice(bids, asks, mark)
    position = state.inventory.of(market.instrument).amount
    longs = sum([o.exposed for o in orders if o.side is Side.BUY], ZERO)
    shorts = sum([o.exposed for o in orders if o.side is Side.SELL], ZERO)
    return View(
        instrument=market.instrument,
        now_ns=now_ns,
        bids=bids,
        asks=asks,
        mark=mark,
        index=index,
        forward=market.forward if market.forward is not None else index,
        fair=fair,
        mark_iv=market.mark_iv,
        delta=market.delta,
        min_price=market.min_price,
        max_price=market.max_price,
        position=position,
        worst_long=position + longs,
        worst_short=position - shorts,
        book_age_ns=age_ns,
        desk=DeskView(others_coin=_others_coin(state, market)),
    )


def _approve(
    state: State,
    desk: Desk,
    market: Market,
    view: View,
    orders: list[Order],
    now_ns: Nanos,
    settled_ns: Nanos,
) -> list[Approved]:
    """Quotes onto the grid, then through every rule."""
    why: dict[Side, Why] = {}
    targets: list[Target] = []
    for quote in market.quotes:
        if quote.side in market.off:
            why.setdefault(quote.side, Why.SWITCHED_OFF)
            continue
        target = on_grid(market, quote, state.controls.size_factor)
        if isinstance(target, Why):
            why.setdefault(quote.side, target)
        else:
            targets.append(target)
    approved: list[Approved] = []
    leaders = leading(orders, targets)
    if leaders:  # they come last: whether one may stay depends on what it faces
        if state.controls.wind_down or state.account(desk.venue).no_new_risk(now_ns):
            leaders.clear()
        targets.sort(key=lambda target: target.slot in leaders)
    for target in targets:
        side = target.side
        verdict: Target | Why | None = None
        leader = leaders.pop(target.slot, None) if leaders else None
        if leader is not None:
            beside = _worst(orders, side, approved, besides=target.level)
            against = facing(orders, [*approved, *leaders.values()], side.opposite, settled_ns)
            proposal = Proposal(leader, view.position + beside * side.sign, against)
            verdict = stays(orders, within_rules(desk.rules, view, proposal))
        if verdict is None:
            verdict = _judge(state, desk, market, view, orders, targets, target, approved, now_ns)
        if isinstance(verdict, Why):
            why.setdefault(target.side, verdict)
            continue
        approved.append(Approved(verdict))
        why[target.side] = verdict.why
    if len(why) < 2:
        why = dict.fromkeys(Side, Why.SIDE_OFF) | why
    market.why = why
    return approved


def _judge(
    state: State,
    desk: Desk,
    market: Market,
    view: View,
    orders: list[Order],
    targets: list[Target],
    target: Target,
    approved: list[Approved],
    now_ns: Nanos,
) -> Target | Why:
    """One target before the core's own checks and the desk's rules: what is left of it.

    Where it cannot be sent just now, a less aggressive order that rests in its slot stays: that is
    no risk the rules would not allow, and a gap helps nobody.
    """
    side = target.side
    wanted, obstacle = target, _obstacle(state, orders, target, approved, now_ns)
    if obstacle is not None:
        resting = less_aggressive(orders, target)
        if resting is None:
            return obstacle
        target = replace(target, price=resting.price, size=resting.remaining, why=Why.STAYS)
    nearest = min if side is Side.BUY else max
    best = nearest([t.price for t in targets if t.side is not side], default=None)
    beside = _worst(orders, side, approved, besides=target.level)
    room_position = view.position + beside * side.sign
    asked = target
    reducing = state.account(market.instrument.venue).no_new_risk(now_ns)
    if reducing is None and state.controls.wind_down:
        reducing = Why.WIND_DOWN
    if reducing is not None:
        most = market.instrument.snap_size(-side.sign * room_position)
        if most <= 0:
            return reducing
        asked = replace(target, size=min(target.size, most))
    allowed = within_rules(desk.rules, view, Proposal(asked, room_position, best))
    if isinstance(allowed, Why) or obstacle is None:
        return allowed
    if allowed.size < target.size or wanted.size < target.size:
        return obstacle  # it would have to shrink, and cannot be touched but by a cancel
    return allowed


def _obstacle(
    state: State, orders: list[Order], target: Target, approved: list[Approved], now_ns: Nanos
) -> Why | None:
    """Why a target cannot be sent at this moment, whatever the rules say."""
    side = target.side
    memory = state.slot(target.instrument, side, target.level)
    if now_ns < memory.not_before_ns:
        return memory.why
    against = [t.price for t in approved if t.side is not side]
    for order in orders:
        if order.side is not side and order.working:
            against += (order.price, order.want_price or order.price)
    nearest = min if side is Side.BUY else max
    if against and (target.price - nearest(against)) * side.sign >= 0:
        return Why.SELF_CROSS
    return None


def _worst(
    orders: Iterable[Order],
    side: Side,
    approved: Sequence[Approved],
    besides: int | None = None,
) -> Decimal:
    """The most that may still reach the position on one side: what is owed, and for each level
    (but `besides`) what rests, is in flight or unknown, or was just approved, if that is more."""
    owed = ZERO
    resting: dict[int, Decimal] = {}
    for order in orders:
        if order.side is side:
            of_this = order.owed
            owed += of_this
            if order.level != besides:
                at_level = resting.get(order.level, ZERO)
                resting[order.level] = at_level + order.exposed - of_this
    for target in approved:
        if target.side is side and target.level != besides:
            resting[target.level] = max(resting.get(target.level, ZERO), target.size)
    return sum(resting.values(), owed)


def _reckon(
    state: State, market: Market, orders: Sequence[Order], approved: Sequence[Approved]
) -> None:
    """Renew one market's worst-case exposure: the larger absolute position, in coin, if all of
    ours on one side, `approved` included, were filled. It stands while it cannot be reckoned."""
    instrument = market.instrument
    held = state.inventory.of(instrument).amount
    long = held + _worst(orders, Side.BUY, approved)
    short = held - _worst(orders, Side.SELL, approved)
    amount = max(abs(long), abs(short))
    index = _index(state, market)
    if index is None:
        return
    worst = instrument.coin(amount, index)
    total = state.worst_coin.get(instrument.underlying, ZERO)
    state.worst_coin[instrument.underlying] = total + worst - market.worst_coin
    market.worst_coin = worst


def _others_coin(state: State, market: Market) -> Decimal:
    """Worst-case exposure on a market's underlying that is not its own, in coin."""
    underlying = market.instrument.underlying
    others = state.worst_coin.get(underlying, ZERO) - market.worst_coin
    for account in state.accounts.values():
        elsewhere = account.elsewhere.get(underlying)
        if elsewhere is not None:
            others += elsewhere.in_coin(_index(state, market))
    return others


def _index(state: State, market: Market) -> Decimal | None:
    """USD per coin of a market's underlying, by its own ticker or that of a sibling."""
    if market.index is not None:
        return to_decimal(market.index)
    for other in state.markets.values():
        if other.instrument.underlying == market.instrument.underlying and other.index is not None:
            return to_decimal(other.index)
    return None


# --- spending the budget ----------------------------------------------------------------------


def _recover(state: State, now_ns: Nanos) -> None:
    """Tokens come back; where there is one to spend, markets that went without get their turn."""
    for account in state.accounts.values():
        budget = account.budget
        budget.refill(now_ns)
        for label in list(budget.in_flight):
            order = state.orders.by_label.get(label)
            if order is None or order.status not in IN_FLIGHT:
                budget.answered(label, now_ns)
        if account.shed and budget.affords():
            state.dirty = account.shed | state.dirty
            account.shed = {}


def _swept(state: State, actions: list[Action], now_ns: Nanos) -> list[Action]:
    """Many single cancels become few sweeping ones: leaving or tripped, or where the budget has
    not enough for each. Foreign orders are spared.

    Short of budget, whole instruments are swept where that saves requests, and only if that does
    not do either, all there is. The sweep stands in the place of its first cancel; the others'
    orders are named in it.
    """
    if state.withdraw_ns and len(actions) >= SWEEP_FROM:
        return _gathered(state, actions, None)
    for account in state.accounts.values():
        here = [a for a in actions if a.instrument.startswith(account.venue + ":")]
        cancels = [action for action in here if action.request is ev.Request.CANCEL]
        if not cancels or not account.trading_up or not account.budget.short_for(len(cancels)):
            continue
        counts = Counter(action.instrument for action in cancels)
        saving = {instrument for instrument, count in counts.items() if count > 1}
        sweeps = cancels + _along(state, account, cancels, saving, now_ns)
        gathered = _gathered(state, sweeps, saving)
        if account.budget.short_for(len(gathered)) and _all_ours(account):
            sweeps = cancels + _along(state, account, cancels, None, now_ns)
            gathered = _gathered(state, sweeps, None)
        account.shed |= dict.fromkeys(a.instrument for a in here if a.target is not None)
        actions = [action for action in actions if action not in here] + gathered
    return actions


def _along(
    state: State,
    account: Account,
    cancels: list[Action],
    instruments: Container[InstrumentId] | None,
    now_ns: Nanos,
) -> list[Action]:
    """Cancels of what sweeps of these instruments (None: of all) take along though it might stay:
    it is placed again later."""
    asked = {action.order.label for action in cancels if action.order is not None}
    along = [
        Action(ev.Request.CANCEL, order.instrument, order, None, Why.RATE_LIMITED)
        for order in state.orders.all()
        if order.status is Status.LIVE
        and order.label not in asked
        and order.instrument.startswith(account.venue + ":")
        and (
            instruments is None
            or (order.instrument in instruments and _sweepable(account, order.instrument))
        )
    ]
    return [action for action in along if _may_cancel(state, action, now_ns)]


def _all_ours(account: Account) -> bool:
    """Whether nothing foreign rests at the venue: nobody knows before the venue has been asked."""
    return account.reconciled and not account.foreign


def _sweepable(account: Account, instrument: InstrumentId) -> bool:
    """Whether nothing foreign rests on an instrument."""
    return account.reconciled and all(
        order.instrument != instrument for order in account.foreign.values()
    )


def _gathered(
    state: State, cancels: list[Action], instruments: Container[InstrumentId] | None
) -> list[Action]:
    """Single cancels as sweeps of these instruments (None: of a whole venue, or of every instrument
    where foreign orders rest on others). Where foreign orders rest they stay single."""
    gathered: list[Action] = []
    whole: dict[str, Sweep] = {}
    for action in cancels:
        order = action.order
        assert order is not None, "only cancels can be gathered"
        account = state.account_of(order.instrument)
        if instruments is None and _all_ours(account):
            key, instrument = account.venue, None
        elif (instruments is None or order.instrument in instruments) and _sweepable(
            account, order.instrument
        ):
            key, instrument = order.instrument, order.instrument
        else:
            gathered.append(action)
            continue
        sweep = whole.get(key)
        if sweep is None:
            sweep = whole[key] = Sweep(account.venue, instrument, [])
            gathered.append(replace(action, sweep=sweep))
        sweep.labels.append(order.label)
    return gathered


def _spend(state: State, actions: list[Action], now_ns: Nanos) -> Iterator[VenueIntent]:
    """Turn actions into promised intents, most urgent first, as far as the budget reaches."""
    if len(actions) > 1:
        actions.sort(key=lambda action: _urgency(state, action))
    for action in actions:
        intent = _intent(state, action, now_ns)
        if intent is not None:
            target = action.target
            level = target.level if target is not None else STRAY_LEVEL
            promise(state, intent, level, target.fair if target is not None else 0.0, now_ns)
            yield intent


def _intent(state: State, action: Action, now_ns: Nanos) -> VenueIntent | None:
    """The request an action stands for, if it can be afforded; else its market stays dirty."""
    order, target = action.order, action.target
    subject = order.instrument if order is not None else action.instrument
    account = state.account_of(subject)
    if not account.trading_up:
        return None
    if order is None and state.next_sequence >= state.reserved_upto:
        assert target is not None
        state.markets[subject].why[target.side] = Why.NO_LABEL
        return None
    if not account.budget.affords(cancel=action.request is ev.Request.CANCEL):
        account.budget.postponed += 1
        if target is None:
            state.touch(subject)
        else:
            account.shed[subject] = None
            state.markets[subject].why[target.side] = Why.RATE_LIMITED
        return None
    label = order.label if order is not None else state.take_label()
    assert label is not None
    account.budget.spend(label)
    valid_until_ns = now_ns + VALID_FOR_NS
    if order is None:
        assert target is not None
        return Place(
            instrument=subject,
            label=label,
            side=target.side,
            price=target.price,
            amount=target.size,
            post_only=target.post_only,
            reduce_only=target.reduce_only,
            valid_until_ns=valid_until_ns,
            why=action.why,
        )
    if action.sweep is not None:
        sweep = action.sweep
        return CancelAll(sweep.venue, sweep.instrument, tuple(sweep.labels), action.why)
    if target is None:
        return Cancel(subject, order.label, order.order_id, action.why)
    return Amend(
        instrument=subject,
        label=order.label,
        order_id=order.order_id,
        price=target.price,
        amount=amended_amount(order, target),
        post_only=target.post_only,
        valid_until_ns=valid_until_ns,
        why=action.why,
    )


def _urgency(state: State, action: Action) -> tuple[int, float]:
    """Sort key: cancels first, then what is expected to lose most where it rests, then sides
    without a quote (those that reduce a position first), then what merely lags."""
    order, target = action.order, action.target
    if target is None:
        return (0, 0.0)
    market = state.markets[action.instrument]
    if order is not None and (order.price - target.price) * order.side.sign > 0:
        return (1, -expected_loss(market, order, target))
    reduces = state.inventory.of(market.instrument).amount * target.side.sign < 0
    return (2 if order is None else 3, -float(reduces))


# --- looking at the venue, and leaving --------------------------------------------------------


def _look(state: State, account: Account, now_ns: Nanos) -> Iterator[Intent]:
    """Ask for a snapshot when one is due; when leaving or tripped, until it shows us flat."""
    yield from _second_path(state, account, now_ns)
    if not account.trading_up:
        return
    if state.withdraw_ns and not state.flat_verified and not state.orders.working(account.venue):
        due(account, account.last_snapshot_ns + VERIFY_AGAIN_NS)
    if account.asked_ns and now_ns < account.asked_ns + RESYNC_DEADLINE_NS:
        return
    if not account.resync_ns or now_ns < account.resync_ns:
        return
    flows_due = now_ns >= account.flows_ns + FLOWS_EVERY_NS or any(
        market.expiry_asked and state.inventory.of(market.instrument).amount
        for market in state.markets.values()
    )
    intent = Resync(
        venue=account.venue,
        fills_since_ms=_since_ms(state, account.last_snapshot_ns),
        flows_since_ms=_since_ms(state, account.flows_ns) if flows_due else None,
        labels=tuple(
            (o.instrument, o.label) for o in islice(unresolved(state, account), LOOKUPS_MAX)
        ),
        why=Why.STARTING if not account.last_snapshot_ns else Why.RECONCILING,
    )
    promise(state, intent, STRAY_LEVEL, 0.0, now_ns)
    yield intent


def _second_path(state: State, account: Account, now_ns: Nanos) -> Iterator[Intent]:
    """The trading link is down and stays down, or tripped and orders still there: go round it."""
    if state.flat_verified or state.latch.holds_back(now_ns):
        return
    if not account.trading_up and (state.withdraw_ns or _left_behind(state, account, now_ns)):
        due_ns = account.trading_ns + SECOND_PATH_NS
    elif state.latch.tripped is not None and state.orders.working(account.venue):
        due_ns = state.withdraw_ns + SECOND_PATH_NS
    else:
        return
    if now_ns >= max(due_ns, account.second_path_ns):
        why = state.latch.tripped or state.stopping or Why.LINK_DOWN
        intent = TakeBack(account.venue, why)
        promise(state, intent, STRAY_LEVEL, 0.0, now_ns)
        yield intent


def _left_behind(state: State, account: Account, now_ns: Nanos) -> bool:
    """Whether orders of ours may rest where nobody can move them: the venue need not have noticed
    that the link is gone."""
    lost = account.trading_ns > 0  # it has been up in this run
    return lost and state.orders.working(account.venue) and _may_send(state, now_ns)


def _since_ms(state: State, last_ns: Nanos) -> int:
    """From where on to ask for what happened (venue time), with some overlap."""
    if last_ns:
        return last_ns // MS - FILLS_OVERLAP_MS
    started_ms = state.started_ns // MS
    return min(started_ms, state.resume_ms or started_ms) - FILLS_OVERLAP_MS
