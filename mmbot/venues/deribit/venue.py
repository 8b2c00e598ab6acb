"""Deribit for the engine: the client's frames become events, intents become the client's frames.

Nothing is decided here. What the venue says about an order is passed on as it is; what it does not
say (no answer, a broken line) becomes OutcomeUnknown. A request that certainly never left this
process is the one failure that is known: it is reported as refused.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ccxt.base.errors import AuthenticationError, BaseError, NetworkError

from mmbot.core.events import (
    BookChanged,
    BookLost,
    Filled,
    LimitsRead,
    Link,
    LinkAlive,
    LinkChanged,
    MessageLost,
    OrderSeen,
    OrderState,
    OutcomeUnknown,
    Request,
    RequestRefused,
    SnapshotFailed,
    SnapshotTaken,
    TakenBack,
    TickerChanged,
)
from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Resync, TakeBack, VenueIntent
from mmbot.core.orders import REQUEST_DEADLINE_NS
from mmbot.core.state import is_ours
from mmbot.core.types import (
    MS,
    SECOND,
    ZERO,
    Equity,
    Fill,
    Flow,
    FlowKind,
    HeldPosition,
    Instrument,
    InstrumentId,
    Kind,
    Label,
    Liquidity,
    Nanos,
    OpenOrder,
    Right,
    Side,
    TickStep,
)
from mmbot.core.why import Why
from mmbot.engine.clock import Clock
from mmbot.errors import Refused, VenueUnreachable
from mmbot.venues.base import Capabilities, Sink
from mmbot.venues.deribit import orders
from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.limits import Bucket
from mmbot.venues.deribit.requests import Outcome, Reply
from mmbot.venues.deribit.session import Socket

NAME = "deribit"
BOOK_LEVELS = 10
LISTINGS = "instrument.state.any.any"
LISTINGS_SETTLE_S = 2.0
"""News of listings come in bursts; the list itself may be asked for once in ten seconds."""

PROBE_EVERY_S = 1.0
"""A round trip on each link this often: proof that it is alive, and how far it has caught up."""

PROBE_TIMEOUT_S = 1.5
"""A link on which neither the answer nor anything else comes for that long is dead: it is cut, so
that nothing more is trusted to it. With the time between probes that is within 3 s."""

DEAF_FOR_S = 0.2
"""Before a link is cut, what has arrived may be read: perhaps it was this process that slept."""

PRIVATE_SILENCE_S = 5.0
"""The private channel tells of every order placed or moved. If it says nothing at all for that long
after one was, we would not hear of fills either."""

SNAPSHOT_TIMEOUT_S = 5.0
POSITIONS_TRIES_MAX = 3
LOG_PAGE_ROWS = 100

FLOW_ROWS = {
    "settlement": FlowKind.SETTLEMENT,
    "delivery": FlowKind.DELIVERY,
    "transfer": FlowKind.TRANSFER,
    "deposit": FlowKind.TRANSFER,
    "withdrawal": FlowKind.TRANSFER,
}
"""Rows of the transaction log that are not trades, and what they are to us."""

_REQUEST_TIMEOUT_S = 2 * REQUEST_DEADLINE_NS / SECOND
"""The core gives up waiting after one deadline; an answer within two is still heard."""

_log = logging.getLogger(__name__)

_LINKS = {Socket.MARKET: Link.MARKET, Socket.TRADING: Link.TRADING}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_STATES = {
    "open": OrderState.OPEN,
    "untriggered": OrderState.OPEN,
    "filled": OrderState.FILLED,
    "cancelled": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,
}

_CROSSED_CODES = frozenset({11054})
_BUSY_CODES = frozenset({10040, 10041, 10047, 10066, 11051, 13028})
"""The venue takes no orders for a moment: settlement, maintenance, a full queue."""

_GONE_CODES = frozenset({10004, 10010, 11008, 11044, 13666, 13777})
"""The order is filled or cancelled, or another request overtook this one: ask what became of it."""


class DeribitVenue:
    """One Deribit account. `client` is ours to start and close."""

    name = NAME
    caps = Capabilities(amend=True, cancel_on_disconnect=True, label_max_chars=64)

    def __init__(self, client: Deribit, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._sink: Sink = _nowhere
        self._names: dict[str, InstrumentId] = {}
        self._instruments: dict[str, Instrument] = {}
        self._currencies: dict[InstrumentId, str] = {}
        self._known: set[str] = set()
        self._terms: dict[str, Instrument] = {}
        """Of everything listed, followed or not."""
        self._reload: asyncio.Task[None] | None = None
        self._told_ns: Nanos = 0
        """When the private channel last said something ..."""
        self._untold_ns: Nanos = 0
        """... and when the first request was sent of which it has not told; 0: there is none."""
        self.on_listed: Callable[[list[Instrument]], None] | None = None
        """Called with everything listed when the venue lists something new."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return str(self._client.urls["api"]["rest"])

    # --- coming and going ---

    async def open(self) -> list[Instrument]:
        """Everything listed."""
        try:
            await self._client.load_markets()
        except BaseError as error:
            raise VenueUnreachable(f"{NAME} does not answer: {_first_line(error)}") from error
        return self._listed()

    async def venue_ms(self) -> int:
        """The venue's clock. Raises VenueUnreachable."""
        try:
            return int(await self._client.fetch_time())
        except BaseError as error:
            raise VenueUnreachable(f"{NAME} does not answer: {_first_line(error)}") from error

    async def account(self) -> str:
        """The account our credentials open, by the venue's name for it. Raises VenueUnreachable."""
        try:
            response = await self._client.privateGetGetAccountSummaries({"extended": True})
        except AuthenticationError as error:
            raise VenueUnreachable(_refused_credentials(error)) from error
        except BaseError as error:
            raise VenueUnreachable(f"{NAME} does not answer: {_first_line(error)}") from error
        return str(response["result"]["system_name"])

    async def connect(self, sink: Sink, instruments: Sequence[Instrument]) -> None:
        """Log in, subscribe, and let events flow."""
        client = self._client
        self._sink = sink
        self._follow(instruments)
        client.on_book = self._on_book
        client.on_ticker = self._on_ticker
        client.on_user = self._on_user
        client.on_link = self._on_link
        client.on_late_reply = self._on_late_reply
        client.on_channel = self._on_channel
        client.on_unreadable = self._on_unreadable
        market = [*self._channels(instruments), LISTINGS]
        try:
            await client.start(
                (Socket.MARKET, Socket.TRADING),
                {Socket.MARKET: market, Socket.TRADING: ["user.changes.any.any.raw"]},
            )
        except AuthenticationError as error:
            raise VenueUnreachable(_refused_credentials(error)) from error
        except BaseError as error:
            raise VenueUnreachable(f"{NAME}: cannot connect: {_first_line(error)}") from error
        if not client.cod_enabled:
            raise Refused(f"{NAME} did not confirm cancel-on-disconnect: not safe to quote")
        self._start(self._probe())

    def follow(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to further instruments; their events follow."""
        self._follow(instruments)
        self._start(self._subscribe(self._channels(instruments)))

    async def _subscribe(self, channels: list[str]) -> None:
        try:
            await self._client.subscribe(Socket.MARKET, channels)
        except BaseError as error:
            _log.warning("%s: %s", NAME, _first_line(error))

    def _follow(self, instruments: Sequence[Instrument]) -> None:
        self._names |= {i.name: i.id for i in instruments}
        self._instruments |= {i.name: i for i in instruments}
        self._currencies |= {i.id: i.settlement for i in instruments}

    def _channels(self, instruments: Sequence[Instrument]) -> list[str]:
        interval = self._client.interval
        return [
            f"{kind}.{instrument.name}.{interval}"
            for kind in ("book", "ticker")
            for instrument in instruments
        ]

    async def close(self) -> None:
        """Close every connection. What happens from here on is nobody's news."""
        self._sink = _nowhere
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _probe(self) -> None:
        while True:
            for socket in Socket:
                if self._client.up(socket):
                    self._ask_alive(socket)
            if self._untold_ns and self._since_s(self._untold_ns) > PRIVATE_SILENCE_S:
                self._client.cut(Socket.TRADING, "the private channel does not tell of our orders")
            await self._clock.sleep(PROBE_EVERY_S)

    def _ask_alive(self, socket: Socket) -> None:
        asked_ns = self._clock.now_ns()

        def done(reply: Reply) -> None:
            if reply.outcome is not Outcome.UNKNOWN:
                venue_ns = None if reply.out_us is None else reply.out_us * 1000
                now_ns = self._clock.now_ns()
                self._sink(LinkAlive(NAME, _LINKS[socket], asked_ns, now_ns, venue_ns))
            elif self._client.up(socket):
                self._start(self._cut_if_silent(socket))

        self._client.send(socket, "public/test", {}, done, PROBE_TIMEOUT_S)

    def _since_s(self, moment_ns: Nanos) -> float:
        return (self._clock.now_ns() - moment_ns) / SECOND

    async def _cut_if_silent(self, socket: Socket) -> None:
        await self._clock.sleep(DEAF_FOR_S)
        silent_s = self._client.silent_for(socket)
        if silent_s > PROBE_TIMEOUT_S:
            self._client.cut(socket, f"nothing heard for {silent_s:.1f} s")

    # --- frames to events ---

    def _on_link(self, socket: Socket, up: bool, why: str) -> None:
        if socket is Socket.TRADING:
            self._untold_ns = 0
        if up and socket is Socket.TRADING:
            limit = self._client.rate_limits.matching
            self._sink(LimitsRead(NAME, limit.rate, limit.burst))
        self._sink(LinkChanged(NAME, _LINKS[socket], up, why))
        if up:
            self._ask_alive(socket)

    def _on_book(self, book: Book) -> None:
        instrument = self._names.get(book.name)
        if instrument is None:
            return
        if not book.valid:
            self._sink(BookLost(instrument, Why.BOOK_GAPPED))
            return
        bids, asks = book.top(BOOK_LEVELS)
        self._sink(BookChanged(instrument, bids, asks, book.timestamp_ms, self._clock.now_ns()))

    def _on_ticker(self, name: str, data: dict[str, Any]) -> None:
        instrument = self._names.get(name)
        if instrument is None:
            return
        iv = data.get("mark_iv")
        greeks = data.get("greeks")
        self._sink(
            TickerChanged(
                instrument=instrument,
                mark=data["mark_price"],
                index=data["index_price"],
                forward=data.get("underlying_price"),
                mark_iv=iv / 100.0 if iv is not None else None,
                delta=greeks["delta"] if greeks else None,
                min_price=data.get("min_price"),
                max_price=data.get("max_price"),
                received_ns=self._clock.now_ns(),
            )
        )

    def _on_user(self, channel: str, data: Any) -> None:
        if not channel.startswith("user.changes."):
            return
        self._told_ns, self._untold_ns = self._clock.now_ns(), 0
        for trade in data.get("trades") or ():
            self._sink(Filled(fill_of(trade)))
        for order in data.get("orders") or ():
            self._sink(seen_of(order, None))

    def _on_unreadable(self, socket: Socket) -> None:
        """On MARKET a book has a gap now, and says so itself."""
        if socket is Socket.TRADING:
            self._sink(MessageLost(NAME))

    def _on_channel(self, channel: str, data: Any) -> None:
        """Something was listed: look at the whole list once the news stop coming."""
        if channel != LISTINGS or data["state"] not in ("created", "started"):
            return
        if data["instrument_name"] not in self._known and self._reload is None:
            self._reload = self._start(self._look_at_listings())

    async def _look_at_listings(self) -> None:
        try:
            await self._clock.sleep(LISTINGS_SETTLE_S)
            self._reload = None
            await self._client.load_markets(True)
        except BaseError as error:
            _log.warning("%s: the new listings could not be read: %s", NAME, _first_line(error))
            return
        if self.on_listed is not None:
            self.on_listed(self._listed())

    def _listed(self) -> list[Instrument]:
        listed = [instrument_of(m["info"], m["symbol"]) for m in self._client.markets.values()]
        self._known = {m["info"]["instrument_name"] for m in self._client.markets.values()}
        found = [instrument for instrument in listed if instrument is not None]
        self._terms = {instrument.name: instrument for instrument in found}
        return found

    def _on_late_reply(self, reply: Reply) -> None:
        """The answer came after we stopped waiting: still the venue's word about the order."""
        result = reply.result
        if isinstance(result, dict):
            order = result.get("order", result)
            if "order_id" in order and "order_state" in order:
                self._sink(seen_of(order, None))

    # --- intents to frames ---

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        """Write every frame now; nothing is awaited."""
        for intent in intents:
            match intent:
                case Place():
                    self._place(intent)
                case Amend():
                    self._amend(intent)
                case Cancel():
                    call = orders.cancel(intent.order_id)
                    self._request(call, intent.label, Request.CANCEL)
                case CancelAll():
                    self._cancel_all(intent)
                case Resync():
                    if self._client.up(Socket.MARKET):
                        self._ask_alive(Socket.MARKET)
                    self._start(self._snapshot(intent))
                case TakeBack():
                    self._start(self._take_back())

    def _place(self, intent: Place) -> None:
        call = orders.place(
            intent.side,
            _name(intent.instrument),
            intent.amount,
            intent.price,
            label=intent.label,
            post_only=intent.post_only,
            reduce_only=intent.reduce_only,
            valid_until_ms=intent.valid_until_ns // MS,
        )
        self._request(call, intent.label, Request.PLACE)

    def _amend(self, intent: Amend) -> None:
        call = orders.amend(
            intent.order_id,
            intent.amount,
            intent.price,
            post_only=intent.post_only,
            valid_until_ms=intent.valid_until_ns // MS,
        )
        self._request(call, intent.label, Request.AMEND)

    def _request(self, call: orders.Call, label: Label, request: Request) -> None:
        sent_ns = self._clock.now_ns()

        def done(reply: Reply) -> None:
            self._answered(reply, label, request)
            if reply.outcome is Outcome.OK and self._told_ns < sent_ns:
                self._untold_ns = self._untold_ns or sent_ns

        method, params = call
        self._client.send(Socket.TRADING, method, params, done, _REQUEST_TIMEOUT_S)

    def _answered(self, reply: Reply, label: Label, request: Request) -> None:
        if reply.outcome is Outcome.OK:
            result = reply.result
            for trade in result.get("trades") or ():
                self._sink(Filled(fill_of(trade)))
            self._sink(seen_of(result.get("order", result), request))
        elif reply.outcome is Outcome.REFUSED:
            assert reply.error is not None
            self._sink(refusal_of(reply.error.code, str(reply.error), label, request))
        elif not reply.sent:
            stands = request is not Request.PLACE
            self._sink(RequestRefused(label, request, Why.LINK_DOWN, reply.why, stands))
        else:
            self._sink(OutcomeUnknown(label, request, Why.REPLY_LOST))

    def _cancel_all(self, intent: CancelAll) -> None:
        method, params = "private/cancel_all", dict[str, Any]()
        if intent.instrument is not None:
            method = "private/cancel_all_by_instrument"
            params = {"instrument_name": _name(intent.instrument)}

        def done(reply: Reply) -> None:
            # The orders' own messages say what became of them; without an answer, nobody has.
            if reply.outcome is not Outcome.OK:
                for label in intent.labels:
                    self._sink(OutcomeUnknown(label, Request.CANCEL, Why.REPLY_LOST))

        self._client.send(Socket.TRADING, method, params, done, _REQUEST_TIMEOUT_S)

    # --- asking the venue for its word ---

    async def _snapshot(self, intent: Resync) -> None:
        asked_ns = self._clock.now_ns()
        try:
            self._sink(await self._take_snapshot(intent, asked_ns))
        except BaseError as error:
            self._sink(SnapshotFailed(NAME, _first_line(error)))
        except Exception as error:  # a shape we do not know: say so, and let the core ask again
            _log.exception("a snapshot could not be read")
            self._sink(SnapshotFailed(NAME, f"{type(error).__name__}: {error}"))

    async def _take_snapshot(self, intent: Resync, asked_ns: Nanos) -> SnapshotTaken:
        stated = await self._rpc("private/get_open_orders", {})
        listed = {order.get("label") for order in stated}
        lookups = [
            (label, await self._look_up(instrument, label))
            for instrument, label in intent.labels
            if label not in listed  # what the list says of it is the venue's word already
        ]
        summaries = await self._rpc("private/get_account_summaries", {})
        # Positions last: the less happens after them, the better they go with our fills.
        positions = await self._rpc("private/get_positions", {"currency": "any"})
        for _ in range(POSITIONS_TRIES_MAX):
            fills = await self._fills(intent.fills_since_ms)
            flows = await self._flows(intent.flows_since_ms)
            again = await self._rpc("private/get_positions", {"currency": "any"})
            if _sizes(again) == _sizes(positions):
                break
            positions = again  # a fill came in between: trades and positions must agree
        return SnapshotTaken(
            venue=NAME,
            asked_ns=asked_ns,
            orders=tuple(open_order_of(o) for o in stated),
            positions=tuple(map(self._position, positions)),
            fills=tuple(fills),
            flows=tuple(flows),
            lookups=tuple(lookups),
            equity=tuple(
                Equity(
                    s["currency"],
                    _decimal(s["equity"]),
                    _decimal(s["balance"]),
                    _decimal(s.get("maintenance_margin") or 0),
                )
                for s in summaries["summaries"]
            ),
        )

    def _position(self, stated: dict[str, Any]) -> HeldPosition:
        name = stated["instrument_name"]
        return position_of(stated, None if name in self._names else self._terms.get(name))

    async def _fills(self, since_ms: int) -> list[Fill]:
        currencies = sorted(dict.fromkeys(self._currencies.values()))
        trades = await self._client.fetch_fills(since_ms, currencies)
        return [fill_of(trade["info"]) for trade in trades]

    async def _flows(self, since_ms: int | None) -> list[Flow]:
        if since_ms is None:
            return []
        currencies = sorted(dict.fromkeys(self._currencies.values()))
        asked = [
            self._log_rows(currency, query, since_ms)
            for currency in currencies
            for query in FLOW_ROWS
        ]
        answers = await asyncio.gather(*asked)
        flows = [flow for rows in answers for row in rows for flow in self._flows_of(row)]
        return sorted(flows, key=lambda flow: flow.venue_ms)

    async def _log_rows(self, currency: str, query: str, since_ms: int) -> list[dict[str, Any]]:
        """Every row of the transaction log of one type, over all pages."""
        params: dict[str, Any] = {
            "currency": currency,
            "query": query,
            "start_timestamp": since_ms,
            "end_timestamp": self._clock.now_ms() + 1000,
            "count": LOG_PAGE_ROWS,
        }
        rows: list[dict[str, Any]] = []
        while True:
            page = await self._rpc("private/get_transaction_log", params)
            rows += [row for row in page["logs"] if row["type"] == query]
            if not page.get("continuation"):
                return rows
            params = {**params, "continuation": page["continuation"]}

    def _flows_of(self, row: dict[str, Any]) -> Iterator[Flow]:
        """What a row moved of ours without a trade; a session's end is two: profit and funding."""
        name = row.get("instrument_name")
        instrument = self._instruments.get(name) if name else None
        kind = FLOW_ROWS[row["type"]]
        if kind is not FlowKind.TRANSFER and instrument is None:
            return  # not one that we trade
        price, money = None, _decimal(row["change"])
        if kind is FlowKind.DELIVERY:
            assert instrument is not None
            price = instrument.payoff(_decimal(row["index_price"]))
        flow = Flow(
            ref=str(row["id"]),
            kind=kind,
            instrument=instrument.id if instrument is not None else None,
            currency=row["currency"],
            money=money,
            venue_ms=int(row["timestamp"]),
            price=price,
            fee=_decimal(row["commission"]) if kind is FlowKind.DELIVERY else ZERO,
            index=_decimal(row["index_price"]) if row.get("index_price") else None,
        )
        if kind is not FlowKind.SETTLEMENT:
            yield flow
            return
        funding = _decimal(row.get("interest_pl") or 0)
        if funding:
            yield replace(flow, kind=FlowKind.FUNDING, money=funding)
        if money != funding:
            yield replace(flow, money=money - funding)

    async def _look_up(self, instrument: InstrumentId, label: Label) -> OrderSeen | None:
        currency = self._currencies.get(instrument)
        if currency is None:
            return None
        params = {"currency": currency, "label": label}
        found = await self._rpc("private/get_order_state_by_label", params)
        statements = found if isinstance(found, list) else [found]
        newest = max(statements, key=lambda o: o["last_update_timestamp"], default=None)
        return seen_of(newest, None) if newest is not None else None

    async def _rpc(self, method: str, params: dict[str, Any]) -> Any:
        return await self._client.rpc(Socket.TRADING, method, params, SNAPSHOT_TIMEOUT_S)

    async def cancel_ours(self) -> list[OpenOrder]:
        """Cancel every order of ours over REST: all at once where nothing else is open, else one by
        one; what the venue still lists of ours then."""
        try:
            stated = await self._open_orders()
            ours = _ours(stated)
            if ours and len(ours) == len(stated):
                await self._client.privateGetCancelAll({})
            else:
                await self._cancel_each(ours)
            return _ours(await self._open_orders())
        except BaseError as error:
            raise VenueUnreachable(f"{NAME} does not answer: {_first_line(error)}") from error

    async def _cancel_each(self, orders: Sequence[OpenOrder]) -> None:
        bucket = Bucket(self._client.rate_limits.matching, self._clock.monotonic_s())
        for order in orders:
            while wait_s := bucket.take(self._clock.monotonic_s()):
                await self._clock.sleep(wait_s)
            try:
                await self._client.privateGetCancel({"order_id": order.order_id})
            except NetworkError:
                raise
            except BaseError:
                continue  # gone already, or still listed when we look again

    async def _open_orders(self) -> list[OpenOrder]:
        response = await self._client.privateGetGetOpenOrders({})
        return [open_order_of(order) for order in response["result"]]

    async def _take_back(self) -> None:
        asked_ns = self._clock.now_ns()
        try:
            left = tuple(await self.cancel_ours())
        except VenueUnreachable as error:
            _log.warning("%s", error)
            self._sink(TakenBack(NAME, asked_ns, None))
        else:
            self._sink(TakenBack(NAME, asked_ns, left))


# --- the venue's words ------------------------------------------------------------------------


def instrument_of(info: dict[str, Any], symbol: str) -> Instrument | None:
    """One entry of public/get_instruments; None for kinds mmbot does not trade."""
    kind = info["kind"]
    if kind not in ("option", "future"):
        return None
    perpetual = info.get("settlement_period") == "perpetual"
    inverse = info.get("instrument_type", "reversed") == "reversed"
    name = info["instrument_name"]
    return Instrument(
        id=InstrumentId(f"{NAME}:{name}"),
        venue=NAME,
        name=name,
        symbol=symbol,
        kind=Kind.OPTION if kind == "option" else Kind.PERPETUAL if perpetual else Kind.FUTURE,
        underlying=info["base_currency"],
        settlement=info.get("settlement_currency") or info["base_currency"],
        inverse=inverse,
        contract_size=_decimal(info["contract_size"]),
        min_amount=_decimal(info["min_trade_amount"]),
        amount_step=_decimal(info["min_trade_amount"]),
        tick=_decimal(info["tick_size"]),
        tick_steps=tuple(
            sorted(
                (
                    TickStep(_decimal(step["above_price"]), _decimal(step["tick_size"]))
                    for step in info.get("tick_size_steps") or ()
                ),
                key=lambda step: step.above,
            )
        ),
        maker_fee=_decimal(info["maker_commission"]),
        taker_fee=_decimal(info["taker_commission"]),
        strike=_decimal(info["strike"]) if kind == "option" else None,
        right=Right(info["option_type"]) if kind == "option" else None,
        expiry_ns=None if perpetual else int(info["expiration_timestamp"]) * MS,
    )


def seen_of(order: dict[str, Any], answers: Request | None) -> OrderSeen:
    """The venue's statement about one order."""
    return OrderSeen(
        venue=NAME,
        label=Label(order["label"]) if order.get("label") else None,
        order_id=order["order_id"],
        instrument=_id(order["instrument_name"]),
        side=_SIDES[order["direction"]],
        price=_price(order["price"]),
        amount=_decimal(order["amount"]),
        filled=_decimal(order["filled_amount"]),
        state=_STATES.get(order["order_state"], OrderState.OPEN),
        venue_ms=int(order["last_update_timestamp"]),
        answers=answers,
    )


def open_order_of(order: dict[str, Any]) -> OpenOrder:
    """One entry of private/get_open_orders."""
    return OpenOrder(
        order_id=order["order_id"],
        label=Label(order["label"]) if order.get("label") else None,
        instrument=_id(order["instrument_name"]),
        side=_SIDES[order["direction"]],
        price=_price(order["price"]),
        amount=_decimal(order["amount"]),
        filled=_decimal(order["filled_amount"]),
        venue_ms=int(order["last_update_timestamp"]),
    )


def fill_of(trade: dict[str, Any]) -> Fill:
    """One user trade. The fee is positive when paid, in the venue's own currency for it."""
    mark, index = trade.get("mark_price"), trade.get("index_price")
    return Fill(
        trade_id=str(trade["trade_id"]),
        instrument=_id(trade["instrument_name"]),
        side=_SIDES[trade["direction"]],
        price=_decimal(trade["price"]),
        amount=_decimal(trade["amount"]),
        fee=_decimal(trade["fee"]),
        fee_currency=trade["fee_currency"],
        liquidity=Liquidity.TAKER if trade.get("liquidity") == "T" else Liquidity.MAKER,
        order_id=trade["order_id"],
        label=Label(trade["label"]) if trade.get("label") else None,
        venue_ms=int(trade["timestamp"]),
        mark=_decimal(mark) if mark else None,
        index=_decimal(index) if index else None,
    )


def position_of(position: dict[str, Any], terms: Instrument | None = None) -> HeldPosition:
    """One entry of private/get_positions: signed size, USD for inverse futures, else coin.

    `terms`: of an instrument that is not followed.
    """
    mark = position.get("mark_price")
    return HeldPosition(
        instrument=_id(position["instrument_name"]),
        amount=_decimal(position["size"]),
        mark=_decimal(mark) if mark else None,
        funding=_decimal(position.get("realized_funding") or 0),
        terms=terms,
    )


def refusal_of(code: int, detail: str, label: Label, request: Request) -> RequestRefused:
    """An error answer to an order request.

    A refused place left nothing behind. A refused amend or cancel left the order as it was, unless
    the code says that it is gone, or the amend met the book: Deribit then may have cancelled it
    (cancel_reason edit_post_only_reject).
    """
    if code in _CROSSED_CODES:
        why, stands = Why.CROSSED_BOOK, None
    elif code in _GONE_CODES:
        why, stands = Why.ABSENT, None
    else:
        why, stands = Why.VENUE_BUSY if code in _BUSY_CODES else Why.REFUSED, True
    if request is Request.PLACE:
        stands = False
    return RequestRefused(label, request, why, detail, stands)


def _id(name: str) -> InstrumentId:
    return InstrumentId(f"{NAME}:{name}")


def _name(instrument: InstrumentId) -> str:
    return instrument.removeprefix(f"{NAME}:")


def _decimal(value: Any) -> Decimal:
    """The venue's number, digit for digit: floats through their shortest text."""
    return Decimal(value) if isinstance(value, str) else Decimal(repr(value))


def _price(value: Any) -> Decimal:
    """An order's price; market orders state a word instead."""
    return ZERO if value == "market_price" else _decimal(value)


def _ours(stated: Sequence[OpenOrder]) -> list[OpenOrder]:
    return [order for order in stated if is_ours(order.label)]


def _sizes(positions: list[dict[str, Any]]) -> dict[str, Any]:
    return {p["instrument_name"]: p["size"] for p in positions}


def _refused_credentials(error: BaseException) -> str:
    return f"{NAME} refuses the credentials ({_first_line(error)}): check key and secret"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__


def _nowhere(event: object) -> None:
    """Before connect nobody listens."""
