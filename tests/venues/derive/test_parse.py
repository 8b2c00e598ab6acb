"""What the venue says becomes events and statements; what cannot be read costs nothing else."""

from decimal import Decimal
from typing import Any

import pytest

from mmbot.core.contracts import Instrument
from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import RequestRefused
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import Finality, Liquidity, OpenOrder
from mmbot.core.types import InstrumentId, Label, Side
from mmbot.core.why import Why
from mmbot.venues.derive import parse
from mmbot.venues.derive.catalog import listed_of
from mmbot.venues.reading import Unread, Unreadable
from tests.venues.derive import samples

NOW_NS = 1_748_865_600_000_000_000
LABEL = Label("mm1k3xq0z-2a")


def instrument(sample: dict[str, Any]) -> Instrument:
    found = listed_of("derive", sample, Unread())
    assert found is not None
    return found.instrument


CALL, PERP = instrument(samples.ETH_CALL), instrument(samples.BTC_PERP)


# --- tickers ----------------------------------------------------------------------------------


def ticker(of: Instrument, data: Any) -> tuple[Any, list[tuple[str, int, str]]]:
    unread = Unread()
    return parse.ticker_changed(of, data, unread, NOW_NS), unread.take()


def test_the_ticker_of_an_option_has_a_forward_a_volatility_and_a_delta() -> None:
    found, unread = ticker(CALL, {"timestamp": 1, "instrument_ticker": samples.OPTION_TICKER})
    assert (found.instrument, found.received_ns) == (CALL.id, NOW_NS)
    assert (found.mark, found.index, found.forward) == (13312, 84812, 89232)
    assert (found.mark_iv, found.delta) == (0.38273, -0.43348)
    assert (found.min_price, found.max_price) == (82976.7, 86328.9)
    assert unread == []


def test_the_ticker_of_a_perpetual_has_none_of_them() -> None:
    found, _ = ticker(PERP, samples.PERP_TICKER)  # as public/get_ticker answers
    assert (found.mark, found.index) == (84636.2, 84622)
    assert (found.forward, found.mark_iv, found.delta) == (None, None, None)


def test_a_mark_of_zero_is_one_of_an_option_alone() -> None:
    assert ticker(CALL, {**samples.OPTION_TICKER, "M": "0"})[0].mark == 0
    assert ticker(PERP, {**samples.PERP_TICKER, "M": "0"})[0].mark is None


@pytest.mark.parametrize("field", ["I", "M", "maxp"])
@pytest.mark.parametrize("odd", ["NaN", "-1", None, "", [], {}])
def test_a_value_that_cannot_be_read_is_unknown(field: str, odd: Any) -> None:
    found, _ = ticker(CALL, {**samples.OPTION_TICKER, field: odd})
    lost = {"I": "index", "M": "mark", "maxp": "max_price"}[field]
    assert getattr(found, lost) is None
    assert found.delta == -0.43348
    assert sum(getattr(found, name) is None for name in ("index", "mark", "max_price")) == 1


@pytest.mark.parametrize("odd", ["NaN", None, {}])
def test_a_greek_that_cannot_be_read_costs_no_other(odd: Any) -> None:
    pricing = {**samples.OPTION_PRICING, "i": odd}
    found, _ = ticker(CALL, {**samples.OPTION_TICKER, "option_pricing": pricing})
    assert (found.mark_iv, found.forward, found.delta) == (None, 89232, -0.43348)


def test_no_volatility_is_not_zero() -> None:
    pricing = {**samples.OPTION_PRICING, "i": "0", "f": "0"}
    found, _ = ticker(CALL, {**samples.OPTION_TICKER, "option_pricing": pricing})
    assert (found.mark_iv, found.forward) == (None, None)


@pytest.mark.parametrize("odd", [None, [], "text", {"instrument_ticker": []}])
def test_a_ticker_that_is_none_says_nothing_and_is_counted(odd: Any) -> None:
    found, unread = ticker(CALL, odd)
    assert (found.mark, found.index, found.instrument) == (None, None, CALL.id)
    assert [(kind, count) for kind, count, _ in unread] == [("ticker", 1)]


# --- books ------------------------------------------------------------------------------------


def book(**changes: Any) -> Any:
    return parse.book_changed("derive", {**samples.ORDERBOOK, **changes}, 2, Unread(), NOW_NS)


def test_a_book_is_taken_whole_and_cut_to_what_is_looked_at() -> None:
    found = book()
    assert found.instrument == InstrumentId("derive:ETH-20250606-2800-C")
    assert found.bids == ((118.2, 4.0), (118.1, 10.5))
    assert found.asks == ((119.0, 3.25), (119.4, 1.0))
    assert (found.venue_ms, found.received_ns) == (1748865600123, NOW_NS)
    assert parse.publish_id(samples.ORDERBOOK) == 4711


def test_levels_may_come_as_objects_and_in_any_order() -> None:
    asks = [{"price": "119.4", "amount": "1"}, {"price": "119", "amount": "3.25"}]
    assert book(asks=asks).asks == ((119.0, 3.25), (119.4, 1.0))
    assert book(bids=[["118.1", 10.5], [118.2, "4"]]).bids == ((118.2, 4.0), (118.1, 10.5))


def test_a_level_of_nothing_is_no_level() -> None:
    assert book(bids=[["118.2", "0"], ["118.1", "1"]]).bids == ((118.1, 1.0),)
    assert book(asks=[]).asks == ()


@pytest.mark.parametrize(
    "level",
    [None, [], ["118"], "118", ["x", "1"], ["NaN", "1"], ["118", "inf"], ["0", "1"], ["118", "-1"],
     {"price": "118"}, [None, None], 5],
)  # fmt: skip
def test_a_book_with_a_level_that_cannot_be_read_is_no_book(level: Any) -> None:
    with pytest.raises(Unreadable):
        book(bids=[["118.3", "1"], level])


@pytest.mark.parametrize(
    "changes",
    [{"bids": None}, {"asks": {}}, {"publish_id": None}, {"instrument_name": ""},
     {"timestamp": "soon"}, {"timestamp": -1}],
)  # fmt: skip
def test_a_book_without_a_vital_field_is_no_book(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        book(**changes)


@pytest.mark.parametrize("data", [None, {}, {"publish_id": "7"}, []])
def test_a_version_that_is_not_told_is_unknown(data: Any) -> None:
    assert parse.publish_id(data) is None


# --- public trades ----------------------------------------------------------------------------


def test_a_public_trade_is_on_the_takers_side() -> None:
    found = parse.trade_printed("derive", samples.PUBLIC_TRADE, Unread())
    assert found is not None
    assert (found.instrument, found.side) == (InstrumentId("derive:BTC-PERP"), Side.BUY)
    assert (found.price, found.amount, found.venue_ms) == (83863, 0.0357, 1790792657383)


def test_a_trade_that_is_told_from_both_sides_is_one() -> None:
    told = [{**samples.PUBLIC_TRADE, "liquidity_role": role} for role in ("maker", "taker")]
    found = [parse.trade_printed("derive", one, Unread()) for one in told]
    assert found[0] is None
    assert found[1] is not None


@pytest.mark.parametrize(
    "changes", [{"trade_amount": "0"}, {"trade_price": "-1"}, {"direction": "up"}, {"trade_id": ""}]
)
def test_a_public_trade_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parse.trade_printed("derive", {**samples.PUBLIC_TRADE, **changes}, Unread())


# --- orders -----------------------------------------------------------------------------------


def seen(**changes: Any) -> Any:
    order = {**samples.ORDER, "label": LABEL, **changes}
    return parse.seen_of("derive", order, Request.PLACE, Unread())


def test_an_order_is_stated_digit_for_digit() -> None:
    found = seen(limit_price="118.20", filled_amount="0.03")
    assert (found.label, found.order_id) == (LABEL, samples.ORDER["order_id"])
    assert found.instrument == InstrumentId("derive:BTC-20270924-85000-C")
    assert (found.side, found.state) == (Side.BUY, OrderState.OPEN)
    assert (found.price, found.amount, found.filled) == (
        Decimal("118.20"), Decimal("0.1"), Decimal("0.03")
    )  # fmt: skip
    assert (found.venue_ms, found.created_ms) == (1790874524730, 1790874524730)
    assert found.answers is Request.PLACE


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("open", OrderState.OPEN),
        ("untriggered", OrderState.OPEN),
        ("algo_active", OrderState.OPEN),
        ("filled", OrderState.FILLED),
        ("cancelled", OrderState.CANCELLED),
        ("expired", OrderState.CANCELLED),
        ("rejected", OrderState.REJECTED),
    ],
)
def test_every_status_of_the_specification_is_known(status: str, state: OrderState) -> None:
    assert seen(order_status=status).state is state


@pytest.mark.parametrize("changes", [{"order_type": "market"}, {"order_status": "untriggered"}])
def test_what_rests_nowhere_has_no_price(changes: dict[str, Any]) -> None:
    assert seen(**changes).price is None


def test_an_order_of_others_has_no_label() -> None:
    assert seen(label="").label is None


@pytest.mark.parametrize(
    ("field", "lost"),
    [
        ("limit_price", "price"),
        ("amount", "amount"),
        ("filled_amount", "filled"),
        ("direction", "side"),
        ("instrument_name", "instrument"),
        ("label", "label"),
        ("creation_timestamp", "created_ms"),
    ],
)
@pytest.mark.parametrize("odd", [None, [], {}, "", "NaN", "-1"])
def test_a_field_of_an_order_that_cannot_be_read_is_unknown(
    field: str, lost: str, odd: Any
) -> None:
    if isinstance(odd, str) and odd and field in ("instrument_name", "label"):
        return  # a name like any other
    found = seen(**{field: odd})
    assert getattr(found, lost) is None
    assert found.state is OrderState.OPEN


@pytest.mark.parametrize(
    "changes",
    [{"order_id": None}, {"order_id": ""}, {"order_status": None}, {"order_status": "resting"},
     {"last_update_timestamp": None}, {"last_update_timestamp": "now"}],
)  # fmt: skip
def test_an_order_that_does_not_tell_which_or_what_state_is_not_understood(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(Unreadable):
        seen(**changes)


def test_a_row_of_open_orders_needs_no_more_than_what_cancels_it() -> None:
    found = parse.open_order_of("derive", samples.ORDER, Unread())
    assert found.order_id == samples.ORDER["order_id"]
    assert (found.label, found.price, found.amount) == (None, Decimal(12000), Decimal("0.1"))
    bare = parse.open_order_of("derive", {"order_id": "x"}, Unread())
    assert bare == OpenOrder("x", None, None, None, None, None, None)
    labeled = parse.open_order_of("derive", {"label": LABEL}, Unread())
    assert labeled == OpenOrder("", LABEL, None, None, None, None, None)


@pytest.mark.parametrize("row", [None, {}, [], {"label": ""}, {"order_id": 5}])
def test_a_row_that_names_no_order_is_not_understood(row: Any) -> None:
    with pytest.raises(Unreadable):
        parse.open_order_of("derive", row, Unread())


# --- replaces ---------------------------------------------------------------------------------

OLD = {**samples.ORDER, "order_status": "cancelled", "cancel_reason": "user_request"}
NEW = {**samples.ORDER, "order_id": "1625ce89-9cf3-4ec0-8a6c-e208b49e5830", "label": LABEL}


def replaced(answer: Any) -> parse.Replaced:
    return parse.replaced_of("derive", answer, Unread())


def test_a_replace_tells_of_both_orders() -> None:
    found = replaced(
        {"cancelled_order": OLD, "order": NEW, "create_order_error": None, "trades": [1]}
    )
    assert (found.old.state, found.old.answers) == (OrderState.CANCELLED, Request.REPLACE)
    assert found.new is not None
    assert (found.new.label, found.new.state) == (LABEL, OrderState.OPEN)
    assert found.new.answers is Request.PLACE
    assert (found.why_not, found.trades) == (None, [1])


@pytest.mark.parametrize("rest", [{}, {"order": None}, {"order": None, "trades": None}])
def test_a_replace_may_end_one_order_and_create_none(rest: dict[str, Any]) -> None:
    error = {"code": 11008, "message": "Post-only reject", "data": None}
    found = replaced({"cancelled_order": OLD, "create_order_error": error, **rest})
    assert found.old.state is OrderState.CANCELLED
    assert found.new is None
    assert found.why_not is not None
    assert (found.why_not.code, found.trades) == (11008, [])


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"cancelled_order": OLD},
        {"cancelled_order": OLD, "order": None, "create_order_error": None},
        {"cancelled_order": OLD, "create_order_error": "failed"},
        {"cancelled_order": OLD, "create_order_error": {"code": "11008"}},
        {"cancelled_order": None, "order": NEW},
        {"cancelled_order": OLD, "order": {"order_id": ""}},
    ],
)
def test_a_replace_that_does_not_tell_what_became_of_both_is_not_understood(answer: Any) -> None:
    with pytest.raises(Unreadable):
        replaced(answer)


# --- refusals ---------------------------------------------------------------------------------


def refused(code: int, request: Request) -> RequestRefused:
    return parse.refusal_of(code, None, "told", LABEL, request)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (-32000, Why.RATE_LIMITED),
        (11022, Why.VENUE_BUSY),
        (11008, Why.CROSSED_BOOK),
        (11013, Why.REFUSED),
        (11017, Why.REFUSED),
        (11000, Why.NO_FUNDS),
        (11021, Why.CLOSED),
        (14023, Why.BLOCKED),
        (14021, Why.LINK_DOWN),
        (14014, Why.REFUSED),
        (15999, Why.REFUSED),
    ],
)
def test_a_refused_place_left_nothing_behind(code: int, why: Why) -> None:
    found = refused(code, Request.PLACE)
    assert (found.stands, found.why, found.detail) == (False, why, "told")
    assert (found.label, found.request) == (LABEL, Request.PLACE)


@pytest.mark.parametrize("request_", [Request.PLACE, Request.CANCEL, Request.REPLACE])
@pytest.mark.parametrize("code", [9000, -32603, -32050])
def test_what_the_venue_does_not_know_itself_is_not_told(code: int, request_: Request) -> None:
    assert refused(code, request_).stands is None


@pytest.mark.parametrize("request_", [Request.CANCEL, Request.REPLACE])
@pytest.mark.parametrize(
    ("code", "stands"),
    [
        (-32000, True),
        (11017, True),
        (11022, True),
        (11028, True),
        (14014, True),
        (11003, None),
        (11004, None),
        (11006, None),
        (11008, None),
        (11015, None),
        (11021, None),
        (15999, None),
    ],
)
def test_the_order_that_was_to_end_stands_where_the_code_says_so(
    code: int, stands: bool | None, request_: Request
) -> None:
    assert refused(code, request_).stands is stands


def test_an_order_that_is_gone_is_asked_about() -> None:
    assert refused(11006, Request.CANCEL).why is Why.ABSENT
    assert refused(11006, Request.CANCEL).scope is ErrorScope.ORDER


# --- fills, positions, equity -----------------------------------------------------------------


def fill(**changes: Any) -> Any:
    return parse.fill_of("derive", {**samples.TRADE, **changes}, Unread())


def test_a_fill_is_stated_digit_for_digit() -> None:
    found = fill(label=LABEL)
    assert found.instrument == InstrumentId("derive:BTC-PERP")
    assert (found.trade_id, found.order_id) == (
        samples.TRADE["trade_id"], samples.TRADE["order_id"]
    )  # fmt: skip
    assert (found.side, found.price, found.amount) == (
        Side.SELL, Decimal("84365.4"), Decimal("0.01")
    )  # fmt: skip
    assert (found.fee, found.fee_currency) == (Decimal("0.263075486855"), "USDC")
    assert (found.liquidity, found.label, found.venue_ms) == (
        Liquidity.TAKER, LABEL, 1790874586675
    )  # fmt: skip
    assert found.mark == Decimal("84367.247384690156")
    assert found.index == Decimal("84358.49561857211")


@pytest.mark.parametrize("status", [None, "Batching", "Settled", "ProvingError", "anything"])
def test_a_fill_stands_whatever_its_batch_comes_to(status: Any) -> None:
    assert fill(batch_status=status).finality is Finality.FINAL


@pytest.mark.parametrize(
    ("field", "lost"),
    [("liquidity_role", "liquidity"), ("mark_price", "mark"), ("index_price", "index")],
)
@pytest.mark.parametrize("odd", [None, [], "NaN", "-1"])
def test_a_field_of_a_fill_that_nothing_hangs_on_is_unknown(
    field: str, lost: str, odd: Any
) -> None:
    found = fill(**{field: odd})
    assert getattr(found, lost) is None
    assert found.fee == Decimal("0.263075486855")


@pytest.mark.parametrize(
    "field",
    ["trade_id", "instrument_name", "direction", "trade_price", "trade_amount", "trade_fee",
     "timestamp"],
)  # fmt: skip
@pytest.mark.parametrize("odd", [None, "", [], "NaN"])
def test_a_fill_without_a_vital_field_is_not_understood(field: str, odd: Any) -> None:
    if odd == "NaN" and field in ("trade_id", "instrument_name"):
        return  # a name like any other
    with pytest.raises(Unreadable):
        fill(**{field: odd})


def test_a_price_of_zero_is_one_of_an_option_alone() -> None:
    with pytest.raises(Unreadable):
        fill(trade_price="0")
    assert fill(trade_price="0", instrument_name="BTC-20270924-85000-C").price == 0


def test_a_rebate_is_a_negative_fee() -> None:
    assert fill(trade_fee="-0.001").fee == Decimal("-0.001")


def position(**changes: Any) -> Any:
    return parse.position_of("derive", {**samples.POSITION, **changes}, None, Unread())


def test_a_position_is_signed_and_its_delta_is_that_of_all_of_it() -> None:
    found = position()
    assert (found.instrument, found.amount) == (InstrumentId("derive:BTC-PERP"), Decimal("-0.02"))
    assert found.delta == -0.02
    assert found.average == Decimal("102745.7")
    assert found.funding == Decimal("-0.000008835819")
    assert found.mark == Decimal("102765.190337908177752979099750518798828125")
    assert found.index == Decimal("102767.657193800017641472")
    assert position(delta="0.43", amount="5").delta == pytest.approx(2.15)


def test_an_average_price_with_fees_stands_in_where_there_is_no_other() -> None:
    assert position(average_price_excl_fees=None).average == Decimal("102632.9105389869500088")


@pytest.mark.parametrize("odd", [None, "NaN", []])
def test_an_amount_that_cannot_be_read_is_not_zero(odd: Any) -> None:
    found = position(amount=odd)
    assert (found.amount, found.delta) == (None, None)
    assert found.mark is not None


@pytest.mark.parametrize("odd", [None, "", []])
def test_a_position_in_nothing_is_not_understood(odd: Any) -> None:
    with pytest.raises(Unreadable):
        position(instrument_name=odd)


def equity(**changes: Any) -> Any:
    return parse.equity_of({**samples.SUBACCOUNT, **changes}, Unread())


def test_equity_is_what_the_venue_says_the_subaccount_is_worth() -> None:
    found = equity()
    assert (found.currency, found.equity) == ("USDC", Decimal("5994.257409543261"))
    assert found.balance == Decimal("4527.545388020506")
    assert not found.cross


def test_what_positions_need_and_what_it_is_compared_with_leave_what_the_venue_says() -> None:
    """Recorded: 4527.545388020506 of collateral, 42.257371387251 needed, 4485.288016633255 left."""
    found = equity()
    assert found.maintenance_margin == Decimal("42.257371387251")
    assert found.margin_balance == Decimal("4527.545388020506")
    assert found.margin_balance - found.maintenance_margin == Decimal("4485.288016633255")


def test_positions_that_add_to_the_margin_need_none() -> None:
    found = equity(positions_maintenance_margin="10", maintenance_margin="4537")
    assert (found.maintenance_margin, found.margin_balance) == (0, 4537)


def test_below_the_requirement_the_need_is_more_than_there_is() -> None:
    found = equity(positions_maintenance_margin="-5000", maintenance_margin="-1")
    assert found.maintenance_margin > found.margin_balance


@pytest.mark.parametrize("field", ["maintenance_margin", "positions_maintenance_margin"])
def test_a_margin_that_is_not_told_is_unknown(field: str) -> None:
    found = equity(**{field: None})
    assert (found.maintenance_margin, found.margin_balance) == (None, None)
    assert found.equity == Decimal("5994.257409543261")


def test_other_collateral_counts_in_the_equity_alone() -> None:
    other = {**samples.COLLATERAL, "asset_name": "ETH", "amount": "2"}
    assert equity(collaterals=[other, samples.COLLATERAL]).balance == Decimal("4527.545388020506")
    assert equity(collaterals=[other]).balance == 0
    assert equity(collaterals=[None, samples.COLLATERAL]).balance == Decimal("4527.545388020506")


@pytest.mark.parametrize(
    "changes",
    [{"subaccount_value": None}, {"subaccount_value": "NaN"}, {"failed_to_fetch": True},
     {"collaterals": None}, {"collaterals": {}}, {"collaterals": [None]}],
)  # fmt: skip
def test_an_account_that_does_not_tell_its_worth_is_not_understood(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        equity(**changes)


# --- subscriptions ----------------------------------------------------------------------------


def test_a_channel_that_is_refused_is_told_with_the_reason() -> None:
    said = {"status": {"a": "ok", "b": "Invalid channels"}, "current_subscriptions": ["a"]}
    assert parse.refused_channels(said, ["a", "b", "c"], Unread()) == {
        "b": "Invalid channels",
        "c": "not answered",
    }


@pytest.mark.parametrize("answer", [None, {}, {"status": None}, {"status": ["a"]}])
def test_an_answer_without_a_status_is_not_understood(answer: Any) -> None:
    with pytest.raises(Unreadable):
        parse.refused_channels(answer, ["a"], Unread())
