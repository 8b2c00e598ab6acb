"""`mmbot cancel-all` imports what it needs, in whichever way ccxt can be imported."""

import asyncio
import json
import sys
from typing import Any

import pytest

from mmbot.sim.wire.server import SimVenue
from tests.cli.desk import COMMAND_S, QUIET, open_labels
from tests.cli.test_cancel_all import place_ours, was_traded
from tests.engine.live import CALL

PROGRAM = """
import sys
import mmbot.venues.one_exchange as one
{before}
from mmbot.cli.app import run
sys.argv = ["mmbot", "cancel-all", "--json"]
try:
    run()
except SystemExit as end:
    print(*sys.modules, file=sys.stderr)
    raise
"""


async def pulled(before: str) -> tuple[int | None, Any, set[str]]:
    """Exit code, what it printed, and the modules it had loaded in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM.format(before=before),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(COMMAND_S):
        out, err = await process.communicate()
    return process.returncode, json.loads(out), set(err.decode().split())


async def test_it_loads_one_exchange_and_no_numbers(home: object) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        code, told, loaded = await pulled("")
    assert code == 0
    assert [(one["cancelled"], one["verified_by"]) for one in told["venues"]] == [(1, "websocket")]
    assert "ccxt.pro.deribit" in loaded
    assert not loaded & {"ccxt.pro.binance", "ccxt.binance", "ccxt.async_support.binance"}
    unused = ("numpy", "scipy", "rich", "uvloop", "mmbot.assemble", "mmbot.cli.quote", "mmbot.sim")
    assert not loaded & set(unused)


@pytest.mark.parametrize(
    "otherwise",
    [
        "one.PACKAGES = ('ccxt', 'ccxt.elsewhere')",
        "def broken(*_): raise RuntimeError('laid out in another way')\none._put_shell = broken",
        "one._put_basics = lambda ccxt: 1 / 0",
        "import ccxt.pro",
    ],
)
async def test_where_one_alone_cannot_be_loaded_it_works_with_all_of_them(
    home: object, otherwise: str
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        code, told, loaded = await pulled(otherwise)
        assert open_labels(venue) == []
    assert code == 0
    assert [(one["cancelled"], one["verified_by"]) for one in told["venues"]] == [(1, "websocket")]
    assert "ccxt.pro.binance" in loaded
