"""Deribit's JSON-RPC protocol around the exchange, without a socket or a clock.

Theory of operation
-------------------
`server.py` owns sockets and time; it hands frames in (`on_frame`, `on_rest`), tells of lost
connections (`on_closed`) and calls `tick` every few milliseconds. Everything here is synchronous:
a request is carried out, its reply is sent, and then whatever it caused goes out to the channels
(`publish`), so a client reads its acknowledgement before the notice of it. Methods are looked up in
the tables of the `calls_*` modules; every one works over both transports except those that belong
to a connection.

Rules of the venue that tests lean on: cancel-on-disconnect takes only the orders of that
connection; a raw public channel needs an authenticated connection; a request beyond the credits is
answered once with 10028 and ends the session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

import orjson

from mmbot.sim.exchange.matching import (
    AccountChange,
    BookDelta,
    Exchange,
    InstrumentChanged,
    InstrumentState,
    Listing,
    Order,
    Prints,
)
from mmbot.sim.exchange.orders import CancelReason
from mmbot.sim.models.credits import RATES, Credits, Pool, Rate, pool_of
from mmbot.sim.wire.deribit import (
    calls_account,
    calls_charts,
    calls_data,
    calls_ledger,
    calls_orders,
    calls_others,
    calls_session,
    calls_wallet,
    shapes,
)
from mmbot.sim.wire.deribit.auth import Gatekeeper
from mmbot.sim.wire.deribit.calls import Session
from mmbot.sim.wire.deribit.catalog import COMBOS_PER_HOUR, Catalog
from mmbot.sim.wire.deribit.channel_names import make_channel
from mmbot.sim.wire.deribit.channels import AccountNews, Hub, Interval
from mmbot.sim.wire.deribit.charts import Charts
from mmbot.sim.wire.deribit.errors import (
    WireError,
    authorization_required,
    invalid_params,
    invalid_request,
    method_not_found,
    must_be_websocket_request,
    not_found,
    orderbook_closed,
    other_reject,
    parse_error,
    too_many_requests,
    unauthenticated_public_disabled,
    unauthorized,
)
from mmbot.sim.wire.deribit.locks import Locks
from mmbot.sim.wire.deribit.manners import Manner, Manners
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.triggers import Triggers
from mmbot.sim.wire.deribit.wallet import Wallet
from mmbot.sim.wire.face import Market, MarketTicker

PRINTS_MAX: Final = 5_000  # how many public trades of an instrument can still be asked for
USER_TRADES_MAX: Final = 100_000  # the same of an account's own
FAST_MS: Final = 100
SLOW_MS: Final = 1_000
CATCH_UP_MS: Final = 1_000  # how far the market moves at once
REST_AUTHORIZED_MS: Final = 60_000  # the header was checked just now: longer than any request
HTTP_STATUS: Final = {13009: 401, 10000: 401, 13004: 401, 10028: 429}  # of errors; else 400
IDLE_RELEASE_MS: Final = 60_000  # an instrument nobody asks about any more is let go after this


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the venue allows; the defaults are the lowest tier's."""

    matching: Rate = RATES[Pool.MATCHING]
    cancel_all: Rate = RATES[Pool.CANCEL_ALL]
    instruments: Rate = RATES[Pool.INSTRUMENTS]
    subscribe: Rate = RATES[Pool.SUBSCRIBE]
    transaction_log: Rate = RATES[Pool.TRANSACTION_LOG]
    other: Rate = RATES[Pool.OTHER]
    heartbeat_min_s: float = 10.0
    inactivity_s: float = 600.0
    ignore_cancel_on_disconnect: bool = False

    @property
    def rates(self) -> dict[Pool, Rate]:
        """What is allowed of each pool."""
        return {pool: getattr(self, pool.value) for pool in Pool}


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


class DeribitVenue:
    """The protocol; one exchange, one market, one account behind one key pair.

    `now_us` is the venue's time in microseconds and the only time there is here; `skew_ms` is by
    how much it is ahead of the right one, which only `public/get_time` tells (a simulated desk sets
    its clock by it). `keeps_orders` is asked when a line breaks: True leaves the orders it should
    take along. `manners`, drawn from `manners_seed`: how it says what it says.
    """

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        gatekeeper: Gatekeeper,
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
        self.exchange = exchange
        self.market = market
        self.gatekeeper = gatekeeper
        self.rules = rules
        self.now_us = now_us
        self.skew_ms = skew_ms
        self._keeps_orders = keeps_orders
        self._manners = Manners(manners, manners_seed, self.now_ms)
        self.hub = Hub(partial(make_channel, self))
        self.locks = Locks(self)
        self.charts = Charts()
        self.triggers = Triggers(self)
        self.wallet = Wallet(self)
        self.catalog = Catalog(self, Random(f"{seed}:combos"), combos_per_hour)
        self.news: list[AccountNews] = []  # what the exchange knows nothing of, to be told
        self.sessions: dict[Session, None] = {}
        self.market_moves = True
        self.account_scope_cod: set[str] = set()
        self._credits: dict[str, Credits] = {}
        self._strangers = Credits(rules.rates, self.now_ms())  # they all call from one address
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
        if not logout and self._keeps_orders():
            return
        for order_id in session.orders:
            if order_id in self.exchange.orders:
                self.exchange.cancel(
                    session.account, order_id, self.now_ms(), CancelReason.DISCONNECT
                )
            else:
                self.triggers.cancel(session.account, order_id, CancelReason.DISCONNECT)
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
        if METHODS[name].is_matching and self._manners.notice_first():
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
            return self.refuse_rest(request_id, error)
        then()
        self.publish()
        return 200, self._said(self._envelope(request_id, {"result": result}, came_us), name)

    def refuse(self, session: Session, frame: bytes, error: WireError) -> None:
        """Answer a WebSocket request without carrying it out."""
        request = orjson.loads(frame)
        self._reply_error(session, request.get("id"), request["method"], error, self.now_us())
        if error.code == too_many_requests().code:
            session.hang_up()

    def refuse_rest(self, request_id: Any, error: WireError) -> tuple[int, bytes]:
        """The answer to a REST request that is not carried out; returns (HTTP status, body)."""
        body: Json = {"code": error.code, "message": error.message, "data": error.data}
        answer = self._envelope(request_id, {"error": body}, self.now_us())
        return HTTP_STATUS.get(error.code, 400), self._said(answer, None)

    def restart(self, *, with_orders: bool) -> None:
        """Forget every session and token, and the open orders too unless told otherwise.

        Nobody is told, nothing is cancelled because of a line that breaks now.
        """
        for session in list(self.sessions):
            session.closed = True
            self.hub.unsubscribe_all(session)
        self.sessions.clear()
        self.gatekeeper.forget()
        self._credits.clear()
        if not with_orders:
            self.triggers.cancel_everything()
            for account in self.exchange.accounts.values():
                if account.followed:
                    for order_id in list(account.open_orders):
                        self.exchange.cancel(
                            account.name, order_id, self.now_ms(), CancelReason.DISCONNECT
                        )
        self.publish()

    def tick(self) -> None:
        """A few milliseconds have passed: the market moves, channels and heartbeats fall due."""
        now_ms = self.now_ms()
        if self.market_moves:
            # After a pause the market catches up in portions, so that requests are still served.
            self._market_ms = min(now_ms, self._market_ms + CATCH_UP_MS)
            self.market.advance(self._market_ms)
            self._tickers.clear()
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
            self._release_idle(now_ms)
        for session in list(self.sessions):
            self._beat(session, now_ms)

    def publish(self) -> None:
        """Send what the exchange has done since the last time to whoever listens."""
        news, self.news = self.news, []
        for one in news:
            self._tell(one)
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
                elif isinstance(effect, InstrumentChanged):
                    self._tell_instrument(effect)
            effects = self.exchange.drain()

    # -- what channels and methods ask ---------------------------------------------------------

    def now_ms(self) -> int:
        return self.now_us() // 1000

    def right_ms(self) -> int:
        """The right time, however wrong the venue's clock is."""
        return self.now_ms() - self.skew_ms

    def currencies(self) -> list[str]:
        """The settlement currencies, in order of listing."""
        return list(self.exchange.currencies)

    def index_names(self) -> list[str]:
        return list(self.exchange.index_names)

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
        return shapes.ticker(self.exchange, name, self.market_ticker(name), self.now_ms())

    def summary_of(self, account: str, currency: str) -> Json:
        held = self.exchange.accounts[account]
        tickers = {
            name: self._marked_ticker(name) for name, one in held.positions.items() if one.size
        }
        return shapes.account_summary(self.exchange, held, currency, tickers, self._limits())

    def position_of(self, account: str, name: str) -> Json:
        return shapes.position(self.exchange, account, name, self._marked_ticker(name))

    def prints(self, name: str) -> deque[Json]:
        """The last public trades of an instrument as they went out, oldest first."""
        return self._prints.setdefault(name, deque(maxlen=PRINTS_MAX))

    def prints_so_far(self, name: str) -> Iterable[Json]:
        """The same, of an instrument that need not have traded."""
        return self._prints.get(name, ())

    def user_trades(self, account: str) -> deque[Json]:
        """The account's last trades as they went out, oldest first."""
        return self._user_trades.setdefault(account, deque(maxlen=USER_TRADES_MAX))

    def all_user_trades(self) -> dict[str, list[Json]]:
        """Every account's last trades as they went out."""
        return {account: list(trades) for account, trades in self._user_trades.items()}

    def remember(self, user_trades: dict[str, list[Json]]) -> None:
        """Take over from a venue that ended: its trades, and the books its accounts need."""
        for account, trades in user_trades.items():
            self.user_trades(account).extend(trades)
        for name in self._needed():
            self.watch(name)

    def listing(self, params: Params, name: str = "instrument_name") -> Listing:
        """The instrument asked about, which must be open: 13019 for an expired one, else 13020."""
        wanted = params.text(name)
        found = self.exchange.listings.get(wanted)
        if found is not None:
            return found
        if wanted in self.catalog:
            raise other_reject("combos and spot are listed here, not traded", name)
        if wanted in self.exchange.expired:
            raise orderbook_closed()
        raise not_found("instrument not found", name)

    def terms(self, params: Params, name: str = "instrument_name") -> Listing:
        """The instrument asked about, open or expired; 13020 for any other."""
        try:
            return self.exchange.terms(params.text(name))
        except KeyError:
            raise not_found("instrument not found", name) from None

    def known_name(self, params: Params, *, is_open: bool = False) -> str:
        """The name of the instrument asked about, traded here or not; 13020 for any other.

        With `is_open` an expired one is refused with 13019.
        """
        wanted = params.text("instrument_name")
        if wanted in self.catalog:
            return wanted
        return (self.listing(params) if is_open else self.terms(params)).name

    def shaped(self, order: Order) -> Json:
        return self.triggers.mark(shapes.order(order, self.exchange.terms(order.name)))

    def watch(self, name: str) -> None:
        """Somebody wants this book: from now on the market acts in it, unless it has expired."""
        if name in self.exchange.expired:
            return
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

    def _session(
        self,
        write: Callable[[bytes, str | None], None],
        hang_up: Callable[[], None],
        *,
        is_websocket: bool,
    ) -> Session:
        talk = self._manners.talk()

        def say(payload: bytes, about: str | None) -> None:
            for frame in talk.frames(payload, about):
                write(frame, about)

        session = Session(say, hang_up, is_websocket)
        session.heard_ms = self.now_ms()
        return session

    def _said(self, payload: bytes, about: str | None) -> bytes:
        """The answer to a REST request as it goes out."""
        return next(iter(self._manners.talk().frames(payload, about)))

    def _spend(self, session: Session, pool: Pool) -> None:
        credits = self._strangers
        if session.account is not None:
            found = self._credits.get(session.account)
            if found is None:
                found = Credits(self.rules.rates, self.now_ms())
                self._credits[session.account] = found
            credits = found
        if not credits.take(pool, self.now_ms()):
            raise too_many_requests()

    def _limits(self) -> Json:
        trading = _limit(self.rules.matching)
        return {
            "limits_per_currency": False,
            "non_matching_engine": _limit(self.rules.other),
            "matching_engine": {
                "trading": {"total": trading},
                "spot": trading,
                "cancel_all": _limit(self.rules.cancel_all),
            },
        }

    def _marked_ticker(self, name: str) -> MarketTicker:
        # Somebody holds this, so its mark must follow the market whoever else looks.
        self.watch(name)
        return self.market_ticker(name)

    def _tell_trades(self, prints: Prints) -> None:
        listing = self.exchange.terms(prints.name)
        self.market.note(prints)
        ticker = self.market_ticker(prints.name)
        shaped = [shapes.public_trade(made, listing, ticker) for made in prints.trades]
        self.prints(prints.name).extend(shaped)
        self.charts.note(listing, shaped)
        for channel in self.hub.everything():
            channel.on_trades(listing, shaped)

    def _tell_account(self, change: AccountChange) -> None:
        listing = self.exchange.terms(change.name)
        trades: list[Json] = []
        if change.trades:
            ticker = self.market_ticker(change.name)
            trades = [shapes.user_trade(made, listing, ticker) for made in change.trades]
            self.user_trades(change.account).extend(trades)
        news = AccountNews(
            change.account,
            listing,
            [self.shaped(one) for one in change.orders],
            trades,
            change.delivered,
            lambda: self.position_of(change.account, change.name),
        )
        self._tell(news)

    def _tell(self, news: AccountNews) -> None:
        for channel in self.hub.everything():
            channel.on_account(news)

    def _tell_instrument(self, change: InstrumentChanged) -> None:
        for channel in self.hub.everything():
            channel.on_instrument(change)
        name = change.listing.name
        if change.state is not InstrumentState.CLOSED:
            return
        self.triggers.cancel_in(name)
        if name in self.exchange.expired:
            self.catalog.on_ended(name)
            self.hub.end(name)
            self._watched_ms.pop(name, None)

    def _release_idle(self, now_ms: int) -> None:
        busy = self._needed()
        for name, asked_ms in list(self._watched_ms.items()):
            if name in busy or self.hub.watches(name):
                self._watched_ms[name] = now_ms
            elif now_ms - asked_ms > IDLE_RELEASE_MS:
                del self._watched_ms[name]
                self.market.unwatch(name)

    def _needed(self) -> dict[str, None]:
        """The instruments in which a followed account has an order or a position."""
        needed: dict[str, None] = {}
        for account in self.exchange.accounts.values():
            if not account.followed:
                continue
            needed.update(dict.fromkeys(order.name for order in account.open_orders.values()))
            held = account.positions.items()
            needed.update(dict.fromkeys(name for name, position in held if position.size))
        needed.update(dict.fromkeys(self.triggers.names()))
        return needed

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
        session.write(self._envelope(request_id, {"error": body}, came_us), name)
        self.publish()


def _limit(rate: Rate) -> Json:
    return {"burst": rate.burst, "rate": rate.per_s}


def _nothing() -> None:
    """What follows most replies."""
