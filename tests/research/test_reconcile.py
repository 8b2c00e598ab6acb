"""The fill log against the positions on file and the venue's statements, in numbers by hand."""

from dataclasses import replace
from decimal import Decimal

from mmbot.core.types import Side
from mmbot.research import reconcile
from mmbot.research.history import Past
from mmbot.store.booking import PositionRow
from tests.builders import a_perpetual, an_option
from tests.research.rows import ACCOUNT, entry, equity, fill, mark

BOUGHT = fill(1, Side.BUY, "0.0200", mark="0.0210", fee="0.0003")
ON_FILE = PositionRow(
    instrument=an_option().id,
    amount=Decimal(1),
    opened_ms=0,
    opening=Decimal(0),
    open_value=Decimal("0.02"),
    cash=Decimal("-0.0203"),
    realized=Decimal(0),
    fees=Decimal("0.0003"),
    spread=Decimal("0.001"),
    inventory=Decimal(0),
    funding=Decimal(0),
    mark=Decimal("0.021"),
    fills=1,
    volume=Decimal(1),
    last_fill_ms=BOUGHT.fill.venue_ms,
    **ACCOUNT,
)
"""What one purchase of 1 at 0.0200, mark 0.0210, fee 0.0003 leaves."""


def disagreeing(findings: list[reconcile.Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.agrees is not True]


def test_a_position_that_its_fills_explain_agrees() -> None:
    assert disagreeing(reconcile.positions(Past(an_option(), [BOUGHT]), ON_FILE)) == []


def test_a_fill_that_is_missing_is_found_with_both_numbers() -> None:
    found = reconcile.positions(Past(an_option(), []), ON_FILE)
    assert disagreeing(found) == ["position", "cash", "fees", "spread", "volume", "fills"]
    assert (found[0].recomputed, found[0].stated) == (Decimal(0), Decimal(1))


def test_a_fee_of_another_size_is_found() -> None:
    row = replace(ON_FILE, fees=Decimal("0.0004"), cash=Decimal("-0.0204"))
    assert disagreeing(reconcile.positions(Past(an_option(), [BOUGHT]), row)) == ["cash", "fees"]


def test_fills_without_any_position_are_found() -> None:
    assert disagreeing(reconcile.positions(Past(an_option(), [BOUGHT]), None)) == ["position"]


def checked(change: str, *marks: str, transfer: str = "0") -> reconcile.Finding:
    """Bought between two statements; the first says 10 ETH, the second `change` more."""
    past = Past(an_option(), [BOUGHT], marks=[mark(60, price) for price in marks])
    moved = entry(30, "transfer", instrument=None, money=Decimal(transfer))
    stated = [equity(0, "10"), equity(60, str(Decimal(10) + Decimal(change)))]
    return reconcile.equity("run 1", "ETH", [past], stated, [moved])


def test_the_change_of_equity_is_the_profit() -> None:
    # Bought at 0.0200, worth 0.0214 at the end, fee 0.0003: 0.0011.
    found = checked("0.0011", "0.0214")
    assert (found.recomputed, found.stated) == (Decimal("0.0011"), Decimal("0.0011"))
    assert found.agrees


def test_what_the_mark_may_have_drifted_is_allowed_and_no_more() -> None:
    # One coin is held at the end: 0.0001 of it, and the venue's rounding of 0.0000001.
    assert checked("0.0012", "0.0214").agrees
    assert checked("0.00121", "0.0214").agrees is False
    assert checked("0.0009", "0.0214").agrees is False


def test_transfers_are_no_profit() -> None:
    assert checked("2.5011", "0.0214", transfer="2.5").agrees
    assert checked("2.5011", "0.0214").agrees is False


def test_what_was_flat_must_agree_to_the_venues_rounding() -> None:
    sold = fill(2, Side.SELL, "0.0205", fee="0.0003")  # 0.0005 earned, fees 0.0006
    past = Past(an_option(), [BOUGHT, sold])
    for change, agrees in (("9.9999", True), ("9.9998", False), ("10", False)):
        stated = [equity(0, "10"), equity(60, change)]
        assert reconcile.equity("run 1", "ETH", [past], stated, []).agrees is agrees


def test_what_was_held_without_a_mark_of_that_moment_cannot_be_checked() -> None:
    found = checked("0.0011")
    assert found.agrees is None
    assert an_option().id in found.note


def test_one_statement_is_not_enough() -> None:
    found = reconcile.equity("run 1", "ETH", [], [equity(0, "10")], [])
    assert found.agrees is None
    assert "two are needed" in found.note


def test_funding_that_has_accrued_is_in_the_venues_equity_already() -> None:
    perpetual = a_perpetual()
    past = Past(
        perpetual,
        [fill(1, Side.BUY, "2000", "1000", instrument=perpetual)],
        marks=[mark(60, "2000", accrued="-0.01", instrument=perpetual)],
    )
    stated = [equity(0, "10"), equity(60, "9.99")]
    assert reconcile.equity("run 1", "ETH", [past], stated, []).agrees
