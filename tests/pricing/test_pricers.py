"""What the built-in pricers say an instrument is worth. Numbers by hand."""

import pytest
from msgspec.structs import replace

from mmbot.core.types import Level
from mmbot.core.views import MarketView, Valuation
from mmbot.pricing.mark import Mark
from mmbot.pricing.microprice import microprice
from mmbot.pricing.mid import Mid
from tests.builders import NOW_NS, a_perpetual, an_option

ONE_SIDED: tuple[tuple[Level, ...], tuple[Level, ...]] = (((100.0, 3.0),), ())
PERPETUAL = MarketView(
    instrument=a_perpetual(),
    bids=((100.0, 3.0), (99.0, 50.0)),
    asks=((101.0, 1.0), (102.0, 50.0)),
    mark=90.0,
    index=95.0,
    forward=95.0,
    mark_iv=None,
    delta=None,
)
OPTION = replace(
    PERPETUAL,
    instrument=an_option(),
    bids=((0.0190, 10.0),),
    asks=((0.0240, 30.0),),
    mark=0.0217,
    mark_iv=0.62,
    delta=0.5,
)


def test_the_microprice_leans_to_the_side_with_less() -> None:
    # (100 x 1 + 101 x 3) / 4: three bid, one offered.
    assert microprice([(100.0, 3.0)], [(101.0, 1.0)], 90.0) == pytest.approx(100.75)
    assert microprice([(100.0, 1.0)], [], 90.0) == 90.0
    assert microprice([(100.0, 0.0)], [(101.0, 0.0)], 90.0) == 90.0


def test_mark_is_an_options_mark_and_the_weighted_middle_of_what_is_none() -> None:
    assert Mark().fair(OPTION, None, NOW_NS) == Valuation(
        0.0217, sigma=0.62, delta=0.5, model="mark"
    )
    assert Mark().fair(PERPETUAL, None, NOW_NS) == Valuation(100.75, model="microprice")


def test_mid_is_the_middle_of_the_best_prices_whatever_their_amounts() -> None:
    assert Mid().fair(PERPETUAL, None, NOW_NS).fair == 100.5
    assert Mid().fair(OPTION, None, NOW_NS).fair == pytest.approx(0.0215)


def test_a_weighted_mid_leans_to_the_side_with_less() -> None:
    # (0.0190 x 30 + 0.0240 x 10) / 40.
    assert Mid(weighted=True).fair(OPTION, None, NOW_NS).fair == pytest.approx(0.02025)


@pytest.mark.parametrize("pricer", [Mid(), Mid(weighted=True)])
def test_a_book_with_one_side_is_worth_its_mark(pricer: Mid) -> None:
    bids, asks = ONE_SIDED
    assert pricer.fair(replace(PERPETUAL, bids=bids, asks=asks), None, NOW_NS).fair == 90.0
