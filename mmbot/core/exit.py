"""How everything of ours goes when it must: stopped by a person, or by the kill switch."""

from collections.abc import Iterable

from mmbot.core import events as ev
from mmbot.core.order_life import OrderState
from mmbot.core.state import Account, Exit, Note, State
from mmbot.core.types import MS, Nanos
from mmbot.core.why import Why


def trip(state: State, why: Why, detail: str, now_ns: Nanos) -> None:
    """The kill switch: everything of ours must go."""
    state.latch.trip(why, detail, now_ns)
    begin_exit(state, now_ns)


def begin_exit(state: State, now_ns: Nanos) -> None:
    """From now on everything of ours must go."""
    if not state.exit_ns:
        state.exit_ns = now_ns
        for account in state.accounts.values():
            account.exit = Exit(sum(order.working for order in state.orders.at(account.venue)))
            account.fallback_ns = 0  # now it is urgent
    state.touch_all()


def proved_flat(state: State, account: Account, now_ns: Nanos, path: str) -> None:
    """Nothing of ours is left on an account: proved, and how long it took goes into the trail."""
    leaving = account.exit
    assert leaving is not None, "flat is what one becomes by leaving"
    if account.flat_verified:
        return
    account.flat_verified = True
    if state.latch.tripped is None:
        return
    began_ms, ended_ms = state.latch.at_ns // MS, leaving.last_end_ms
    state.notes.append(
        Note(
            "tripped",
            {
                "why": state.latch.tripped.value,
                "detail": state.latch.detail,
                "orders": leaving.orders,
                "last_order_ended_after_ms": max(0, ended_ms - began_ms) if ended_ms else None,
                "proved_after_ms": (now_ns - state.latch.at_ns) // MS,
                "proved_over": path,
                "venue": account.venue,
            },
        )
    )


def unproved(state: State, venues: Iterable[str]) -> list[str]:
    """Those of the venues that still owe us the proof that nothing of ours is left there. Where
    another engine has our account nothing is ours to ask."""
    return [venue for venue in venues if not _done_with(state.accounts.get(venue))]


def taken_over(state: State, venues: Iterable[str]) -> list[str]:
    """Those of the venues at which another engine has taken our account."""
    accounts = state.accounts
    return [venue for venue in venues if venue in accounts and accounts[venue].lease_lost]


def _done_with(account: Account | None) -> bool:
    return account is not None and (account.flat_verified or bool(account.lease_lost))


def note_end(account: Account, seen: ev.OrderSeen) -> None:
    """How fast everything goes when it must is told by the venue's stamps."""
    if account.exit is not None and seen.state is not OrderState.OPEN:
        account.exit.last_end_ms = max(account.exit.last_end_ms, seen.venue_ms)
