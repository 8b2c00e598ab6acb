"""The real binary on a venue that speaks oddly and breaks all the time: it lives, its books agree
with the venue's, and it leaves nothing. What trips it may be the market, never ourselves."""

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from mmbot.core.labels import is_ours
from mmbot.core.types import Label
from mmbot.core.why import Why
from mmbot.errors import ExitCode
from tests.cli.terminal import MMBOT

OURS = {
    Why.GUARD_FAILED,
    Why.GUARD_MISSED,
    Why.GAP_IN_TURNS,
    Why.INTERNAL_ERROR,
    Why.REJECTS,
    Why.UNRECONCILED,
    Why.CLOCK_SKEW,
}
"""Trips that would be our own fault. A venue that breaks may well leave us blind (STALE_DATA)."""

QUOTE = ("quote", "--exchange", "deribit", "--expiry", "20250606", "--strikes", "2800,2900")
SIDE_BY_SIDE = 5
START_S = 60.0
LEAVE_S = 60.0


async def run(home: Path, *arguments: str, limit_s: float = 60.0) -> tuple[int, str, str]:
    """A command in a home of its own: exit code, output, error output."""
    process = await asyncio.create_subprocess_exec(
        MMBOT,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "MMBOT_HOME": str(home)},
    )
    try:
        async with asyncio.timeout(limit_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def left_at(url: str) -> list[str]:
    """Orders of ours that the venue lists. It is asked until it answers: it is odd and harsh."""
    for _ in range(100):
        with suppress(OSError, ValueError, KeyError, TypeError, TimeoutError, ClientError):
            async with ClientSession() as session:
                params = {
                    "grant_type": "client_credentials",
                    "client_id": "sim",
                    "client_secret": "sim",
                }
                async with asyncio.timeout(3.0):
                    async with session.get(f"{url}/api/v2/public/auth", params=params) as answer:
                        token = (await answer.json())["result"]["access_token"]
                    async with session.get(
                        f"{url}/api/v2/private/get_open_orders", params={"access_token": token}
                    ) as answer:
                        rows = (await answer.json())["result"]
            labels = [row.get("label") for row in rows if isinstance(row, dict)]
            return [label for label in labels if isinstance(label, str) and is_ours(Label(label))]
        await asyncio.sleep(0.2)
    raise AssertionError("the venue never answered")


async def lives_through(home: Path, seed: int, duration_s: float) -> str:
    """One seed; what is wrong with how it went, empty where nothing is."""
    plan = ("--manners", "odd", "--faults", "harsh", "--fault-seed", str(seed))
    venue = await asyncio.create_subprocess_exec(
        *(MMBOT, "sim", "serve", "--exchange", "deribit", "--json", "--seed", str(seed), *plan),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "MMBOT_HOME": str(home)},
    )
    try:
        assert venue.stdout is not None
        async with asyncio.timeout(START_S):
            url = json.loads(await venue.stdout.readline())["rest"]
        reading = asyncio.ensure_future(venue.stdout.read())
        flags = ("--sim-url", url, "--duration", str(duration_s), "--json", "--no-tape")
        code, out, err = await run(home, *QUOTE, *flags, limit_s=START_S + duration_s + LEAVE_S)
        last = err.strip().splitlines()[-1] if err.strip() else ""
        if code == ExitCode.VENUE_UNREACHABLE and not out:
            return ""  # it broke before anything had begun, for longer than a start waits
        tripped = next((why for why in OURS if f"KILL SWITCH: {why.value}" in err), None)
        if tripped is not None or code not in (ExitCode.OK, ExitCode.REFUSED):
            return f"seed {seed}: exit {code}, {tripped}: {last}"
        if left := await left_at(url):
            return f"seed {seed}: still open: {', '.join(left)}"
        checked, said, _ = await run(home, "fills", "report", "--check")
        reading.cancel()
        return "" if checked == ExitCode.OK else f"seed {seed}: {said}"
    finally:
        with suppress(ProcessLookupError):
            venue.kill()
        await venue.wait()


async def test_a_minute_of_one_seed(tmp_path: Path) -> None:
    assert await lives_through(tmp_path / "one", 3, 60.0) == ""


@pytest.mark.long
async def test_ten_minutes_of_ten_seeds(tmp_path: Path) -> None:
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(seed: int) -> str:
        async with room:
            return await lives_through(tmp_path / str(seed), seed, 600.0)

    wrong = await asyncio.gather(*(one(seed) for seed in range(1, 11)))
    assert [said for said in wrong if said] == []
