"""The clearing house: what every account holds and owes, what it is worth, and what covers it.

Theory of operation
-------------------
1. Trades, settlements and deliveries are booked in `Account`; the other side of every booking is
   another account, `fees_collected` or `held`, so money is only ever moved.
2. Worth is told at the marks, which the market sets with the books.
3. Margin is asked for before an order enters a book (`is_covered`), never afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from mmbot.sim.exchange import margin
from mmbot.sim.exchange.accounts import Account, Booked, Position, Print, SelfTrade, UserTrade
from mmbot.sim.exchange.book import CHANGE_ID_FIRST, Book
from mmbot.sim.exchange.ledger import Entry, EntryType
from mmbot.sim.exchange.listing import (
    ZERO,
    Charge,
    Expired,
    Kind,
    Listing,
    Side,
    fee,
    value,
)
from mmbot.sim.exchange.margin import Margin, Prices, Resting
from mmbot.sim.exchange.orders import Order
from mmbot.sim.exchange.rules import VenueRules


@dataclass(slots=True)
class Counts:
    """How much there has been so far: what ids are made of."""

    changes: int = CHANGE_ID_FIRST
    orders: int = 0
    trades: int = 0
    entries: int = 0
    latest_ms: int = 0


class ClearingHouse:
    """All accounts, and the terms and marks of what they hold.

    Of every currency: the cash of all accounts, their `session` and `funding`, `fees_collected` and
    `held`, less the cost of all open perpetuals and futures, never change in sum.
    """

    def __init__(self, rules: VenueRules | None = None) -> None:
        self.rules = rules or VenueRules()
        self.listings: dict[str, Listing] = {}
        self.expired: dict[str, Expired] = {}
        self.accounts: dict[str, Account] = {}
        self.fees_collected: dict[str, Decimal] = {}
        self.held: dict[str, Decimal] = {}  # funding and payoffs on their way, and their roundings
        self.cumulated_funding: dict[str, Decimal] = {}  # what longs have paid per unit of amount
        self.settlement_prices: dict[str, Decimal] = {}  # the mark when the last session ended
        self.delivery_prices: dict[str, list[tuple[int, Decimal]]] = {}  # by index: (ms, USD)
        self.counts = Counts()
        self._books: dict[str, Book] = {}

    # -- accounts, terms and marks -------------------------------------------------------------

    def open_account(
        self,
        name: str,
        balances: Mapping[str, Decimal],
        *,
        followed: bool = True,
        self_trade: SelfTrade | None = None,
    ) -> Account:
        """Open an account with cash per currency.

        `followed`: somebody listens to it and may ask for its history; the market's own accounts
        are opened without, which makes them cheaper. `self_trade`: None as the rules have it.
        """
        assert name not in self.accounts, f"account {name} exists already"
        account = Account(name, followed, self_trade or self.rules.self_trade, dict(balances))
        self.accounts[name] = account
        return account

    def terms(self, name: str) -> Listing:
        """The terms of an instrument that is listed or was; KeyError for any other."""
        found = self.listings.get(name)
        return found if found is not None else self.expired[name].listing

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

    # -- what an account holds and is worth -----------------------------------------------------

    def position(self, account: str, name: str) -> Position:
        """The account's position in an instrument, flat if it has none."""
        return self.accounts[account].positions.get(name) or Position(self.terms(name))

    def open_interest(self, name: str) -> Decimal:
        """The sum of all long positions, in the listing's amount unit."""
        total = ZERO
        for account in self.accounts.values():
            held = account.positions.get(name)
            if held is not None and held.size > 0:
                total += held.size
        return total

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
            position.listing,
            float(position.size),
            self._prices(position.listing.name),
            self.rules.margin,
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

    def is_covered(
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

    # -- bookings --------------------------------------------------------------------------------

    def clear(
        self, owner: Account, listing: Listing, order: Order, public: Print, charge: Charge
    ) -> UserTrade | None:
        """Book one account's side of a trade, its fee by the `charge`.

        Returns the trade as that account sees it; None for a maker that nobody follows.
        """
        signed = public.amount if order.side is Side.BUY else -public.amount
        held_before = self.position(owner.name, listing.name).size
        booked = self._settle_trade(owner, listing, signed, public, _owed(listing, public, charge))
        currency = listing.settlement
        self.collect_fee(currency, booked.fee)
        self.hold(currency, -booked.funding)
        is_maker = order.side is not public.side
        if not owner.followed and is_maker:
            return None
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
        if owner.followed:
            owner.remember(trade)
            opens = "close" if held_before * signed < 0 else "open"
            self.record(
                owner,
                listing,
                EntryType.TRADE,
                public.time_ms,
                booked,
                side=f"{opens} {order.side.value}",
                amount=public.amount,
                price=public.price,
                mark=public.mark,
                index=public.index,
                trade=trade,
                settled_funding=booked.settled_funding,
            )
        return trade

    def take_back(
        self, owner: Account, listing: Listing, side: Side, public: Print, charge: Charge
    ) -> None:
        """Undo one account's side of a trade, with the fee it paid by the `charge`."""
        signed = -public.amount if side is Side.BUY else public.amount
        booked = self._settle_trade(owner, listing, signed, public, ZERO)
        self.hold(listing.settlement, -booked.funding)
        paid = _owed(listing, public, charge)
        owner.cash[listing.settlement] = owner.cash.get(listing.settlement, ZERO) + paid
        self.collect_fee(listing.settlement, -paid)

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

    # -- inside --------------------------------------------------------------------------------

    def _settle_trade(
        self, owner: Account, listing: Listing, signed: Decimal, public: Print, owed: Decimal
    ) -> Booked:
        cumulated = self._cumulated(listing.name)
        booked = owner.settle_trade(listing, signed, public.price, owed, cumulated)
        if listing.kind is Kind.OPTION or not self.rules.realizes_at_once:
            return booked
        position = owner.position(listing)
        funding = position.funding
        paid = owner.settle_session(position, cumulated).change
        return replace(
            booked,
            change=booked.change + paid,
            cashflow=booked.cashflow + paid - funding,
            settled_funding=funding,
        )

    def _cumulated(self, name: str) -> Decimal:
        return self.cumulated_funding.get(name, ZERO)

    def _prices(self, name: str) -> Prices:
        book = self.book(name)
        return Prices(float(book.mark), float(book.underlying))

    def _initial(self, owner: Account, name: str, resting: Resting) -> float:
        position = owner.positions.get(name)
        size = float(position.size) if position is not None else 0.0
        return margin.initial_with_orders(
            self.terms(name), size, resting, self._prices(name), self.rules.margin
        )

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


def _owed(listing: Listing, public: Print, charge: Charge) -> Decimal:
    """The whole fee of one side of a trade, in settlement currency."""
    by_rate = fee(listing, public.amount, public.price, charge.rate, public.index, public.mark)
    return charge.base + by_rate
