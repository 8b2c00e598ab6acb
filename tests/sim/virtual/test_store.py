"""The store in virtual time with two accounts: each is taken over by itself."""

from decimal import Decimal

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.bot import begun
from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Booked, Claimed, Opened
from mmbot.core.state import State
from mmbot.core.statements import Finality
from mmbot.core.types import SECOND, ZERO, Label, Nanos
from mmbot.core.why import Why
from mmbot.sim.market.market import START_MS
from mmbot.sim.virtual.store import VirtualStore
from mmbot.sim.virtual.translate import instrument_of
from mmbot.sim.virtual.world import listing_of
from tests.builders import a_fill

ACCOUNTS = ("deribit", "hedge")
LISTED = [instrument_of(listing_of("ETH-PERPETUAL", START_MS), venue) for venue in ACCOUNTS]
BY_ID = {instrument.id: instrument for instrument in LISTED}
BEGAN_NS: Nanos = START_MS * 1_000_000


def a_state(now_ns: Nanos = BEGAN_NS) -> State:
    return begun("a", now_ns, (ev.InstrumentsListed(tuple(LISTED)),))


def booked(instrument: Instrument, amount: str) -> list[Opened | Booked]:
    """One trade of the same number on either account: they have traded with each other."""
    fill = a_fill(instrument=instrument, amount=Decimal(amount), venue_ms=START_MS)
    return [Opened(instrument, ZERO, None, START_MS), Booked(fill, instrument, fill.price, True)]


def test_one_trade_between_our_accounts_is_two_executions() -> None:
    store, state = VirtualStore(), a_state()
    for instrument, amount in zip(LISTED, ("10", "20"), strict=True):
        state.entries += booked(instrument, amount)
    store.keep(state)
    store.cycle(BEGAN_NS)
    assert len(store.fills) == 2
    fresh = a_state()
    store.restore(fresh, ACCOUNTS, BY_ID)
    assert [fresh.inventory.amount(one.id) for one in LISTED] == [Decimal(10), Decimal(20)]
    assert fresh.inventory.booked.keys() == store.fills.keys()


def test_only_the_accounts_of_a_run_are_taken_over() -> None:
    store, state = VirtualStore(), a_state()
    for instrument in LISTED:
        state.entries += booked(instrument, "10")
    store.keep(state)
    store.cycle(BEGAN_NS)
    fresh = a_state()
    store.restore(fresh, ("hedge",), BY_ID)
    assert [fresh.inventory.amount(one.id) for one in LISTED] == [ZERO, Decimal(10)]


def test_a_kill_switch_of_one_account_is_enough_and_the_first_reason_stays() -> None:
    store = VirtualStore()
    assert store.latch is None
    store.keep_latch(("hedge",), (Why.USER, "first"))
    assert store.latch == (Why.USER, "first")
    store.keep_latch(ACCOUNTS, (Why.MARGIN, "second"))
    assert store.latches == {"hedge": (Why.USER, "first"), "deribit": (Why.MARGIN, "second")}


def test_after_a_crash_requests_of_the_dead_may_still_arrive_on_every_account() -> None:
    store = VirtualStore()
    store.cycle(BEGAN_NS)
    store.lose_queue()
    fresh = a_state(BEGAN_NS + SECOND)
    store.restore(fresh, ACCOUNTS, BY_ID)
    for venue in ACCOUNTS:
        assert fresh.account(venue).earlier_run_ns > BEGAN_NS + SECOND
        assert fresh.account(venue).budget.level < 1


def test_who_ended_with_the_proof_leaves_no_request_behind() -> None:
    store = VirtualStore()
    store.cycle(BEGAN_NS)
    store.end(a_state(), BEGAN_NS, proved=True)
    fresh = a_state(BEGAN_NS + SECOND)
    store.restore(fresh, ACCOUNTS, BY_ID)
    for venue in ACCOUNTS:
        assert fresh.account(venue).earlier_run_ns == 0
        assert fresh.account(venue).budget.level < 1, "its requests count all the same"


def test_who_ended_without_it_counts_as_crashed_and_has_written_everything() -> None:
    store, state = VirtualStore(), a_state()
    state.entries += booked(LISTED[1], "10")
    store.end(state, BEGAN_NS, proved=False)
    fresh = a_state(BEGAN_NS + SECOND)
    store.restore(fresh, ACCOUNTS, BY_ID)
    assert fresh.inventory.amount(LISTED[1].id) == Decimal(10)
    assert fresh.account("hedge").earlier_run_ns > BEGAN_NS + SECOND


def test_what_is_said_of_a_fill_later_changes_that_and_nothing_else() -> None:
    """As the engine's store does it: whose a fill is and whether it stands are told apart."""
    store, state, (instrument, _) = VirtualStore(), a_state(), LISTED
    opened, made = booked(instrument, "10")
    assert isinstance(made, Booked)
    fill = replace(made.fill, label=None, finality=Finality.PROVISIONAL)
    final = replace(fill, finality=Finality.FINAL)
    state.entries += [
        opened,
        Booked(fill, instrument, made.mark, False),
        Claimed(replace(fill, label=Label("mm1-1"))),
        Booked(final, instrument, made.mark, False, again=True),
        Claimed(replace(fill, label=Label("mm1-1"))),
    ]
    store.keep(state)
    store.cycle(BEGAN_NS)
    (kept,) = store.fills.values()
    assert (kept.label, kept.finality) == ("mm1-1", Finality.FINAL)
    assert store.inventory.provisional == {}


def test_whose_an_open_fill_is_goes_to_the_next_run() -> None:
    store, state, (instrument, _) = VirtualStore(), a_state(), LISTED
    opened, made = booked(instrument, "10")
    assert isinstance(made, Booked)
    fill = replace(made.fill, label=None, finality=Finality.PROVISIONAL)
    claim = Claimed(replace(fill, label=Label("mm1-1")))
    state.entries += [opened, Booked(fill, instrument, made.mark, False), claim]
    store.keep(state)
    store.cycle(BEGAN_NS)
    fresh = a_state(BEGAN_NS + SECOND)
    store.restore(fresh, ACCOUNTS, BY_ID)
    assert [one.label for one in fresh.inventory.provisional.values()] == ["mm1-1"]
