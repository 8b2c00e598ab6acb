"""Whatever was spent before, every order that must go is on its way out when the turn ends."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.order_life import Status
from mmbot.core.types import InstrumentId, Quote, Side
from tests.builders import a_quote, an_option
from tests.core.bot import Bot

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


@settings(max_examples=60, deadline=None)
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
    steps: list[tuple[int, list[tuple[int, int | None, int | None]]]],
) -> None:
    bot = Bot(*CALLS)
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
