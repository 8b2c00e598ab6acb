"""When a ticker and a book cannot both be true, by hand."""

from typing import Any

import pytest

from mmbot.venues.contradiction import Best, Contradiction

TICKER = {"timestamp": 5, "best_bid_price": 100.0, "best_ask_price": 101.0}


def said(**over: Any) -> Best | None:
    return Best.stated({**TICKER, **over})


class TestBest:
    def test_is_read_from_a_ticker(self) -> None:
        assert said() == Best(5, 100.0, 101.0)

    @pytest.mark.parametrize("nobody", [None, 0, 0.0])
    def test_of_an_empty_side_is_zero_or_null(self, nobody: Any) -> None:
        best = said(best_bid_price=nobody)
        assert best == Best(5, 0.0, 101.0)
        assert best.agrees(None, 101.0)
        assert not best.agrees(100.0, 101.0)

    @pytest.mark.parametrize("nonsense", ["100.0", True, -1.0, float("nan"), [], {}])
    def test_that_cannot_be_read_is_not_stated(self, nonsense: Any) -> None:
        best = said(best_ask_price=nonsense)
        assert best == Best(5, 100.0, None)
        assert best.agrees(100.0, None)
        assert best.agrees(100.0, 77.0)

    def test_that_is_missing_is_not_stated(self) -> None:
        assert Best.stated({"timestamp": 5, "best_bid_price": 100.0}) == Best(5, 100.0, None)
        assert Best.stated({"timestamp": 5}) is None

    @pytest.mark.parametrize("timestamp", [None, "5", 5.0, True])
    def test_without_a_time_says_nothing(self, timestamp: Any) -> None:
        assert said(timestamp=timestamp) is None


class TestContradiction:
    def test_of_three_tickers_over_two_silent_seconds_is_doubt(self) -> None:
        doubt = Contradiction(Best(5, 100.0, 101.0), 10.0)
        assert not doubt.again(Best(6, 100.0, 101.0), 11.0)
        assert not doubt.again(Best(6, 100.0, 101.0), 11.9)
        assert doubt.again(Best(7, 100.0, 101.0), 12.0)

    def test_of_a_ticker_before_a_stall_and_one_behind_it_is_none_yet(self) -> None:
        doubt = Contradiction(Best(5, 100.0, 101.0), 10.0)
        assert not doubt.again(Best(6, 100.0, 101.0), 14.0)

    def test_of_a_book_that_still_speaks_takes_ten_seconds(self) -> None:
        doubt = Contradiction(Best(5, 100.0, 101.0), 10.0)
        for now_s in range(11, 20):
            assert not doubt.again(Best(6, 100.0, 101.0), float(now_s))
            assert not doubt.settled(99.0, 101.0, 6, now_s + 0.5)
        assert doubt.again(Best(7, 100.0, 101.0), 20.0)

    def test_is_settled_by_a_book_that_comes_to_where_the_ticker_was(self) -> None:
        doubt = Contradiction(Best(5, 100.0, 101.0), 10.0)
        assert doubt.settled(100.0, 101.0, 5, 10.1)
        assert not doubt.settled(100.0, 102.0, 5, 10.1)
        assert not doubt.settled(100.0, 101.0, 4, 10.1), "a book older than it proves nothing"
