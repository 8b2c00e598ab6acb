"""A world that can be stopped and started again: its exchanges and their accounts as a file.

Kept are the listings, what every account owns and remembers, the open orders of the followed ones,
and the counts that ids are made of. The market's own makers quote anew, and prices go on from where
they were; their volatility and the crowd's mood are drawn anew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from mmbot.sim.exchange.accounts import LOG_KEPT, Account, Position, SelfTrade, UserTrade
from mmbot.sim.exchange.clearing import Counts
from mmbot.sim.exchange.ledger import Entry, Settlement
from mmbot.sim.exchange.listing import Expired, Listing, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason, Order, OrderState, OrderType, TimeInForce
from mmbot.sim.exchange.rules import VenueRules

VERSION: Final = 1


class BadState(ValueError):
    """The text is no saved venue; the message says why in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedOrder:
    """`Order` without its place in the queue."""

    order_id: str
    account: str
    name: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: Decimal
    amount: Decimal
    label: str
    post_only: bool
    reject_post_only: bool
    reduce_only: bool
    created_ms: int
    updated_ms: int
    filled: Decimal
    paid: Decimal
    state: OrderState
    replaced: bool
    cancel_reason: CancelReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPosition:
    """`Position`, its listing by name."""

    name: str
    size: Decimal
    cost: Decimal
    realized: Decimal
    funding: Decimal
    funded: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAccount:
    """`Account`; `orders` are the open ones, longest unchanged first."""

    name: str
    followed: bool
    self_trade: SelfTrade
    cash: dict[str, Decimal]
    session: dict[str, Decimal]
    funding: dict[str, Decimal]
    positions: list[SavedPosition]
    orders: list[SavedOrder]
    closed_orders: list[SavedOrder]
    trades: list[UserTrade]
    log: list[Entry]
    log_count: int
    settlements: list[Settlement]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedBook:
    """What a book remembers beside its orders."""

    name: str
    trade_seq: int
    last_price: Decimal | None
    last_tick_direction: int
    mark: Decimal
    index: Decimal
    underlying: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedExchange:
    """`Exchange`."""

    world: str
    counts: Counts
    listings: list[Listing]
    expired: list[Expired]
    numbers: dict[str, int]
    currencies: list[str]
    index_names: list[str]
    accounts: list[SavedAccount]
    books: list[SavedBook]
    fees_collected: dict[str, Decimal]
    held: dict[str, Decimal]
    cumulated_funding: dict[str, Decimal]
    settlement_prices: dict[str, Decimal]
    delivery_prices: dict[str, list[tuple[int, Decimal]]]
    settling_until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedVenue:
    """A whole world. `time_ms` is its own clock, `wall_ms` the machine's, when it stopped.

    `exchange` is that of `kind`, `others` are those of other kinds; `accounts` says which account
    was behind which name. A file that has none of these is of one exchange with one account.
    """

    version: int
    seed: int
    restarts: int
    time_ms: int
    wall_ms: int
    prices: dict[str, float]  # of the coins, in USD
    exchange: SavedExchange
    user_trades: dict[str, list[dict[str, Any]]]  # by account, as they went out
    kind: str = ""
    others: dict[str, SavedExchange] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)


def encode(saved: SavedVenue) -> bytes:
    """As JSON; decimals are texts."""
    return TypeAdapter(SavedVenue).dump_json(saved)


def decode(text: bytes) -> SavedVenue:
    """Raises `BadState` where the text is anything but a venue of this version."""
    try:
        saved = TypeAdapter(SavedVenue).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadState(f"{where + ': ' if where else ''}{first['msg']}") from None
    if saved.version != VERSION:
        raise BadState(f"it is of version {saved.version}, this program reads {VERSION}")
    return saved


def save_exchange(exchange: Exchange) -> SavedExchange:
    """The exchange as it stands."""
    return SavedExchange(
        world=exchange.world,
        counts=exchange.counts,
        listings=list(exchange.listings.values()),
        expired=list(exchange.expired.values()),
        numbers=exchange.numbers,
        currencies=list(exchange.currencies),
        index_names=list(exchange.index_names),
        accounts=[_save_account(account) for account in exchange.accounts.values()],
        books=[
            SavedBook(
                name=book.listing.name,
                trade_seq=book.trade_seq,
                last_price=book.last_price,
                last_tick_direction=book.last_tick_direction,
                mark=book.mark,
                index=book.index,
                underlying=book.underlying,
            )
            for book in exchange.books()
        ],
        fees_collected=exchange.fees_collected,
        held=exchange.held,
        cumulated_funding=exchange.cumulated_funding,
        settlement_prices=exchange.settlement_prices,
        delivery_prices=exchange.delivery_prices,
        settling_until_ms=exchange.settling_until_ms,
    )


def restore_exchange(saved: SavedExchange, rules: VenueRules, *, with_orders: bool) -> Exchange:
    """An exchange as it stood; without its orders they are cancelled as if all lines had broken."""
    exchange = Exchange(saved.world, rules)
    exchange.counts = saved.counts
    exchange.listings = {listing.name: listing for listing in saved.listings}
    exchange.expired = {one.listing.name: one for one in saved.expired}
    exchange.numbers = saved.numbers
    exchange.currencies = dict.fromkeys(saved.currencies)
    exchange.index_names = dict.fromkeys(saved.index_names)
    exchange.fees_collected = saved.fees_collected
    exchange.held = saved.held
    exchange.cumulated_funding = saved.cumulated_funding
    exchange.settlement_prices = saved.settlement_prices
    exchange.delivery_prices = saved.delivery_prices
    exchange.settling_until_ms = saved.settling_until_ms
    for known in saved.books:
        book = exchange.book(known.name)
        book.trade_seq = known.trade_seq
        book.last_price = known.last_price
        book.last_tick_direction = known.last_tick_direction
        book.mark = known.mark
        book.index = known.index
        book.underlying = known.underlying
    for owner in saved.accounts:
        exchange.accounts[owner.name] = _restore_account(exchange, owner)
        for one in owner.orders:
            exchange.resume(_restore_order(one))
            if not with_orders:
                exchange.cancel(owner.name, one.order_id, one.updated_ms, CancelReason.DISCONNECT)
    exchange.drain()  # nobody is there to be told
    return exchange


def _save_account(account: Account) -> SavedAccount:
    # The market's own accounts place their orders anew.
    orders = account.open_orders.values() if account.followed else ()
    return SavedAccount(
        name=account.name,
        followed=account.followed,
        self_trade=account.self_trade,
        cash=account.cash,
        session=account.session,
        funding=account.funding,
        positions=[
            SavedPosition(
                name=name,
                size=position.size,
                cost=position.cost,
                realized=position.realized,
                funding=position.funding,
                funded=position.funded,
            )
            for name, position in account.positions.items()
        ],
        orders=[_save_order(one) for one in sorted(orders, key=lambda one: one.updated_ms)],
        closed_orders=[_save_order(one) for one in account.closed_orders.values()],
        trades=account.trades,
        log=list(account.log),
        log_count=account.log_count,
        settlements=list(account.settlements),
    )


def _restore_account(exchange: Exchange, saved: SavedAccount) -> Account:
    closed = {one.order_id: _restore_order(one) for one in saved.closed_orders}
    return Account(
        name=saved.name,
        followed=saved.followed,
        self_trade=saved.self_trade,
        cash=saved.cash,
        session=saved.session,
        funding=saved.funding,
        positions={
            one.name: Position(
                exchange.terms(one.name), one.size, one.cost, one.realized, one.funding, one.funded
            )
            for one in saved.positions
        },
        closed_orders=closed,
        closed_ids=deque(closed),
        trades=saved.trades,
        log=deque(saved.log, maxlen=LOG_KEPT),
        log_count=saved.log_count,
        settlements=deque(saved.settlements, maxlen=LOG_KEPT),
    )


_ORDER_FIELDS: Final = tuple(one.name for one in fields(SavedOrder))


def _save_order(order: Order) -> SavedOrder:
    return SavedOrder(**{name: getattr(order, name) for name in _ORDER_FIELDS})


def _restore_order(saved: SavedOrder) -> Order:
    return Order(**{name: getattr(saved, name) for name in _ORDER_FIELDS})
