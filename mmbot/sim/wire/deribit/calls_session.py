"""Methods of a session: logging in, heartbeats, cancel-on-disconnect, subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from mmbot.sim.exchange.listing import Kind
from mmbot.sim.wire.deribit.auth import SCOPE
from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.errors import (
    invalid_params,
    must_be_websocket_request,
    raw_needs_authentication,
)
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue

VERSION: Final = "1.2.26"

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("public/auth")
def _auth(venue: DeribitVenue, session: Session, params: Params) -> Json:
    grant = session.counter.gatekeeper.grant(params, venue.now_ms())
    is_new = session.account is None
    session.account = grant.account
    session.authorized_until_ms = grant.expires_ms
    if is_new and grant.account in venue.account_scope_cod:
        session.cancels_on_disconnect = True
    return {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "expires_in": round(session.counter.gatekeeper.expires_in_s),
        "scope": SCOPE,
        "token_type": "bearer",
        "enabled_features": [],
    }


@method("private/logout", websocket_only=True, then=True)
def _logout(
    venue: DeribitVenue, session: Session, _params: Params
) -> tuple[str, Callable[[], None]]:
    def leave() -> None:
        venue.on_closed(session, logout=True)
        session.hang_up()

    return "ok", leave


@method("public/test")
def _test(_venue: DeribitVenue, session: Session, _params: Params) -> Json:
    session.test_pending = False
    return {"version": VERSION}


@method("public/hello")
def _hello(_venue: DeribitVenue, _session: Session, params: Params) -> Json:
    params.text("client_name")
    params.text("client_version")
    return {"version": VERSION}


@method("public/get_time")
def _get_time(venue: DeribitVenue, _session: Session, _params: Params) -> int:
    return venue.right_ms()


@method("public/status")
def _status(venue: DeribitVenue, _session: Session, _params: Params) -> Json:
    return venue.locks.status()


@method("public/set_heartbeat", websocket_only=True)
def _set_heartbeat(venue: DeribitVenue, session: Session, params: Params) -> str:
    interval_s = params.decimal_or_none("interval")
    if interval_s is None or interval_s < Decimal(str(venue.rules.heartbeat_min_s)):
        raise invalid_params(f"must be at least {venue.rules.heartbeat_min_s:g}", "interval")
    session.heartbeat_ms = int(interval_s * 1000)
    session.beat_due_ms = venue.now_ms() + session.heartbeat_ms
    session.test_pending = False
    return "ok"


@method("public/disable_heartbeat", websocket_only=True)
def _disable_heartbeat(_venue: DeribitVenue, session: Session, _params: Params) -> str:
    session.heartbeat_ms = None
    session.test_pending = False
    return "ok"


@method("private/enable_cancel_on_disconnect")
def _enable_cod(venue: DeribitVenue, session: Session, params: Params) -> str:
    """For the account: how every connection opened from now on begins; this one stays as it is."""
    if _cod_scope(session, params) == "account":
        venue.account_scope_cod.add(session.owner)
    else:
        session.cancels_on_disconnect = True
    return "ok"


@method("private/disable_cancel_on_disconnect")
def _disable_cod(venue: DeribitVenue, session: Session, params: Params) -> str:
    if _cod_scope(session, params) == "account":
        venue.account_scope_cod.discard(session.owner)
    else:
        session.cancels_on_disconnect = False
    return "ok"


@method("private/get_cancel_on_disconnect")
def _get_cod(venue: DeribitVenue, session: Session, params: Params) -> Json:
    scope = _cod_scope(session, params)
    enabled = (
        session.owner in venue.account_scope_cod
        if scope == "account"
        else session.cancels_on_disconnect
    )
    return {"scope": scope, "enabled": enabled}


def _cod_scope(session: Session, params: Params) -> str:
    scope = params.text_or("scope", "connection")
    if scope not in ("connection", "account"):
        raise invalid_params("must be one of connection, account", "scope")
    if scope == "connection" and not session.is_websocket:
        raise must_be_websocket_request()
    return scope


@method("public/subscribe", "private/subscribe", websocket_only=True, then=True)
def _subscribe(
    venue: DeribitVenue, session: Session, params: Params
) -> tuple[list[str], Callable[[], None]]:
    names = params.texts("channels")
    if session.account is None and any(
        name.endswith(".raw") and not name.startswith("user.") for name in names
    ):
        raise raw_needs_authentication()
    accepted: list[str] = []
    greetings: list[Callable[[], None]] = []
    for name in names:
        parts = name.split(".")
        if len(parts) > 1 and parts[1] in venue.exchange.listings:
            _be_there(venue, parts)
        greet = venue.hub.subscribe(session, name)
        if greet is not None:
            accepted.append(name)
            greetings.append(greet)

    def greet_all() -> None:
        for greet in greetings:
            greet()

    return accepted, greet_all


def _be_there(venue: DeribitVenue, parts: list[str]) -> None:
    """A channel of an instrument is wanted: its crowd comes, but for an option's ticker that is
    told now and then."""
    topic, name, *rest = parts
    is_option = venue.exchange.listings[name].kind is Kind.OPTION
    if is_option and topic == "ticker" and rest in (["100ms"], ["agg2"]):
        venue.glance(name)
    else:
        venue.watch(name)


@method("public/unsubscribe", "private/unsubscribe", websocket_only=True)
def _unsubscribe(venue: DeribitVenue, session: Session, params: Params) -> list[str]:
    return [name for name in params.texts("channels") if venue.hub.unsubscribe(session, name)]


@method("public/unsubscribe_all", "private/unsubscribe_all", websocket_only=True)
def _unsubscribe_all(venue: DeribitVenue, session: Session, _params: Params) -> str:
    venue.hub.unsubscribe_all(session)
    return "ok"
