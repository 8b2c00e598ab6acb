"""The venue's side of the line: an exchange with a market in it, sessions, and request credits.

Theory of operation
-------------------
1. A question is carried out whole at the moment it arrives, and what it did is published: order and
   trade messages to the trading sessions, book and ticker messages to the market sessions.
2. A session ends when the line breaks, when the venue restarts, or when there were too many
   requests. With it go the orders it placed (cancel-on-disconnect), unless that is ignored.
3. Time here is the venue's own: desk time plus the clock's error.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.intents import Amend, Cancel, CancelAll, Place
from mmbot.core.order_life import Request
from mmbot.core.statements import Equity, Fill, Flow, HeldPosition, OpenOrder
from mmbot.core.types import MS, SECOND, ZERO, Label, Nanos
from mmbot.core.why import Why
from mmbot.sim.exchange.effects import AccountChange, BookDelta, Effect, TradeConcluded
from mmbot.sim.exchange.listing import Kind, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason, Order, TimeInForce
from mmbot.sim.exchange.refusals import Refusal
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from mmbot.sim.market.market import Market
from mmbot.sim.models.credits import Bucket, Rate
from mmbot.sim.virtual.faults import FaultInjector
from mmbot.sim.virtual.messages import (
    AccountMessage,
    Answer,
    BookMessage,
    OrderRequest,
    Session,
    TickerMessage,
)
from mmbot.sim.virtual.timeline import Timeline
from mmbot.sim.virtual.translate import (
    SIDES,
    fill_at,
    flow_of,
    id_of,
    is_our_order,
    name_of,
    open_order_of,
    refusal_of,
    seen_of,
)

ACCOUNT: Final = "bot"
BOOK_LEVELS: Final = 10
GREEKS_EVERY_NS: Nanos = 2 * SECOND


class VirtualVenue:
    """One exchange, one market, one account of ours on it."""

    def __init__(
        self,
        timeline: Timeline,
        exchange: Exchange,
        market: Market,
        instruments: Sequence[Instrument],
        trouble: FaultInjector,
        rate: Rate,
    ) -> None:
        self.exchange = exchange
        self.market = market
        self.instruments = {instrument.name: instrument for instrument in instruments}
        self.away_until_ns: Nanos = 0
        """Until then nobody can connect ..."""
        self.down_until_ns: Nanos = 0
        """... and the venue does nothing at all."""
        self.on_rest: Callable[[OrderRequest], None] = lambda _request: None
        """Sees every request that is about to be carried out beside the line."""
        self.observe: Callable[[Effect], None] = lambda _effect: None
        """Sees everything the exchange does."""
        self.counts: Counter[str] = Counter()
        """Requests to the matching engine by kind, and those refused, by code."""
        self._timeline = timeline
        self._trouble = trouble
        self._rate = rate
        self._bucket = Bucket(rate, self.ms)
        self._sessions: dict[Session, None] = {}
        self._numbers = 0
        self._stopped: dict[str, Nanos] = {}
        self._sent_changes: dict[str, int] = {}
        self._tickers: dict[str, tuple[object, ...]] = {}
        self._greeks: dict[str, tuple[Nanos, float | None, float | None]] = {}

    @property
    def ms(self) -> int:
        """The venue's clock."""
        skew_ns = int(self._trouble.plan.clock_skew_s * SECOND)
        return (self._timeline.now_ns + skew_ns) // MS

    @property
    def reachable(self) -> bool:
        """Whether somebody who dials gets through."""
        return self._timeline.now_ns >= max(self.away_until_ns, self.down_until_ns)

    @property
    def down(self) -> bool:
        """Whether it is restarting."""
        return self._timeline.now_ns < self.down_until_ns

    @property
    def account_orders(self) -> list[Order]:
        """Every open order of the account, foreign ones included."""
        return list(self.exchange.accounts[ACCOUNT].open_orders.values())

    @property
    def our_orders(self) -> list[Order]:
        """Every open order with a label of ours."""
        return [order for order in self.account_orders if is_our_order(order)]

    # --- sessions ---

    def enter(self, session: Session) -> None:
        """Sign in, switch cancel-on-disconnect on, subscribe: what there is is sent at once."""
        self._numbers += 1
        session.number, session.entered = self._numbers, True
        self._sessions[session] = None
        if session.link is ev.Link.MARKET:
            for name in self.instruments:
                self.send_book(session, name)
                session.tell(self._ticker(name))

    def close(self, session: Session, *, cancels: bool = True) -> None:
        """The venue notices that a connection is over."""
        if session.closed:
            return
        session.closed = True
        self._sessions.pop(session, None)
        if not cancels or not session.orders:
            return
        if self._trouble.strikes("ignored_cod"):
            return
        for order_id in session.orders:
            if order_id in self.exchange.orders:
                self.exchange.cancel(ACCOUNT, order_id, self.ms, CancelReason.DISCONNECT)
        self.publish()

    def restart(self, away_ns: Nanos, *, with_orders: bool, forgetful: bool) -> None:
        """Away for a while, sessions and credits gone; `forgetful`: it does not know any more that
        the orders it lost ever were."""
        for session in list(self._sessions):
            self.close(session, cancels=False)
            session.hang_up()
        self._bucket = Bucket(self._rate, self.ms)
        if not with_orders:
            account = self.exchange.accounts[ACCOUNT]
            for order_id in list(account.open_orders):
                self.exchange.cancel(ACCOUNT, order_id, self.ms, CancelReason.DISCONNECT)
                if forgetful:
                    del account.closed_orders[order_id]
                    account.closed_ids.remove(order_id)
        self.publish()
        self.down_until_ns = self._timeline.now_ns + away_ns

    # --- orders ---

    def spend(self) -> bool:
        """Take a request credit; False when there is none left."""
        return self._bucket.take(self.ms)

    def carry_out(self, session: Session | None, request: OrderRequest) -> Answer:
        """One order request, now. Not published yet."""
        self.counts[type(request).__name__] += 1
        match request:
            case Place():
                return self._place(session, request)
            case Amend():
                return self._amend(request)
            case Cancel():
                done = self.exchange.cancel(ACCOUNT, request.order_id, self.ms)
                if isinstance(done, Refusal):
                    return self._refused(done, request.label, Request.CANCEL)
                return Answer(said=(seen_of(done, Request.CANCEL),))
            case CancelAll():
                name = name_of(request.instrument) if request.instrument is not None else None
                count = self.exchange.cancel_all(ACCOUNT, self.ms, name=name)
                if isinstance(count, Refusal):
                    # The adapter hears of no answer that it could pin on one order.
                    return self.unknown(request)
                return Answer()

    def carry_out_over_rest(self, request: Cancel | CancelAll) -> None:
        """The same over a connection of its own, for what needs no answer: the next look tells."""
        if self.spend():
            self.on_rest(request)
            self.carry_out(None, request)

    def unknown(self, mass: CancelAll) -> Answer:
        """What the adapter says when a mass cancel was not carried out."""
        cancel, why = Request.CANCEL, Why.REPLY_LOST
        return Answer(said=tuple(ev.OutcomeUnknown(name, cancel, why) for name in mass.labels))

    def _place(self, session: Session | None, place: Place) -> Answer:
        wish = NewOrder(
            name=name_of(place.instrument),
            side=SIDES[place.side],
            amount=place.amount,
            price=place.price,
            label=place.label,
            post_only=place.post_only,
            reject_post_only=place.post_only,
            reduce_only=place.reduce_only,
            valid_until_ms=place.valid_until_ns // MS,
            time_in_force=TimeInForce[place.time_in_force.name],
        )
        placed = self.exchange.place(ACCOUNT, wish, self.ms)
        if isinstance(placed, Refusal):
            return self._refused(placed, place.label, Request.PLACE)
        if session is not None and not session.closed:
            session.orders[placed.order.order_id] = None
        return self._placed(placed, Request.PLACE)

    def _amend(self, amend: Amend) -> Answer:
        edit = Edit(
            order_id=amend.order_id,
            amount=amend.amount,
            price=amend.price,
            post_only=amend.post_only,
            reject_post_only=amend.post_only,
            valid_until_ms=amend.valid_until_ns // MS,
        )
        placed = self.exchange.edit(ACCOUNT, edit, self.ms)
        if isinstance(placed, Refusal):
            return self._refused(placed, amend.label, Request.AMEND)
        return self._placed(placed, Request.AMEND)

    def _placed(self, placed: Placed, request: Request) -> Answer:
        fills = tuple(fill_at(self.exchange, made) for made in placed.trades)
        return Answer(fills, (seen_of(placed.order, request),))

    def _refused(self, refusal: Refusal, label: Label, request: Request) -> Answer:
        self.counts[f"{refusal.code.number} {refusal.code.message}"] += 1
        return Answer(said=(refusal_of(refusal, label, request),))

    # --- questions ---

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Every open order of the account."""
        return tuple(open_order_of(order) for order in self.account_orders)

    def look_up(self, label: Label) -> ev.OrderSeen | None:
        """The newest statement about a label; None where it is not known."""
        account = self.exchange.accounts[ACCOUNT]
        known = [
            order
            for orders in (account.open_orders, account.closed_orders)
            for order in orders.values()
            if order.label == label
        ]
        newest = max(known, key=lambda order: order.updated_ms, default=None)
        return seen_of(newest, None) if newest is not None else None

    def equity(self) -> tuple[Equity, ...]:
        """The account in every currency."""
        stated = []
        for currency in self.exchange.currencies:
            equity = self.exchange.equity(ACCOUNT, currency)
            cash = self.exchange.accounts[ACCOUNT].cash.get(currency, ZERO)
            maintenance = self.exchange.margin_of(ACCOUNT, currency).maintenance
            stated.append(Equity(currency, equity, cash, Decimal(repr(maintenance))))
        return tuple(stated)

    def positions(self) -> tuple[HeldPosition, ...]:
        """Every position of the account."""
        return tuple(
            HeldPosition(
                id_of(name),
                held.size,
                self.exchange.book(name).mark or None,
                self._funding(name, held.listing.kind),
            )
            for name, held in self.exchange.accounts[ACCOUNT].positions.items()
        )

    def _funding(self, name: str, kind: Kind) -> Decimal:
        if kind is Kind.OPTION:
            return ZERO
        return Decimal(repr(float(self.exchange.funding_of(ACCOUNT, name))))

    def fills(self, since_ms: int) -> tuple[Fill, ...]:
        """The account's trades from a moment on, oldest first."""
        trades = self.exchange.accounts[ACCOUNT].trades
        return tuple(
            fill_at(self.exchange, made) for made in trades if made.public.time_ms >= since_ms
        )

    def flows(self, since_ms: int) -> tuple[Flow, ...]:
        """What moved money without a trade, from a moment on, oldest first."""
        found = []
        for entry in self.exchange.accounts[ACCOUNT].log:
            instrument = self.instruments.get(entry.name)
            if entry.time_ms >= since_ms and instrument is not None:
                flow = flow_of(entry, instrument)
                if flow is not None:
                    found.append(flow)
        return tuple(found)

    def cancel_ours(self) -> None:
        """Every order of ours cancelled on the spot, as far as the credits reach."""
        for order in self.our_orders:
            if self.spend():
                self.exchange.cancel(ACCOUNT, order.order_id, self.ms)
        self.publish()

    # --- what it tells ---

    def advance(self) -> None:
        """The market moves up to now, and everybody hears of it."""
        if self.down:
            return
        self.market.advance(self.ms)
        self.exchange.conclude(self.ms)
        self.publish()
        listeners = [s for s in self._sessions if s.link is ev.Link.MARKET]
        for name in self.instruments:
            message = self._ticker(name)
            said = (message.mark, message.index, message.forward, message.min_price)
            if self._tickers.get(name) != said:
                self._tickers[name] = said
                for session in listeners:
                    session.tell(message)

    def stop_book(self, name: str, for_ns: Nanos) -> None:
        """Send no change of a book for a while."""
        self._stopped[name] = self._timeline.now_ns + for_ns

    def publish(self) -> None:
        """Tell whoever listens what the exchange has done since the last time."""
        changed: dict[str, int] = {}
        for effect in self.exchange.drain():
            self.observe(effect)
            if isinstance(effect, BookDelta):
                changed.setdefault(effect.name, effect.prev_change_id)
            elif isinstance(effect, AccountChange):
                self._tell_account(effect)
            elif isinstance(effect, TradeConcluded):
                orders = [effect.order] if effect.order is not None else []
                said = AccountChange(
                    effect.account, effect.trade.public.name, effect.time_ms, orders, [effect.trade]
                )
                self._tell_account(said)
        listeners = [s for s in self._sessions if s.link is ev.Link.MARKET]
        if not listeners:
            return
        for name in changed:
            if name in self.instruments:
                self._tell_book(name, listeners)

    def _tell_account(self, change: AccountChange) -> None:
        if change.account != ACCOUNT:
            return
        message = AccountMessage(
            tuple(fill_at(self.exchange, made) for made in change.trades),
            tuple(seen_of(order, None) for order in change.orders),
        )
        for session in list(self._sessions):
            if session.link is ev.Link.TRADING:
                session.tell(message)

    def _tell_book(self, name: str, listeners: list[Session]) -> None:
        if self._timeline.now_ns < self._stopped.get(name, 0):
            return
        book = self.exchange.book(name)
        previous = self._sent_changes.get(name, 0)
        self._sent_changes[name] = book.change_id
        if self._trouble.strikes("book_gap"):
            return
        message = self._book(name, previous)
        for session in listeners:
            session.tell(message)

    def send_book(self, session: Session, name: str) -> None:
        """A whole book to one session: the next change stands on it."""
        if self._timeline.now_ns < self._stopped.get(name, 0):
            # A channel that stands still shows what it showed last: nobody can tell.
            return
        self._sent_changes[name] = self.exchange.book(name).change_id
        session.tell(self._book(name, None))

    def _book(self, name: str, previous: int | None) -> BookMessage:
        book = self.exchange.book(name)
        return BookMessage(
            name,
            previous,
            book.change_id,
            self.ms,
            tuple([(float(p), float(a)) for p, a in book.depth(Side.BUY, BOOK_LEVELS)]),
            tuple([(float(p), float(a)) for p, a in book.depth(Side.SELL, BOOK_LEVELS)]),
        )

    def _ticker(self, name: str) -> TickerMessage:
        book = self.exchange.book(name)
        option = book.listing.kind is Kind.OPTION
        iv, delta = self._values(name) if option else (None, None)
        return TickerMessage(
            name,
            float(book.mark),
            float(book.index),
            float(book.underlying) if option else None,
            iv,
            delta,
            float(book.min_price) if book.min_price is not None else None,
            float(book.max_price) if book.max_price is not None else None,
        )

    def _values(self, name: str) -> tuple[float | None, float | None]:
        """An option's volatility (a fraction) and delta, looked up every now and then."""
        at_ns, iv, delta = self._greeks.get(name, (0, None, None))
        if not at_ns or self._timeline.now_ns >= at_ns + GREEKS_EVERY_NS:
            ticker = self.market.ticker(name)
            iv = ticker.mark_iv / 100.0 if ticker.mark_iv is not None else None
            delta = ticker.greeks.delta if ticker.greeks is not None else None
            self._greeks[name] = (self._timeline.now_ns, iv, delta)
        return iv, delta
