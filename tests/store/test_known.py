"""The register of stores: appended to by many at once, never quite unreadable, without secrets."""

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.errors import Refused, StoreError
from mmbot.store.known import (
    FILE,
    Registration,
    Used,
    find,
    register,
    settle,
    without_password,
)
from mmbot.store.records import AccountKey

ACCOUNT_KEY = AccountKey(Mode.LIVE, "deribit", "ann_1")
WRITERS, LINES = 6, 60

_WRITE = """
import os, sys
from mmbot.config import Mode
from mmbot.store.known import Used, register
from mmbot.store.records import AccountKey
for number in range(int(sys.argv[2])):
    name = f"{sys.argv[1]}-{number}-" + "x" * number
    register(os.environ, Used(f"sqlite:////{name}.db", AccountKey(Mode.LIVE, "deribit", name), "https://a"))
"""


def used(path: Path, account_key: AccountKey = ACCOUNT_KEY) -> Used:
    return Used(f"sqlite:///{path}", account_key, "https://venue", "/desk/.env")


def made(path: Path) -> Path:
    path.touch()
    return path


def test_a_registered_store_is_found_and_one_that_is_gone_is_missed(
    home: Path, tmp_path: Path
) -> None:
    there, gone = used(made(tmp_path / "a.db")), used(tmp_path / "b.db")
    for one in (there, gone):
        register(os.environ, one)
    found = find(os.environ)
    assert [place.path for place in found.places] == [tmp_path / "a.db"]
    assert [place.path for place in found.gone] == [tmp_path / "b.db"]
    assert list(found.used.values()) == [[there], [gone]]
    assert (found.notes, found.problems) == ([], [])
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600


def test_the_same_again_is_no_new_line_and_the_last_word_counts(home: Path, tmp_path: Path) -> None:
    one = used(tmp_path / "a.db")
    for _ in range(3):
        register(os.environ, one)
    moved = replace(one, env_path="/elsewhere/.env")
    register(os.environ, moved)
    assert (home / FILE).read_bytes().count(b"\n") == 2
    assert list(find(os.environ).used.values()) == [[moved]]
    settle(os.environ, moved)
    [[last]] = find(os.environ).used.values()
    assert last.settled
    register(os.environ, moved)
    [[last]] = find(os.environ).used.values()
    assert not last.settled, "it is used again"


def test_a_register_that_is_deleted_gets_the_line_of_who_is_there_again(
    home: Path, tmp_path: Path
) -> None:
    one = used(tmp_path / "a.db")
    registration = Registration(os.environ, [one])
    shutil.rmtree(home)
    registration.keep()
    assert list(find(os.environ).used.values()) == [[one]]
    register(os.environ, used(tmp_path / "b.db"))
    registration.keep()
    assert (home / FILE).read_bytes().count(b"\n") == 2


def test_a_store_of_two_accounts_has_a_line_for_each_with_the_kind_of_its_venue(
    home: Path, tmp_path: Path
) -> None:
    one = used(tmp_path / "a.db")
    hedge = replace(one, account_key=AccountKey(Mode.LIVE, "hedge", "ann_2"), kind="deribit")
    registration = Registration(os.environ, [one, hedge])
    assert list(find(os.environ).used.values()) == [[one, hedge]]
    (home / FILE).unlink()
    registration.keep()
    assert (home / FILE).read_bytes().count(b"\n") == 2
    assert list(find(os.environ).used.values()) == [[one, hedge]]


def test_a_line_without_a_kind_is_of_an_earlier_version(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    seat = '{"mode": "live", "venue": "deribit", "account": "ann_1"}'
    line = f'"seat": {seat}, "endpoint": "https://venue", "env_path": null, "settled": false'
    (home / FILE).write_text(f'{{"url": "sqlite:///{tmp_path}/a.db", {line}}}\n')
    [[old]] = find(os.environ).used.values()
    assert (old.account_key, old.kind) == (ACCOUNT_KEY, "")


def test_a_line_nobody_can_read_costs_that_line_alone(home: Path, tmp_path: Path) -> None:
    register(os.environ, used(tmp_path / "a.db"))
    with (home / FILE).open("ab") as file:
        line = (home / FILE).read_bytes().replace(b"https://venue", b"https://venue:no")
        file.write(b'{"url": 7}\n\xff\xfe\n[]\n' + line + b'{"url":"sqlite:////torn')
    register(os.environ, used(tmp_path / "b.db"))
    found = find(os.environ)
    assert [place.path for place in found.gone] == [tmp_path / "a.db", tmp_path / "b.db"]
    assert found.notes == [
        f"{home / FILE}: lines 2, 3, 4, 5, 6 cannot be read: a store may be missing here"
    ]


def test_a_register_that_cannot_be_read_is_a_problem_and_hides_nothing_else(home: Path) -> None:
    (home / FILE).mkdir(parents=True)
    made(home / "sim.db")
    found = find(os.environ)
    assert [place.path for place in found.places] == [home / "sim.db"]
    [problem] = found.problems
    assert problem.startswith(f"{home / FILE}, which lists the stores, cannot be read: ")
    with pytest.raises(Refused, match=r"would not find sqlite:///.*a\.db"):
        register(os.environ, used(home / "a.db"))


def test_many_writers_at_once_leave_whole_lines(home: Path) -> None:
    command = [sys.executable, "-c", _WRITE]
    writers = [
        subprocess.Popen([*command, str(number), str(LINES)], env=os.environ.copy())
        for number in range(WRITERS)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * WRITERS
    found = find(os.environ)
    assert len(found.gone) == WRITERS * LINES
    assert found.notes == []


def test_by_whichever_name_it_is_one_store(home: Path, tmp_path: Path) -> None:
    real = made(tmp_path / "real.db")
    (tmp_path / "link.db").symlink_to(real)
    register(os.environ, used(real))
    found = find(os.environ, f"sqlite:///{tmp_path}/link.db", f"sqlite:///{tmp_path}/x/../real.db")
    assert [place.path for place in found.places] == [real]


def test_no_password_is_kept_and_the_variables_one_is_used(home: Path) -> None:
    url = "postgresql://me:hu%40sh@db:5433/mm?sslmode=require&password=hush&x=1"
    bare = without_password(url)
    assert bare == "postgresql://me@db:5433/mm?sslmode=require&x=1"
    register(os.environ, Used(bare, ACCOUNT_KEY, "https://venue"))
    assert b"hush" not in (home / FILE).read_bytes()
    [alone] = find(os.environ).places
    assert alone.url == bare
    [named] = find({**os.environ, "MMBOT_DATABASE_URL": url}).places
    assert named.url == url


def test_urls_add_to_what_is_known(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    made(home / "sim.db")
    urls = [f"sqlite:///{made(tmp_path / name)}" for name in ("a.db", "b.db", "c.db")]
    found = find({**os.environ, "MMBOT_DATABASE_URL": urls[0]}, urls[1], urls[2])
    assert [place.path and place.path.name for place in found.places] == [
        "a.db",
        "b.db",
        "c.db",
        "sim.db",
    ]
    with pytest.raises(StoreError, match="no database we can use"):
        find(os.environ, "mysql://x")
    assert "no database we can use" in find(os.environ, "mysql://x", strict=False).problems[0]
