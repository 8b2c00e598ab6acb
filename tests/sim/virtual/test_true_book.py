"""A book followed change by change: its tops of late, and no others."""

from decimal import Decimal

from mmbot.sim.exchange.effects import BookDelta
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.requests import NewOrder
from mmbot.sim.market.market import START_MS
from mmbot.sim.virtual.true_book import KEPT, TrueBook
from mmbot.sim.virtual.world import listing_of

NAME = "ETH-PERPETUAL"


def test_what_it_was_is_known_and_what_it_never_was_is_not() -> None:
    exchange = Exchange()
    exchange.list(listing_of(NAME, START_MS))
    exchange.open_account("maker", {"ETH": Decimal(1_000)})

    def rest(side: Side, price: int) -> None:
        wish = NewOrder(name=NAME, side=side, amount=Decimal(10), price=Decimal(price))
        exchange.place("maker", wish, START_MS)

    rest(Side.BUY, 2_800)
    book = TrueBook(exchange.book(NAME))
    exchange.drain()
    rest(Side.SELL, 2_900)
    rest(Side.BUY, 2_850)
    exchange.cancel_all("maker", START_MS, name=NAME)
    for effect in exchange.drain():
        if isinstance(effect, BookDelta):
            book.move(effect)
    assert list(book.lately) == [
        (2_800.0, None),
        (2_800.0, 2_900.0),
        (2_850.0, 2_900.0),
        (2_850.0, None),  # one by one, the oldest first
        (None, None),
    ]


def test_what_was_long_ago_is_forgotten() -> None:
    exchange = Exchange()
    exchange.list(listing_of(NAME, START_MS))
    book = TrueBook(exchange.book(NAME))
    for number in range(2 * KEPT):
        change = [("new", Decimal(number + 1), Decimal(1))]
        book.move(BookDelta(NAME, 1, number, number + 1, change, []))
    assert len(book.lately) == KEPT
    assert (1.0, None) not in book.lately
    assert (float(2 * KEPT), None) in book.lately
