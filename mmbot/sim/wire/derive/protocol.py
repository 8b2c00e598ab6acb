"""Derive's protocol around the venue, without a socket or a clock.

Theory of operation
-------------------
`server.py` owns sockets and time, a pump in virtual time its own: it hands in what comes, as text
(`on_frame`) or as the object that it is (`on_message`, `on_rest`), tells of lost connections
(`on_closed`) and calls `tick` every few milliseconds. Everything here is synchronous: a request is
carried out, its reply is sent, and then whatever it caused goes out to the channels. Methods are
looked up in the tables of the `calls_*` modules; every one works over both transports except those
that belong to a connection.

Rules of the venue that tests lean on: a request beyond the limits is refused, and the connection
stays; cancel-on-disconnect is a setting of the wallet, outlives connections, and takes all its
orders; a restart of the engine takes the orders under market maker protection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import orjson

from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.wire.derive import calls_account, calls_market, calls_orders, calls_session
from mmbot.sim.wire.derive.calls import Method
from mmbot.sim.wire.derive.calls_session import let_in
from mmbot.sim.wire.derive.channels import Interval
from mmbot.sim.wire.derive.errors import RATE_LIMITED, TOO_MANY_CLIENTS, WireError, invalid_params
from mmbot.sim.wire.derive.limits import Budget, Pool, Request
from mmbot.sim.wire.derive.manners import Manners
from mmbot.sim.wire.derive.params import Params
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.shapes import Json
from mmbot.sim.wire.derive.signatures import (
    address_of,
    checksummed,
    is_address,
    is_private_key,
    made_up_key,
)
from mmbot.sim.wire.derive.venue import DeriveVenue
from mmbot.sim.wire.derive.wallet import Counter, SessionKey, Wallet
from mmbot.sim.wire.face import Market
from mmbot.sim.wire.faces import Login
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.rules import Rules

KIND: Final = "derive"
"""The name of a face that has none of its own."""

PING: Final = b"ping"
PONG: Final = "pong"
HTTP_LIMITED: Final = 429

METHODS: Final[dict[str, Method]] = (
    calls_session.METHODS | calls_market.METHODS | calls_orders.METHODS | calls_account.METHODS
)


class DeriveProtocol(DeriveVenue):
    """The venue, spoken to in frames; nobody is let in yet."""

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        rules: Rules,
        now_us: Callable[[], int],
        *,
        skew_ms: int = 0,
    ) -> None:
        super().__init__(exchange, market, rules, now_us, skew_ms=skew_ms)
        self.counters: list[Counter] = []
        self.market_moves = True
        self._fast_due_ms = 0
        self._slow_due_ms = 0
        self._answers = 0

    # -- from the server -----------------------------------------------------------------------

    def admit(self, login: Login) -> Counter:
        """A counter for one more account, from now on.

        The login's key is the owner's address, its secret the session key in hex. Anything else is
        a word of which a wallet, or a key, is made up; whoever comes with a word that was used has
        a wallet of its own all the same: after the name of its face, so that a client which knows
        the name knows the wallet, or else by its number.
        """
        now_ms, key = self.now_ms(), login.secret
        apart = login.name if login.name != KIND else ""
        if not login.name:
            apart = str(len(self.counters) or "")
        is_made_up = not is_private_key(key)
        if is_made_up:
            key = made_up_key(f"session key {login.secret} {apart}").hex()
        owner = login.key.lower()
        if not is_address(login.key):
            owner = address_of(made_up_key(f"owner {login.key} {apart}"))
        wallet = self.wallets.get(owner)
        if wallet is None:
            wallet = self.wallets[owner] = Wallet(owner, Budget(self.rules.tiers, now_ms))
        key = key.removeprefix("0x")
        signer = address_of(bytes.fromhex(key))
        if login.account in self.persistent:
            wallet.cancels_on_disconnect = self.persistent[login.account]
        wallet.keys[signer] = SessionKey(address=signer, label=login.account)
        counter = Counter(
            wallet=wallet,
            account=login.account,
            subaccount_id=self.open_subaccount(wallet, login.account, self._number(login)),
            key="0x" + key if is_made_up else "",
            signer=signer,
            keeps_orders=login.keeps_orders,
            manners=Manners(login.manner, login.seed),
            strangers=Budget(self.rules.tiers, now_ms),
        )
        self.counters.append(counter)
        return counter

    def _number(self, login: Login) -> int:
        """How far the number of a subaccount is from the first one: as its wallet, after the name
        of its face."""
        if not login.name:
            return list(self.exchange.accounts).index(login.account)
        if login.name == KIND:
            return 0
        return 1 + int.from_bytes(made_up_key(login.name)[:3])

    def credentials(self, counter: Counter) -> dict[str, str | int]:
        """What a client needs to come in there."""
        told: dict[str, str | int] = {
            "wallet": checksummed(counter.wallet.owner),
            "signer": checksummed(counter.signer),
            "subaccount_id": counter.subaccount_id,
        }
        return told | ({"session_key": counter.key} if counter.key else {})

    def on_open(
        self,
        write: Callable[[Frame, str | None], None],
        hang_up: Callable[[], None],
        counter: Counter | None = None,
    ) -> Session:
        """A WebSocket connected, to the first counter unless told otherwise."""
        session = self._session(write, hang_up, counter, is_websocket=True)
        here = sum(1 for one in self.sessions if one.counter is session.counter)
        self.sessions[session] = None
        if here >= self.rules.tiers.connections:
            self._reply_error(session, None, None, WireError(TOO_MANY_CLIENTS))
            session.hang_up()
        return session

    def on_beat(self, session: Session) -> None:
        """A WebSocket's ping or pong: somebody is there."""
        session.heard_ms = self.now_ms()

    def on_frame(self, session: Session, frame: bytes | str) -> None:
        """One WebSocket text frame."""
        raw = frame.encode() if isinstance(frame, str) else frame
        if raw == PING:
            session.heard_ms = self.now_ms()
            session.write(Pong(), None)
            return
        try:
            request = orjson.loads(raw)
        except orjson.JSONDecodeError:
            session.heard_ms = self.now_ms()
            self._reply_error(session, None, None, WireError(-32700))
            return
        self.on_message(session, request)

    def on_message(self, session: Session, request: Any) -> None:
        """What such a frame says, as it is read."""
        session.heard_ms = self.now_ms()
        if request == PING.decode():
            session.write(Pong(), None)
            return
        request_id = request.get("id") if isinstance(request, dict) else None
        if not isinstance(request_id, str | int | float | None):
            self._reply_error(session, None, None, WireError(-32600, "no such id"))
            return
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            self._reply_error(session, request_id, None, WireError(-32600, "no method"))
            return
        name: str = request["method"]
        params = request.get("params") or {}
        try:
            if not isinstance(params, dict):
                raise invalid_params("params must be an object")
            result, then = self.call(session, name, Params(params))
        except WireError as error:
            self._reply_error(session, request_id, name, error)
            return
        if METHODS[name].pool is Pool.MATCHING and session.counter.manners.notice_first():
            self.publish()
        session.write(Frame({"id": request_id, "result": result}), name)
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

        `authorization` is (wallet, timestamp, signature, empty), None without the headers.
        """
        session = self._session(lambda *_: None, lambda: None, counter, is_websocket=False)
        if request_id is None:
            self._answers += 1
            request_id = f"00000000-0000-4000-8000-{self._answers:012x}"
        try:
            if authorization is not None and name.startswith("private/"):
                let_in(self, session, *authorization[:3])
            result, then = self.call(session, name, Params(params))
        except WireError as error:
            return self._refused(request_id, error, session.counter)
        then()
        self.publish()
        answer = Frame({"id": request_id, "result": result})
        return 200, self._said(answer, name, session.counter)

    def refuse(self, session: Session, request: Json, code: int) -> None:
        """Answer a WebSocket request with that error, without carrying it out."""
        self._reply_error(session, request.get("id"), request["method"], WireError(code))

    def refuse_rest(
        self, request_id: Any, code: int, counter: Counter | None = None
    ) -> tuple[int, Frame]:
        """The answer to a REST request that is not carried out; returns (HTTP status, body)."""
        return self._refused(request_id, WireError(code), counter or self.counters[0])

    def restart(self, counter: Counter | None = None, *, with_orders: bool) -> None:
        """Forget every session of a counter (None: of all of them); with the engine go the orders
        under market maker protection, and all of the wallet's unless told otherwise.

        The sessions are not told, and a line that breaks now cancels nothing.
        """
        for one in self.counters if counter is None else [counter]:
            for session in [known for known in self.sessions if known.counter is one]:
                session.closed = True
                for name in list(session.channels):
                    self.hub.unsubscribe(session, name)
                del self.sessions[session]
            one.wallet.budget = Budget(self.rules.tiers, self.now_ms())
            if with_orders:
                self.cancel_protected(one.account, None, reason="")
            else:
                self.cancel_all_of(one.wallet, reason="cancel_on_disconnect")
        self.publish()

    def books_at(self, counter: Counter) -> list[str]:
        """The instruments of which somebody follows the book through that counter."""
        return self.hub.books(one for one in self.sessions if one.counter is counter)

    def tick(self) -> None:
        """A few milliseconds have passed: the market moves, and channels fall due."""
        now_ms = self.now_ms()
        if self.market_moves:
            self.advance(now_ms)
        self.publish()
        if now_ms >= self._fast_due_ms:
            self._fast_due_ms = now_ms - now_ms % Interval.FAST.value + Interval.FAST.value
            self.settle_batches(now_ms)
            self.deliver()
            self.hub.flush(Interval.FAST)
        if now_ms >= self._slow_due_ms:
            self._slow_due_ms = now_ms - now_ms % Interval.SLOW.value + Interval.SLOW.value
            self.hub.flush(Interval.SLOW)
            self.release_idle(now_ms, self.needed())
        for session in list(self.sessions):
            if now_ms - session.heard_ms > self.rules.inactivity_s * 1000:
                session.hang_up()

    # -- inside --------------------------------------------------------------------------------

    def call(self, session: Session, name: str, params: Params) -> tuple[Any, Callable[[], None]]:
        """Carry out one method; (result, what follows the reply). Raises `WireError`."""
        self.publish()
        found = METHODS.get(name)
        self._spend(session, name, found, params)
        if found is None or (found.websocket_only and not session.is_websocket):
            raise WireError(-32601, f"{name} is not a method")
        if name.startswith("private/"):
            if session.wallet is None or session.key is None:
                raise WireError(14021)
            session.wallet.key_of(session.key.address, self.now_ms())
            if found.trades and not session.key.trades:
                raise WireError(14031, "Requires a trade scope")
        result = found.run(self, session, params)
        return result if found.then else (result, _nothing)

    def _spend(self, session: Session, name: str, found: Method | None, params: Params) -> None:
        pool = Pool.OTHER if found is None else found.pool
        instrument = params.raw.get("instrument_name")
        if pool is Pool.BY_LABEL and instrument is not None:
            pool = Pool.MATCHING
        mmp = pool is Pool.MATCHING and params.raw.get("mmp") is True
        is_private = session.wallet is not None and name.startswith("private/")
        payer = session.owner.budget if is_private else session.counter.strangers
        request = Request(pool, instrument if isinstance(instrument, str) else None, mmp)
        wait_ms = payer.take(request, self.now_ms())
        if wait_ms is not None:
            raise WireError(RATE_LIMITED, f"Retry after {wait_ms} ms")

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

        def say(frame: Frame, about: str | None) -> None:
            for one in talk.frames(frame, about):
                write(one, about)

        session = Session(say, hang_up, is_websocket, at)
        session.heard_ms = self.now_ms()
        return session

    def _said(self, answer: Frame, about: str | None, counter: Counter) -> Frame:
        """The answer to a REST request as it goes out."""
        return next(iter(counter.manners.talk().frames(answer, about)))

    def _refused(self, request_id: Any, error: WireError, counter: Counter) -> tuple[int, Frame]:
        answer = Frame({"id": request_id, "error": error.body})
        status = HTTP_LIMITED if error.code == RATE_LIMITED else 200
        return status, self._said(answer, None, counter)

    def _reply_error(
        self, session: Session, request_id: Any, name: str | None, error: WireError
    ) -> None:
        session.write(Frame({"id": request_id, "error": error.body}), name)
        self.publish()


class Pong(Frame):
    """The answer to a text `ping`, which is no JSON."""

    def __init__(self) -> None:
        super().__init__(cast("dict[str, Any]", PONG))

    @property
    def text(self) -> bytes:
        """Four letters."""
        return PONG.encode()


def _nothing() -> None:
    """What follows most replies."""
