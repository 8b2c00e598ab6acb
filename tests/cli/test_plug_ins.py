"""Plug-ins as the how-tos print them, through the real binary, wherever it is started from."""

import json
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.cli.terminal import MMBOT
from tests.house.pages import how_to_desk, how_to_module

OPTIONS = ("--expiry", "20250606", "--strikes", "2800,2900")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The how-tos' files, as printed."""
    folder = tmp_path_factory.mktemp("plug-ins")
    (folder / "my_module.py").write_text(how_to_module())
    (folder / "desk.toml").write_text(how_to_desk())
    (folder / "elsewhere").mkdir()
    return folder


def mmbot(folder: Path, *arguments: str, at: str = ".") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MMBOT, *arguments],
        cwd=folder / at,
        env={"MMBOT_HOME": str(folder / "home"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_how_tos_plug_ins_are_checked_with_every_default_rule(folder: Path) -> None:
    done = mmbot(folder, "config", "check", "desk.toml", *OPTIONS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fine: SIM on deribit, strategy around_fair, 8 rules")
    assert " ".join(done.stdout.split()).endswith(
        "office_hours, stale_market, price_band, min_spread, cost_floor, max_order, max_position, "
        "max_exposure"
    )


@pytest.mark.parametrize(("at", "desk"), [("elsewhere", "../desk.toml"), (".", "sub/desk.toml")])
def test_a_plug_in_is_found_beside_the_desk_file_and_in_the_current_folder(
    folder: Path, at: str, desk: str
) -> None:
    (folder / "sub").mkdir(exist_ok=True)
    (folder / "sub" / "desk.toml").write_text((folder / "desk.toml").read_text())
    done = mmbot(folder, "config", "check", desk, *OPTIONS, at=at)
    assert done.returncode == 0, done.stderr


def test_a_plug_in_that_is_nowhere_is_told_with_every_place_looked_at(folder: Path) -> None:
    (folder / "elsewhere" / "desk.toml").write_text(
        (folder / "desk.toml").read_text().replace("my_module", "my_modul")
    )
    done = mmbot(folder, "config", "check", "elsewhere/desk.toml", *OPTIONS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mmbot: elsewhere/desk.toml:1: plug-in module 'my_modul' cannot be found: it is not in "
        f"{folder / 'elsewhere'} or {folder}, nor where Python looks (PYTHONPATH)\n"
    )


def test_quotes_without_terms_are_fine_everywhere_and_500_eth_are_cut(folder: Path) -> None:
    desk = ("quote", "--config", "desk.toml", *OPTIONS, "--size", "500")
    dry = mmbot(folder, *desk, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    text = " ".join(dry.stdout.split())
    assert "size 500 ETH is cut to 1 ETH (2,8" in text
    assert "cut: order limit" in text
    told = json.loads(mmbot(folder, *desk, "--dry-run", "--json").stdout)
    assert {(quote["size"], len(quote["terms"])) for quote in told["quotes"]} == {(1.0, 0)}

    run = mmbot(folder, *desk, "--duration", "4", "--json")
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert summary["orders"]["placed"] >= 8
    (line,) = [line for line in run.stderr.splitlines() if "size 500 ETH is cut to 1 ETH" in line]
    assert "by [risk.max_order] notional_usd = 5000" in line

    explained = mmbot(folder, "explain", "eth-6jun25-2800-c", "--json")
    assert explained.returncode == 0, explained.stderr
    shown = mmbot(folder, "tape", "show", "--only", "orders", at="elsewhere")
    assert shown.returncode == 0, shown.stderr
    (tape,) = (folder / "home" / "tapes" / "sim").iterdir()
    verified = mmbot(folder, "tape", "verify", str(tape), at="elsewhere")
    assert verified.returncode == 0, verified.stderr
    assert "all decided the same again" in verified.stdout


def test_what_a_file_switches_off_is_red_on_a_terminal_and_said_at_every_start(
    folder: Path,
) -> None:
    off = folder / "off.toml"
    off.write_text((folder / "desk.toml").read_text() + "\n[risk.max_position]\noff = true\n")
    number = off.read_text().splitlines().index("off = true") + 1
    line = f"[risk.max_position] is switched off ({off.name}:{number})"
    env = {"MMBOT_HOME": str(folder / "home"), "TERM": "xterm"}
    shown, code = pexpect.run(
        f"{MMBOT} config check off.toml {' '.join(OPTIONS)}",
        withexitstatus=True,
        cwd=str(folder),
        env=env,
    )
    assert code == 0
    assert f"\x1b[1;31m  {line}\x1b[0m" in shown.decode()
    run = mmbot(folder, "quote", "--config", "off.toml", *OPTIONS, "--duration", "1", "--json")
    assert run.returncode == 0, run.stderr
    assert run.stderr.splitlines()[1] == line
