"""A connection's life in frames and effects: no sockets, and time passes when a test says so."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest

from mmbot.core.events import Link
from mmbot.core.types import SECOND
from mmbot.venues.answers import Declined, LeftOut, LinkDown, Stopped, Unarmed
from mmbot.venues.deribit.connection import Connection
from mmbot.venues.effects import Cut
from mmbot.venues.requests import Outcome, Reply
from mmbot.venues.timing import Timing
from tests.venues.deribit.driving import KEYS, SILENCE, START_NS, Driver, Json, Refused
from tests.wire.scripted import change, snapshot

MARKET, TRADING = Link.MARKET, Link.TRADING
BOOK, OTHER = "book.BTC-PERPETUAL.raw", "book.ETH-PERPETUAL.raw"
TICKER = "ticker.BTC-PERPETUAL.raw"
USER = "user.changes.any.any.raw"
FIRST = snapshot(10, [[100.0, 10.0]], [[101.0, 10.0]])
OTHERS = snapshot(20, [[5.0, 1.0]], [[6.0, 1.0]], "ETH-PERPETUAL")

SIGNATURE = "dbe4fb26891500999cae8aecce007931ff19c28ef058ccc4c3b2ae2419e5e349"
"""HMAC-SHA256 of "1700000000000\\n1700000000000\\n" with key "secret", computed apart."""

ENTERING = [
    "public/set_heartbeat",
    "public/auth",
    "private/enable_cancel_on_disconnect",
    "private/get_cancel_on_disconnect",
    "private/get_account_summaries",
    "private/subscribe",
]


def both_up() -> Driver:
    return Driver().start(channels={MARKET: [BOOK, OTHER], TRADING: [USER]})


def replies_to(driver: Driver, link: Link, method: str, limit_s: float = 2.0) -> list[Reply]:
    """The list that fills with what became of a request sent now."""
    told: list[Reply] = []
    driver.do(lambda connection: connection.send(link, method, {}, told.append, limit_s))
    return told


def waits_s(driver: Driver) -> list[float]:
    """Seconds between one dial and the next."""
    moments = [when_s for _, when_s, _ in driver.dials]
    return [later - earlier for earlier, later in pairwise(moments)]


class TestEntering:
    def test_signs_in_arms_reads_the_limits_and_subscribes_before_it_is_up(self) -> None:
        driver = both_up()
        assert driver.methods(TRADING) == ENTERING
        assert driver.methods(MARKET) == [
            "public/set_heartbeat",
            "public/auth",
            "public/subscribe",
        ]
        assert driver.links == [(MARKET, True), (TRADING, True)]
        assert driver.started == [(MARKET, None), (TRADING, None)]
        assert driver.connection.cod_enabled
        assert driver.connection.rate_limits.matching.rate == 200.0
        assert not driver.faults

    def test_without_keys_asks_nothing_private(self) -> None:
        driver = Driver(keys=None).start([MARKET], {MARKET: [BOOK]})
        assert driver.methods(MARKET) == ["public/set_heartbeat", "public/subscribe"]
        assert driver.connection.interval == "100ms"

    def test_signs_with_desk_time(self) -> None:
        driver = Driver().start([MARKET])
        (asked,) = driver.calls("public/auth")
        assert (asked["timestamp"], asked["signature"]) == (1_700_000_000_000, SIGNATURE)

    def test_that_is_refused_at_first_is_told_and_not_tried_again(self) -> None:
        driver = Driver()
        driver.answers["public/auth"] = Refused(13004, "invalid_credentials")
        driver.start([TRADING])
        ((link, error),) = driver.started
        assert link is TRADING
        assert isinstance(error, Declined)
        assert "13004 invalid_credentials" in str(error)
        assert driver.cuts == [(TRADING, "given up", False)]
        driver.wait(60)
        assert len(driver.dials) == 1
        assert not driver.links
        driver.answers["public/auth"] = {"access_token": "a", "expires_in": 900}
        driver.start([TRADING])
        assert driver.links == [(TRADING, True)]

    def test_of_a_channel_that_is_left_out_names_it_and_goes_on(self) -> None:
        driver = Driver()
        driver.answers["public/subscribe"] = [OTHER]
        driver.start([MARKET], {MARKET: [BOOK, OTHER]})
        assert driver.connection.up(MARKET)
        (fault,) = driver.faults
        assert isinstance(fault, LeftOut)
        assert f"did not subscribe {BOOK}" in str(fault)

    def test_without_our_own_messages_is_not_up(self) -> None:
        driver = Driver()
        driver.answers["private/subscribe"] = []
        driver.start([TRADING], {TRADING: [USER]})
        assert not driver.connection.up(TRADING)
        assert isinstance(driver.started[0][1], LeftOut)

    def test_that_waits_for_a_place_when_the_line_breaks_leaves_the_place_to_the_next(self) -> None:
        # Five requests of 200 channels; of ten places nine are ours, half of them to begin with.
        channels = {MARKET: [f"book.X{number}.raw" for number in range(1000)]}
        driver = Driver().start([MARKET], channels)
        assert len(driver.calls("public/subscribe")) == 4
        driver.sever(MARKET)
        assert isinstance(driver.started[0][1], LinkDown)
        driver.start([MARKET], channels)
        # Half a place is left, and 3.3 x 0.98 come back a second: five are there after 1.39 s.
        driver.wait(1.38)
        assert not driver.connection.up(MARKET)
        driver.wait(0.03)
        assert driver.connection.up(MARKET)

    def test_no_order_leaves_before_it_is_armed(self) -> None:
        driver = Driver()
        driver.answers["private/enable_cancel_on_disconnect"] = SILENCE
        driver.start([TRADING])
        (reply,) = replies_to(driver, TRADING, "private/buy")
        assert (reply.outcome, reply.sent) == (Outcome.UNKNOWN, False)
        assert not driver.calls("private/buy")

    def test_that_is_not_answered_is_given_up_after_a_while(self) -> None:
        driver = Driver()
        driver.answers["public/set_heartbeat"] = SILENCE
        driver.start([MARKET])
        driver.wait(1.4)
        assert not driver.started
        driver.wait(0.2)
        ((_, error),) = driver.started
        assert "no reply in time" in str(error)
        assert driver.cuts == [(MARKET, "given up", False)]


class TestComingBack:
    def test_waits_longer_each_time_and_never_long_for_the_lines_sake(self) -> None:
        driver = both_up()
        driver.lets_in = False
        driver.dials.clear()
        driver.sever(MARKET)
        driver.wait(10)
        assert driver.dials[0][1] == 0.25
        assert waits_s(driver)[:6] == pytest.approx([0.5, 1.0, 1.5, 1.5, 1.5, 1.5])
        driver.lets_in = True
        driver.wait(1.5)
        assert driver.links[2:] == [(MARKET, False), (MARKET, True)]
        assert all(isinstance(fault, LinkDown) for fault in driver.faults)

    def test_keeps_to_the_longest_wait_it_was_given(self) -> None:
        driver = Driver(timing=Timing(backoff_max_s=0.25)).start([MARKET])
        driver.lets_in = False
        driver.sever(MARKET)
        driver.wait(2)
        assert waits_s(driver)[1:] == pytest.approx([0.25] * 7)

    def test_gives_a_dial_ten_seconds_at_first_and_two_later(self) -> None:
        driver = Driver().start([MARKET])
        driver.sever(MARKET)
        driver.wait(1)
        assert [limit_s for _, _, limit_s in driver.dials] == [10.0, 10.0]
        driver = Driver()
        connection = driver.connection
        connection.start([MARKET], {}, START_NS)
        driver.now_ns = START_NS + SECOND // 2
        driver.carry_out(connection.opened(MARKET, driver.now_ns))
        driver.sever(MARKET)
        driver.wait(1)
        assert [limit_s for _, _, limit_s in driver.dials] == [2.0]

    def test_a_dial_that_took_all_its_time_is_repeated_soon(self) -> None:
        driver = both_up()
        driver.lets_in = False
        driver.sever(MARKET)
        driver.wait(3)
        connection, now_ns = driver.connection, driver.now_ns
        state = connection.links[MARKET]
        while not state.dialing:
            now_ns = connection.due_ns or now_ns
            driver.now_ns = now_ns
            connection.tick(now_ns)
        driver.now_ns += round(state.limit_s * SECOND)
        driver.dials.clear()
        driver.faults.clear()
        driver.sever(MARKET, "nobody lets us in")
        driver.wait(0.25)
        assert len(driver.dials) == 1, "there has been waiting enough"

    def test_a_link_that_stood_is_forgiven(self) -> None:
        driver = both_up()
        for _ in range(4):
            driver.sever(MARKET)
            driver.wait(2)
        driver.wait(10)
        driver.dials.clear()
        lost_s = driver.now_s
        driver.sever(MARKET)
        driver.wait(1)
        assert driver.dials[0][1] == pytest.approx(lost_s + 0.25)

    def test_asks_for_everything_again_and_for_cancel_on_disconnect_too(self) -> None:
        driver = both_up()
        armed: list[bool] = []
        driver.connection.on_link = lambda *_: armed.append(driver.connection.cod_enabled)
        driver.sent.clear()
        driver.sever(TRADING)
        assert not driver.connection.cod_enabled
        driver.wait(1)
        assert driver.methods(TRADING) == ENTERING
        assert armed == [False, True]

    @pytest.mark.parametrize(
        "answers",
        [
            {"private/get_cancel_on_disconnect": {"enabled": False}},
            {"private/get_cancel_on_disconnect": {"enabled": "yes"}},
            {"private/enable_cancel_on_disconnect": Refused(11050, "bad_request")},
        ],
    )
    def test_does_not_go_on_unprotected_where_it_was_protected(self, answers: Json) -> None:
        driver = both_up()
        right = dict(driver.answers)
        driver.answers |= answers
        driver.sever(TRADING)
        driver.wait(5)
        assert driver.links[2:] == [(TRADING, False)]
        assert any(isinstance(fault, Unarmed) for fault in driver.faults)
        driver.answers = right
        driver.wait(10)
        assert driver.links[2:] == [(TRADING, False), (TRADING, True)]
        assert driver.connection.cod_enabled

    def test_is_not_done_while_the_venue_does_not_want_us(self) -> None:
        driver = both_up()
        driver.answers["public/auth"] = Refused(13004, "invalid_credentials")
        driver.dials.clear()
        driver.sever(TRADING)
        driver.wait(100)
        assert waits_s(driver)[:8] == pytest.approx([0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 30.0])
        assert all("13004" in str(fault) for fault in driver.faults)

    def test_nothing_of_a_connection_survives_it(self) -> None:
        driver = both_up()
        driver.push(BOOK, FIRST)
        driver.sever(MARKET, "reset")
        assert driver.books[1:] == [("BTC-PERPETUAL", False, "reset")]
        driver.push(BOOK, FIRST)
        assert len(driver.books) == 2, "there is no connection that could have said it"

    def test_what_never_was_harms_nothing(self) -> None:
        connection = Connection("deribit", KEYS, Timing(), START_NS)
        for link in Link:
            assert not connection.receive(link, "{}", START_NS)
            assert not connection.opened(link, START_NS)
            assert not connection.closed(link, "why", START_NS)
        assert not connection.tick(START_NS)
        assert connection.due_ns is None


class TestTheSession:
    def test_10028_is_a_disconnect_with_a_pause(self) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        driver.answers["private/sell"] = Refused(10028, "too_many_requests")
        told: list[Reply] = []
        driver.do(lambda c: c.send(TRADING, "private/buy", {}, told.append))
        driver.dials.clear()
        at_s = driver.now_s
        driver.do(lambda c: c.send(TRADING, "private/sell", {}, told.append))
        assert [reply.outcome for reply in told] == [Outcome.REFUSED, Outcome.UNKNOWN]
        assert driver.cuts[0][0] is TRADING
        assert "10028" in driver.reasons[-1]
        driver.wait(4.9)
        assert not driver.dials
        driver.wait(0.2)
        assert driver.dials[0][1] == pytest.approx(at_s + 5.0)
        assert driver.connection.up(TRADING)

    def test_10028_while_signing_in_is_one_too(self) -> None:
        driver = both_up()
        driver.answers["public/auth"] = Refused(10028, "too_many_requests")
        driver.dials.clear()
        driver.sever(MARKET)
        driver.wait(5)
        assert len(driver.dials) == 1
        assert "10028" in str(driver.faults[0])
        driver.wait(1)
        assert len(driver.dials) == 2

    @pytest.mark.parametrize("code", [13009, 13004, 13021, 13403, 10000])
    def test_a_private_refusal_for_want_of_a_session_ends_it_and_signs_in_again(
        self, code: int
    ) -> None:
        driver = both_up()
        driver.answers["private/cancel"] = Refused(code, "unauthorized")
        driver.sent.clear()
        replies_to(driver, TRADING, "private/cancel")
        assert not driver.connection.up(TRADING)
        assert str(code) in driver.reasons[-1]
        driver.wait(1)
        assert driver.connection.up(TRADING)
        assert driver.methods(TRADING)[1:] == ENTERING

    def test_a_public_refusal_or_another_code_does_not(self) -> None:
        driver = both_up()
        driver.answers["public/get_time"] = Refused(13009, "unauthorized")
        driver.answers["private/cancel"] = Refused(11044, "not_open_order")
        replies_to(driver, MARKET, "public/get_time")
        replies_to(driver, TRADING, "private/cancel")
        assert driver.connection.up(MARKET)
        assert driver.connection.up(TRADING)

    def test_the_token_is_renewed_at_four_fifths_of_its_life(self) -> None:
        driver = Driver()
        driver.answers["public/auth"] = {"refresh_token": "r1", "expires_in": 100}
        driver.start([MARKET])
        driver.wait(79.9)
        assert len(driver.calls("public/auth")) == 1
        driver.wait(0.7)
        assert driver.calls("public/auth")[1:] == [
            {"grant_type": "refresh_token", "refresh_token": "r1"}
        ]
        driver.wait(80.5)
        assert len(driver.calls("public/auth")) == 3

    def test_a_token_that_cannot_be_renewed_ends_the_connection(self) -> None:
        driver = Driver()

        def auth(params: Json) -> Any:
            if params["grant_type"] == "refresh_token":
                return Refused(13009, "unauthorized")
            return {"refresh_token": "r1", "expires_in": 10}

        driver.answers["public/auth"] = auth
        driver.start([MARKET])
        driver.wait(8.1)
        assert driver.links == [(MARKET, True), (MARKET, False)]
        assert "could not be renewed" in driver.reasons[1]
        driver.wait(1)
        assert driver.calls("public/auth")[-1]["grant_type"] == "client_signature"
        assert driver.connection.up(MARKET)

    def test_silence_is_asked_about_and_then_taken_for_death(self) -> None:
        driver = Driver().start([MARKET])
        driver.answers["public/test"] = SILENCE
        driver.wait(10)
        assert not driver.calls("public/test")
        driver.wait(1)
        assert len(driver.calls("public/test")) == 1
        driver.wait(8.9)
        assert driver.connection.up(MARKET)
        driver.wait(0.7)
        assert driver.links == [(MARKET, True), (MARKET, False)]
        assert driver.reasons[1].startswith("nothing heard for 2")

    def test_the_venues_own_question_is_answered(self) -> None:
        driver = both_up()
        driver.say(TRADING, {"method": "heartbeat", "params": {"type": "test_request"}})
        assert driver.methods(TRADING)[-1] == "public/test"

    def test_a_cut_is_a_loss(self) -> None:
        driver = both_up()
        driver.do(lambda connection: connection.cut(TRADING, "it does not tell of our orders"))
        assert driver.cuts == [(TRADING, "it does not tell of our orders", False)]
        assert driver.links[2:] == [(TRADING, False)]
        driver.wait(1)
        assert driver.links[3:] == [(TRADING, True)]

    def test_leaving_says_goodbye_and_ends_what_is_in_flight(self) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        told = replies_to(driver, TRADING, "private/buy")
        assert driver.connection.stop(driver.now_ns) == [
            Cut(MARKET, "closed by us", politely=True),
            Cut(TRADING, "closed by us", politely=True),
        ]
        assert [(reply.outcome, reply.why) for reply in told] == [(Outcome.UNKNOWN, "closed by us")]
        driver.wait(60)
        assert len(driver.dials) == 2
        driver.start([MARKET])
        assert driver.connection.up(MARKET)

    def test_leaving_before_it_is_up_is_told_to_who_started_it(self) -> None:
        driver = Driver()
        driver.answers["public/auth"] = SILENCE
        driver.start([MARKET])
        driver.carry_out(driver.connection.stop(driver.now_ns))
        ((_, error),) = driver.started
        assert isinstance(error, Stopped)
        driver.wait(30)
        assert len(driver.dials) == 1


class TestBooks:
    def test_a_gap_is_told_at_once_and_a_new_snapshot_asked_for(self) -> None:
        driver = both_up()
        driver.push(BOOK, FIRST)
        driver.sent.clear()
        driver.push(BOOK, change(12, 13, [["new", 100.5, 1.0]], []))
        assert driver.books[1][:2] == ("BTC-PERPETUAL", False)
        driver.wait(0)
        assert driver.methods(MARKET) == ["public/unsubscribe", "public/subscribe"]
        assert driver.calls("public/subscribe") == [{"channels": [BOOK]}]
        driver.push(BOOK, FIRST)
        assert driver.books[2] == ("BTC-PERPETUAL", True, "")

    def test_gaps_in_a_row_are_one_batch_a_second(self) -> None:
        driver = both_up()
        driver.sent.clear()
        for number in range(40):
            driver.push(BOOK, snapshot(number, [], []))
            driver.push(BOOK, change(number + 5, number + 6, [], []))
            driver.wait(0.049)
        assert len(driver.calls("public/subscribe")) == 2, "in two seconds"

    def test_a_snapshot_that_does_not_come_is_asked_for_again(self) -> None:
        driver = Driver().start([MARKET], {MARKET: [BOOK]})
        driver.wait(4.9)
        assert len(driver.calls("public/subscribe")) == 1
        driver.wait(1.2)
        assert len(driver.calls("public/subscribe")) == 2

    def test_unsubscribing_ends_them(self) -> None:
        driver = both_up()
        driver.push(BOOK, FIRST)
        driver.do(lambda connection: connection.unsubscribe(MARKET, [BOOK]))
        assert driver.books[-1] == ("BTC-PERPETUAL", False, "unsubscribed")
        assert driver.calls("public/unsubscribe") == [{"channels": [BOOK]}]
        driver.push(BOOK, FIRST)
        assert len(driver.books) == 2

    def test_a_channel_asked_for_while_the_link_is_down_follows(self) -> None:
        driver = both_up()
        driver.sever(MARKET)
        driver.do(lambda connection: connection.subscribe(MARKET, [TICKER]))
        driver.wait(1)
        assert TICKER in driver.calls("public/subscribe")[-1]["channels"]
        assert not driver.faults


class TestFrames:
    @pytest.mark.parametrize(
        "form", [dict, lambda f: orjson.dumps(f), lambda f: str(orjson.dumps(f), "utf8")]
    )
    def test_are_objects_text_or_bytes(self, form: Callable[[Json], Any]) -> None:
        driver = both_up()
        params = {"channel": BOOK, "data": FIRST}
        driver.say(MARKET, form({"method": "subscription", "params": params}))
        assert driver.books == [("BTC-PERPETUAL", True, "")]

    @pytest.mark.parametrize(
        "frame",
        [
            "garbage",
            b"\xff\x00",
            "[1, 2]",
            "null",
            {},
            {"method": "subscription"},
            {"method": "subscription", "params": []},
            {"method": "subscription", "params": {"channel": None, "data": {}}},
            {"method": "news", "params": {}},
            {"method": ["subscription"]},
        ],
    )
    def test_that_nobody_can_read_make_every_book_of_the_link_doubtful(self, frame: Any) -> None:
        driver = both_up()
        driver.push(BOOK, FIRST)
        driver.push(OTHER, OTHERS)
        driver.say(MARKET, frame)
        assert driver.unreadable == [MARKET]
        assert driver.books[2:] == [
            ("BTC-PERPETUAL", False, "a frame could not be read"),
            ("ETH-PERPETUAL", False, "a frame could not be read"),
        ]
        driver.say(TRADING, frame)
        assert driver.unreadable == [MARKET, TRADING]
        assert driver.connection.up(MARKET)
        assert driver.connection.up(TRADING)

    @pytest.mark.parametrize("data", [None, "x", 5])
    def test_of_a_private_channel_without_data_are_told(self, data: Any) -> None:
        driver = both_up()
        driver.push(USER, data, TRADING)
        assert driver.unreadable == [TRADING]
        assert not driver.user

    def test_a_ticker_of_another_instrument_is_none(self) -> None:
        driver = both_up()
        driver.push(TICKER, {"instrument_name": "ETH-PERPETUAL"})
        assert driver.tickers == [("BTC-PERPETUAL", {})]
        assert len(driver.faults) == 1

    def test_handlers_that_raise_are_contained(self) -> None:
        driver = both_up()

        def fail(*_: Any) -> None:
            raise RuntimeError("a bug in a handler")

        connection = driver.connection
        connection.on_book = connection.on_user = connection.on_link = fail
        driver.push(BOOK, FIRST)
        driver.push(USER, {}, TRADING)
        driver.do(lambda c: c.send(MARKET, "public/test", {}, fail))
        driver.do(lambda c: c.after(1.0, fail))
        driver.wait(1.0)
        driver.sever(MARKET)
        assert [str(fault) for fault in driver.faults] == ["a bug in a handler"] * 6
        connection.on_fault = fail
        driver.say(MARKET, "garbage")
        driver.wait(1)
        assert connection.up(MARKET)


class TestRequests:
    def test_end_unknown_at_their_deadline_and_the_late_reply_is_heard(self) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        told = replies_to(driver, TRADING, "private/buy", 2.0)
        driver.wait(1.999)
        assert not told
        driver.wait(0.002)
        assert (told[0].outcome, told[0].sent) == (Outcome.UNKNOWN, True)
        driver.say(TRADING, {"id": told[0].id, "result": {"order": 1}})
        assert [(reply.id, reply.outcome) for reply in driver.late] == [(told[0].id, Outcome.OK)]
        assert len(told) == 1

    def test_with_an_earlier_deadline_do_not_wait_for_a_later_one(self) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        later = replies_to(driver, TRADING, "private/buy", 9.0)
        sooner = replies_to(driver, TRADING, "private/buy", 1.0)
        driver.wait(1.1)
        assert (len(later), len(sooner)) == (0, 1)
        driver.wait(8)
        assert len(later) == 1

    def test_a_reply_ends_the_request_of_its_id_alone(self) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        first, second = (replies_to(driver, TRADING, "private/buy") for _ in range(2))
        id_ = driver.sent[-1][1]["id"]
        driver.say(TRADING, {"id": id_, "result": "second"})
        assert not first
        assert second[0].result == "second"

    @pytest.mark.parametrize("id_", [99_999, "x", 1.5, [], {"a": 1}, True])
    def test_a_reply_to_none_of_ours_is_a_fault(self, id_: Any) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        told = replies_to(driver, TRADING, "private/buy")
        driver.say(TRADING, {"id": id_, "result": 1})
        assert not told
        assert len(driver.faults) + len(driver.late) == 1

    def test_a_second_copy_of_a_reply_is_a_late_one(self) -> None:
        driver = both_up()
        told = replies_to(driver, MARKET, "public/test")
        driver.say(MARKET, {"id": told[0].id, "result": "again"})
        assert len(told) == len(driver.late) == 1

    def test_end_unknown_with_their_link_in_the_order_of_their_making(self) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        told: list[Reply] = []
        ids = [
            driver.do(lambda c: c.send(TRADING, "private/buy", {}, told.append)) for _ in range(3)
        ]
        driver.sever(TRADING, "reset")
        assert [(r.id, r.outcome, r.why) for r in told] == [
            (id_, Outcome.UNKNOWN, "reset") for id_ in ids
        ]

    def test_are_never_answered_from_within_the_sending(self) -> None:
        driver = Driver()
        told: list[Reply] = []
        driver.connection.at(driver.now_ns)
        driver.connection.send(TRADING, "private/buy", {}, told.append)
        assert not told
        assert driver.connection.due_ns == driver.now_ns
        driver.connection.tick(driver.now_ns)
        assert [(r.outcome, r.sent) for r in told] == [(Outcome.UNKNOWN, False)]

    def test_that_could_not_be_written_have_not_left(self) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        told = replies_to(driver, TRADING, "private/buy")
        frame = driver.sent[-1][1]
        driver.carry_out(driver.connection.unsent(frame, "the buffer is full", driver.now_ns))
        assert [(r.outcome, r.sent, r.why) for r in told] == [
            (Outcome.UNKNOWN, False, "the buffer is full")
        ]
        driver.wait(5)
        assert len(told) == 1

    def test_go_on_when_desk_time_is_set_back(self) -> None:
        driver = both_up()
        driver.answers["private/buy"] = SILENCE
        told = replies_to(driver, TRADING, "private/buy", 2.0)
        driver.wait(1.0)
        driver.now_ns -= 400 * 24 * 3600 * SECOND
        driver.carry_out(driver.connection.tick(driver.now_ns))
        driver.wait(0.9)
        assert not told
        driver.wait(0.2)
        assert len(told) == 1
