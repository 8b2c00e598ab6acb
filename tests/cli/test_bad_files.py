"""Files that are not what they should be, a desk file or a store: one line, nothing touched."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmbot.cli import app
from mmbot.store.database import open_store
from tests.cli.terminal import MMBOT
from tests.cli.test_quote import QUOTE
from tests.store.desk import a_location

# --- desk files -------------------------------------------------------------------------------


def garbage(folder: Path) -> Path:
    path = folder / "desk.toml"
    path.write_bytes(bytes(range(256)) * 10)
    return path


def nulls(folder: Path) -> Path:
    path = folder / "desk.toml"
    path.write_bytes(b"\x00" * 100)
    return path


def huge(folder: Path) -> Path:
    path = folder / "desk.toml"
    path.write_text("# nothing\n" * 100_000)
    return path


def unreadable(folder: Path) -> Path:
    path = folder / "desk.toml"
    path.symlink_to(path)
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (garbage, "cannot be read: not UTF-8 text; give a TOML desk file"),
        (nulls, "not valid TOML: "),
        (huge, "larger than any desk file: give a TOML desk file"),
        (unreadable, "cannot be read: Too many levels of symbolic links"),
        (lambda folder: folder, "cannot be read: Is a directory"),
        (lambda folder: Path("/dev/zero"), "larger than any desk file"),
        (lambda folder: Path("/dev/null"), "nothing to quote: give --expiry YYYYMMDD"),
    ],
)
@pytest.mark.parametrize("command", [["quote", "--config"], ["fills", "export", "--config"]])
def test_what_is_no_desk_file_is_one_line(
    command: list[str],
    make: Callable[[Path], Path],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["mmbot", *command, str(make(tmp_path))])
    with pytest.raises(SystemExit) as end:
        app.run()
    written = capsys.readouterr()
    assert (end.value.code, written.out) == (2, "")
    assert written.err.startswith("mmbot: ")
    assert said in written.err
    assert written.err.count("\n") == 1


# --- stores -----------------------------------------------------------------------------------


def quote(**options: object) -> subprocess.CompletedProcess[str]:
    """A quote on an address where nobody listens: a store that is wrong ends it before that."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return] # options are passed on
        [MMBOT, *QUOTE, "--sim-url", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def quote_on_a_venue(**options: object) -> subprocess.CompletedProcess[str]:
    """A quote that could be: only then is a new store made."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return] # options are passed on
        [MMBOT, *QUOTE, "--duration", "1"], capture_output=True, text=True, timeout=60, **options
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line after the one that names the mode (and the one that names the venue)."""
    assert (done.returncode, done.stdout) == (2, "")
    mode, *venue, said = done.stderr.splitlines()
    assert all("INFO    simulated venue" in line for line in venue)
    assert mode == "SIM: simulated venue, no real money"
    assert said.startswith("mmbot: ")
    return said


def test_a_store_in_order_is_not_what_stops_it(home: Path) -> None:
    open_store(a_location(home))
    assert quote_on_a_venue().returncode == 0


def test_a_store_that_is_garbage(home: Path) -> None:
    home.mkdir()
    (home / "sim.db").write_bytes(b"garbage" * 1000)
    assert f"{home / 'sim.db'} is not a database" in refused(quote())
    assert (home / "sim.db").read_bytes() == b"garbage" * 1000


def test_a_store_that_was_cut_off(home: Path) -> None:
    open_store(a_location(home))
    whole = (home / "sim.db").read_bytes()
    (home / "sim.db").write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refused(quote())
    assert (home / "sim.db").read_bytes() == whole[: len(whole) // 2]


def test_a_database_of_another_program(home: Path) -> None:
    home.mkdir()
    with sqlite3.connect(home / "sim.db") as theirs:
        theirs.execute("create table addresses (name text)")
    theirs.close()
    before = (home / "sim.db").read_bytes()
    assert "is a database of another program" in refused(quote())
    assert (home / "sim.db").read_bytes() == before


def test_a_store_that_somebody_keeps_locked(home: Path) -> None:
    open_store(a_location(home))
    with sqlite3.connect(home / "sim.db") as somebody:
        somebody.execute("PRAGMA locking_mode=EXCLUSIVE")
        somebody.execute("BEGIN EXCLUSIVE")
        assert "another program keeps it locked" in refused(quote())
    somebody.close()


def test_a_home_that_is_a_file(home: Path) -> None:
    home.write_text("")
    assert f"{home / 'sim.db'} cannot be created" in refused(quote_on_a_venue())


def test_a_database_url_that_means_nothing(home: Path) -> None:
    environment = {**os.environ, "MMBOT_DATABASE_URL": "mysql://me:hush@db/x"}
    said = refused(quote(env=environment))
    assert "is no database we can use: give sqlite:///FILE or postgresql://" in said
    assert "hush" not in said


def test_a_disk_that_is_full(home: Path) -> None:
    def no_file_may_grow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    said = refused(quote_on_a_venue(preexec_fn=no_file_may_grow))
    assert f"{home / 'sim.db'}: " in said
    assert "disk" in said
