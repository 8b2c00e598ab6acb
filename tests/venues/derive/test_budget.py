"""One request a second for eight orders: the core spends Derive's limits where it is cheapest."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.core import events as ev
from mmbot.core import gates
from mmbot.core.capabilities import Draws
from mmbot.core.contracts import Instrument
from mmbot.core.intents import Replace, Resync, VenueIntent
from mmbot.core.order_life import OrderState, Request
from mmbot.core.recovery import take_budget
from mmbot.core.state import Account
from mmbot.core.types import InstrumentId, Quote, Right, Side
from mmbot.core.why import Why
from mmbot.venues.derive.limits import Limits, capabilities
from mmbot.venues.derive.protection import Terms
from mmbot.venues.derive.session import DeriveSession
from tests.builders import NOW_NS, a_quote, an_option
from tests.core.bot import VENUE, Bot, a_foreign_order, cancels, mass_cancels, places
from tests.venues.derive.driven import PART, Driven, signer
from tests.venues.derive.samples import MMP

ROOMY = Limits(matching=100.0, option=100.0, perpetual=100.0, non_matching=100.0, cancel_all=100.0)
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


def test_quotes_under_protection_cost_a_third_and_three_times_as_many_are_sent() -> None:
    """Three may be sent at once, and eight thirds are less."""
    bot = quoting()
    bot.turn(ev.VenueDescribed(VENUE, capabilities(Limits(), protected=True)))
    want(bot, 0.0005)
    assert sizes(bot.turn(*books(bot))) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert bot.account.budget.level == pytest.approx(4 - 8 / 3)


def test_what_trades_at_once_and_what_is_taken_back_is_paid_in_full() -> None:
    can = capabilities(Limits(), protected=True)
    account = Account(VENUE)
    gates.described(account, can)
    account.capabilities = can
    weights = {
        (draws, quote): gates.drawn_from(account, draws, CHAIN[0].id, quote=quote)
        for draws in (Draws.PLACE, Draws.MOVE, Draws.CANCEL)
        for quote in (True, False)
    }
    assert [weight for _, weight in weights[Draws.PLACE, True]] == [1 / 3, 1 / 3]
    assert [weight for _, weight in weights[Draws.MOVE, True]] == [1 / 3, 1 / 3]
    assert [weight for _, weight in weights[Draws.PLACE, False]] == [1.0, 1.0]
    bot = quoting()
    bot.turn(ev.VenueDescribed(VENUE, can))
    bot.puppet.wants[CHAIN[0].id] = []
    before = bot.account.budget.level
    assert len(cancels(bot.turn(*books(bot)))) == 2
    assert bot.account.budget.level == before - 2


def test_what_was_spent_in_full_stays_spent_once_protection_is_told() -> None:
    bot = quoting()
    want(bot, 0.0005)
    assert len(sizes(bot.turn(*books(bot)))) == 3
    each = {name: left.level for name, left in bot.account.gates.items()}
    bot.turn(ev.VenueDescribed(VENUE, capabilities(Limits(), protected=True)))
    assert bot.account.budget.level == 1.0
    assert {name: left.level for name, left in bot.account.gates.items()} == each


def test_options_and_perpetuals_have_limits_of_their_own() -> None:
    can = capabilities(Limits(matching=100.0, option=2.0, perpetual=5.0))
    account = Account(VENUE)
    gates.described(account, can)
    account.capabilities = can
    fulls = {}
    for name in ("ETH-20250606-2800-C", "ETH-20250606-2800-P", "ETH-PERP"):
        instrument = InstrumentId(f"{VENUE}:{name}")
        drawn = gates.drawn_from(account, Draws.PLACE, instrument)
        fulls[name] = [left.burst for left, _ in drawn]
    assert fulls == {
        "ETH-20250606-2800-C": [500.0, 10.0],
        "ETH-20250606-2800-P": [500.0, 10.0],
        "ETH-PERP": [500.0, 25.0],
    }


MMP_TERMS = Terms(
    interval_ms=5_000, frozen_ms=10_000, amount=Decimal(10), delta=Decimal(0), auto_reset_s=None
)


@pytest.mark.parametrize(
    ("told", "share"), [([MMP], 1 / 3), ([], 1.0), ([{**MMP, "currency": "BTC"}], 1.0)]
)
def test_the_core_is_told_of_the_third_once_every_coin_is_protected(
    told: list[dict[str, object]], share: float
) -> None:
    session = DeriveSession("derive", signer(), PART, NOW_NS, mmp=MMP_TERMS)
    answers = {"private/set_mmp_config": MMP, "private/get_mmp_config": told}
    driven = Driven(session, answers).list_all()
    driven.carry_out(session.start(driven.instruments, driven.now_ns))
    driven.wait(20.0)
    shares = [
        [gate.quote_share for gate in told.capabilities.gates if gate.for_orders]
        for told in driven.told(ev.VenueDescribed)
    ]
    assert shares[0] == [1.0, 1.0], "before it is known"
    assert shares[-1] == [share, share]


def test_a_cancel_that_finds_nothing_left_goes_by_its_label_which_is_counted_apart() -> None:
    """Beside foreign orders, where nothing may go at once: four are left of five, of which one is
    for cancels, and all eight orders go in one turn."""
    bot = quoting()
    bot.account.foreign |= {one.name: a_foreign_order(one.name, instrument=one) for one in CHAIN}
    bot.turn(ev.VenueDescribed(VENUE, capabilities(Limits(by_label=10.0))))
    for instrument in CHAIN:
        bot.puppet.wants[instrument.id] = []
    sent = cancels(bot.turn(*books(bot)))
    assert len(sent) == 8
    assert [bool(one.order_id) for one in sent] == [True] * 4 + [False] * 4
    assert bot.account.gates["cancel_by_label"].level == 50 - 1 - 4


def test_where_labels_are_not_counted_apart_it_waits() -> None:
    bot = quoting()
    bot.account.foreign |= {one.name: a_foreign_order(one.name, instrument=one) for one in CHAIN}
    can = capabilities(Limits())
    without = tuple(gate for gate in can.gates if gate.name != "cancel_by_label")
    bot.turn(ev.VenueDescribed(VENUE, replace(can, gates=without)))
    for instrument in CHAIN:
        bot.puppet.wants[instrument.id] = []
    sent = cancels(bot.turn(*books(bot)))
    assert len(sent) == 4
    assert all(one.order_id for one in sent)


def test_two_orders_of_an_instrument_go_by_their_labels_where_all_of_it_cannot_be_asked() -> None:
    """A cancel of all on an instrument is a request like any other, of which none is left."""
    bot = quoting()
    bot.account.foreign["900"] = a_foreign_order(instrument=CHAIN[3])
    bot.turn(ev.VenueDescribed(VENUE, capabilities(Limits(by_label=10.0))))
    spent = [(bot.now_ns + 5 * 10**9, bot.account.budget.full)]
    bot.account.budget.spent = spent
    bot.puppet.wants[CHAIN[0].id] = []
    sent = bot.turn(*books(bot))
    assert [one.order_id for one in cancels(sent)] == ["", ""]
    assert mass_cancels(sent) == []


def test_what_another_run_may_have_spent_stays_so_when_the_window_proves_wider() -> None:
    bot = Bot(CHAIN[0])
    take_budget(bot.state, VENUE, 3 * 10**9, bot.now_ns)
    bot.turn(ev.VenueDescribed(VENUE, capabilities(Limits())))
    bot.turn(ev.VenueDescribed(VENUE, capabilities(ROOMY)))
    assert not gates.affords(bot.account, Draws.CANCEL, CHAIN[0].id, reserve=True)
    bot.turn(after_s=4)
    assert bot.account.budget.level > 400
