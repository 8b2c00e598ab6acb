"""Lines of one kind: one in ten seconds, and how many there were."""

import logging

import pytest

from mmbot.ops.limit import ALWAYS, KINDS_MAX, Limit, about


class Log:
    """What a handler with the limit shows of records at moments of our choosing."""

    def __init__(self) -> None:
        self.limit, self.shown = Limit(), list[str]()

    def say(
        self,
        at_s: float,
        template: str,
        *args: object,
        level: int = logging.INFO,
        name: str = "mmbot",
        always: bool = False,
        venue: str = "",
    ) -> None:
        record = logging.LogRecord(name, level, "file.py", 1, template, args, None)
        record.created = 1_000_000.0 + at_s
        if always:
            record.__dict__ |= ALWAYS
        if venue:
            record.__dict__ |= about(venue)
        if self.limit.filter(record):
            self.shown.append(record.getMessage())


@pytest.fixture
def log() -> Log:
    return Log()


def test_the_first_of_a_kind_is_shown_and_the_next_ten_seconds_are_counted(log: Log) -> None:
    for tenth in range(100):
        log.say(tenth / 10, "book of %s lost", f"ETH-{tenth}")
    assert log.shown == ["book of ETH-0 lost"]
    log.say(10.0, "book of %s lost", "BTC")
    assert log.shown[1:] == ["book of BTC lost (99 more like it in the last 10 s)"]
    log.say(19.9, "book of %s lost", "SOL")
    log.say(47.0, "book of %s lost", "XRP")
    assert log.shown[2:] == ["book of XRP lost (1 more like it in the last 37 s)"]


def test_a_kind_that_is_rare_is_always_shown_and_counts_nothing(log: Log) -> None:
    for at_s in (0.0, 10.0, 20.0):
        log.say(at_s, "place %s", "x")
    assert log.shown == ["place x"] * 3


def test_what_befalls_one_venue_does_not_hide_that_it_befell_another(log: Log) -> None:
    for at_s in (0.0, 0.1, 10.1):
        for venue in ("deribit", "hedge"):
            log.say(at_s, "%s link down", venue, venue=venue)
    more = " (1 more like it in the last 10 s)"
    assert log.shown == [
        "deribit link down",
        "hedge link down",
        f"deribit link down{more}",
        f"hedge link down{more}",
    ]


def test_another_template_level_or_logger_is_another_kind(log: Log) -> None:
    log.say(0.0, "link %s", "down")
    log.say(0.1, "link %s!", "down")
    log.say(0.2, "link %s", "down", level=logging.WARNING)
    log.say(0.3, "link %s", "down", name="mmbot.engine")
    log.say(0.4, "link %s", "up")
    assert log.shown == ["link down", "link down!", "link down", "link down"]


def test_what_must_be_heard_is_neither_held_back_nor_counted(log: Log) -> None:
    for at_s in (0.0, 0.1, 0.2):
        log.say(at_s, "still open: %s", at_s, level=logging.ERROR, always=True)
    assert log.shown == ["still open: 0.0", "still open: 0.1", "still open: 0.2"]


def test_a_percent_sign_in_what_is_said_is_told_as_it_is(log: Log) -> None:
    for at_s in (0.0, 1.0, 11.0):
        log.say(at_s, "%s", "100 %s full")
    assert log.shown[1] == "100 %s full (1 more like it in the last 11 s)"


def test_a_clock_that_is_set_back_silences_nothing(log: Log) -> None:
    log.say(0.0, "a line")
    log.say(-3600.0, "a line")
    assert log.shown == ["a line", "a line"]


def test_templates_without_end_are_forgotten(log: Log) -> None:
    for number in range(3 * KINDS_MAX):
        log.say(0.0, f"template {number}")
    assert len(log.shown) == 3 * KINDS_MAX
    assert len(log.limit._kinds) <= KINDS_MAX
