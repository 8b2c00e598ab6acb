"""Every event and every intent has words, whatever it holds."""

from typing import Any

import pytest
from hypothesis import given, settings

from mmbot.core.types import Nanos
from mmbot.tape.codec import EVENTS, INTENTS
from mmbot.tape.words import clock_text, event_lines, intent_line
from tests.builders import NOW_NS
from tests.tape.test_codec import anything


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_words(name: str) -> None:
    @settings(max_examples=20, deadline=None)
    @given(anything(EVENTS[name]))
    def has_words(event: Any) -> None:
        lines = list(event_lines(event, {}))
        assert lines
        assert all(line.word and len(line.word) <= 8 for line in lines)

    has_words()


@pytest.mark.parametrize("name", INTENTS)
def test_every_intent_has_words(name: str) -> None:
    @settings(max_examples=20, deadline=None)
    @given(anything(INTENTS[name]))
    def has_words(intent: Any) -> None:
        assert len(intent_line(intent).word) <= 8

    has_words()


@pytest.mark.parametrize(
    ("at_ns", "text"),
    [(NOW_NS, "12:00:00.000"), (NOW_NS + 3_723_004_999_999, "13:02:03.004")],
)
def test_the_time_of_the_day(at_ns: Nanos, text: str) -> None:
    assert clock_text(at_ns) == text
