"""Orders of three accounts in an option and a perpetual, for the tests of the exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.exchange.requests import NewOrder, Placed
from tests.wire.venue import OPTION, PERPETUAL, option, perpetual

D = Decimal


def an_exchange(**listing_changes: Any) -> Exchange:
    """One option, one perpetual; accounts ann, bob and cyn with 100 ETH each."""
    exchange = Exchange()
    exchange.list(option(OPTION, **listing_changes))
    exchange.list(perpetual())
    for name in ("ann", "bob", "cyn"):
        exchange.open_account(name, {"ETH": D(100)})
    for name, mark in ((OPTION, "0.03"), (PERPETUAL, "2500")):
        exchange.set_mark(name, D(mark), index=D(2500))
    return exchange


def wish(side: Side, amount: str, price: str | None, **changes: Any) -> NewOrder:
    terms: dict[str, Any] = {
        "name": OPTION,
        "side": side,
        "amount": D(amount),
        "price": None if price is None else D(price),
    }
    return NewOrder(**(terms | changes))


def bid(amount: str, price: str, **changes: Any) -> NewOrder:
    return wish(Side.BUY, amount, price, **changes)


def ask(amount: str, price: str, **changes: Any) -> NewOrder:
    return wish(Side.SELL, amount, price, **changes)


def placed(exchange: Exchange, account: str, order: NewOrder, now_ms: int = 0) -> Placed:
    answer = exchange.place(account, order, now_ms)
    assert isinstance(answer, Placed), answer
    return answer


def refused(answer: object) -> Code:
    assert isinstance(answer, Refusal), answer
    return answer.code


def best(exchange: Exchange, name: str = OPTION) -> tuple[str | None, str | None]:
    book = exchange.book(name)
    bid_level, ask_level = book.best_bid, book.best_ask
    return (
        str(bid_level.price) if bid_level else None,
        str(ask_level.price) if ask_level else None,
    )
