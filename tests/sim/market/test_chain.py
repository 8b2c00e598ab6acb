"""What is listed: the venue's calendar, ladders, names and terms."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from mmbot.sim.exchange.listing import Kind, Right
from mmbot.sim.exchange.rules import Period
from mmbot.sim.market.chain import (
    FAMILIES,
    Expiry,
    expiries,
    future_expiries,
    listings,
    option,
    strikes,
)

MONDAY_NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


def codes(moment: datetime, period: Period) -> list[str]:
    return [expiry.code for expiry in expiries(ms(moment)) if expiry.period is period]


def test_the_calendar_of_a_monday_noon() -> None:
    # By hand from a calendar of 2025: Fridays 6, 13, 20 and 27 June; 27 June ends a quarter.
    assert codes(MONDAY_NOON, Period.DAY) == ["3JUN25", "4JUN25", "5JUN25", "7JUN25"]
    assert codes(MONDAY_NOON, Period.WEEK) == ["6JUN25", "13JUN25", "20JUN25", "4JUL25"]
    assert codes(MONDAY_NOON, Period.MONTH) == ["25JUL25", "29AUG25", "31OCT25"]
    assert codes(MONDAY_NOON, Period.QUARTER) == ["27JUN25", "26SEP25", "26DEC25", "27MAR26"]


def test_todays_expiry_is_listed_until_eight_in_the_morning() -> None:
    assert codes(MONDAY_NOON.replace(hour=7, minute=59), Period.DAY)[0] == "2JUN25"
    assert codes(MONDAY_NOON.replace(hour=8, minute=0), Period.DAY)[0] == "3JUN25"


@pytest.mark.parametrize("day", range(1, 31))
def test_no_date_is_listed_twice_and_all_expire_at_eight(day: int) -> None:
    found = expiries(ms(MONDAY_NOON.replace(day=day)))
    times = [expiry.time_ms for expiry in found]
    assert times == sorted(set(times))
    assert len(times) == 15
    assert all(datetime.fromtimestamp(time / 1_000, UTC).hour == 8 for time in times)


def test_the_strikes_of_the_demonstration_exist() -> None:
    names = [listing.name for listing in listings(FAMILIES["ETH"], 2_850.0, ms(MONDAY_NOON))]
    for name in ("ETH-6JUN25-2800-C", "ETH-6JUN25-2800-P", "ETH-6JUN25-2900-C", "ETH-PERPETUAL"):
        assert name in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("currency", "price"), [("ETH", 2_850.0), ("BTC", 105_000.0)])
@pytest.mark.parametrize("days", [0.8, 4.0, 25.0, 300.0])
def test_ladders_are_denser_near_the_money(currency: str, price: float, days: float) -> None:
    ladder = strikes(FAMILIES[currency], price, days / 365)
    gaps = [after - before for before, after in pairwise(ladder)]
    assert ladder == sorted(set(ladder))
    assert ladder[0] < 0.9 * price
    assert ladder[-1] > 1.1 * price
    near = [
        gap
        for strike, gap in zip(ladder, gaps, strict=False)
        if abs(float(strike) / price - 1) < 0.01
    ]
    assert max(near, default=min(gaps)) == min(gaps)
    assert gaps[0] > min(gaps)
    assert gaps[-1] > min(gaps)


def test_ladders_are_denser_near_expiry() -> None:
    eth = FAMILIES["ETH"]

    def finest(days: float) -> Decimal:
        ladder = strikes(eth, 2_850.0, days / 365)
        return min(after - before for before, after in pairwise(ladder))

    assert [finest(days) for days in (2, 20, 60, 200)] == [25, 50, 100, 200]


def test_terms_are_the_venues() -> None:
    listed = {
        listing.name: listing
        for currency, price in (("BTC", 105_000.0), ("ETH", 2_850.0))
        for listing in listings(FAMILIES[currency], price, ms(MONDAY_NOON))
    }
    put = listed["ETH-6JUN25-2800-P"]
    assert put.kind is Kind.OPTION
    assert put.right is Right.PUT
    assert put.strike == 2800
    assert put.inverse
    assert put.expiry_ms == ms(datetime(2025, 6, 6, 8, tzinfo=UTC))
    assert put.min_amount == 1
    assert put.maker_fee == put.taker_fee == Decimal("0.0003")
    assert put.tick_at(Decimal("0.0049")) == Decimal("0.0001")
    assert put.tick_at(Decimal("0.005")) == Decimal("0.0005")
    assert listed["BTC-6JUN25-105000-C"].min_amount == Decimal("0.1")
    btc, eth = listed["BTC-PERPETUAL"], listed["ETH-PERPETUAL"]
    assert btc.tick == Decimal("0.5")
    assert btc.contract_size == btc.min_amount == 10
    assert eth.tick == Decimal("0.05")
    assert eth.contract_size == eth.min_amount == 1
    assert eth.maker_fee == 0
    assert eth.taker_fee == Decimal("0.0005")


def test_days_have_no_leading_zero_in_names() -> None:
    expiry = Expiry(ms(datetime(2025, 6, 6, 8, tzinfo=UTC)), Period.WEEK)
    name = option(FAMILIES["BTC"], expiry, Decimal(105_000), Right.CALL, ms(MONDAY_NOON)).name
    assert name == "BTC-6JUN25-105000-C"


def test_futures_are_on_two_weeklies_two_monthlies_and_every_quarterly() -> None:
    codes_of_futures = [one.code for one in future_expiries(expiries(ms(MONDAY_NOON)))]
    assert codes_of_futures == [
        "6JUN25",
        "13JUN25",
        "27JUN25",
        "25JUL25",
        "29AUG25",
        "26SEP25",
        "26DEC25",
        "27MAR26",
    ]


def test_futures_are_the_perpetual_with_an_end_and_pay_their_makers_for_a_week() -> None:
    listed = {one.name: one for one in listings(FAMILIES["ETH"], 2_850.0, ms(MONDAY_NOON))}
    weekly, quarterly = listed["ETH-13JUN25"], listed["ETH-27JUN25"]
    assert weekly.kind is quarterly.kind is Kind.FUTURE
    assert quarterly.contract_size == listed["ETH-PERPETUAL"].contract_size
    assert quarterly.expiry_ms == ms(datetime(2025, 6, 27, 8, tzinfo=UTC))
    assert (weekly.maker_fee, quarterly.maker_fee) == (Decimal("-0.0001"), Decimal(0))
    assert weekly.taker_fee == Decimal("0.0005")


def test_linear_contracts_are_priced_and_settled_in_usdc() -> None:
    listed = {
        one.name: one
        for family, price in (("BTC_USDC", 105_000.0), ("ETH_USDC", 2_850.0), ("XRP_USDC", 2.2))
        for one in listings(FAMILIES[family], price, ms(MONDAY_NOON))
    }
    assert all(one.settlement == "USDC" and not one.inverse for one in listed.values())
    assert listed["BTC_USDC-6JUN25-105000-C"].min_amount == Decimal("0.01")
    assert listed["ETH_USDC-6JUN25-2850-P"].min_amount == Decimal("0.1")
    assert listed["BTC_USDC-PERPETUAL"].min_amount == Decimal("0.0001")
    assert {one.index_name for one in listed.values()} == {"btc_usdc", "eth_usdc", "xrp_usdc"}
    assert not any(one.kind is Kind.FUTURE for one in listed.values())
    assert "XRP_USDC-PERPETUAL" not in listed
    strikes_of_xrp = {one.strike for one in listed.values() if one.underlying == "XRP"}
    assert Decimal("2.2") in strikes_of_xrp
    assert "XRP_USDC-6JUN25-2d2-C" in listed
    assert "XRP_USDC-6JUN25-2d25-P" in listed
    assert "XRP_USDC-6JUN25-2-C" in listed


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_price_step_is_a_multiple_of_the_one_below(family: str) -> None:
    terms = FAMILIES[family].options
    ticks = [terms.tick, *(step for _, step in terms.tick_steps)]
    for (above, step), finer in zip(terms.tick_steps, ticks, strict=False):
        assert step % finer == 0
        assert above % step == 0


def test_a_chain_in_its_last_hours_is_as_wide_as_the_day_before() -> None:
    late = ms(datetime(2025, 6, 6, 7, 59, 50, tzinfo=UTC))
    names = [one.name for one in listings(FAMILIES["ETH"], 2_850.0, late)]
    assert "ETH-6JUN25-2600-P" in names
    assert "ETH-6JUN25-3100-C" in names
