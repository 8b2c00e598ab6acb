"""Whether we may still send at all: the lease and the latch in the store, and labels to send under.

A machine that slept or a process that was stopped does not act on what was true before: it sends
nothing until lease and latch have been read again.
"""

from mmbot.core.exit import trip
from mmbot.core.intents import CheckLease, ReserveLabels, SaveLatch, StoreIntent
from mmbot.core.promise import promise
from mmbot.core.reconcile import note_gap
from mmbot.core.state import State
from mmbot.core.types import SECOND, Nanos
from mmbot.core.why import Why

LEASE_CHECK_AGAIN_NS: Nanos = 1 * SECOND
"""Between two questions to the store whether we may still send."""

LABELS_BLOCK = 512
"""Label sequences set aside at a time."""

LABELS_LOW = 256
"""With fewer left, the next block is asked for."""


def notice_absence(state: State, now_ns: Nanos) -> None:
    """A machine that slept, a process that was stopped: do not act on what was true before."""
    if not 0 < state.watch.ticking_ns <= state.last_turn_ns:
        return  # nobody ticks while the venue is being connected to
    away_ns = now_ns - state.last_turn_ns
    if away_ns < state.timing.away_pause_ns:
        return
    note_gap(state, now_ns)
    asked = state.stopping is not None or state.paused is Why.SUSPENDED
    if away_ns >= state.timing.away_trip_ns and not asked:
        detail = f"no turn for {away_ns / SECOND:.1f} s"
        trip(state, Why.GAP_IN_TURNS, detail, now_ns)


def may_send(state: State, now_ns: Nanos) -> bool:
    """Not while a tripped latch is on its way to disk, nor before latch and leases have been read
    again after an absence: one question for all accounts."""
    if state.lease_checked_ns < state.away_ns:
        return False
    return state.latch.tripped is None or not state.latch.holds_back(now_ns)


def ask_store(state: State, now_ns: Nanos) -> list[StoreIntent]:
    """What the store must do for us: read lease and latch, keep the latch, set labels aside."""
    wanted = _wanted(state, now_ns)
    for intent in wanted:
        promise(state, intent, now_ns)
    return wanted


def _wanted(state: State, now_ns: Nanos) -> list[StoreIntent]:
    wanted: list[StoreIntent] = []
    if state.lease_checked_ns < state.away_ns and (
        state.lease_check_asked_ns < state.away_ns
        or now_ns >= state.lease_check_asked_ns + LEASE_CHECK_AGAIN_NS
    ):
        wanted.append(CheckLease())
    latch = state.latch
    if latch.tripped is not None and not latch.asked:
        wanted.append(SaveLatch(latch.tripped, latch.detail))
    low = state.reserved_upto - state.next_sequence < LABELS_LOW
    if low and state.labels_asked <= state.reserved_upto and not state.exit_ns:
        upto = max(state.reserved_upto, state.next_sequence) + LABELS_BLOCK
        wanted.append(ReserveLabels(upto))
    return wanted
