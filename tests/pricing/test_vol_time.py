"""Time as variance sees it, by the calendar."""

from datetime import UTC, datetime

import pytest

from mmbot.pricing.vol_time import Event, VolTime


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


# 2026-01-05 is a Monday.
@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-01-05", "2026-01-06", 1.0),
        ("2026-01-05T12:00", "2026-01-06T00:00", 0.5),
        ("2026-01-10", "2026-01-11", 0.7),  # a Saturday
        ("2026-01-09", "2026-01-12", 1 + 2 * 0.7),  # Friday to Monday
        ("2026-01-09T12:00", "2026-01-10T12:00", 0.5 + 0.35),
        ("2026-01-05", "2026-01-12", 5 + 2 * 0.7),
        ("2026-01-05", "2026-02-02", 4 * 6.4),
        ("2026-01-11T08:00", "2026-01-16T08:00", 0.7 * 2 / 3 + 4 + 1 / 3),
    ],
)
def test_weekends_pass_more_slowly(start: str, end: str, days: float) -> None:
    assert VolTime().days(at(start), at(end)) == pytest.approx(days, abs=1e-9)


def test_an_event_adds_its_variance_once_it_is_over() -> None:
    time = VolTime(weekend_weight=1.0, events=(Event(at("2026-01-07T14:00"), 0.5),))
    assert time.days(at("2026-01-07"), at("2026-01-08")) == pytest.approx(1.5)
    assert time.days(at("2026-01-08"), at("2026-01-09")) == pytest.approx(1.0)
    assert time.days(at("2026-01-07"), at("2026-01-07T13:00")) == pytest.approx(13 / 24)
    # At its very moment it has happened.
    assert time.days(at("2026-01-07T14:00"), at("2026-01-08")) == pytest.approx(10 / 24)


def test_what_is_left_shrinks_from_one_to_nothing() -> None:
    time, start, end = VolTime(), at("2026-01-09"), at("2026-01-12")
    assert time.left(start, start, end) == 1.0
    assert time.left(start, at("2026-01-10"), end) == pytest.approx(1.4 / 2.4)
    assert time.left(start, end, end) == 0.0
    assert time.left(start, at("2026-01-13"), end) == 0.0
    assert time.left(end, end, end) == 0.0
