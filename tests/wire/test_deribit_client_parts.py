"""The client's parts that need no connection: the book, the table of requests, the limits."""

import math
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.venues.book import MalformedBook
from mmbot.venues.deribit import Book, Limits
from mmbot.venues.deribit.dialect import DERIBIT
from mmbot.venues.rates import Bucket, Rate
from mmbot.venues.requests import Outcome, Pending, Reply, Requests, reply_of
from tests.wire.scripted import LIMITS, change, snapshot

SOCKET, OTHER = "socket", "other socket"


def a_book(*messages: dict[str, Any]) -> Book:
    book = Book("book.BTC-PERPETUAL.raw", "BTC-PERPETUAL")
    for message in messages:
        book.apply(message)
    return book


class TestBook:
    FIRST = snapshot(1, [[10.0, 1.0], [9.0, 2.0]], [[11.0, 3.0], [12.0, 4.0]])

    def test_is_invalid_before_the_first_snapshot(self) -> None:
        book = a_book()
        assert not book.valid
        assert book.top(5) == ((), ())
        assert not book.apply(change(0, 1, [["new", 1.0, 1.0]], []))
        assert not book.valid

    def test_is_best_first(self) -> None:
        book = a_book(self.FIRST)
        assert book.top(1) == (((10.0, 1.0),), ((11.0, 3.0),))
        assert book.top(9) == (((10.0, 1.0), (9.0, 2.0)), ((11.0, 3.0), (12.0, 4.0)))
        assert book.top(0) == ((), ())
        assert (book.change_id, book.timestamp_ms) == (1, self.FIRST["timestamp"])

    def test_takes_new_changed_and_deleted_levels(self) -> None:
        book = a_book(
            self.FIRST,
            change(
                1,
                4,
                [["new", 9.5, 7.0], ["change", 9.0, 5.0], ["delete", 10.0, 0.0]],
                [["delete", 99.0, 0.0]],
            ),
        )
        assert book.valid
        assert book.levels() == (((9.5, 7.0), (9.0, 5.0)), ((11.0, 3.0), (12.0, 4.0)))
        assert book.change_id == 4

    def test_is_invalid_and_empty_from_the_gap_on(self) -> None:
        book = a_book(self.FIRST)
        assert not book.apply(change(2, 3, [["new", 9.5, 7.0]], []))
        assert not book.valid
        assert book.why == "gap: a change to 2, the book is at 1"
        assert book.levels() == ((), ())
        assert not book.apply(change(1, 2, [], []))
        assert not book.valid

    @pytest.mark.parametrize("previous", [None, 0, 2])
    def test_believes_only_its_own_successor(self, previous: Any) -> None:
        assert not a_book(self.FIRST, change(previous, 5, [], [])).valid

    def test_is_whole_again_after_a_snapshot(self) -> None:
        book = a_book(self.FIRST, change(7, 8, [], []), snapshot(20, [[5.0, 1.0]], []))
        assert book.valid
        assert book.why == ""
        assert book.levels() == (((5.0, 1.0),), ())

    def test_says_once_that_it_became_invalid(self) -> None:
        book = a_book(self.FIRST)
        assert book.invalidate("reason")
        assert not book.invalidate("reason")

    def test_a_message_without_a_type_that_stands_on_another_is_a_change(
        self,
    ) -> None:
        # As recorded in 2020: prev_change_id, and no type.
        untyped = change(1, 2, [["new", 9.5, 7.0]], [])
        del untyped["type"]
        book = a_book(self.FIRST, untyped)
        assert book.levels()[0] == ((10.0, 1.0), (9.5, 7.0), (9.0, 2.0))
        assert not a_book(self.FIRST, {**untyped, "prev_change_id": 7}).valid

    @pytest.mark.parametrize("extra", [{}, {"prev_change_id": None}, {"type": None}])
    def test_one_that_names_neither_is_a_snapshot(self, extra: dict[str, Any]) -> None:
        grouped = {**self.FIRST, "bids": [[8.0, 1.0]], "asks": [], **extra}
        if "type" not in extra:
            del grouped["type"]
        assert a_book(self.FIRST, grouped).levels() == (((8.0, 1.0),), ())

    def test_a_snapshot_may_say_that_it_stands_on_nothing(self) -> None:
        assert a_book({**self.FIRST, "prev_change_id": None}).valid

    BROKEN: ClassVar[dict[str, dict[str, Any]]] = {
        "of an unknown type": {"type": "delta"},
        "about another instrument": {"instrument_name": "ETH-PERPETUAL"},
        "whose id is a word": {"change_id": "2"},
        "whose id is a fraction": {"change_id": 2.5},
        "whose id is true": {"change_id": True},
        "without a time": {"timestamp": None},
        "without bids": {"bids": None},
        "whose asks are a word": {"asks": ""},
        "whose rows are numbers": {"bids": [1.0]},
        "with a row too short": {"bids": [["new", 9.5]]},
        "with a row too long": {"bids": [["new", 9.5, 1.0, 2]]},
        "with an unknown action": {"bids": [["newer", 9.5, 1.0]]},
        "with a price of zero": {"bids": [["new", 0.0, 1.0]]},
        "with a price below zero": {"asks": [["new", -9.5, 1.0]]},
        "with a price of null": {"bids": [["delete", None, 0.0]]},
        "with a price in words": {"bids": [["new", "9.5", 1.0]]},
        "with a price of true": {"bids": [["new", True, 1.0]]},
        "with an infinite price": {"bids": [["new", math.inf, 1.0]]},
        "with a price that is no number": {"bids": [["new", math.nan, 1.0]]},
        "with an amount of zero": {"bids": [["change", 9.0, 0.0]]},
        "with an amount below zero": {"bids": [["new", 9.5, -1.0]]},
        "with an amount of null": {"bids": [["new", 9.5, None]]},
        "with an amount in words": {"bids": [["new", 9.5, "1.0"]]},
        "with an amount of true": {"bids": [["new", 9.5, True]]},
        "with an infinite amount": {"bids": [["new", 9.5, math.inf]]},
    }

    @pytest.mark.parametrize("kind", ["change", "snapshot"])
    @pytest.mark.parametrize("flaw", BROKEN)
    def test_is_invalid_and_empty_after_a_message(self, flaw: str, kind: str) -> None:
        book = a_book(self.FIRST)
        good = [["new", 9.7, 1.0]]
        message = {**change(1, 2, good, good), "type": kind, **self.BROKEN[flaw]}
        with pytest.raises(MalformedBook):
            book.apply(message)
        assert not book.valid
        assert book.levels() == ((), ())
        assert not book.apply(change(1, 2, [], [])), "until the next snapshot"
        assert book.apply(self.FIRST)

    @pytest.mark.parametrize("data", [None, "book", 7, [], ["bids"], {}])
    def test_is_invalid_after_what_is_no_message(self, data: Any) -> None:
        book = a_book(self.FIRST)
        with pytest.raises(MalformedBook):
            book.apply(data)
        assert not book.valid

    @pytest.mark.parametrize("amount", [0, 0.0, 5.0, -1.0, None])
    def test_a_level_goes_whatever_its_amount(self, amount: Any) -> None:
        book = a_book(self.FIRST, change(1, 2, [["delete", 10.0, amount]], []))
        assert book.levels()[0] == ((9.0, 2.0),)

    def test_knows_that_it_is_crossed(self) -> None:
        book = a_book(self.FIRST)
        assert not book.crossed
        for number, (price, crossed) in enumerate(((11.0, True), (11.5, True)), start=1):
            book.apply(change(number, number + 1, [["new", price, 1.0]], []))
            assert book.crossed is crossed
        book.apply(change(3, 4, [["delete", 11.0, 0.0], ["delete", 11.5, 0.0]], []))
        assert not book.crossed
        assert not a_book(snapshot(1, [[5.0, 1.0]], [])).crossed

    @given(
        steps=st.lists(
            st.lists(
                st.tuples(st.booleans(), st.integers(1, 12), st.integers(0, 5)),
                max_size=4,
                unique_by=lambda row: row[:2],
            ),
            max_size=12,
        )
    )
    def test_equals_a_plain_table_of_levels(self, steps: list[Any]) -> None:
        book = a_book(snapshot(0, [], []))
        sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        for number, rows in enumerate(steps):
            message = change(number, number + 1, [], [])
            for is_ask, price, amount in rows:
                side = sides[is_ask]
                action = "delete" if not amount else "change" if price in side else "new"
                message["asks" if is_ask else "bids"].append([action, float(price), float(amount)])
                side.pop(price, None)
                if amount:
                    side[float(price)] = float(amount)
            assert book.apply(message)
        bids, asks = book.levels()
        assert list(bids) == sorted(sides[0].items(), reverse=True)
        assert list(asks) == sorted(sides[1].items())


class TestRequests:
    def test_end_once(self) -> None:
        requests = Requests()
        id_ = requests.next_id()
        requests.add(id_, SOCKET, "private/buy", None, 5.0)
        assert requests.take(id_) == Pending(SOCKET, "private/buy", None, 5.0)
        assert requests.take(id_) is None
        assert requests.take_expired(9.0) == []
        assert requests.take_all(SOCKET) == []

    def test_expire_in_the_order_of_their_deadlines(self) -> None:
        requests = Requests()
        for id_, deadline in ((1, 3.0), (2, 1.0), (3, 2.0)):
            requests.add(id_, SOCKET, "private/buy", None, deadline)
        assert [id_ for id_, _ in requests.take_expired(2.0)] == [2, 3]
        assert len(requests) == 1

    def test_of_one_socket_end_together(self) -> None:
        requests = Requests()
        for id_, socket in ((1, SOCKET), (2, OTHER), (3, SOCKET)):
            requests.add(id_, socket, "private/buy", None, 1.0)
        assert [id_ for id_, _ in requests.take_all(SOCKET)] == [1, 3]
        assert [id_ for id_, _ in requests.take_expired(1.0)] == [2]

    @pytest.mark.parametrize("id_", ["1", 1.0, True, None, [], 7])
    def test_nobody_asked_for(self, id_: Any) -> None:
        requests = Requests()
        requests.add(1, SOCKET, "private/buy", None, 1.0)
        assert requests.take(id_) is None

    @pytest.mark.parametrize("error", ["no", 5, [], {}, {"code": "10009"}, {"code": True}])
    def test_an_error_of_another_shape_leaves_it_open(self, error: Any) -> None:
        reply = reply_of(DERIBIT, {"id": 1, "error": error})
        assert (reply.outcome, reply.error) == (Outcome.UNKNOWN, None)
        assert "cannot be read" in reply.why

    def test_a_result_may_be_null_or_false(self) -> None:
        null = Reply(1, Outcome.OK, None, venue="deribit")
        assert reply_of(DERIBIT, {"id": 1, "result": None}) == null
        assert reply_of(DERIBIT, {"id": 1, "result": 0}).result == 0


class TestLimits:
    def test_are_read_from_the_account(self) -> None:
        limits = Limits.from_venue(LIMITS)
        assert limits.matching == Rate(200.0, 250.0)
        assert limits.quotes == Rate(500.0, 500.0)

    def test_of_several_currencies_count_as_the_slowest(self) -> None:
        per_currency = {"BTC": {"rate": 30, "burst": 100}, "ETH": {"rate": 5, "burst": 20}}
        limits = Limits.from_venue({"matching_engine": {"trading": per_currency}})
        assert limits.matching == Rate(5.0, 20.0)

    @pytest.mark.parametrize(
        "stated", [{}, {"matching_engine": None}, {"matching_engine": {"trading": "fast"}}]
    )
    def test_that_are_not_stated_are_the_lowest(self, stated: dict[str, Any]) -> None:
        assert Limits.from_venue(stated) == Limits()


class TestBucket:
    def test_spends_its_burst_and_then_its_rate(self) -> None:
        bucket = Bucket(Rate(2.0, 3.0), 0.0)
        assert [bucket.take(0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
        assert bucket.take(0.5) == 0.0
        assert bucket.take(0.75) == pytest.approx(0.25)

    def test_keeps_a_reserve_for_those_who_may_use_it(self) -> None:
        bucket = Bucket(Rate(1.0, 3.0), 0.0)
        assert [bucket.take(0.0, keep=2.0) for _ in range(2)] == [0.0, 1.0]
        assert [bucket.take(0.0) for _ in range(2)] == [0.0, 0.0]

    def test_never_holds_more_than_its_burst(self) -> None:
        bucket = Bucket(Rate(1.0, 2.0), 0.0)
        assert [bucket.take(1e6) for _ in range(3)] == [0.0, 0.0, 1.0]

    def test_a_clock_that_steps_back_gives_nothing_away(self) -> None:
        bucket = Bucket(Rate(1.0, 1.0), 10.0)
        assert bucket.take(10.0) == 0.0
        assert bucket.take(5.0) == 1.0
