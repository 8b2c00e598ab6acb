"""Whole turns: from a market that moved to what leaves the bot, and everything that prevents it."""

# mypy: disable-error-code="comparison-overlap"
# Decimals are compared with whole numbers in tuples; a status changes behind mypy's back.

import math
from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.desk import Desk
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    FallbackCancel,
    Place,
    ReserveLabels,
    SaveLatch,
    VenueIntent,
)
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import Order
from mmbot.core.ports import RiskRule
from mmbot.core.sizes import Size
from mmbot.core.turn import turn
from mmbot.core.types import SECOND, InstrumentId, Side
from mmbot.core.views import ALLOW, Block, Proposal, Shrink, Verdict, View
from mmbot.core.why import Why
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_position import MaxPosition
from tests.builders import NOW_NS, a_fill, a_perpetual, a_quote, an_option, an_order
from tests.core.bot import (
    LABELS,
    VENUE,
    Bot,
    a_foreign_order,
    amends,
    both_sides,
    cancels,
    mass_cancels,
    places,
    resyncs,
)

BUY, SELL = Side.BUY, Side.SELL
PUT = an_option(id="deribit:ETH-6JUN25-2800-P", name="ETH-6JUN25-2800-P")


def terms(places_: list[Place]) -> list[tuple[Side, Decimal, Decimal]]:
    return [(p.side, p.price, p.amount) for p in places_]


class Says:
    """A rule that says the same to every bid."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.proposals: list[Proposal] = []

    def check(self, view: View, proposal: Proposal) -> Verdict:
        self.proposals.append(proposal)
        return self.verdict if proposal.target.side is BUY else ALLOW


# --- quoting ----------------------------------------------------------------------------------


def test_wanted_quotes_are_placed_on_the_grid() -> None:
    bot = Bot.quoting(wants=[a_quote(BUY, 0.02013, 2.9), a_quote(SELL, 0.02301, 1)])
    sent = places(bot.turn(bot.book()))
    assert terms(sent) == [(BUY, Decimal("0.0200"), 2), (SELL, Decimal("0.0235"), 1)]
    assert [p.label for p in sent] == ["mmtest-0", "mmtest-1"]
    assert all(p.post_only for p in sent)


def test_what_rests_as_wanted_is_left_alone() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    assert bot.turn(bot.book()) == []


def test_a_moved_quote_is_amended_under_its_label() -> None:
    bot = Bot.quoting()
    bid, _ask = bot.rest(*both_sides())
    bot.wants = both_sides(bid=0.0195)
    (amend,) = bot.turn(bot.book())
    assert isinstance(amend, Amend)
    assert (amend.label, amend.order_id, amend.price) == (
        bid.label,
        bid.order_id,
        Decimal("0.0195"),
    )


def test_partial_fill_then_amend_asks_for_total() -> None:
    bot = Bot.quoting()
    (bid,) = bot.rest(a_quote(BUY, 0.0200, 5))
    bot.turn(ev.Filled(bot.fill(bid, 3)), bot.says(bid, filled=3))
    bot.wants = [a_quote(BUY, 0.0195, 5)]
    (amend,) = amends(bot.turn(bot.book()))
    assert amend.amount == 8
    bot.acknowledge()
    assert bid.remaining == 5


def test_a_side_no_longer_wanted_is_cancelled() -> None:
    bot = Bot.quoting()
    _bid, ask = bot.rest(*both_sides())
    bot.wants = [a_quote(BUY, 0.0200)]
    (cancel,) = bot.turn(bot.book())
    assert isinstance(cancel, Cancel)
    assert cancel.label == ask.label


def test_a_strategy_that_stands_aside_says_why() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    bot.wants = Why.NO_FAIR
    sent = cancels(bot.turn(bot.book()))
    assert [c.why for c in sent] == [Why.NO_FAIR, Why.NO_FAIR]
    assert bot.market.why == {BUY: Why.NO_FAIR, SELL: Why.NO_FAIR}


def test_a_quote_the_grid_has_no_room_for_is_not_placed() -> None:
    bot = Bot.quoting(wants=[a_quote(BUY, 0.00004), a_quote(SELL, 0.0230, 0.5)])
    assert places(bot.turn(bot.book())) == []
    assert bot.market.why == {BUY: Why.BELOW_TICK, SELL: Why.BELOW_MIN_SIZE}


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_model_gone_wrong_places_nothing(broken: float) -> None:
    bot = Bot.quoting(wants=[a_quote(BUY, broken), a_quote(SELL, 0.0230, broken)])
    assert places(bot.turn(bot.book())) == []


def test_the_strategy_sees_the_others_and_our_worst_case() -> None:
    bot = Bot.quoting()
    bid, _ask = bot.rest(a_quote(BUY, 0.0200, 3), a_quote(SELL, 0.0230, 2))
    bot.turn(ev.Filled(bot.fill(bid, 1)), bot.says(bid, filled=1))
    bot.turn(bot.book(bid=0.0190, ask=0.0240))
    view = bot.puppet.views[-1]
    assert (view.bids, view.asks) == (((0.0190, 10.0),), ((0.0240, 10.0),))
    assert (view.position, view.worst_long, view.worst_short) == (1, 3, -1)


def test_own_orders_are_not_our_reference() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides(bid=0.0200, ask=0.0230))
    for _ in range(3):
        bot.turn(bot.book(bid=0.0190, ask=0.0240))
        assert (bot.puppet.views[-1].bid, bot.puppet.views[-1].ask) == (0.0190, 0.0240)


# --- reasons not to quote ---------------------------------------------------------------------


def test_book_lost_cancels_quotes() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    sent = cancels(bot.turn(ev.BookLost(bot.instrument.id, Why.BOOK_GAPPED)))
    assert [c.why for c in sent] == [Why.BOOK_GAPPED, Why.BOOK_GAPPED]
    assert bot.turn() == []


@pytest.mark.parametrize(
    ("bid", "ask", "mark", "why"),
    [
        (None, None, 0.0215, Why.BOOK_EMPTY),
        (0.0240, 0.0230, 0.0215, Why.BOOK_CROSSED),
        (0.0230, 0.0230, 0.0215, Why.BOOK_CROSSED),
        (math.nan, 0.0230, 0.0215, Why.BOOK_CROSSED),
        (0.0200, 0.0230, 0.0500, Why.BOOK_IMPLAUSIBLE),
        (0.0200, 0.0230, 0.0, Why.BOOK_IMPLAUSIBLE),
        (0.0200, 0.0230, None, Why.NO_MARK),
        (0.0200, 0.0230, math.nan, Why.NO_MARK),
    ],
)
def test_crossed_empty_implausible_books_never_quote(
    bid: float | None, ask: float | None, mark: float | None, why: Why
) -> None:
    bot = Bot.quoting(wants=both_sides())
    views = len(bot.puppet.views)
    assert bot.turn(bot.ticker(mark=mark), bot.book(bid, ask)) == []
    assert bot.market.why == {BUY: why, SELL: why}
    assert len(bot.puppet.views) == views  # the strategy is not even asked


def test_quotes_on_a_book_gone_bad_are_cancelled() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    assert len(cancels(bot.turn(bot.book(0.0240, 0.0230)))) == 2


def test_stale_books_never_quote_whatever_the_rules() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    sent = [intent for _ in range(99) for intent in bot.turn(after_s=0.1)]
    assert cancels(sent) == []
    sent = [intent for _ in range(3) for intent in bot.turn(after_s=0.1)]
    assert [c.why for c in cancels(sent)] == [Why.BOOK_STALE, Why.BOOK_STALE]


def test_a_quiet_book_on_a_living_link_is_not_stale() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    assert cancels(bot.wait(25)) == []


@pytest.mark.parametrize("link", list(ev.Link))
def test_no_quote_without_both_links(link: ev.Link) -> None:
    bot = Bot.quoting(wants=both_sides())
    assert places(bot.turn(ev.LinkChanged("deribit", link, up=False), bot.book())) == []
    assert bot.market.why[BUY] is Why.LINK_DOWN


def test_market_link_down_cancels_what_rests() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    assert len(cancels(bot.turn(ev.LinkChanged("deribit", ev.Link.MARKET, up=False)))) == 2


def test_trading_link_down_ends_no_order() -> None:
    bot = Bot.quoting()
    orders = bot.rest(*both_sides())
    assert bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=False)) == []
    assert [o.status for o in orders] == [Status.UNKNOWN, Status.UNKNOWN]
    sent = bot.wait(600)
    assert [i for i in sent if not isinstance(i, FallbackCancel)] == []
    assert [o.status for o in orders] == [Status.UNKNOWN, Status.UNKNOWN]
    assert [o.exposed for o in orders] == [1, 1]


def test_nothing_is_quoted_before_the_first_snapshot() -> None:
    bot = Bot()
    bot.wants = both_sides()
    assert [r.why for r in resyncs(bot.connect())] == [Why.STARTING]
    assert places(bot.turn(bot.alive(), bot.ticker(), bot.book())) == []
    assert len(places(bot.turn(bot.snapshot()))) == 2


def test_nothing_is_quoted_on_a_market_not_proven_alive_since_the_link_came_back() -> None:
    bot = Bot()
    bot.wants = both_sides()
    old = bot.alive()
    bot.connect()
    assert places(bot.turn(bot.snapshot(), old, bot.ticker(), bot.book())) == []
    assert len(places(bot.turn(bot.alive(), ev.Tick()))) == 2


def test_a_reconnect_reconciles_before_it_quotes() -> None:
    bot = Bot.quoting()
    orders = bot.rest(*both_sides())
    bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=False))
    sent = bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=True))
    (resync,) = resyncs(sent)
    assert sent == [resync]
    assert [label for _, label in resync.labels] == [o.label for o in orders]
    assert bot.turn(bot.alive(), bot.book()) == []
    bot.turn(bot.snapshot(orders=[bot.stated(o) for o in orders]))
    assert [o.status for o in orders] == [Status.LIVE, Status.LIVE]


def test_fills_while_the_socket_was_down_are_booked_before_quoting_resumes() -> None:
    bot = Bot.quoting(rules=[MaxPosition(limit=Size(Decimal(5)))])
    bid, ask = bot.rest(*both_sides(size=5))
    bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=False))
    bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=True))
    filled = bot.says(bid, OrderState.FILLED, filled=5)
    sent = bot.turn(
        bot.alive(),
        bot.book(),
        bot.snapshot(
            orders=[bot.stated(ask)], fills=[bot.fill(bid, 5)], lookups=[(bid.label, filled)]
        ),
    )
    assert bot.position == 5
    assert [p for p in places(sent) if p.side is BUY] == []


def test_pause_cancels_and_unpause_quotes_again() -> None:
    bot = Bot.quoting()
    orders = bot.rest(*both_sides())
    sent = cancels(bot.turn(ev.Pause(Why.PAUSED)))
    assert [c.why for c in sent] == [Why.PAUSED, Why.PAUSED]
    bot.turn(*(bot.says_cancelled(o) for o in orders))
    assert bot.turn(bot.book()) == []
    assert len(places(bot.turn(ev.Unpause()))) == 2


def test_a_halted_instrument_does_not_stop_the_others() -> None:
    call = an_option()
    bot = Bot.quoting(call, PUT)
    bot.turn(bot.book(instrument=PUT))
    for _ in range(2):
        bot.ask_again()
        bot.turn(bot.snapshot(positions={call.id: 3}))
    for instrument in (call, PUT):
        bot.puppet.wants[instrument.id] = both_sides()
    sent = places(bot.turn(bot.book(), bot.book(instrument=PUT)))
    assert {p.instrument for p in sent} == {PUT.id}


# --- requests that fail -----------------------------------------------------------------------


def test_unknown_place_is_never_sent_again() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    (place,) = places(bot.turn(bot.book()))
    sent = bot.wait(2.5)
    assert bot.order.status is Status.UNKNOWN
    (resync,) = resyncs(sent)
    assert resync.labels == ((bot.instrument.id, place.label),)
    absent = [(place.label, None)]
    bot.turn(bot.snapshot(lookups=absent), bot.book())
    # Not there at 2.5 s: a delayed request may still arrive. Only after 5 s absence is proof.
    assert places(bot.wait(1)) == []
    bot.ask_again()
    assert bot.account.asked_ns > bot.order.uncertain_until_ns
    bot.turn(bot.book())
    (again,) = places(bot.turn(bot.snapshot(lookups=absent)))
    assert again.label != place.label


def test_an_unknown_place_found_at_the_venue_is_the_order() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    bot.turn(bot.book())
    order = bot.order
    bot.turn(ev.OutcomeUnknown(order.label, Request.PLACE, Why.REPLY_LOST))
    bot.ask_again()
    stated = replace(bot.stated(order), order_id="77")
    assert places(bot.turn(bot.snapshot(orders=[stated]))) == []
    assert (order.status, order.order_id) == (Status.LIVE, "77")


def test_absent_order_is_done_only_after_its_validity_passed() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    bot.turn(bot.book())
    order = bot.order
    bot.wait(2.2)
    bot.turn(bot.snapshot(lookups=[(order.label, None)]))
    assert order.status is Status.UNKNOWN
    assert order.exposed == 1
    bot.ask_again()
    assert bot.account.asked_ns > order.uncertain_until_ns
    bot.turn(bot.snapshot(lookups=[(order.label, None)]))
    assert order not in bot.orders


def test_a_doubtful_order_is_left_where_it_is_until_it_is_known() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote())
    bot.wants = [a_quote(BUY, 0.0195)]
    bot.turn(bot.book())
    bot.turn(ev.OutcomeUnknown(order.label, Request.AMEND, Why.REPLY_LOST))
    bot.wants = [a_quote(BUY, 0.0190)]
    sent = bot.turn(bot.book())
    assert places(sent) == amends(sent) == cancels(sent) == []


def test_post_only_reject_backs_off() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    waits = []
    for _ in range(8):
        waited = 0.0
        while not places(bot.turn(bot.alive(), bot.book(), after_s=0.05)):
            waited += 0.05
        waits.append(waited)
        bot.turn(bot.refuses(bot.order, why=Why.CROSSED_BOOK), after_s=0.0)
    assert waits[0] == 0
    assert waits[1:] == sorted(waits[1:])
    assert 0.1 <= waits[1] <= 0.3
    assert 4.5 <= waits[-1] <= 5.5


def test_an_accepted_order_ends_the_back_off() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    for _ in range(3):
        while not places(bot.turn(bot.alive(), bot.book(), after_s=0.1)):
            pass
        bot.turn(bot.refuses(bot.order))
    while not places(bot.turn(bot.alive(), bot.book(), after_s=0.1)):
        pass
    bot.acknowledge()
    assert bot.state.slot(bot.instrument.id, BUY, 0).refusals == 0


def test_a_refusal_in_one_slot_does_not_hold_up_another() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.turn(bot.book())
    bot.turn(bot.refuses(bot.on(BUY)), bot.refuses(bot.on(SELL)))
    bot.state.slot(bot.instrument.id, SELL, 0).not_before_ns = 0
    assert [p.side for p in places(bot.turn(bot.book()))] == [SELL]


def test_self_cross_waits_for_the_other_side() -> None:
    bot = Bot.quoting()
    bid, ask = bot.rest(*both_sides(bid=0.0200, ask=0.0230))
    # The market jumped up: the new bid is where our ask still rests. The old one stays meanwhile.
    bot.wants = [a_quote(BUY, 0.0235), a_quote(SELL, 0.0260)]
    (amend,) = bot.turn(bot.book(0.0225, 0.0270))
    assert isinstance(amend, Amend)
    assert amend.label == ask.label
    assert bot.market.why[BUY] is Why.STAYS
    # While the ask's amend is under way, it may still rest at its old price.
    assert bot.turn(bot.book(0.0225, 0.0270)) == []
    (amend,) = amends(bot.turn(bot.says_open(ask), bot.book(0.0225, 0.0270)))
    assert (amend.label, amend.price) == (bid.label, Decimal("0.0235"))


def test_a_missing_bid_waits_for_our_ask_to_be_out_of_the_way() -> None:
    bot = Bot.quoting()
    (ask,) = bot.rest(a_quote(SELL, 0.0230))
    bot.wants = [a_quote(BUY, 0.0235), a_quote(SELL, 0.0260)]
    assert places(bot.turn(bot.book(0.0225, 0.0270))) == []
    assert bot.market.why[BUY] is Why.SELF_CROSS
    (place,) = places(bot.turn(bot.says_open(ask), bot.book(0.0225, 0.0270)))
    assert (place.side, place.price) == (BUY, Decimal("0.0235"))


def refused_to_move(bot: Bot, bid: float) -> tuple[Order, list[VenueIntent]]:
    """The bid rests at 0.0200, and the venue has just refused to move it to `bid`; and what the bot
    did about it."""
    order, _ask = bot.rest(*both_sides(bid=0.0200))
    bot.wants = both_sides(bid=bid)
    assert len(amends(bot.turn(bot.book()))) == 1
    return order, bot.turn(bot.refuses(order, Request.AMEND, stands=True))


def test_an_order_that_could_not_be_improved_stays_where_it_is() -> None:
    bot = Bot.quoting()
    order, sent = refused_to_move(bot, 0.0205)
    assert sent == []
    assert bot.turn(bot.book()) == []
    assert bot.market.why[BUY] is Why.STAYS
    (amend,) = amends(bot.wait(1.0))
    assert (amend.label, amend.price) == (order.label, Decimal("0.0205"))


def test_an_order_that_could_not_be_moved_away_is_cancelled() -> None:
    bot = Bot.quoting()
    order, sent = refused_to_move(bot, 0.0195)
    assert [c.label for c in cancels(sent)] == [order.label]


def test_an_order_that_could_not_be_improved_goes_where_it_would_break_a_limit() -> None:
    rule = Says(ALLOW)
    bot = Bot.quoting(rules=[rule])
    order, _ = refused_to_move(bot, 0.0205)
    rule.verdict = Block(Why.MAX_POSITION)
    assert [c.label for c in cancels(bot.turn(bot.book()))] == [order.label]


def test_an_order_that_could_not_be_improved_goes_where_it_has_become_too_large() -> None:
    bot = Bot.quoting()
    order, _ask = bot.rest(*both_sides(bid=0.0200, size=3))
    bot.wants = both_sides(bid=0.0205, size=3)
    bot.turn(bot.book())
    bot.turn(bot.refuses(order, Request.AMEND, stands=True))
    bot.wants = both_sides(bid=0.0205, size=1)
    assert [c.label for c in cancels(bot.turn(bot.book()))] == [order.label]


def test_bid_and_ask_of_one_strategy_never_meet() -> None:
    bot = Bot.quoting(wants=[a_quote(BUY, 0.0220), a_quote(SELL, 0.0220)])
    sent = places(bot.turn(bot.book()))
    assert [p.side for p in sent] == [BUY]
    assert bot.market.why[SELL] is Why.SELF_CROSS


# --- rules and limits -------------------------------------------------------------------------


def test_a_blocked_side_is_cancelled_with_the_rules_reason() -> None:
    rule = Says(ALLOW)
    bot = Bot.quoting(rules=[rule])
    bid, _ask = bot.rest(*both_sides())
    rule.verdict = Block(Why.MAX_POSITION)
    (cancel,) = bot.turn(bot.book())
    assert isinstance(cancel, Cancel)
    assert (cancel.label, cancel.why) == (bid.label, Why.MAX_POSITION)


def test_the_smallest_size_any_rule_allows_is_sent() -> None:
    rules = [
        Says(Shrink(Decimal(3), Why.MAX_ORDER)),
        Says(Shrink(Decimal("2.5"), Why.MAX_POSITION)),
    ]
    bot = Bot.quoting(wants=both_sides(size=5), rules=rules)
    assert [p.amount for p in places(bot.turn(bot.book()))] == [2, 5]


def test_a_size_shrunk_below_the_minimum_is_not_sent() -> None:
    bot = Bot.quoting(
        wants=both_sides(size=5), rules=[Says(Shrink(Decimal("0.5"), Why.MAX_POSITION))]
    )
    assert [p.side for p in places(bot.turn(bot.book()))] == [SELL]
    assert bot.market.why[BUY] is Why.MAX_POSITION


def test_a_rule_sees_everything_else_on_its_side() -> None:
    rule = Says(ALLOW)
    bot = Bot.quoting(rules=[rule])
    quotes = [a_quote(BUY, 0.0200, 3), a_quote(BUY, 0.0195, 4, level=1), a_quote(SELL, 0.0230, 2)]
    bot.wants = quotes
    bot.turn(ev.Filled(a_fill(SELL, "0.0230", 5, trade_id="before", venue_ms=bot.ms)), bot.book())
    room = {(p.target.side, p.target.level): p.worst_position for p in rule.proposals}
    # Short 5. The first bid stands alone, the second beside the 3 just approved.
    assert room == {(BUY, 0): -5, (BUY, 1): -2, (SELL, 0): -5}
    assert [p.opposite for p in rule.proposals] == [
        Decimal("0.0230"),
        Decimal("0.0230"),
        Decimal("0.0200"),
    ]


def test_owed_fill_keeps_counting_for_limits() -> None:
    bot = Bot.quoting(rules=[MaxPosition(limit=Size(Decimal(5)))])
    (bid,) = bot.rest(a_quote(BUY, 0.0200, 5))
    # The venue says filled; the fill itself has not come yet.
    sent = bot.turn(bot.says(bid, OrderState.FILLED, filled=5))
    assert (bot.position, places(sent)) == (0, [])
    assert places(bot.turn(bot.book())) == []
    assert bot.market.why[BUY] is Why.MAX_POSITION
    bot.turn(ev.Filled(bot.fill(bid, 5)))
    assert bot.position == 5
    assert places(bot.turn(bot.book())) == []


def test_an_order_on_its_way_out_counts_until_the_venue_says_it_is_gone() -> None:
    bot = Bot.quoting(rules=[MaxPosition(limit=Size(Decimal(5)))])
    (level_1,) = bot.rest(a_quote(BUY, 0.0195, 5, level=1))
    bot.wants = [a_quote(BUY, 0.0200, 3), a_quote(BUY, 0.0190, 5, level=2)]
    sent = bot.turn(bot.book())
    assert [c.label for c in cancels(sent)] == [level_1.label]
    assert places(sent) == []
    bot.turn(bot.says_cancelled(level_1))
    assert [(o.level, o.amount) for o in bot.orders] == [(0, 3), (2, 2)]


def test_limits_of_an_underlying_count_what_all_its_markets_may_become() -> None:
    call, perpetual = an_option(), a_perpetual()
    bot = Bot.quoting(call, perpetual, rules=[MaxExposure(limit=Decimal(10))])
    bot.turn(bot.ticker(index=2500.0), bot.ticker(perpetual, mark=2500.0, index=2500.0))
    bot.wants = [a_quote(BUY, 0.0200, 8)]
    # 8 coins on the call leave 2 coins, at 2,500 USD each, for the perpetual.
    bot.puppet.wants[perpetual.id] = [a_quote(BUY, 2499.0, 20_000)]
    sent = places(bot.turn(bot.book(), bot.book(2498.0, 2502.0, instrument=perpetual)))
    assert [(p.instrument, p.amount) for p in sent] == [(call.id, 8), (perpetual.id, 5000)]


def test_an_option_position_counts_before_its_market_is_known() -> None:
    call, put = an_option(), PUT
    bot = Bot(call, put, rules=[MaxExposure(limit=Decimal(10))])
    bot.wants = [a_quote(BUY, 0.0200, 8)]
    bot.connect()
    bot.turn(bot.snapshot(positions={put.id: -7}))
    (place,) = places(bot.turn(bot.alive(), bot.ticker(call), bot.book()))
    assert place.amount == 3


def test_an_index_gone_wrong_does_not_poison_the_exposure() -> None:
    bot = Bot.quoting(a_perpetual(), rules=[MaxExposure(limit=Decimal(10))])
    perpetual = bot.instrument
    bot.wants = [a_quote(BUY, 2499.0, 100)]

    def market(index: float) -> list[ev.Event]:
        return [bot.ticker(mark=2500.0, index=index), bot.book(2498.0, 2502.0)]

    for broken in (math.nan, math.inf, 0.0):
        assert places(bot.turn(*market(broken))) == []
    (place,) = places(bot.turn(*market(2500.0)))
    assert place.instrument == perpetual.id
    assert bot.state.worst_coin["ETH"] == Decimal("0.04")


# --- spending the budget ----------------------------------------------------------------------


def drain(bot: Bot) -> None:
    budget = bot.account.budget
    budget.refill(bot.now_ns)
    budget.level = budget.reserve


def test_cancels_have_budget_when_places_have_none() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    drain(bot)
    bot.wants = [a_quote(BUY, 0.0195)]
    sent = bot.turn(bot.book(), after_s=0.001)
    assert len(cancels(sent)) == 1
    assert amends(sent) == []
    assert bot.market.why[BUY] is Why.RATE_LIMITED


def test_what_could_not_be_afforded_is_sent_when_it_can_be() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    drain(bot)
    assert bot.turn(bot.book(), after_s=0.001) == []
    assert len(places(bot.wait(0.3))) == 1


def test_waiting_for_labels_costs_no_budget() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.state.reserved_upto = 0
    before = bot.account.budget.level
    for _ in range(100):
        assert bot.turn(bot.book()) == []
    assert bot.account.budget.level >= before
    assert bot.market.why == {BUY: Why.NO_LABEL, SELL: Why.NO_LABEL}
    assert len(places(bot.turn(ev.LabelsReserved(512), ev.Tick()))) == 2


def test_a_short_budget_goes_to_cancels_then_to_what_loses_most() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    bot.turn(bot.book(instrument=put))
    for instrument, size in ((call, 1), (put, 10)):
        bot.puppet.wants[instrument.id] = [a_quote(BUY, 0.0200, size), a_quote(SELL, 0.0260, 1)]
    bot.turn(bot.book(), bot.book(instrument=put))
    bot.acknowledge()
    bot.turn(bot.book(instrument=put))
    # Both bids are a tick too high: the put's is ten times as large. The call's ask goes.
    for instrument, size in ((call, 1), (put, 10)):
        bot.puppet.wants[instrument.id] = [a_quote(BUY, 0.0195, size)]
    bot.puppet.wants[put.id] = [*bot.puppet.wants[put.id], a_quote(SELL, 0.0260, 1)]  # type: ignore[misc]  # quotes, no Why
    sent = bot.turn(bot.book(), bot.book(instrument=put))
    assert [(type(i).__name__, i.instrument) for i in sent] == [  # type: ignore[union-attr]  # no resync among them
        ("Cancel", call.id),
        ("Amend", put.id),
        ("Amend", call.id),
    ]


def test_what_is_sent_late_is_the_newest_quote() -> None:
    bot = Bot.quoting(wants=[a_quote(BUY, 0.0200)])
    drain(bot)
    for price in (0.0200, 0.0195, 0.0190):
        bot.wants = [a_quote(BUY, price)]
        assert bot.turn(bot.book(), after_s=0.001) == []
    assert [p.price for p in places(bot.wait(1.0))] == [Decimal("0.0190")]


def test_a_market_that_went_without_is_looked_at_again_only_when_there_is_budget() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    bot.turn(bot.book(instrument=put))
    bot.puppet.wants[put.id] = [a_quote(BUY, 0.0200)]
    drain(bot)
    bot.turn(bot.book(instrument=put), after_s=0.001)
    bot.puppet.views.clear()
    bot.turn(bot.book(), after_s=0.001)
    assert [view.instrument.id for view in bot.puppet.views] == [call.id]
    (place,) = places(bot.turn(bot.book(), after_s=0.25))  # a request comes back in 0.2 s
    assert place.instrument == put.id


def test_of_two_stale_quotes_the_one_more_likely_to_be_hit_goes_first() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    bot.turn(bot.book(instrument=put))
    for instrument in (call, put):
        bot.puppet.wants[instrument.id] = [a_quote(BUY, 0.0200, fair=0.0240)]
    bot.turn(bot.book(), bot.book(instrument=put))
    bot.acknowledge()
    bot.turn(bot.book(instrument=put))
    # Fair values fell. The call's bid rests beyond its own, which costs 1 x 0.0010 x 2850 = 2.85
    # USD for sure. The put's, three times too far from where it should be, is 0.0020 behind its
    # own, in a market 0.0020 wide: 3 x 2.85 x exp(-2) = 1.16 USD.
    bot.puppet.wants[call.id] = [a_quote(BUY, 0.0190, fair=0.0195)]
    bot.puppet.wants[put.id] = [a_quote(BUY, 0.0170, fair=0.0220)]
    sent = amends(bot.turn(bot.book(0.0200, 0.0220), bot.book(0.0200, 0.0220, instrument=put)))
    assert [amend.instrument for amend in sent] == [call.id, put.id]
    bot.acknowledge()


def test_a_side_that_reduces_a_position_is_quoted_first() -> None:
    bot = Bot.quoting()
    fill = a_fill(side=BUY, amount=Decimal(3))
    bot.turn(ev.Filled(fill))
    bot.wants = both_sides()
    assert [p.side for p in places(bot.turn(bot.book()))] == [SELL, BUY]


def test_cancels_for_which_the_budget_is_too_short_become_a_mass_cancel_of_their_instrument() -> (
    None
):
    bot = Bot.quoting()
    orders = resting_three(bot)
    drain(bot)
    bot.account.budget.level = 2.5
    bot.wants = [a_quote(BUY, 0.0200)]
    (mass,) = bot.turn(bot.book(), after_s=0.001)
    assert isinstance(mass, CancelAll)
    assert mass.instrument == bot.instrument.id
    assert sorted(mass.labels) == sorted(o.label for o in orders)  # the first one goes along
    assert [o.status for o in orders] == [Status.CANCELING] * 3
    bot.turn(*(bot.says_cancelled(order) for order in orders))
    assert [p.price for p in places(bot.wait(2.0))] == [Decimal("0.0200")]


def test_where_those_of_instruments_are_not_enough_everything_goes() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    bot.turn(bot.book(instrument=put))
    for instrument in (call, put):
        bot.puppet.wants[instrument.id] = both_sides()
    bot.turn(bot.book(), bot.book(instrument=put))
    bot.acknowledge()
    bot.turn(bot.book(instrument=put))
    bot.account.budget.level = 2.5
    for instrument in (call, put):
        bot.puppet.wants[instrument.id] = [a_quote(BUY, 0.0200)]
    (mass,) = bot.turn(bot.book(), bot.book(instrument=put), after_s=0.001)
    assert isinstance(mass, CancelAll)
    assert (mass.instrument, len(mass.labels)) == (None, 4)
    assert bot.account.budget.affords(cancel=True), "for whatever comes next"


def test_a_single_cancel_does_not_take_along_what_rests_beside_it() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    bot.turn(bot.book(instrument=put))
    for instrument in (call, put):
        bot.puppet.wants[instrument.id] = both_sides()
    bot.turn(bot.book(), bot.book(instrument=put))
    bot.acknowledge()
    bot.turn(bot.book(instrument=put))
    bot.account.budget.level = 3.5
    bot.puppet.wants = {call.id: [], put.id: [a_quote(BUY, 0.0200)]}
    sent = bot.turn(bot.book(), bot.book(instrument=put), after_s=0.001)
    assert [(s.instrument, len(s.labels)) for s in mass_cancels(sent)] == [(call.id, 2)]
    assert [c.instrument for c in cancels(sent)] == [put.id]


def test_a_mass_cancel_for_want_of_budget_spares_foreign_orders_and_other_instruments() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    hers = a_foreign_order(instrument=put)
    bot.turn(bot.says(an_order(label="hers", order_id=hers.order_id, instrument=put.id)))
    bot.turn(bot.book(instrument=put))
    for instrument in (call, put):
        bot.puppet.wants[instrument.id] = both_sides()
    bot.turn(bot.book(), bot.book(instrument=put))
    bot.acknowledge()
    bot.turn(bot.book(instrument=put))
    drain(bot)
    bot.account.budget.level = 2.5
    bot.puppet.wants[call.id] = []
    bot.puppet.wants[put.id] = [a_quote(SELL, 0.0230)]
    sent = bot.turn(bot.book(), bot.book(instrument=put), after_s=0.001)
    assert [(s.instrument, len(s.labels)) for s in mass_cancels(sent)] == [(call.id, 2)]
    assert [c.instrument for c in cancels(sent)] == [put.id]


# --- leaving ----------------------------------------------------------------------------------


def test_stop_cancels_everything_and_verifies() -> None:
    bot = Bot.quoting()
    orders = bot.rest(*both_sides())
    sent = bot.turn(ev.Stop(Why.USER))
    assert [c.why for c in cancels(sent)] == [Why.STOPPING, Why.STOPPING]
    bot.turn(*(bot.says_cancelled(o) for o in orders))
    assert not bot.state.flat_verified  # nobody has asked the venue yet
    assert len(resyncs(bot.wait(0.3))) == 1
    bot.turn(bot.snapshot())
    assert bot.state.flat_verified
    assert bot.wait(1) == []


def test_stop_is_not_verified_by_a_look_taken_before_it() -> None:
    bot = Bot.quoting()
    bot.ask_again()
    snapshot = bot.snapshot()
    bot.turn(ev.Stop(Why.USER))
    bot.turn(snapshot)
    assert not bot.state.flat_verified
    assert len(resyncs(bot.wait(0.3))) == 1


def test_stop_waits_for_an_order_whose_fate_is_unknown() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    bot.turn(bot.book())
    order = bot.order
    bot.turn(ev.Stop(Why.USER))
    bot.wait(2.2)
    assert order.status is Status.UNKNOWN
    bot.turn(bot.snapshot(lookups=[(order.label, None)]))
    assert not bot.state.flat_verified
    bot.ask_again()
    # It did reach the venue: then it is cancelled as soon as that is known.
    (cancel,) = cancels(bot.turn(bot.snapshot(orders=[bot.stated(order)])))
    assert cancel.label == order.label
    assert not bot.state.flat_verified


def test_stop_finds_what_the_table_does_not_know() -> None:
    bot = Bot.quoting()
    bot.turn(ev.Stop(Why.USER))
    bot.wait(0.3)
    stray = bot.stated(an_order(label="mmold-1", order_id="555"))
    (cancel,) = cancels(bot.turn(bot.snapshot(orders=[stray])))
    assert cancel.label == "mmold-1"
    assert not bot.state.flat_verified


def test_after_stop_nothing_is_placed() -> None:
    bot = Bot.quoting()
    bot.turn(ev.Stop(Why.USER))
    bot.wants = both_sides()
    assert places(bot.turn(bot.book(), ev.Unpause())) == []


def resting_three(bot: Bot) -> list[Order]:
    return bot.rest(
        a_quote(BUY, 0.0200), a_quote(BUY, 0.0195, level=1), a_quote(BUY, 0.0190, level=2)
    )


def test_nothing_is_mass_cancelled_before_the_venue_has_said_what_else_rests_there() -> None:
    """Found by seed 4105: a restart, little budget, and a fill before the first look around."""
    bot = Bot()
    for number in range(3):
        bot.state.orders.add(an_order(label=f"mmold-{number}", status=Status.LIVE))
    bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=True), ev.InstrumentsListed(bot.instruments))
    sent = bot.turn(ev.Stop(Why.USER))
    assert mass_cancels(sent) == []
    assert len(cancels(sent)) == 3


def test_many_cancels_become_one_mass_cancel() -> None:
    bot = Bot.quoting()
    orders = resting_three(bot)
    (mass,) = bot.turn(ev.Stop(Why.USER))
    assert isinstance(mass, CancelAll)
    assert (mass.venue, mass.instrument) == ("deribit", None)
    assert mass.labels == tuple(o.label for o in orders)
    assert [o.status for o in orders] == [Status.CANCELING] * 3
    assert bot.turn() == []


def test_a_mass_cancel_without_an_answer_leaves_orders_unknown_and_is_sent_again() -> None:
    bot = Bot.quoting()
    orders = resting_three(bot)
    assert len(mass_cancels(bot.turn(ev.Stop(Why.USER)))) == 1
    assert mass_cancels(bot.wait(1.9)) == []
    sent = bot.wait(0.3)
    assert len(resyncs(sent)) == 1
    assert [s.labels for s in mass_cancels(sent)] == [tuple(o.label for o in orders)]


def test_a_mass_cancel_spares_foreign_orders() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    hers = a_foreign_order(instrument=put)
    bot.turn(bot.says(an_order(label="hers", order_id=hers.order_id, instrument=put.id)))
    bot.turn(bot.book(instrument=put))
    for instrument in (call, put):
        bot.puppet.wants[instrument.id] = both_sides()
    bot.turn(bot.book(), bot.book(instrument=put))
    bot.acknowledge()
    sent = bot.turn(ev.Stop(Why.USER))
    # None of hers on the call: all of it goes at once. On the put each of ours by its own number.
    assert [s.instrument for s in mass_cancels(sent)] == [call.id]
    assert [c.instrument for c in cancels(sent)] == [put.id, put.id]


def test_two_cancels_are_not_worth_a_mass_cancel() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    assert mass_cancels(bot.turn(ev.Stop(Why.USER))) == []


def test_trip_cancels_everything_and_stays() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    assert bot.turn(ev.Trip(Why.USER, "enough")) == []
    sent = cancels(bot.turn(ev.LatchSaved()))
    assert [c.why for c in sent] == [Why.TRIPPED, Why.TRIPPED]
    bot.turn(*(bot.says_cancelled(o) for o in bot.orders))
    assert places(bot.turn(bot.book(), ev.Unpause())) == []
    bot.turn(ev.Trip(Why.INTERNAL_ERROR, "later"))
    latch = bot.state.latch
    assert (latch.tripped, latch.detail) == (Why.USER, "enough")


def test_a_tripped_latch_is_kept_before_any_cancel_leaves() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    bot.for_store.clear()
    assert bot.turn(ev.Trip(Why.USER, "enough")) == []
    assert bot.for_store == [SaveLatch(Why.USER, "enough")]
    assert bot.turn(after_s=0.1) == []
    assert bot.for_store == [SaveLatch(Why.USER, "enough")]


def test_cancels_wait_200_ms_for_a_store_that_does_not_answer() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    bot.turn(ev.Trip(Why.USER, "enough"))
    assert cancels(bot.turn(after_s=0.19)) == []
    assert len(cancels(bot.turn(after_s=0.01))) == 2


def test_the_next_labels_are_set_aside_before_the_last_ones_are_used() -> None:
    bot = Bot.quoting()
    bot.for_store.clear()
    bot.state.next_sequence = LABELS - 255
    bot.turn()
    assert bot.for_store == [ReserveLabels(2 * LABELS)]
    bot.turn()
    assert len(bot.for_store) == 1
    bot.turn(ev.LabelsReserved(2 * LABELS))
    assert len(bot.for_store) == 1


def test_a_store_in_trouble_stops_quoting() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    assert len(cancels(bot.turn(ev.StoreChanged("disk full")))) == 2
    bot.wants = both_sides()
    bot.turn(*(bot.says_cancelled(o) for o in list(bot.orders)))
    assert places(bot.turn(bot.book())) == []
    assert len(places(bot.turn(ev.StoreChanged(""), bot.book()))) == 2


def test_nothing_is_sent_after_another_engine_took_over() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.turn()
    bot.wants = both_sides(bid=0.0150)
    assert bot.turn(ev.LeaseLost("other"), bot.book()) == []
    assert bot.wait(3.0) == []


# --- having been away -------------------------------------------------------------------------


def test_gap_of_two_seconds_reconciles_first() -> None:
    bot = Bot.quoting()
    orders = bot.rest(*both_sides())
    bot.wants = both_sides(bid=0.0195)
    sent = bot.turn(bot.book(), after_s=2.0)
    assert sent == resyncs(sent)
    assert len(sent) == 1
    assert [o.status for o in orders] == [Status.UNKNOWN, Status.UNKNOWN]
    assert bot.turn(bot.alive(), bot.book()) == []
    assert bot.turn(bot.snapshot(orders=[bot.stated(o) for o in orders])) == []
    # Latch and lease have been read again: now it may send.
    (amend,) = amends(bot.turn(bot.lease_check()))
    assert amend.price == Decimal("0.0195")
    assert bot.state.latch.tripped is None


def test_a_pause_of_less_than_two_seconds_is_nothing() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    bot.wants = both_sides(bid=0.0195)
    assert len(amends(bot.turn(bot.book(), after_s=1.9))) == 1


def test_gap_of_ten_seconds_trips() -> None:
    bot = Bot.quoting()
    orders = bot.rest(*both_sides())
    sent = bot.turn(bot.book(), after_s=10.0)
    assert sent == resyncs(sent)
    latch = bot.state.latch
    assert (latch.tripped, latch.detail) == (Why.GAP_IN_TURNS, "no turn for 10.0 s")
    # What is still there is cancelled as soon as the venue has said so.
    snapshot = bot.snapshot(orders=[bot.stated(o) for o in orders])
    sent = bot.turn(snapshot, bot.alive(), bot.lease_check(), ev.LatchSaved())
    assert len(cancels(sent)) == 2


def test_events_from_before_the_gap_reconcile_nothing() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.turn()
    bot.ask_again()
    late = bot.snapshot()
    sent = bot.turn(late, bot.alive(), bot.book(), after_s=3.0)
    assert places(sent) == []
    assert not bot.account.reconciled


# --- orders that no desk wants ----------------------------------------------------------------


def test_order_of_ours_on_an_instrument_of_no_desk_is_cancelled() -> None:
    bot = Bot.quoting(an_option(), PUT)
    del bot.desks[PUT.id]
    bot.ask_again()
    stray = bot.stated(an_order(label="mmold-1", order_id="555", instrument=PUT.id))
    (cancel,) = cancels(bot.turn(bot.snapshot(orders=[stray])))
    assert (cancel.label, cancel.why) == ("mmold-1", Why.ORPHAN)


def test_order_of_ours_on_an_instrument_never_listed_is_cancelled() -> None:
    bot = Bot.quoting()
    bot.ask_again()
    stray = bot.stated(an_order(label="mmold-1", order_id="555", instrument=PUT.id))
    (cancel,) = cancels(bot.turn(bot.snapshot(orders=[stray])))
    assert (cancel.label, cancel.order_id, cancel.instrument) == ("mmold-1", "555", PUT.id)
    bot.turn(ev.Stop(Why.USER))
    bot.turn(bot.says(bot.order, OrderState.CANCELLED, answers=Request.CANCEL))
    bot.wait(0.3)
    bot.turn(bot.snapshot())
    assert bot.state.flat_verified


def test_fill_of_an_order_on_an_instrument_never_listed_keeps_nothing_waiting() -> None:
    bot = Bot.quoting()
    bot.ask_again()
    stray = an_order(label="mmold-1", order_id="555", instrument=PUT.id)
    bot.turn(bot.snapshot(orders=[bot.stated(stray)]))
    fill = a_fill(BUY, "0.0200", 1, instrument=PUT, label="mmold-1", venue_ms=bot.ms + 1)
    bot.turn(ev.Filled(fill), bot.says(bot.order, OrderState.FILLED, filled=1))
    assert bot.orders == []


# --- purity -----------------------------------------------------------------------------------


def test_same_events_give_the_same_intents() -> None:
    def run() -> list[object]:
        bot = Bot.quoting(rules=[MaxPosition(limit=Size(Decimal(3)))])
        bot.turn(ev.LimitsRead("deribit", rate_per_s=1000.0, burst=1000.0))
        sent: list[object] = []
        for step in range(30):
            bot.wants = both_sides(bid=0.0180 + 0.0005 * (step % 5), size=1 + step % 3)
            sent += bot.turn(bot.book())
            flying = (Status.PENDING, Status.AMENDING)
            sent += bot.turn(*(bot.says_open(o) for o in bot.orders if o.status in flying))
            gone = [o for o in bot.orders if o.status is Status.CANCELING]
            sent += bot.turn(*(bot.says_cancelled(o) for o in gone))
        return sent

    first = run()
    assert first == run()
    assert len(first) > 30


def test_an_idle_turn_of_an_idle_bot_sends_nothing() -> None:
    bot = Bot.quoting()
    assert turn(bot.state, [], bot.now_ns + SECOND, bot.desks) == []


def test_desks_of_one_venue_may_differ() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    bot.turn(bot.book(instrument=put))
    rule: RiskRule = Says(Block(Why.MAX_ORDER))
    bot.desks[put.id] = Desk(name="other", venue="deribit", strategy=bot.puppet, rules=(rule,))
    for instrument in (call, put):
        bot.puppet.wants[instrument.id] = both_sides()
    sent = places(bot.turn(bot.book(), bot.book(instrument=put)))
    assert [(p.instrument, p.side) for p in sent] == [
        (call.id, BUY),
        (call.id, SELL),
        (put.id, SELL),
    ]


def test_the_first_turn_is_not_a_gap() -> None:
    bot = Bot()
    bot.now_ns = NOW_NS + 100 * SECOND
    bot.connect()
    assert bot.state.latch.tripped is None


# --- many markets -----------------------------------------------------------------------------


def test_a_tick_looks_at_some_markets_in_turn_and_at_all_of_them_in_silence() -> None:
    options = [
        an_option(id=InstrumentId(f"deribit:OPTION-{n}"), name=f"OPTION-{n}") for n in range(20)
    ]
    bot = Bot.quoting(*options)
    bot.turn(bot.alive(), *(bot.book(instrument=option) for option in options))

    def looked_at(after_s: float) -> int:
        bot.puppet.views.clear()
        bot.turn(ev.Tick(), after_s=after_s)
        return len(bot.puppet.views)

    assert [looked_at(0.1) for _ in range(5)] == [8] * 5
    seen = set()
    for _ in range(3):
        looked_at(0.1)
        seen |= {view.instrument.id for view in bot.puppet.views}
    assert len(seen) == 20
    assert looked_at(1.0) == 20


# --- cancels that do not come through ---------------------------------------------------------


def test_no_more_than_forty_orders_are_asked_about_by_name_at_a_time() -> None:
    bot = Bot.quoting()
    bot.rest(*(a_quote(BUY, 0.0200 - 0.0005 * (level % 30), level=level) for level in range(45)))
    for _ in range(12):
        bot.turn(bot.book(), after_s=1.0)
        bot.acknowledge()
    assert len(bot.orders) == 45
    bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=False))
    (resync,) = resyncs(bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=True)))
    assert len(resync.labels) == 40


def test_a_refused_cancel_is_tried_again_after_a_while() -> None:
    bot = Bot.quoting()
    (order, _) = bot.rest(*both_sides())
    bot.wants = []
    assert len(cancels(bot.turn(bot.book()))) == 2
    bot.turn(bot.refuses(order, Request.CANCEL, stands=True))
    assert cancels(bot.turn(bot.book(), after_s=0.1)) == []
    again = cancels(bot.turn(bot.book(), after_s=0.5))
    assert [c.label for c in again] == [order.label]


def test_leaving_orders_nobody_is_sure_of_are_cancelled_too() -> None:
    bot = Bot.quoting()
    orders = bot.rest(*both_sides())
    bot.turn(*(ev.OutcomeUnknown(o.label, Request.AMEND, Why.REPLY_LOST) for o in orders))
    bot.wants = both_sides(bid=0.0195, ask=0.0235)
    bot.turn(bot.book())
    for order in orders:
        bot.turn(ev.OutcomeUnknown(order.label, Request.AMEND, Why.REPLY_LOST))
    assert [o.status for o in orders] == [Status.UNKNOWN, Status.UNKNOWN]
    sent = cancels(bot.turn(ev.Stop(Why.USER)))
    assert [c.label for c in sent] == [o.label for o in orders]
    assert cancels(bot.turn(after_s=0.1)) == []


def test_a_market_without_a_quote_comes_before_one_that_merely_lags() -> None:
    call, put = an_option(), PUT
    bot = Bot.quoting(call, put)
    bot.turn(bot.book(instrument=put))
    bot.puppet.wants[call.id] = [a_quote(BUY, 0.0190)]
    bot.turn(bot.book())
    bot.acknowledge()
    bot.turn(bot.book())
    budget = bot.account.budget
    budget.level = budget.reserve + 1.0
    bot.puppet.wants[call.id] = [a_quote(BUY, 0.0200)]
    bot.puppet.wants[put.id] = [a_quote(BUY, 0.0190)]
    sent = bot.turn(bot.book(), bot.book(instrument=put), after_s=0.001)
    assert [place.instrument for place in places(sent)] == [put.id]
    assert amends(sent) == []
