"""Which quotes of a chain count, and why the others do not."""

from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from mmbot.pricing import black76
from mmbot.pricing.chain_quotes import REASONS, ChainQuotes, Rule, clean, layout
from tests.pricing.chains import AT_NS, DAY_NS, chain_of

CHAIN = chain_of({10: 9, 30: 9})
FIRST = 0  # a put far below the money, ten days


def changed(row: int, **columns: Any) -> ChainQuotes:
    """The chain with other values in one row."""
    new = {}
    for name, value in columns.items():
        new[name] = getattr(CHAIN, name).copy()
        new[name][row] = value
    return replace(CHAIN, **new)


def test_a_clean_chain_is_taken_whole() -> None:
    cleaned = clean(CHAIN, Rule())
    assert cleaned.count.tolist() == [9, 9]
    assert cleaned.skipped == ((), ())
    assert cleaned.years * 365 == pytest.approx([10, 30])
    assert cleaned.forward == pytest.approx([90_000, 90_000])
    assert cleaned.vol == pytest.approx(CHAIN.mark_vol, abs=5e-4)
    assert (np.diff(cleaned.k)[cleaned.place[1:] == cleaned.place[:-1]] > 0).all()


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"forward": nan}, "no_forward"),
        ({"forward": 0.0}, "no_forward"),
        ({"forward": -1.0}, "no_forward"),
        ({"forward": inf}, "no_forward"),
        ({"synthetic": True}, "synthetic_forward"),
        ({"bid": nan, "ask": nan}, "no_quote"),
        ({"bid": 0.0, "ask": 0.0}, "no_quote"),
        ({"bid": nan}, "one_sided"),
        ({"ask": nan}, "one_sided"),
        ({"bid": 0.02, "ask": 0.02}, "crossed"),
        ({"bid": 0.03, "ask": 0.02}, "crossed"),
        ({"sign": 1.0}, "in_the_money"),
        ({"bid": 0.0002, "ask": 0.00025}, "low_bid"),
        ({"bid": 0.001, "ask": 0.002}, "wide"),
        ({"bid": 0.9, "ask": 0.95}, "no_vol"),
        ({"bid": 0.001, "ask": inf}, "one_sided"),
        ({"bid": -inf, "ask": inf}, "no_quote"),
        ({"expiry_ns": AT_NS}, "expired"),
        ({"expiry_ns": AT_NS - DAY_NS}, "expired"),
    ],
)
def test_a_row_that_does_not_count_is_counted(columns: dict[str, Any], reason: str) -> None:
    cleaned = clean(changed(FIRST, **columns), Rule())
    told: dict[str, int] = {}
    for skipped in cleaned.skipped:
        told |= dict(skipped)
    assert told == {reason: 1}
    assert reason in REASONS
    assert cleaned.count.sum() == 17


def test_a_forward_that_is_synthetic_throughout_an_expiry_is_taken() -> None:
    synthetic = CHAIN.expiry_ns == CHAIN.expiry_ns[0]
    cleaned = clean(replace(CHAIN, synthetic=synthetic), Rule())
    assert cleaned.count.tolist() == [9, 9]


def test_a_time_value_of_less_than_a_tick_is_an_interval_and_no_point() -> None:
    cleaned = clean(replace(changed(FIRST, bid=4e-4, ask=5e-4), tick=1e-3), Rule())
    assert dict(cleaned.skipped[0])["below_tick"] >= 1


def test_quotes_of_an_expiry_with_two_strikes_are_too_few() -> None:
    cleaned = clean(chain_of({10: 2, 30: 9}), Rule())
    assert cleaned.count.tolist() == [0, 9]
    assert cleaned.skipped == ((("few_quotes", 2),), ())


def test_linear_options_are_judged_by_their_share_of_the_forward() -> None:
    usd = replace(CHAIN, inverse=False, bid=CHAIN.bid * 90_000, ask=CHAIN.ask * 90_000, tick=0.0)
    cleaned = clean(usd, Rule())
    assert cleaned.count.tolist() == [9, 9]
    assert cleaned.vol == pytest.approx(clean(CHAIN, Rule()).vol, rel=1e-9)


def test_rows_in_any_order_give_the_same() -> None:
    mixed = np.random.default_rng(1).permutation(len(CHAIN))
    columns = ("expiry_ns", "strike", "sign", "forward", "bid", "ask", "mark_vol", "synthetic")
    shuffled = replace(CHAIN, **{name: getattr(CHAIN, name)[mixed] for name in columns})
    first, second = clean(CHAIN, Rule()), clean(shuffled, Rule())
    assert second.k.tolist() == first.k.tolist()
    assert second.bid_vol.tolist() == first.bid_vol.tolist()


def test_a_layout_fits_its_options_only() -> None:
    laid_out = layout(CHAIN)
    assert laid_out.fits(replace(CHAIN, bid=CHAIN.bid * 0.99))
    assert not laid_out.fits(chain_of({10: 9, 31: 9}))
    assert not laid_out.fits(chain_of({10: 9, 30: 8}))


def test_volatilities_from_the_last_ones_are_those_from_nothing() -> None:
    first = clean(CHAIN, Rule())
    moved = chain_of({10: 9, 30: 9}, moved=3.0)
    again, anew = clean(moved, Rule(), first.layout, first.near), clean(moved, Rule())
    assert again.bid_vol == pytest.approx(anew.bid_vol, rel=1e-5)
    assert again.ask_vol == pytest.approx(anew.ask_vol, rel=1e-5)


def test_the_volatility_is_that_of_the_rows_own_forward() -> None:
    cleaned = clean(changed(FIRST, forward=89_000.0), Rule())
    expected = black76.implied_vol(
        CHAIN.bid[FIRST], 89_000.0, CHAIN.strike[FIRST], 10 / 365, -1.0, inverse=True
    )
    assert cleaned.bid_vol[0] == pytest.approx(float(expected), rel=1e-9)
    # That of the expiry is the mean.
    assert cleaned.forward[0] == pytest.approx(90_000 - 1_000 / 9)
