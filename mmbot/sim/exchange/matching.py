"""One pure exchange: price-time priority, Decimal money, no clock, no I/O.

Theory of operation
-------------------
1. Every request (`place`, `edit`, `cancel` ...) is told the time and is carried out whole before
   the next one: there is no state between requests. The answer is a result or a `Refusal`.
2. A book side is a dict price -> `Level` and a sorted list of its prices; a level is a FIFO queue
   of orders (a dict keeps insertion order and gives removal in constant time).
3. Everything a request caused is appended, in order, to `outbox` when it ends: per followed account
   one `AccountChange` (its orders, trades and whether its position moved), then the `Prints`,
   then one `BookDelta` whose `prev_change_id` is the book's last `change_id`. Who runs the
   exchange calls `drain()`. Only followed accounts pay for notices and history.
4. Between 08:00 UTC and 08:00 UTC lies a session. `settlement.py` ends it, and delivers what
   expires; a delivered instrument moves from `listings` to `expired`. Orders of followed accounts
   are refused while a settlement lasts, and where the account's margin does not cover them.
5. The venue's rules that surprise people:
   * an edit keeps its place in the queue only if the price stays and the size does not grow;
   * a post-only order that would trade is moved to one tick off the touch (unless the exchange's
     `rules` say that it is refused); with `reject_post_only` it is refused, and an *edit* refused
     that way also cancels the order;
   * an edit's amount is the total, what has been filled included;
   * a market order is a limit order at the price band that does not rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mmbot.sim.exchange.accounts import Account, Print, SelfTrade, UserTrade
from mmbot.sim.exchange.admission import (
    check_terms,
    crosses,
    fillable,
    limit_of,
    meets_own,
    post_only_price,
    reducible,
)
from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.clearing import ClearingHouse
from mmbot.sim.exchange.effects import (
    AccountChange,
    BookDelta,
    Effect,
    InstrumentChanged,
    InstrumentState,
    Prints,
    TradeConcluded,
)
from mmbot.sim.exchange.finality import LateFinality, Match, Part, Standing
from mmbot.sim.exchange.listing import ZERO, Charge, Expired, Kind, Listing, Side
from mmbot.sim.exchange.orders import CancelReason, Order, OrderState, OrderType, TimeInForce
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed, Terms
from mmbot.sim.exchange.rules import VenueRules


@dataclass(slots=True)
class _Request:
    """What the request in progress has caused so far."""

    now_ms: int
    orders: dict[str, Order] = field(default_factory=dict)
    prints: list[Print] = field(default_factory=list)
    trades: dict[str, list[UserTrade]] = field(default_factory=dict)
    delivered: dict[str, None] = field(default_factory=dict)  # accounts


class Exchange(ClearingHouse):
    """The exchange. `world` goes into every order and trade id, so that two worlds' ids differ."""

    def __init__(self, world: str = "", rules: VenueRules | None = None) -> None:
        super().__init__(rules)
        self.world = world
        self.numbers: dict[str, int] = {}  # of every instrument ever listed, by name
        self.currencies: dict[str, None] = {}  # of settlement, in order of listing
        self.index_names: dict[str, None] = {}
        self.orders: dict[str, Order] = {}  # open orders of all accounts
        self.outbox: list[Effect] = []
        self.settling_until_ms = 0
        self.halted: set[str] = set()  # instruments and price indices in which nobody trades now
        self.finality: LateFinality | None = None  # where trades are not final at once

    # -- what is listed ------------------------------------------------------------------------

    def list(self, listing: Listing, now_ms: int | None = None) -> None:
        """Open an instrument for trading; with a time, the listing is announced."""
        assert listing.name not in self.numbers, f"{listing.name} was listed before"
        self.listings[listing.name] = listing
        self.numbers[listing.name] = len(self.numbers) + 1
        self.currencies[listing.settlement] = None
        self.index_names[listing.index_name] = None
        if now_ms is not None:
            for state in (InstrumentState.CREATED, InstrumentState.STARTED):
                self.outbox.append(InstrumentChanged(listing, state, now_ms))

    def close(self, name: str, delivery: Decimal, now_ms: int, delivered: dict[str, None]) -> None:
        """End trading in an instrument at its `delivery` price (USD).

        Its orders are cancelled; `delivered` are the followed accounts that held it.
        """
        book = self.book(name)
        if self.finality is not None:
            for match in self.finality.of(name):
                self._conclude(self.finality, match, Standing.CONFIRMED, now_ms)
        request = _Request(self._not_before(now_ms), delivered=delivered)
        self._clear(book, request)
        listing = self.listings.pop(name)
        self.expired[name] = Expired(listing, delivery, now_ms)
        self._commit(book, request)
        for state in (InstrumentState.SETTLED, InstrumentState.CLOSED):
            self.outbox.append(InstrumentChanged(listing, state, now_ms))

    def halt(self, name: str, now_ms: int) -> None:
        """Close an instrument before its time: its orders are cancelled, positions stay."""
        book = self.book(name)
        request = _Request(self._not_before(now_ms))
        self._clear(book, request)
        self.halted.add(name)
        self._commit(book, request)
        self.outbox.append(InstrumentChanged(book.listing, InstrumentState.CLOSED, now_ms))

    def resume_trading(self, name: str, now_ms: int) -> None:
        """Open again what `halt` closed."""
        self.halted.discard(name)
        self.outbox.append(InstrumentChanged(self.terms(name), InstrumentState.STARTED, now_ms))

    def is_halted(self, listing: Listing) -> bool:
        """Whether nobody trades in that instrument at present."""
        return listing.name in self.halted or listing.index_name in self.halted

    def drain(self) -> Sequence[Effect]:
        """Everything that happened since the last call, in order."""
        happened = self.outbox
        self.outbox = []
        return happened

    # -- requests ------------------------------------------------------------------------------

    def place(self, account: str, wish: NewOrder, now_ms: int) -> Placed | Refusal:
        """Match, then rest what is left (GTC) or cancel it (IOC, FOK, market)."""
        owner = self.accounts[account]
        now_ms = self._not_before(now_ms)
        refusal = self._not_now(account, wish, now_ms)
        if refusal is not None:
            return refusal
        book = self.book(wish.name)
        admitted = self._admit(owner, book, wish)
        if isinstance(admitted, Refusal):
            return admitted
        price, amount = admitted
        self.counts.orders += 1
        order = Order(
            self._new_id(book.listing, self.counts.orders),
            account,
            wish.name,
            wish.side,
            wish.type,
            wish.time_in_force,
            price,
            amount,
            wish.label,
            wish.post_only,
            wish.reject_post_only,
            wish.reduce_only,
            now_ms,
            now_ms,
        )
        self.orders[order.order_id] = order
        owner.open_orders[order.order_id] = order
        request = _Request(now_ms)
        request.orders[order.order_id] = order
        self._execute(book, order, request)
        self._commit(book, request)
        return Placed(order, request.trades.get(account, []))

    def edit(self, account: str, edit: Edit, now_ms: int) -> Placed | Refusal:
        """Change an open order's price, total amount or flags; the order id stays."""
        owner = self.accounts[account]
        now_ms = self._not_before(now_ms)
        if edit.valid_until_ms is not None and edit.valid_until_ms < now_ms:
            return _timed_out()
        order = owner.open_orders.get(edit.order_id)
        if order is None:
            return self._not_open(owner, edit.order_id)
        if self.is_settling(account, now_ms):
            return _settling()
        book = self.book(order.name)
        terms = edit.terms(order)
        banded = self.rules.band_refuses
        refusal = check_terms(
            book, order.side, terms.price, terms.amount, is_market=False, banded=banded
        )
        if refusal is not None:
            return refusal
        if terms.amount <= order.filled:
            return Refusal(Code.INVALID_AMOUNT, "that much is filled already", "amount")
        if terms.post_only:
            rejects = terms.reject_post_only or not self.rules.post_only_slides
            price = post_only_price(book, order.side, terms.price, rejects=rejects)
            if price is None:
                self._cancel(book, order, CancelReason.EDIT_POST_ONLY, now_ms)
                return _would_trade()
            terms = replace(terms, price=price)
        open_amount = terms.amount - order.filled
        refusal = self._not_allowed(
            owner, book, order.side, open_amount, terms.price, terms.price, order
        )
        if refusal is not None:
            return refusal
        request = _Request(now_ms)
        request.orders[order.order_id] = order
        self._change(book, order, terms, request)
        self._commit(book, request)
        return Placed(order, request.trades.get(account, []))

    def resume(self, order: Order) -> None:
        """Put an open order back on the book, behind what rests there; nobody is told."""
        assert order.state is OrderState.OPEN, "only an open order can rest"
        self.orders[order.order_id] = order
        self.accounts[order.account].open_orders[order.order_id] = order
        side = self.book(order.name).side(order.side)
        side.add(order)
        side.changes()

    def cancel(
        self,
        account: str,
        order_id: str,
        now_ms: int,
        reason: CancelReason = CancelReason.USER_REQUEST,
    ) -> Order | Refusal:
        """Take one open order off the book; during a settlement no user can."""
        owner = self.accounts[account]
        order = owner.open_orders.get(order_id)
        if order is None:
            return self._not_open(owner, order_id)
        if reason is CancelReason.USER_REQUEST and self.is_settling(account, now_ms):
            return _settling()
        self._cancel(self.book(order.name), order, reason, self._not_before(now_ms))
        return order

    def cancel_all(
        self,
        account: str,
        now_ms: int,
        *,
        name: str | None = None,
        settlement: str | None = None,
        kinds: frozenset[Kind] | None = None,
    ) -> int | Refusal:
        """Cancel the account's open orders that match every given filter; returns how many."""
        return self._cancel_each(
            account,
            now_ms,
            [
                order
                for order in self.accounts[account].open_orders.values()
                if self._matches(order, name, settlement, kinds)
            ],
        )

    def cancel_by_label(
        self, account: str, label: str, now_ms: int, settlement: str | None = None
    ) -> int | Refusal:
        """Cancel every open order with that label; returns how many."""
        return self._cancel_each(
            account,
            now_ms,
            [
                order
                for order in self.accounts[account].open_orders.values()
                if order.label == label and self._matches(order, None, settlement, None)
            ],
        )

    # -- questions -----------------------------------------------------------------------------

    def order(self, account: str, order_id: str) -> Order | None:
        """An open order, or an ended one of a followed account."""
        owner = self.accounts[account]
        return owner.open_orders.get(order_id) or owner.closed_orders.get(order_id)

    def is_settling(self, account: str, now_ms: int) -> bool:
        """Whether a settlement keeps the account from trading; the market's own just wait."""
        return now_ms < self.settling_until_ms and self.accounts[account].followed

    # -- what is admitted -----------------------------------------------------------------------

    def _not_now(self, account: str, wish: NewOrder, now_ms: int) -> Refusal | None:
        """Why nobody could place that order at present; None where somebody could."""
        if wish.valid_until_ms is not None and wish.valid_until_ms < now_ms:
            return _timed_out()
        if self.is_settling(account, now_ms):
            return _settling()
        if wish.name in self.expired:
            return Refusal(Code.BOOK_CLOSED, "the instrument has expired", "instrument_name")
        if wish.name not in self.listings:
            return Refusal(Code.INVALID_INSTRUMENT, "unknown instrument", "instrument_name")
        return None

    def _admit(
        self, owner: Account, book: Book, wish: NewOrder
    ) -> tuple[Decimal, Decimal] | Refusal:
        """The worst price and the amount at which a new order is let in."""
        price = limit_of(book, wish)
        if isinstance(price, Refusal):
            return price
        amount = wish.amount
        banded = self.rules.band_refuses
        refusal = check_terms(
            book, wish.side, price, amount, is_market=wish.is_market, banded=banded
        )
        if refusal is not None:
            return refusal
        if wish.reduce_only:
            amount = min(amount, reducible(owner, wish.name, wish.side))
            if amount <= 0:
                return Refusal(Code.OTHER_REJECT, "reduce_only: nothing to reduce", "reduce_only")
        if wish.post_only:
            if wish.is_market or wish.time_in_force is not TimeInForce.GTC:
                return Refusal(Code.BAD_ARGUMENT, "post_only orders must rest", "post_only")
            rejects = wish.reject_post_only or not self.rules.post_only_slides
            rests_at = post_only_price(book, wish.side, price, rejects=rejects)
            if rests_at is None:
                return _would_trade()
            price = rests_at
        # A market order is charged at the mark, not at the end of the band it may reach.
        charged = book.mark if wish.is_market and book.mark else price
        refusal = self._not_allowed(owner, book, wish.side, amount, price, charged, None)
        return (price, amount) if refusal is None else refusal

    def _not_allowed(
        self,
        owner: Account,
        book: Book,
        side: Side,
        amount: Decimal,
        price: Decimal,
        charged: Decimal,
        replaces: Order | None,
    ) -> Refusal | None:
        """Why this account may not have that order; None where it may."""
        rejects_own = owner.self_trade is SelfTrade.REJECT_TAKER
        if rejects_own and meets_own(book, owner.name, side, price, amount):
            return Refusal(Code.ORDER_OVERLAP, "the order would trade with the account's own")
        if not self.is_covered(owner, book, side, amount, charged, replaces):
            return Refusal(Code.NOT_ENOUGH_FUNDS, "the order needs more than the available funds")
        return None

    # -- what is carried out --------------------------------------------------------------------

    def _not_before(self, now_ms: int) -> int:
        # The market acts on a grid of times, accounts in between: the tape still reads in order.
        self.counts.latest_ms = max(self.counts.latest_ms, now_ms)
        return self.counts.latest_ms

    def _new_id(self, listing: Listing, count: int) -> str:
        return self.rules.ids.write(listing, self.world, count)

    def _change(self, book: Book, order: Order, terms: Terms, request: _Request) -> None:
        """Give an open order other terms, and its place in the queue if it keeps that."""
        side = book.side(order.side)
        keeps_place = terms.price == order.price and terms.amount <= order.amount
        if keeps_place:
            side.reduce(order, order.amount - terms.amount)
        else:
            side.remove(order)
            order.price = terms.price
        order.amount = terms.amount
        order.post_only = terms.post_only
        order.reject_post_only = terms.reject_post_only
        order.reduce_only = terms.reduce_only
        order.replaced = True
        order.updated_ms = request.now_ms
        if not keeps_place:
            self._execute(book, order, request)

    def _execute(self, book: Book, order: Order, request: _Request) -> None:
        """Match an order that is not on the book, then rest or end it."""
        if order.time_in_force is not TimeInForce.FOK or fillable(book, order):
            self._match(book, order, request)
        if order.state is not OrderState.OPEN:
            return
        if order.type is OrderType.MARKET or order.time_in_force is not TimeInForce.GTC:
            self._end(order, OrderState.CANCELLED, CancelReason.USER_REQUEST)
        else:
            book.side(order.side).add(order)

    def _match(self, book: Book, taker: Order, request: _Request) -> None:
        opposite = book.side(taker.side.opposite)
        trades_with_itself = self.accounts[taker.account].self_trade is SelfTrade.TRADES
        while taker.open_amount:
            level = opposite.best()
            if level is None or not crosses(taker.side, taker.price, level.price):
                return
            maker = next(iter(level.orders.values()))
            request.orders[maker.order_id] = maker
            if maker.account == taker.account and not trades_with_itself:
                maker.updated_ms = request.now_ms
                opposite.remove(maker)
                self._end(maker, OrderState.CANCELLED, CancelReason.SELF_TRADE)
                continue
            maker_amount = self._tradable(maker)
            if not maker_amount:
                maker.updated_ms = request.now_ms
                opposite.remove(maker)
                self._end(maker, OrderState.CANCELLED, CancelReason.USER_REQUEST)
                continue
            amount = min(self._tradable(taker), maker_amount)
            if not amount:
                self._end(taker, OrderState.CANCELLED, CancelReason.USER_REQUEST)
                return
            self._trade(book, taker, maker, amount, request)

    def _tradable(self, order: Order) -> Decimal:
        """The open amount; of a reduce-only order no more than there is to reduce."""
        if not order.reduce_only:
            return order.open_amount
        owner = self.accounts[order.account]
        return min(order.open_amount, reducible(owner, order.name, order.side))

    def _trade(
        self, book: Book, taker: Order, maker: Order, amount: Decimal, request: _Request
    ) -> None:
        listing = book.listing
        price = maker.price
        book.side(maker.side).reduce(maker, amount)
        for order in (taker, maker):
            order.filled += amount
            order.paid += amount * price
            order.updated_ms = request.now_ms
        if not maker.open_amount:
            book.side(maker.side).remove(maker)
            self._end(maker, OrderState.FILLED, None)
        if not taker.open_amount:
            self._end(taker, OrderState.FILLED, None)
        book.trade_seq += 1
        self.counts.trades += 1
        public = Print(
            self._new_id(listing, self.counts.trades),
            book.trade_seq,
            listing.name,
            request.now_ms,
            taker.side,
            price,
            amount,
            book.mark,
            book.index,
            _tick_direction(book, price),
        )
        book.last_price = price
        book.last_tick_direction = public.tick_direction
        request.prints.append(public)
        # What an order costs besides is paid with its first trade.
        base = listing.fee_basis.base if taker.filled == amount else ZERO
        charges = (
            (taker, Charge(listing.taker_fee, base)),
            (maker, Charge(listing.maker_fee)),
        )
        for order, charge in charges:
            trade = self.clear(self.accounts[order.account], listing, order, public, charge)
            if trade is not None:
                request.trades.setdefault(order.account, []).append(trade)
        if self.finality is not None and any(self.accounts[o.account].followed for o, _ in charges):
            parts = tuple(Part(o.account, o.order_id, o.side, charge) for o, charge in charges)
            self.finality.matched(public, parts)

    def conclude(self, now_ms: int) -> None:
        """Confirm the matched trades of which it is time, or take them back."""
        if self.finality is None:
            return
        for match in self.finality.due(now_ms):
            standing = Standing.FAILED if match.fails else Standing.CONFIRMED
            self._conclude(self.finality, match, standing, self._not_before(now_ms))

    def _conclude(
        self, finality: LateFinality, match: Match, standing: Standing, now_ms: int
    ) -> None:
        finality.conclude(match, standing, now_ms)
        listing, public = self.listings[match.public.name], match.public
        for part in match.parts:
            owner = self.accounts[part.account]
            order = self.order(part.account, part.order_id)
            if standing is Standing.FAILED:
                self.take_back(owner, listing, part.side, public, part.charge)
                if order is not None:
                    order.take_back(public.amount, public.price, now_ms)
            if owner.followed:
                made = next(
                    one
                    for one in reversed(owner.trades)
                    if one.public is public and one.side is part.side
                )
                stated = order.as_of_now() if order is not None else None
                self.outbox.append(TradeConcluded(part.account, made, stated, now_ms))

    def _clear(self, book: Book, request: _Request) -> None:
        """Cancel everybody's orders in a book."""
        for side in (book.bids, book.asks):
            for level in list(side.from_best()):
                for order in list(level.orders.values()):
                    request.orders[order.order_id] = order
                    order.updated_ms = request.now_ms
                    side.remove(order)
                    self._end(order, OrderState.CANCELLED, CancelReason.SETTLEMENT)

    def _end(self, order: Order, state: OrderState, reason: CancelReason | None) -> None:
        order.state = state
        order.cancel_reason = reason
        del self.orders[order.order_id]
        self.accounts[order.account].close_order(order)

    def _cancel(self, book: Book, order: Order, reason: CancelReason, now_ms: int) -> None:
        request = _Request(now_ms)
        request.orders[order.order_id] = order
        order.updated_ms = now_ms
        book.side(order.side).remove(order)
        self._end(order, OrderState.CANCELLED, reason)
        self._commit(book, request)

    def _cancel_each(self, account: str, now_ms: int, orders: Iterable[Order]) -> int | Refusal:
        count = 0
        now_ms = self._not_before(now_ms)
        if self.is_settling(account, now_ms):
            return _settling()
        for order in orders:
            self._cancel(self.book(order.name), order, CancelReason.USER_REQUEST, now_ms)
            count += 1
        return count

    def _matches(
        self,
        order: Order,
        name: str | None,
        settlement: str | None,
        kinds: frozenset[Kind] | None,
    ) -> bool:
        listing = self.listings[order.name]
        return (
            (name is None or order.name == name)
            and (settlement is None or listing.settlement == settlement)
            and (kinds is None or listing.kind in kinds)
        )

    def _not_open(self, owner: Account, order_id: str) -> Refusal:
        if order_id in owner.closed_orders:
            return Refusal(Code.NOT_OPEN_ORDER, "the order has ended", "order_id")
        return Refusal(Code.ORDER_NOT_FOUND, "no such order", "order_id")

    def _commit(self, book: Book, request: _Request) -> None:
        """Publish what the request caused."""
        name = book.listing.name
        by_account: dict[str, list[Order]] = {account: [] for account in request.delivered}
        for order in request.orders.values():
            if self.accounts[order.account].followed:
                by_account.setdefault(order.account, []).append(order.as_of_now())
        for account, orders in by_account.items():
            trades = request.trades.get(account, [])
            delivered = account in request.delivered
            self.outbox.append(
                AccountChange(account, name, request.now_ms, orders, trades, delivered)
            )
        if request.prints:
            self.outbox.append(Prints(name, request.prints))
        bids = book.bids.changes()
        asks = book.asks.changes()
        if bids or asks:
            previous = book.change_id
            self.counts.changes += 1
            book.change_id = self.counts.changes
            book.time_ms = request.now_ms
            self.outbox.append(
                BookDelta(name, request.now_ms, previous, book.change_id, bids, asks)
            )


def _settling() -> Refusal:
    return Refusal(Code.SETTLEMENT_IN_PROGRESS, "trading goes on in a moment")


def _timed_out() -> Refusal:
    return Refusal(Code.TIMED_OUT, "valid_until has passed", "valid_until")


def _would_trade() -> Refusal:
    return Refusal(Code.POST_ONLY_REJECT, "the order would trade", "post_only")


def _tick_direction(book: Book, price: Decimal) -> int:
    last = book.last_price
    if last is None or price > last:
        return 0
    if price < last:
        return 2
    return 1 if book.last_tick_direction < 2 else 3
