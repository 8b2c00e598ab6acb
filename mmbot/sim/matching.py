"""One pure exchange: price-time priority, Decimal money, no clock, no I/O.

Theory of operation
-------------------
1. Every request (`place`, `edit`, `cancel` ...) is told the time and is carried out whole before
   the next one: there is no state between requests. It returns a result or a `Refusal`.
2. A book side is a dict price -> `Level` and a sorted list of its prices; a level is a FIFO queue
   of orders (a dict keeps insertion order and gives removal in constant time).
3. Everything a request caused is appended, in order, to `outbox` when it ends: per followed account
   one `AccountChange` (its orders, trades and whether its position moved), then the `Prints`,
   then one `BookDelta` whose `prev_change_id` is the book's last `change_id`. Who runs the
   exchange calls `drain()`. Only followed accounts pay for notices and history.
4. The venue's rules that surprise people:
   * an edit keeps its place in the queue only if the price stays and the size does not grow;
   * a post-only order that would trade is moved to one tick off the touch; with
     `reject_post_only` it is refused, and an *edit* refused that way also cancels the order;
   * an edit's amount is the total, what has been filled included;
   * a market order is a limit order at the price band that does not rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from mmbot.sim.accounts import (
    Account,
    CancelReason,
    Order,
    OrderState,
    OrderType,
    Position,
    Print,
    SelfTrade,
    TimeInForce,
    UserTrade,
)
from mmbot.sim.book import CHANGE_ID_FIRST, Action, Book, LevelChange
from mmbot.sim.listing import ZERO, Kind, Listing, Right, Side, value
from mmbot.sim.refusals import Code, Refusal

__all__ = [
    "Account",
    "AccountChange",
    "Action",
    "Book",
    "BookDelta",
    "CancelReason",
    "Code",
    "Edit",
    "Effect",
    "Exchange",
    "Kind",
    "Listed",
    "Listing",
    "NewOrder",
    "Order",
    "OrderState",
    "OrderType",
    "Placed",
    "Position",
    "Print",
    "Prints",
    "Refusal",
    "Right",
    "SelfTrade",
    "Side",
    "TimeInForce",
    "UserTrade",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A wish; `price` is ignored for market orders. Amounts in the listing's amount unit."""

    name: str
    side: Side
    amount: Decimal
    price: Decimal | None = None
    type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    label: str = ""
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    valid_until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of an open order; None keeps what it has. `amount` includes what is filled."""

    order_id: str
    amount: Decimal | None = None
    price: Decimal | None = None
    post_only: bool | None = None
    reject_post_only: bool | None = None
    reduce_only: bool | None = None
    valid_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to a place or an edit: the live order, and the trades it made as a taker."""

    order: Order
    trades: list[UserTrade]


@dataclass(frozen=True, slots=True)
class BookDelta:
    """One change of one book; amounts are the levels' new totals, zero when deleted."""

    name: str
    time_ms: int
    prev_change_id: int
    change_id: int
    bids: list[LevelChange]
    asks: list[LevelChange]


@dataclass(frozen=True, slots=True)
class Prints:
    """The public trades one request caused, in one instrument."""

    name: str
    trades: list[Print]


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What one request did to one followed account in one instrument; orders as of then."""

    account: str
    name: str
    time_ms: int
    orders: list[Order]
    trades: list[UserTrade]


@dataclass(frozen=True, slots=True)
class Listed:
    """A new instrument can be traded."""

    listing: Listing
    time_ms: int


Effect = BookDelta | Prints | AccountChange | Listed


@dataclass(slots=True)
class _Request:
    """What the request in progress has caused so far."""

    now_ms: int
    orders: dict[str, Order] = field(default_factory=dict)
    prints: list[Print] = field(default_factory=list)
    trades: dict[str, list[UserTrade]] = field(default_factory=dict)


class Exchange:
    """The exchange. `world` goes into every order and trade id, so that two worlds' ids differ."""

    def __init__(self, world: str = "") -> None:
        self.world = world
        self.listings: dict[str, Listing] = {}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}  # open orders of all accounts
        self.outbox: list[Effect] = []
        self.fees_collected: dict[str, Decimal] = {}
        self._books: dict[str, Book] = {}
        self._change_id = CHANGE_ID_FIRST
        self._order_count = 0
        self._trade_count = 0
        self._latest_ms = 0

    # -- what exists ---------------------------------------------------------------------------

    def list(self, listing: Listing, now_ms: int | None = None) -> None:
        """Open an instrument for trading; with a time, the listing is announced."""
        assert listing.name not in self.listings, f"{listing.name} is listed already"
        self.listings[listing.name] = listing
        if now_ms is not None:
            self.outbox.append(Listed(listing, now_ms))

    def open_account(
        self,
        name: str,
        balances: Mapping[str, Decimal],
        *,
        followed: bool = True,
        self_trade: SelfTrade = SelfTrade.CANCEL_MAKER,
    ) -> Account:
        """Open an account with cash per currency.

        `followed`: somebody listens to it and may ask for its history; the market's own accounts
        are opened without, which makes them cheaper.
        """
        assert name not in self.accounts, f"account {name} exists already"
        account = Account(name, followed, self_trade, dict(balances))
        self.accounts[name] = account
        return account

    def book(self, name: str) -> Book:
        """The book of a listed instrument; it comes into being when first asked for."""
        book = self._books.get(name)
        if book is None:
            book = self._books[name] = Book(self.listings[name])
        return book

    def set_mark(
        self,
        name: str,
        mark: Decimal,
        *,
        index: Decimal,
        min_price: Decimal | None = None,
        max_price: Decimal | None = None,
    ) -> None:
        """The mark (price unit), the underlying's index (USD) and the price band from now on."""
        book = self.book(name)
        book.mark = mark
        book.index = index
        book.min_price = min_price
        book.max_price = max_price

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
        if wish.valid_until_ms is not None and wish.valid_until_ms < now_ms:
            return Refusal(Code.TIMED_OUT, "valid_until has passed", "valid_until")
        if wish.name not in self.listings:
            return Refusal(Code.INVALID_INSTRUMENT, "unknown instrument", "instrument_name")
        book = self.book(wish.name)
        price = self._limit_of(book, wish)
        if isinstance(price, Refusal):
            return price
        amount = wish.amount
        refusal = _check_terms(book, wish.side, price, amount, is_market=_is_market(wish))
        if refusal is not None:
            return refusal
        if wish.reduce_only:
            amount = min(amount, _reducible(owner, wish.name, wish.side))
            if amount <= 0:
                return Refusal(Code.OTHER_REJECT, "reduce_only: nothing to reduce", "reduce_only")
        if wish.post_only:
            if _is_market(wish) or wish.time_in_force is not TimeInForce.GTC:
                return Refusal(Code.BAD_ARGUMENT, "post_only orders must rest", "post_only")
            reposted = self._off_the_touch(book, wish.side, price)
            if reposted != price and (wish.reject_post_only or reposted is None):
                return Refusal(Code.POST_ONLY_REJECT, "the order would trade", "post_only")
            assert reposted is not None, "refused just above"
            price = reposted
        if owner.self_trade is SelfTrade.REJECT_TAKER and self._meets_own(
            book, account, wish.side, price, amount
        ):
            return Refusal(Code.ORDER_OVERLAP, "the order would trade with the account's own")
        self._order_count += 1
        order = Order(
            self._new_id(book.listing, self._order_count),
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
            return Refusal(Code.TIMED_OUT, "valid_until has passed", "valid_until")
        order = owner.open_orders.get(edit.order_id)
        if order is None:
            return self._not_open(owner, edit.order_id)
        book = self.book(order.name)
        price = order.price if edit.price is None else edit.price
        amount = order.amount if edit.amount is None else edit.amount
        refusal = _check_terms(book, order.side, price, amount, is_market=False)
        if refusal is not None:
            return refusal
        if amount <= order.filled:
            return Refusal(Code.INVALID_AMOUNT, "that much is filled already", "amount")
        post_only = order.post_only if edit.post_only is None else edit.post_only
        rejects = order.reject_post_only if edit.reject_post_only is None else edit.reject_post_only
        if post_only:
            reposted = self._off_the_touch(book, order.side, price)
            if reposted != price and (rejects or reposted is None):
                self._cancel(book, order, CancelReason.EDIT_POST_ONLY, now_ms)
                return Refusal(Code.POST_ONLY_REJECT, "the order would trade", "post_only")
            assert reposted is not None, "refused just above"
            price = reposted
        if owner.self_trade is SelfTrade.REJECT_TAKER and self._meets_own(
            book, account, order.side, price, amount - order.filled
        ):
            return Refusal(Code.ORDER_OVERLAP, "the order would trade with the account's own")
        request = _Request(now_ms)
        request.orders[order.order_id] = order
        side = book.side(order.side)
        keeps_place = price == order.price and amount <= order.amount
        if keeps_place:
            side.reduce(order, order.amount - amount)
            order.amount = amount
        else:
            side.remove(order)
            order.price = price
            order.amount = amount
        order.post_only = post_only
        order.reject_post_only = rejects
        if edit.reduce_only is not None:
            order.reduce_only = edit.reduce_only
        order.replaced = True
        order.updated_ms = now_ms
        if not keeps_place:
            self._execute(book, order, request)
        self._commit(book, request)
        return Placed(order, request.trades.get(account, []))

    def cancel(
        self,
        account: str,
        order_id: str,
        now_ms: int,
        reason: CancelReason = CancelReason.USER_REQUEST,
    ) -> Order | Refusal:
        """Take one open order off the book."""
        owner = self.accounts[account]
        order = owner.open_orders.get(order_id)
        if order is None:
            return self._not_open(owner, order_id)
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
    ) -> int:
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
    ) -> int:
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

    def position(self, account: str, name: str) -> Position:
        """The account's position in a listed instrument, flat if it never had one."""
        return self.accounts[account].positions.get(name) or Position(self.listings[name])

    def open_interest(self, name: str) -> Decimal:
        """The sum of all long positions, in the listing's amount unit."""
        held = (account.positions.get(name) for account in self.accounts.values())
        return sum((one.size for one in held if one is not None and one.size > 0), ZERO)

    def options_value(self, account: str, currency: str) -> Decimal:
        """What the account's options settled in `currency` are worth at their marks."""
        return sum(
            (
                value(position.listing, position.size, self.book(name).mark)
                for name, position in self.accounts[account].positions.items()
                if position.size
                and position.listing.kind is Kind.OPTION
                and position.listing.settlement == currency
            ),
            ZERO,
        )

    def session_unrealized(self, account: str, currency: str) -> Decimal:
        """Open profit of the account's perpetuals and futures at their marks, in `currency`."""
        return sum(
            (
                position.unrealized(self.book(name).mark)
                for name, position in self.accounts[account].positions.items()
                if position.size
                and position.listing.kind is not Kind.OPTION
                and position.listing.settlement == currency
            ),
            ZERO,
        )

    def equity(self, account: str, currency: str) -> Decimal:
        """Cash, plus session profit, plus what everything open is worth at the marks."""
        owner = self.accounts[account]
        return (
            owner.cash.get(currency, ZERO)
            + owner.session.get(currency, ZERO)
            + self.session_unrealized(account, currency)
            + self.options_value(account, currency)
        )

    # -- inside --------------------------------------------------------------------------------

    def _not_before(self, now_ms: int) -> int:
        # The market acts on a grid of times, accounts in between: the tape still reads in order.
        self._latest_ms = max(self._latest_ms, now_ms)
        return self._latest_ms

    def _new_id(self, listing: Listing, count: int) -> str:
        # Bitcoin-settled ids are bare digits at the venue, the others carry their currency.
        prefix = "" if listing.settlement == "BTC" else f"{listing.settlement}-"
        return f"{prefix}{self.world}{count}"

    def _limit_of(self, book: Book, wish: NewOrder) -> Decimal | Refusal:
        """The worst price the order may trade at."""
        if not _is_market(wish):
            if wish.price is None:
                return Refusal(Code.INVALID_PRICE, "a limit order needs a price", "price")
            return wish.price
        if wish.side is Side.BUY:
            if book.max_price is not None:
                return book.max_price
            prices = book.asks.prices
            return prices[-1] if prices else book.listing.tick
        if book.min_price is not None:
            return book.min_price
        prices = book.bids.prices
        return prices[0] if prices else book.listing.tick

    def _off_the_touch(self, book: Book, side: Side, price: Decimal) -> Decimal | None:
        """`price` if it would rest, else one tick off the touch; None where no price is left."""
        if side is Side.BUY:
            best = book.best_ask
            if best is None or price < best.price:
                return price
            moved = book.listing.next_below(best.price)
            return moved if moved > 0 else None
        best = book.best_bid
        if best is None or price > best.price:
            return price
        return book.listing.next_above(best.price)

    def _meets_own(
        self, book: Book, account: str, side: Side, price: Decimal, amount: Decimal
    ) -> bool:
        for level in book.side(side.opposite).from_best():
            if not _crosses(side, price, level.price):
                return False
            for resting in level.orders.values():
                if amount <= 0:
                    return False
                if resting.account == account:
                    return True
                amount -= resting.open_amount
        return False

    def _fillable(self, book: Book, order: Order) -> bool:
        missing = order.open_amount
        for level in book.side(order.side.opposite).from_best():
            if not _crosses(order.side, order.price, level.price):
                break
            for resting in level.orders.values():
                if resting.account != order.account:
                    missing -= resting.open_amount
            if missing <= 0:
                return True
        return False

    def _execute(self, book: Book, order: Order, request: _Request) -> None:
        """Match an order that is not on the book, then rest or end it."""
        if order.time_in_force is not TimeInForce.FOK or self._fillable(book, order):
            self._match(book, order, request)
        if order.state is not OrderState.OPEN:
            return
        if order.type is OrderType.MARKET or order.time_in_force is not TimeInForce.GTC:
            self._end(order, OrderState.CANCELLED, CancelReason.USER_REQUEST)
        else:
            book.side(order.side).add(order)

    def _match(self, book: Book, taker: Order, request: _Request) -> None:
        opposite = book.side(taker.side.opposite)
        while taker.open_amount:
            level = opposite.best()
            if level is None or not _crosses(taker.side, taker.price, level.price):
                return
            maker = next(iter(level.orders.values()))
            request.orders[maker.order_id] = maker
            if maker.account == taker.account:
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
        return min(order.open_amount, _reducible(owner, order.name, order.side))

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
        self._trade_count += 1
        public = Print(
            self._new_id(listing, self._trade_count),
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
        self._settle(book, taker, public, listing.taker_fee, request)
        self._settle(book, maker, public, listing.maker_fee, request)

    def _settle(
        self, book: Book, order: Order, public: Print, rate: Decimal, request: _Request
    ) -> None:
        listing = book.listing
        owner = self.accounts[order.account]
        signed = public.amount if order.side is Side.BUY else -public.amount
        owed, realized = owner.settle_trade(listing, signed, public.price, rate, public.index)
        currency = listing.settlement
        self.fees_collected[currency] = self.fees_collected.get(currency, ZERO) + owed
        is_maker = order.side is not public.side
        if not owner.followed and is_maker:
            return
        trade = UserTrade(
            public,
            order.order_id,
            order.label,
            order.side,
            is_maker,
            owed,
            currency,
            realized,
            order.type,
            order.state,
            order.post_only,
            order.reduce_only,
        )
        request.trades.setdefault(owner.name, []).append(trade)
        if owner.followed:
            owner.remember(trade)

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

    def _cancel_each(self, account: str, now_ms: int, orders: Iterable[Order]) -> int:
        count = 0
        now_ms = self._not_before(now_ms)
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
        by_account: dict[str, list[Order]] = {}
        for order in request.orders.values():
            if self.accounts[order.account].followed:
                by_account.setdefault(order.account, []).append(order.as_of_now())
        for account, orders in by_account.items():
            trades = request.trades.get(account, [])
            self.outbox.append(AccountChange(account, name, request.now_ms, orders, trades))
        if request.prints:
            self.outbox.append(Prints(name, request.prints))
        bids = book.bids.changes()
        asks = book.asks.changes()
        if bids or asks:
            previous = book.change_id
            self._change_id += 1
            book.change_id = self._change_id
            book.time_ms = request.now_ms
            self.outbox.append(
                BookDelta(name, request.now_ms, previous, book.change_id, bids, asks)
            )


def _is_market(wish: NewOrder) -> bool:
    return wish.type is OrderType.MARKET


def _crosses(side: Side, limit: Decimal, resting: Decimal) -> bool:
    return resting <= limit if side is Side.BUY else resting >= limit


def _reducible(owner: Account, name: str, side: Side) -> Decimal:
    """How much an order of that side can take off the account's position."""
    position = owner.positions.get(name)
    if position is None:
        return ZERO
    return max(-position.size * side.sign, ZERO)


def _tick_direction(book: Book, price: Decimal) -> int:
    last = book.last_price
    if last is None or price > last:
        return 0
    if price < last:
        return 2
    return 1 if book.last_tick_direction < 2 else 3


def _check_terms(
    book: Book, side: Side, price: Decimal, amount: Decimal, *, is_market: bool
) -> Refusal | None:
    listing = book.listing
    if amount <= 0 or amount % listing.amount_step:
        return Refusal(
            Code.INVALID_AMOUNT, f"must be a multiple of {listing.amount_step}", "amount"
        )
    if amount < listing.min_amount:
        return Refusal(Code.QTY_TOO_LOW, f"must be at least {listing.min_amount}", "amount")
    if is_market:
        return None
    if price <= 0:
        return Refusal(Code.INVALID_PRICE, "must be positive", "price")
    if not listing.on_ladder(price):
        return Refusal(
            Code.PRICE_WRONG_TICK, f"must be a multiple of {listing.tick_at(price)}", "price"
        )
    if side is Side.BUY and book.max_price is not None and price > book.max_price:
        return Refusal(Code.PRICE_TOO_HIGH, f"must be at most {book.max_price}", "price")
    if side is Side.SELL and book.min_price is not None and price < book.min_price:
        return Refusal(Code.PRICE_TOO_LOW, f"must be at least {book.min_price}", "price")
    return None
