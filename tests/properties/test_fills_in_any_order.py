"""Money is counted once: the live stream, repeated, beside the history, in any order."""

from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.statements import Fill, Finality
from mmbot.core.types import Side
from tests.builders import a_fill, a_perpetual, an_option
from tests.core.bot import Bot

INSTRUMENTS = (an_option(), a_perpetual())


@st.composite
def some_fills(draw: st.DrawFn) -> list[Fill]:
    count = draw(st.integers(1, 10))
    fills = []
    for n in range(count):
        instrument = draw(st.sampled_from(INSTRUMENTS))
        fills.append(
            a_fill(
                draw(st.sampled_from(Side)),
                draw(st.sampled_from(["0.0200", "2850", "0.5"])),
                draw(st.integers(1, 20)),
                instrument=instrument,
                trade_id=f"t{n}",
                fee=draw(st.sampled_from(["0.0003", "-0.0001", "0"])),
                label=draw(st.sampled_from(["mmtest-7", "hers", None])),
                mark=draw(st.sampled_from(["0.0210", "2849", "0.6"])),
            )
        )
    return fills


def fresh() -> Bot:
    """Connected and reconciled: what was there before is known to be nothing."""
    bot = Bot(*INSTRUMENTS)
    bot.connect()
    bot.turn(bot.snapshot())
    return bot


@given(some_fills(), st.integers(1, 3), st.randoms(use_true_random=False), st.data())
@settings(max_examples=80, deadline=None)
def test_stream_repeated_and_history_in_any_order_give_the_same_positions(
    fills: list[Fill], times: int, shuffler: Random, data: st.DataObject
) -> None:
    plain = fresh()
    plain.turn(*(ev.Filled(fill) for fill in fills))

    bot = fresh()
    steps: list[Fill | list[Fill]] = [*fills] * times
    for _ in range(data.draw(st.integers(0, 3))):
        steps.append(data.draw(st.lists(st.sampled_from(fills), unique=True)))  # what REST returns
    shuffler.shuffle(steps)
    for step in steps:
        if isinstance(step, list):
            bot.ask_again()
            bot.turn(bot.snapshot(fills=step))
        else:
            bot.turn(ev.Filled(step), after_s=0.001)

    for instrument in INSTRUMENTS:
        one, other = plain.state.inventory.of(instrument), bot.state.inventory.of(instrument)
        assert other.amount == one.amount
        assert (other.fees, other.volume, other.fills) == (one.fees, one.volume, one.fills)
        total = [p.pnl(Decimal("0.7")).total for p in (one, other)]
        assert abs(total[0] - total[1]) < Decimal("1e-15")
    assert sorted(bot.state.inventory.booked) == sorted(plain.state.inventory.booked)


@given(some_fills(), st.randoms(use_true_random=False), st.data())
@settings(max_examples=80, deadline=None)
def test_voided_ones_leave_nothing_whatever_is_heard_first(
    fills: list[Fill], shuffler: Random, data: st.DataObject
) -> None:
    """Every word on a fill is told any number of times, in any order, by the stream or found in the
    history; only that the venue never says both of final and void is certain."""
    voided = data.draw(st.lists(st.sampled_from(fills), unique=True))
    plain = fresh()
    plain.turn(*(ev.Filled(fill) for fill in fills if fill not in voided))

    bot = fresh()
    steps: list[Fill] = []
    for fill in fills:
        end = Finality.VOIDED if fill in voided else Finality.FINAL
        last = replace(fill, finality=end, stated_ms=fill.venue_ms + 500)
        first = replace(fill, finality=Finality.PROVISIONAL)
        steps += [last] * data.draw(st.integers(1, 2)) + [first] * data.draw(st.integers(0, 2))
    shuffler.shuffle(steps)
    for step in steps:
        if data.draw(st.booleans()):
            bot.turn(ev.Filled(step), after_s=0.001)
        else:
            bot.ask_again()
            bot.turn(bot.snapshot(fills=[step]))

    assert bot.state.inventory.provisional == {}
    for instrument in INSTRUMENTS:
        one, other = plain.state.inventory.of(instrument), bot.state.inventory.of(instrument)
        assert other.amount == one.amount
        assert (other.fees, other.volume, other.fills) == (one.fees, one.volume, one.fills)
        total = [p.pnl(Decimal("0.7")).total for p in (one, other)]
        assert abs(total[0] - total[1]) < Decimal("1e-15")
