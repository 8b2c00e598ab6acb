"""Deribit's JSON-RPC protocol around the exchange, without a socket or a clock.

Theory of operation
-------------------
`server.py` owns sockets and time; it hands frames in (`on_frame`, `on_rest`), tells of lost
connections (`on_closed`) and calls `tick` every few milliseconds. Everything here is synchronous:
a request is carried out, its reply is sent, and then whatever it caused goes out to the channels
(`publish`), so a client reads its acknowledgement before the notice of it. Methods are looked up in
one table, `METHODS`, filled by the `@method` decorator; every one works over both transports except
those that belong to a connection.

Rules of the venue that tests lean on: cancel-on-disconnect takes only the orders of that
connection; a raw public channel needs an authenticated connection; a request beyond the credits is
answered once with 10028 and ends the session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import orjson

from mmbot.sim.accounts import CancelReason
from mmbot.sim.matching import (
    AccountChange,
    BookDelta,
    Edit,
    Exchange,
    Kind,
    Listed,
    Listing,
    NewOrder,
    Order,
    OrderType,
    Placed,
    Prints,
    Refusal,
    Side,
    TimeInForce,
)
from mmbot.sim.wire import shapes
from mmbot.sim.wire.auth import SCOPE, Gatekeeper, Grant
from mmbot.sim.wire.channels import AccountNews, Hub, Interval
from mmbot.sim.wire.credits import Bucket, Rate
from mmbot.sim.wire.errors import (
    WireError,
    authorization_required,
    bad_argument,
    invalid_params,
    invalid_request,
    method_not_found,
    must_be_websocket_request,
    not_found,
    order_not_found,
    parse_error,
    raw_needs_authentication,
    too_many_requests,
    unauthorized,
)
from mmbot.sim.wire.face import Market, MarketTicker
from mmbot.sim.wire.paging import page
from mmbot.sim.wire.params import Params
from mmbot.sim.wire.shapes import Json

VERSION: Final = "1.2.26"
CURRENCY_NAMES: Final = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDC": "USD Coin"}
LABEL_CHARS_MAX: Final = 64
COUNT_DEFAULT: Final = 10
COUNT_MAX: Final = 1_000
MATCHING_RATE: Final = Rate(per_s=5, burst=20)
OTHER_RATE: Final = Rate(per_s=20, burst=100)  # 500 credits each, of 50 000, 10 000 more a second
PRINTS_MAX: Final = 5_000  # how many public trades of an instrument can still be asked for
USER_TRADES_MAX: Final = 100_000  # the same of an account's own
SESSION_ORDERS_MAX: Final = 1_000  # ended orders are forgotten when a session has placed more
FAST_MS: Final = 100
SLOW_MS: Final = 1_000
CATCH_UP_MS: Final = 1_000  # how far the market moves at once
REST_AUTHORIZED_MS: Final = 60_000  # the header was checked just now: longer than any request
IDLE_RELEASE_MS: Final = 60_000  # an instrument nobody asks about any more is let go after this


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the venue allows; the defaults are the lowest tier's."""

    matching: Rate = MATCHING_RATE
    other: Rate = OTHER_RATE
    heartbeat_min_s: float = 10.0
    inactivity_s: float = 600.0
    ignore_cancel_on_disconnect: bool = False


@dataclass(eq=False, slots=True)
class Session:
    """One connection, or one REST request; `write` and `hang_up` belong to the server.

    `write(payload, method)`: the method a reply answers, None for what nobody asked for.
    """

    write: Callable[[bytes, str | None], None]
    hang_up: Callable[[], None]
    is_websocket: bool
    credits: Bucket  # of the unauthenticated caller; an account has its own
    account: str | None = None
    authorized_until_ms: int = 0
    cancels_on_disconnect: bool = False
    orders: dict[str, None] = field(default_factory=dict)  # placed here, by id
    heartbeat_ms: int | None = None
    beat_due_ms: int = 0
    test_pending: bool = False
    heard_ms: int = 0
    closed: bool = False

    def send(self, payload: bytes) -> None:
        """Write something nobody asked for."""
        self.write(payload, None)


@dataclass(slots=True)
class _AccountCredits:
    matching: Bucket
    other: Bucket


Handler = Callable[["DeribitVenue", Session, Params], Any]


@dataclass(frozen=True, slots=True)
class _Method:
    run: Handler
    is_matching: bool
    websocket_only: bool
    then: bool  # the handler returns (result, what to do once the reply is out)


METHODS: Final[dict[str, _Method]] = {}


def method(
    *names: str, matching: bool = False, websocket_only: bool = False, then: bool = False
) -> Callable[[Handler], Handler]:
    """Enter a handler in the table, under each of its names."""

    def enter(run: Handler) -> Handler:
        for name in names:
            METHODS[name] = _Method(run, matching, websocket_only, then)
        return run

    return enter


class DeribitVenue:
    """The protocol; one exchange, one market, one account behind one key pair.

    `now_us` is the venue's time in microseconds and the only time there is here.
    """

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        gatekeeper: Gatekeeper,
        rules: Rules,
        now_us: Callable[[], int],
    ) -> None:
        self.exchange = exchange
        self.market = market
        self.gatekeeper = gatekeeper
        self.rules = rules
        self.now_us = now_us
        self.hub = Hub(self)
        self.sessions: dict[Session, None] = {}
        self.market_moves = True
        self._account_scope_cod: set[str] = set()
        self._credits: dict[str, _AccountCredits] = {}
        self._strangers = Bucket(rules.other, self.now_ms())  # REST without credentials, together
        self._prints: dict[str, deque[Json]] = {}
        self._user_trades: dict[str, deque[Json]] = {}
        self._watched_ms: dict[str, int] = {}
        self._tickers: dict[str, MarketTicker] = {}
        self._market_ms = self.now_ms()
        self._fast_due_ms = 0
        self._slow_due_ms = 0

    # -- from the server -----------------------------------------------------------------------

    def on_open(
        self, write: Callable[[bytes, str | None], None], hang_up: Callable[[], None]
    ) -> Session:
        """A WebSocket connected."""
        session = self._session(write, hang_up, is_websocket=True)
        self.sessions[session] = None
        return session

    def on_closed(self, session: Session, *, logout: bool = False) -> None:
        """A WebSocket is gone: leave its channels, cancel its orders if it asked for that."""
        if session.closed:
            return
        session.closed = True
        self.sessions.pop(session, None)
        self.hub.unsubscribe_all(session)
        if not session.cancels_on_disconnect or logout:
            return
        if self.rules.ignore_cancel_on_disconnect or session.account is None:
            return
        for order_id in session.orders:
            if order_id in self.exchange.orders:
                self.exchange.cancel(
                    session.account, order_id, self.now_ms(), CancelReason.DISCONNECT
                )
        self.publish()

    def on_frame(self, session: Session, frame: bytes) -> None:
        """One WebSocket text frame."""
        came_us = self.now_us()
        session.heard_ms = came_us // 1000
        try:
            request = orjson.loads(frame)
        except orjson.JSONDecodeError:
            self._reply_error(session, None, None, parse_error(), came_us)
            return
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
        session.write(self._envelope(request_id, {"result": result}, came_us), name)
        then()
        self.publish()

    def on_rest(
        self,
        name: str,
        params: dict[str, Any],
        request_id: Any,
        authorization: tuple[str, str, str, str] | None,
    ) -> tuple[int, bytes]:
        """One REST request; returns (HTTP status, body).

        `authorization` is (header, HTTP method, path with query, body), None without the header.
        """
        came_us = self.now_us()
        session = self._session(lambda *_: None, lambda: None, is_websocket=False)
        try:
            if authorization is not None:
                session.account = self.gatekeeper.by_header(*authorization, came_us // 1000)
                session.authorized_until_ms = came_us // 1000 + REST_AUTHORIZED_MS
            result, then = self.call(session, name, Params(params))
        except WireError as error:
            status = {13009: 401, 10000: 401, 13004: 401, 10028: 429}.get(error.code, 400)
            body: Json = {"code": error.code, "message": error.message, "data": error.data}
            return status, self._envelope(request_id, {"error": body}, came_us)
        then()
        self.publish()
        return 200, self._envelope(request_id, {"result": result}, came_us)

    def tick(self) -> None:
        """A few milliseconds have passed: the market moves, channels and heartbeats fall due."""
        now_ms = self.now_ms()
        if self.market_moves:
            # After a pause the market catches up in portions, so that requests are still served.
            self._market_ms = min(now_ms, self._market_ms + CATCH_UP_MS)
            self.market.advance(self._market_ms)
            self._tickers.clear()
            self.publish()
            for channel in self.hub.everything():
                channel.on_market()
        else:
            self.publish()
        if now_ms >= self._fast_due_ms:
            self._fast_due_ms = now_ms - now_ms % FAST_MS + FAST_MS
            self.hub.flush(Interval.FAST)
        if now_ms >= self._slow_due_ms:
            self._slow_due_ms = now_ms - now_ms % SLOW_MS + SLOW_MS
            self.hub.flush(Interval.SLOW)
            self._release_idle(now_ms)
        for session in list(self.sessions):
            self._beat(session, now_ms)

    def publish(self) -> None:
        """Send what the exchange has done since the last time to whoever listens."""
        effects = self.exchange.drain()
        while effects:
            for effect in effects:
                if isinstance(effect, BookDelta):
                    for channel in self.hub.of_instrument(effect.name):
                        channel.on_delta(effect)
                elif isinstance(effect, AccountChange):
                    self._tell_account(effect)
                elif isinstance(effect, Prints):
                    self._tell_trades(effect)
                elif isinstance(effect, Listed):
                    for channel in self.hub.everything():
                        channel.on_listed(effect.listing, effect.time_ms)
            effects = self.exchange.drain()

    # -- what channels and methods ask ---------------------------------------------------------

    def now_ms(self) -> int:
        return self.now_us() // 1000

    def currencies(self) -> list[str]:
        """The settlement currencies of what is listed, in order of listing."""
        listed = dict.fromkeys(one.settlement for one in self.exchange.listings.values())
        return list(listed)

    def index_names(self) -> list[str]:
        return list(
            dict.fromkeys(shapes.index_name(one) for one in self.exchange.listings.values())
        )

    def index_of(self, index_name: str) -> float:
        """The price index in USD."""
        return self.market.index(index_name)

    def market_ticker(self, name: str) -> MarketTicker:
        """The market's word on an instrument, computed at most once a market step."""
        found = self._tickers.get(name)
        if found is None:
            found = self._tickers[name] = self.market.ticker(name)
        return found

    def ticker_of(self, name: str) -> Json:
        return shapes.ticker(
            self.exchange.book(name),
            self.market_ticker(name),
            self.exchange.open_interest(name),
            self.now_ms(),
        )

    def summary_of(self, account: str, currency: str) -> Json:
        held = self.exchange.accounts[account]
        tickers = {
            name: self._marked_ticker(name) for name, one in held.positions.items() if one.size
        }
        return shapes.account_summary(self.exchange, held, currency, tickers, self._limits())

    def position_of(self, account: str, name: str) -> Json:
        ticker = self._marked_ticker(name)
        return shapes.position(
            self.exchange.position(account, name), self.exchange.book(name), ticker
        )

    def prints(self, name: str) -> deque[Json]:
        """The last public trades of an instrument as they went out, oldest first."""
        return self._prints.setdefault(name, deque(maxlen=PRINTS_MAX))

    def user_trades(self, account: str) -> deque[Json]:
        """The account's last trades as they went out, oldest first."""
        return self._user_trades.setdefault(account, deque(maxlen=USER_TRADES_MAX))

    def listing(self, params: Params, name: str = "instrument_name") -> Listing:
        found = self.exchange.listings.get(params.text(name))
        if found is None:
            raise not_found("instrument not found", name)
        return found

    def watch(self, name: str) -> None:
        """Somebody wants this book: from now on the market acts in it."""
        if name not in self._watched_ms:
            self.market.watch(name)
            self._tickers.pop(name, None)
            self.publish()
        self._watched_ms[name] = self.now_ms()

    # -- inside --------------------------------------------------------------------------------

    def call(self, session: Session, name: str, params: Params) -> tuple[Any, Callable[[], None]]:
        """Carry out one method; (result, what follows the reply). Raises `WireError`."""
        self.publish()
        token = params.raw.get("access_token")
        if isinstance(token, str) and session.account is None:
            grant = self.gatekeeper.by_token(token, self.now_ms())
            session.account = grant.account
            session.authorized_until_ms = grant.expires_ms
        found = METHODS.get(name)
        self._spend(session, found is not None and found.is_matching)
        if found is None:
            raise method_not_found()
        if found.websocket_only and not session.is_websocket:
            raise must_be_websocket_request()
        if name.startswith("private/"):
            if session.account is None:
                raise authorization_required()
            if session.authorized_until_ms <= self.now_ms():
                raise unauthorized("token expired")
        result = found.run(self, session, params)
        return result if found.then else (result, _nothing)

    def credits_of(self, account: str) -> _AccountCredits:
        found = self._credits.get(account)
        if found is None:
            now_ms = self.now_ms()
            found = self._credits[account] = _AccountCredits(
                Bucket(self.rules.matching, now_ms), Bucket(self.rules.other, now_ms)
            )
        return found

    def _session(
        self,
        write: Callable[[bytes, str | None], None],
        hang_up: Callable[[], None],
        *,
        is_websocket: bool,
    ) -> Session:
        now_ms = self.now_ms()
        bucket = Bucket(self.rules.other, now_ms) if is_websocket else self._strangers
        session = Session(write, hang_up, is_websocket, bucket)
        session.heard_ms = now_ms
        return session

    def _spend(self, session: Session, is_matching: bool) -> None:
        if session.account is None:
            bucket = session.credits
        else:
            of_account = self.credits_of(session.account)
            bucket = of_account.matching if is_matching else of_account.other
        if not bucket.take(self.now_ms()):
            raise too_many_requests()

    def _limits(self) -> Json:
        trading = {"burst": self.rules.matching.burst, "rate": self.rules.matching.per_s}
        return {
            "limits_per_currency": False,
            "non_matching_engine": {
                "burst": self.rules.other.burst,
                "rate": self.rules.other.per_s,
            },
            "matching_engine": {
                "trading": {"total": trading},
                "spot": trading,
                "cancel_all": trading,
            },
        }

    def _marked_ticker(self, name: str) -> MarketTicker:
        # Somebody holds this, so its mark must follow the market whoever else looks.
        self.watch(name)
        return self.market_ticker(name)

    def _tell_trades(self, prints: Prints) -> None:
        listing = self.exchange.listings[prints.name]
        self.market.note(prints)
        ticker = self.market_ticker(prints.name)
        shaped = [shapes.public_trade(made, listing, ticker) for made in prints.trades]
        self.prints(prints.name).extend(shaped)
        for channel in self.hub.everything():
            channel.on_trades(listing, shaped)

    def _tell_account(self, change: AccountChange) -> None:
        listing = self.exchange.listings[change.name]
        trades: list[Json] = []
        if change.trades:
            ticker = self.market_ticker(change.name)
            for made in change.trades:
                public = shapes.public_trade(made.public, listing, ticker)
                trades.append(shapes.user_trade(made, public))
            self.user_trades(change.account).extend(trades)
        news = AccountNews(
            change.account,
            listing,
            [shapes.order(one, listing) for one in change.orders],
            trades,
            lambda: self.position_of(change.account, change.name),
        )
        for channel in self.hub.everything():
            channel.on_account(news)

    def _release_idle(self, now_ms: int) -> None:
        busy = {order.name for order in self.exchange.orders.values() if self._is_followed(order)}
        busy.update(
            name
            for account in self.exchange.accounts.values()
            if account.followed
            for name, position in account.positions.items()
            if position.size
        )
        for name, asked_ms in list(self._watched_ms.items()):
            if name in busy or self.hub.watches(name):
                self._watched_ms[name] = now_ms
            elif now_ms - asked_ms > IDLE_RELEASE_MS:
                del self._watched_ms[name]
                self.market.unwatch(name)

    def _is_followed(self, order: Order) -> bool:
        return self.exchange.accounts[order.account].followed

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
            session.send(orjson.dumps(frame))

    def _envelope(self, request_id: Any, body: Json, came_us: int) -> bytes:
        out_us = self.now_us()
        frame: Json = {"jsonrpc": "2.0"}
        if request_id is not None:
            frame["id"] = request_id
        frame |= body
        frame |= {"usIn": came_us, "usOut": out_us, "usDiff": out_us - came_us, "testnet": True}
        return orjson.dumps(frame)

    def _reply_error(
        self, session: Session, request_id: Any, name: str | None, error: WireError, came_us: int
    ) -> None:
        body: Json = {"code": error.code, "message": error.message, "data": error.data}
        session.write(self._envelope(request_id, {"error": body}, came_us), name or "")
        self.publish()


def _nothing() -> None:
    """What follows most replies."""


# -- the session's own methods -------------------------------------------------------------------


@method("public/auth")
def _auth(venue: DeribitVenue, session: Session, params: Params) -> Json:
    grant: Grant = venue.gatekeeper.grant(params, venue.now_ms())
    session.account = grant.account
    session.authorized_until_ms = grant.expires_ms
    if grant.account in venue._account_scope_cod:
        session.cancels_on_disconnect = True
    return {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "expires_in": round(venue.gatekeeper.expires_in_s),
        "scope": SCOPE,
        "token_type": "bearer",
        "enabled_features": [],
    }


@method("private/logout", websocket_only=True, then=True)
def _logout(
    venue: DeribitVenue, session: Session, params: Params
) -> tuple[str, Callable[[], None]]:
    def leave() -> None:
        venue.on_closed(session, logout=True)
        session.hang_up()

    return "ok", leave


@method("public/test")
def _test(venue: DeribitVenue, session: Session, params: Params) -> Json:
    session.test_pending = False
    return {"version": VERSION}


@method("public/hello")
def _hello(venue: DeribitVenue, session: Session, params: Params) -> Json:
    params.text("client_name")
    params.text("client_version")
    return {"version": VERSION}


@method("public/get_time")
def _get_time(venue: DeribitVenue, session: Session, params: Params) -> int:
    return venue.now_ms()


@method("public/status")
def _status(venue: DeribitVenue, session: Session, params: Params) -> Json:
    return {"locked": "false", "locked_indices": []}


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
def _disable_heartbeat(venue: DeribitVenue, session: Session, params: Params) -> str:
    session.heartbeat_ms = None
    session.test_pending = False
    return "ok"


@method("private/enable_cancel_on_disconnect", websocket_only=True)
def _enable_cod(venue: DeribitVenue, session: Session, params: Params) -> str:
    assert session.account is not None, "private methods have an account"
    if _cod_scope(params) == "account":
        venue._account_scope_cod.add(session.account)
    session.cancels_on_disconnect = True
    return "ok"


@method("private/disable_cancel_on_disconnect", websocket_only=True)
def _disable_cod(venue: DeribitVenue, session: Session, params: Params) -> str:
    assert session.account is not None, "private methods have an account"
    if _cod_scope(params) == "account":
        venue._account_scope_cod.discard(session.account)
    session.cancels_on_disconnect = False
    return "ok"


@method("private/get_cancel_on_disconnect", websocket_only=True)
def _get_cod(venue: DeribitVenue, session: Session, params: Params) -> Json:
    scope = _cod_scope(params)
    enabled = (
        session.account in venue._account_scope_cod
        if scope == "account"
        else session.cancels_on_disconnect
    )
    return {"scope": scope, "enabled": enabled}


def _cod_scope(params: Params) -> str:
    scope = params.text_or("scope", "connection")
    if scope not in ("connection", "account"):
        raise invalid_params("must be one of connection, account", "scope")
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
            venue.watch(parts[1])
        greet = venue.hub.subscribe(session, name)
        if greet is not None:
            accepted.append(name)
            greetings.append(greet)

    def greet_all() -> None:
        for greet in greetings:
            greet()

    return accepted, greet_all


@method("public/unsubscribe", "private/unsubscribe", websocket_only=True)
def _unsubscribe(venue: DeribitVenue, session: Session, params: Params) -> list[str]:
    return [name for name in params.texts("channels") if venue.hub.unsubscribe(session, name)]


@method("public/unsubscribe_all", "private/unsubscribe_all", websocket_only=True)
def _unsubscribe_all(venue: DeribitVenue, session: Session, params: Params) -> str:
    venue.hub.unsubscribe_all(session)
    return "ok"


# -- public data ---------------------------------------------------------------------------------


@method("public/get_currencies")
def _get_currencies(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    return [
        {
            "currency": currency,
            "currency_long": CURRENCY_NAMES.get(currency, currency),
            "coin_type": "ETHER" if currency == "ETH" else currency,
            "network_currency": currency,
            "fee_precision": 4,
            "min_confirmations": 1,
            "min_withdrawal_fee": 0.0001,
            "withdrawal_fee": 0.0001,
            "network_fee": 0.0001,
            "withdrawal_priorities": [],
            "apr": 0.0,
            "in_cross_collateral_pool": False,
        }
        for currency in venue.currencies()
    ]


@method("public/get_instruments")
def _get_instruments(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    if params.flag("expired"):
        return []
    chosen = {one.name for one in _listings(venue, params)}
    return [
        shapes.instrument(one, number)
        for number, one in enumerate(venue.exchange.listings.values(), start=1)
        if one.name in chosen
    ]


@method("public/get_instrument")
def _get_instrument(venue: DeribitVenue, session: Session, params: Params) -> Json:
    listing = venue.listing(params)
    return shapes.instrument(listing, list(venue.exchange.listings).index(listing.name) + 1)


@method("public/ticker")
def _ticker(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.listing(params).name
    venue.watch(name)
    return venue.ticker_of(name)


@method("public/get_order_book")
def _get_order_book(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.listing(params).name
    depth = params.integer_or("depth", 20)
    if depth < 1:
        raise invalid_params("must be positive", "depth")
    venue.watch(name)
    book = venue.exchange.book(name)
    return {
        **venue.ticker_of(name),
        "change_id": book.change_id,
        "bids": [(float(price), float(total)) for price, total in book.depth(Side.BUY, depth)],
        "asks": [(float(price), float(total)) for price, total in book.depth(Side.SELL, depth)],
    }


@method("public/get_last_trades_by_instrument", "public/get_last_trades_by_instrument_and_time")
def _get_last_trades(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.listing(params).name
    venue.watch(name)
    return _trades_page(list(venue.prints(name)), params)


@method("public/get_index_price")
def _get_index_price(venue: DeribitVenue, session: Session, params: Params) -> Json:
    index_name = params.text("index_name")
    if index_name not in venue.index_names():
        raise invalid_params(f"must be one of {', '.join(venue.index_names())}", "index_name")
    price = venue.index_of(index_name)
    return {"index_price": price, "estimated_delivery_price": price}


@method("public/get_book_summary_by_currency")
def _get_book_summary(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    params.text("currency")
    now_ms = venue.now_ms()
    return [
        shapes.book_summary(
            venue.exchange.book(one.name),
            venue.market_ticker(one.name),
            venue.exchange.open_interest(one.name),
            now_ms,
        )
        for one in _listings(venue, params)
    ]


# -- orders --------------------------------------------------------------------------------------


@method("private/buy", matching=True)
def _buy(venue: DeribitVenue, session: Session, params: Params) -> Json:
    return _place(venue, session, params, Side.BUY)


@method("private/sell", matching=True)
def _sell(venue: DeribitVenue, session: Session, params: Params) -> Json:
    return _place(venue, session, params, Side.SELL)


def _place(venue: DeribitVenue, session: Session, params: Params, side: Side) -> Json:
    _refuse_unsimulated(params)
    listing = venue.listing(params)
    amount = _amount(params, listing)
    if amount is None:
        raise invalid_params("amount or contracts is required", "amount")
    label = params.text_or("label", "") or ""
    if len(label) > LABEL_CHARS_MAX:
        raise bad_argument(f"must be at most {LABEL_CHARS_MAX} characters", "label")
    wish = NewOrder(
        name=listing.name,
        side=side,
        amount=amount,
        price=params.decimal_or_none("price"),
        type=params.choice("type", OrderType, OrderType.LIMIT),
        time_in_force=params.choice("time_in_force", TimeInForce, TimeInForce.GTC),
        label=label,
        post_only=params.flag("post_only"),
        reject_post_only=params.flag("reject_post_only"),
        reduce_only=params.flag("reduce_only"),
        valid_until_ms=params.integer_or_none("valid_until"),
    )
    return _carry_out(venue, session, wish)


def _carry_out(venue: DeribitVenue, session: Session, wish: NewOrder) -> Json:
    assert session.account is not None, "private methods have an account"
    venue.watch(wish.name)
    placed = venue.exchange.place(session.account, wish, venue.now_ms())
    shaped = _placed(venue, placed)
    if shaped["order"]["order_state"] == "open" and session.is_websocket:
        session.orders[shaped["order"]["order_id"]] = None
        if len(session.orders) > SESSION_ORDERS_MAX:
            still_open = venue.exchange.orders
            session.orders = {one: None for one in session.orders if one in still_open}
    return shaped


@method("private/edit", matching=True)
def _edit(venue: DeribitVenue, session: Session, params: Params) -> Json:
    return _edit_order(venue, session, params, params.text("order_id"))


@method("private/edit_by_label", matching=True)
def _edit_by_label(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    name = venue.listing(params).name
    label = params.text("label")
    found = [
        order
        for order in venue.exchange.accounts[session.account].open_orders.values()
        if order.label == label and order.name == name
    ]
    if not found:
        raise order_not_found()
    if len(found) > 1:
        raise WireError(13032, "non_unique_order_label")
    return _edit_order(venue, session, params, found[0].order_id)


def _edit_order(venue: DeribitVenue, session: Session, params: Params, order_id: str) -> Json:
    assert session.account is not None, "private methods have an account"
    _refuse_unsimulated(params)
    known = venue.exchange.order(session.account, order_id)
    if known is None:
        raise order_not_found()
    edit = Edit(
        order_id=order_id,
        amount=_amount(params, venue.exchange.listings[known.name]),
        price=params.decimal_or_none("price"),
        post_only=params.flag_or_none("post_only"),
        reject_post_only=params.flag_or_none("reject_post_only"),
        reduce_only=params.flag_or_none("reduce_only"),
        valid_until_ms=params.integer_or_none("valid_until"),
    )
    return _placed(venue, venue.exchange.edit(session.account, edit, venue.now_ms()))


@method("private/cancel", matching=True)
def _cancel(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    done = venue.exchange.cancel(session.account, params.text("order_id"), venue.now_ms())
    if isinstance(done, Refusal):
        raise WireError.from_refusal(done)
    return _shaped(venue, done)


@method("private/cancel_all", matching=True)
def _cancel_all(venue: DeribitVenue, session: Session, params: Params) -> int:
    return _cancel_matching(venue, session, params)


@method("private/cancel_all_by_instrument", matching=True)
def _cancel_all_by_instrument(venue: DeribitVenue, session: Session, params: Params) -> int:
    return _cancel_matching(venue, session, params, name=venue.listing(params).name)


@method("private/cancel_all_by_currency", matching=True)
def _cancel_all_by_currency(venue: DeribitVenue, session: Session, params: Params) -> int:
    return _cancel_matching(
        venue, session, params, settlement=_currency(venue, params), kinds=_kinds(params)
    )


@method("private/cancel_all_by_kind_or_type", matching=True)
def _cancel_all_by_kind(venue: DeribitVenue, session: Session, params: Params) -> int:
    return _cancel_matching(
        venue, session, params, settlement=_currency_or_any(venue, params), kinds=_kinds(params)
    )


@method("private/cancel_by_label", matching=True)
def _cancel_by_label(venue: DeribitVenue, session: Session, params: Params) -> int:
    assert session.account is not None, "private methods have an account"
    return venue.exchange.cancel_by_label(
        session.account, params.text("label"), venue.now_ms(), _currency_or_any(venue, params)
    )


def _cancel_matching(
    venue: DeribitVenue,
    session: Session,
    params: Params,
    *,
    name: str | None = None,
    settlement: str | None = None,
    kinds: frozenset[Kind] | None = None,
) -> int:
    assert session.account is not None, "private methods have an account"
    if params.flag("detailed"):
        raise invalid_params("detailed answers are not simulated", "detailed")
    kind = params.text_or("type", "all")
    if kind not in ("all", "limit"):
        # Only limit orders ever rest here, so every other type has nothing to cancel.
        return 0
    return venue.exchange.cancel_all(
        session.account, venue.now_ms(), name=name, settlement=settlement, kinds=kinds
    )


@method("private/close_position", matching=True)
def _close_position(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    name = venue.listing(params).name
    size = venue.exchange.position(session.account, name).size
    if not size:
        raise bad_argument("there is no position to close", "instrument_name")
    wish = NewOrder(
        name=name,
        side=Side.SELL if size > 0 else Side.BUY,
        amount=abs(size),
        price=params.decimal_or_none("price"),
        type=params.choice("type", OrderType, OrderType.LIMIT),
        reduce_only=True,
    )
    return _carry_out(venue, session, wish)


def _placed(venue: DeribitVenue, placed: Placed | Refusal) -> Json:
    if isinstance(placed, Refusal):
        raise WireError.from_refusal(placed)
    listing = venue.exchange.listings[placed.order.name]
    trades: list[Json] = []
    if placed.trades:
        ticker = venue.market_ticker(listing.name)
        trades = [
            shapes.user_trade(made, shapes.public_trade(made.public, listing, ticker))
            for made in placed.trades
        ]
    return {"order": shapes.order(placed.order, listing), "trades": trades}


_UNSIMULATED: Final = (
    "advanced",
    "display_amount",
    "linked_order_type",
    "max_show",
    "otoco_config",
    "trigger",
    "trigger_price",
    "trigger_offset",
)


def _refuse_unsimulated(params: Params) -> None:
    for name in _UNSIMULATED:
        if params.raw.get(name) is not None:
            raise invalid_params("not simulated", name)
    if params.flag("mmp"):
        raise invalid_params("not simulated", "mmp")


def _amount(params: Params, listing: Listing) -> Decimal | None:
    amount = params.decimal_or_none("amount")
    contracts = params.decimal_or_none("contracts")
    if contracts is None:
        return amount
    by_contracts = contracts * listing.contract_size
    if amount is not None and amount != by_contracts:
        raise invalid_params("amount and contracts disagree", "contracts")
    return by_contracts


# -- the account ---------------------------------------------------------------------------------


@method("private/get_account_summary")
def _get_account_summary(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    return venue.summary_of(session.account, _currency(venue, params))


@method("private/get_account_summaries")
def _get_account_summaries(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    account = venue.exchange.accounts[session.account]
    return {
        "id": shapes.USER_ID,
        "email": f"{account.name}@example.com",
        "system_name": account.name,
        "username": account.name,
        "type": "main",
        "mmp_enabled": False,
        "interuser_transfers_enabled": False,
        "login_enabled": False,
        "security_keys_enabled": False,
        "creation_timestamp": 0,
        "referrer_id": None,
        "self_trading_reject_mode": account.self_trade.value,
        "self_trading_extended_to_subaccounts": False,
        "summaries": [venue.summary_of(account.name, one) for one in venue.currencies()],
    }


@method("private/get_positions")
def _get_positions(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    assert session.account is not None, "private methods have an account"
    currency = _currency_or_any(venue, params)
    kinds = _kinds(params)
    return [
        venue.position_of(session.account, name)
        for name, held in venue.exchange.accounts[session.account].positions.items()
        if (currency is None or held.listing.settlement == currency)
        and (kinds is None or held.listing.kind in kinds)
    ]


@method("private/get_position")
def _get_position(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    return venue.position_of(session.account, venue.listing(params).name)


@method("private/get_open_orders")
def _get_open_orders(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    return _open_orders(venue, session, params)


@method("private/get_open_orders_by_currency")
def _get_open_orders_by_currency(
    venue: DeribitVenue, session: Session, params: Params
) -> list[Json]:
    return _open_orders(venue, session, params, currency=_currency(venue, params))


@method("private/get_open_orders_by_instrument")
def _get_open_orders_by_instrument(
    venue: DeribitVenue, session: Session, params: Params
) -> list[Json]:
    return _open_orders(venue, session, params, name=venue.listing(params).name)


@method("private/get_open_orders_by_label")
def _get_open_orders_by_label(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    label = params.text_or("label", None)
    return _open_orders(venue, session, params, currency=_currency(venue, params), label=label)


def _open_orders(
    venue: DeribitVenue,
    session: Session,
    params: Params,
    *,
    name: str | None = None,
    currency: str | None = None,
    label: str | None = None,
) -> list[Json]:
    assert session.account is not None, "private methods have an account"
    kinds = _kinds(params)
    if params.text_or("type", "all") not in ("all", "limit"):
        return []
    return [
        _shaped(venue, order)
        for order in venue.exchange.accounts[session.account].open_orders.values()
        if (name is None or order.name == name)
        and (label is None or order.label == label)
        and (currency is None or venue.exchange.listings[order.name].settlement == currency)
        and (kinds is None or venue.exchange.listings[order.name].kind in kinds)
    ]


@method("private/get_order_state")
def _get_order_state(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    found = venue.exchange.order(session.account, params.text("order_id"))
    if found is None:
        raise order_not_found()
    return _shaped(venue, found)


@method("private/get_order_state_by_label")
def _get_order_state_by_label(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    label = params.text("label")
    currency = _currency(venue, params)
    return [
        _shaped(venue, order)
        for order in _known_orders(venue, session)
        if order.label == label and venue.exchange.listings[order.name].settlement == currency
    ]


@method("private/get_order_history_by_currency")
def _get_order_history_by_currency(
    venue: DeribitVenue, session: Session, params: Params
) -> list[Json]:
    return _order_history(venue, session, params, currency=_currency(venue, params))


@method("private/get_order_history_by_instrument")
def _get_order_history_by_instrument(
    venue: DeribitVenue, session: Session, params: Params
) -> list[Json]:
    return _order_history(venue, session, params, name=venue.listing(params).name)


def _order_history(
    venue: DeribitVenue,
    session: Session,
    params: Params,
    *,
    name: str | None = None,
    currency: str | None = None,
) -> list[Json]:
    assert session.account is not None, "private methods have an account"
    unfilled = params.flag("include_unfilled")
    closed = venue.exchange.accounts[session.account].closed_orders.values()
    chosen = [
        order
        for order in closed
        if (name is None or order.name == name)
        and (currency is None or venue.exchange.listings[order.name].settlement == currency)
        and (unfilled or order.filled)
    ]
    chosen.reverse()
    count = params.integer_or("count", 20)
    offset = params.integer_or("offset", 0)
    return [_shaped(venue, order) for order in chosen[offset : offset + count]]


@method("private/get_user_trades_by_instrument", "private/get_user_trades_by_instrument_and_time")
def _get_user_trades_by_instrument(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    name = venue.listing(params).name
    own = [one for one in venue.user_trades(session.account) if one["instrument_name"] == name]
    return _trades_page(own, params)


@method("private/get_user_trades_by_currency", "private/get_user_trades_by_currency_and_time")
def _get_user_trades_by_currency(venue: DeribitVenue, session: Session, params: Params) -> Json:
    assert session.account is not None, "private methods have an account"
    for name in ("start_id", "end_id"):
        if params.raw.get(name) is not None:
            raise invalid_params("not simulated: use timestamps", name)
    currency = _currency(venue, params)
    kinds = _kinds(params)
    listings = venue.exchange.listings
    own = [
        one
        for one in venue.user_trades(session.account)
        if listings[one["instrument_name"]].settlement == currency
        and (kinds is None or listings[one["instrument_name"]].kind in kinds)
    ]
    return _trades_page(own, params)


@method("private/get_user_trades_by_order")
def _get_user_trades_by_order(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    assert session.account is not None, "private methods have an account"
    order_id = params.text("order_id")
    own = [one for one in venue.user_trades(session.account) if one["order_id"] == order_id]
    return own if params.text_or("sorting", "default") == "asc" else own[::-1]


def _trades_page(trades: list[Json], params: Params) -> Json:
    count = params.integer_or("count", COUNT_DEFAULT)
    if not 1 <= count <= COUNT_MAX:
        raise invalid_params(f"must be from 1 to {COUNT_MAX}", "count")
    found, has_more = page(
        trades,
        count=count,
        sorting=params.text_or("sorting", "default") or "default",
        start_ms=params.integer_or_none("start_timestamp"),
        end_ms=params.integer_or_none("end_timestamp"),
        start_seq=params.integer_or_none("start_seq"),
        end_seq=params.integer_or_none("end_seq"),
    )
    return {"trades": found, "has_more": has_more}


def _known_orders(venue: DeribitVenue, session: Session) -> Iterable[Order]:
    assert session.account is not None, "private methods have an account"
    account = venue.exchange.accounts[session.account]
    yield from account.open_orders.values()
    yield from account.closed_orders.values()


def _shaped(venue: DeribitVenue, order: Order) -> Json:
    return shapes.order(order, venue.exchange.listings[order.name])


def _listings(venue: DeribitVenue, params: Params) -> list[Listing]:
    currency = _currency_or_any(venue, params)
    kinds = _kinds(params)
    return [
        one
        for one in venue.exchange.listings.values()
        if (currency is None or one.settlement == currency) and (kinds is None or one.kind in kinds)
    ]


def _currency(venue: DeribitVenue, params: Params) -> str:
    currency = params.text("currency").upper()
    if currency not in venue.currencies():
        raise invalid_params("invalid currency", "currency")
    return currency


def _currency_or_any(venue: DeribitVenue, params: Params) -> str | None:
    if params.text_or("currency", "any") == "any":
        return None
    return _currency(venue, params)


def _kinds(params: Params) -> frozenset[Kind] | None:
    kind = params.text_or("kind", "any")
    if kind == "any":
        return None
    if kind == "option":
        return frozenset({Kind.OPTION})
    if kind == "future":
        return frozenset({Kind.PERPETUAL, Kind.FUTURE})
    if kind in ("spot", "future_combo", "option_combo"):
        return frozenset()
    raise invalid_params("must be one of any, future, option", "kind")
