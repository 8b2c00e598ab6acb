"""What a turn leaves in the state besides events and promises: decisions, and that it was taken."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from mmbot.core.books import Market
from mmbot.core.decide import Decision
from mmbot.core.desk import Desk
from mmbot.core.exposure import worst_coin
from mmbot.core.hedge import hedges
from mmbot.core.state import State
from mmbot.core.types import ZERO, InstrumentId, Nanos
from mmbot.core.why import Why


def begin(state: State) -> None:
    """One more turn is being taken; a turn that fails counts, too."""
    state.turns += 1
    state.retired.leaving.clear()


def take_dirty(state: State) -> dict[InstrumentId, None]:
    """The markets to decide about, in the order in which a person named them; none are left."""
    dirty, state.dirty = state.dirty, {}
    if len(dirty) > 1:
        dirty = {i: None for i in (*state.markets, *dirty) if i in dirty}
    return dirty


def with_hedges(
    state: State,
    dirty: dict[InstrumentId, None],
    desks: Mapping[InstrumentId, Desk],
    now_ns: Nanos,
) -> dict[InstrumentId, None]:
    """What hedgers want from now on; the markets to decide about, with those where that changed."""
    for name, wanted in hedges(state, dirty, desks, now_ns).items():
        before = state.hedges.get(name, {})
        changed = (i for i in (*before, *wanted) if before.get(i) != wanted.get(i))
        dirty = dirty | dict.fromkeys(changed)
        state.hedges[name] = wanted
    return dirty


def record(state: State, market: Market, decision: Decision, now_ns: Nanos) -> None:
    """What was decided about one market, for whoever decides or asks later."""
    market.uptime.look(decision.orders, now_ns)
    market.why = decision.why
    market.keep(decision.stands, decision.allowance)
    if decision.quotes is not None:
        market.quotes, market.pricer = decision.quotes, decision.pricer
        if decision.valuation is not None or not _is_momentary(decision):
            market.valuation = decision.valuation
    for side, levels in decision.references.items():
        market.held[side] = (levels, now_ns)
    if decision.look_ns:
        state.account(market.instrument.venue).look_by(decision.look_ns)
    if decision.expired:
        market.expiry_asked = True
    if decision.again:
        state.touch(market.instrument.id)
    record_exposure(state, market, decision.worst_coin)


def _is_momentary(decision: Decision) -> bool:
    """Whether nothing is known only because an order of ours is on its way: as good as every other
    turn, so that what was known stands."""
    return Why.OWN_ORDERS_UNCLEAR in decision.why.values()


def record_exposure(state: State, market: Market, worst_coin: Decimal | None) -> None:
    """One market's worst-case exposure, in coin; None while it cannot be reckoned: it stands."""
    if worst_coin is None or (worst_coin and worst_coin is market.worst_coin):
        return  # the very same where a decision stands
    underlying = market.instrument.underlying
    total = state.worst_coin.get(underlying, ZERO)
    state.worst_coin[underlying] = total + worst_coin - market.worst_coin
    market.worst_coin = worst_coin


def record_exposures(
    state: State, dirty: Collection[InstrumentId], desks: Mapping[InstrumentId, Desk]
) -> None:
    """Every dirty market is judged by what the others may add up to, as it is by now. A market
    alone is judged by exposures that stand."""
    if len(dirty) < 2:
        return
    traded = [instrument for instrument in dirty if instrument in desks]
    if len(traded) > 1:
        for instrument in traded:
            market = state.markets.get(instrument)
            if market is not None:
                orders = list(state.orders.on(instrument))
                record_exposure(state, market, worst_coin(state, market, orders, ()))


def decide_again(state: State, instruments: Iterable[InstrumentId]) -> None:
    """What was decided about these markets could not be sent: they stay dirty."""
    state.dirty.update(dict.fromkeys(instruments))


def end(state: State, now_ns: Nanos) -> None:
    """The turn has been taken."""
    state.last_turn_ns = now_ns
