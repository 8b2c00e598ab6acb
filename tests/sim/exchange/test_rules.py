"""What an exchange's rules decide, one rule a test; the defaults are tested where they apply."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mmbot.sim.exchange.accounts import SelfTrade
from mmbot.sim.exchange.listing import FeeBasis, Right, Side
from mmbot.sim.exchange.margin import MarginTerms
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import OrderState
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from mmbot.sim.exchange.rules import Dates, Family, FutureTerms, Ids, Names, Period, VenueRules
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


def a_perpetual(fee_basis: FeeBasis | None = None, **rules: object) -> Exchange:
    """A linear perpetual at 2,000 with an index of 2,010, and two accounts that trade it."""
    coin = FutureTerms(
        contract=D("0.1"), tick=D(1), taker_fee=D("0.001"), fee_basis=fee_basis or FeeBasis()
    )
    family = replace(ETH, prefix="ETH_USDC", settlement="USDC", perpetual=coin)
    exchange = Exchange(rules=VenueRules(families=(family,), **rules))  # type: ignore[arg-type]
    exchange.list(perpetual(family, 0))
    exchange.set_mark(LINEAR, D(2_000), index=D(2_010))
    for name in ("ann", "bob"):
        exchange.open_account(name, COINS)
    return exchange


LINEAR = "ETH_USDC-PERPETUAL"


def traded(exchange: Exchange, side: Side, amount: str, price: str) -> Placed:
    """Ann takes what bob offers, in two parts."""
    half = D(amount) / 2
    for _ in range(2):
        wish = NewOrder(name=LINEAR, side=side.opposite, amount=half, price=D(price))
        assert isinstance(exchange.place("bob", wish, 0), Placed)
    taken = exchange.place(
        "ann", NewOrder(name=LINEAR, side=side, amount=D(amount), price=D(price)), 0
    )
    assert isinstance(taken, Placed)
    return taken


def test_a_fee_is_counted_from_the_index_and_an_order_costs_something_itself() -> None:
    basis = FeeBasis(base=D("0.5"), at_index=True)
    taken = traded(a_perpetual(basis), Side.BUY, "2", "2000")
    # 0.001 x 2,010 of each coin, and 0.5 for the order, with its first trade.
    assert [one.fee for one in taken.trades] == [D("2.51"), D("2.01")]
    usual = traded(a_perpetual(), Side.BUY, "2", "2000")
    assert [one.fee for one in usual.trades] == [D(2), D(2)]


def test_what_is_realized_is_cash_with_the_trade_or_at_the_end_of_the_session() -> None:
    for at_once in (True, False):
        exchange = a_perpetual(realizes_at_once=at_once)
        traded(exchange, Side.BUY, "2", "2000")
        exchange.accrue_funding(LINEAR, D(3))  # longs owe 3 a coin
        traded(exchange, Side.SELL, "2", "2100")
        ann = exchange.accounts["ann"]
        settled = D(1_000_000) - 4 - D("4.2")  # the fees of a thousandth
        assert ann.cash["USDC"] == settled + (200 - 6 if at_once else 0)
        assert exchange.margin_balance("ann", "USDC") == settled + 194
        assert sum(one.interest_pl or 0 for one in ann.log) == (-6 if at_once else 0)
        assert exchange.held["USDC"] == 0


def test_a_session_may_last_an_hour_and_settle_open_profit_too() -> None:
    hour_ms = 3_600_000
    for rules in ({}, {"session_ms": hour_ms}, {"session_ms": hour_ms, "settles_open": True}):
        exchange = Exchange(rules=VenueRules(**rules))  # type: ignore[arg-type]
        market = Market(exchange, 1, EIGHT_MS + hour_ms - 1_000)
        for name in ("ann", "bob"):
            exchange.open_account(name, COINS)
        market.advance(market.now_ms)
        name = "ETH_USDC-PERPETUAL"
        mark = exchange.book(name).mark or D(market.ticker(name).mark_price)
        price = exchange.terms(name).snap_down(mark)
        for account, side in (("bob", Side.SELL), ("ann", Side.BUY)):
            wish = NewOrder(name=name, side=side, amount=D(1), price=price)
            assert isinstance(exchange.place(account, wish, market.now_ms), Placed)
        fee = D(1_000_000) - exchange.accounts["ann"].cash["USDC"]
        market.advance(EIGHT_MS + hour_ms)
        ann = exchange.accounts["ann"]
        assert len(ann.settlements) == (1 if rules else 0)
        position = ann.positions[name]
        open_profit = exchange.book(name).mark - price
        settles_open = bool(rules.get("settles_open"))
        assert position.cost == (exchange.book(name).mark if settles_open else price)
        funding = sum((one.funding for one in ann.settlements), D(0))
        assert ann.cash["USDC"] + fee == D(1_000_000) + funding + open_profit * settles_open


def test_margin_is_what_the_rules_ask_for() -> None:
    terms = MarginTerms(max_leverage=10, maintenance_share=0.6)
    for asked, initial, maintenance in ((terms, 400.0, 240.0), (MarginTerms(), 80.0, 40.0)):
        exchange = a_perpetual(margin=asked)
        traded(exchange, Side.BUY, "2", "2000")
        needs = exchange.margin_of("ann", "USDC")
        assert (needs.initial, needs.maintenance) == (initial, maintenance)


def test_a_price_beyond_the_band_is_refused_or_left_to_whoever_places_it() -> None:
    for refuses in (True, False):
        exchange = a_perpetual(band_refuses=refuses)
        exchange.set_mark(LINEAR, D(2_000), index=D(2_000), max_price=D(2_100))
        wish = NewOrder(name=LINEAR, side=Side.BUY, amount=D(1), price=D(2_200))
        placed = exchange.place("ann", wish, 0)
        assert isinstance(placed, Refusal) is refuses


def test_names_and_ids_are_the_venues() -> None:
    family = replace(ETH, names=Names(dates=Dates.DIGITS, perpetual="PERP", point="_"))
    call = option(family, FRIDAY, D("0.5"), Right.CALL, 0)
    assert call.name == "ETH-20250606-0_5-C"
    assert perpetual(family, 0).name == "ETH-PERP"
    assert future(family, FRIDAY, 0).name == "ETH-20250606"
    assert Ids.COUNTED.write(call, "7", 12) == "ETH-712"
    first, second = (Ids.UUID.write(call, "7", count) for count in (12, 2**48 + 12))
    assert (len(first), first[14]) == (36, "4")
    assert first != second != Ids.UUID.write(call, "8", 2**48 + 12)


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
