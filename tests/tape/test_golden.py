"""Golden tapes: small recorded runs whose every decision must come out the same.

They are: a quiet market, fills, a reconnect with a fill in its snapshot, and the kill switch. A
difference here is a change of what the bot decides. If it is meant, look at it with

    mmbot tape verify tests/tape/golden/NAME.tape.zst

and record them anew with

    .venv/bin/python -m tests.tape.record
"""

from pathlib import Path

import pytest

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities
from mmbot.core.intents import Amend, CancelAll, Place, Resync, SaveLatch
from mmbot.tape.folder import SUFFIX
from mmbot.tape.reader import TapeFile
from mmbot.tape.replay import Replay
from tests.tape.record import GOLDEN, SCENES
from tests.tape.taped import again

MUST_HAVE: dict[str, tuple[type, ...]] = {
    "quiet": (ev.BookChanged, ev.TickerChanged, ev.Tick, ev.LinkAlive, ev.SnapshotTaken, Place),
    "fills": (ev.Filled, ev.OrderSeen, ev.SizeScaled, Place, Amend),
    "reconnect": (ev.LinkChanged, ev.BookLost, ev.SnapshotTaken, Resync, Place),
    "kill-switch": (ev.Trip, ev.LatchSaved, SaveLatch, CancelAll, Resync),
}


@pytest.mark.parametrize("name", SCENES)
def test_a_golden_tape_comes_out_the_same(name: str) -> None:
    turns = again(GOLDEN / f"{name}{SUFFIX}")
    assert len(turns) > 20
    differences = [turn.difference for turn in turns if turn.difference]
    assert not differences, f"see the top of this file; first: {differences[0]}"


@pytest.mark.parametrize("name", SCENES)
def test_a_golden_tape_shows_what_it_is_for(name: str) -> None:
    turns = again(GOLDEN / f"{name}{SUFFIX}")
    seen = {type(one) for turn in turns for one in (*turn.events, *turn.intents)}
    assert seen >= set(MUST_HAVE[name])


def test_the_reconnect_brings_a_fill_in_a_snapshot() -> None:
    turns = again(GOLDEN / f"reconnect{SUFFIX}")
    snapshots = [e for turn in turns for e in turn.events if isinstance(e, ev.SnapshotTaken)]
    assert any(snapshot.fills for snapshot in snapshots)


def test_every_golden_tape_is_verified_and_all_of_them_are_small() -> None:
    files = list(GOLDEN.iterdir())
    assert {file.name for file in files} == {f"{name}{SUFFIX}" for name in SCENES}
    assert sum(file.stat().st_size for file in files) < 200_000


def test_a_change_of_decisions_shows_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here: requests that are valid for no time at all."""
    monkeypatch.setattr(Capabilities, "takes_effect_within_ns", 1)
    file: Path = GOLDEN / f"quiet{SUFFIX}"
    found = [turn.difference for turn in Replay(TapeFile(file)).turns() if turn.difference]
    assert isinstance(found[0].expected[0], Place)
