"""What is recorded is what happened, whatever ends it: rotation, a full disk, a crash."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from mmbot.core import decide
from mmbot.core import events as ev
from mmbot.core.books import Market, book_fault
from mmbot.core.intents import Place
from mmbot.core.types import InstrumentId, Nanos, Side
from mmbot.core.why import Why
from mmbot.errors import ConfigError
from mmbot.tape.folder import file_name, make_room, tapes_in
from mmbot.tape.format import EndReason
from mmbot.tape.reader import Ending, TapeFile
from mmbot.tape.recorder import Limits
from mmbot.tape.replay import Replay, goes_on
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.core.bot import VENUE
from tests.tape.taped import ROOMY, TapedBot, again, busy

DEADLINE_S = 20.0
SMALL = Limits(file_bytes=2_000, folder_bytes=1 << 26)
A_BLOCK_A_TURN = replace(ROOMY, block_ns=0)
HASTY = replace(ROOMY, again_s=0.01)


def recorded(folder: Path, **options: Any) -> list[Path]:
    bot = TapedBot(folder, **options)
    busy(bot)
    return bot.files()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for the writer's thread."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.001)


def ending(file: Path) -> Ending:
    tape = TapeFile(file)
    for _ in tape.turns():
        pass
    return tape.ending


# --- what happened is what is read ------------------------------------------------------------


def test_every_turn_is_recorded_and_comes_out_the_same(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path)
    busy(bot)
    (file,) = bot.files()
    turns = again(file)
    assert [turn.number for turn in turns] == list(range(1, bot.state.turns + 1))
    assert [turn.difference for turn in turns] == [None] * len(turns)
    assert sum(isinstance(i, Place) for turn in turns for i in turn.intents) >= 3
    assert ending(file) == Ending(EndReason.CLOSED)


def test_a_file_says_which_run_it_is_of_and_is_for_our_eyes_only(tmp_path: Path) -> None:
    (file,) = recorded(tmp_path)
    header = TapeFile(file).header
    assert (header.origin.run, header.file, header.plan.desks[0].instruments) == (
        "test",
        1,
        (an_option().id,),
    )
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_turn_that_raised_raises_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = TapedBot(tmp_path)

    def broken(market: Market, age_ns: Nanos, now_ns: Nanos) -> Why | None:
        if market.bids and market.bids[0][0] == 0.0195:
            raise ZeroDivisionError("planted")
        return book_fault(market, age_ns, now_ns)

    with monkeypatch.context() as bug:
        bug.setattr(decide, "book_fault", broken)
        bot.quote()
        bot.turn(bot.book(0.0195))
        bot.wait(0.2)
        bot.turn(bot.book(0.0190))
        (file,) = bot.files()
        turns = again(file)
        assert [turn.failure for turn in turns if turn.failure]
        assert not any(turn.difference for turn in turns)
    healed = next(turn.difference for turn in again(file) if turn.difference)
    assert (healed.expected_failure, healed.got_failure) == ("ZeroDivisionError: planted", "")


def test_what_is_listed_while_it_runs_is_traded_in_the_replay_too(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path)
    bot.quote()
    later = replace(an_option(), id=InstrumentId("deribit:LATER"), name="LATER")
    bot.desks[later.id] = bot.desks[bot.instrument.id]
    bot.turn(ev.InstrumentsListed((later,), bot.desks[later.id].name))
    bot.instruments = (*bot.instruments, later)
    bot.turn(bot.snapshot(asked_ns=bot.now_ns))
    bot.wait(31)
    bot.turn(bot.snapshot())
    sent = bot.turn(bot.alive(), bot.ticker(later), bot.book(instrument=later))
    assert any(isinstance(intent, Place) and intent.instrument == later.id for intent in sent)
    (file,) = bot.files()
    assert not any(turn.difference for turn in again(file))


def test_a_venue_that_writes_whole_numbers_as_integers_changes_nothing(tmp_path: Path) -> None:
    """JSON's 2850 is read as an integer; on the tape it comes back as 2850.0."""
    perpetual = a_perpetual()
    bot = TapedBot(tmp_path, perpetual, limits=SMALL)
    bot.connect()
    bot.turn(bot.snapshot(positions={perpetual.id: 2}))
    for bid in (2840, 2841, 2842):
        book = bot.book(bid, bid + 20)
        levels = tuple((int(price), int(size)) for price, size in (*book.bids, *book.asks))
        book = structs.replace(book, bids=levels[: len(book.bids)], asks=levels[len(book.bids) :])
        bot.turn(bot.alive(), bot.ticker(perpetual, mark=bid + 10, index=2850), book)
        bot.acknowledge()
        bot.turn(ev.Filled(structs.replace(bot.fill(bot.on(Side.BUY)), instrument=perpetual.id)))
        bot.wait(0.2)
    until_rotated(bot, 2)
    before: Replay | None = None
    for file in bot.files():
        tape = TapeFile(file)
        assert before is None or goes_on(before.state, tape)
        before = Replay(tape)
        assert not any(turn.difference for turn in before.turns())


# --- what does not follow from what happened is found -----------------------------------------


def test_another_setting_than_the_recorded_one_is_found(tmp_path: Path) -> None:
    """The bot improved by 0.1 USD; the tape says it was to improve by 5."""
    bot = TapedBot(tmp_path, improvement=0.1, wanted=5.0)
    bot.quote()
    (file,) = bot.files()
    found = next(turn.difference for turn in again(file) if turn.difference)
    assert [type(intent) for intent in found.expected] == [Place, Place]
    assert found.expected != found.got
    assert any(isinstance(event, ev.BookChanged) for event in found.events)


def test_a_state_that_was_changed_between_turns_is_found(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path)
    bot.quote()
    bot.state.controls.size_factor = Decimal(2)
    bot.turn(bot.book(0.0195, 0.0235))
    (file,) = bot.files()
    found = next(turn.difference for turn in again(file) if turn.difference)
    assert found.number == bot.state.turns


def test_a_missing_turn_is_found(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path)
    bot.quote()
    bot.state.turns += 1
    bot.turn()
    (file,) = bot.files()
    assert again(file)[-1].difference is not None


# --- rotation and room ------------------------------------------------------------------------


def until_rotated(bot: TapedBot, files: int) -> None:
    """Go on until so many files have been begun."""

    def begun() -> bool:
        bot.turn(bot.book(0.0190), bot.alive(), ev.Tick())
        return len(tapes_in(bot.folder)) >= files

    until(begun, f"{files} files")


def test_each_file_stands_alone_and_goes_on_where_the_one_before_ends(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path, limits=SMALL)
    busy(bot)
    until_rotated(bot, 3)
    files = bot.files()
    assert len(files) >= 3
    before: Replay | None = None
    for file in files:
        tape = TapeFile(file)
        assert before is None or goes_on(before.state, tape)
        replay = Replay(tape)
        assert not any(turn.difference for turn in replay.turns())
        before = replay
    assert [ending(file).why for file in files[:-1]] == [EndReason.FULL] * (len(files) - 1)


def test_another_state_at_the_seam_is_found(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path, limits=SMALL)
    bot.quote()
    until_rotated(bot, 2)
    first, second, *_ = bot.files()
    replay = Replay(TapeFile(first))
    for _ in replay.turns():
        pass
    assert goes_on(replay.state, TapeFile(second))
    replay.state.account(VENUE).resume_ms += 1
    assert not goes_on(replay.state, TapeFile(second))


def test_the_oldest_tapes_make_room_but_never_one_in_use(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / file_name(NOW_NS, "old", number)).write_bytes(bytes(1000))
    bot = TapedBot(tmp_path, limits=Limits(file_bytes=1_000, folder_bytes=4_000))
    bot.files()
    names = [file.name for file in tapes_in(tmp_path)]
    assert [name[-13:-9] for name in names] == ["0003", "0004", "0005", "0001"]


def test_many_short_runs_do_not_leave_ever_more_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmbot.tape.folder.FILES_MAX", 3)
    for number in range(1, 6):
        (tmp_path / file_name(NOW_NS, "old", number)).write_bytes(b"short")
    TapedBot(tmp_path).files()
    assert [file.name[-13:-9] for file in tapes_in(tmp_path)] == ["0004", "0005", "0001"]


def test_a_tape_in_use_is_not_deleted(tmp_path: Path) -> None:
    (tmp_path / file_name(NOW_NS, "old", 1)).write_bytes(bytes(1000))
    bot = TapedBot(tmp_path)
    until(lambda: len(tapes_in(tmp_path)) == 2, "its file is there")
    old, in_use = tapes_in(tmp_path)
    until(lambda: in_use.stat().st_size > 0, "it is written")
    assert make_room(tmp_path, 0) == [old]
    assert bot.files() == [in_use]
    assert make_room(tmp_path, 0) == [in_use]


# --- ends nobody wished for -------------------------------------------------------------------


def test_a_crash_loses_no_more_than_the_last_block(tmp_path: Path) -> None:
    bot = TapedBot(tmp_path, limits=A_BLOCK_A_TURN)
    busy(bot)
    until(lambda: bot.recorder._writer.pending == 0, "everything is written")
    (file,) = tapes_in(tmp_path)
    left = tmp_path / "left.tape.zst"
    left.write_bytes(file.read_bytes())
    turns = again(left)
    assert len(turns) == bot.state.turns
    assert not any(turn.difference for turn in turns)
    assert ending(left) == Ending(None)
    bot.files()


def cut_points(size: int) -> list[int]:
    return [*range(0, 200, 13), *range(200, size, max(1, size // 60)), size - 1]


def test_a_tape_cut_anywhere_is_read_up_to_there(tmp_path: Path) -> None:
    (file,) = recorded(tmp_path, limits=A_BLOCK_A_TURN)
    whole, cut = file.read_bytes(), tmp_path / "cut.tape.zst"
    all_numbers = [turn.number for turn in TapeFile(file).turns()]
    longest = 0
    for size in cut_points(len(whole)):
        cut.write_bytes(whole[:size])
        try:
            tape = TapeFile(cut)
        except ConfigError:
            assert longest == 0, "the more there is, the more is read"
            continue
        numbers = [turn.number for turn in tape.turns()]
        assert numbers == all_numbers[: len(numbers)]
        assert len(numbers) >= longest
        longest = len(numbers)
        assert tape.ending == Ending(None)
    assert longest == len(all_numbers)


def test_a_damaged_byte_never_becomes_another_turn(tmp_path: Path) -> None:
    (file,) = recorded(tmp_path, limits=A_BLOCK_A_TURN)
    whole, hurt = file.read_bytes(), tmp_path / "hurt.tape.zst"
    sound = [(t.number, t.now_ns, bytes(t.intents)) for t in TapeFile(file).turns()]
    told = 0
    for at in cut_points(len(whole)):
        hurt.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            tape = TapeFile(hurt)
        except ConfigError:
            told += 1
            continue
        read = [(t.number, t.now_ns, bytes(t.intents)) for t in tape.turns()]
        assert read == sound[: len(read)]
        if len(read) < len(sound):
            assert tape.ending.why is None
            told += bool(tape.ending.damage)
    assert told > 50


def test_quoting_stops_while_the_disk_takes_nothing_and_goes_on_when_it_does(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "tapes"
    folder.write_text("in the way")
    bot = TapedBot(folder, limits=Limits(1 << 24, 1 << 26, queue_bytes=40_000, again_s=0.01))
    bot.quote()

    def told(count: int) -> bool:
        bot.turn(bot.book(0.0190), bot.alive(), ev.Tick())
        return len(bot.told) >= count

    until(lambda: told(1), "the queue is full")
    assert bot.told == [ev.TapeChanged("the queue to the tape is full: File exists")]
    sent = bot.turn(bot.told[0])
    assert {type(intent).__name__ for intent in sent} == {"Cancel"}
    assert set(bot.market.why.values()) == {Why.TAPE}
    for order in bot.orders:
        bot.turn(bot.says_cancelled(order))

    folder.unlink()
    until(lambda: told(2), "the queue has drained")
    assert bot.told[1] == ev.TapeChanged("")
    assert any(isinstance(intent, Place) for intent in bot.turn(bot.told[1], bot.book()))
    first, second = bot.files()
    assert ending(first) == Ending(EndReason.GAP)
    for file in (first, second):
        assert not any(turn.difference for turn in again(file))


def test_a_frame_the_disk_took_half_of_is_taken_back_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write after the file's beginning takes a few bytes, the second one fails."""
    write, calls = os.write, iter(range(100))

    def full(descriptor: int, data: bytes) -> int:
        match next(calls):
            case 1:
                return write(descriptor, data[:5])
            case 2:
                raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    (file,) = recorded(tmp_path, limits=HASTY)
    assert next(calls) >= 4
    assert not any(turn.difference for turn in again(file))
    assert ending(file) == Ending(EndReason.CLOSED)


# --- files that are no tapes ------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"hello", bytes(100), b"\x28\xb5\x2f\xfd garbage"])
def test_what_is_no_tape_is_told_in_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not a tape of mmbot"):
        TapeFile(file)


def test_another_format_is_named_with_the_version_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmbot.tape.recorder.FORMAT", 7)
    (file,) = recorded(tmp_path)
    with pytest.raises(ConfigError, match=r"format 7 by mmbot .* reads format 3"):
        TapeFile(file)


def test_the_venue_of_a_desk_is_the_one_it_trades_on(tmp_path: Path) -> None:
    (file,) = recorded(tmp_path)
    desks, guards = TapeFile(file).header.plan.build()
    assert [desk.venue for desk in desks.values()] == [VENUE]
    assert len(guards) == 1
