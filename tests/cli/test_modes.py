"""Testnet and live: the real hosts by the same code, with keys of their own, or one clear line.

Nothing here leaves the machine: names are looked up by a stand-in for the resolver, which knows
none and writes down what it was asked for.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmbot.cli import app
from mmbot.config import Mode
from mmbot.errors import ConfigError
from mmbot.venues.plugin import credentials_of
from mmbot.venues.site import Site
from tests.cli.terminal import MMBOT, Terminal
from tests.cli.test_quote import QUOTE

LIVE = {"DERIBIT_API_KEY": "LIVEKEY", "DERIBIT_API_SECRET": "LIVESECRET"}
TESTNET = {"DERIBIT_TESTNET_API_KEY": "TESTKEY", "DERIBIT_TESTNET_API_SECRET": "TESTSECRET"}

NO_NETWORK = """
import aiohttp.resolver, sys
async def resolve(self, host, port=0, family=0):
    print("asked for", host, flush=True)
    raise OSError(None, "no such host: " + host)
aiohttp.resolver.ThreadedResolver.resolve = resolve
from mmbot.__main__ import main
main()
"""


@pytest.fixture(autouse=True)
def nobody_has_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LIVE, *TESTNET):
        monkeypatch.delenv(name, raising=False)


def quote(
    *arguments: str, keys: dict[str, str] | None = None, folder: Path
) -> subprocess.CompletedProcess[str]:
    """A quote on a machine without a network."""
    return subprocess.run(
        [sys.executable, "-c", NO_NETWORK, *QUOTE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, **(keys or {})},
    )


@pytest.mark.parametrize(
    ("arguments", "keys", "host", "first"),
    [
        (["--live"], LIVE, "www.deribit.com", "LIVE: REAL MONEY on deribit"),
        (["--testnet"], TESTNET, "test.deribit.com", "TESTNET: the test network of deribit, no r"),
        (["--live", "--dry-run"], {}, "www.deribit.com", "LIVE, dry run: nothing is sent"),
        (["--testnet", "--dry-run"], {}, "test.deribit.com", "TESTNET, dry run: nothing is sent"),
    ],
)
def test_a_host_that_cannot_be_reached_is_one_line_and_exit_5(
    arguments: list[str], keys: dict[str, str], host: str, first: str, tmp_path: Path
) -> None:
    done = quote(*arguments, keys=keys, folder=tmp_path)
    assert set(done.stdout.splitlines()) == {f"asked for {host}"}
    said, last = done.stderr.splitlines()
    assert said.startswith(first)
    assert last.startswith("mmbot: deribit does not answer")
    assert done.returncode == 5
    assert "KEY" not in done.stderr
    assert "SECRET" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "keys", "missing"),
    [
        (["--live"], {}, "DERIBIT_API_KEY and DERIBIT_API_SECRET are not set"),
        (["--live"], TESTNET, "DERIBIT_API_KEY and DERIBIT_API_SECRET are not set"),
        (["--live"], {"DERIBIT_API_KEY": "x"}, "DERIBIT_API_SECRET is not set"),
        (["--live"], {**LIVE, "DERIBIT_API_SECRET": ""}, "DERIBIT_API_SECRET is not set"),
        (["--testnet"], LIVE, "DERIBIT_TESTNET_API_KEY and DERIBIT_TESTNET_API_SECRET are not"),
    ],
)
def test_without_its_own_keys_it_refuses_and_asks_nobody(
    arguments: list[str],
    keys: dict[str, str],
    missing: str,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mmbot", *QUOTE, *arguments])
    with pytest.raises(SystemExit) as end:
        app.run()
    written = capsys.readouterr()
    assert (end.value.code, written.out) == (2, "")
    assert written.err.startswith(f"mmbot: {arguments[0]} needs credentials: {missing}")
    assert written.err.count("\n") == 1
    assert not home.exists()


def test_a_file_that_says_live_works_like_the_flag(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text("[desk]\nmode = 'live'\n[sim]\nseed = 3\n")
    (tmp_path / ".env").write_text("".join(f"{k}={v}\n" for k, v in LIVE.items()))
    done = quote("--config", "desk.toml", folder=tmp_path)
    assert done.stdout == "asked for www.deribit.com\n"
    assert done.stderr.startswith("LIVE: REAL MONEY on deribit\n")
    assert done.returncode == 5


def test_an_env_file_that_is_not_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00KEY")
    done = quote("--live", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"mmbot: {tmp_path / '.env'}: cannot be read: not UTF-8 text\n"


def test_live_is_red_on_a_terminal(tmp_path: Path) -> None:
    # Without a network: the line stands there before anybody is asked.
    with Terminal(sys.executable, "-c", NO_NETWORK, *QUOTE, "--live", env=LIVE) as terminal:
        terminal.exit_code()
        assert "LIVE: REAL MONEY on deribit" in terminal.text()
        assert terminal.background_of("REAL MONEY") == "red"


@pytest.mark.parametrize(("mode", "keys"), [(Mode.LIVE, LIVE), (Mode.TESTNET, TESTNET)])
def test_each_mode_takes_its_own_pair(
    mode: Mode, keys: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**LIVE, **TESTNET}.items():
        monkeypatch.setenv(name, value)
    pair = credentials_of(Site(mode, "deribit", "deribit"), tmp_path)
    assert [pair["key"], pair["secret"]] == list(keys.values())


def test_half_a_pair_is_not_completed_from_another_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERIBIT_TESTNET_API_KEY", "x")
    for name, value in LIVE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="DERIBIT_TESTNET_API_SECRET is not set"):
        credentials_of(Site(Mode.TESTNET, "deribit", "deribit"), tmp_path)


def test_paper_stays_refused() -> None:
    done = subprocess.run([MMBOT, *QUOTE, "--paper"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("mmbot: --paper: mode paper is not available in this version")
