"""What happens at 08:00 UTC: what expires is delivered, then the session of everything else ends.

Theory of operation
-------------------
1. `deliver` ends one instrument: every account's position is closed at the delivery price (an
   option pays off, a future is closed out), the orders are cancelled, the book closes.
2. `settle_session` turns what perpetuals and futures have realized since the last session, and
   their funding, into cash. Entry prices and open profit stay as they are.
3. Neither makes or loses money: what one side is paid, `Exchange.held` has taken from the other; a
   few roundings of `MONEY_STEP` are all that ever stays there.
"""

from __future__ import annotations

from decimal import Decimal

from mmbot.sim.exchange.accounts import Account, Position
from mmbot.sim.exchange.ledger import EntryType, Settlement
from mmbot.sim.exchange.listing import MONEY_STEP, ZERO, DeliveryFee, Kind, Listing, payoff, value
from mmbot.sim.exchange.matching import Exchange


def delivery_fee(terms: DeliveryFee, listing: Listing, size: Decimal, delivery: Decimal) -> Decimal:
    """What the delivery of `size` (signed) at `delivery` (USD) costs, in settlement currency."""
    if listing.kind is not Kind.OPTION:
        return ZERO
    if terms.dailies_free and listing.settlement_period == "day":
        return ZERO
    per_unit = terms.rate if listing.inverse else terms.rate * delivery
    owed = abs(size) * min(per_unit, terms.cap * payoff(listing, delivery))
    return owed.quantize(MONEY_STEP)


def deliver(exchange: Exchange, name: str, delivery: Decimal, now_ms: int) -> None:
    """End a listed instrument at its delivery price (USD)."""
    listing = exchange.listings[name]
    delivered: dict[str, None] = {}
    for account in exchange.accounts.values():
        position = account.positions.get(name)
        if position is None:
            continue
        held = bool(position.size)
        _deliver_position(exchange, account, position, delivery, now_ms)
        if held and account.followed:
            delivered[account.name] = None
    exchange.close(listing.name, delivery, now_ms, delivered)


def _deliver_position(
    exchange: Exchange, account: Account, position: Position, delivery: Decimal, now_ms: int
) -> None:
    listing = position.listing
    size = position.size
    worth = payoff(listing, delivery)
    owed = delivery_fee(exchange.rules.delivery_fee, listing, size, delivery)
    exchange.hold(listing.settlement, -value(listing, size, worth))
    exchange.collect_fee(listing.settlement, owed)
    open_profit = position.unrealized(worth)
    booked = account.deliver(position, delivery, owed)
    if not account.followed or not (size or booked.change):
        return
    exchange.record(
        account,
        listing,
        EntryType.DELIVERY,
        now_ms,
        booked,
        side="close sell" if size > 0 else "close buy",
        amount=abs(size),
        price=worth,
        mark=worth,
        index=delivery,
    )
    account.settlements.append(
        Settlement(
            time_ms=now_ms,
            type=EntryType.DELIVERY,
            name=listing.name,
            currency=listing.settlement,
            position=size,
            session_profit=booked.realized,
            profit=open_profit,
            funding=ZERO,
            mark=worth,
            index=delivery,
        )
    )


def settle_session(exchange: Exchange, now_ms: int) -> None:
    """End the session of every perpetual and future at its mark; flat positions are forgotten."""
    for name, listing in exchange.listings.items():
        if listing.kind is not Kind.OPTION and exchange.book(name).mark:
            exchange.settlement_prices[name] = exchange.book(name).mark
    for account in exchange.accounts.values():
        for name, position in list(account.positions.items()):
            if position.listing.kind is Kind.OPTION:
                position.realized = ZERO
            else:
                _settle_position(exchange, account, position, now_ms)
            if not position.size:
                del account.positions[name]


def _settle_position(exchange: Exchange, account: Account, position: Position, now_ms: int) -> None:
    listing = position.listing
    book = exchange.book(listing.name)
    if exchange.rules.settles_open and position.size and book.mark:
        account.realize_open(position, book.mark)
    cumulated = exchange.cumulated_funding.get(listing.name, ZERO)
    funding = position.funding + position.funding_due(cumulated)
    booked = account.settle_session(position, cumulated)
    exchange.hold(listing.settlement, -booked.funding)
    if not account.followed or not (position.size or booked.change):
        return
    size = position.size
    exchange.record(
        account,
        listing,
        EntryType.SETTLEMENT,
        now_ms,
        booked,
        side="long" if size > 0 else "short" if size < 0 else "-",
        amount=abs(size),
        price=book.mark,
        mark=book.mark,
        index=book.index,
        settled_funding=funding,
    )
    account.settlements.append(
        Settlement(
            time_ms=now_ms,
            type=EntryType.SETTLEMENT,
            name=listing.name,
            currency=listing.settlement,
            position=size,
            session_profit=booked.change,
            profit=booked.realized + position.unrealized(book.mark),
            funding=funding,
            mark=book.mark,
            index=book.index,
        )
    )
