"""Reference prices on a tape: taken again, kept in the state, and told in words."""

from pathlib import Path

import pytest

from mmbot.core import events as ev
from mmbot.core.types import MS
from mmbot.tape.codec import decode_state, encode_state
from mmbot.tape.words import Topic, event_lines
from tests.builders import NOW_NS
from tests.tape.taped import TapedBot, again


def test_turns_with_references_are_taken_again_and_the_state_comes_back(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path)
    bot.quote()
    told = [
        ev.ReferenceChanged("binance", "ETH", price, stamp_ms, bot.now_ns)
        for price, stamp_ms in ((2850.0, None), (2851.0, bot.ms), (float("nan"), bot.ms))
    ]
    bot.turn(*told, bot.book())
    assert decode_state(encode_state(bot.state)).references == bot.state.references
    (file,) = bot.files()
    turns = again(file)
    assert [turn.difference for turn in turns if turn.difference] == []
    kept = [e for turn in turns for e in turn.events if isinstance(e, ev.ReferenceChanged)]
    assert [str(event.price) for event in kept] == ["2850.0", "2851.0", "nan"]
    assert kept[:2] == told[:2]


@pytest.mark.parametrize(
    ("stamp_ms", "text"),
    [
        (None, "BTC 104000.125 by binance"),
        (NOW_NS // MS - 40, "BTC 104000.125 by binance, 40 ms on its way"),
    ],
)
def test_a_reference_in_words(stamp_ms: int | None, text: str) -> None:
    (line,) = event_lines(ev.ReferenceChanged("binance", "BTC", 104_000.125, stamp_ms, NOW_NS), {})
    assert (line.topic, line.word, line.text) == (Topic.TICKERS, "ref", text)
