"""A user without a home folder, as in some containers: one line that says what to set."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.errors import ConfigError, StoreError
from mmbot.store.known import find
from mmbot.store.locations import locate, stop_file, tape_folder
from tests.cli.inprocess import Mmbot
from tests.cli.terminal import MMBOT

NOBODY = 54_321
AS_NOBODY = ("unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
QUOTE = ("quote", "--symbols", "ETH-PERPETUAL", "--duration", "1")
COMMANDS = [
    ("status",),
    ("status", "--json"),
    ("cancel-all",),
    ("resume", "--reason", "looked"),
    ("pause",),
    ("set", "size", "2"),
    ("explain", "ETH-PERPETUAL"),
    ("doctor",),
    ("markets",),
    QUOTE,
    (*QUOTE, "--dry-run"),
    ("config", "show", "--symbols", "ETH-PERPETUAL"),
    ("fills", "list"),
    ("fills", "report"),
    ("ledger", "export"),
    ("tape", "show"),
]


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a variable nor an entry among the users says where home is."""
    for name in ("MMBOT_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_entry(uid: int) -> object:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", no_entry)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_home_every_command_says_what_to_set(
    mmbot: Mmbot, command: tuple[str, ...]
) -> None:
    ended, out, err = mmbot.run(*command)
    assert (ended, out) == (2, "")
    *mode, said = err.splitlines()
    assert all(line.startswith("SIM") for line in mode)
    assert said.startswith("mmbot: ")
    assert "set MMBOT_HOME to a folder where mmbot may keep its files" in said


@pytest.mark.parametrize("command", [("status",), ("cancel-all",)])
def test_an_empty_home_is_none(
    mmbot: Mmbot, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.delenv("MMBOT_HOME")
    monkeypatch.setenv("HOME", "")
    assert mmbot.refusal(*command).startswith("HOME is empty: set MMBOT_HOME to a folder")


@pytest.mark.usefixtures("homeless")
def test_a_home_that_begins_with_a_user_nobody_knows(
    mmbot: Mmbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMBOT_HOME", "~nobody-of-that-name/mmbot")
    assert "MMBOT_HOME: ~nobody-of-that-name/mmbot cannot be found" in mmbot.refusal("status")


@pytest.mark.usefixtures("homeless")
def test_what_is_named_in_full_needs_no_home(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/desk.db"
    assert locate(Mode.SIM, {}, url).path == tmp_path / "desk.db"
    assert find({"MMBOT_DATABASE_URL": url}).places == []
    (tmp_path / "desk.db").touch()
    assert [place.path for place in find({"MMBOT_DATABASE_URL": url}).places] == [
        tmp_path / "desk.db"
    ]
    assert tape_folder(Mode.SIM, {}, str(tmp_path)) == tmp_path
    for needs_home in (
        lambda: locate(Mode.SIM, {}),
        lambda: find({}),
        lambda: stop_file(Mode.SIM, {}),
        lambda: tape_folder(Mode.SIM, {}),
        lambda: tape_folder(Mode.SIM, {}, "~/tapes"),
        lambda: locate(Mode.SIM, {}, "sqlite:///~/desk.db"),
        lambda: locate(Mode.SIM, {}, "postgresql://host/desk"),
    ):
        with pytest.raises(ConfigError, match="set MMBOT_HOME to a folder"):
            needs_home()


def test_a_container_with_a_user_of_no_name(tmp_path: Path) -> None:
    if subprocess.run([*AS_NOBODY, "true"], capture_output=True).returncode:
        pytest.skip("this machine gives no user namespaces")
    for command in ("status", "cancel-all"):
        done = subprocess.run(
            [*AS_NOBODY, "env", "-i", f"PATH={os.environ['PATH']}", MMBOT, command],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.startswith("mmbot: MMBOT_HOME: ~/.mmbot cannot be found, for there is")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [QUOTE, ("config", "show", "--symbols", "ETH-PERPETUAL")])
def test_a_folder_that_was_removed_meanwhile(tmp_path: Path, command: tuple[str, ...]) -> None:
    script = f'mkdir gone && cd gone && rmdir ../gone && exec {MMBOT} "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *command], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "mmbot: the folder this was started in is gone: change to one that is there"
    )


def test_a_home_that_may_not_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    place = locate(Mode.SIM, os.environ)

    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", forbidden)
    with pytest.raises(StoreError, match="cannot be looked at: Permission denied; set MMBOT_HOME"):
        _ = place.exists


def test_tapes_that_may_not_be_looked_at(mmbot: Mmbot, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", forbidden)
    said = mmbot.refusal("tape", "show")
    assert ": Permission denied: check its permissions, or set MMBOT_HOME" in said


def test_a_home_that_may_not_be_written(mmbot: Mmbot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMBOT_HOME", "/proc/mmbot")
    ended, out, err = mmbot.run(*QUOTE)
    assert (ended, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("mmbot: /proc/mmbot/sim.db cannot be created: ")
    assert last.endswith("; set MMBOT_HOME to a folder that may be written")
