"""What events do to the state: labels, orders found at the venue, fills, positions, links."""

# mypy: disable-error-code="comparison-overlap"
# Decimals are compared with whole numbers in tuples; a status changes behind mypy's back.

from dataclasses import replace
from decimal import Decimal

import pytest
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.apply import apply
from mmbot.core.intents import CheckLease
from mmbot.core.inventory import Booked, Flowed, Position
from mmbot.core.labels import SEQUENCES_MAX, base36, is_ours
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import ORPHAN_LEVEL
from mmbot.core.promise import take_label
from mmbot.core.state import State
from mmbot.core.statements import Flow, FlowKind, OpenOrder
from mmbot.core.types import MS, SECOND, InstrumentId, Label, Side
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_fill, a_quote, an_option, an_order
from tests.core.bot import Bot, a_foreign_order, amends, both_sides, cancels, places, resyncs

BUY, SELL = Side.BUY, Side.SELL
NOW_MS = NOW_NS // MS


# --- labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "digits"),
    [(0, "0"), (35, "z"), (36, "10"), (36**3 + 1, "1001"), ((1 << 28) - 1, "4fti4f")],
)
def test_base_36(number: int, digits: str) -> None:
    assert base36(number) == digits
    assert int(digits, 36) == number


def test_labels_count_up_in_base_36_behind_the_run() -> None:
    state = State(run="k3", reserved_upto=512)
    labels = [take_label(state) for _ in range(37)]
    assert labels[:2] == ["mmk3-0", "mmk3-1"]
    assert labels[36] == "mmk3-10"


def test_no_label_outside_the_reserved_block() -> None:
    state = State(run="k3")
    assert take_label(state) is None
    apply(state, ev.LabelsReserved(2), NOW_NS)
    assert [take_label(state) for _ in range(3)] == ["mmk3-0", "mmk3-1", None]
    apply(state, ev.LabelsReserved(3), NOW_NS)
    assert take_label(state) == "mmk3-2"


def test_a_reservation_that_comes_late_takes_nothing_back() -> None:
    state = State(run="k3")
    apply(state, ev.LabelsReserved(1024), NOW_NS)
    apply(state, ev.LabelsReserved(512), NOW_NS)
    assert state.reserved_upto == 1024


def test_run_and_sequence_fit_one_53_bit_integer() -> None:
    assert SEQUENCES_MAX == 1 << 24
    state = State(run=base36((1 << 28) - 1))
    apply(state, ev.LabelsReserved(1 << 40), NOW_NS)
    state.next_sequence = SEQUENCES_MAX - 1
    last = take_label(state)
    assert last == "mm4fti4f-9zldr"
    assert is_ours(last)
    run, sequence = last[2:].split("-")
    assert int(run, 36) * SEQUENCES_MAX + int(sequence, 36) < 1 << 53
    assert take_label(state) is None


@pytest.mark.parametrize("label", ["mm0-0", "mm4fti4f-9zldr", "mmk3-10"])
def test_our_labels_are_known_by_their_form(label: str) -> None:
    assert is_ours(Label(label))


@pytest.mark.parametrize(
    "label",
    [None, "", "mm", "mm-", "mm-1", "mmk3", "mmk3-", "mmk3-1-2", "mmK3-1", "xmk3-1", "hers"],
)
def test_other_labels_are_not_ours(label: str | None) -> None:
    assert not is_ours(None if label is None else Label(label))


# --- orders found at the venue ----------------------------------------------------------------


def found(label: str = "mmold-7", **changes: object) -> OpenOrder:
    order = OpenOrder(
        order_id="555",
        label=Label(label),
        instrument=an_option().id,
        side=BUY,
        price=Decimal("0.0180"),
        amount=Decimal(4),
        filled=Decimal(1),
        venue_ms=NOW_MS - 5000,
    )
    return structs.replace(order, **changes)


def listening() -> Bot:
    """Connected, the market is sound; the first snapshot is still under way."""
    bot = Bot()
    bot.connect()
    bot.turn(bot.alive(), bot.ticker(), bot.book())
    return bot


def test_order_of_an_earlier_run_is_adopted_into_its_free_slot() -> None:
    bot = listening()
    bot.wants = [a_quote(BUY, 0.0180, 3)]
    bot.turn(bot.snapshot(orders=[found()]))
    order = bot.order
    assert (order.status, order.level, order.side) == (Status.LIVE, 0, BUY)
    assert (order.remaining, order.exposed, order.unbooked) == (3, 3, 0)


def test_adopted_order_is_amended_to_what_is_wanted_now() -> None:
    bot = listening()
    bot.wants = [a_quote(BUY, 0.0200, 2)]
    (amend,) = amends(bot.turn(bot.snapshot(orders=[found()])))
    assert (amend.label, amend.order_id, amend.price) == ("mmold-7", "555", Decimal("0.0200"))
    assert amend.amount == 3  # 1 is filled, 2 are to be open


def test_adopted_order_that_nobody_wants_is_cancelled() -> None:
    bot = listening()
    (cancel,) = cancels(bot.turn(bot.snapshot(orders=[found()])))
    assert (cancel.label, cancel.order_id) == ("mmold-7", "555")


def test_stray_is_adopted_into_a_free_slot_or_cancelled() -> None:
    bot = listening()
    bot.wants = [a_quote(BUY, 0.0180, 3)]
    sent = bot.turn(bot.snapshot(orders=[found("mmold-7"), found("mmold-8", order_id="556")]))
    assert [o.level for o in bot.orders] == [0, ORPHAN_LEVEL]
    (cancel,) = cancels(sent)
    assert (cancel.label, cancel.why) == ("mmold-8", Why.ORPHAN)
    assert not places(sent)


def test_order_of_ours_seen_in_a_push_is_adopted_too() -> None:
    bot = Bot.quoting()
    seen = bot.says(an_order(amount=2, label="mmold-7", order_id="555"), filled=1)
    bot.turn(seen)
    assert bot.order.status is Status.CANCELING  # the strategy wants nothing there
    assert bot.order.label == "mmold-7"


def test_fills_of_an_adopted_order_are_counted_from_its_adoption_on() -> None:
    bot = Bot()
    bot.connect()
    old = a_fill(BUY, "0.0180", 1, trade_id="old", label="mmold-7", venue_ms=NOW_MS - 5000)
    bot.turn(bot.snapshot(orders=[found()], positions={an_option().id: 1}, fills=[old]))
    bot.turn(ev.Filled(old))
    assert (bot.position, bot.order.remaining) == (1, 3)
    bot.turn(ev.Filled(bot.fill(bot.order, 2)))
    assert (bot.position, bot.order.remaining) == (3, 1)


def test_late_news_of_a_finished_order_adopts_nothing() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote())
    bot.wants = ()
    still_open, listed = bot.says(order), bot.stated(order)
    bot.turn(bot.says(order, OrderState.CANCELLED))
    bot.turn(still_open)
    assert bot.orders == []
    bot.ask_again()
    bot.turn(bot.snapshot(orders=[listed]))
    assert bot.orders == []


def test_snapshot_cannot_bury_an_order_sent_after_it_was_asked() -> None:
    bot = Bot.quoting()
    bot.ask_again()
    snapshot = bot.snapshot()  # nothing of ours is open at this moment
    (order,) = bot.rest(a_quote())
    bot.turn(snapshot)
    assert order.status is Status.LIVE


def test_answer_to_an_older_question_is_not_taken() -> None:
    bot = Bot()
    bot.connect()
    stale = bot.snapshot(orders=[found()])
    bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=False))
    bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=True))
    bot.turn(stale)
    assert bot.orders == []
    assert not bot.account.reconciled


def test_only_one_snapshot_is_in_flight() -> None:
    bot = Bot()
    assert len(resyncs(bot.connect())) == 1
    assert resyncs(bot.wait(5)) == []


def test_snapshot_that_failed_is_asked_again_a_second_later() -> None:
    bot = Bot()
    bot.connect()
    bot.turn(ev.SnapshotFailed("deribit", "timed out"))
    assert resyncs(bot.wait(0.9)) == []
    assert len(resyncs(bot.wait(0.2))) == 1


def test_snapshot_that_never_comes_is_asked_again() -> None:
    bot = Bot()
    bot.connect()
    assert len(resyncs(bot.wait(61))) == 2  # after 30 s each


def test_the_venue_is_looked_at_even_when_nothing_is_unclear() -> None:
    bot = Bot.quoting()
    assert resyncs(bot.wait(29)) == []
    (resync,) = resyncs(bot.wait(2))
    assert resync.labels == ()


def test_what_an_unreadable_message_said_is_asked_for_within_a_second() -> None:
    bot = Bot()
    bot.connect()
    bot.turn(bot.snapshot())
    bot.turn(ev.MessageLost("deribit"))
    assert resyncs(bot.wait(0.9)) == []
    assert len(resyncs(bot.wait(0.2))) == 1
    bot.turn(bot.snapshot())
    assert resyncs(bot.wait(29)) == []


def test_an_answer_to_an_earlier_question_does_not_say_what_an_unreadable_message_said() -> None:
    bot = Bot()
    bot.connect()
    bot.wait(0.5)
    bot.turn(ev.MessageLost("deribit"))
    bot.turn(bot.snapshot())
    assert len(resyncs(bot.wait(1.1))) == 1


def test_fills_are_asked_for_with_an_overlap() -> None:
    bot = Bot()
    (resync,) = resyncs(bot.connect())
    assert resync.fills_since_ms == NOW_MS - 60_000
    asked_ns = bot.account.asked_ns
    bot.turn(bot.snapshot())
    assert bot.ask_again().fills_since_ms == asked_ns // MS - 60_000


def test_the_newer_of_list_and_lookup_counts() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote(BUY, 0.0200, 2))
    bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=False))
    bot.turn(ev.LinkChanged("deribit", ev.Link.TRADING, up=True))
    listed = bot.stated(order)
    gone = bot.says(order, OrderState.CANCELLED, venue_ms=bot.ms + 1)  # asked a moment later
    bot.turn(bot.snapshot(orders=[listed], lookups=[(order.label, gone)]))
    assert bot.orders == []


def test_an_order_listed_but_still_in_doubt_is_looked_at_again_soon() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote())
    listed = bot.stated(order)
    bot.wants = [a_quote(BUY, 0.0195)]
    bot.turn(bot.book())
    bot.turn(ev.OutcomeUnknown(order.label, Request.AMEND, Why.REPLY_LOST))
    bot.wait(0.5)
    bot.turn(bot.snapshot(orders=[listed]))  # as it was: the amend may still take effect
    assert order.status is Status.UNKNOWN
    assert len(resyncs(bot.wait(5.5))) == 1


# --- foreign orders ---------------------------------------------------------------------------


def test_foreign_order_is_listed_and_left_alone() -> None:
    bot = Bot()
    bot.connect()
    hers = a_foreign_order()
    bot.turn(bot.snapshot(orders=[hers, structs.replace(hers, order_id="901", label=None)]))
    assert sorted(bot.account.foreign) == ["900", "901"]
    bot.turn(bot.alive(), bot.ticker(), bot.book())
    bot.turn(ev.Stop(Why.USER))
    assert bot.orders == []
    assert cancels(bot.wait(1)) == []


def test_foreign_orders_come_and_go_with_their_own_messages() -> None:
    bot = Bot.quoting()
    hers = bot.says(an_order(label="hers", order_id="900"))
    bot.turn(hers)
    assert list(bot.account.foreign) == ["900"]
    bot.turn(structs.replace(hers, state=OrderState.FILLED))
    assert bot.account.foreign == {}


# --- money ------------------------------------------------------------------------------------


def test_a_trade_of_somebody_else_moves_our_position_but_is_not_ours() -> None:
    bot = Bot.quoting()
    bot.turn(ev.Filled(a_fill(SELL, "0.0230", 3, trade_id="hers", label="hers")))
    assert bot.position == -3
    [booked] = [entry for entry in bot.state.entries if isinstance(entry, Booked)]
    assert not booked.ours


def test_opening_position_is_taken_over_without_profit() -> None:
    bot = Bot()
    bot.connect()
    bot.turn(bot.snapshot(positions={an_option().id: 7}))
    position = bot.state.inventory.of(an_option())
    assert (position.amount, position.opening) == (7, 7)
    assert position.pnl(Decimal("0.0300")).total == 0
    assert bot.market.halted == ""


def test_fills_since_the_start_are_not_part_of_the_opening_position() -> None:
    bot = Bot()
    bot.connect()
    since = a_fill(BUY, "0.0200", 2, trade_id="since", venue_ms=NOW_MS + 1)
    before = a_fill(BUY, "0.0200", 5, trade_id="before", venue_ms=NOW_MS - 1)
    bot.turn(bot.snapshot(positions={an_option().id: 7}, fills=[before, since]))
    position = bot.state.inventory.of(an_option())
    assert (position.amount, position.opening, position.fills) == (7, 5, 1)
    bot.turn(ev.Filled(before), ev.Filled(since))
    assert position.amount == 7


def test_a_run_that_dies_before_it_has_written_its_opening_loses_no_trade() -> None:
    """Killed in its first moments: the next run begins anew, and finds a trade of ours."""
    bot = Bot()
    bot.connect()
    ours = a_fill(BUY, "0.0200", 2, trade_id="ours", venue_ms=NOW_MS - 1, label="mmdead-0")
    hers = a_fill(BUY, "0.0200", 5, trade_id="hers", venue_ms=NOW_MS - 1)
    bot.turn(bot.snapshot(positions={an_option().id: 7}, fills=[ours, hers]))
    position = bot.state.inventory.of(an_option())
    assert (position.amount, position.opening, position.fills) == (7, 5, 1)


def test_what_came_before_an_opening_position_is_in_it_for_later_runs_too() -> None:
    """A restart within the overlap of the back-fill reads trades from before the first start."""
    earlier = Position(
        an_option(), Decimal(7), opened=True, opened_ms=NOW_MS - 5_000, opening=Decimal(7)
    )
    bot = Bot()
    bot.state.inventory.take_over(earlier)
    bot.connect()
    before = a_fill(BUY, "0.0200", 7, trade_id="before", venue_ms=NOW_MS - 5_001)
    since = a_fill(BUY, "0.0200", 2, trade_id="since", venue_ms=NOW_MS - 5_000)
    bot.turn(bot.snapshot(positions={an_option().id: 9}, fills=[before, since]))
    assert (bot.position, earlier.fills) == (9, 1)


def test_a_venue_whose_clock_is_slow_loses_us_no_trade_after_the_opening() -> None:
    """Found by seed 3030: the first fill of a run is stamped before the run began."""
    bot = Bot.quoting()
    order = bot.rest(a_quote(BUY))[0]
    slow = structs.replace(bot.fill(order, 1), venue_ms=NOW_MS - 900)
    bot.turn(ev.Filled(slow))
    assert bot.position == 1


def test_what_an_opening_position_holds_is_told_by_the_venue_s_own_stamps() -> None:
    bot = Bot()
    bot.connect()
    before = a_fill(BUY, "0.0200", 7, trade_id="before", venue_ms=NOW_MS - 500)
    bot.turn(bot.snapshot(positions={an_option().id: 7}, fills=[before]))
    later_run = Bot()
    opened = replace(bot.state.inventory.of(an_option()))
    later_run.state.inventory.take_over(opened)
    later_run.connect()
    after = a_fill(SELL, "0.0230", 2, trade_id="after", venue_ms=NOW_MS - 499)
    later_run.turn(later_run.snapshot(positions={an_option().id: 5}, fills=[before, after]))
    assert (later_run.position, later_run.market.halted) == (5, "")


def test_position_mismatch_twice_halts_and_shows_both_numbers() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote())
    bot.ask_again()
    bot.turn(bot.snapshot(orders=[bot.stated(order)], positions={an_option().id: 3}))
    assert bot.market.halted == ""  # perhaps a fill is still on its way
    bot.ask_again()
    sent = bot.turn(bot.snapshot(orders=[bot.stated(order)], positions={an_option().id: 3}))
    assert bot.market.halted == "venue says 3, fills say 0"
    (cancel,) = cancels(sent)
    assert cancel.why is Why.HALTED


def test_the_second_look_at_a_position_comes_soon() -> None:
    bot = Bot.quoting()
    bot.ask_again()
    bot.turn(bot.snapshot(positions={an_option().id: 3}))
    assert len(resyncs(bot.wait(1.2))) == 1


def test_a_fill_that_was_on_its_way_halts_nothing() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote())
    bot.ask_again()
    bot.turn(bot.snapshot(orders=[bot.stated(order)], positions={an_option().id: 1}))
    fill = bot.fill(order)
    bot.turn(ev.Filled(fill), bot.says(order, OrderState.FILLED, filled=1))
    bot.ask_again()
    bot.turn(bot.snapshot(positions={an_option().id: 1}))
    assert bot.market.halted == ""


def test_a_halt_ends_when_both_numbers_agree_again() -> None:
    bot = Bot.quoting()
    for _ in range(2):
        bot.ask_again()
        bot.turn(bot.snapshot(positions={an_option().id: 3}))
    assert bot.market.halted
    bot.turn(ev.Filled(a_fill(BUY, "0.0200", 3, trade_id="late", venue_ms=bot.ms)))
    bot.ask_again()
    bot.turn(bot.snapshot())
    assert bot.market.halted == ""


def test_a_fill_the_venue_owes_us_is_asked_for() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote())
    bot.wants = ()
    bot.turn(bot.says(order, OrderState.FILLED, filled=1))
    assert order.unbooked == 1
    (resync,) = resyncs(bot.wait(0.5))
    assert resync.labels == ((an_option().id, order.label),)
    bot.turn(bot.snapshot(fills=[bot.fill(order)]))
    assert (bot.position, bot.orders) == (1, [])


def test_a_filled_order_that_nobody_says_has_ended_is_looked_up() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote())
    assert bot.turn(ev.Filled(bot.fill(order)), bot.book()) == []
    (resync,) = resyncs(bot.wait(0.5))
    assert resync.labels == ()  # first the list of what is open ...
    bot.turn(bot.snapshot())
    assert order.status is Status.UNKNOWN
    (resync,) = resyncs(bot.wait(1.2))
    assert resync.labels == ((an_option().id, order.label),)  # ... then it by its name
    end = bot.says(order, OrderState.FILLED, filled=1)
    bot.wants = ()
    bot.turn(bot.snapshot(lookups=[(order.label, end)]))
    assert bot.orders == []


# --- events about what is not known -----------------------------------------------------------


def test_news_of_unknown_instruments_and_labels_is_not_an_error() -> None:
    bot = Bot.quoting()
    other = an_option(id="deribit:ETH-6JUN25-3000-C", name="ETH-6JUN25-3000-C")
    stranger = an_order(label="mmother-1", instrument=other.id)
    bot.turn(
        bot.book(instrument=other),
        bot.ticker(other),
        ev.BookLost(other.id, Why.BOOK_GAPPED),
        ev.TradePrinted(other.id, 0.02, 1.0, BUY, bot.ms),
        ev.Filled(a_fill(instrument=other, trade_id="other")),
        ev.OutcomeUnknown(Label("mmother-2"), Request.PLACE, Why.REPLY_LOST),
        bot.refuses(stranger),
        bot.says(an_order(label="hers", instrument=other.id)),
    )
    assert bot.orders == []
    assert bot.position == 0


def test_the_grid_of_a_known_instrument_may_change() -> None:
    bot = Bot.quoting()
    finer = an_option(tick=Decimal("0.00005"), tick_steps=())
    bot.turn(ev.InstrumentsListed((finer,)))
    bot.wants = [a_quote(BUY, 0.02003)]
    (place,) = places(bot.turn(bot.book()))
    assert place.price == Decimal("0.02000")
    assert bot.market.bids  # the book is not lost with it


def test_limits_read_from_the_account_size_the_budget() -> None:
    bot = Bot.quoting()
    bot.turn(ev.LimitsRead("deribit", rate_per_s=100.0, burst=200.0))
    assert bot.account.budget.burst == 200.0


def test_desk_time_of_the_deadline_is_two_seconds() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    (place,) = places(bot.turn(bot.book()))
    assert bot.order.deadline_ns - bot.now_ns == 2 * SECOND
    assert place.valid_until_ns - bot.now_ns == 4 * SECOND
    assert bot.order.uncertain_until_ns - bot.now_ns == 5 * SECOND


def test_an_order_stated_as_rejected_is_tried_again_a_moment_later() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    bot.turn(bot.book())
    bot.turn(bot.says(bot.order, OrderState.REJECTED, answers=Request.PLACE))
    assert bot.orders == []
    assert bot.state.orders.counts.rejected == 1
    assert bot.market.why[BUY] is Why.REFUSED
    assert places(bot.turn(bot.book(), after_s=0.1)) == []
    assert len(places(bot.wait(0.3))) == 1


def test_a_lease_that_ran_out_for_a_while_is_an_absence() -> None:
    bot = Bot.quoting(wants=[a_quote()])
    bot.turn(ev.LeaseLate(), bot.book())
    assert bot.orders == []
    assert any(isinstance(one, CheckLease) for one in bot.for_store)
    bot.turn(bot.lease_check())
    assert bot.market.why[BUY] is Why.RECONCILING


# --- money that moves without a trade ---------------------------------------------------------


def a_delivery(bot: Bot, ref: str = "77", price: str = "0.05") -> Flow:
    instrument = bot.instruments[0]
    return Flow(
        ref=ref,
        kind=FlowKind.DELIVERY,
        instrument=instrument.id,
        currency=instrument.settlement,
        money=Decimal(0),
        venue_ms=bot.now_ns // MS,
        price=Decimal(price),
    )


def test_a_delivery_ends_the_position_once() -> None:
    bot = Bot.quoting()
    bot.turn(ev.Filled(a_fill(Side.BUY, "0.0200", 3, venue_ms=bot.now_ns // MS)))
    delivery = a_delivery(bot)
    for _ in range(2):
        bot.ask_again()
        bot.turn(bot.snapshot(flows=[delivery], positions={bot.instruments[0].id: 0}))
    assert bot.position == 0
    assert bot.market.halted == ""
    entries = [entry for entry in bot.state.entries if isinstance(entry, Flowed)]
    assert [entry.flow for entry in entries] == [delivery]


def test_a_transfer_belongs_to_no_position_and_is_booked_once() -> None:
    bot = Bot.quoting()
    transfer = structs.replace(
        a_delivery(bot), kind=FlowKind.TRANSFER, instrument=None, money=Decimal(5)
    )
    for _ in range(2):
        bot.ask_again()
        bot.turn(bot.snapshot(flows=[transfer]))
    entries = [entry for entry in bot.state.entries if isinstance(entry, Flowed)]
    assert [(entry.flow, entry.instrument) for entry in entries] == [(transfer, None)]


def test_a_transfer_from_before_the_first_run_is_none_of_ours() -> None:
    bot = Bot.quoting()
    earlier = structs.replace(
        a_delivery(bot), kind=FlowKind.TRANSFER, instrument=None, venue_ms=NOW_MS - 1
    )
    bot.ask_again()
    bot.turn(bot.snapshot(flows=[earlier]))
    assert not any(isinstance(entry, Flowed) for entry in bot.state.entries)


def test_an_expired_instrument_is_not_quoted_and_its_outcome_is_asked_for() -> None:
    bot = Bot.quoting(an_option(expiry_ns=NOW_NS + 2 * SECOND))
    bot.rest(*both_sides())
    bot.turn(ev.Filled(a_fill(Side.BUY, "0.0200", 3, venue_ms=bot.now_ns // MS)))
    sent = bot.wait(3.5)
    assert bot.market.why[Side.BUY] is Why.EXPIRED
    assert len(resyncs(sent)) == 1
    assert len(cancels(sent)) == 2


def test_an_instrument_listed_later_is_quoted_after_the_next_look_at_the_venue() -> None:
    bot = Bot.quoting()
    put = an_option(id=InstrumentId("deribit:ETH-6JUN25-2800-P"), name="ETH-6JUN25-2800-P")
    bot.desks[put.id] = next(iter(bot.desks.values()))
    bot.puppet.wants[put.id] = both_sides()
    bot.instruments = (*bot.instruments, put)
    sent = bot.turn(
        ev.InstrumentsListed((put,)), bot.ticker(put), bot.book(instrument=put), bot.alive()
    )
    assert len(resyncs(sent)) == 1
    assert len(places(bot.turn(bot.snapshot()))) == 2
