"""`mmbot cancel-all` at venues of a person's own kind, and at those that only a desk file names."""

import os
from pathlib import Path

import pytest

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.sim.wire.server import SimVenue
from mmbot.store.database import open_store
from mmbot.store.locations import locate
from mmbot.store.records import AccountDraft, AccountKey, RunDraft
from mmbot.store.runs import start_run
from tests.cli.desk import QUIET, Done, mmbot
from tests.cli.test_cancel_all import account_key, place_ours
from tests.engine.live import CALL

TWO_ACCOUNTS = Path(__file__).parents[2] / "configs" / "two-accounts.toml"

MODULE = """\
from dataclasses import dataclass

from mmbot.plugins.registry import Family, register
from mmbot.venues.canceller import Look


class Empty:
    \"\"\"An account on which nothing is open.\"\"\"

    async def account(self, way):
        return "sub-1"

    async def look(self, way):
        return Look((), (), 0)

    async def close(self):
        pass


@register(Family.VENUE, "paperless")
@dataclass(frozen=True)
class Plugin:
    def credentials(self, mode, name):
        return ((),)

    def canceller(self, site, keys, clock, call_limit_s):
        return Empty()
"""


def was_traded(folder: Path, venue: SimVenue) -> None:
    """A store that knows of a run on a simulated venue and on one of a person's own kind."""
    folder.mkdir(exist_ok=True)
    (folder / "desk.toml").write_text('plugins = ["paperless_venue"]\n')
    known = AccountDraft(account_key(venue), venue.rest_url, "deribit")
    own = AccountDraft(AccountKey(Mode.TESTNET, "own", "sub-1"), "http://own", "paperless")
    draft = RunDraft((known, own), str(folder / "desk.toml"), str(folder / ".env"))
    database = open_store(locate(Mode.SIM, os.environ))
    start_run(database, draft, lambda: 7, Clock().wall_ns() - 10**10)


async def cancelled(folder: Path, module: str | None) -> Done:
    """The command, after one order was left at the simulated venue."""
    async with SimVenue(QUIET) as venue:
        was_traded(folder, venue)
        if module is not None:
            (folder / "paperless_venue.py").write_text(module)
        place_ours(venue, CALL)
        return await mmbot("cancel-all", "--json")


async def test_the_module_of_the_runs_own_desk_file_is_loaded(tmp_path: Path) -> None:
    done = await cancelled(tmp_path / "desk", MODULE)
    assert (done.code, done.err) == (0, "")
    said = {one["venue"]: one for one in done.json()["venues"]}
    assert (said["deribit"]["cancelled"], said["deribit"]["remaining"]) == (1, 0)
    assert (said["own"]["remaining"], said["own"]["verified_by"]) == (0, "websocket")


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (None, "plug-in module 'paperless_venue' cannot be found"),
        ("raise OSError('no card')", "cannot be imported: OSError: no card"),
        ("", "none of its plug-in modules registers the venue paperless"),
    ],
    ids=["gone", "broken", "another"],
)
async def test_a_module_that_cannot_be_loaded_costs_its_account_alone(
    tmp_path: Path, module: str | None, why: str
) -> None:
    done = await cancelled(tmp_path / "desk", module)
    assert done.code == 5
    assert done.err.count("\n") == 1
    assert done.err.startswith("mmbot: orders may still be open: sub-1 on own (testnet): ")
    assert why in done.err
    said = {one["venue"]: one for one in done.json()["venues"]}
    assert (said["deribit"]["cancelled"], said["deribit"]["remaining"]) == (1, 0)
    assert said["own"]["verified_by"] is None


async def test_the_keys_of_a_venue_that_only_a_file_names_open_an_account_to_ask() -> None:
    # Nobody answers for the venue's own name here, whether or not this machine has a network.
    away = {"https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}
    keys = {"HEDGE_API_KEY": "a", "HEDGE_API_SECRET": "b"}
    nothing = await mmbot("cancel-all", **keys, **away)
    assert nothing.code == 0
    assert "there is nothing to cancel" in nothing.out
    asked = await mmbot("cancel-all", "--config", str(TWO_ACCOUNTS), **keys, **away)
    assert asked.code == 5
    assert "LIVE     hedge account unknown: not reached" in asked.out
    assert asked.out.count("account unknown") == 1
    named = await mmbot("cancel-all", "--testnet", "--config", str(TWO_ACCOUNTS), **keys, **away)
    assert named.code == 5
    for name in ("DERIBIT", "HEDGE"):
        assert f"{name}_TESTNET_API_KEY and {name}_TESTNET_API_SECRET are not set" in named.err
    assert "LIVE     hedge account unknown" in named.out
    one = ("--exchange", "hedge", "--testnet", "--config", str(TWO_ACCOUNTS))
    hedge = await mmbot("cancel-all", *one)
    assert "HEDGE_TESTNET_API_KEY and" in hedge.err
    assert "DERIBIT_TESTNET" not in hedge.err
