"""Where stores are looked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.errors import StoreError
from mmbot.store.known import find
from mmbot.store.locations import locate


def test_each_mode_has_a_file_of_its_own_under_home(tmp_path: Path) -> None:
    home = {"MMBOT_HOME": str(tmp_path)}
    assert [locate(mode, home).path for mode in Mode] == [
        tmp_path / f"{name}.db" for name in ("sim", "paper", "testnet", "live")
    ]
    assert locate(Mode.LIVE, home).latch_file == tmp_path / "live.db.latch"


def test_home_is_a_hidden_folder_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert locate(Mode.SIM, {}).path == Path("/somewhere/.mmbot/sim.db")
    assert locate(Mode.SIM, {"MMBOT_HOME": "~/desk"}).path == Path("/somewhere/desk/sim.db")


def test_a_url_stands_above_the_files_and_the_environment_above_the_configuration(
    tmp_path: Path,
) -> None:
    variables = {"MMBOT_HOME": str(tmp_path)}
    configured = locate(Mode.LIVE, variables, "sqlite:////data/a.db")
    assert configured.path == Path("/data/a.db")
    variables["MMBOT_DATABASE_URL"] = "sqlite:////data/b.db"
    assert locate(Mode.LIVE, variables, "sqlite:////data/a.db").path == Path("/data/b.db")


def test_a_database_on_a_server_keeps_its_latch_file_at_home(tmp_path: Path) -> None:
    place = locate(Mode.LIVE, {"MMBOT_HOME": str(tmp_path)}, "postgresql://me:hush@db/mm")
    assert place.path is None
    assert place.latch_file == tmp_path / "database.latch"
    assert place.name == "postgresql://me:***@db/mm"


@pytest.mark.parametrize("url", ["mysql://me:hush@db/mm", "live.db", "postgres://me:hush@db/mm"])
def test_any_other_database_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreError, match="no database we can use") as raised:
        locate(Mode.LIVE, {"MMBOT_HOME": str(tmp_path)}, url)
    assert "hush" not in str(raised.value)


def test_existing_stores_are_listed_live_first(tmp_path: Path) -> None:
    home = {"MMBOT_HOME": str(tmp_path)}
    assert find(home).places == []
    for name in ("sim", "live", "paper"):
        (tmp_path / f"{name}.db").touch()
    assert [place.path and place.path.stem for place in find(home).places] == [
        "live",
        "paper",
        "sim",
    ]
    named = find({**home, "MMBOT_DATABASE_URL": "postgresql://db/mm"}).places
    assert named[0].name == "postgresql://db/mm"
    assert len(named) == 4


def test_looking_for_stores_loads_no_database_library() -> None:
    code = (
        "import sys, mmbot.store.locations, mmbot.store.records; "
        "sys.exit('sqlalchemy' in sys.modules or 'sqlite3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
