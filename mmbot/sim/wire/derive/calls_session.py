"""Methods of a session: logging in, cancel-on-disconnect, subscriptions, limits, the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mmbot.sim.exchange.listing import Kind
from mmbot.sim.wire.derive.calls import Method, enter
from mmbot.sim.wire.derive.channels import owner_of
from mmbot.sim.wire.derive.errors import MESSAGES, WireError, invalid_params
from mmbot.sim.wire.derive.params import WHOLE, Params
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.shapes import Json
from mmbot.sim.wire.derive.signatures import is_address, personal_digest, recovered
from mmbot.sim.wire.derive.venue import DeriveVenue

ELSEWHERE_MS: Final = 86_400_000
"""A caller whose clock is so far off lives in another year, and is judged by it."""

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


def let_in(
    venue: DeriveVenue, session: Session, wallet: str, timestamp: str, signature: str
) -> None:
    """Who signed the timestamp, for that wallet. Raises what is wrong with it.

    The timestamp is compared with no clock: the simulated date need not be the caller's.
    """
    if not is_address(wallet):
        raise invalid_params("wallet: not an address")
    if not WHOLE.fullmatch(timestamp):
        raise invalid_params("timestamp: expected milliseconds since the epoch")
    signer = recovered(personal_digest(timestamp), signature)
    if signer is None:
        raise WireError(14014, "Signature does not match data")
    known = venue.wallets.get(wallet.lower())
    if known is None:
        raise WireError(14000, f"Account {wallet} not found")
    session.key = known.key_of(signer, venue.now_ms())
    session.wallet = known
    ahead_ms = int(timestamp) - venue.now_ms()
    session.ahead_ms = ahead_ms if abs(ahead_ms) > ELSEWHERE_MS else 0


@method("public/login", websocket_only=True)
def _login(venue: DeriveVenue, session: Session, params: Params) -> list[int]:
    stamp = params.raw.get("timestamp")
    if isinstance(stamp, bool) or not isinstance(stamp, int | str):
        raise invalid_params("missing field `timestamp`")
    let_in(venue, session, params.text("wallet"), str(stamp), params.text("signature"))
    return sorted(session.owner.subaccounts)


@method("private/set_cancel_on_disconnect", websocket_only=True, trades=True)
def _set_cod(_venue: DeriveVenue, session: Session, params: Params) -> str:
    assert session.key is not None, "a private method was run without a key"
    if not session.key.trades_everything:
        raise WireError(14031, "Requires scope Trade(All)")
    if params.raw.get("enabled") is not None:
        session.owner.cancels_on_disconnect = params.flag("enabled")
    return "ok"


@method("subscribe", websocket_only=True, then=True)
def _subscribe(
    venue: DeriveVenue, session: Session, params: Params
) -> tuple[Json, Callable[[], None]]:
    status: dict[str, str] = {}
    greetings: list[Callable[[], None]] = []
    for name in dict.fromkeys(_names(params.raw.get("channels"))):
        joined = _not_allowed(session, name) or venue.hub.subscribe(session, name)
        if isinstance(joined, str):
            status[name] = joined
            continue
        status[name] = "ok"
        greetings.append(joined)
        instrument = venue.hub.instrument_of(name)
        if instrument is None:
            continue
        is_option = venue.exchange.terms(instrument).kind is Kind.OPTION
        if is_option and name.startswith("ticker_slim.") and name.endswith(".1000"):
            venue.glance(instrument)  # nothing else of it is wanted
        else:
            venue.watch(instrument)
    venue.gather()

    def greet() -> None:
        for one in greetings:
            one()

    return {"status": status, "current_subscriptions": sorted(session.channels)}, greet


def _not_allowed(session: Session, name: str) -> str | None:
    """Why this caller may not follow a channel; None where it may."""
    owner = owner_of(name)
    if owner is None:
        return None
    wallet = session.wallet
    if wallet is not None and (owner in wallet.subaccounts or owner == wallet.owner):
        return None
    return f"{MESSAGES[14022]}: {name}"


@method("unsubscribe", websocket_only=True)
def _unsubscribe(venue: DeriveVenue, session: Session, params: Params) -> Json:
    asked = params.raw.get("channels")
    names = list(session.channels) if asked is None else _names(asked)
    status = {}
    for name in names:
        status[name] = "ok" if name in session.channels else f"Not subscribed: {name}"
        venue.hub.unsubscribe(session, name)
    return {"status": status, "remaining_subscriptions": sorted(session.channels)}


def _names(channels: Any) -> list[str]:
    if not isinstance(channels, list) or not all(isinstance(one, str) for one in channels):
        raise invalid_params("channels: expected an array of strings")
    return channels


@method("public/get_time")
def _get_time(venue: DeriveVenue, session: Session, _params: Params) -> int:
    """Over a connection the venue's own clock, however wrong; over REST the right one, by which
    whoever comes into a simulated world sets theirs."""
    return venue.now_ms() if session.is_websocket else venue.right_ms()


@method("public/getRateLimits")
def _rate_limits(venue: DeriveVenue, session: Session, _params: Params) -> Json:
    payer = session.counter.strangers if session.wallet is None else session.wallet.budget
    connections = None
    if session.is_websocket:
        connections = sum(1 for one in venue.sessions if one.counter is session.counter)
    return payer.told(venue.now_ms(), connections)
