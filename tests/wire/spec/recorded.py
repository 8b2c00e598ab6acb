"""Frames that somebody recorded on the real venue, from the shared folder."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.wire.spec.extract import shared

Json = dict[str, Any]

_OF_FIXTURE = {
    "http_get_account_summaries": "private/get_account_summaries",
    "http_get_instruments": "public/get_instruments",
    "http_get_instrument": "public/get_instrument",
    "http_get_last_trades": "public/get_last_trades_by_instrument",
    "http_get_order_book": "public/get_order_book",
    "http_get_time": "public/get_time",
    "http_test": "public/test",
    "ws_order_buy": "private/buy",
    "ws_order_sell": "private/sell",
    "ws_order_stop_market": "private/buy",
    "ws_order_cancel": "private/cancel",
    "ws_order_edit": "private/edit",
    "ws_subscribe_response": "public/subscribe",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One frame: `about` is the channel it came on or the method it answers."""

    source: str
    about: str
    is_push: bool
    payload: Any


def recorded() -> Iterator[Recorded]:
    """Every frame about which it is known what it is; what is older than the specification not."""
    folder = shared() / "data" / "deribit_messages"
    kept = json.loads((folder / "crypto_msg_parser_deribit_messages_2021_2022.json").read_text())
    for message in kept["messages"]:
        frame = message["msg"]
        method = "public/get_book_summary_by_currency"
        if "bids" in frame.get("result", ()):
            method = "public/get_order_book"
        yield _of(f"crypto_msg_parser: {message['test']}", frame, method)
    fixtures = json.loads((folder / "nautilus_deribit_fixtures.json").read_text())["files"]
    for name, frame in fixtures.items():
        fitting = [one for one in _OF_FIXTURE if name.startswith(one)]
        if frame.get("method") == "subscription":
            yield _of(f"nautilus: {name}", frame, "")
        elif fitting:
            yield _of(f"nautilus: {name}", frame, _OF_FIXTURE[max(fitting, key=len)])
    packed = folder / "cryptofeed_deribit_options_ws_20210722.txt.gz"
    for number, line in enumerate(gzip.decompress(packed.read_bytes()).decode().splitlines()):
        _, _, text = line.partition(": ")
        if line[:1].isdigit() and '"subscription"' in text:
            yield _of(f"cryptofeed ws: line {number}", json.loads(text), "")


def _of(source: str, frame: Json, method: str) -> Recorded:
    if frame.get("method") == "subscription":
        return Recorded(source, frame["params"]["channel"], True, frame["params"]["data"])
    return Recorded(source, method, False, frame["result"])
