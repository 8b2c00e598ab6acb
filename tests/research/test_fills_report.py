"""What fills came to, in numbers worked out by hand."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mmbot.core.types import Side
from mmbot.research.fills_report import Tally, in_usd, tallies, together
from mmbot.research.history import Past
from tests.builders import a_linear_perpetual, a_perpetual, an_option
from tests.research.rows import entry, fill, mark

DAY_S = 86_400.0
ALL = "all"


def everything(ms: int, run: int) -> str:
    return ALL


def by_day(ms: int, run: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%d}"


def tally(past: Past) -> Tally:
    (found,) = tallies(past, everything).values()
    return found


def test_profit_is_spread_and_inventory_less_fees_and_realized_and_unrealized() -> None:
    # Buy 2 at 0.0200, mark 0.0210: spread 0.002. The mark falls to 0.0205: inventory -0.001.
    # Sell 1 at 0.0215, mark 0.0205: spread 0.001; realized 0.0015, less fees of 0.0009.
    # One is left at 0.0205, bought at 0.0200: unrealized 0.0005.
    past = Past(
        an_option(),
        [
            fill(0, Side.BUY, "0.0200", "2", mark="0.0210", fee="0.0006"),
            fill(5, Side.SELL, "0.0215", "1", mark="0.0205", fee="0.0003"),
        ],
    )
    pnl = tally(past).pnl
    assert (pnl.spread, pnl.inventory, pnl.fees, pnl.funding) == (
        Decimal("0.003"),
        Decimal("-0.001"),
        Decimal("0.0009"),
        Decimal(0),
    )
    assert pnl.realized == Decimal("0.0006")
    assert pnl.unrealized == Decimal("0.0005")
    assert pnl.total == Decimal("0.0011")


def test_counts_and_volume() -> None:
    past = Past(
        an_option(),
        [
            fill(0, Side.BUY, "0.02", "2", index="2000"),
            fill(1, Side.SELL, "0.02", "1", index="2100", ours=False),
        ],
    )
    found = tally(past)
    assert (found.fills, found.not_ours, found.volume) == (2, 1, Decimal(3))
    assert found.volume_usd == Decimal(2 * 2000 + 2100)


def test_the_volume_of_an_inverse_perpetual_is_dollars_already() -> None:
    past = Past(a_perpetual(), [fill(0, Side.BUY, "2000", "500", instrument=a_perpetual())])
    assert tally(past).volume_usd == Decimal(500)


def test_the_volume_of_a_linear_contract_without_an_index_is_what_was_paid() -> None:
    linear = a_linear_perpetual()
    past = Past(linear, [fill(0, Side.BUY, "2000", "3", index=None, instrument=linear)])
    assert tally(past).volume_usd == Decimal(6000)


@pytest.mark.parametrize(
    ("side", "one", "ten"),
    [(Side.BUY, "0.0012", "-0.0005"), (Side.SELL, "-0.0012", "0.0005")],
)
def test_markouts_are_the_mark_later_against_the_price(side: Side, one: str, ten: str) -> None:
    past = Past(
        an_option(),
        [fill(0, side, "0.0200", mark="0.0205")],
        marks=[mark(1.1, "0.0212"), mark(10.2, "0.0195")],
    )
    found = tally(past).markouts
    assert (found[1].money, found[1].fills) == (Decimal(one), 1)
    assert (found[10].money, found[10].fills) == (Decimal(ten), 1)
    assert found[60].fills == 0


def test_a_markout_of_an_inverse_perpetual_is_in_coin() -> None:
    # 1000 USD long from 2000 to 2010: 1000 (1/2000 - 1/2010) = 10000 / 4020000 = 1/402 coin.
    perpetual = a_perpetual()
    past = Past(
        perpetual,
        [fill(0, Side.BUY, "2000", "1000", instrument=perpetual)],
        marks=[mark(1, "2010", instrument=perpetual)],
    )
    assert abs(tally(past).markouts[1].money - Decimal(1) / 402) < Decimal("1e-20")


def test_a_mark_that_comes_late_or_too_early_is_no_markout() -> None:
    past = Past(
        an_option(), [fill(0, Side.BUY, "0.02")], marks=[mark(0.9, "0.03"), mark(2.1, "0.04")]
    )
    assert tally(past).markouts[1].fills == 0


def test_a_win_is_a_closing_fill_that_earned_more_than_its_fee() -> None:
    past = Past(
        an_option(),
        [
            fill(0, Side.BUY, "0.0200", "3", fee="0.0009"),
            fill(1, Side.SELL, "0.0205", "1", fee="0.0003"),  # earns 0.0005
            fill(2, Side.SELL, "0.0202", "1", fee="0.0003"),  # earns 0.0002: less than the fee
        ],
    )
    found = tally(past)
    assert (found.wins, found.closings) == (1, 2)


def test_a_delivery_closes_and_can_be_a_win() -> None:
    # Sold at 0.02, delivered at a payoff of 0.005 for a fee of 0.0001: 0.0149 earned.
    delivered = entry(9, "delivery", price=Decimal("0.005"), fee=Decimal("0.0001"))
    past = Past(an_option(), [fill(0, Side.SELL, "0.02")], [delivered])
    found = tally(past)
    assert (found.wins, found.closings) == (1, 1)
    assert found.pnl.total == Decimal("0.0149")
    assert found.pnl.unrealized == 0


def test_funding_is_profit_once_whether_it_accrues_or_is_settled() -> None:
    perpetual = a_perpetual()
    bought = fill(0, Side.BUY, "2000", "1000", instrument=perpetual)
    accrued = mark(5, "2000", accrued="-0.002", instrument=perpetual)
    settled = entry(9, "funding", money=Decimal("-0.0025"), instrument=perpetual.id)
    before = tally(Past(perpetual, [bought], marks=[accrued]))
    after = tally(Past(perpetual, [bought], [settled], [accrued]))
    assert before.pnl.total == before.pnl.funding == Decimal("-0.002")
    assert after.pnl.total == after.pnl.funding == Decimal("-0.0025")


def test_the_largest_position_and_how_long_it_was_held() -> None:
    past = Past(
        an_option(),
        [
            fill(0, Side.SELL, "0.02", "1"),
            fill(10, Side.SELL, "0.02", "2"),
            fill(15, Side.BUY, "0.02", "3"),
        ],
    )
    found = tally(past)
    assert found.max_inventory == 3
    assert found.at_max_s == 5.0
    assert found.at_max_share == pytest.approx(5 / 15)


def test_each_day_begins_with_the_position_of_the_day_before() -> None:
    # Bought at 0.020; the mark of the first day's end is 0.022. Sold on the second day at 0.023.
    past = Past(
        an_option(),
        [fill(0, Side.BUY, "0.020"), fill(DAY_S, Side.SELL, "0.023")],
        marks=[mark(100, "0.022")],
    )
    first, second = tallies(past, by_day).values()
    assert (first.pnl.total, first.pnl.unrealized) == (Decimal("0.002"), Decimal("0.002"))
    assert (second.pnl.total, second.pnl.realized) == (Decimal("0.001"), Decimal("0.003"))
    assert second.max_inventory == 1, "it was held when the day began"
    assert second.at_max_s == 0.0, "nobody watched it over night"


def test_what_is_not_asked_for_is_replayed_but_not_counted() -> None:
    past = Past(
        an_option(), [fill(0, Side.BUY, "0.020"), fill(DAY_S, Side.SELL, "0.023", fee="0.0003")]
    )
    (only,) = tallies(past, lambda ms, run: ALL if by_day(ms, run) == "03" else None).values()
    assert only.fills == 1
    assert only.pnl.realized == Decimal("0.0027")


def test_a_position_from_before_us_is_no_profit() -> None:
    opened = entry(0, "opening", amount=Decimal(5), price=Decimal("0.03"))
    past = Past(an_option(), [fill(1, Side.SELL, "0.031", "5", mark="0.030")], [opened])
    pnl = tally(past).pnl
    assert pnl.total == pnl.spread == Decimal("0.005")
    assert not pnl.unrealized


def test_sums_are_by_currency_and_usd_takes_each_ones_last_index() -> None:
    in_eth = tally(Past(an_option(), [fill(0, Side.BUY, "0.02", mark="0.03", index="2500")]))
    linear = a_linear_perpetual()
    in_usdc = tally(Past(linear, [fill(0, Side.BUY, "2000", mark="2007", instrument=linear)]))
    sums = together([in_eth, in_usdc, in_eth])
    assert {name: found.pnl.total for name, found in sums.items()} == {
        "ETH": Decimal("0.02"),
        "USDC": Decimal(7),
    }
    assert in_usd(sums, lambda t: t.pnl.total) == 0.02 * 2500 + 7


def test_without_an_index_there_are_no_dollars() -> None:
    unknown = tally(Past(an_option(), [fill(0, Side.BUY, "0.02", mark="0.03", index=None)]))
    assert in_usd(together([unknown]), lambda t: t.pnl.total) is None
