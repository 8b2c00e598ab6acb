"""What moved without a trade, from the histories of the venue."""

from decimal import Decimal
from typing import Any

import pytest

from mmbot.core.statements import FlowKind
from mmbot.core.types import ZERO, InstrumentId
from mmbot.venues.derive import flows
from mmbot.venues.reading import Unread, Unreadable
from tests.venues.derive import samples
from tests.venues.derive.test_parse import CALL, PERP

FOLLOWED = {CALL.name: CALL, PERP.name: PERP}


def funding(*rows: Any) -> Any:
    return flows.funding_flows(list(rows), FOLLOWED, Unread())


def test_funding_is_income_and_profit_that_is_paid_out_is_a_settlement() -> None:
    found, unreadable = funding(*samples.FUNDING)
    assert unreadable == 0
    assert [(flow.kind, flow.money) for flow in found] == [
        (FlowKind.SETTLEMENT, Decimal("-0.020391277096")),
        (FlowKind.FUNDING, Decimal("-0.000131801001")),
        (FlowKind.SETTLEMENT, Decimal("-0.124504613742")),
    ]
    assert {(flow.instrument, flow.currency, flow.venue_ms) for flow in found} == {
        (InstrumentId("derive:BTC-PERP"), "USDC", 1790874586000)
    }


def test_two_of_one_moment_are_two_and_the_same_two_when_asked_again() -> None:
    """The venue has been seen to settle twice in one second."""
    first, _ = funding(*samples.FUNDING)
    again, _ = funding(*reversed(samples.FUNDING))
    assert len({flow.name for flow in first}) == 3
    assert {flow.name for flow in first} == {flow.name for flow in again}


def test_even_two_that_are_equal_are_two() -> None:
    found, _ = funding(samples.FUNDING[1], samples.FUNDING[1])
    assert len({flow.name for flow in found}) == 4
    assert sum(flow.money for flow in found if flow.kind is FlowKind.FUNDING) == Decimal(
        "-0.000263602002"
    )


def test_a_row_that_cannot_be_read_is_counted_and_the_others_count() -> None:
    found, unreadable = funding(None, samples.FUNDING[1], {**samples.FUNDING[0], "pnl": "NaN"})
    assert (len(found), unreadable) == (2, 2)


def test_what_is_not_traded_here_is_not_told() -> None:
    assert funding({**samples.FUNDING[1], "instrument_name": "ZEC-PERP"}) == ([], 0)


def test_an_option_ends_at_its_payoff() -> None:
    """Short 2.5 calls at 2800, settled at 2851.3: 51.3 each, so -128.25."""
    found, unreadable = flows.settlement_flows([samples.SETTLEMENT], FOLLOWED, Unread())
    assert unreadable == 0
    (flow,) = found
    assert (flow.kind, flow.instrument) == (FlowKind.DELIVERY, CALL.id)
    assert (flow.price, flow.money, flow.index) == (
        Decimal("51.3"), Decimal("-128.25"), Decimal("2851.3")
    )  # fmt: skip
    assert (flow.venue_ms, flow.fee) == (1749196800000, ZERO)


def test_an_option_that_ends_worthless_is_told_too() -> None:
    row = {**samples.SETTLEMENT, "settlement_price": "2799", "settlement_value": "0"}
    (flow,), _ = flows.settlement_flows([row], FOLLOWED, Unread())
    assert (flow.price, flow.money) == (ZERO, ZERO)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", None])
def test_a_settlement_without_a_price_is_not_understood(price: Any) -> None:
    row = {**samples.SETTLEMENT, "settlement_price": price}
    assert flows.settlement_flows([row], FOLLOWED, Unread()) == ([], 1)


def test_what_came_in_is_less_its_fee_and_what_went_out_includes_it() -> None:
    row = {**samples.DEPOSIT, "fee": "1.5"}
    (came,), _ = flows.deposit_flows([row], Unread())
    (left,), _ = flows.withdrawal_flows([row], Unread())
    assert (came.money, left.money) == (Decimal("9998.5"), Decimal(-10000))
    assert {came.kind, left.kind} == {FlowKind.TRANSFER}
    assert (came.ref, came.currency, came.venue_ms) == (
        samples.DEPOSIT["operation_id"], "USDC", 1790866358000
    )  # fmt: skip


@pytest.mark.parametrize(("outgoing", "money"), [(True, -100), (False, 100)])
def test_each_side_of_a_transfer_states_what_its_own_account_saw(
    outgoing: bool, money: int
) -> None:
    row = {
        "operation_id": "x", "asset": "USDC", "amount": "100", "fee": "1", "timestamp": 5,
        "is_outgoing": outgoing,
    }  # fmt: skip
    (flow,), _ = flows.transfer_flows([row], Unread())
    assert flow.money == money


def test_interest_is_money_that_came_or_went() -> None:
    rows = [{"interest": "-0.25", "timestamp": 7, "subaccount_id": 1}] * 2
    found, _ = flows.interest_flows(rows, Unread())
    assert [flow.money for flow in found] == [Decimal("-0.25")] * 2
    assert len({flow.name for flow in found}) == 2


@pytest.mark.parametrize("rows", [None, {}, "rows"])
def test_what_is_no_list_is_said(rows: Any) -> None:
    with pytest.raises(Unreadable):
        flows.deposit_flows(rows, Unread())
    with pytest.raises(Unreadable):
        flows.funding_flows(rows, {}, Unread())
