"""The client's parts that need no connection: the book, the table of requests, the limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.venues.deribit import Book, Limits, Outcome, Rate, Reply
from mmbot.venues.deribit.limits import Bucket
from mmbot.venues.deribit.requests import Requests, reply_of
from tests.wire.scripted import LIMITS, change, snapshot

SOCKET, OTHER = "socket", "other socket"


def a_book(*messages: dict[str, Any]) -> Book:
    book = Book("book.X.raw", "X")
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

    def test_a_malformed_message_leaves_it_invalid(self) -> None:
        for rows in ([["new", 1.0]], [1.0], None, [["new", "1", None, 2]]):
            book = a_book(self.FIRST)
            with pytest.raises((TypeError, ValueError, KeyError, IndexError)):
                book.apply({**change(1, 2, [], []), "bids": rows})
            assert not book.valid
            assert book.levels() == ((), ())

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
        requests.add(id_, SOCKET, None, 5.0)
        assert requests.take(id_) == (True, None)
        assert requests.take(id_) == (False, None)
        assert requests.take_expired(9.0) == []
        assert requests.take_all(SOCKET) == []

    def test_expire_in_the_order_of_their_deadlines(self) -> None:
        requests = Requests()
        for id_, deadline in ((1, 3.0), (2, 1.0), (3, 2.0)):
            requests.add(id_, SOCKET, None, deadline)
        assert [id_ for id_, _ in requests.take_expired(2.0)] == [2, 3]
        assert len(requests) == 1

    def test_of_one_socket_end_together(self) -> None:
        requests = Requests()
        for id_, socket in ((1, SOCKET), (2, OTHER), (3, SOCKET)):
            requests.add(id_, socket, None, 1.0)
        assert [id_ for id_, _ in requests.take_all(SOCKET)] == [1, 3]
        assert [id_ for id_, _ in requests.take_expired(1.0)] == [2]

    @pytest.mark.parametrize("id_", ["1", 1.5, None, [], 7])
    def test_nobody_asked_for(self, id_: Any) -> None:
        assert Requests().take(id_) == (False, None)

    def test_a_result_may_be_null_or_false(self) -> None:
        assert reply_of({"id": 1, "result": None}) == Reply(1, Outcome.OK, None)
        assert reply_of({"id": 1, "result": 0}).result == 0


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
