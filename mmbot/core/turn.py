"""One turn: the conductor. Read this first.

    turn(state, events, now, desks, guards) -> intents

Theory of operation
-------------------
1. Every event of the batch is applied to the state (core.apply), and signals hear it
   (core.remember). Nothing is decided yet.
2. If the bot was away (no turn for 2 s, while Ticks come every 0.1 s), what it believes is old: it
   reconciles with the venue before it quotes again; away for 10 s, the kill switch trips.
   Then the guards look at the whole account (core.guards): all is well, pause, or trip.
3. Options are valued, chain by chain (core.chain_upkeep). Each market that changed is decided about
   (core.decide): is there a reason not to quote at all? If not: view -> strategy -> the venue's
   grid -> risk rules in order -> Approved -> diff against our working orders -> actions. Deciding
   writes nothing; core.record does.
4. Actions of all markets compete for the venue's request budget (core.spend): cancels, then orders
   whose resting price loses most, then what reduces a position, then the rest. What cannot be
   afforded is not kept: its market is decided about again once there is budget, so the newest quote
   wins.
5. What is sent is promised first (core.promise), so the state never lags behind the wire.

The function is pure: same state, events, time and desks give the same intents.
"""

from collections.abc import Collection, Mapping, Sequence

from mmbot.core.apply import apply
from mmbot.core.chain_upkeep import value_chains
from mmbot.core.decide import decide, decide_orphans
from mmbot.core.desk import Desk
from mmbot.core.diff import Action
from mmbot.core.events import Event
from mmbot.core.guards import watch
from mmbot.core.intents import Intent
from mmbot.core.lease_check import ask_store, may_send, notice_absence
from mmbot.core.ports import Guard
from mmbot.core.promise import refill
from mmbot.core.record import (
    begin,
    decide_again,
    end,
    record,
    record_exposures,
    take_dirty,
    with_hedges,
)
from mmbot.core.remember import remember
from mmbot.core.resync import look
from mmbot.core.spend import spend
from mmbot.core.state import State
from mmbot.core.types import InstrumentId, Nanos


def turn(
    state: State,
    events: Sequence[Event],
    now_ns: Nanos,
    desks: Mapping[InstrumentId, Desk],
    guards: Sequence[Guard] = (),
) -> list[Intent]:
    """Apply `events`, decide for every market that changed, and return what must be done."""
    begin(state)
    for event in events:
        known_entries = len(state.entries)
        apply(state, event, now_ns)
        remember(state, event, desks, known_entries)
    notice_absence(state, now_ns)
    watch(state, guards, now_ns)
    refill(state, now_ns)
    fits = value_chains(state, desks, now_ns) if state.chains or state.chains_due else ()

    dirty = with_hedges(state, take_dirty(state), desks, now_ns)
    actions = _decide(state, dirty, desks, now_ns)

    intents: list[Intent] = [*ask_store(state, now_ns), *fits]
    if may_send(state, now_ns):
        intents += spend(state, actions, now_ns)
    else:
        decide_again(state, dirty)
    for account in state.accounts.values():
        if not account.lease_lost:
            intents += look(state, account, now_ns)
    end(state, now_ns)
    return intents


def _decide(
    state: State,
    dirty: Collection[InstrumentId],
    desks: Mapping[InstrumentId, Desk],
    now_ns: Nanos,
) -> list[Action]:
    """What the orders of every dirty market should become, market by market."""
    record_exposures(state, dirty, desks)
    actions: list[Action] = []
    for instrument in dirty:
        desk, market = desks.get(instrument), state.markets.get(instrument)
        if desk is not None and market is not None:
            decision = decide(state, desk, market, now_ns)
            record(state, market, decision, now_ns)
            actions += decision.actions
        else:
            orphans, wait = decide_orphans(state, instrument, now_ns)
            actions += orphans
            if wait:
                decide_again(state, (instrument,))
    return actions
