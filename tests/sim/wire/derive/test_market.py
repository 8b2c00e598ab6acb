"""What the simulated Derive lists, and that it is of one world with everything else there."""

from __future__ import annotations

import asyncio
import math
from decimal import Decimal
from statistics import fmean
from typing import Any

import aiohttp
import pytest

from mmbot.sim.exchange.listing import Kind
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.market import chain
from mmbot.sim.market.market import START_PRICES, Market
from mmbot.sim.wire.derive.terms import RULES
from mmbot.sim.wire.world import FaceOptions
from tests.sim.wire.derive.judges import stock_derive
from tests.sim.wire.derive.venue import OPTION, PERPETUAL, START_MS, Judged, served, within
from tests.wire.test_stock_ccxt import stock_client

BOTH = (FaceOptions(name="deribit", kind="deribit"), FaceOptions(name="derive", kind="derive"))


def markets() -> tuple[Market, Market]:
    """A Deribit and a Derive of one seed."""
    usual = Market(Exchange(rules=VenueRules()), 3, START_MS)
    return usual, Market(Exchange(rules=RULES), 3, START_MS, crowd="derive")


def test_the_same_expiries_are_listed_with_strikes_at_least_as_fine() -> None:
    usual, derive = markets()
    for coin in ("ETH", "BTC"):
        theirs = {
            (one.expiry_ms, one.strike, one.right)
            for one in usual.exchange.listings.values()
            if one.kind is Kind.OPTION and one.settlement == coin
        }
        ours = {
            (one.expiry_ms, one.strike, one.right)
            for one in derive.exchange.listings.values()
            if one.kind is Kind.OPTION and one.underlying == coin
        }
        assert {one[0] for one in ours} == {one[0] for one in theirs}
        # Within an expected deviation of the money, where anybody trades.
        price = START_PRICES[coin]
        for expiry_ms, strike, right in theirs:
            years = (expiry_ms - START_MS) / 31_536_000_000
            assert strike is not None
            if abs(math.log(float(strike) / price)) < chain.LADDER_VOLATILITY * years**0.5:
                assert (expiry_ms, strike, right) in ours


def test_no_perpetual_is_quoted_for_less_than_its_maker_is_charged() -> None:
    """One hundredth of a percent a side here, nothing at Deribit: 0.57 USD of 2,850, give or take a
    tick of Deribit's, which is coarser."""
    usual, derive = markets()
    usual.watch("ETH-PERPETUAL")
    derive.watch(PERPETUAL)
    widths: dict[str, list[float]] = {"ETH-PERPETUAL": [], PERPETUAL: []}
    for second in range(60):
        for market, name in ((usual, "ETH-PERPETUAL"), (derive, PERPETUAL)):
            market.advance(START_MS + second * 1_000)
            book = market.exchange.book(name)
            assert book.best_bid is not None
            assert book.best_ask is not None
            widths[name].append(float(book.best_ask.price - book.best_bid.price))
    more = fmean(widths[PERPETUAL]) - fmean(widths["ETH-PERPETUAL"])
    assert abs(more - 0.57) <= 0.05


def test_names_are_the_venues() -> None:
    _, derive = markets()
    assert {
        OPTION,
        PERPETUAL,
        "BTC-PERP",
        "BTC-20250627-105000-P",
    } <= derive.exchange.listings.keys()
    fractional = chain._strike_code(Decimal("0.5"), RULES.families[0].names.point)
    assert fractional == "0_5"


def test_more_instruments_than_five_pages_hold_are_read_page_by_page() -> None:
    caller = Judged().caller()
    names: list[str] = []
    page = 0
    while True:
        page += 1
        told = caller.ask(
            "public/get_all_instruments",
            instrument_type="option",
            expired=False,
            page=page,
            page_size=1_000,
        )
        names += [one["instrument_name"] for one in told["instruments"]]
        if page == told["pagination"]["num_pages"]:
            break
    assert page >= 6
    assert len(names) == len(set(names)) == told["pagination"]["count"] > 5_000
    beyond = {"instrument_type": "option", "expired": False, "page_size": 1_001}
    assert caller.refusal("public/get_all_instruments", **beyond) == -32602
    assert sorted(caller.ask("public/get_all_live_instruments")) == sorted(
        [*names, "ETH-PERP", "BTC-PERP"]
    )


def test_marks_are_those_of_the_other_venue_in_another_currency() -> None:
    usual, derive = markets()
    for market in (usual, derive):
        market.advance(START_MS + 30_000)
    for there, here in (
        ("ETH-6JUN25-2800-C", OPTION),
        ("BTC-27JUN25-105000-P", "BTC-20250627-105000-P"),
    ):
        theirs, ours = usual.ticker(there), derive.ticker(here)
        assert theirs.underlying_price is not None
        assert abs(theirs.mark_price * theirs.underlying_price - ours.mark_price) < 0.1
        assert theirs.mark_iv == ours.mark_iv
    assert (
        abs(usual.ticker("ETH-PERPETUAL").mark_price - derive.ticker(PERPETUAL).mark_price) < 0.01
    )
    assert usual.index("eth_usd") == derive.index("eth_usdc")


def test_two_venues_agree_within_their_makers_noise() -> None:
    usual, derive = markets()
    pairs = {"ETH-6JUN25-2800-C": OPTION, "ETH-13JUN25-2900-P": "ETH-20250613-2900-P"}
    for there, here in pairs.items():
        usual.watch(there)
        derive.watch(here)
    apart: list[float] = []
    for second in range(60):
        for market in (usual, derive):
            market.advance(START_MS + 1_000 * second)
            market.exchange.drain()
        for there, here in pairs.items():
            theirs, ours = usual.exchange.book(there), derive.exchange.book(here)
            mids = [_mid(theirs) * float(theirs.underlying), _mid(ours)]
            vega = derive.ticker(here).greeks.vega  # type: ignore[union-attr]
            apart.append((mids[0] - mids[1]) / vega)
    # Makers misjudge volatility by less than a point; the coin's tick is another half of one.
    assert abs(fmean(apart)) < 1.0
    assert max(abs(one) for one in apart) < 4.0


def _mid(book: Any) -> float:
    assert book.best_bid is not None
    assert book.best_ask is not None
    return float(book.best_bid.price + book.best_ask.price) / 2


async def test_one_world_serves_both_on_one_clock_and_one_price() -> None:
    async with served(*BOTH) as (deribit, derive), aiohttp.ClientSession() as http:
        assert derive.rest_url.endswith("/v3")

        async def asked(method: str, **params: Any) -> Any:
            async with http.post(f"{derive.rest_url}/{method}", json=params) as reply:
                return (await reply.json())["result"]

        async def apart() -> float:
            ticker = await asked("public/get_ticker", instrument_name=PERPETUAL)
            theirs = await within(client.public_get_get_index_price({"index_name": "eth_usd"}))
            return abs(float(ticker["I"]) - float(theirs["result"]["index_price"]))

        async with stock_client(deribit) as client:
            ours_ms = await asked("public/get_time")
            theirs_ms = await within(client.fetch_time())
            assert 0 <= theirs_ms - ours_ms < 10_000
            for venue in (deribit, derive):
                venue.freeze()
            assert await apart() < 2
        assert deribit.exchange is not derive.exchange
        assert derive.endpoints.login["subaccount_id"] == 130_837
        assert deribit.endpoints.login == {}


@pytest.mark.parametrize("before", [True, False])
async def test_a_line_that_breaks_in_the_middle_of_a_replace_leaves_one_order(
    before: bool,
) -> None:
    async with served(seed=3) as (venue,), stock_derive(venue.endpoints) as client:
        venue.freeze()
        terms = ("ETH/USDC:USDC", "limit", "buy", 1)
        made = await within(client.create_order(*terms, 2500, {"max_fee": 100}))
        venue.cut_on("private/replace", before=before)
        replacing = client.edit_order(made["id"], *terms, 2510, {"max_fee": 100})
        await asyncio.gather(within(replacing), return_exceptions=True)
        assert venue.trouble.counts["cut_mid_order"] == 1
        (left,) = venue.exchange.accounts[venue.account].open_orders.values()
        assert str(left.price) == ("2500" if before else "2510")
