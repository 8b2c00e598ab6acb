"""What is listed becomes instruments, with the fees that the venue has been seen to charge."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

import ccxt
import pytest

from mmbot.core.fees import FeeBasis
from mmbot.core.types import SECOND, InstrumentId, Kind, Right, Side
from mmbot.venues.derive.catalog import Catalog, Listed, catalog, listed_of
from mmbot.venues.derive.paging import PAGE_SIZE, PAGES_MAX, everything
from mmbot.venues.derive.signing import Asset
from mmbot.venues.reading import Unread, Unreadable
from mmbot.venues.recipe import Get, Recipe
from tests.venues.derive import samples

NOW_NS = 1_748_865_600 * SECOND
"""2025-06-02 12:00 UTC."""


def listed(sample: dict[str, Any], **changes: Any) -> Listed:
    found = listed_of("derive", {**sample, **changes}, Unread())
    assert found is not None
    return found


# --- one instrument ---------------------------------------------------------------------------


def test_an_option_is_priced_and_settled_in_usdc() -> None:
    found = listed(samples.ETH_CALL)
    one = found.instrument
    assert one.id == InstrumentId("derive:ETH-20250606-2800-C")
    assert one.symbol == "ETH/USDC:USDC-250606-2800-C"
    assert (one.kind, one.underlying, one.settlement) == (Kind.OPTION, "ETH", "USDC")
    assert (one.inverse, one.priced_in_coin, one.contract_size) == (False, False, Decimal(1))
    assert (one.strike, one.right) == (Decimal(2800), Right.CALL)
    assert one.expiry_ns == 1749196800 * SECOND
    assert (one.grid.tick, one.grid.amount_step) == (Decimal("0.1"), Decimal("0.01"))
    assert one.grid.min_amount == Decimal("0.1")
    assert one.payoff(Decimal("2851.3")) == Decimal("51.3")
    assert found.max_amount == Decimal(1000)
    assert found.asset == Asset.of(
        "0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4", 2576980377601813910400
    )


def test_a_perpetual_is_linear_and_has_no_end() -> None:
    found = listed(samples.ZEC_PERP)
    one = found.instrument
    assert (one.kind, one.symbol) == (Kind.PERPETUAL, "ZEC/USDC:USDC")
    assert (one.inverse, one.expiry_ns, one.strike) == (False, None, None)
    assert one.value(Decimal("2.5"), Decimal(40)) == 100
    assert found.is_live(1780572941 * SECOND)
    assert not found.is_live(1780572940 * SECOND)


@pytest.mark.parametrize("sample", [samples.ZEC_PERP, samples.BTC_PERP, samples.ETH_CALL])
def test_ccxt_reads_the_same_market(sample: dict[str, Any]) -> None:
    market = ccxt.derive().parse_market(sample)
    one = listed(sample).instrument
    assert (one.name, one.symbol) == (market["id"], market["symbol"])
    assert (one.underlying, one.settlement) == (market["base"], market["settle"])
    assert (one.kind is Kind.OPTION, one.inverse) == (market["option"], market["inverse"])
    assert float(one.grid.tick) == market["precision"]["price"]
    assert float(one.grid.amount_step) == market["precision"]["amount"]
    assert float(one.grid.min_amount) == market["limits"]["amount"]["min"]
    assert (float(one.fees.maker), float(one.fees.taker)) == (market["maker"], market["taker"])
    if one.expiry_ns is not None:
        assert one.expiry_ns == market["expiry"] * 1_000_000
        assert one.strike == Decimal(str(market["strike"]))


# --- fees -------------------------------------------------------------------------------------

CENT_12 = Decimal("0.000000000001")


def test_a_taker_of_a_perpetual_pays_what_the_venue_has_charged() -> None:
    """Recorded: 0.01 BTC at 84365.4, the index at 84358.4956..., was charged 0.263075486855.
    0.0003 x 84358.49561857211 x 0.01 = 0.25307548685..., and 0.01 base: of the index, not of the
    price (which would be 0.2630962)."""
    one = listed(samples.BTC_PERP).instrument
    trade = samples.TRADE
    amount, price, index = (
        Decimal(trade[key]) for key in ("trade_amount", "trade_price", "index_price")
    )
    fee = one.fee(amount, price, index, taker=True)
    assert fee.quantize(CENT_12, ROUND_DOWN) == Decimal(trade["trade_fee"])


def test_another_taker_with_rates_of_its_own_too() -> None:
    """Recorded: 0.0357 BTC at 83863, index 83867.1716490259: 0.44910870418, which is 0.00015 of
    2994.0580278702 and no base."""
    one = listed(samples.BTC_PERP, taker_fee_rate="0.00015", base_fee="0").instrument
    fee = one.fee(Decimal("0.0357"), Decimal(83863), Decimal("83867.1716490259"), taker=True)
    assert fee.quantize(CENT_12, ROUND_DOWN) == Decimal("0.449108704180")


@pytest.mark.parametrize(
    ("sample", "changes", "amount", "index", "taker", "fee"),
    [
        (samples.ETH_CALL, {}, "2", "2200", True, "2.26"),
        (samples.BTC_PERP, {"taker_fee_rate": "0.0006", "base_fee": "0.1"},
         "0.1", "43000", True, "2.68"),
        (samples.BTC_PERP, {}, "0.1", "43000", False, "0.43"),
    ],
)  # fmt: skip
def test_the_examples_of_the_venues_own_page_come_out(
    sample: dict[str, Any], changes: dict[str, Any], amount: str, index: str, taker: bool, fee: str
) -> None:
    """help.derive.xyz, "What are the fees?": 2 puts taken with spot at 2200; 0.1 BTC-PERP at 43000,
    its taker and its maker."""
    one = listed(sample, **changes).instrument
    assert one.fee(Decimal(amount), Decimal(120), Decimal(index), taker=taker) == Decimal(fee)


def test_a_maker_pays_no_base_fee() -> None:
    one = listed(samples.BTC_PERP).instrument
    assert one.fee(Decimal("0.01"), Decimal(84000), Decimal(84000)) == Decimal("0.084")


def test_an_option_pays_of_the_index_at_most_a_share_of_its_price() -> None:
    one = listed(samples.ETH_CALL).instrument
    # 0.0003 x 2850 x 2 = 1.71; the cap, 0.125 x 118 x 2 = 29.5, is far.
    assert one.fee(Decimal(2), Decimal(118), Decimal(2850)) == Decimal("1.71")
    # 0.0004 x 2850 x 2 = 2.28, and 0.5 for the order.
    assert one.fee(Decimal(2), Decimal(118), Decimal(2850), taker=True) == Decimal("2.78")
    # At a price of 3 the cap is 0.125 x 3 x 2 = 0.75.
    assert one.fee(Decimal(2), Decimal(3), Decimal(2850)) == Decimal("0.75")
    assert one.fee(Decimal(2), Decimal(3), Decimal(2850), taker=True) == Decimal("1.25")


@pytest.mark.parametrize("cap", [None, "0"])
def test_a_cap_of_nothing_is_no_cap(cap: str | None) -> None:
    one = listed(samples.ETH_CALL, mark_price_fee_rate_cap=cap).instrument
    assert one.fees.cap is None
    assert one.fee(Decimal(2), Decimal(3), Decimal(2850)) == Decimal("1.71")
    assert listed(samples.BTC_PERP, mark_price_fee_rate_cap="0.1").instrument.fees.cap is None


def test_a_rebate_is_paid_to_us() -> None:
    one = listed(samples.BTC_PERP, maker_fee_rate="-0.0001").instrument
    assert one.fees.basis is FeeBasis.INDEX
    assert one.fee(Decimal("0.01"), Decimal(84000), Decimal(84000)) == Decimal("-0.084")


# --- what is odd ------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [samples.ETH_SPOT, {"instrument_type": "future"}])
def test_other_kinds_are_none_of_ours(sample: dict[str, Any]) -> None:
    assert listed_of("derive", sample, Unread()) is None


def test_what_does_not_trade_is_not_listed() -> None:
    assert listed_of("derive", {**samples.ETH_CALL, "is_active": False}, Unread()) is None


@pytest.mark.parametrize("details", [None, {}, {"expiry": 1749196800}, {"expiry": 2**62}])
def test_an_option_without_details_is_told_by_its_name(details: Any) -> None:
    one = listed(samples.ETH_CALL, option_details=details).instrument
    assert (one.strike, one.right) == (Decimal(2800), Right.CALL)
    assert one.expiry_ns == 1749196800 * SECOND


VITAL = [
    "instrument_name", "instrument_type", "is_active", "tick_size", "minimum_amount", "amount_step",
    "maker_fee_rate", "taker_fee_rate", "base_fee", "base_currency", "quote_currency",
    "base_asset_address", "base_asset_sub_id",
]  # fmt: skip


@pytest.mark.parametrize("name", VITAL)
@pytest.mark.parametrize("odd", [None, [], {}])
def test_terms_without_a_vital_field_are_not_understood(name: str, odd: Any) -> None:
    with pytest.raises(Unreadable):
        listed_of("derive", {**samples.ETH_CALL, name: odd}, Unread())


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("tick_size", "0"),
        ("tick_size", "-0.1"),
        ("tick_size", "NaN"),
        ("amount_step", "0"),
        ("minimum_amount", "0"),
        ("base_fee", "-1"),
        ("mark_price_fee_rate_cap", "-0.1"),
        ("mark_price_fee_rate_cap", "much"),
        ("maximum_amount", "NaN"),
        ("quote_currency", "USDT"),
        ("base_asset_address", "0x12"),
        ("base_asset_sub_id", "1.5"),
        ("base_asset_sub_id", "-1"),
        ("base_asset_sub_id", str(2**256)),
        ("option_details", "C"),
        ("option_details", {"strike": "0"}),
        ("option_details", {"strike": "-5"}),
    ],
)
def test_terms_that_make_no_sense_are_not_traded_on(name: str, odd: Any) -> None:
    with pytest.raises(Unreadable):
        listed_of("derive", {**samples.ETH_CALL, name: odd}, Unread())


def test_an_option_of_which_nothing_tells_the_strike_is_not_understood() -> None:
    odd = {**samples.ETH_CALL, "instrument_name": "ETH-SOMETHING", "option_details": None}
    with pytest.raises(Unreadable, match="without strike"):
        listed_of("derive", odd, Unread())


def test_a_snap_of_the_grid_is_away_from_the_market() -> None:
    one = listed(samples.ETH_CALL).instrument
    assert one.snap_price(118.27, Side.BUY) == Decimal("118.2")
    assert one.snap_price(118.21, Side.SELL) == Decimal("118.3")


# --- all of them ------------------------------------------------------------------------------


class Pretended:
    """A venue that answers pages of what it lists; `asked` is what it was asked."""

    def __init__(self, rows: Mapping[str, list[Any]], *, size: int = PAGE_SIZE) -> None:
        self.rows = rows
        self.size = size
        self.asked: list[dict[str, Any]] = []

    def ask(self, method: str, params: Mapping[str, Any]) -> Recipe[Any]:
        answer = yield Get(method, params, 1.0)
        return answer

    def answer(self, question: Get) -> Any:
        params = dict(question.params)
        self.asked.append(params)
        rows, page = self.rows[params["instrument_type"]], params["page"]
        return {
            "instruments": rows[(page - 1) * self.size : page * self.size],
            "pagination": {"num_pages": -(-len(rows) // self.size), "count": len(rows)},
        }

    def run(self, recipe: Recipe[Any]) -> Any:
        answer: Any = None
        try:
            while True:
                question = recipe.send(answer)
                assert isinstance(question, Get)
                answer = self.answer(question)
        except StopIteration as end:
            return end.value


def options(count: int) -> list[dict[str, Any]]:
    return [
        {**samples.ETH_CALL, "instrument_name": f"ETH-20250606-{1000 + number}-C"}
        for number in range(count)
    ]


def test_every_page_is_asked_for() -> None:
    venue = Pretended({"perp": [samples.ZEC_PERP, samples.BTC_PERP], "option": options(5432)})
    unread = Unread()
    found: Catalog = venue.run(catalog(venue.ask, "derive", unread))
    assert len(found.listed) == 5434
    assert found.whole
    assert not found.unread
    assert [(one["instrument_type"], one["page"]) for one in venue.asked] == [
        ("perp", 1),
        *(("option", page) for page in range(1, 7)),
    ]
    assert all(one["page_size"] == 1000 and one["expired"] is False for one in venue.asked)


def test_only_the_underlyings_that_are_wanted_are_asked_for() -> None:
    venue = Pretended({"perp": [samples.BTC_PERP], "option": options(3)})
    venue.run(catalog(venue.ask, "derive", Unread(), ["ETH", "BTC"]))
    assert [(one["instrument_type"], one["currency"]) for one in venue.asked] == [
        ("perp", "ETH"), ("perp", "BTC"), ("option", "ETH"), ("option", "BTC"),
    ]  # fmt: skip


def test_one_that_cannot_be_read_is_named_and_the_others_count() -> None:
    rows = [*options(3), {**options(4)[3], "tick_size": None}, None, {"instrument_name": 7}]
    venue = Pretended({"perp": [], "option": rows})
    unread = Unread()
    found: Catalog = venue.run(catalog(venue.ask, "derive", unread))
    assert list(found.listed) == [row["instrument_name"] for row in options(3)]
    assert list(found.unread) == ["ETH-20250606-1003-C"]
    assert "tick_size" in found.unread["ETH-20250606-1003-C"]
    assert {kind: count for kind, count, _ in unread.take()} == {"listing": 3}


def test_what_trades_at_a_moment_is_told() -> None:
    venue = Pretended({"perp": [samples.ZEC_PERP], "option": options(2)})
    found: Catalog = venue.run(catalog(venue.ask, "derive", Unread()))
    assert [one.name for one in found.instruments(NOW_NS)] == list(found.listed)[1:]
    assert [one.name for one in found.instruments(1749196800 * SECOND)] == []


def test_a_list_that_shrinks_while_it_is_read_is_not_whole() -> None:
    class Shrinking(Pretended):
        def answer(self, question: Get) -> Any:
            answer = super().answer(question)
            if question.params["instrument_type"] == "option" and question.params["page"] == 2:
                answer["instruments"] = answer["instruments"][1:]
            return answer

    venue = Shrinking({"perp": [], "option": options(1500)})
    found: Catalog = venue.run(catalog(venue.ask, "derive", Unread()))
    assert len(found.listed) == 1499
    assert not found.whole


@pytest.mark.parametrize("pagination", [None, "none", {}, {"num_pages": None, "count": "many"}])
def test_where_pages_are_not_counted_the_last_one_is_the_one_that_is_not_full(
    pagination: Any,
) -> None:
    class Silent(Pretended):
        def answer(self, question: Get) -> Any:
            return {**super().answer(question), "pagination": pagination}

    venue = Silent({"perp": [], "option": options(1500)})
    found: Catalog = venue.run(catalog(venue.ask, "derive", Unread()))
    assert len(found.listed) == 1500
    assert len(venue.asked) == 3


def test_a_venue_that_counts_without_end_is_left_in_the_end() -> None:
    class Endless(Pretended):
        def answer(self, question: Get) -> Any:
            self.asked.append(dict(question.params))
            return {"rows": [0], "pagination": {"num_pages": 10**9, "count": 10**9}}

    venue = Endless({})
    found = venue.run(everything(venue.ask, "private/x", {}, "rows", Unread()))
    assert len(venue.asked) == PAGES_MAX
    assert not found.whole


@pytest.mark.parametrize("answer", [None, [], {}, {"instruments": None}, {"instruments": {}}])
def test_an_answer_without_a_list_is_said(answer: Any) -> None:
    class Odd(Pretended):
        def answer(self, question: Get) -> Any:
            return answer

    venue = Odd({})
    with pytest.raises(Unreadable):
        venue.run(catalog(venue.ask, "derive", Unread()))
