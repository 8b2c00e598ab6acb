"""A progress bar comes late, and on a terminal only."""

import sys

import pytest

from mmbot.cli.late_bar import LateBar


class Terminal:
    """A stderr that is, or is not, a terminal."""

    def __init__(self, tty: bool) -> None:
        self.tty, self.text = tty, ""

    def isatty(self) -> bool:
        return self.tty

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def shown(seconds: list[float], tty: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is written by a bar that is told of progress at these seconds."""
    stderr, clock = Terminal(tty), iter([0.0, *seconds])
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with LateBar("reading", lambda: next(clock)) as bar:
        for number, _ in enumerate(seconds):
            bar.at(number / len(seconds))
    return stderr.text


def test_what_is_done_within_two_seconds_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown([0.5, 1.0, 1.9], True, monkeypatch) == ""


def test_what_takes_longer_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "reading" in shown([0.5, 2.1, 2.3, 2.31], True, monkeypatch)


def test_where_nobody_looks_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown([0.5, 2.1, 2.3], False, monkeypatch) == ""
