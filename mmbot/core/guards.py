"""The guards: what they see, what they can say, and how they are asked.

Theory of operation
-------------------
Guards look at every Tick and after every fill, before anything is decided. They fail closed: a
guard that raises, a figure that is not a number, or guards that have not looked for three seconds
while turns went on trip the kill switch like a limit that is broken. A guard remembers nothing;
what must be remembered is in the state (core.guard_memory), and comes to it as a RiskSnapshot.
"""

from collections.abc import Iterator, Sequence
from math import isfinite, nan

from mmbot.core.books import Market
from mmbot.core.contracts import Instrument
from mmbot.core.exit import trip
from mmbot.core.ports import Guard
from mmbot.core.state import State
from mmbot.core.types import SECOND, ZERO, Nanos
from mmbot.core.views import Holding, Margin, Pause, RiskSnapshot, Slow, Trip
from mmbot.core.why import Why


def watch(  # noqa: C901  # every way to fail closed, in one place
    state: State, guards: Sequence[Guard], now_ns: Nanos
) -> None:
    """Ask every guard where there is something to look at; what they say takes effect at once."""
    if not guards:
        return
    memory = state.watch
    if not memory.ticking_ns:
        memory.paused = Why.STARTING  # however long connecting takes: nothing is quoted before
        return
    since_ns = max(memory.watched_ns, state.away_ns) if memory.watched_ns else 0
    missed = since_ns and now_ns - since_ns > state.timing.guards_missed_ns
    if missed and state.stopping is None:  # leaving by the second path ends the Ticks
        detail = f"not for {(now_ns - since_ns) / SECOND:.1f} s"
        trip(state, Why.GUARD_MISSED, detail, now_ns)
    elif not memory.due and since_ns:
        return
    memory.due, memory.watched_ns = False, now_ns
    if state.latch.tripped is not None:
        return
    paused: Why | None = None
    slowed: Why | None = None
    try:
        reading = read(state, now_ns)
        for guard in guards:
            verdict = guard.watch(reading)
            match verdict:
                case Trip():
                    trip(state, verdict.why, verdict.detail, now_ns)
                    return
                case Pause():
                    paused = paused or verdict.why
                case Slow():
                    slowed = slowed or verdict.why
                case _ if not isfinite(verdict.used):
                    detail = f"{type(guard).__name__}: not a number"
                    trip(state, Why.GUARD_FAILED, detail, now_ns)
                    return
    except Exception as error:  # noqa: BLE001  # a guard that fails is a limit that is broken
        trip(state, Why.GUARD_FAILED, f"{type(error).__name__}: {error}", now_ns)
        return
    memory.slowed = slowed
    if paused is not memory.paused:
        memory.paused = paused
        state.touch_all()


def read(state: State, now_ns: Nanos) -> RiskSnapshot:
    """Everything guards may look at, at this moment. Raises where a figure is not a number."""
    memory, markets = state.watch, state.markets.values()
    profit = memory.profit
    if not profit.update(markets, state.inventory, now_ns):
        raise ArithmeticError("the profit is not a number")
    skewed = max(state.accounts.values(), key=lambda one: one.skew_ns, default=None)
    halted = [f"{_name(state, m.instrument)}: {m.halted}" for m in markets if m.halted]
    memory.mismatch_ns = (memory.mismatch_ns or now_ns) if halted else 0
    sent, refused = memory.requests.count(now_ns)
    return RiskSnapshot(  # beyond 15 keywords a call goes through a dictionary
        now_ns,
        profit.session_usd,
        day_usd=profit.day_usd,
        drawdown_usd=profit.drawdown_usd,
        positions=tuple(_held(state)),
        silent_ns=_silent_ns(state, now_ns),
        sent=sent,
        refused=refused,
        mismatch=halted[0] if halted else "",
        mismatch_ns=now_ns - memory.mismatch_ns if halted else 0,
        skew_ns=skewed.skew_ns if skewed is not None else 0,
        margins=tuple(_margins(state)),
        traffic=tuple(a.order_to_volume.last_hour(now_ns) for a in state.accounts.values()),
        skew_venue=skewed.venue if skewed is not None else "",
        venues=tuple(state.accounts),
        reference_ages=state.references.ages_ns(now_ns),
    )


def _name(state: State, instrument: Instrument) -> str:
    """The venue's name of an instrument; with several venues, the venue too."""
    return instrument.name if len(state.accounts) == 1 else instrument.id


def _held(state: State) -> Iterator[Holding]:
    for position in state.inventory.positions.values():
        if position.amount:
            market = state.markets.get(position.instrument.id)
            index, mark = (None, None) if market is None else (market.index, market.mark)
            yield Holding(
                position.instrument,
                position.amount,
                position.opening,
                nan if index is None else index,
                nan if mark is None else mark,
            )


def _margins(state: State) -> Iterator[Margin]:
    for account in state.accounts.values():
        for stated in account.equity.values():
            # A row's equity says nothing of what a whole portfolio needs.
            has = stated.margin_balance if stated.cross else stated.equity
            need = stated.maintenance_margin
            if need is not None and has is not None and need > ZERO:
                yield Margin(stated.currency, has, need, account.venue)


def _silent_ns(state: State, now_ns: Nanos) -> Nanos:
    """Since when no market has given a sign of life; 0 while all have expired."""
    memory = state.watch
    memory.heard_ns = memory.heard_ns or now_ns
    living = [market for market in state.markets.values() if not market.expired(now_ns)]
    if not living:
        return 0
    memory.heard_ns = max(memory.heard_ns, max(_heard_ns(state, market) for market in living))
    return now_ns - max(memory.heard_ns, state.away_ns)  # nobody listened before that


def _heard_ns(state: State, market: Market) -> Nanos:
    if market.lost is not None:
        return 0
    return max(market.received_ns, state.account(market.instrument.venue).alive_ns)
