"""Options that are valued together: who belongs to a chain, its forwards, its fair values, its
fits, and what a desk does with and without a surface."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from math import isnan

import pytest
from mpmath import mp
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.chains import Chain, Fitted, Smile
from mmbot.core.contracts import Instrument
from mmbot.core.types import SECOND, Level, Nanos, Right, Side
from mmbot.core.views import MarketView, Valuation
from mmbot.core.why import Why
from mmbot.engine.report import status_frame
from mmbot.pricing.auto import Auto
from mmbot.pricing.mark import Mark
from mmbot.pricing.theoretical import Theoretical
from mmbot.tape.codec import decode_state, encode_state
from tests.builders import EXPIRY_NS, a_perpetual, a_quote, an_option
from tests.core.bot import VENUE, Bot, both_sides

LATER_NS = EXPIRY_NS + 7 * 86_400 * SECOND
PERPETUAL = a_perpetual()
INDEX = 2850.0


def option(strike: int, right: Right = Right.CALL, expiry_ns: Nanos = EXPIRY_NS) -> Instrument:
    day = "6JUN25" if expiry_ns == EXPIRY_NS else "13JUN25"
    name = f"ETH-{day}-{strike}-{'C' if right is Right.CALL else 'P'}"
    return an_option(
        id=f"{VENUE}:{name}",
        name=name,
        strike=Decimal(strike),
        right=right,
        expiry_ns=expiry_ns,
    )


TRADED = option(2850)
WATCHED = (
    option(2900),
    option(2850, Right.PUT),
    option(2800, Right.PUT),
    option(2850, expiry_ns=LATER_NS),
)


def ticker(
    bot: Bot,
    instrument: Instrument,
    *,
    mark: float = 0.0215,
    forward: float | None = INDEX,
    iv: float | None = 0.62,
    top: tuple[float | None, float | None] = (0.0200, 0.0230),
) -> ev.TickerChanged:
    return ev.TickerChanged(
        instrument.id,
        mark=mark,
        index=INDEX,
        forward=forward,
        mark_iv=iv,
        delta=0.5,
        min_price=0.0001,
        max_price=0.2,
        received_ns=bot.now_ns,
        best_bid=top[0],
        best_ask=top[1],
    )


def perpetual_at(
    bot: Bot, middle: float, mark: float | None = None
) -> tuple[ev.TickerChanged, ev.BookChanged]:
    """Its mark, which is in the middle unless it is given, and its book."""
    stated = ticker(bot, PERPETUAL, mark=middle if mark is None else mark)
    bids: tuple[Level, ...] = ((middle - 0.5, 10.0),)
    return stated, ev.BookChanged(PERPETUAL.id, bids, ((middle + 0.5, 10.0),), 1, bot.now_ns)


def valued(pricer: Auto | Theoretical | Mark, *watched: Instrument) -> Bot:
    """A bot that trades one option and watches others, with that pricer."""
    bot = Bot(TRADED)
    bot.desks = {i: replace(desk, pricer=pricer) for i, desk in bot.desks.items()}
    bot.connect()
    bot.turn(bot.snapshot())
    bot.turn(ev.InstrumentsWatched(watched, "test"))
    bot.turn(bot.alive(), *(ticker(bot, i) for i in (TRADED, *watched)), bot.book())
    return bot


def chain_of(bot: Bot) -> Chain:
    [chain] = bot.state.chains.values()
    return chain


def a_smile(vol: float, expiry_ns: Nanos = EXPIRY_NS, years: float = 92 / 8760) -> Smile:
    """The same volatility at every strike."""
    return Smile(expiry_ns, "svi", vol * vol * years, 0.0, 0.0, 0.0, 0.1, quotes=9, error=0.004)


def fit_comes(bot: Bot, *smiles: Smile, trouble: str = "") -> Fitted:
    return Fitted(chain_of(bot).key.text, bot.now_ns, smiles, trouble)


def black(forward: float, strike: float, years: float, vol: float) -> float:
    """A call's premium in coin, by mpmath."""
    deviation = vol * mp.sqrt(years)
    d1 = mp.log(mp.mpf(forward) / strike) / deviation + deviation / 2
    return float(mp.ncdf(d1) - mp.ncdf(d1 - deviation) * strike / forward)


# --- who belongs to it ----------------------------------------------------------------------------


def test_rows_go_by_expiry_strike_and_right_whoever_trades_them() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    chain = chain_of(bot)
    assert [name.partition(":")[2] for name in chain.names] == [
        "ETH-6JUN25-2800-P",
        "ETH-6JUN25-2850-C",
        "ETH-6JUN25-2850-P",
        "ETH-6JUN25-2900-C",
        "ETH-13JUN25-2850-C",
    ]
    assert chain.traded == [False, True, False, False, False]
    assert chain.expiries == [EXPIRY_NS, LATER_NS]
    assert chain.perpetual == PERPETUAL.id
    assert (bot.market.chain, bot.market.row) == ("deribit:ETH/ETH", 1)


def test_a_pricer_that_reads_no_chain_has_none_kept() -> None:
    bot = valued(Mark(), *WATCHED, PERPETUAL)
    assert bot.state.chains == {}
    assert bot.fits == []
    assert bot.puppet.views[-1].chain is None


def test_other_settlements_and_underlyings_are_other_chains() -> None:
    linear = an_option(
        id=f"{VENUE}:ETH_USDC-6JUN25-2850-C", name="x", inverse=False, settlement="USDC"
    )
    bitcoin = an_option(id=f"{VENUE}:BTC-6JUN25-2850-C", name="y", underlying="BTC")
    bot = valued(Auto(), linear, bitcoin)
    assert chain_of(bot).names == [TRADED.id]


def test_what_is_listed_later_joins_and_what_expires_leaves_with_the_fit_kept() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.6), a_smile(0.6, LATER_NS)))
    bot.turn(ev.InstrumentsWatched((option(3000),), "test"))
    assert len(chain_of(bot).names) == 6
    assert set(chain_of(bot).smiles) == {EXPIRY_NS, LATER_NS}
    bot.now_ns = EXPIRY_NS
    bot.turn()
    assert TRADED.id in chain_of(bot).names, "until it is settled"
    assert option(2900).id not in chain_of(bot).names
    assert bot.market.row == chain_of(bot).names.index(TRADED.id)


# --- forwards -------------------------------------------------------------------------------------


def test_the_forward_moves_with_the_perpetual_at_once_and_by_the_basis_of_a_minute() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(*perpetual_at(bot, 2850.0))
    bot.turn(ticker(bot, TRADED, forward=2855.7))  # 20 basis points above the perpetual
    bot.turn(*perpetual_at(bot, 2900.0))
    assert chain_of(bot).lead == pytest.approx(2900.0)
    assert chain_of(bot).forward[0] == pytest.approx(2900.0 * 1.002, rel=1e-9)


def test_a_minute_later_half_of_the_old_basis_is_left() -> None:
    bot = valued(Auto(), PERPETUAL)
    bot.turn(*perpetual_at(bot, 2850.0))
    bot.turn(ticker(bot, TRADED, forward=2850.0 * 1.002))
    bot.turn(ticker(bot, TRADED, forward=2850.0 * 1.001))
    bot.turn(after_s=60.0)
    bot.turn(*perpetual_at(bot, 2850.0), ticker(bot, TRADED, forward=2850.0 * 1.001))
    assert chain_of(bot).forward[0] / 2850.0 - 1.0 == pytest.approx(0.0015, rel=1e-3)


def test_the_perpetual_is_weighted_by_the_amounts_of_its_best_prices() -> None:
    bot = valued(Auto(), PERPETUAL)
    book = ev.BookChanged(PERPETUAL.id, ((2849.0, 30.0),), ((2851.0, 10.0),), 1, bot.now_ns)
    bot.turn(ticker(bot, PERPETUAL, mark=2850.0), book)
    bot.turn(after_s=1.1)
    assert chain_of(bot).lead == pytest.approx((2849.0 * 10 + 2851.0 * 30) / 40)


def test_without_a_perpetual_or_its_book_the_venues_forward_stands() -> None:
    bot = valued(Auto(), *WATCHED)
    bot.turn(ticker(bot, TRADED, forward=2860.0), after_s=1.1)
    assert chain_of(bot).forward[0] == 2860.0
    led = valued(Auto(), PERPETUAL)
    led.turn(*perpetual_at(led, 2850.0), ticker(led, TRADED, forward=2860.0))
    led.turn(ev.BookLost(PERPETUAL.id, Why.NO_BOOK))
    assert chain_of(led).forward[0] == 2860.0


@pytest.mark.parametrize("middle", [2750.0, 2950.0])
def test_a_perpetual_far_from_its_own_mark_leads_nothing(middle: float) -> None:
    bot = valued(Auto(), PERPETUAL)
    bot.turn(*perpetual_at(bot, 2850.0), ticker(bot, TRADED, forward=2860.0))
    bot.turn(*perpetual_at(bot, middle, mark=2850.0))
    assert isnan(chain_of(bot).lead)
    assert chain_of(bot).forward[0] == 2860.0, "the venue's stands"


# --- fair values ----------------------------------------------------------------------------------


def test_an_option_is_worth_blacks_value_at_the_surfaces_volatility() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.70)))
    bot.turn(bot.book())
    view = bot.puppet.views[-1]
    years = (EXPIRY_NS - bot.now_ns) / (8760 * 3600 * SECOND)
    assert view.sigma == pytest.approx(0.70, abs=1e-3)
    assert view.fair == pytest.approx(black(INDEX, 2850.0, years, view.sigma or 0), rel=1e-6)
    assert view.delta == pytest.approx(0.5 + view.fair / 2, abs=1e-9), "at the money N(d1)"
    assert (view.mark, view.mark_iv) == (0.0215, 0.62), "the venue's stand beside it"
    assert view.chain is chain_of(bot)
    assert view.chain.names[view.row] == TRADED.id


def test_fair_follows_the_perpetual_before_the_venues_own_forward_does() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(*perpetual_at(bot, 2850.0), ticker(bot, TRADED), fit_comes(bot, a_smile(0.70)))
    before = bot.puppet.views[-1].fair
    looked = len(bot.puppet.views)
    bot.turn(*perpetual_at(bot, 2860.0))
    assert len(bot.puppet.views) == looked + 1, "what is worth something else is decided about"
    # d(premium in coin) / dF = (delta - premium) / F, about 0.5 / 2850 a dollar
    assert bot.puppet.views[-1].fair - before == pytest.approx(10 * 0.5 / 2850, rel=0.1)


def test_a_market_is_decided_about_from_a_quarter_of_its_tick_on() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(*perpetual_at(bot, 2850.0), ticker(bot, TRADED), fit_comes(bot, a_smile(0.70)))
    tick = float(TRADED.grid.tick)
    step = chain_of(bot).step_usd
    assert step == pytest.approx(0.25 * tick / (0.5 / 2850), rel=0.1)
    looked = len(bot.puppet.views)
    bot.turn(*perpetual_at(bot, 2850.0 + 0.9 * step), after_s=0.001)
    assert len(bot.puppet.views) == looked
    bot.turn(*perpetual_at(bot, 2850.0 + 1.3 * step), after_s=0.001)
    assert len(bot.puppet.views) == looked + 1


def test_between_fits_the_surface_loses_variance_as_time_passes() -> None:
    bot = valued(Theoretical(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.70)))
    row = bot.market.row
    early, sigma = chain_of(bot).fair[row], chain_of(bot).sigma[row]
    bot.wait(50)
    assert chain_of(bot).fair[row] < early
    assert chain_of(bot).sigma[row] == pytest.approx(sigma, rel=1e-3), "and not volatility"


# --- with and without a surface -------------------------------------------------------------------


def view_of(bot: Bot) -> MarketView:
    market = bot.market
    assert market.mark is not None
    return MarketView(
        market.instrument,
        market.bids,
        market.asks,
        market.mark,
        INDEX,
        INDEX,
        market.mark_iv,
        market.delta,
        market.row,
    )


def said(bot: Bot, pricer: Auto | Theoretical) -> Valuation:
    found = pricer.fair(view_of(bot), chain_of(bot), bot.now_ns)
    assert isinstance(found, Valuation)
    return found


def test_before_the_first_fit_auto_believes_the_mark_and_theoretical_the_venues_volatility() -> (
    None
):
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    auto, theoretical = said(bot, Auto()), said(bot, Theoretical())
    assert (auto.fair, auto.model, auto.why) == (0.0215, "mark", Why.NO_SURFACE)
    assert (theoretical.model, theoretical.why) == ("venue's volatility", Why.NO_SURFACE)
    years = (EXPIRY_NS - bot.now_ns) / (8760 * 3600 * SECOND)
    assert theoretical.fair == pytest.approx(black(INDEX, 2850.0, years, 0.62), rel=1e-4)


def test_a_surface_whose_quotes_are_a_minute_old_stands_no_more() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.70)))
    assert said(bot, Auto()).model == "svi"
    bot.wait(62)
    assert said(bot, Auto())[3:5] == ("mark", Why.NO_SURFACE)


@pytest.mark.parametrize("vol", [0.30, 1.25])
def test_a_surface_far_from_the_venues_volatility_is_not_believed(vol: float) -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(vol)))
    assert said(bot, Auto())[3:5] == ("mark", Why.SURFACE_OFF)
    assert Theoretical().fair(view_of(bot), chain_of(bot), bot.now_ns) is Why.SURFACE_OFF


def test_an_expiry_without_a_smile_falls_back_alone() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.6, LATER_NS, years=(92 + 168) / 8760)))
    assert said(bot, Auto()).why is Why.NO_SURFACE
    assert chain_of(bot).fitted == [False, False, False, False, True]


def test_where_nothing_is_known_theoretical_has_no_value() -> None:
    bot = valued(Theoretical())
    bot.turn(ticker(bot, TRADED, iv=None), after_s=1.1)
    assert isnan(chain_of(bot).fair[0])
    assert Theoretical().fair(view_of(bot), chain_of(bot), bot.now_ns) is Why.NO_SURFACE


def test_a_persons_offset_reprices_at_the_surfaces_volatility() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.70)))
    bot.turn(ev.VolShifted(30.0, bot.now_ns + 60 * SECOND), bot.book())
    view = bot.puppet.views[-1]
    years = (EXPIRY_NS - bot.now_ns) / (8760 * 3600 * SECOND)
    assert view.sigma == pytest.approx(1.0, abs=1e-3)
    assert view.fair == pytest.approx(black(INDEX, 2850.0, years, 1.0), rel=1e-3)


def test_perpetuals_are_worth_their_own_book_by_both() -> None:
    bot = Bot.quoting(PERPETUAL)
    view = replace_view(view_of(bot), bids=((2849.0, 30.0),), asks=((2851.0, 10.0),))
    for pricer in (Auto(), Theoretical()):
        found = pricer.fair(view, None, bot.now_ns)
        assert found == Valuation(2850.5, model="microprice")


def replace_view(view: MarketView, **changes: Iterable[Level]) -> MarketView:
    return structs.replace(view, **changes)


# --- fits -----------------------------------------------------------------------------------------


def test_a_fit_is_asked_for_soon_then_every_five_seconds() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    assert len(bot.fits) == 1, "as soon as there are forwards"
    bot.wait(3)
    assert len(bot.fits) == 1, "the first one is still on its way"
    bot.turn(fit_comes(bot, a_smile(0.6)))
    bot.wait(8)
    assert len(bot.fits) == 2, "one at a time"
    bot.turn(fit_comes(bot, a_smile(0.6)))
    assert len(bot.fits) == 3, "and the next one, which was due, when that has come"
    bot.turn(fit_comes(bot, a_smile(0.6)))
    bot.wait(4.8)
    assert len(bot.fits) == 3
    bot.wait(0.4)
    assert len(bot.fits) == 4


def test_a_fit_that_never_comes_back_is_asked_for_anew() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.wait(9.5)
    assert len(bot.fits) == 1
    bot.wait(1)
    assert len(bot.fits) == 2


def test_a_jump_of_the_perpetual_waits_for_no_five_seconds() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(*perpetual_at(bot, 2850.0), ticker(bot, TRADED), fit_comes(bot, a_smile(0.6)))
    bot.wait(5.2)
    bot.turn(fit_comes(bot, a_smile(0.6)))
    asked = len(bot.fits)
    bot.turn(*perpetual_at(bot, 2850.0 * 1.004), after_s=0.6)
    assert len(bot.fits) == asked + 1


def test_a_fit_sees_the_quotes_of_others_without_our_own_orders() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.6)))
    bot.rest(a_quote(Side.BUY, 0.0210, 1), a_quote(Side.SELL, 0.0220, 1))
    bot.turn(bot.book())
    assert bot.market.bids[0][0] == 0.0210, "ours is the best"
    asked = len(bot.fits)
    bot.wait(5.2)
    wanted = bot.fits[asked]
    row = bot.market.row
    assert wanted.bid[row] == bot.book().bids[1][0]
    assert wanted.bid[0] == 0.0200, "what is only watched, as its ticker says"
    assert wanted.strike[row] == 2850.0


def test_what_has_been_silent_for_long_is_not_fitted_to() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.6)))
    bot.wait(31)
    bot.turn(*(ticker(bot, i) for i in (TRADED, *WATCHED[1:])))
    bot.wait(11)
    wanted = bot.fits[-1]
    assert [one is None for one in wanted.bid] == [False, False, False, True, False]


def test_with_the_market_link_down_or_leaving_nothing_is_fitted() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.6)))
    bot.turn(ev.LinkChanged(VENUE, ev.Link.MARKET, up=False))
    asked = len(bot.fits)
    bot.wait(12)
    assert len(bot.fits) == asked
    leaving = valued(Auto(), *WATCHED, PERPETUAL)
    leaving.turn(fit_comes(leaving, a_smile(0.6)), ev.Stop(Why.USER))
    asked = len(leaving.fits)
    leaving.wait(12)
    assert len(leaving.fits) == asked


def test_an_older_fit_does_not_take_the_place_of_a_newer_one() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    late = fit_comes(bot, a_smile(0.8))
    bot.now_ns += SECOND
    bot.turn(fit_comes(bot, a_smile(0.6)))
    bot.turn(late)
    assert chain_of(bot).smiles[EXPIRY_NS].a == a_smile(0.6).a


def test_fits_of_chains_that_are_gone_are_nothing() -> None:
    bot = valued(Mark(), *WATCHED)
    bot.turn(Fitted("deribit:ETH/ETH", bot.now_ns, (a_smile(0.6),)))
    assert bot.state.chains == {}


# --- what people and tapes see --------------------------------------------------------------------


def test_the_frame_says_what_fair_was_built_from_and_how_old_that_is() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.wants = both_sides()
    bot.turn(*perpetual_at(bot, 2850.0), ticker(bot, TRADED, forward=2855.7))
    bot.turn(fit_comes(bot, a_smile(0.70)), bot.book())
    bot.now_ns += 2 * SECOND
    by = status_frame(bot.state, "sim", "deribit", bot.now_ns).rows[0].fair_by
    assert by is not None
    assert (by.model, by.why) == ("svi", "")
    assert {one.name: one.unit for one in by.inputs} == {
        "forward": "USD",
        "perpetual": "USD",
        "basis, mean of 60 s": "bps",
        "surface's volatility": "%",
        "fitted to": "quotes",
        "error of the fit": "vol points",
        "venue's volatility": "%",
    }
    told = {one.name: one for one in by.inputs}
    assert told["basis, mean of 60 s"].value == pytest.approx(20.0, rel=1e-3)
    assert told["error of the fit"].value == pytest.approx(0.4)
    assert told["surface's volatility"].age_s == pytest.approx(2.01)


def test_the_frame_says_where_the_venues_mark_stands_for_want_of_a_surface() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    assert status_frame(bot.state, "sim", "deribit", bot.now_ns).controls == ()
    bot.turn(fit_comes(bot, trouble="12 quotes: one sided"))
    bot.wait(11)
    bot.turn(*(ticker(bot, i) for i in (TRADED, *WATCHED)), bot.book())
    frame = status_frame(bot.state, "sim", "deribit", bot.now_ns)
    assert frame.controls == (
        "ETH: no surface for 1 option (12 quotes: one sided), the venue's mark stands",
    )
    by = frame.rows[0].fair_by
    assert by is not None
    assert (by.model, by.why) == ("mark", "no surface")


def test_a_chain_comes_back_from_the_tape_as_it_was() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(*perpetual_at(bot, 2850.0), ticker(bot, TRADED), fit_comes(bot, a_smile(0.70)))
    kept = encode_state(bot.state)
    bot.state = decode_state(kept)
    assert encode_state(bot.state) == kept
    bot.turn(*perpetual_at(bot, 2860.0))
    assert chain_of(bot).lead == 2860.0


def test_one_turn_with_many_tickers_values_a_chain_once() -> None:
    bot = valued(Auto(), *WATCHED, PERPETUAL)
    bot.turn(fit_comes(bot, a_smile(0.70)))
    before = chain_of(bot).valued_ns
    bot.turn(*(ticker(bot, i) for i in (TRADED, *WATCHED)), after_s=0.5)
    assert chain_of(bot).valued_ns == before, "tickers alone change no volatility and no forward"
    bot.turn(after_s=0.6)
    assert chain_of(bot).valued_ns == bot.now_ns
