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
4. Between 08:00 UTC and 08:00 UTC lies a session. `settlement.py` ends it, and delivers what
   expires; a delivered instrument moves from `listings` to `expired`. Orders of followed accounts
   are refused while a settlement lasts, and where the account's margin does not cover them.
5. The venue's rules that surprise people:
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
from enum import Enum
from typing import Final

from mmbot.sim.exchange import margin
from mmbot.sim.exchange.accounts import Account, Booked, Position, Print, SelfTrade, UserTrade
from mmbot.sim.exchange.book import CHANGE_ID_FIRST, Action, Book, LevelChange
from mmbot.sim.exchange.ledger import Entry, EntryType
from mmbot.sim.exchange.listing import (
    OPTION_FEE_CAP_OF_PREMIUM,
    ZERO,
    Kind,
    Listing,
    Right,
    Side,
    value,
)
from mmbot.sim.exchange.margin import Margin, Prices, Resting
from mmbot.sim.exchange.orders import CancelReason, Order, OrderState, OrderType, TimeInForce
from mmbot.sim.exchange.refusals import Code, Refusal

__all__ = [
    "Account",
    "AccountChange",
    "Action",
    "Book",
    "BookDelta",
    "CancelReason",
    "Code",
    "Counts",
    "DeliveryFee",
    "Edit",
    "Effect",
    "Exchange",
    "Expired",
    "InstrumentChanged",
    "InstrumentState",
    "Kind",
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

DELIVERY_FEE_RATE: Final = Decimal("0.00015")


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
    """What one request did to one followed account in one instrument; orders as of then.

    `delivered`: the position ended without a trade.
    """

    account: str
    name: str
    time_ms: int
    orders: list[Order]
    trades: list[UserTrade]
    delivered: bool = False


class InstrumentState(Enum):
    """What became of an instrument; the values are the venue's words."""

    CREATED = "created"
    STARTED = "started"
    SETTLED = "settled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class InstrumentChanged:
    """An instrument began or ended."""

    listing: Listing
    state: InstrumentState
    time_ms: int


Effect = BookDelta | Prints | AccountChange | InstrumentChanged


@dataclass(frozen=True, slots=True)
class Expired:
    """An instrument that has been delivered, at a price in USD."""

    listing: Listing
    delivery: Decimal
    time_ms: int


@dataclass(frozen=True, slots=True)
class DeliveryFee:
    """What the delivery of an option costs: `rate` of the coin, at most `cap` of the payoff."""

    rate: Decimal = DELIVERY_FEE_RATE
    cap: Decimal = OPTION_FEE_CAP_OF_PREMIUM
    dailies_free: bool = True


@dataclass(slots=True)
class _Request:
    """What the request in progress has caused so far."""

    now_ms: int
    orders: dict[str, Order] = field(default_factory=dict)
    prints: list[Print] = field(default_factory=list)
    trades: dict[str, list[UserTrade]] = field(default_factory=dict)
    delivered: dict[str, None] = field(default_factory=dict)  # accounts


@dataclass(slots=True)
class Counts:
    """How much there has been so far: what ids are made of."""

    changes: int = CHANGE_ID_FIRST
    orders: int = 0
    trades: int = 0
    entries: int = 0
    latest_ms: int = 0


class Exchange:
    """The exchange. `world` goes into every order and trade id, so that two worlds' ids differ.

    Of every currency: the cash of all accounts, their `session` and `funding`, `fees_collected` and
    `held`, less the cost of all open perpetuals and futures, never change in sum.
    """

    def __init__(self, world: str = "", delivery_fee: DeliveryFee | None = None) -> None:
        self.world = world
        self.delivery_fee = delivery_fee or DeliveryFee()
        self.listings: dict[str, Listing] = {}
        self.expired: dict[str, Expired] = {}
        self.numbers: dict[str, int] = {}  # of every instrument ever listed, by name
        self.currencies: dict[str, None] = {}  # of settlement, in order of listing
        self.index_names: dict[str, None] = {}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}  # open orders of all accounts
        self.outbox: list[Effect] = []
        self.fees_collected: dict[str, Decimal] = {}
        self.held: dict[str, Decimal] = {}  # funding and payoffs on their way, and their roundings
        self.cumulated_funding: dict[str, Decimal] = {}  # what longs have paid per unit of amount
        self.settlement_prices: dict[str, Decimal] = {}  # the mark when the last session ended
        self.delivery_prices: dict[str, list[tuple[int, Decimal]]] = {}  # by index: (ms, USD)
        self.settling_until_ms = 0
        self.halted: set[str] = set()  # instruments and price indices in which nobody trades now
        self._books: dict[str, Book] = {}
        self.counts = Counts()

    # -- what exists ---------------------------------------------------------------------------

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

    def terms(self, name: str) -> Listing:
        """The terms of an instrument that is listed or was; KeyError for any other."""
        found = self.listings.get(name)
        return found if found is not None else self.expired[name].listing

    def close(self, name: str, delivery: Decimal, now_ms: int, delivered: dict[str, None]) -> None:
        """End trading in an instrument at its `delivery` price (USD).

        Its orders are cancelled; `delivered` are the followed accounts that held it.
        """
        book = self.book(name)
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
        """The book of an instrument; it comes into being when first asked for."""
        book = self._books.get(name)
        if book is None:
            book = self._books[name] = Book(self.terms(name))
        return book

    def set_mark(
        self,
        name: str,
        mark: Decimal,
        *,
        index: Decimal,
        min_price: Decimal | None = None,
        max_price: Decimal | None = None,
        underlying: Decimal | None = None,
    ) -> None:
        """The mark (price unit), the index and the price band from now on.

        `underlying` is what an option's value follows, the index where not given; both in USD.
        """
        book = self.book(name)
        book.mark = mark
        book.index = index
        book.underlying = index if underlying is None else underlying
        book.min_price = min_price
        book.max_price = max_price

    def accrue_funding(self, name: str, per_unit: Decimal) -> None:
        """Longs of a perpetual owe `per_unit` more per unit of amount, shorts are owed it.

        In settlement currency; negative: the other way round.
        """
        self.cumulated_funding[name] = self.cumulated_funding.get(name, ZERO) + per_unit

    def hold(self, currency: str, amount: Decimal) -> None:
        """Money that accounts have paid and others have yet to be paid; negative: was paid."""
        self.held[currency] = self.held.get(currency, ZERO) + amount

    def collect_fee(self, currency: str, amount: Decimal) -> None:
        """A fee, or with a negative amount a rebate."""
        self.fees_collected[currency] = self.fees_collected.get(currency, ZERO) + amount

    def books(self) -> Iterable[Book]:
        """Every book there has been a reason for."""
        return self._books.values()

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
        if self.is_settling(account, now_ms):
            return _settling()
        if wish.name in self.expired:
            return Refusal(Code.BOOK_CLOSED, "the instrument has expired", "instrument_name")
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
        # A market order is charged at the mark, not at the end of the band it may reach.
        charged = book.mark if _is_market(wish) and book.mark else price
        if not self._is_covered(owner, book, wish.side, amount, charged, replaces=None):
            return _not_enough_funds()
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
            return Refusal(Code.TIMED_OUT, "valid_until has passed", "valid_until")
        order = owner.open_orders.get(edit.order_id)
        if order is None:
            return self._not_open(owner, edit.order_id)
        if self.is_settling(account, now_ms):
            return _settling()
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
        if not self._is_covered(owner, book, order.side, amount - order.filled, price, order):
            return _not_enough_funds()
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

    def position(self, account: str, name: str) -> Position:
        """The account's position in an instrument, flat if it has none."""
        return self.accounts[account].positions.get(name) or Position(self.terms(name))

    def is_settling(self, account: str, now_ms: int) -> bool:
        """Whether a settlement keeps the account from trading; the market's own just wait."""
        return now_ms < self.settling_until_ms and self.accounts[account].followed

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

    def funding_of(self, account: str, name: str) -> Decimal:
        """What the position has earned (+) or paid (-) this session, in settlement currency."""
        position = self.position(account, name)
        return position.funding + position.funding_due(self._cumulated(name))

    def session_funding(self, account: str, currency: str) -> Decimal:
        """The same of all the account's perpetuals, in `currency`."""
        owner = self.accounts[account]
        return owner.funding.get(currency, ZERO) + sum(
            (
                position.funding_due(self._cumulated(name))
                for name, position in owner.positions.items()
                if position.listing.settlement == currency
            ),
            ZERO,
        )

    def margin_balance(self, account: str, currency: str) -> Decimal:
        """What covers margin: cash, session profit and funding, open profit of the futures."""
        owner = self.accounts[account]
        return (
            owner.cash.get(currency, ZERO)
            + owner.session.get(currency, ZERO)
            + self.session_funding(account, currency)
            + self.session_unrealized(account, currency)
        )

    def equity(self, account: str, currency: str) -> Decimal:
        """The margin balance and what the options are worth at their marks."""
        return self.margin_balance(account, currency) + self.options_value(account, currency)

    def position_margin(self, position: Position) -> Margin:
        """What a position alone must be covered by."""
        return margin.of_position(
            position.listing, float(position.size), self._prices(position.listing.name)
        )

    def open_orders_margin(self, account: str, name: str) -> float:
        """What the open orders in one instrument add to the initial margin of the position."""
        owner = self.accounts[account]
        resting = self._resting(owner, self.terms(name).settlement).get(name, Resting())
        return self._initial(owner, name, resting) - self._initial(owner, name, Resting())

    def margin_of(self, account: str, currency: str) -> Margin:
        """What the account must be covered by: initial with its orders, maintenance without."""
        owner = self.accounts[account]
        resting = self._resting(owner, currency)
        initial = maintenance = 0.0
        for name, position in owner.positions.items():
            if position.listing.settlement == currency:
                maintenance += self.position_margin(position).maintenance
                resting.setdefault(name, Resting())
        for name, orders in resting.items():
            initial += self._initial(owner, name, orders)
        return Margin(initial, maintenance)

    # -- inside --------------------------------------------------------------------------------

    def _cumulated(self, name: str) -> Decimal:
        return self.cumulated_funding.get(name, ZERO)

    def _prices(self, name: str) -> Prices:
        book = self.book(name)
        return Prices(float(book.mark), float(book.underlying))

    def _initial(self, owner: Account, name: str, resting: Resting) -> float:
        position = owner.positions.get(name)
        size = float(position.size) if position is not None else 0.0
        return margin.initial_with_orders(self.terms(name), size, resting, self._prices(name))

    def _resting(self, owner: Account, currency: str) -> dict[str, Resting]:
        found: dict[str, Resting] = {}
        for order in owner.open_orders.values():
            orders = found.get(order.name)
            if orders is None:
                if self.listings[order.name].settlement != currency:
                    continue
                orders = found[order.name] = Resting()
            orders.add(order.side, float(order.open_amount), float(order.price))
        return found

    def _is_covered(
        self,
        owner: Account,
        book: Book,
        side: Side,
        amount: Decimal,
        price: Decimal,
        replaces: Order | None,
    ) -> bool:
        """Whether the account can afford an order (`amount` open), or needs no more than before."""
        if not owner.followed:
            return True
        listing = book.listing
        before, after = Resting(), Resting()
        for order in owner.open_orders.values():
            if order.name == listing.name:
                open_amount, at = float(order.open_amount), float(order.price)
                before.add(order.side, open_amount, at)
                if order is not replaces:
                    after.add(order.side, open_amount, at)
        after.add(side, float(amount), float(price))
        more = self._initial(owner, listing.name, after) - self._initial(
            owner, listing.name, before
        )
        if more <= 0:
            return True
        currency = listing.settlement
        needed = self.margin_of(owner.name, currency).initial + more
        return needed <= float(self.margin_balance(owner.name, currency))

    def _not_before(self, now_ms: int) -> int:
        # The market acts on a grid of times, accounts in between: the tape still reads in order.
        self.counts.latest_ms = max(self.counts.latest_ms, now_ms)
        return self.counts.latest_ms

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
        self._settle(book, taker, public, listing.taker_fee, request)
        self._settle(book, maker, public, listing.maker_fee, request)

    def _settle(
        self, book: Book, order: Order, public: Print, rate: Decimal, request: _Request
    ) -> None:
        listing = book.listing
        owner = self.accounts[order.account]
        signed = public.amount if order.side is Side.BUY else -public.amount
        held_before = self.position(owner.name, listing.name).size
        booked = owner.settle_trade(
            listing, signed, public.price, rate, public.index, self._cumulated(listing.name)
        )
        currency = listing.settlement
        self.collect_fee(currency, booked.fee)
        self.hold(currency, -booked.funding)
        is_maker = order.side is not public.side
        if not owner.followed and is_maker:
            return
        trade = UserTrade(
            public,
            order.order_id,
            order.label,
            order.side,
            is_maker,
            booked.fee,
            currency,
            booked.realized,
            order.type,
            order.state,
            order.post_only,
            order.reduce_only,
        )
        request.trades.setdefault(owner.name, []).append(trade)
        if owner.followed:
            owner.remember(trade)
            opens = "close" if held_before * signed < 0 else "open"
            self.record(
                owner,
                listing,
                EntryType.TRADE,
                request.now_ms,
                booked,
                side=f"{opens} {order.side.value}",
                amount=public.amount,
                price=public.price,
                mark=public.mark,
                index=public.index,
                trade=trade,
            )

    def record(
        self,
        owner: Account,
        listing: Listing,
        type: EntryType,
        now_ms: int,
        booked: Booked,
        *,
        side: str,
        amount: Decimal,
        price: Decimal,
        mark: Decimal,
        index: Decimal,
        trade: UserTrade | None = None,
        settled_funding: Decimal | None = None,
    ) -> None:
        """Enter what was just booked in the account's transaction log."""
        self.counts.entries += 1
        owner.log_count += 1
        currency = listing.settlement
        position = owner.positions.get(listing.name)
        funding = settled_funding
        if funding is None and listing.kind is Kind.PERPETUAL:
            funding = self.funding_of(owner.name, listing.name)
        owner.log.append(
            Entry(
                id=self.counts.entries,
                user_seq=owner.log_count,
                time_ms=now_ms,
                type=type,
                name=listing.name,
                currency=currency,
                side=side,
                amount=amount,
                position=position.size if position is not None else ZERO,
                price=price,
                mark=mark,
                index=index,
                cashflow=booked.cashflow,
                change=booked.change,
                balance=owner.cash.get(currency, ZERO),
                equity=self.equity(owner.name, currency),
                commission=booked.fee,
                interest_pl=settled_funding,
                total_interest_pl=funding,
                session_rpl=booked.realized if type is EntryType.SETTLEMENT else None,
                trade_id=trade.public.trade_id if trade is not None else None,
                order_id=trade.order_id if trade is not None else None,
                is_maker=trade.is_maker if trade is not None else None,
            )
        )

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


def _not_enough_funds() -> Refusal:
    return Refusal(Code.NOT_ENOUGH_FUNDS, "the order needs more than the available funds")


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
