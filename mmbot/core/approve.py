"""From quotes to approved targets: onto the venue's grid, then before the core and every rule.

A target that cannot be sent just now leaves a less aggressive order of its slot where it is: that
is no risk the rules would not allow, and a gap helps nobody. An order that leads its target, and by
less than it may, is judged at its own price (core.resting).

What the rules surely allow is known beforehand (core.leeway), so that mostly no rule is asked.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from mmbot.core.books import Market
from mmbot.core.desk import Desk
from mmbot.core.exposure import worst_amount
from mmbot.core.leeway import Allowance, is_within
from mmbot.core.order_life import DONE
from mmbot.core.orders import Order
from mmbot.core.resting import facing, leading, less_aggressive, stays
from mmbot.core.rules import within_rules
from mmbot.core.sizing import on_grid
from mmbot.core.state import State
from mmbot.core.types import BUY, Approved, Nanos, Quote, Side, Target
from mmbot.core.views import Proposal, View
from mmbot.core.why import Why


class _Court(Struct):
    """What one market's targets are judged by."""

    state: State
    desk: Desk
    market: Market
    view: View
    orders: list[Order]
    now_ns: Nanos
    allowance: Allowance
    reducing: Why | None
    """Why only what reduces a position may be sent."""


def approve(
    state: State,
    desk: Desk,
    market: Market,
    quotes: Sequence[Quote],
    view: View,
    orders: list[Order],
    allowance: Allowance,
    settled_ns: Nanos,
) -> tuple[list[Approved], dict[Side, Why]]:
    """What of the quotes may be sent, and why each side is as it is. `settled_ns`: an order sent
    after it is not moved just because it lags."""
    now_ns = view.now_ns
    reducing = only_reducing(state, desk, now_ns)
    court = _Court(state, desk, market, view, orders, now_ns, allowance, reducing)
    targets, why = _on_grid(state, market, quotes)
    approved: list[Approved] = []
    leaders = leading(orders, targets)
    if leaders:  # they come last: whether one may stay depends on what it faces
        if reducing is not None:
            leaders.clear()
        targets.sort(key=lambda target: target.slot in leaders)
    for target in targets:
        side = target.side
        verdict: Target | Why | None = None
        leader = leaders.pop(target.slot, None) if leaders else None
        if leader is not None:
            beside = worst_amount(orders, side, approved, besides=target)
            against = facing(orders, [*approved, *leaders.values()], side.opposite, settled_ns)
            held = state.inventory.worst(market.instrument.id, side)
            proposal = Proposal(leader, held + beside * side.sign, against)
            verdict = stays(orders, _allowed(court, proposal))
        if verdict is None:
            verdict = _judge(court, targets, target, approved)
        if not isinstance(verdict, Target):
            why.setdefault(target.side, verdict)
            continue
        approved.append(Approved(verdict))
        if target.post_only or side not in why:  # a side says what its quotes say
            why[side] = verdict.why
    if len(why) < 2:
        why = dict.fromkeys(Side, Why.SIDE_OFF) | why
    return approved, why


def only_reducing(state: State, desk: Desk, now_ns: Nanos) -> Why | None:
    """Why only what reduces a position may be sent."""
    why = state.accounts[desk.venue].no_new_risk(now_ns)
    return Why.WIND_DOWN if why is None and state.controls.wind_down else why


def _on_grid(
    state: State, market: Market, quotes: Sequence[Quote]
) -> tuple[list[Target], dict[Side, Why]]:
    """Quotes as they could be sent, and why a side has none."""
    targets: list[Target] = []
    why: dict[Side, Why] = {}
    off, size_factor = market.off, state.controls.size_factor
    for quote in quotes:
        if quote.side in off:
            why.setdefault(quote.side, Why.SWITCHED_OFF)
            continue
        target = on_grid(market, quote, size_factor)
        if isinstance(target, Target):
            targets.append(target)
        else:
            why.setdefault(quote.side, target)
    return targets, why


def _judge(
    court: _Court, targets: list[Target], target: Target, approved: list[Approved]
) -> Target | Why:
    """One target before the core's own checks and the desk's rules: what is left of it."""
    wanted, obstacle, reducing = target, _obstacle(court, target, approved), court.reducing
    if obstacle is None and reducing is None and _surely_allowed(court, target, approved):
        return target
    orders, side = court.orders, target.side
    if obstacle is not None:
        resting = less_aggressive(orders, target)
        if resting is None:
            return obstacle
        target = replace(target, price=resting.price, size=resting.remaining, why=Why.STAYS)
    beside = worst_amount(orders, side, approved, besides=target)
    worst_position = court.state.inventory.worst(target.instrument, side)
    if beside:
        worst_position += beside * side.sign
    asked = target
    if reducing is not None:
        instrument = court.market.instrument
        most = instrument.snap_size(-side.sign * worst_position)
        if most < instrument.least_amount(target.price, side):
            return reducing
        asked = replace(target, size=min(target.size, most))
    allowed = _allowed(court, Proposal(asked, worst_position, _nearest(targets, side)))
    if obstacle is None or isinstance(allowed, Why):
        return allowed
    if allowed.size < target.size or wanted.size < target.size:
        return obstacle  # it would have to shrink, and cannot be touched but by a cancel
    return allowed


def _surely_allowed(court: _Court, target: Target, approved: list[Approved]) -> bool:
    """Whether a target is within the leeway of all rules even if everything of ours on its side
    were filled, its own slot included: then the worst case need not be known exactly."""
    rules, view, side = court.allowance, court.view, target.side
    if rules.others:
        return False
    worst_position = view.worst_long if side is BUY else view.worst_short
    for other in approved:
        if other.side is side:
            worst_position += other.size * side.sign
    return is_within(rules.leeway, target, worst_position, view.book_age_ns)


def _nearest(targets: list[Target], side: Side) -> Decimal | None:
    """The nearest price wanted on the other side."""
    nearest: Decimal | None = None
    for other in targets:
        if other.side is not side and (
            nearest is None or (other.price < nearest if side is BUY else other.price > nearest)
        ):
            nearest = other.price
    return nearest


def _allowed(court: _Court, proposal: Proposal) -> Target | Why:
    """What the rules leave of a target. One within their leeway goes before the others alone."""
    allowance, target, view = court.allowance, proposal.target, court.view
    if not is_within(allowance.leeway, target, proposal.worst_position, view.book_age_ns):
        return within_rules(court.desk.rules, view, proposal)
    return within_rules(allowance.others, view, proposal) if allowance.others else target


def _obstacle(court: _Court, target: Target, approved: list[Approved]) -> Why | None:
    """Why a target cannot be sent at this moment, whatever the rules say."""
    side, price, slots = target.side, target.price, court.state.slots
    if slots:
        memory = slots.get((target.instrument, side, target.owner, target.level))
        if memory is not None and court.now_ns < memory.not_before_ns:
            return memory.why
    if not target.post_only and any(o.slot == target.slot and o.unbooked for o in court.orders):
        return Why.LATE_FILL  # taken already, which what is wanted does not know yet
    buys = side is BUY
    for other in approved:
        if other.side is not side and (price >= other.price if buys else price <= other.price):
            return Why.SELF_CROSS
    for order in court.orders:
        if order.side is not side and order.status is not DONE:
            # With an amend in flight it may be at either price.
            near, soon = order.price, order.want_price or order.price
            if price >= near or price >= soon if buys else price <= near or price <= soon:
                return Why.SELF_CROSS
    return None
