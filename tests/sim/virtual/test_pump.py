"""The pump: what a session wants done is done in virtual time, and what goes wrong on the way.

The session is one that does as it is told and notes what it hears; the venue is the simulated one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from mmbot.core import events as ev
from mmbot.core.events import Link
from mmbot.core.intents import Amend, Cancel, CancelAll, Place, VenueIntent
from mmbot.core.types import MS, SECOND, InstrumentId, Nanos
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.market.market import START_MS, START_PRICES, Market
from mmbot.sim.models.credits import Rate
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.virtual.face import ACCOUNT, VirtualVenue
from mmbot.sim.virtual.faults import FaultInjector
from mmbot.sim.virtual.pump import Pump
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.timeline import Timeline
from mmbot.sim.virtual.translate import instrument_of
from mmbot.sim.virtual.world import listing_of
from mmbot.venues.effects import Cut, Dial, Effect, Emit, Frame, Http, HttpAnswer, Send

NAME = "ETH-PERPETUAL"
LOGIN: dict[str, Any] = {
    "grant_type": "client_credentials",
    "client_id": "sim",
    "client_secret": "sim",
}
BID: dict[str, Any] = {
    "instrument_name": NAME,
    "amount": 10,
    "price": 2_000,
    "label": "mm1-1",
    "post_only": True,
}


class Obedient:
    """A session without a will of its own: effects are put into it, what it is told is noted."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object, Nanos]] = []
        self.wants: list[Effect] = []
        self.on: Callable[[str, object], Sequence[Effect]] = lambda *_: ()
        self.due_ns: Nanos | None = None

    def _hear(self, what: str, said: object, now_ns: Nanos) -> Sequence[Effect]:
        self.told.append((what, said, now_ns))
        wants, self.wants = self.wants, []
        return [*wants, *self.on(what, said)]

    def watch(self, *_: object) -> None:
        raise AssertionError("it is not made by the pump")

    def start(
        self, instruments: Sequence[object], now_ns: Nanos, watched: Sequence[object] = ()
    ) -> Sequence[Effect]:
        return self._hear("start", len(instruments), now_ns)

    def opened(self, link: Link, now_ns: Nanos) -> Sequence[Effect]:
        return self._hear("opened", link, now_ns)

    def closed(self, link: Link, why: str, now_ns: Nanos) -> Sequence[Effect]:
        return self._hear("closed", why, now_ns)

    def receive(self, link: Link, frame: Frame | str | bytes, now_ns: Nanos) -> Sequence[Effect]:
        return self._hear("heard", frame, now_ns)

    def unsent(self, frame: Frame, why: str, now_ns: Nanos) -> Sequence[Effect]:
        raise AssertionError("everything can be written here")

    def answered(self, http_id: int, answer: HttpAnswer, now_ns: Nanos) -> Sequence[Effect]:
        return self._hear("answered", (http_id, answer), now_ns)

    def tick(self, now_ns: Nanos) -> Sequence[Effect]:
        self.due_ns = None
        return self._hear("ticked", None, now_ns)

    def unfollow(self, instruments: Sequence[InstrumentId], now_ns: Nanos) -> Sequence[Effect]:
        return self._hear("unfollow", list(instruments), now_ns)

    def submit(self, intents: Sequence[VenueIntent], now_ns: Nanos) -> Sequence[Effect]:
        return self._hear("submit", len(intents), now_ns)


class Between:
    """A pump between an obedient session and a venue with one perpetual."""

    def __init__(
        self, plan: FaultPlan | None = None, *, as_text: bool = False, per_s: float = 5.0
    ) -> None:
        self.timeline = Timeline(START_MS * MS)
        self.exchange = Exchange("w-")
        listing = listing_of(NAME, START_MS)
        self.exchange.list(listing)
        self.exchange.open_account(ACCOUNT, {"ETH": Decimal(1_000)})
        market = Market(self.exchange, 1, prices={"ETH": START_PRICES["ETH"]})
        self.trouble = FaultInjector(plan or FaultPlan())
        self.venue = VirtualVenue(
            self.timeline,
            self.exchange,
            market,
            [instrument_of(listing)],
            self.trouble,
            Rate(per_s, 20),
        )
        self.session = Obedient()
        self.events: list[ev.Event] = []
        self.flying: dict[object, OrderRequest] = {}
        self.seen: list[tuple[str, OrderRequest]] = []
        self.venue.on_rest = lambda request: self.seen.append(("rest", request))
        self.pump = Pump(
            self.timeline,
            self.venue,
            self.trouble,
            Random(1),
            self.events.append,
            self.flying,
            lambda request: self.seen.append(("arrives", request)),
            lambda request: self.seen.append(("done", request)),
            as_text=as_text,
            adapter=self.session,
        )
        self._id = 0

    # --- what a test does ---

    def pass_s(self, seconds: float) -> None:
        """Let everything happen that is due by then."""
        over = [False]
        self.timeline.after(int(seconds * SECOND), lambda: over.__setitem__(0, True))
        while not over[0]:
            self.timeline.step()

    def want(self, *effects: Effect) -> None:
        """The session wants these done, now."""
        self.session.wants += effects
        self.pump.submit(())

    def connected(self, link: Link = Link.TRADING) -> Between:
        """A line is up and signed in, with cancel-on-disconnect and the account's channel."""
        self.want(Dial(link, 2.0))
        self.pass_s(0.1)
        self.ask("public/auth", link, **LOGIN)
        self.ask("private/enable_cancel_on_disconnect", link, scope="connection")
        self.ask("private/subscribe", link, channels=["user.changes.any.any.raw"])
        self.pass_s(1)
        self.session.told.clear()
        return self

    def send(self, method: str, link: Link = Link.TRADING, **params: Any) -> Send:
        self._id += 1
        frame = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        return Send(link, frame)

    def ask(self, method: str, link: Link = Link.TRADING, **params: Any) -> None:
        self.want(self.send(method, link, **params))

    # --- what a test looks at ---

    def told(self, what: str) -> list[Any]:
        return [said for one, said, _ in self.session.told if one == what]

    def replies(self) -> list[Mapping[str, Any]]:
        return [f for f in self.told("heard") if isinstance(f, Mapping) and "id" in f]

    def notices(self) -> list[Mapping[str, Any]]:
        frames = [f for f in self.told("heard") if isinstance(f, Mapping)]
        return [f for f in frames if f.get("method") == "subscription"]

    @property
    def resting(self) -> int:
        return len(self.venue.our_orders)


# --- lines ------------------------------------------------------------------------------------


def test_a_line_is_up_within_the_time_of_the_way_there_and_back() -> None:
    between = Between()
    between.want(Dial(Link.MARKET, 2.0))
    between.pass_s(0.1)
    (_, link, at_ns) = between.session.told[-1]
    assert link is Link.MARKET
    assert 4 * MS <= at_ns - START_MS * MS <= 80 * MS


def test_a_venue_that_is_away_refuses_the_line() -> None:
    between = Between()
    between.venue.away_until_ns = between.timeline.now_ns + SECOND
    between.want(Dial(Link.TRADING, 2.0))
    between.pass_s(0.5)
    assert between.told("closed") == ["refused"]


def test_the_start_is_given_the_venues_instruments() -> None:
    between = Between()
    between.pump.connect()
    assert between.told("start") == [1]


def test_what_is_emitted_is_told_and_tells_which_link_is_up() -> None:
    between = Between()
    up = [Emit(ev.LinkChanged("deribit", link, up=True, detail="")) for link in Link]
    between.want(up[0])
    assert (between.pump.up(Link.MARKET), between.pump.both_up()) == (True, False)
    between.want(up[1])
    assert between.pump.both_up()
    assert between.events == [one.event for one in up]


def test_both_ends_notice_a_cut_and_the_venue_takes_the_orders_along() -> None:
    between = Between().connected()
    between.ask("private/buy", **BID)
    between.pass_s(0.2)
    assert between.resting == 1
    between.pump.cut("cut")
    between.pass_s(0.2)
    assert between.told("closed") == ["cut"]
    assert between.resting == 0


def test_nothing_is_heard_of_a_line_that_we_have_cut() -> None:
    between = Between().connected()
    between.ask("public/test")
    between.want(Cut(Link.TRADING, "enough"))
    between.pass_s(0.5)
    assert between.told("heard") == between.told("closed") == []
    between.connected()
    between.ask("public/test")
    between.pass_s(0.2)
    assert len(between.replies()) == 1


def test_a_dead_process_is_told_nothing_and_its_orders_go() -> None:
    between = Between().connected()
    between.ask("private/buy", **BID)
    between.pass_s(0.2)
    between.session.told.clear()
    between.ask("public/test")
    between.pump.crash()
    between.pass_s(1)
    assert [what for what, *_ in between.session.told] == ["submit"]
    assert between.resting == 0


def test_a_restarted_venue_ends_the_lines_and_may_have_forgotten_the_orders() -> None:
    between = Between().connected()
    between.ask("private/buy", **BID)
    between.pass_s(0.2)
    between.venue.restart(SECOND, with_orders=False, forgetful=True)
    assert not between.venue.reachable
    between.pass_s(0.2)
    assert between.told("closed") == ["the venue has hung up"]
    account = between.exchange.accounts[ACCOUNT]
    assert not account.open_orders
    assert not account.closed_orders


def test_a_deaf_line_swallows_everything_and_stays_up() -> None:
    between = Between().connected()
    between.pump.deafen(Link.TRADING, 2 * SECOND)
    between.ask("private/buy", **BID)
    between.pass_s(1)
    assert between.told("heard") == between.told("closed") == []
    assert between.resting == 0
    between.pass_s(1.5)
    between.ask("public/test")
    between.pass_s(0.2)
    assert len(between.replies()) == 1


def test_a_mute_line_answers_and_tells_nothing_of_the_account() -> None:
    between = Between().connected()
    between.pump.mute(2 * SECOND)
    between.ask("private/buy", **BID)
    between.pass_s(0.5)
    assert len(between.replies()) == 1
    assert between.notices() == []
    between.want(Cut(Link.TRADING, "it says nothing"))
    between.connected()  # another line is as talkative as ever
    between.ask("private/buy", **BID)
    between.pass_s(0.5)
    assert between.notices()


def test_it_is_silent_once_the_last_word_of_before_has_arrived() -> None:
    """A session cannot tell a late word from one that was said just now."""
    between = Between().connected()
    between.trouble.plan = FaultPlan(late_private=1.0, late_s=3.0)
    between.ask("private/buy", **BID)
    between.pass_s(0.3)
    between.pump.mute(60 * SECOND)
    between.ask("private/buy", **BID)
    between.pass_s(0.3)
    assert (between.notices(), between.pump.untold_s() > 0) == ([], True)
    between.pass_s(3.5)
    assert (len(between.notices()), between.pump.untold_s()) == (1, 0)
    between.ask("private/buy", **BID)
    between.pass_s(5)
    assert between.pump.untold_s() > 4


# --- requests ---------------------------------------------------------------------------------


def test_frames_arrive_in_the_order_they_were_sent() -> None:
    between = Between().connected()
    between.want(*(between.send("public/test") for _ in range(40)))
    between.pass_s(0.5)
    ids = [frame["id"] for frame in between.replies()]
    assert ids == sorted(ids)
    assert len(ids) == 40


def test_decimals_are_the_numbers_that_their_digits_are() -> None:
    between = Between().connected()
    between.ask("private/buy", **BID | {"amount": Decimal("1E+1"), "price": Decimal("2000.50")})
    between.pass_s(0.2)
    (order,) = between.venue.our_orders
    assert (order.amount, order.price) == (Decimal(10), Decimal("2000.5"))


def test_an_order_request_is_seen_flying_arriving_and_done() -> None:
    between = Between().connected()
    between.ask("private/buy", **BID)
    (place,) = between.flying.values()
    assert isinstance(place, Place)
    assert (place.instrument, place.label) == ("deribit:ETH-PERPETUAL", "mm1-1")
    assert (place.amount, place.price) == (Decimal(10), Decimal(2_000))
    between.pass_s(0.2)
    (order,) = between.venue.our_orders
    between.ask("private/edit", order_id=order.order_id, amount=20, price=2_001)
    between.ask("private/cancel", order_id=order.order_id)
    between.ask("private/cancel_all_by_instrument", instrument_name=NAME)
    between.ask("private/cancel_all")
    between.pass_s(0.5)
    assert not between.flying
    assert [what for what, _ in between.seen] == ["arrives", "done"] * 5
    requests = [request for what, request in between.seen if what == "done"]
    assert [type(one) for one in requests] == [Place, Amend, Cancel, CancelAll, CancelAll]
    assert {one.label for one in requests[:3] if not isinstance(one, CancelAll)} == {"mm1-1"}
    assert between.venue.counts == {"Place": 1, "Amend": 1, "Cancel": 1, "CancelAll": 2}


def test_the_notice_of_an_order_comes_before_the_reply_or_after_it() -> None:
    first = set()
    for draws in range(6):
        between = Between().connected()
        for _ in range(draws):
            between.trouble.either()
        between.ask("private/buy", **BID)
        between.pass_s(0.2)
        first.add("id" in between.told("heard")[0])
    assert first == {True, False}


def test_a_lost_request_is_never_carried_out() -> None:
    between = Between().connected()
    between.trouble.plan = FaultPlan(lost_request=1.0)
    between.ask("private/buy", **BID)
    between.pass_s(1)
    assert between.resting == 0
    assert not between.flying
    assert between.trouble.counts == {"lost_request": 1}


def test_a_lost_reply_is_carried_out_all_the_same() -> None:
    between = Between().connected()
    between.trouble.plan = FaultPlan(lost_reply=1.0)
    between.ask("private/buy", **BID)
    between.pass_s(1)
    assert between.resting == 1
    assert between.replies() == []
    assert between.notices()


def test_a_late_request_and_a_late_reply_are_overtaken() -> None:
    between = Between().connected()
    between.trouble.plan = FaultPlan(late_request=1.0)
    between.want(between.send("private/buy", **BID))
    between.trouble.plan = FaultPlan()
    between.ask("public/test")
    between.pass_s(0.1)
    assert [frame["id"] for frame in between.replies()] == [5]
    between.pass_s(5.2)
    assert [frame["id"] for frame in between.replies()] == [5, 4]


@pytest.mark.parametrize(
    ("plan", "copies"),
    [(FaultPlan(duplicate_private=1.0), 2), (FaultPlan(late_private=1.0, late_s=3.0), 1)],
)
def test_the_account_is_told_twice_or_late(plan: FaultPlan, copies: int) -> None:
    between = Between().connected()
    between.trouble.plan = plan
    between.ask("private/buy", **BID)
    between.pass_s(4)
    assert len(between.notices()) == copies


def test_garbage_is_no_object() -> None:
    between = Between().connected()
    between.trouble.plan = FaultPlan(garbage=1.0)
    for _ in range(12):
        between.ask("public/test")
    between.pass_s(1)
    kinds = {type(frame) for frame in between.told("heard")}
    assert kinds == {str, bytes}


def test_a_cut_in_mid_order_is_before_or_after_it() -> None:
    outcomes = set()
    for draws in range(6):
        between = Between().connected()
        for _ in range(draws):
            between.trouble.either()
        between.trouble.plan = FaultPlan(cut_mid_order=1.0, ignored_cod=1.0)
        between.ask("private/buy", **BID)
        between.pass_s(1)
        assert between.replies() == []
        assert len(between.told("closed")) == 1
        outcomes.add(between.resting)
    assert outcomes == {0, 1}


def test_a_request_may_be_carried_out_though_its_line_is_over() -> None:
    outcomes = set()
    for draws in range(12):
        between = Between().connected()
        for _ in range(draws):
            between.pump._latency_ns()
        between.trouble.plan = FaultPlan(late_request=1.0, late_s=2.0)
        between.ask("private/buy", **BID)
        between.trouble.plan = FaultPlan()
        between.want(Cut(Link.TRADING, "enough"))
        between.pass_s(3)
        outcomes.add(between.resting)
    assert outcomes == {0, 1}


def test_a_request_too_many_is_refused_counted_and_ends_the_line() -> None:
    between = Between(per_s=0.001).connected()
    for number in range(21):
        between.ask("private/buy", **BID | {"price": 2_000 + number})
    between.pass_s(1)
    assert between.replies()[-1]["error"]["code"] == 10028
    assert between.venue.counts["10028 too_many_requests"] == 1
    assert between.told("closed") == ["the venue has hung up"]


def test_a_made_up_refusal_is_not_carried_out_and_nobodys_fault() -> None:
    between = Between().connected()
    between.trouble.plan = FaultPlan(rate_limited=1.0)
    between.ask("private/buy", **BID)
    between.pass_s(1)
    assert [frame["error"]["code"] for frame in between.replies()] == [10028]
    assert between.venue.counts == {}
    assert between.resting == 0
    assert between.told("closed") == ["the venue has hung up"]


# --- books ------------------------------------------------------------------------------------


def booked(plan: FaultPlan | None = None) -> Between:
    between = Between().connected(Link.MARKET)
    between.trouble.plan = plan or FaultPlan()
    between.ask("public/subscribe", Link.MARKET, channels=[f"book.{NAME}.raw"])
    for _ in range(50):
        between.pass_s(0.1)
        between.venue.advance()
    return between


def chain(between: Between) -> list[bool]:
    """Of every change, whether it stands on the message before."""
    data = [frame["params"]["data"] for frame in between.notices()]
    assert data[0]["type"] == "snapshot"
    return [one["prev_change_id"] == before["change_id"] for before, one in pairwise(data)]


def test_a_book_is_an_unbroken_chain_and_with_gaps_it_is_not() -> None:
    whole = chain(booked())
    assert len(whole) > 10
    assert all(whole)
    torn = chain(booked(FaultPlan(book_gap=0.3)))
    assert not all(torn)


def test_a_book_that_stands_still_sends_nothing_not_even_a_snapshot() -> None:
    between = booked()
    between.venue.stop_book(NAME, 3 * SECOND)
    between.pass_s(0.1)
    between.session.told.clear()
    channels = [f"book.{NAME}.raw"]
    between.ask("public/unsubscribe", Link.MARKET, channels=channels)
    between.ask("public/subscribe", Link.MARKET, channels=channels)
    for _ in range(20):
        between.pass_s(0.1)
        between.venue.advance()
    assert between.notices() == []
    assert len(between.replies()) == 2


# --- over REST --------------------------------------------------------------------------------


def asked_over_rest(plan: FaultPlan, count: int = 1) -> list[HttpAnswer]:
    between = Between()
    between.trouble.plan = plan
    for number in range(count):
        between.want(Http(number, "private/get_open_orders", {}, 2.0))
    between.pass_s(8)
    answers = between.told("answered")
    assert sorted(number for number, _ in answers) == list(range(count))
    return [answer for _, answer in answers]


def test_a_question_over_rest_is_answered_by_the_account() -> None:
    (answer,) = asked_over_rest(FaultPlan())
    assert answer.status == 200
    assert isinstance(answer.body, dict)
    assert answer.body["result"] == []


@pytest.mark.parametrize(
    ("plan", "statuses"),
    [
        (FaultPlan(http_429=1.0), {429}),
        (FaultPlan(http_5xx=1.0), {502, 503}),
        (FaultPlan(lost_request=1.0), {None}),
        (FaultPlan(lost_reply=1.0), {None}),
        (FaultPlan(late_reply=1.0, late_s=5.0), {200, None}),
    ],
)
def test_every_question_over_rest_ends_once_whatever_happens(
    plan: FaultPlan, statuses: set[int | None]
) -> None:
    assert {one.status for one in asked_over_rest(plan, count=12)} == statuses


def test_an_order_request_over_rest_is_seen() -> None:
    between = Between().connected()
    between.ask("private/buy", **BID)
    between.pass_s(0.2)
    between.want(Http(1, "private/cancel_all", {}, 2.0))
    between.pass_s(0.5)
    assert between.seen[-1] == ("rest", CancelAll("deribit", None, (), between.seen[-1][1].why))
    assert between.resting == 0


# --- time -------------------------------------------------------------------------------------


def test_a_session_is_ticked_when_it_wants_to_be() -> None:
    between = Between()
    began_ns = between.timeline.now_ns
    between.session.due_ns = began_ns + 300 * MS
    between.want()
    between.session.due_ns = began_ns + 100 * MS  # sooner after all
    between.want()
    between.session.due_ns = began_ns + 200 * MS  # later after all
    between.pass_s(1)
    ticks = [at_ns for what, _, at_ns in between.session.told if what == "ticked"]
    assert ticks == [began_ns + 200 * MS]


def test_text_and_objects_are_one_history() -> None:
    def history(*, as_text: bool) -> list[tuple[str, object, Nanos]]:
        plan = FaultPlan(seed=3, late_reply=0.2, garbage=0.1, duplicate_private=0.3, lost_reply=0.1)
        between = Between(as_text=as_text).connected()
        between.trouble.plan = plan
        between.ask("public/subscribe", channels=[f"book.{NAME}.raw", f"ticker.{NAME}.raw"])
        for number in range(15):
            price = Decimal(2_000) + Decimal(number) / 4
            between.ask("private/buy", **BID | {"price": price, "label": f"mm1-{number}"})
            between.want(Http(number, "private/get_open_orders", {}, 2.0))
            between.pass_s(0.3)
            between.venue.advance()
        return between.session.told

    objects, text = history(as_text=False), history(as_text=True)
    assert len(objects) > 60
    assert objects == text
