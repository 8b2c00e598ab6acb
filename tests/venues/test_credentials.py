"""Which variables open an account, and what is said where they do not."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.errors import ConfigError
from mmbot.venues.credentials import Sets, Wanted, found, key_pair
from mmbot.venues.plugin import variables_of
from mmbot.venues.site import Site

EITHER: Sets = (
    (Wanted("wallet", "X_WALLET"), Wanted("signer", "X_SIGNER")),
    (Wanted("token", "X_TOKEN"),),
)


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("X_WALLET", "X_SIGNER", "X_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("mode", "name", "variables"),
    [
        (Mode.LIVE, "hedge", ("HEDGE_API_KEY", "HEDGE_API_SECRET")),
        (Mode.TESTNET, "hedge", ("HEDGE_TESTNET_API_KEY", "HEDGE_TESTNET_API_SECRET")),
        (Mode.LIVE, "hedge-2", ("HEDGE_2_API_KEY", "HEDGE_2_API_SECRET")),
        (Mode.SIM, "hedge", ("MMBOT_SIM_KEY", "MMBOT_SIM_SECRET")),
    ],
)
def test_the_name_of_the_venue_decides_its_variables(
    mode: Mode, name: str, variables: tuple[str, str]
) -> None:
    assert tuple(one.variable for one in key_pair(mode, name)) == variables
    assert variables_of(Site(mode, name, "deribit")) == variables


def test_any_complete_set_opens_and_the_first_one_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("X_TOKEN=t0ken\nX_WALLET=0xabc\n")
    keys = found(Mode.LIVE, tmp_path, EITHER)
    assert dict(keys.parts) == {"token": "t0ken"}
    assert "t0ken" not in repr(keys) + str(keys)
    monkeypatch.setenv("X_SIGNER", "0xdef")
    assert dict(found(Mode.LIVE, tmp_path, EITHER).parts) == {"wallet": "0xabc", "signer": "0xdef"}


def test_what_is_missing_is_told_of_the_set_that_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="X_WALLET and X_SIGNER are not set"):
        found(Mode.LIVE, tmp_path, EITHER)
    monkeypatch.setenv("X_SIGNER", "0xdef")
    with pytest.raises(ConfigError, match="--live needs credentials: X_WALLET is not set"):
        found(Mode.LIVE, tmp_path, EITHER)


def test_to_know_a_venue_and_its_variables_costs_no_client() -> None:
    code = (
        "import sys\n"
        "from mmbot.config import Mode\n"
        "from mmbot.venues.plugin import variables_of\n"
        "from mmbot.venues.site import Site\n"
        "import mmbot.engine.cancel_all\n"
        "print(variables_of(Site(Mode.LIVE, 'hedge', 'deribit')))\n"
        "print({'ccxt', 'aiohttp'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "('HEDGE_API_KEY', 'HEDGE_API_SECRET')\nset()\n"
