"""The border: real messages are understood, and one that is not harms nobody but itself."""

import copy
from decimal import Decimal
from typing import Any

import ccxt.pro
import pytest

from mmbot.core.contracts import Instrument
from mmbot.core.error_scope import ErrorScope
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import FlowKind
from mmbot.core.types import Kind, Label, Right, Side
from mmbot.core.why import Why
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.venues.deribit import parse
from mmbot.venues.reading import Unread, Unreadable, each
from tests.builders import a_perpetual, an_option
from tests.venues.shared import fixture, frames, listings, needs_recordings
from tests.wire.scripted import instrument, option, order

NOW_NS = 1
WRONG: list[object] = [None, "abc", "1.5", "", True, [], {}, float("inf"), float("nan")]
"""What is no number."""

TRADE = {
    "trade_id": "T1",
    "instrument_name": "ETH-6JUN25-2800-C",
    "direction": "buy",
    "price": 0.0215,
    "amount": 2.0,
    "fee": 0.0006,
    "fee_currency": "ETH",
    "timestamp": 1_748_865_600_000,
    "order_id": "77",
    "label": "mm1-1",
    "liquidity": "M",
    "mark_price": 0.02,
    "index_price": 2850.5,
}
TICKER = {
    "mark_price": 0.0215,
    "index_price": 2850.0,
    "underlying_price": 2851.0,
    "mark_iv": 62.0,
    "greeks": {"delta": 0.5, "gamma": 0.0},
    "min_price": 0.0001,
    "max_price": 0.1,
    "state": "open",
}


# --- recorded ---------------------------------------------------------------------------------


@needs_recordings
def test_every_listing_of_a_real_day_is_read() -> None:
    unread, settled = Unread(), set()
    rows = [row for row in listings() if row["kind"] in ("option", "future")]
    assert len(rows) > 900
    for row in rows:
        found = parse.instrument_of("deribit", row, unread)
        assert found is not None
        settled.add(found.settlement)
        assert found.name == row["instrument_name"]
        assert found.grid.tick == Decimal(repr(row["tick_size"]))
        if row["kind"] == "option":
            assert found.strike == Decimal(repr(row["strike"]))
            assert found.right is Right(row["option_type"])
    assert unread.counts == {}
    assert settled == {"BTC", "ETH", "SOL", "USDC"}


@needs_recordings
def test_every_ticker_of_a_real_connection_has_a_mark_an_index_and_greeks() -> None:
    unread, read = Unread(), 0
    for params in frames():
        if params["channel"].startswith("ticker."):
            data, read = params["data"], read + 1
            changed = parse.ticker_changed(an_option(), data, unread, NOW_NS)
            assert changed.mark == data["mark_price"]
            assert changed.index == data["index_price"]
            assert changed.delta == data["greeks"]["delta"]
            assert changed.state == "open"
    assert read > 50
    assert unread.counts == {}


@needs_recordings
def test_a_stop_order_somebody_left_is_an_open_order_without_price_and_filled_amount() -> None:
    stop = fixture("ws_order_stop_market_no_filled_amount.json")
    raw = stop.get("params", {}).get("data") or stop.get("result", {}).get("order") or stop
    raw = raw.get("order", raw)
    found = parse.open_order_of("deribit", raw, Unread())
    assert found.order_id == raw["order_id"]
    assert found.price is None
    assert found.filled is None


@needs_recordings
def test_a_cross_margin_account_compares_the_portfolio_with_the_portfolio() -> None:
    answer = fixture("http_get_account_summaries_cross_margin.json")
    rows = answer["result"]["summaries"]
    unread = Unread()
    for row in rows:
        equity = parse.equity_of(row, unread)
        assert equity.cross
        assert equity.margin_balance == Decimal(repr(row["margin_balance"]))
        assert equity.maintenance_margin == Decimal(repr(row["maintenance_margin"]))
    assert rows
    assert unread.counts == {}


# --- tickers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [*WRONG, -1.0])
@pytest.mark.parametrize("name", ["mark_price", "index_price"])
def test_a_price_that_is_none_is_unknown_and_the_rest_of_the_ticker_counts(
    name: str, wrong: Any
) -> None:
    changed = parse.ticker_changed(an_option(), TICKER | {name: wrong}, Unread(), NOW_NS)
    told = {"mark_price": changed.mark, "index_price": changed.index}
    assert told.pop(name) is None
    assert None not in told.values()
    assert changed.delta == 0.5


def test_zero_is_the_mark_of_a_worthless_option_and_no_mark_of_anything_else() -> None:
    worthless = TICKER | {"mark_price": 0.0}
    assert parse.ticker_changed(an_option(), worthless, Unread(), NOW_NS).mark == 0.0
    assert parse.ticker_changed(a_perpetual(), worthless, Unread(), NOW_NS).mark is None


def test_an_index_that_is_not_available_is_unknown() -> None:
    told = TICKER | {"index_price": "index_not_available"}
    assert parse.ticker_changed(an_option(), told, Unread(), NOW_NS).index is None


@pytest.mark.parametrize("data", [None, [], "x", 5, {}, {"greeks": None}, {"greeks": "x"}])
def test_a_ticker_of_any_shape_is_a_ticker_without_a_mark(data: Any) -> None:
    changed = parse.ticker_changed(an_option(), data, Unread(), NOW_NS)
    assert (changed.mark, changed.index, changed.delta) == (None, None, None)


# --- listings ---------------------------------------------------------------------------------


def bare(row: dict[str, Any], *kept: str) -> dict[str, Any]:
    """A listing with no more than the venue's specification promises."""
    required = [
        "kind",
        "base_currency",
        "quote_currency",
        "min_trade_amount",
        "instrument_name",
        "is_active",
        "settlement_period",
        "creation_timestamp",
        "tick_size",
        "expiration_timestamp",
        "contract_size",
        "price_index",
    ]
    return {name: row[name] for name in (*required, *kept)}


def read(row: dict[str, Any]) -> Instrument:
    found = parse.instrument_of("deribit", row, Unread())
    assert found is not None
    return found


def test_what_a_bare_listing_does_not_say_is_in_its_name() -> None:
    call = read(bare(option("ETH-6JUN25-2800-C")))
    assert (call.kind, call.strike, call.right) == (Kind.OPTION, Decimal(2800), Right.CALL)
    assert (call.settlement, call.inverse, call.underlying) == ("ETH", True, "ETH")
    row = option("XRP_USDC-6JUN25-2d25-P", base_currency="XRP", quote_currency="USDC")
    put = read(bare(row))
    assert (put.strike, put.right) == (Decimal("2.25"), Right.PUT)
    assert (put.settlement, put.inverse) == ("USDC", False)


def test_fees_that_are_not_stated_are_counted_with_at_their_highest() -> None:
    assert read(bare(option())).fees.maker == Decimal("0.0003")
    assert read(bare(instrument())).fees.taker == Decimal("0.0005")


def test_an_option_in_coin_without_a_ladder_is_quoted_on_one_that_is_always_right() -> None:
    call = read(bare(option(tick_size=0.0001)))
    assert call.tick_at(Decimal("0.0049")) == Decimal("0.0001")
    assert call.tick_at(Decimal("0.0050")) == Decimal("0.0005")
    assert read(option(tick_size=0.0001, tick_size_steps=[])).grid.tick_steps == ()


@pytest.mark.parametrize("kind", ["spot", "future_combo", "option_combo", "something_new"])
def test_kinds_that_are_not_traded_are_nothing_to_complain_about(kind: str) -> None:
    unread = Unread()
    assert parse.instrument_of("deribit", {"kind": kind, "instrument_name": "X"}, unread) is None
    assert unread.counts == {}


@pytest.mark.parametrize(
    "change",
    [
        {"option_type": "binary"},
        {"maker_commission": "free"},
        {"tick_size": 0.0},
        {"tick_size": None},
        {"tick_size": "0.0005"},
        {"contract_size": -1.0},
        {"min_trade_amount": float("nan")},
        {"expiration_timestamp": None},
        {"tick_size_steps": [{"above_price": 0.005}]},
        {"base_currency": None},
        {"instrument_name": 7},
        {"kind": None},
    ],
)
def test_a_listing_in_a_form_nobody_knows_is_left_out(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parse.instrument_of("deribit", option() | change, Unread())


async def test_symbols_are_those_of_ccxt() -> None:
    """The same listing, parsed by ccxt and by us."""
    async with SimVenue(VenueOptions(flow_scale=0.0)) as venue:
        exchange = ccxt.pro.deribit(
            {"urls": {"api": {"rest": venue.rest_url, "ws": venue.ws_url}}, "timeout_on_exit": 0}
        )
        try:
            markets = await exchange.load_markets()
        finally:
            await exchange.close()
    ours = {}
    for market in markets.values():
        found = parse.instrument_of("deribit", market["info"], Unread())
        if found is not None:
            ours[found.name] = (found.symbol, market["symbol"])
    assert len(ours) > 500
    assert [name for name, (mine, theirs) in ours.items() if mine != theirs] == []


# --- orders -----------------------------------------------------------------------------------


def test_an_order_is_read_digit_for_digit() -> None:
    seen = parse.seen_of("deribit", order(price=0.0215, amount=3.0), Request.PLACE, Unread())
    assert (seen.price, seen.amount, seen.filled) == (Decimal("0.0215"), Decimal("3.0"), Decimal(0))
    assert (seen.side, seen.state, seen.answers) == (Side.BUY, OrderState.OPEN, Request.PLACE)


def test_what_the_specification_does_not_promise_of_an_order_is_unknown() -> None:
    told = {k: v for k, v in order().items() if k not in ("instrument_name", "amount")}
    del told["filled_amount"]
    seen = parse.seen_of("deribit", told, None, Unread())
    assert (seen.instrument, seen.amount, seen.filled) == (None, None, None)
    assert seen.label == "mm1-1"


@pytest.mark.parametrize("name", ["amount", "filled_amount", "price", "direction"])
@pytest.mark.parametrize("wrong", [None, [], {}, True, float("nan"), "many"])
def test_a_field_of_an_open_order_that_cannot_be_read_is_unknown_and_its_id_counts(
    name: str, wrong: Any
) -> None:
    found = parse.open_order_of("deribit", order() | {name: wrong}, Unread())
    fields = {
        "amount": found.amount,
        "filled_amount": found.filled,
        "price": found.price,
        "direction": found.side,
    }
    assert fields[name] is None
    assert (found.order_id, found.label) == ("1001", "mm1-1")


def test_an_order_of_ours_without_an_id_is_still_known_by_its_label() -> None:
    found = parse.open_order_of("deribit", order() | {"order_id": None}, Unread())
    assert (found.order_id, found.label) == ("", "mm1-1")


@pytest.mark.parametrize("row", [None, 5, "x", [], {}, {"label": ""}, {"order_id": 7, "label": 9}])
def test_rows_that_do_not_even_tell_which_order_they_are_make_a_list_incomplete(row: Any) -> None:
    unread = Unread()
    rows = [order(), row, order(order_id="1002")]
    found, nameless = each(
        rows, lambda one: parse.open_order_of("deribit", one, unread), unread, "order"
    )
    assert [one.order_id for one in found] == ["1001", "1002"]
    assert nameless == 1
    assert unread.counts["order"] >= 1


@pytest.mark.parametrize("answer", [None, "ok", 5, {}, {"orders": []}, True])
def test_a_list_that_is_none_is_no_empty_list(answer: Any) -> None:
    with pytest.raises(Unreadable):
        each(answer, lambda row: row, Unread(), "order")


@pytest.mark.parametrize("state", [None, "", "sleeping", 3])
def test_an_order_in_a_state_nobody_knows_is_not_guessed(state: Any) -> None:
    with pytest.raises(Unreadable):
        parse.seen_of("deribit", order() | {"order_state": state}, None, Unread())


@pytest.mark.parametrize(
    ("code", "request_kind", "why", "stands", "scope"),
    [
        (10009, Request.PLACE, Why.NO_FUNDS, False, ErrorScope.SIDE),
        (10009, Request.AMEND, Why.NO_FUNDS, True, ErrorScope.SIDE),
        (11054, Request.AMEND, Why.CROSSED_BOOK, None, ErrorScope.ORDER),
        (11044, Request.CANCEL, Why.ABSENT, None, ErrorScope.ORDER),
        (10041, Request.CANCEL, Why.LOCKED, True, ErrorScope.PLATFORM),
        (13019, Request.CANCEL, Why.CLOSED, None, ErrorScope.INSTRUMENT),
        (10047, Request.AMEND, Why.VENUE_BUSY, True, ErrorScope.REQUEST),
        (10021, Request.PLACE, Why.REFUSED, False, ErrorScope.US),
        (77777, Request.AMEND, Why.REFUSED, None, ErrorScope.REQUEST),
    ],
)
def test_a_refusal_says_what_it_says_of_the_order(
    code: int, request_kind: Request, why: Why, stands: bool | None, scope: ErrorScope
) -> None:
    refused = parse.refusal_of(code, None, "", Label("mm1-1"), request_kind)
    assert (refused.why, refused.stands, refused.scope) == (why, stands, scope)


# --- money ------------------------------------------------------------------------------------


def test_a_trade_is_read_digit_for_digit() -> None:
    fill = parse.fill_of("deribit", TRADE, Unread())
    assert (fill.price, fill.amount, fill.fee) == (
        Decimal("0.0215"),
        Decimal("2.0"),
        Decimal("0.0006"),
    )
    assert (fill.mark, fill.index) == (Decimal("0.02"), Decimal("2850.5"))


def test_the_two_executions_of_a_trade_with_ourselves_are_two() -> None:
    sold = TRADE | {"direction": "sell", "label": "mm1-2"}
    keys = {parse.fill_of("deribit", one, Unread()).key for one in (TRADE, sold)}
    assert len(keys) == 2


@pytest.mark.parametrize("name", ["price", "amount", "fee", "timestamp"])
@pytest.mark.parametrize("wrong", WRONG)
def test_an_execution_without_its_money_is_not_booked_by_guess(name: str, wrong: Any) -> None:
    with pytest.raises(Unreadable):
        parse.fill_of("deribit", TRADE | {name: wrong}, Unread())


@pytest.mark.parametrize("name", ["label", "liquidity", "mark_price", "index_price", "order_id"])
def test_an_execution_without_its_trimmings_is_booked(name: str) -> None:
    told = copy.deepcopy(TRADE)
    del told[name]
    fill = parse.fill_of("deribit", told, Unread())
    assert fill.amount == 2
    assert fill.liquidity is None or name != "liquidity"


def test_a_mark_of_zero_at_a_trade_is_a_number() -> None:
    assert parse.fill_of("deribit", TRADE | {"mark_price": 0.0}, Unread()).mark == 0


def test_a_future_does_not_trade_for_nothing() -> None:
    free = TRADE | {"price": 0.0, "instrument_name": "ETH-PERPETUAL"}
    with pytest.raises(Unreadable):
        parse.fill_of("deribit", free, Unread())


@pytest.mark.parametrize("wrong", WRONG)
def test_a_position_whose_size_cannot_be_read_is_unknown_not_flat(wrong: Any) -> None:
    row = {"instrument_name": "ETH-PERPETUAL", "size": wrong, "mark_price": 2850.0}
    assert parse.position_of("deribit", row, None, Unread()).amount is None


def test_a_portfolio_in_dollars_stands_in_where_a_row_lacks_its_margin_balance() -> None:
    row = {
        "currency": "ETH",
        "equity": 5.0,
        "balance": 5.0,
        "maintenance_margin": 9.0,
        "margin_model": "cross_pm",
        "total_maintenance_margin_usd": 100.0,
        "total_margin_balance_usd": 900.0,
    }
    equity = parse.equity_of(row, Unread())
    assert (equity.maintenance_margin, equity.margin_balance) == (
        Decimal("100.0"),
        Decimal("900.0"),
    )


LOG = {
    "id": 5,
    "type": "settlement",
    "currency": "ETH",
    "timestamp": 1,
    "change": 0.5,
    "instrument_name": "ETH-PERPETUAL",
    "interest_pl": 0.2,
    "commission": None,
    "index_price": 2850.0,
}
KNOWN = {"ETH-PERPETUAL": a_perpetual(), "ETH-6JUN25-2800-C": an_option()}


def test_a_settlement_is_funding_and_profit() -> None:
    flows = list(parse.flows_of(LOG, KNOWN, Unread()))
    assert [(flow.kind, flow.money) for flow in flows] == [
        (FlowKind.FUNDING, Decimal("0.2")),
        (FlowKind.SETTLEMENT, Decimal("0.3")),
    ]


@pytest.mark.parametrize("kind", ["trade", "swap", "negative_balance_fee", "usdc_reward", None, 7])
def test_rows_of_the_log_that_are_something_else_move_nothing_of_ours(kind: Any) -> None:
    assert list(parse.flows_of(LOG | {"type": kind}, KNOWN, Unread())) == []


def test_a_delivery_without_the_price_of_the_index_is_not_booked_by_guess() -> None:
    row = LOG | {"type": "delivery", "instrument_name": "ETH-6JUN25-2800-C", "index_price": None}
    with pytest.raises(Unreadable):
        list(parse.flows_of(row, KNOWN, Unread()))


# --- the platform -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"locked": True, "price_index": "sol_usdc"}, ("sol_usdc", True)),
        ({"locked": False, "currency": "BTC"}, ("BTC", False)),
        ({"locked": True, "currency": "ALL"}, ("", True)),
    ],
)
def test_locks_are_told_in_the_examples_of_the_specification(
    data: dict[str, Any], said: tuple[str, bool]
) -> None:
    assert parse.lock_of(data, Unread()) == said


@pytest.mark.parametrize(
    ("data", "locks"),
    [
        ({"locked": "false"}, []),
        ({"locked": "true"}, [""]),
        ({"locked": "partial", "locked_indices": ["sol_usdc"]}, ["sol_usdc"]),
        ({"locked": False, "locked_indices": []}, []),
    ],
)
def test_what_is_locked_when_we_come(data: dict[str, Any], locks: list[str]) -> None:
    assert parse.locks_of(data, Unread()) == locks
