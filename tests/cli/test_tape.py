"""`mmbot tape show` and `verify`: on the golden tapes, and on what is wrong with others."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from mmbot.config import Mode
from mmbot.core.capabilities import Capabilities
from mmbot.sim.wire.server import SimVenue
from mmbot.store.locations import tape_folder
from mmbot.tape.folder import SUFFIX, tapes_in
from mmbot.tape.recorder import Limits
from tests.cli.desk import QUIET, an_engine
from tests.cli.desk import mmbot as command
from tests.cli.inprocess import Mmbot
from tests.engine.live import until
from tests.tape.record import GOLDEN
from tests.tape.taped import ROOMY, TapedBot, busy
from tests.tape.test_recorder import until_rotated

FILLS = GOLDEN / f"fills{SUFFIX}"
KILL = GOLDEN / f"kill-switch{SUFFIX}"
RECONNECT = GOLDEN / f"reconnect{SUFFIX}"


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


def blocks(file: Path) -> list[bytes]:
    """The blocks of a tape, decompressed."""
    rest, found = file.read_bytes(), []
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        found.append(frame.decompress(rest))
        rest = frame.unused_data
    return found


def rewritten(file: Path, to: Path, old: bytes, new: bytes) -> Path:
    """The same tape with some of its text replaced by as much other text."""
    assert len(old) == len(new)
    joined = blocks(file)
    assert any(old in block for block in joined), old
    frames = [zstandard.ZstdCompressor().compress(block.replace(old, new)) for block in joined]
    to.write_bytes(b"".join(frames))
    return to


# --- verify -----------------------------------------------------------------------------------


def test_verify_says_how_much_came_out_the_same_and_how_the_tape_ends(mmbot: Mmbot) -> None:
    page = mmbot.page("tape", "verify", str(FILLS), str(KILL))
    assert page.count("all decided the same again") == 2
    assert page.count("the run ended") == 2
    assert "sim deribit" in page


def test_verify_as_json_is_one_object(mmbot: Mmbot) -> None:
    said = mmbot.json("tape", "verify", str(FILLS))
    (file,) = said["files"]
    assert said["same"] is file["same"] is True
    assert file["turns"] > 20
    assert file["events"] > file["turns"]
    assert (file["ending"], file["damage"], file["difference"]) == ("closed", None, None)


def test_verify_names_the_first_turn_that_comes_out_otherwise(
    mmbot: Mmbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Capabilities, "takes_effect_within_ns", 1)
    page = mmbot.page("tape", "verify", str(FILLS), code=1)
    assert "not decided the same again" in page
    first = page[page.index("first difference: turn ") :].splitlines()
    assert first[0].endswith(" sim")
    assert next(line.split()[0] for line in first[1:] if line[4] != " ") == "happened"
    assert any(line.startswith("    expected  place") for line in first)
    assert any(line.startswith("    got       place") for line in first)

    said = mmbot.json("tape", "verify", str(FILLS), code=1)
    difference = said["files"][0]["difference"]
    assert difference["expected"][0]["type"] == "Place"
    assert difference["expected"] != difference["got"]


def test_verify_of_a_tape_that_a_crash_cut_short_is_fine_and_says_so(
    mmbot: Mmbot, tmp_path: Path
) -> None:
    cut = tmp_path / f"cut{SUFFIX}"
    cut.write_bytes(FILLS.read_bytes()[:-20])
    page = mmbot.page("tape", "verify", str(cut))
    assert "all decided the same again" in page
    assert "cut short at its end, as a crash leaves it" in page
    assert mmbot.json("tape", "verify", str(cut))["files"][0]["ending"] == "cut"


def damaged(folder: Path) -> Path:
    """A tape whose last but one block has another byte."""
    bot = TapedBot(folder, limits=replace(ROOMY, block_ns=0))
    busy(bot)
    (file,) = bot.files()
    whole = file.read_bytes()
    file.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    return file


def test_verify_of_a_damaged_tape_checks_what_is_there_and_fails(
    mmbot: Mmbot, tmp_path: Path
) -> None:
    hurt = damaged(tmp_path)
    page = mmbot.page("tape", "verify", str(hurt), code=1)
    assert "all decided the same again" in page
    assert "damaged: " in page
    said = mmbot.json("tape", "verify", str(hurt), code=1)
    assert (said["same"], said["files"][0]["ending"]) == (False, "damaged")


def seams(tmp_path: Path) -> list[Path]:
    bot = TapedBot(tmp_path, limits=Limits(2_000, 1 << 26))
    busy(bot)
    until_rotated(bot, 3)
    return bot.files()


def test_verify_of_files_that_follow_each_other_checks_the_seams(
    mmbot: Mmbot, tmp_path: Path
) -> None:
    first, second, *_ = seams(tmp_path)
    page = mmbot.page("tape", "verify", str(first), str(second))
    assert "goes on in the next file" in page
    assert "goes on where" in page

    other = rewritten(second, tmp_path / "other", b"resume_ms\x00", b"resume_ms\x01")
    page = mmbot.page("tape", "verify", str(first), str(other), code=1)
    assert "begins with another state than" in page


def test_a_tape_of_another_version_says_so(mmbot: Mmbot, tmp_path: Path) -> None:
    older = rewritten(FILLS, tmp_path / "older", b"mmbot\xa50.1.0", b"mmbot\xa50.0.9")
    assert "recorded by mmbot 0.0.9, this is 0.1.0" in mmbot.page("tape", "verify", str(older))


def test_a_tape_of_a_format_nobody_reads_any_more_is_refused_in_one_line(
    mmbot: Mmbot, tmp_path: Path
) -> None:
    old = rewritten(FILLS, tmp_path / "old", b"format\x03", b"format\x00")
    assert "recorded in format 0 by mmbot" in mmbot.refusal("tape", "verify", str(old))


def test_what_is_no_tape_is_refused_in_one_line(mmbot: Mmbot, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a tape")
    said = mmbot.refusal("tape", "verify", str(tmp_path / "notes.txt"))
    assert said.endswith("not a tape of mmbot: Unknown frame descriptor, near byte 10") or (
        "not a tape of mmbot" in said
    )
    assert "no such tape" in mmbot.refusal("tape", "verify", str(tmp_path / "missing"))
    assert "a folder" in mmbot.refusal("tape", "show", str(tmp_path))


def test_a_plug_in_nobody_knows_is_named(mmbot: Mmbot, tmp_path: Path) -> None:
    strange = rewritten(FILLS, tmp_path / "strange", b"improve_top", b"improve_tip")
    assert "improve_tip" in mmbot.refusal("tape", "verify", str(strange))
    shown = mmbot.run("tape", "show", str(strange), "--only", "fills")
    assert shown[0] == 0
    assert "fill " in shown[1]
    assert "no reasons" in shown[2]


async def test_an_engine_that_was_killed_leaves_a_tape_that_can_be_verified(home: Path) -> None:
    """While it runs, too."""
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        (file,) = tapes_in(home / "tapes" / "sim")
        await until(lambda: len(blocks(file)) > 2, "blocks are written as time goes by")
        running = await command("tape", "verify", str(file))
        engine.kill()
        await engine.wait()
        dead = await command("tape", "verify", file.name)
    for done, ending in ((running, "it is still being written"), (dead, "cut short at its end")):
        assert done.code == 0, done.err
        assert "all decided the same again" in done.out
        assert ending in done.out


# --- show -------------------------------------------------------------------------------------


def test_show_tells_what_happened_what_was_decided_and_why(mmbot: Mmbot) -> None:
    page = mmbot.page("tape", "show", str(FILLS))
    assert "> place    ETH-6JUN25-2800-C buy 1.0 @" in page
    assert "* why      every quote: " in page
    assert "fill     ETH-6JUN25-2800-C" in page
    assert "set      every size x 2" in page
    assert " ticker " not in page
    assert " tick " not in page


def test_show_of_the_kill_switch_reads_like_what_happened(mmbot: Mmbot) -> None:
    page = mmbot.page("tape", "show", str(KILL), "--only", "control,orders,why", "--last", "8")
    trip = page.index("TRIP     signal: SIGUSR1")
    kept = page.index("> store    keep the kill switch: signal: SIGUSR1")
    cancel = page.index("> cancel   everything, 8 orders: KILL SWITCH")
    gone = page.index("cancelled: ")
    assert trip < kept < cancel < gone


def numbers(page: str) -> list[int]:
    return [int(line[16:24]) for line in page.splitlines() if line[16:24].strip()]


def test_show_begins_where_it_is_told_and_shows_as_much(mmbot: Mmbot) -> None:
    everything = numbers(mmbot.page("tape", "show", str(FILLS), "--turns", "1000"))
    some = numbers(mmbot.page("tape", "show", str(FILLS), "--from", "10", "--turns", "3"))
    assert some == [number for number in everything if number >= 10][:3]
    assert numbers(mmbot.page("tape", "show", str(FILLS), "--last", "4")) == everything[-4:]


def times_of(page: str) -> list[str]:
    """They are of a simulated world, and say so."""
    stamps = [line[:16] for line in page.splitlines() if line[:16].strip()]
    assert all(stamp.startswith("sim ") for stamp in stamps)
    return [stamp.removeprefix("sim ") for stamp in stamps]


def test_show_begins_at_a_time_of_the_day(mmbot: Mmbot) -> None:
    page = mmbot.page("tape", "show", str(FILLS), "--turns", "1000")
    times = times_of(page)
    middle = times[len(times) // 2]
    rest = mmbot.page("tape", "show", str(FILLS), "--turns", "1000", "--from", middle)
    assert times_of(rest) == [time for time in times if time >= middle]
    before = mmbot.page("tape", "show", str(FILLS), "--turns", "1000", "--from", "11:00")
    assert before == page
    after = mmbot.run("tape", "show", str(FILLS), "--from", "23:00")
    assert after[:2] == (1, "")
    assert "no such turn on fills.tape.zst: its last is turn " in after[2]


def test_show_says_that_there_is_more(mmbot: Mmbot) -> None:
    _, _, said = mmbot.run("tape", "show", str(FILLS), "--turns", "2")
    assert "more turns follow: --from " in said


def test_show_of_one_instrument_has_no_other(mmbot: Mmbot) -> None:
    page = mmbot.page("tape", "show", str(FILLS), "--instrument", "eth-6jun25-2800-c")
    assert "ETH-6JUN25-2800-C" in page
    assert "ETH-6JUN25-2900-P" not in page
    said = mmbot.refusal("tape", "show", str(FILLS), "--instrument", "ETH-6JUN25-2800-X", code=1)
    assert "did you mean ETH-6JUN25-2800-" in said


def test_show_of_some_topics_has_no_other(mmbot: Mmbot) -> None:
    page = mmbot.page("tape", "show", str(FILLS), "--only", "fills")
    assert page.count("fill     ETH") >= 4
    assert "place" not in page
    assert "did you mean 'fills'" in mmbot.refusal("tape", "show", str(FILLS), "--only", "fils")
    assert "neither a turn" in mmbot.refusal("tape", "show", str(FILLS), "--from", "noon")


def test_a_fill_of_a_snapshot_is_told_once(mmbot: Mmbot) -> None:
    """It was filled while the line was down, so only the snapshot tells; later ones repeat it."""
    page = mmbot.page("tape", "show", str(RECONNECT), "--only", "fills")
    assert page.count("fill     ETH") == 1


def test_show_as_json_is_one_array_of_turns(mmbot: Mmbot) -> None:
    turns = mmbot.json("tape", "show", str(FILLS))
    assert [turn["turn"] for turn in turns] == sorted(turn["turn"] for turn in turns)
    kinds = {event["type"] for turn in turns for event in turn["events"]}
    assert {"BookChanged", "Filled", "OrderSeen"} <= kinds
    fill = next(e for turn in turns for e in turn["events"] if e["type"] == "Filled")
    assert isinstance(fill["fill"]["price"], str), "decimals digit for digit"
    assert len(mmbot.json("tape", "show", str(FILLS), "--turns", "2")) == 2


def test_show_of_a_damaged_tape_shows_what_is_there_and_fails(mmbot: Mmbot, tmp_path: Path) -> None:
    hurt = damaged(tmp_path)
    code, out, err = mmbot.run("tape", "show", str(hurt), "--turns", "1000")
    assert (code, "place" in out, "damaged: " in err) == (1, True, True)


# --- which tapes there are --------------------------------------------------------------------


def test_show_without_a_file_lists_the_tapes_and_a_name_is_enough(mmbot: Mmbot) -> None:
    code, out, said = mmbot.run("tape", "show")
    assert (code, out) == (0, "")
    assert "No tape yet: `mmbot quote` writes them" in said

    folder = tape_folder(Mode.SIM, os.environ)
    folder.mkdir(parents=True)
    shutil.copy(FILLS, folder / f"one{SUFFIX}")
    (folder / f"two{SUFFIX}").write_bytes(b"")
    page = mmbot.page("tape", "show")
    assert str(folder) in page.replace("\n", "")
    assert f"one{SUFFIX}" in page
    assert "unreadable" in page
    listed = mmbot.json("tape", "show", "--mode", "sim")
    assert [Path(tape["file"]).name for tape in listed] == [f"one{SUFFIX}", f"two{SUFFIX}"]
    assert mmbot.json("tape", "show", "--mode", "live") == []
    assert "all decided the same" in mmbot.page("tape", "verify", f"one{SUFFIX}")
