"""Whether an order may enter a book, and at what price: the venue's rules about one order.

Nothing here changes anything; `matching.py` asks before it carries a request out.
"""

from __future__ import annotations

from decimal import Decimal

from mmbot.sim.exchange.accounts import Account
from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.listing import ZERO, Side
from mmbot.sim.exchange.orders import Order
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.exchange.requests import NewOrder


def check_terms(
    book: Book, side: Side, price: Decimal, amount: Decimal, *, is_market: bool, banded: bool
) -> Refusal | None:
    """Why that price and amount are refused in any case; None where they are not. `banded`: a price
    beyond the band is."""
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
    if not banded:
        return None
    if side is Side.BUY and book.max_price is not None and price > book.max_price:
        return Refusal(Code.PRICE_TOO_HIGH, f"must be at most {book.max_price}", "price")
    if side is Side.SELL and book.min_price is not None and price < book.min_price:
        return Refusal(Code.PRICE_TOO_LOW, f"must be at least {book.min_price}", "price")
    return None


def limit_of(book: Book, wish: NewOrder) -> Decimal | Refusal:
    """The worst price the order may trade at."""
    if not wish.is_market:
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


def post_only_price(book: Book, side: Side, price: Decimal, *, rejects: bool) -> Decimal | None:
    """Where a post-only order rests; None where it is refused, as one that `rejects` does
    whenever it would trade at `price`."""
    moved = off_the_touch(book, side, price)
    return None if rejects and moved != price else moved


def off_the_touch(book: Book, side: Side, price: Decimal) -> Decimal | None:
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


def meets_own(book: Book, account: str, side: Side, price: Decimal, amount: Decimal) -> bool:
    """Whether an order would trade with the account's own."""
    for level in book.side(side.opposite).from_best():
        if not crosses(side, price, level.price):
            return False
        for resting in level.orders.values():
            if amount <= 0:
                return False
            if resting.account == account:
                return True
            amount -= resting.open_amount
    return False


def fillable(book: Book, order: Order) -> bool:
    """Whether an order would be filled whole at once."""
    missing = order.open_amount
    for level in book.side(order.side.opposite).from_best():
        if not crosses(order.side, order.price, level.price):
            break
        for resting in level.orders.values():
            if resting.account != order.account:
                missing -= resting.open_amount
        if missing <= 0:
            return True
    return False


def crosses(side: Side, limit: Decimal, resting: Decimal) -> bool:
    """Whether an order with that limit trades with a resting one of the other side."""
    return resting <= limit if side is Side.BUY else resting >= limit


def reducible(owner: Account, name: str, side: Side) -> Decimal:
    """How much an order of that side can take off the account's position."""
    position = owner.positions.get(name)
    if position is None:
        return ZERO
    return max(-position.size * side.sign, ZERO)
