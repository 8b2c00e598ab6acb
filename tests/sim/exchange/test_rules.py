"""What an exchange's rules decide, one rule a test; the defaults are tested where they apply."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mmbot.sim.exchange.accounts import SelfTrade
from mmbot.sim.exchange.listing import Right, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import OrderState
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from mmbot.sim.exchange.rules import Family, FutureTerms, Period, VenueRules
from mmbot.sim.market.chain import Expiry, future, listings, option, perpetual
from mmbot.sim.market.market import START_MS, Market
from tests.sim.products import CALL, COINS, ETH, FRIDAY

D = Decimal
EIGHT_MS = 1_748_937_600_000  # 2025-06-03T08:00:00Z, the first settlement after the start


def an_exchange(rules: VenueRules) -> Exchange:
    exchange = Exchange(rules=rules)
    exchange.list(CALL)
    exchange.set_mark(CALL.name, D("0.03"), index=D(2500))
    for name in ("ann", "bob"):
        exchange.open_account(name, COINS)
    return exchange


def wished(
    exchange: Exchange, account: str, side: Side, price: str, *, post_only: bool = False
) -> object:
    wish = NewOrder(name=CALL.name, side=side, amount=D(1), price=D(price), post_only=post_only)
    return exchange.place(account, wish, 0)


def test_an_account_treats_its_own_orders_as_the_rules_say_unless_it_is_told_otherwise() -> None:
    exchange = an_exchange(VenueRules(self_trade=SelfTrade.REJECT_TAKER))
    exchange.open_account("cyn", COINS, self_trade=SelfTrade.CANCEL_MAKER)
    for account, refuses in (("ann", True), ("cyn", False)):
        first = wished(exchange, account, Side.SELL, "0.03")
        assert isinstance(first, Placed)
        second = wished(exchange, account, Side.BUY, "0.03")
        assert isinstance(second, Refusal) is refuses
        assert (first.order.state is OrderState.OPEN) is refuses
        exchange.cancel_all(account, 0)


def test_where_post_only_does_not_slide_placing_and_editing_are_refused() -> None:
    exchange = an_exchange(VenueRules(post_only_slides=False))
    wished(exchange, "ann", Side.SELL, "0.03")
    refused = wished(exchange, "bob", Side.BUY, "0.03", post_only=True)
    assert isinstance(refused, Refusal)
    assert refused.code is Code.POST_ONLY_REJECT
    rests = wished(exchange, "bob", Side.BUY, "0.02", post_only=True)
    assert isinstance(rests, Placed)
    edited = exchange.edit("bob", Edit(order_id=rests.order.order_id, price=D("0.03")), 0)
    assert isinstance(edited, Refusal)
    assert edited.code is Code.POST_ONLY_REJECT


def test_fees_are_the_contracts_own() -> None:
    terms = replace(ETH.options, maker_fee=D("0.0001"), taker_fee=D("0.0007"))
    coin = FutureTerms(
        contract=D(1),
        tick=D("0.05"),
        maker_fee=D("0.0002"),
        weekly_maker_fee=D("0.0004"),
        taker_fee=D("0.0006"),
    )
    family: Family = replace(ETH, options=terms, perpetual=coin)
    monthly = Expiry(1_751_011_200_000, Period.MONTH)  # 2025-06-27
    listed = [
        option(family, FRIDAY, D(2500), Right.CALL, 0),
        perpetual(family, 0),
        future(family, FRIDAY, 0),
        future(family, monthly, 0),
    ]
    assert [(str(one.maker_fee), str(one.taker_fee)) for one in listed] == [
        ("0.0001", "0.0007"),
        ("0.0002", "0.0006"),
        ("0.0004", "0.0006"),
        ("0.0002", "0.0006"),
    ]


def test_a_market_lists_the_families_of_its_exchange() -> None:
    exchange = Exchange(rules=VenueRules(families=(ETH,)))
    market = Market(exchange, 1)
    wanted = listings(ETH, market.prices()["ETH"], START_MS)
    assert list(exchange.listings.values()) == list(wanted)


def test_trading_pauses_after_a_settlement_as_long_as_the_rules_say() -> None:
    for pause_ms in (1, 7_000):
        exchange = Exchange(rules=VenueRules(families=(ETH,), settlement_pause_ms=pause_ms))
        market = Market(exchange, 1, EIGHT_MS - 1_000)
        exchange.open_account("ann", COINS)
        market.advance(EIGHT_MS)
        assert exchange.is_settling("ann", EIGHT_MS + pause_ms - 1)
        assert not exchange.is_settling("ann", EIGHT_MS + pause_ms)


def test_markets_of_one_seed_have_one_price_and_a_crowd_each() -> None:
    """As exchanges of one world do: what is traded in one changes no price of the other."""
    one, other = (Market(Exchange(rules=VenueRules(families=(ETH,))), 3, crowd=c) for c in "ab")
    for market in (one, other):
        market.watch("ETH-PERPETUAL")
    other.watch("ETH-6JUN25")
    for _ in range(20):
        for market in (one, other):
            market.advance(market.now_ms + 1_000)
        assert one.prices() == other.prices()
        assert one.index("eth_usd") == other.index("eth_usd")
    books = [market.exchange.book("ETH-PERPETUAL") for market in (one, other)]
    assert all(book.trade_seq for book in books), "both crowds trade"
    assert books[0].trade_seq != books[1].trade_seq
