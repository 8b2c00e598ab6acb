"""What is measured of a surface is what it claims to be. Nothing here looks at a clock."""

import numpy as np

from mmbot.pricing.chain_quotes import Rule, clean
from mmbot.pricing.surface import Model, Surface
from tests.benchmarks.bench import surface_numbers
from tests.benchmarks.surface import (
    BLOCK,
    EXPIRIES,
    FLOOR,
    QUOTES,
    REFIT,
    SCIPY,
    SLICE,
    a_chain,
    contestants,
    surface_ns,
)


def test_every_quote_of_the_chain_counts() -> None:
    assert len(a_chain(0)) == QUOTES
    assert clean(a_chain(0), Rule()).count.sum() == QUOTES


def test_each_refit_is_whole_and_free_of_arbitrage() -> None:
    refit = contestants()[REFIT]
    first, second = refit(), refit()
    assert first != second
    for surface in (first, second):
        assert isinstance(surface, Surface)
        assert [one.model for one in surface.expiries] == [Model.SVI] * EXPIRIES
        assert surface.arbitrage_free


def test_both_fits_of_a_slice_find_it() -> None:
    call = contestants()
    found = call[SLICE]()
    rows = getattr(found, "rows", None)
    theirs = call[SCIPY]()
    assert rows is not None
    assert isinstance(theirs, np.ndarray)
    assert np.allclose(rows[0][1:3], theirs[1:3], atol=0.03)


def test_every_contestant_is_timed_and_the_aims_are_judged() -> None:
    numbers = surface_numbers(surface_ns(BLOCK))
    judged = {number.name for number in numbers if number.aims}
    assert judged == {f"{REFIT} / {FLOOR}", f"{SLICE} / {SCIPY}"}
