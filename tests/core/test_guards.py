"""How guards are asked, what their word does to the bot, and that they fail closed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.intents import FallbackCancel, SaveLatch
from mmbot.core.order_life import Status
from mmbot.core.state import State
from mmbot.core.statements import Equity
from mmbot.core.types import MS, SECOND, Side
from mmbot.core.views import GuardVerdict, Margin, Ok, Pause, RiskSnapshot, Trip
from mmbot.core.why import Why
from tests.builders import a_quote
from tests.core.bot import VENUE, Bot, both_sides, cancels, of_kind, places

TRIP = Trip(Why.MARGIN, "in a test")


@dataclass(frozen=True, slots=True)
class Says:
    """A guard that answers by a function of the reading."""

    answer: Callable[[RiskSnapshot], GuardVerdict]

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        return self.answer(reading)


class Guarded(Bot):
    """A bot with one guard, which the test can change, and every reading it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: GuardVerdict = Ok()
        self.readings: list[RiskSnapshot] = []
        self.guards = (Says(self._answer),)
        self.connect()
        self.turn(self.snapshot())
        self.turn(self.alive(), self.ticker(), self.book(), ev.Tick())

    def _answer(self, reading: RiskSnapshot) -> GuardVerdict:
        self.readings.append(reading)
        return self.answer

    @property
    def reading(self) -> RiskSnapshot:
        """What the guard sees at the next Tick."""
        self.turn(ev.Tick())
        return self.readings[-1]

    def send_one(self) -> None:
        """A bid leaves, and nothing is heard of it yet."""
        self.wants = [a_quote()]
        for _ in range(60):
            if places(self.turn(self.alive(), ev.Tick(), after_s=0.1)):
                return
        raise AssertionError("6 s without a place")

    def resting(self) -> "Guarded":
        self.rest()
        assert len(self.orders) == 2
        return self


def tripped(state: State) -> tuple[Why | None, str]:
    return state.latch.tripped, state.latch.detail


# --- when -------------------------------------------------------------------------------------


def test_guards_look_at_every_tick() -> None:
    bot = Guarded()
    before = len(bot.readings)
    bot.turn(ev.Tick())
    bot.turn(ev.Tick())
    assert len(bot.readings) == before + 2


def test_guards_look_after_a_fill_before_anything_is_decided() -> None:
    bot = Guarded().resting()
    before = len(bot.readings)
    bot.answer = TRIP
    bot.turn(ev.Filled(bot.fill(bot.on(Side.BUY))))
    assert len(bot.readings) == before + 1
    assert bot.readings[-1].positions[0].amount == 1
    assert tripped(bot.state) == (Why.MARGIN, "in a test")
    assert isinstance(bot.for_store[-1], SaveLatch)


def test_a_book_alone_is_no_reason_to_ask_guards() -> None:
    bot = Guarded()
    before = len(bot.readings)
    bot.turn(bot.book(0.0191))
    assert len(bot.readings) == before


# --- what their word does ---------------------------------------------------------------------


def test_a_trip_cancels_everything_and_nothing_is_placed_any_more() -> None:
    bot = Guarded().resting()
    bot.answer = TRIP
    bot.turn(ev.Tick())
    sent = bot.turn(ev.LatchSaved())
    assert len(cancels(sent)) == 2
    bot.answer = Ok()
    assert places(bot.wait(3)) == []
    assert tripped(bot.state) == (Why.MARGIN, "in a test")


def test_a_pause_takes_quotes_back_for_as_long_as_it_is_said() -> None:
    bot = Guarded().resting()
    bot.answer = Pause(Why.REJECTS, "in a test")
    assert len(cancels(bot.turn(ev.Tick()))) == 2
    bot.turn(*(bot.says_cancelled(order) for order in bot.orders))
    assert set(bot.market.why.values()) == {Why.REJECTS}
    assert places(bot.wait(1)) == []
    bot.answer = Ok()
    assert len(places(bot.wait(0.2))) == 2


# --- failing closed ---------------------------------------------------------------------------


def test_a_guard_that_raises_is_a_limit_that_is_broken() -> None:
    bot = Guarded().resting()

    def fail(reading: RiskSnapshot) -> GuardVerdict:
        raise ZeroDivisionError("no limit")

    bot.guards = (Says(fail),)
    bot.turn(ev.Tick())
    assert tripped(bot.state) == (Why.GUARD_FAILED, "ZeroDivisionError: no limit")


@pytest.mark.parametrize("used", [float("nan"), float("inf")])
def test_a_guard_whose_word_is_not_a_number_trips(used: float) -> None:
    bot = Guarded()
    bot.answer = Ok(used)
    bot.turn(ev.Tick())
    assert tripped(bot.state) == (Why.GUARD_FAILED, "Says: not a number")


@pytest.mark.parametrize("mark", [float("nan"), float("inf")])
def test_a_mark_that_is_no_number_leaves_the_position_at_its_last_one(mark: float) -> None:
    bot = Guarded().resting()
    bot.turn(ev.Filled(bot.fill(bot.on(Side.BUY))))
    before = bot.state.watch.profit.session_usd
    bot.turn(bot.ticker(mark=mark), ev.Tick())
    assert bot.state.latch.tripped is None
    assert bot.state.watch.profit.session_usd == before
    assert bot.market.why == {Side.BUY: Why.NO_MARK, Side.SELL: Why.NO_MARK}


def test_a_position_that_became_worthless_counts_as_a_loss() -> None:
    bot = Guarded().resting()
    bot.turn(ev.Filled(bot.fill(bot.on(Side.BUY))))
    bot.turn(bot.ticker(mark=0.0), ev.Tick())
    bought = float(bot.state.inventory.of(bot.instrument).open_value)
    assert bought > 0
    assert bot.state.watch.profit.session_usd == pytest.approx(-bought * 2850.0, rel=0.02)


def test_a_market_worth_no_number_is_not_quoted_but_trips_nothing_while_we_hold_nothing() -> None:
    bot = Guarded().resting()
    bot.turn(bot.ticker(mark=float("nan")), ev.Tick())
    assert bot.state.latch.tripped is None


def test_turns_that_go_on_without_ticks_trip() -> None:
    bot = Guarded().resting()
    for _ in range(29):
        bot.turn(bot.book(), after_s=0.1)
    assert bot.state.latch.tripped is None
    bot.turn(bot.book(), after_s=0.2)
    assert tripped(bot.state) == (Why.GUARD_MISSED, "not for 3.1 s")


def test_an_absence_is_no_missed_period() -> None:
    bot = Guarded().resting()
    bot.turn(bot.book(), after_s=9.0)
    assert bot.state.latch.tripped is None


# --- what they see ----------------------------------------------------------------------------


def test_the_profit_of_a_fill_in_dollars() -> None:
    """Bought 1 at 0.0200 marked 0.0215, fee 0.0003: 0.0012 ETH at 2,850 USD is 3.42 USD."""
    bot = Guarded().resting()
    fill = structs.replace(bot.fill(bot.on(Side.BUY)), fee=Decimal("0.0003"))
    bot.turn(ev.Filled(fill))
    seen = bot.reading
    assert seen.session_usd == pytest.approx(3.42)
    assert seen.day_usd == pytest.approx(3.42)
    assert seen.drawdown_usd == 0


def test_refusals_count_but_not_those_that_belong_to_quoting() -> None:
    bot = Guarded()
    for why, refused in ((Why.CROSSED_BOOK, 0), (Why.VENUE_BUSY, 0), (Why.REFUSED, 1)):
        before = bot.reading
        bot.send_one()
        bot.wants = ()
        bot.turn(bot.refuses(bot.order, why=why))
        seen = bot.reading
        assert (seen.sent - before.sent, seen.refused - before.refused) == (1, refused), why
    bot.wait(61)
    assert (bot.reading.sent, bot.reading.refused) == (0, 0)


def test_silence_is_counted_from_the_last_sign_of_life_of_any_market() -> None:
    bot = Guarded()
    bot.turn(bot.alive())
    for _ in range(15):
        bot.turn(ev.Tick(), after_s=0.1)
    assert bot.readings[-1].silent_ns == pytest.approx(1.51 * SECOND, abs=MS)
    bot.turn(ev.LinkChanged(VENUE, ev.Link.MARKET, up=False), after_s=0.1)
    bot.turn(bot.alive(), ev.Tick(), after_s=0.1)
    assert bot.readings[-1].silent_ns == pytest.approx(1.71 * SECOND, abs=MS)


def test_markets_that_have_all_expired_are_not_silent() -> None:
    bot = Guarded()
    soon = replace(bot.instrument, expiry_ns=bot.now_ns + SECOND)
    bot.turn(ev.InstrumentsListed((soon,)))
    for _ in range(9):
        bot.turn(ev.Tick(), after_s=0.1)
    assert bot.readings[-1].silent_ns > 0
    bot.turn(ev.Tick(), after_s=0.2)
    assert bot.readings[-1].silent_ns == 0


def test_a_mismatch_is_seen_with_its_age() -> None:
    bot = Guarded()
    bot.ask_again()
    bot.turn(bot.snapshot(positions={bot.instrument.id: 3}))
    assert bot.reading.mismatch == ""
    bot.ask_again()
    bot.turn(bot.snapshot(positions={bot.instrument.id: 3}))
    bot.turn(ev.Tick(), after_s=1.0)
    seen = bot.readings[-1]
    assert seen.mismatch == "ETH-6JUN25-2800-C: venue says 3, fills say 0"
    assert seen.mismatch_ns == SECOND


@pytest.mark.parametrize(
    ("venue_is_ahead_s", "apart_s"), [(0.05, 0), (0.6, 0.5), (-0.6, 0.6), (-0.05, 0.05)]
)
def test_the_way_there_and_back_is_no_skew(venue_is_ahead_s: float, apart_s: float) -> None:
    """Asked now, answered 0.1 s later: the venue's clock may stand anywhere between."""
    bot = Guarded()
    received_ns = bot.now_ns + SECOND // 10
    venue_ns = bot.now_ns + int(venue_is_ahead_s * SECOND)
    bot.turn(ev.LinkAlive(VENUE, ev.Link.TRADING, bot.now_ns, received_ns, venue_ns))
    assert bot.reading.skew_ns == pytest.approx(apart_s * SECOND, abs=1)


def test_a_proof_of_life_without_the_venues_clock_leaves_the_skew_that_is_known() -> None:
    bot = Guarded()
    apart_ns = bot.now_ns + 2 * SECOND
    bot.turn(ev.LinkAlive(VENUE, ev.Link.TRADING, bot.now_ns, bot.now_ns, apart_ns))
    bot.turn(ev.LinkAlive(VENUE, ev.Link.TRADING, bot.now_ns, bot.now_ns, None))
    assert bot.reading.skew_ns == 2 * SECOND
    bot.turn(ev.LinkAlive(VENUE, ev.Link.TRADING, bot.now_ns, bot.now_ns, bot.now_ns))
    assert bot.reading.skew_ns == 0


def test_margin_is_what_the_venue_states() -> None:
    bot = Guarded()
    bot.ask_again()
    stated = Equity("ETH", Decimal(4), Decimal(3), Decimal(1))
    bot.turn(
        structs.replace(bot.snapshot(), equity=(stated, Equity("BTC", Decimal(1), Decimal(1))))
    )
    (margin,) = bot.reading.margins
    assert margin == Margin("ETH", Decimal(4), Decimal(1), VENUE)


# --- the way out ------------------------------------------------------------------------------


def test_how_long_everything_took_goes_into_the_trail() -> None:
    bot = Guarded().resting()
    bot.answer = TRIP
    bot.turn(ev.Tick())
    tripped_ns = bot.now_ns
    bot.turn(ev.LatchSaved())
    first, second = bot.orders
    bot.turn(bot.says_cancelled(first), after_s=0.1)
    bot.turn(bot.says_cancelled(second), after_s=0.1)
    bot.ask_again()
    bot.turn(bot.snapshot())
    assert bot.state.flat_verified
    (note,) = bot.state.notes
    assert note.kind == "tripped"
    assert note.body == {
        "why": "margin short",
        "detail": "in a test",
        "orders": 2,
        "last_order_ended_after_ms": 110,
        "proved_after_ms": (bot.now_ns - tripped_ns) // MS,
        "proved_over": "first path",
        "venue": VENUE,
    }


def cut_and_tripped() -> Guarded:
    bot = Guarded().resting()
    bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=False))
    bot.answer = TRIP
    bot.turn(ev.Tick())
    bot.turn(ev.LatchSaved())
    return bot


def test_with_the_trading_link_down_orders_are_taken_back_over_the_second_path() -> None:
    bot = cut_and_tripped()
    assert of_kind(FallbackCancel, bot.wait(0.9)) == []
    (wish,) = of_kind(FallbackCancel, bot.wait(0.3))
    assert (wish.venue, wish.why) == (VENUE, Why.MARGIN)


def test_the_second_path_is_tried_again_until_it_shows_nothing_of_ours() -> None:
    bot = cut_and_tripped()
    bot.wait(1.2)
    left = tuple(bot.stated(order) for order in bot.orders)
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, left))
    assert not bot.state.flat_verified
    assert of_kind(FallbackCancel, bot.wait(0.9)) == []
    assert len(of_kind(FallbackCancel, bot.wait(0.3))) == 1
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, None))
    assert len(of_kind(FallbackCancel, bot.wait(1.2))) == 1
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, ()))
    assert bot.state.flat_verified
    assert bot.state.notes[-1].body["proved_over"] == "second path"
    assert of_kind(FallbackCancel, bot.wait(3)) == []


def test_a_place_that_may_still_arrive_is_not_proved_gone_by_the_second_path() -> None:
    bot = Guarded()
    bot.send_one()
    assert bot.order.status is Status.PENDING
    bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=False))
    bot.answer = TRIP
    bot.turn(ev.Tick())
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, ()))
    assert not bot.state.flat_verified
    bot.wait(6)
    bot.turn(ev.FallbackTried(VENUE, bot.now_ns, ()))
    assert bot.state.flat_verified


def test_a_trading_link_that_is_up_but_deaf_is_gone_round_too() -> None:
    bot = Guarded().resting()
    bot.answer = TRIP
    bot.turn(ev.Tick())
    bot.turn(ev.LatchSaved())
    assert of_kind(FallbackCancel, bot.wait(0.9)) == []
    assert len(of_kind(FallbackCancel, bot.wait(0.3))) == 1


def test_a_plain_stop_over_a_living_link_needs_no_second_path() -> None:
    bot = Guarded().resting()
    bot.turn(ev.Stop(Why.USER))
    assert of_kind(FallbackCancel, bot.wait(1.5)) == []


def test_leaving_is_no_absence() -> None:
    bot = Guarded().resting()
    bot.turn(ev.Stop(Why.USER))
    for after_s in (1.0, 3.5, 20.0):  # the second path takes its time, and nobody ticks
        assert len(places(bot.turn(bot.alive(), after_s=after_s))) == 0
    assert bot.state.latch.tripped is None


def test_nothing_trips_and_nothing_is_quoted_before_the_first_tick() -> None:
    bot = Bot()
    bot.guards = (Says(lambda reading: Ok()),)
    bot.connect(ticking=False)
    bot.turn(bot.snapshot(), bot.alive(), bot.ticker(), bot.book())
    bot.wants = both_sides()
    for _ in range(60):  # connecting may take long
        assert places(bot.turn(bot.alive(), bot.book(), after_s=0.1)) == []
    assert places(bot.turn(bot.alive(), bot.book(), after_s=40)) == []  # on a lossy line
    assert bot.state.latch.tripped is None
    assert len(places(bot.turn(ev.Tick(), bot.book()))) == 2
