"""Other people's clients of Derive, pointed at the simulated one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import ccxt.pro

from mmbot.sim.wire.server import Endpoints


@asynccontextmanager
async def stock_derive(at: Endpoints) -> AsyncIterator[Any]:
    """Stock ccxt; its own pace is the real venue's, and is not waited for."""
    client = ccxt.pro.derive(
        {
            "walletAddress": at.login["signer"],
            "privateKey": at.login["session_key"],
            "enableRateLimit": False,
            "options": {
                "deriveWalletAddress": at.login["wallet"],
                "subaccount_id": at.login["subaccount_id"],
            },
            "urls": {
                "api": {
                    "public": f"{at.rest}/public",
                    "private": f"{at.rest}/private",
                    "ws": at.ws,
                }
            },
        }
    )
    try:
        yield client
    finally:
        await client.close()


def printed_and_run(client: str, folder: Path) -> None:
    """`mmbot sim serve` prints a text for that client; as a program it places an order there."""
    serve = [sys.executable, "-m", "mmbot", "sim", "serve", "--exchange", "derive", "--json"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            told = json.loads(serving.stdout.readline())
            script = folder / "snippet.py"
            script.write_text(told["snippets"][client])
            ran = subprocess.run(
                [sys.executable, str(script)], capture_output=True, text=True, timeout=120
            )
        finally:
            serving.kill()
    assert ran.returncode == 0, ran.stderr
    assert " open at " in ran.stdout
