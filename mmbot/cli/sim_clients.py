"""How anybody's client connects to a simulated venue: text that runs as printed."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbot.sim.wire.server import Endpoints

SECRET = "SESSION_KEY"
"""Stands for a key that was given, and is not printed."""


def snippets(kind: str, at: "Endpoints", key: str, secret: str) -> dict[str, str]:
    """Client -> text, for a venue of that kind; `key` and `secret` as they may be printed."""
    if not at.login:
        return {"ccxt": _ccxt(kind, at, key, secret)}
    return {name: write(at) for name, write in _BY_WALLET.items()}


def how_to_enter(at: "Endpoints", pair: str, indent: str) -> str:
    """The lines that say what opens the account."""
    if not at.login:
        return f"{indent}key pair   {pair}; any other is refused"
    words = {
        "wallet": "wallet",
        "subaccount_id": "subaccount",
        "signer": "signer",
        "session_key": "its key",
    }
    told: dict[str, str | int] = {"session_key": "the --secret you gave", **at.login}
    return "\n".join(f"{indent}{word:10} {told[name]}" for name, word in words.items())


def _ccxt(kind: str, at: "Endpoints", key: str, secret: str) -> str:
    return f"""\
import ccxt.pro
{kind} = ccxt.pro.{kind}({{
    "apiKey": "{key}", "secret": "{secret}",
    "urls": {{"api": {{"rest": "{at.rest}", "ws": "{at.ws}"}}}},
}})"""


def _derive_ccxt(at: "Endpoints") -> str:
    return f"""\
import asyncio
import ccxt.pro

async def main():
    derive = ccxt.pro.derive({{
        "walletAddress": "{at.login["signer"]}",
        "privateKey": "{at.login.get("session_key", SECRET)}",
        "options": {{
            "deriveWalletAddress": "{at.login["wallet"]}",
            "subaccount_id": {at.login["subaccount_id"]},
        }},
        "urls": {{"api": {{
            "public": "{at.rest}/public",
            "private": "{at.rest}/private",
            "ws": "{at.ws}",
        }}}},
    }})
    symbol, order = "ETH/USDC:USDC", {{"max_fee": 100}}
    try:
        book = await derive.watch_order_book(symbol)
        bid = round(book["bids"][0][0] * 0.95)
        placed = await derive.create_order(symbol, "limit", "buy", 0.1, bid, order)
        print(placed["id"], placed["status"], "at", placed["price"])
        await derive.cancel_order(placed["id"], symbol)
    finally:
        await derive.close()

asyncio.run(main())"""


def _derive_py(at: "Endpoints") -> str:
    return f"""\
import asyncio
from decimal import Decimal

from derive_py import WebSocketClient
from derive_py.config import CONFIGS
from derive_py.data_types import Chain, ClientConfig
from derive_py.data_types.generated_models import Direction

CONFIGS[Chain.SEPOLIA] = CONFIGS[Chain.SEPOLIA].model_copy(update={{
    "base_url": "{at.rest}",
    "ws_address": "{at.ws}",
}})

async def main():
    async with WebSocketClient(ClientConfig(
        chain=Chain.SEPOLIA,
        session_key="{at.login.get("session_key", SECRET)}",
        wallet="{at.login["wallet"]}",
        subaccount_id={at.login["subaccount_id"]},
    )) as client:
        ticker = await client.markets.get_ticker(instrument_name="ETH-PERP")
        made = await client.orders.create(
            instrument_name="ETH-PERP",
            direction=Direction.buy,
            amount=Decimal("0.1"),
            limit_price=round(Decimal(ticker.best_bid_price) * Decimal("0.95")),
            label="first",
        )
        print(made.order.order_id, made.order.order_status.value, "at", made.order.limit_price)
        await client.orders.cancel_by_label(label="first", instrument_name="ETH-PERP")

asyncio.run(main())"""


_BY_WALLET: Mapping[str, Callable[["Endpoints"], str]] = {
    "ccxt": _derive_ccxt,
    "derive-py": _derive_py,
}
