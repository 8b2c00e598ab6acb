"""Whatever was spent before, every order that must go is on its way out when the turn ends."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities, Draws, Gate, GateKind, GateScope
from mmbot.core.order_life import Status
from mmbot.core.types import InstrumentId, Quote, Side
from tests.builders import a_quote, an_option
from tests.core.bot import VENUE, Bot

CALLS = [
    an_option(id=f"deribit:ETH-6JUN25-{strike}-C", name=f"ETH-6JUN25-{strike}-C")
    for strike in range(2000, 2800, 100)
]
PRICES = {Side.BUY: (0.0190, 0.0195, 0.0200), Side.SELL: (0.0220, 0.0225, 0.0230)}

WISH = st.sampled_from([None, 0, 1, 2])
"""No quote on a side, or one at this of its prices."""


def quotes(bid: int | None, ask: int | None) -> list[Quote]:
    wanted = ((Side.BUY, bid), (Side.SELL, ask))
    return [a_quote(side, PRICES[side][n]) for side, n in wanted if n is not None]


ORDERS = tuple((draws, 1.0) for draws in Draws if draws is not Draws.READ)
POINTS = ((Draws.PLACE, 2.0), (Draws.MOVE, 3.0), (Draws.CANCEL, 1.0), (Draws.MASS_CANCEL, 1.0))
EACH = GateScope.INSTRUMENT

VENUES = {
    "a bucket": Capabilities(),
    "a window": Capabilities(
        gates=(Gate("5 s", 5.0, 25.0, GateKind.FIXED_WINDOW, weights=ORDERS),)
    ),
    "a bucket and a window each": Capabilities(
        gates=(
            Gate("orders", 5.0, 20.0, weights=ORDERS),
            Gate("each", 4.0, 12.0, GateKind.FIXED_WINDOW, EACH, ORDERS),
        )
    ),
    "points, and a bucket each": Capabilities(
        gates=(
            Gate("points", 15.0, 60.0, weights=POINTS),
            Gate("each", 2.0, 12.0, scope=EACH, weights=ORDERS),
        )
    ),
    "single cancels only": Capabilities(
        cancels_all_of=(),
        gates=(Gate("orders", 20.0, 80.0, weights=ORDERS, cancel_reserve=0.4),),
    ),
}
"""The last one's reserve is larger than all that can rest there."""


@pytest.mark.parametrize("can", VENUES.values(), ids=VENUES.keys())
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 600),  # ms until the next step
            st.lists(st.tuples(st.integers(0, 7), WISH, WISH), min_size=1, max_size=8),
        ),
        min_size=5,
        max_size=40,
    )
)
def test_no_cancel_ever_waits_for_budget(
    can: Capabilities,
    steps: list[tuple[int, list[tuple[int, int | None, int | None]]]],
) -> None:
    bot = Bot(*CALLS)
    bot.turn(ev.VenueDescribed(VENUE, can))
    bot.connect()
    bot.turn(bot.snapshot())
    bot.turn(bot.alive(), *map(bot.ticker, CALLS), *(bot.book(instrument=c) for c in CALLS))
    for call in CALLS:
        bot.puppet.wants[call.id] = quotes(0, 2)
    for pause_ms, wishes in steps:
        changed: dict[InstrumentId, None] = {}
        for number, bid, ask in wishes:
            bot.puppet.wants[CALLS[number].id] = quotes(bid, ask)
            changed[CALLS[number].id] = None
        moved = [call for call in CALLS if call.id in changed]
        bot.turn(
            bot.alive(), *(bot.book(instrument=call) for call in moved), after_s=pause_ms / 1000
        )
        for call in moved:
            wanted = {quote.side for quote in bot.puppet.wants[call.id]}  # type: ignore[union-attr]  # quotes, no Why
            for order in bot.state.orders.on(call.id):
                assert order.side in wanted or order.status is not Status.LIVE
        gone = [order for order in bot.orders if order.status is Status.CANCELING]
        opened = [o for o in bot.orders if o.status in (Status.PENDING, Status.AMENDING)]
        bot.turn(*map(bot.says_open, opened), *map(bot.says_cancelled, gone), after_s=0.001)
