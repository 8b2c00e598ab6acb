"""One request a second for eight orders: the core spends Derive's limits where it is cheapest."""

from collections.abc import Sequence
from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.intents import Replace, Resync, VenueIntent
from mmbot.core.order_life import OrderState, Request
from mmbot.core.types import InstrumentId, Quote, Right, Side
from mmbot.core.why import Why
from mmbot.venues.derive.limits import Limits, capabilities
from tests.builders import a_quote, an_option
from tests.core.bot import VENUE, Bot, places

ROOMY = Limits(matching=100.0, instrument=100.0, non_matching=100.0, cancel_all=100.0)
CHAIN = tuple(
    an_option(
        id=InstrumentId(f"{VENUE}:ETH-6JUN25-{strike}-{right.value[0].upper()}"),
        name=f"ETH-6JUN25-{strike}-{right.value[0].upper()}",
        strike=Decimal(strike),
        right=right,
    )
    for strike in (2800, 2900)
    for right in (Right.CALL, Right.PUT)
)


def both(size: int, away: float = 0.0) -> list[Quote]:
    """A bid of that size and an ask one larger, so far from where they were."""
    return [
        a_quote(Side.BUY, 0.0200 - away, size),
        a_quote(Side.SELL, 0.0230 + away, size + 1),
    ]


def quoting() -> Bot:
    """Eight orders rest, of 1 to 8 coins, and the limits are the venue's least from now on."""
    bot = Bot.quoting(*CHAIN)
    bot.turn(ev.VenueDescribed(VENUE, capabilities(ROOMY)))
    want(bot, 0.0)
    assert len(places(bot.turn(*books(bot)))) == 8
    bot.acknowledge()
    bot.turn(ev.VenueDescribed(VENUE, capabilities(Limits())))
    rest(bot)
    return bot


def rest(bot: Bot) -> None:
    """A window goes by in which nothing moves, and what is looked at is answered."""
    for _ in range(60):
        for intent in bot.turn(bot.alive(), *books(bot), after_s=0.1):
            assert isinstance(intent, Resync), intent


def want(bot: Bot, away: float) -> None:
    for number, instrument in enumerate(CHAIN):
        bot.puppet.wants[instrument.id] = both(2 * number + 1, away)


def books(bot: Bot) -> list[ev.Event]:
    return [bot.book(instrument=one) for one in CHAIN]


def sizes(sent: Sequence[VenueIntent]) -> list[Decimal]:
    return [intent.amount for intent in sent if isinstance(intent, Replace)]


def finish(bot: Bot, sent: Sequence[VenueIntent]) -> list[VenueIntent]:
    """The venue carries replaces out and shows the new books; what the bot sends then."""
    told: list[ev.Event] = []
    for intent in sent:
        assert isinstance(intent, Replace), intent
        old, new = (bot.state.orders.by_label[one] for one in (intent.old, intent.label))
        told.append(bot.says(old, OrderState.CANCELLED, answers=Request.REPLACE))
        told.append(bot.says(new, answers=Request.PLACE))
    more = bot.turn(*told) if told else []
    return [*more, *bot.turn(bot.alive(), *books(bot), after_s=0.1)]


def whys(bot: Bot, instrument: Instrument) -> dict[Side, Why]:
    return bot.state.markets[instrument.id].why


def test_the_moves_that_would_lose_most_are_sent_and_the_rest_are_told_short() -> None:
    """Five in five seconds, one of them never used and one kept for cancels: three at once."""
    bot = quoting()
    want(bot, 0.0005)
    sent = bot.turn(*books(bot))
    assert sizes(sent) == [8, 7, 6]
    assert set(whys(bot, CHAIN[3]).values()) == {Why.QUOTED}
    for instrument in CHAIN[:2]:
        assert set(whys(bot, instrument).values()) == {Why.RATE_LIMITED}
    assert Why.RATE_LIMITED.value == "budget short"


def test_what_waited_follows_window_by_window_in_the_order_of_what_it_would_lose() -> None:
    bot = quoting()
    want(bot, 0.0005)
    moved, begun_ns, sent = list[Decimal](), bot.now_ns, bot.turn(*books(bot))
    while len(moved) < 8:
        assert bot.now_ns - begun_ns < 40 * 10**9, moved
        moved += sizes(sent)
        sent = [one for one in finish(bot, sent) if not isinstance(one, Resync)]
    assert moved == [8, 7, 6, 5, 4, 3, 2, 1]


def test_the_limit_of_one_instrument_holds_up_that_one_alone() -> None:
    """Room enough for the wallet, five at once for an instrument: the other three go on."""
    bot = quoting()
    bot.turn(ev.VenueDescribed(VENUE, capabilities(Limits(matching=100.0))))
    rest(bot)
    busy = CHAIN[0]
    for step in range(1, 4):
        bot.puppet.wants[busy.id] = both(1, 0.0005 * step)
        sent: Sequence[VenueIntent] = bot.turn(bot.book(instrument=busy), after_s=0.001)
        while sent:
            sent = finish(bot, sent)
    assert Why.RATE_LIMITED in whys(bot, busy).values()
    want(bot, 0.0005)
    bot.puppet.wants[busy.id] = both(1, 0.0020)
    sent = bot.turn(*books(bot), after_s=0.001)
    assert sorted(sizes(sent)) == [3, 4, 5, 6, 7, 8]
