"""ccxt's own live tests, as the installed package ships them, on `mmbot sim serve`.

ccxt's runner refuses to run out of a site-packages folder and looks for its settings two folders up
(`keys.json`, `skip-tests.json`). So a tree is laid out as in ccxt's repository, of links to the
installed files, and the two settings files say where the venue is and what is left out. Nothing of
ccxt is changed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt
import ccxt.async_support
import orjson
import pytest

MMBOT = Path(sys.executable).with_name("mmbot")
HARNESS_S = 100.0
SYMBOL = "ETH/USD:ETH"  # spot, the runner's first choice, is listed here but not traded

# What ccxt's tests ask of Deribit that Deribit does not give, or ccxt does not take.
NO_CURRENCY_FIELDS = "the venue does not say this of a currency"
SKIPPED: dict[str, Any] = {
    "loadMarkets": "spot rows carry contract_size and expiration_timestamp: the specification "
    "requires both, and ccxt takes them for the market's; every other market is tested below",
    "fetchTickers": "ccxt's own call without symbols refuses itself: it wants a currency",
    "fetchCurrencies": {
        "amountOfCurrencies": "only what something is settled in is listed: three, not six",
        "activeMajorCurrencies": NO_CURRENCY_FIELDS,
        "active": NO_CURRENCY_FIELDS,
        "deposit": NO_CURRENCY_FIELDS,
        "withdraw": NO_CURRENCY_FIELDS,
        "precision": "ccxt does not read fee_precision",
        "networks": NO_CURRENCY_FIELDS,
        "limits": NO_CURRENCY_FIELDS,
    },
    "fetchPositions": {
        "timestamp": "positions carry no time",
        "collateral": "nor a collateral of their own",
        "marginMode": "nor a margin mode",
    },
    "fetchWithdrawals": {
        "network": "the venue does not say which",
        "addressFrom": "nor where it paid from",
        "comment": "nor what for",
        "internal": "nor whether to another account of its own",
    },
    "watchBalance": "ccxt puts what it reads under the currency and never fills `free`, `used` and "
    "`total`, which its test asks for",
}
NO_USD = {"currencyIdAndCode": "prices are in USD, which is no currency at the venue"}
UNTRADED_KINDS = {
    "spot": "see loadMarkets above",
    "future_combo": "ccxt gives combos neither linear nor inverse, which its test asks for",
    "option_combo": "the same",
}

REST_DONE = {
    "features",
    "afterConstruct",
    "fetchCurrencies",
    "fetchTicker",
    "fetchOHLCV",
    "fetchTrades",
    "fetchOrderBook",
    "fetchStatus",
    "fetchFundingRateHistory",
    "fetchBalance",
    "fetchAccounts",
    "fetchTradingFees",
    "fetchOpenOrders",
    "fetchClosedOrders",
    "fetchMyTrades",
    "fetchDeposits",
    "fetchWithdrawals",
    "fetchTransfers",
    "fetchPositions",
}
WS_DONE = {
    "watchOHLCV",
    "watchOHLCVForSymbols",
    "watchTicker",
    "watchTickers",
    "watchBidsAsks",
    "watchOrderBook",
    "watchOrderBookForSymbols",
    "watchTrades",
    "watchTradesForSymbols",
    "watchMyTrades",
    "watchOrders",
}

RUN = """
import asyncio, sys
sys.path.insert(0, sys.argv.pop(1))
methods = sys.argv.pop(1) or None
from tests_helpers import argvExchange, argvSymbol
from tests_async import testMainClass
asyncio.run(testMainClass().init(argvExchange, argvSymbol, methods))
"""


@dataclass(frozen=True)
class Harness:
    """The laid out tree; `urls` is where the venue is."""

    root: Path
    urls: dict[str, str]

    @property
    def tests(self) -> Path:
        return self.root / "python" / "ccxt" / "test"

    async def run(self, *arguments: str, only: Sequence[str] = ()) -> str:
        """What ccxt's runner prints: of every test, or of the named ones."""
        tests, methods = str(self.tests), ",".join(only)
        common = ("deribit", SYMBOL, "--private", "--info")
        return await self.python(RUN, tests, methods, *common, *arguments)

    async def python(self, code: str, *arguments: str) -> str:
        """What a program prints that imports ccxt from the tree."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            code,
            *arguments,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root / "python")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), HARNESS_S)
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode == 0, said.decode()
        return said.decode()


def lay_out(root: Path, urls: dict[str, str]) -> Harness:
    """A tree as in ccxt's repository. The tests themselves are copied: they look beside them."""
    installed = Path(ccxt.__file__).parent
    package = root / "python" / "ccxt"
    package.mkdir(parents=True)
    for entry in installed.iterdir():
        if entry.name == "test":
            shutil.copytree(entry, package / "test", ignore=shutil.ignore_patterns("__pycache__"))
        elif entry.name != "__pycache__":
            (package / entry.name).symlink_to(entry)
    keys = {"deribit": {"apiKey": "sim", "secret": "sim", "urls": {"api": urls}}}
    (root / "keys.json").write_bytes(orjson.dumps(keys))
    skips = {"deribit": {"skipMethods": SKIPPED}}
    (root / "skip-tests.json").write_bytes(orjson.dumps(skips))
    return Harness(root, urls)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    """The tree, and a venue of its own in another process."""
    venue = await asyncio.create_subprocess_exec(
        MMBOT,
        "sim",
        "serve",
        "--exchange",
        "deribit",
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert venue.stdout is not None
        ready = orjson.loads(await asyncio.wait_for(venue.stdout.readline(), 30))
        yield lay_out(tmp_path / "ccxt", {"rest": ready["rest"], "ws": ready["ws"]})
    finally:
        venue.terminate()
        await venue.wait()


@asynccontextmanager
async def a_trader(harness: Harness) -> AsyncIterator[Any]:
    """A stock client of the same account."""
    client = ccxt.async_support.deribit(
        {
            "apiKey": "sim",
            "secret": "sim",
            "enableRateLimit": False,
            "urls": {"api": harness.urls},
        }
    )
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


async def trade_for_ever(client: Any) -> None:
    """Buy and sell a little, so that there is something to watch."""
    while True:
        for side in ("buy", "sell"):
            await client.create_order(SYMBOL, "market", side, 1)
            await asyncio.sleep(0.4)


def done(said: str) -> set[str]:
    """The tests that ran to their end."""
    return {
        line.split()[-1] for line in said.splitlines() if line.startswith("[INFO] TESTING DONE")
    }


def complaints(said: str) -> Iterator[str]:
    return (line for line in said.splitlines() if line.startswith(("[TEST_FAIL", "[TEST_WARN")))


@pytest.mark.long
async def test_every_rest_call_passes_ccxts_own_tests(harness: Harness) -> None:
    async with a_trader(harness) as client:
        # No position and no order yet: ccxt has free and used add up to the total, and the venue's
        # available funds leave out the initial margin.
        order = await client.create_order(SYMBOL, "limit", "buy", 1, 2500)
        await client.cancel_order(order["id"])
        await client.transfer("BTC", 1, "sim", "7")
        await client.withdraw("BTC", 1, "0x" + "ab" * 20)
        said = await harness.run()
        assert not list(complaints(said)), said
        assert done(said) >= REST_DONE


@pytest.mark.long
async def test_open_orders_and_positions_pass_ccxts_own_tests(harness: Harness) -> None:
    async with a_trader(harness) as client:
        await client.create_order(SYMBOL, "market", "buy", 10)
        await client.create_order(SYMBOL, "limit", "buy", 1, 2500)
        stop = {"stopLossPrice": 2400, "trigger": "mark_price"}
        await client.create_order(SYMBOL, "market", "sell", 1, None, stop)
        wanted = ("fetchOpenOrders", "fetchClosedOrders", "fetchPositions", "fetchMyTrades")
        said = await harness.run(only=wanted)
        assert not list(complaints(said)), said
        assert done(said) >= set(wanted)


@pytest.mark.long
async def test_every_stream_passes_ccxts_own_tests(harness: Harness) -> None:
    async with a_trader(harness) as client:
        trading = asyncio.create_task(trade_for_ever(client))
        try:
            said = await harness.run("--ws")
        finally:
            trading.cancel()
            ended = await asyncio.gather(trading, return_exceptions=True)
        assert isinstance(ended[0], asyncio.CancelledError), ended
        assert not list(complaints(said)), said
        assert done(said) >= WS_DONE


MARKETS = """
import asyncio, json, sys
urls, skipped, kinds = (json.loads(argument) for argument in sys.argv[1:])
sys.argv[1:] = ["deribit"]
import ccxt.async_support as ccxt
from ccxt.test.exchange.base import test_market

async def main():
    exchange = ccxt.deribit({"urls": {"api": urls}})
    try:
        markets = await exchange.load_markets()
        for market in markets.values():
            if market["info"]["kind"] not in kinds:
                test_market(exchange, skipped, "loadMarkets", market)
                print(market["id"])
    finally:
        await exchange.close()

asyncio.run(main())
"""


@pytest.mark.long
async def test_every_market_passes_ccxts_own_test(harness: Harness) -> None:
    arguments = (harness.urls, NO_USD, UNTRADED_KINDS)
    said = await harness.python(MARKETS, *(orjson.dumps(one).decode() for one in arguments))
    names = said.split()
    assert len(names) > 2_000
    assert {"ETH-PERPETUAL", "ETH-6JUN25-2800-C", "SOL_USDC-PERPETUAL"} <= set(names)
