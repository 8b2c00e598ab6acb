"""Deribit's JSON-RPC protocol around the venue, without a socket or a clock.

Theory of operation
-------------------
`server.py` owns sockets and time, a pump in virtual time its own: it hands in what comes, as text
(`on_frame`) or as the object that it is (`on_message`, `on_rest`), tells of lost connections
(`on_closed`) and calls `tick` every few milliseconds. Everything here is synchronous: a request is
carried out, its reply is sent, and then whatever it caused goes out to the channels (`publish`), so
a client reads its acknowledgement before the notice of it. Methods are looked up in the tables of
the `calls_*` modules; every one works over both transports except those that belong to a
connection.

Rules of the venue that tests lean on: cancel-on-disconnect takes only the orders of that
connection; a raw public channel needs an authenticated connection; a request beyond the credits is
answered once with 10028 and ends the session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason
from mmbot.sim.models.credits import Credits, Pool, pool_of
from mmbot.sim.wire.deribit import (
    calls_account,
    calls_charts,
    calls_data,
    calls_ledger,
    calls_orders,
    calls_others,
    calls_replace,
    calls_session,
    calls_wallet,
)
from mmbot.sim.wire.deribit.auth import Gatekeeper
from mmbot.sim.wire.deribit.catalog import COMBOS_PER_HOUR
from mmbot.sim.wire.deribit.channels import Interval
from mmbot.sim.wire.deribit.channels_market import BookChannel
from mmbot.sim.wire.deribit.counter import Counter
from mmbot.sim.wire.deribit.errors import (
    WireError,
    authorization_required,
    invalid_params,
    invalid_request,
    known_error,
    method_not_found,
    must_be_websocket_request,
    parse_error,
    too_many_requests,
    unauthenticated_public_disabled,
    unauthorized,
)
from mmbot.sim.wire.deribit.manners import Manners
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue
from mmbot.sim.wire.face import Market
from mmbot.sim.wire.faces import Login
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.rules import Moves, Rules

FAST_MS: Final = 100
SLOW_MS: Final = 1_000
REST_AUTHORIZED_MS: Final = 60_000  # the header was checked just now: longer than any request
HTTP_STATUS: Final = {13009: 401, 10000: 401, 13004: 401, 10028: 429}  # of errors; else 400

METHODS: Final = (
    calls_session.METHODS
    | calls_data.METHODS
    | calls_orders.METHODS
    | calls_account.METHODS
    | calls_ledger.METHODS
    | calls_charts.METHODS
    | calls_others.METHODS
    | calls_wallet.METHODS
)
"""Deribit's own."""

EVERY_METHOD: Final = METHODS | calls_replace.METHODS
EDITS: Final = ("private/edit", "private/edit_by_label")


class DeribitProtocol(DeribitVenue):
    """The venue, spoken to in frames.

    `now_us` is the venue's time in microseconds and the only time there is here; `skew_ms` is by
    how much it is ahead of the right one, which only `public/get_time` tells (a simulated desk sets
    its clock by it). `gatekeeper`, `keeps_orders` and `manners`, drawn from `manners_seed`, are of
    the first counter; None: there is none yet (`admit`).
    """

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        gatekeeper: Gatekeeper | None,
        rules: Rules,
        now_us: Callable[[], int],
        *,
        skew_ms: int = 0,
        keeps_orders: Callable[[], bool] = lambda: False,
        manners: Manner = Manner.PLAIN,
        manners_seed: int = 1,
        seed: int = 1,
        combos_per_hour: float = COMBOS_PER_HOUR,
    ) -> None:
        super().__init__(
            exchange,
            market,
            rules,
            now_us,
            skew_ms=skew_ms,
            seed=seed,
            combos_per_hour=combos_per_hour,
        )
        self.counters: list[Counter] = []
        if gatekeeper is not None:
            self._open_counter(gatekeeper, keeps_orders, manners, manners_seed)
        self.market_moves = True
        self._credits: dict[str, Credits] = {}
        self._fast_due_ms = 0
        self._slow_due_ms = 0

    # -- from the server -----------------------------------------------------------------------

    def admit(self, login: Login) -> Counter:
        """A counter for one more account, from now on."""
        gatekeeper = Gatekeeper(login.key, login.secret, login.account, login.token_expires_in_s)
        return self._open_counter(gatekeeper, login.keeps_orders, login.manner, login.seed)

    def on_open(
        self,
        write: Callable[[Frame, str | None], None],
        hang_up: Callable[[], None],
        counter: Counter | None = None,
    ) -> Session:
        """A WebSocket connected, to the first counter unless told otherwise."""
        session = self._session(write, hang_up, counter, is_websocket=True)
        self.sessions[session] = None
        return session

    def credentials(self, _counter: Counter) -> dict[str, str | int]:
        """The key and the secret are the login's own."""
        return {}

    def on_beat(self, _session: Session) -> None:
        """What keeps a line open here are requests."""

    def on_frame(self, session: Session, frame: bytes) -> None:
        """One WebSocket text frame."""
        try:
            request = orjson.loads(frame)
        except orjson.JSONDecodeError:
            came_us = self.now_us()
            session.heard_ms = came_us // 1000
            self._reply_error(session, None, None, parse_error(), came_us)
            return
        self.on_message(session, request)

    def on_message(self, session: Session, request: Any) -> None:
        """What such a frame says, as it is read."""
        came_us = self.now_us()
        session.heard_ms = came_us // 1000
        request_id = request.get("id") if isinstance(request, dict) else None
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            error = invalid_request("a request needs a method")
            self._reply_error(session, request_id, None, error, came_us)
            return
        name: str = request["method"]
        params = request.get("params") or {}
        try:
            if not isinstance(params, dict):
                raise invalid_params("params must be an object", "params")
            result, then = self.call(session, name, Params(params))
        except WireError as error:
            self._reply_error(session, request_id, name, error, came_us)
            if error.code == too_many_requests().code:
                session.hang_up()
            return
        if EVERY_METHOD[name].is_matching and session.counter.manners.notice_first():
            self.publish()
        session.write(self._envelope(request_id, {"result": result}, came_us), name)
        then()
        self.publish()

    def on_rest(
        self,
        name: str,
        params: dict[str, Any],
        request_id: Any,
        authorization: tuple[str, str, str, str] | None,
        counter: Counter | None = None,
    ) -> tuple[int, Frame]:
        """One REST request; returns (HTTP status, body).

        `authorization` is (header, HTTP method, path with query, body), None without the header.
        """
        came_us = self.now_us()
        session = self._session(lambda *_: None, lambda: None, counter, is_websocket=False)
        try:
            if authorization is not None:
                gatekeeper = session.counter.gatekeeper
                session.account = gatekeeper.by_header(*authorization, came_us // 1000)
                session.authorized_until_ms = came_us // 1000 + REST_AUTHORIZED_MS
            result, then = self.call(session, name, Params(params))
        except WireError as error:
            return self._refused(request_id, error, session.counter)
        then()
        self.publish()
        answer = self._envelope(request_id, {"result": result}, came_us)
        return 200, self._said(answer, name, session.counter)

    def refuse(self, session: Session, request: Json, code: int) -> None:
        """Answer a WebSocket request with that error, without carrying it out."""
        error = known_error(code)
        self._reply_error(session, request.get("id"), request["method"], error, self.now_us())
        if error.code == too_many_requests().code:
            session.hang_up()

    def refuse_rest(
        self, request_id: Any, code: int, counter: Counter | None = None
    ) -> tuple[int, Frame]:
        """The answer to a REST request that is not carried out; returns (HTTP status, body)."""
        return self._refused(request_id, known_error(code), counter or self.counters[0])

    def _refused(self, request_id: Any, error: WireError, counter: Counter) -> tuple[int, Frame]:
        body: Json = {"code": error.code, "message": error.message, "data": error.data}
        answer = self._envelope(request_id, {"error": body}, self.now_us())
        return HTTP_STATUS.get(error.code, 400), self._said(answer, None, counter)

    def restart(self, counter: Counter | None = None, *, with_orders: bool) -> None:
        """Forget every session and token of a counter (None: of all of them), and the open orders
        of its account too unless told otherwise.

        The sessions are not told, and a line that breaks now cancels nothing.
        """
        for one in self.counters if counter is None else [counter]:
            for session in [known for known in self.sessions if known.counter is one]:
                session.closed = True
                self.hub.unsubscribe_all(session)
                del self.sessions[session]
            one.gatekeeper.forget()
            self._credits.pop(one.account, None)
            if not with_orders:
                self.triggers.cancel_all_of(one.account)
                for order_id in list(self.exchange.accounts[one.account].open_orders):
                    self.exchange.cancel(
                        one.account, order_id, self.now_ms(), CancelReason.DISCONNECT
                    )
        self.publish()

    def books_at(self, counter: Counter) -> list[str]:
        """The instruments of which somebody follows the book through that counter."""
        here = {session: None for session in self.sessions if session.counter is counter}
        return [
            name
            for name in self.hub.books()
            for channel in self.hub.of_instrument(name)
            if isinstance(channel, BookChannel) and not here.keys().isdisjoint(channel.subscribers)
        ]

    def tick(self) -> None:
        """A few milliseconds have passed: the market moves, channels and heartbeats fall due."""
        now_ms = self.now_ms()
        self.expiries.look()
        if self.market_moves:
            self.advance(now_ms)
            self.publish()
            self.triggers.look()
            self.catalog.look()
            for channel in self.hub.everything():
                channel.on_market()
        self.publish()
        if now_ms >= self._fast_due_ms:
            self._fast_due_ms = now_ms - now_ms % FAST_MS + FAST_MS
            self.hub.flush(Interval.FAST)
        if now_ms >= self._slow_due_ms:
            self._slow_due_ms = now_ms - now_ms % SLOW_MS + SLOW_MS
            self.hub.flush(Interval.SLOW)
            self.release_idle(now_ms, self.needed())
        for session in list(self.sessions):
            self._beat(session, now_ms)

    # -- inside --------------------------------------------------------------------------------

    def call(self, session: Session, name: str, params: Params) -> tuple[Any, Callable[[], None]]:
        """Carry out one method; (result, what follows the reply). Raises `WireError`."""
        self.expiries.look()
        self.publish()
        token = params.raw.get("access_token")
        if isinstance(token, str) and session.account is None:
            grant = session.counter.gatekeeper.by_token(token, self.now_ms())
            session.account = grant.account
            session.authorized_until_ms = grant.expires_ms
        found = EVERY_METHOD.get(name) if self._is_offered(name) else None
        is_matching = found is not None and found.is_matching
        if session.account is None and not self.locks.strangers and name != "public/auth":
            raise unauthenticated_public_disabled()
        self._spend(session, pool_of(name, params.raw, is_matching=is_matching))
        if found is None:
            raise method_not_found()
        if found.websocket_only and not session.is_websocket:
            raise must_be_websocket_request()
        if name.startswith("private/"):
            if session.account is None:
                raise authorization_required()
            if session.authorized_until_ms <= self.now_ms():
                raise unauthorized("token expired")
        if is_matching:
            self.locks.check_maintenance()
        result = found.run(self, session, params)
        return result if found.then else (result, _nothing)

    def _is_offered(self, name: str) -> bool:
        """Whether orders are moved by that method here; any other one is offered."""
        moves = self.rules.moves
        if name in calls_replace.METHODS:
            return moves is Moves.REPLACE
        return moves is Moves.EDIT or name not in EDITS

    def _open_counter(
        self, gatekeeper: Gatekeeper, keeps_orders: Callable[[], bool], manner: Manner, seed: int
    ) -> Counter:
        manners = Manners(manner, seed, self.now_ms)
        strangers = Credits(self.rules.rates, self.now_ms())
        self.counters.append(Counter(gatekeeper, keeps_orders, manners, strangers))
        return self.counters[-1]

    def _session(
        self,
        write: Callable[[Frame, str | None], None],
        hang_up: Callable[[], None],
        counter: Counter | None,
        *,
        is_websocket: bool,
    ) -> Session:
        at = counter or self.counters[0]
        talk = at.manners.talk()

        def say(said: Frame, about: str | None) -> None:
            for frame in talk.frames(said, about):
                write(frame, about)

        session = Session(say, hang_up, is_websocket, at)
        session.heard_ms = self.now_ms()
        return session

    def _said(self, answer: Frame, about: str | None, counter: Counter) -> Frame:
        """The answer to a REST request as it goes out."""
        return next(iter(counter.manners.talk().frames(answer, about)))

    def _spend(self, session: Session, pool: Pool) -> None:
        credits = session.counter.strangers
        if session.account is not None:
            found = self._credits.get(session.account)
            if found is None:
                found = Credits(self.rules.rates, self.now_ms())
                self._credits[session.account] = found
            credits = found
        if not credits.take(pool, self.now_ms()):
            raise too_many_requests()

    def _beat(self, session: Session, now_ms: int) -> None:
        if now_ms - session.heard_ms > self.rules.inactivity_s * 1000:
            session.hang_up()
            return
        if session.heartbeat_ms is None or now_ms < session.beat_due_ms:
            return
        if session.test_pending:
            session.hang_up()
            return
        session.beat_due_ms = now_ms + session.heartbeat_ms
        session.test_pending = True
        for kind in ("heartbeat", "test_request"):
            frame = {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}}
            session.send(Frame(frame))

    def _envelope(self, request_id: Any, body: Json, came_us: int) -> Frame:
        out_us = self.now_us()
        frame: Json = {"jsonrpc": "2.0"}
        if request_id is not None:
            frame["id"] = request_id
        frame |= body
        frame |= {"usIn": came_us, "usOut": out_us, "usDiff": out_us - came_us, "testnet": True}
        return Frame(frame)

    def _reply_error(
        self, session: Session, request_id: Any, name: str | None, error: WireError, came_us: int
    ) -> None:
        body: Json = {"code": error.code, "message": error.message, "data": error.data}
        session.write(self._envelope(request_id, {"error": body}, came_us), name)
        self.publish()


def _nothing() -> None:
    """What follows most replies."""
