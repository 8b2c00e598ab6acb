"""Two accounts in one state: what happens to one is not believed of the other, and together they
are one risk book."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.intents import FallbackCancel, venue_of
from mmbot.core.order_life import Status
from mmbot.core.ports import RiskRule
from mmbot.core.statements import Equity, Flow, FlowKind, HeldPosition
from mmbot.core.types import SECOND, Side
from mmbot.core.why import Why
from mmbot.risk.guards.margin import Margin
from mmbot.risk.guards.session_loss import SessionLoss
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.stale_market import StaleMarket
from tests.builders import a_fill, a_perpetual, a_quote
from tests.core.bot import VENUE, amends, cancels, of_kind, places, resyncs
from tests.core.two import HEDGE, HERE, THERE, Two, to

BUY, SELL = Side.BUY, Side.SELL


def quoting(rules: Sequence[RiskRule] = ()) -> Two:
    bot = Two(rules)
    bot.quote()
    assert (len(bot.at(VENUE)), len(bot.at(HEDGE))) == (2, 2)
    return bot


# --- leaving ----------------------------------------------------------------------------------


def test_one_flat_account_of_two_is_not_flat() -> None:
    bot = quoting()
    bot.turn(ev.Stop(Why.USER))
    bot.gone(VENUE)
    bot.wait(0.3)
    bot.turn(bot.word(VENUE))
    assert (bot.flat(VENUE), bot.flat(HEDGE)) == (True, False)
    assert not bot.state.flat_verified


def test_once_the_other_one_is_proved_too_everything_is() -> None:
    bot = quoting()
    bot.turn(ev.Stop(Why.USER))
    for venue in (VENUE, HEDGE):
        bot.gone(venue)
        bot.wait(0.3)
        bot.turn(bot.word(venue))
    assert bot.state.flat_verified


def test_an_account_that_is_flat_is_not_asked_any_more() -> None:
    bot = quoting()
    bot.turn(ev.Stop(Why.USER))
    bot.gone(VENUE)
    bot.wait(0.3)
    bot.turn(bot.word(VENUE))
    assert to(VENUE, bot.wait(5)) == []


def test_an_account_that_cannot_be_asked_holds_up_nobody() -> None:
    bot = quoting()
    bot.turn(ev.LinkChanged(HEDGE, ev.Link.TRADING, up=False))
    bot.turn(ev.Stop(Why.USER))
    bot.gone(VENUE)
    sent = bot.wait(0.3)
    assert [question.venue for question in resyncs(sent)] == [VENUE]
    bot.turn(bot.word(VENUE))
    assert (bot.flat(VENUE), bot.flat(HEDGE)) == (True, False)
    # Round the dead link goes what is left there, and nothing more to the other one.
    sent = bot.wait(2)
    assert to(VENUE, sent) == []
    assert {wish.venue for wish in of_kind(FallbackCancel, sent)} == {HEDGE}
    for order in bot.at(HEDGE):
        order.uncertain_until_ns = bot.now_ns
    bot.turn(after_s=0.1)
    bot.turn(ev.FallbackTried(HEDGE, bot.now_ns, ()))
    assert bot.state.flat_verified


def test_what_the_second_path_proves_of_one_it_does_not_prove_of_the_other() -> None:
    bot = quoting()
    bot.turn(ev.Stop(Why.USER))
    bot.gone(HEDGE)
    bot.turn(ev.FallbackTried(HEDGE, bot.now_ns, ()))
    assert (bot.flat(VENUE), bot.flat(HEDGE)) == (False, True)


def test_a_venue_first_heard_of_while_leaving_is_proved_like_any_other() -> None:
    bot = quoting()
    bot.turn(ev.Stop(Why.USER))
    for venue in (VENUE, HEDGE):
        bot.gone(venue)
        bot.wait(0.3)
        bot.turn(bot.word(venue))
    bot.turn(ev.LinkChanged("third", ev.Link.TRADING, up=True))
    assert not bot.state.flat_verified
    bot.wait(0.3)
    bot.turn(bot.word("third"))
    assert bot.state.flat_verified


def test_how_everything_went_is_told_of_each_account() -> None:
    bot = quoting()
    bot.turn(ev.Trip(Why.USER, "enough"))
    bot.turn(ev.LatchSaved())
    for venue in (HEDGE, VENUE):
        bot.gone(venue)
        bot.wait(0.3)
        bot.turn(bot.word(venue))
    told = [note.body for note in bot.state.notes if note.kind == "tripped"]
    assert [(body["venue"], body["orders"]) for body in told] == [(HEDGE, 2), (VENUE, 2)]
    ended = [body["last_order_ended_after_ms"] for body in told]
    assert ended == sorted(ended, key=str), "each by its own last order"
    assert len(set(ended)) == 2


# --- links ------------------------------------------------------------------------------------


def test_with_one_link_cut_the_other_account_goes_on_and_only_the_cut_one_says_why() -> None:
    bot = quoting()
    bot.turn(ev.LinkChanged(HEDGE, ev.Link.MARKET, up=False))
    bot.puppet.wants[HERE.id] = [a_quote(BUY, 0.0195), a_quote(SELL, 0.0230)]
    (moved,) = amends(bot.turn(*bot.books()))
    assert moved.instrument == HERE.id
    assert set(bot.state.markets[THERE.id].why.values()) == {Why.LINK_DOWN}
    assert Why.LINK_DOWN not in bot.state.markets[HERE.id].why.values()


def test_a_silent_venue_takes_only_its_own_quotes_back() -> None:
    bot = quoting([StaleMarket()])
    bot.silent.add(HEDGE)
    for _ in range(50):
        sent = bot.turn(*bot.lives(), *bot.books(), ev.Tick(), after_s=0.1)
        assert not cancels(to(VENUE, sent))
        if cancels(sent):
            break
    assert [(one.instrument, one.why) for one in cancels(sent)] == [(THERE.id, Why.BOOK_STALE)] * 2
    assert [order.status for order in bot.at(VENUE)] == [Status.LIVE, Status.LIVE]


def test_an_account_that_comes_back_is_reconciled_before_it_quotes_and_the_other_is_untouched() -> (
    None
):
    bot = quoting()
    rest = {order.label: (order.price, order.status) for order in bot.at(VENUE)}
    bot.turn(ev.LinkChanged(HEDGE, ev.Link.TRADING, up=False))
    sent = bot.turn(ev.LinkChanged(HEDGE, ev.Link.TRADING, up=True), *bot.lives(), *bot.books())
    assert sent == resyncs(sent)
    assert [venue_of(question) for question in sent] == [HEDGE]
    assert {order.status for order in bot.at(HEDGE)} == {Status.UNKNOWN}
    assert not bot.state.account(HEDGE).reconciled
    assert bot.state.account(VENUE).reconciled
    looked = [(order.label, None) for order in bot.at(HEDGE)]
    for order in bot.at(HEDGE):
        order.uncertain_until_ns = bot.now_ns - 2 * SECOND
    sent = bot.turn(bot.word(HEDGE, lookups=looked), *bot.lives(), *bot.books())
    sent += bot.turn(*bot.lives(), *bot.books())
    assert {place.instrument for place in places(sent)} == {THERE.id}
    assert {order.label: (order.price, order.status) for order in bot.at(VENUE)} == rest


# --- the kill switch and the lease ------------------------------------------------------------


def test_the_margin_of_one_account_trips_both_and_says_whose() -> None:
    bot = quoting()
    bot.guards = (Margin(limit_pct=Decimal(60)),)
    bot.turn(ev.Tick(), *bot.lives())
    sound = Equity("ETH", Decimal(10), Decimal(10), Decimal(1))
    short = Equity("ETH", Decimal(10), Decimal(10), Decimal(7))
    for venue in (VENUE, HEDGE):
        bot.state.account(venue).look_by(bot.now_ns)
    bot.wait(0.1)
    bot.turn(replace(bot.word(VENUE), equity=(sound,)))
    assert bot.state.latch.tripped is None
    bot.turn(replace(bot.word(HEDGE), equity=(short,)))
    assert bot.state.latch.tripped is Why.MARGIN
    assert bot.state.latch.detail == "maintenance margin is 7 of 10 ETH at hedge"
    sent = bot.turn(ev.LatchSaved())
    assert {venue: len(to(venue, sent)) for venue in (VENUE, HEDGE)} == {VENUE: 1, HEDGE: 1}
    assert {order.status for order in bot.orders} == {Status.CANCELING}


def test_what_both_accounts_lose_together_counts_for_the_limit() -> None:
    bot = quoting()
    bot.guards = (SessionLoss(limit_usd=Decimal(20)),)
    bot.turn(ev.Tick(), *bot.lives())
    for instrument, lost in ((HERE, False), (THERE, True)):
        # 10 options at 0.0005 ETH above the mark of 0.0215: 0.005 ETH at 2,850 USD is 14.25 USD.
        fill = a_fill(BUY, "0.0220", 10, instrument=instrument, fee=Decimal(0), venue_ms=bot.ms)
        bot.turn(ev.Filled(fill), *bot.lives(), *map(bot.ticker, bot.instruments))
        bot.turn(ev.Tick(), *bot.lives(), after_s=0.1)
        assert (bot.state.latch.tripped is Why.SESSION_LOSS) == lost
    assert bot.state.latch.detail == "lost 28.50 USD, the limit is 20"


def test_where_the_lease_is_lost_nothing_is_sent_and_the_other_account_leaves() -> None:
    bot = quoting()
    sent = bot.turn(ev.LeaseLost("thief", HEDGE), *bot.books())
    assert to(HEDGE, sent) == []
    assert len(to(VENUE, sent)) == 1
    assert {order.status for order in bot.at(VENUE)} == {Status.CANCELING}
    assert (bot.state.lease_lost, bot.state.stopping) == ("thief", Why.LEASE_LOST)
    bot.gone(VENUE)
    sent = bot.wait(0.3)
    bot.turn(bot.word(VENUE))
    assert bot.flat(VENUE)
    bot.turn(ev.LinkChanged(HEDGE, ev.Link.TRADING, up=False))
    sent += bot.wait(35)
    assert to(HEDGE, sent) == []
    assert set(bot.state.markets[THERE.id].why.values()) == {Why.LEASE_LOST}


def test_with_every_lease_lost_nothing_is_sent_anywhere() -> None:
    bot = quoting()
    assert bot.turn(ev.LeaseLost("thief"), *bot.books()) == []
    assert bot.wait(35) == []


def test_after_an_absence_lease_and_latch_are_one_question() -> None:
    bot = quoting()
    bot.for_store.clear()
    bot.turn(*bot.books(), after_s=2.0)
    assert [type(asked).__name__ for asked in bot.for_store] == ["CheckLease"]
    assert {order.status for order in bot.orders} == {Status.UNKNOWN}


# --- money ------------------------------------------------------------------------------------


def test_a_trade_id_that_both_venues_use_is_two_fills() -> None:
    bot = quoting()
    for instrument in (HERE, THERE):
        fill = a_fill(BUY, "0.0200", 1, instrument=instrument, trade_id="77", venue_ms=bot.ms)
        bot.turn(ev.Filled(fill))
        bot.turn(ev.Filled(fill))  # and neither of them twice
    assert [bot.state.inventory.amount(i.id) for i in (HERE, THERE)] == [1, 1]
    assert len(bot.state.inventory.booked) == 2


def test_a_flow_that_both_venues_number_alike_is_two_flows() -> None:
    bot = quoting()
    transfer = Flow(
        ref="5",
        kind=FlowKind.TRANSFER,
        instrument=None,
        currency="ETH",
        money=Decimal(1),
        venue_ms=bot.ms,
    )
    for venue in (VENUE, HEDGE, HEDGE):
        bot.state.account(venue).look_by(bot.now_ns)
        bot.wait(0.1)
        bot.turn(bot.word(venue, flows=[transfer]))
    assert sorted(bot.state.inventory.booked) == [f"{v} transfer 5" for v in (VENUE, HEDGE)]


def test_the_exposure_of_one_account_takes_from_the_headroom_of_the_other() -> None:
    bot = Two(rules=[MaxExposure(limit=Decimal(5))])
    fill = a_fill(BUY, "0.0200", 4, instrument=THERE, venue_ms=bot.ms)
    bot.turn(ev.Filled(fill), *bot.books())
    bot.puppet.wants[HERE.id] = [a_quote(BUY, 0.0200, 3)]
    (place,) = places(bot.turn(*bot.lives(), *bot.books()))
    assert (place.instrument, place.amount) == (HERE.id, Decimal(1))


def test_what_the_other_account_holds_off_desk_counts_as_well() -> None:
    bot = Two(rules=[MaxExposure(limit=Decimal(5))])
    terms = a_perpetual(id=f"{HEDGE}:ETH-PERPETUAL", venue=HEDGE)
    usd = Decimal(2850 * 3)  # three coins at the index of 2,850
    held = HeldPosition(terms.id, usd, Decimal(2850), terms=terms)
    bot.state.account(HEDGE).look_by(bot.now_ns)
    bot.wait(0.1)
    word = bot.word(HEDGE)
    bot.turn(replace(word, positions=(*word.positions, held)), *bot.books())
    bot.puppet.wants[HERE.id] = [a_quote(BUY, 0.0200, 3)]
    (place,) = places(bot.turn(*bot.lives(), *bot.books()))
    assert (place.instrument, place.amount) == (HERE.id, Decimal(2))
