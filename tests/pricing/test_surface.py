"""A surface through a chain: which model each expiry gets, and what becomes of it in time."""

from dataclasses import fields, is_dataclass, replace
from enum import Enum
from itertools import pairwise
from math import isnan, nan

import numpy as np
import pytest

from mmbot.pricing.chain_quotes import ChainQuotes, Rule
from mmbot.pricing.surface import Memory, Model, Surface, fit
from mmbot.pricing.vol_time import Event, VolTime
from tests.pricing.chains import AT_NS, DAY_NS, a_smile, chain_of

STRIKES = {2.0: 9, 9.0: 15, 30.0: 21, 90.0: 21}
K = np.linspace(-0.1, 0.1, 9)
CALENDAR = VolTime(weekend_weight=1.0)


def models(surface: Surface) -> list[str]:
    return [one.model.value for one in surface.expiries]


def is_plain(value: object) -> bool:
    """Numbers, names, tuples and frozen dataclasses of such."""
    if is_dataclass(value) and not isinstance(value, type):
        assert value.__dataclass_params__.frozen  # type: ignore[attr-defined]  # of dataclasses
        return all(is_plain(getattr(value, one.name)) for one in fields(value))
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, int | float | str | Enum)


def test_known_smiles_are_found() -> None:
    surface, _ = fit(chain_of(STRIKES))
    assert models(surface) == ["svi"] * 4
    for one, days in zip(surface.expiries, STRIKES, strict=True):
        assert one.years == pytest.approx(days / 365)
        at = a_smile(days).vol(K, days / 365)
        near = np.abs(K) < 2 * 0.5 * (days / 365) ** 0.5
        assert 100 * one.vol(K)[near] == pytest.approx(100 * at[near], abs=0.15)
    assert surface.arbitrage_free
    assert surface.calendar_worst is not None
    assert surface.calendar_worst > 0


def test_the_surface_is_plain_data() -> None:
    surface, _ = fit(chain_of(STRIKES | {60.0: 2}))
    assert is_plain(surface)


def test_each_expiry_says_which_model_its_quotes_allow() -> None:
    surface, _ = fit(chain_of({2.0: 9, 9.0: 4, 30.0: 2, 90.0: 21}))
    assert models(surface) == ["svi", "essvi", "mark", "svi"]
    assert [one.quotes for one in surface.expiries] == [9, 4, 0, 21]
    assert surface.expiries[2].skipped == (("few_quotes", 2),)
    assert surface.arbitrage_free


def test_marks_are_the_venues_volatilities() -> None:
    chain = chain_of({9.0: 15, 30.0: 2})
    surface, _ = fit(chain)
    marks = surface.expiries[1]
    assert marks.smile is None
    k = np.log(chain.strike[-2:] / 90_000)
    assert marks.vol(k) == pytest.approx(chain.mark_vol[-2:], rel=1e-9)
    assert marks.vol(5.0) == pytest.approx(chain.mark_vol[-1])  # flat beyond the last one


def test_an_expiry_of_which_nothing_is_known_has_no_volatility() -> None:
    chain = chain_of({9.0: 15, 30.0: 2})
    surface, _ = fit(replace(chain, mark_vol=np.full(len(chain), nan)))
    assert models(surface) == ["svi", "mark"]
    assert isnan(float(surface.expiries[1].vol(0.0)))


def test_a_chain_without_any_quote_is_all_marks() -> None:
    chain = chain_of({9.0: 15, 30.0: 15})
    nothing = np.full(len(chain), nan)
    surface, memory = fit(replace(chain, bid=nothing, ask=nothing))
    assert models(surface) == ["mark", "mark"]
    assert memory is None
    assert surface.arbitrage_free
    assert surface.calendar_worst is None


def test_what_is_expired_is_not_in_it() -> None:
    chain = chain_of(STRIKES)
    surface, _ = fit(replace(chain, at_ns=AT_NS + 2 * DAY_NS))
    assert len(surface.expiries) == 3


def test_a_venue_that_tells_no_volatility_is_fitted_by_its_quotes() -> None:
    chain = chain_of(STRIKES)
    surface, _ = fit(replace(chain, mark_vol=np.full(len(chain), nan)))
    assert models(surface) == ["svi"] * 4
    assert 100 * surface.expiries[3].vol(K) == pytest.approx(
        100 * a_smile(90.0).vol(K, 90 / 365), abs=0.15
    )


# --- quotes with arbitrage in them -----------------------------------------------------------


def priced_off(chain: ChainQuotes, days: float, points: float) -> ChainQuotes:
    """The chain with an expiry quoted that many vol points higher."""
    from mmbot.pricing import black76

    here = chain.expiry_ns == AT_NS + round(days * DAY_NS)
    bid, ask = chain.bid.copy(), chain.ask.copy()
    for side, column in ((-1, bid), (1, ask)):
        vol = chain.mark_vol[here] + points / 100 + side * 0.004
        column[here] = black76.price(
            chain.forward[here], chain.strike[here], days / 365, vol, chain.sign[here], inverse=True
        )
    return replace(chain, bid=bid, ask=ask)


def test_an_expiry_far_too_dear_does_not_break_the_order() -> None:
    # 9 days at 70 % hold more variance than 12 days at 45 %.
    surface, _ = fit(priced_off(chain_of({2.0: 9, 9.0: 15, 12.0: 21}), 9.0, 25.0))
    assert surface.arbitrage_free
    assert surface.calendar_worst is None or surface.calendar_worst >= 0
    k = np.linspace(-1.5, 1.5, 1201)
    fitted = [one.smile for one in surface.expiries if one.smile is not None]
    assert len(fitted) >= 2
    for early, late in pairwise(fitted):
        assert (late.variance(k) >= early.variance(k)).all()
    for one in fitted:
        assert (one.density_factor(k) >= 0).all()


def test_what_cannot_be_proved_falls_back_and_the_expiry_with_fewer_quotes_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmbot.pricing.svi_fit._ROUNDS", 1)
    monkeypatch.setattr("mmbot.pricing.svi_fit._STEPS", 1)
    surface, _ = fit(priced_off(chain_of({2.0: 9, 9.0: 15, 12.0: 21, 40.0: 21}), 9.0, 25.0))
    assert models(surface)[1] != "svi"
    assert models(surface)[2:] == ["svi", "svi"]
    assert surface.arbitrage_free


@pytest.mark.parametrize("seed", range(6))
def test_noise_of_a_few_points_leaves_no_arbitrage(seed: int) -> None:
    surface, _ = fit(chain_of(STRIKES, noise=0.03, half=0.001, seed=seed))
    assert surface.arbitrage_free
    assert all(one.model is not Model.MARK for one in surface.expiries)


@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_quoted_there_is_no_exception_and_no_arbitrage(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = sorted(rng.choice([0.01, 0.1, 0.5, 1, 3, 9, 60, 700], size=4, replace=False).tolist())
    chain = chain_of(
        {one: int(rng.integers(1, 25)) for one in days},
        noise=float(rng.choice([0.0, 0.003, 0.05, 0.3])),
        half=float(rng.choice([0.0001, 0.005, 0.1])),
        seed=seed,
    )
    nonsense = [nan, 0.0, -1.0, np.inf, 1e-9, 0.5, 1e9, 1e-300]
    messy = {}
    for name in ("bid", "ask", "forward", "mark_vol"):
        column = getattr(chain, name).copy()
        chosen = rng.random(len(chain)) < 0.1
        column[chosen] = rng.choice(nonsense, size=int(chosen.sum()))
        messy[name] = column
    chain = replace(chain, **messy, synthetic=rng.random(len(chain)) < 0.2)
    surface, memory = fit(chain)
    again, _ = fit(chain, memory)
    later, _ = fit(replace(chain, at_ns=AT_NS + DAY_NS), memory)
    assert surface.arbitrage_free
    assert again.arbitrage_free
    assert later.arbitrage_free
    for one in surface.expiries:
        rows = int((chain.expiry_ns == one.expiry_ns).sum())
        assert one.quotes + sum(count for _, count in one.skipped) == rows


# --- one fit after another --------------------------------------------------------------------


def followed(steps: int) -> tuple[Surface, Memory]:
    memory: Memory | None = None
    for step in range(steps):
        chain = chain_of(STRIKES, moved=float(step), noise=3e-4, seed=step)
        surface, memory = fit(replace(chain, at_ns=AT_NS + step * 10**9), memory)
    assert memory is not None
    return surface, memory


def test_a_fit_that_follows_others_is_as_good_as_one_from_nothing() -> None:
    surface, _ = followed(30)
    chain = chain_of(STRIKES, moved=29.0, noise=3e-4, seed=29)
    anew, _ = fit(replace(chain, at_ns=AT_NS + 29 * 10**9))
    for warm, cold in zip(surface.expiries, anew.expiries, strict=True):
        at = K[np.abs(K) < (warm.years * 0.25) ** 0.5]
        assert 100 * warm.vol(at) == pytest.approx(100 * cold.vol(at), abs=0.3)


def test_the_pressure_against_arbitrage_begins_anew_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmbot.pricing.surface._FITS_MAX", 3)
    assert [followed(steps)[1].fits for steps in (1, 2, 4, 5, 6)] == [0, 1, 3, 0, 1]


def test_listings_and_expiries_between_two_fits_are_no_trouble() -> None:
    _, memory = fit(chain_of(STRIKES))
    listed, _ = fit(chain_of(STRIKES | {60.0: 15}), memory)
    assert models(listed) == ["svi"] * 5
    later = replace(chain_of(STRIKES), at_ns=AT_NS + 3 * DAY_NS)
    gone, _ = fit(later, memory)
    assert models(gone) == ["svi"] * 3


def test_a_chain_from_before_the_last_one_is_fitted_from_nothing() -> None:
    _, memory = fit(replace(chain_of(STRIKES), at_ns=AT_NS + 10**9))
    before, _ = fit(chain_of(STRIKES), memory)
    assert before == fit(chain_of(STRIKES))[0]


# --- in time ----------------------------------------------------------------------------------


def test_rolling_keeps_the_volatility_in_a_calendar_without_weekends() -> None:
    surface, _ = fit(chain_of(STRIKES))
    later = surface.at(AT_NS + DAY_NS, CALENDAR)
    assert later.at_ns == AT_NS + DAY_NS
    for old, new in zip(surface.expiries, later.expiries, strict=True):
        assert new.years * 365 == pytest.approx(old.years * 365 - 1)
        assert new.vol(K) == pytest.approx(old.vol(K), rel=1e-9)


def test_over_a_weekend_less_variance_goes_by() -> None:
    surface, _ = fit(chain_of(STRIKES))
    # 2026-01-10, a Saturday, 00:00 to Sunday 00:00; 9 days from Monday 08:00 end on the 14th.
    saturday = AT_NS + 5 * DAY_NS - DAY_NS // 3
    before = surface.at(saturday, VolTime()).expiries[0]
    after = surface.at(saturday + DAY_NS, VolTime()).expiries[0]
    # Left: Saturday, Sunday and 2 1/3 working days; a day later without the Saturday.
    share = (0.7 + 2 + 1 / 3) / (2 * 0.7 + 2 + 1 / 3)
    assert float(after.variance(0.0) / before.variance(0.0)) == pytest.approx(share, rel=1e-9)
    assert float(after.vol(0.0)) > float(before.vol(0.0))


def test_rolling_brings_no_arbitrage_and_drops_what_is_over() -> None:
    surface, _ = fit(chain_of(STRIKES, noise=0.01))
    for days in (0.5, 1.9, 2.0, 8.0, 29.9, 89.0, 90.0):
        later = surface.at(AT_NS + round(days * DAY_NS), VolTime())
        assert later.arbitrage_free
        assert len(later.expiries) == sum(one > days for one in STRIKES)


def test_marks_roll_too() -> None:
    surface, _ = fit(chain_of({9.0: 15, 30.0: 2}))
    old = surface.expiries[1]
    new = surface.at(AT_NS + 7 * DAY_NS, CALENDAR).expiries[1]
    assert new.vol(K) == pytest.approx(old.vol(K), rel=1e-9)


def test_between_expiries_variance_is_linear_in_vol_time() -> None:
    surface, _ = fit(chain_of(STRIKES))
    early, late = surface.expiries[1], surface.expiries[2]
    # From day 9 to day 30; at day 16 a third has passed, without weekends.
    at = AT_NS + 16 * DAY_NS
    expected = early.variance(K) * 2 / 3 + late.variance(K) / 3
    assert surface.variance(K, at, CALENDAR) == pytest.approx(expected, rel=1e-9)
    assert surface.vol(K, at, CALENDAR) == pytest.approx(np.sqrt(expected * 365 / 16), rel=1e-9)
    # An event on day 10 of two days' variance: (2 + 7) of (2 + 21).
    known = VolTime(weekend_weight=1.0, events=(Event(AT_NS + 10 * DAY_NS, 2.0),))
    share = 9 / 23
    expected = early.variance(K) * (1 - share) + late.variance(K) * share
    assert surface.variance(K, at, known) == pytest.approx(expected, rel=1e-9)


def test_at_an_expiry_it_is_the_smile_and_beyond_it_goes_on_in_proportion() -> None:
    surface, _ = fit(chain_of(STRIKES))
    for one in surface.expiries:
        found = surface.variance(K, one.expiry_ns, VolTime())
        assert found == pytest.approx(one.variance(K), rel=1e-9)
    first, last = surface.expiries[0], surface.expiries[-1]
    assert surface.vol(K, AT_NS + DAY_NS, CALENDAR) == pytest.approx(first.vol(K), rel=1e-9)
    assert surface.vol(K, AT_NS + 180 * DAY_NS, CALENDAR) == pytest.approx(last.vol(K), rel=1e-9)


def test_of_the_past_and_of_nothing_there_is_no_volatility() -> None:
    surface, _ = fit(chain_of(STRIKES))
    assert np.isnan(surface.variance(K, AT_NS, CALENDAR)).all()
    empty = Surface(AT_NS, "BTC", ())
    assert np.isnan(empty.variance(K, AT_NS + DAY_NS, CALENDAR)).all()


def test_the_least_that_is_asked_for_is_a_setting() -> None:
    surface, _ = fit(chain_of({9.0: 8, 30.0: 21}), rule=Rule(few=10))
    assert models(surface) == ["essvi", "svi"]
