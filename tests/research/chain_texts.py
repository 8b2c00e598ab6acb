"""Chains of our own, written the way others write theirs."""

import json
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

from mmbot.pricing.chain_quotes import ChainQuotes

SHARED = Path(__file__).parents[3] / "shared/data/deribit_chains"
"""Recordings that are on some machines only."""

Said = dict[str, Any]


def names(chain: ChainQuotes) -> list[str]:
    """Deribit's names of the options."""
    found = []
    for expiry_ns, strike, sign in zip(
        chain.expiry_ns.tolist(), chain.strike.tolist(), chain.sign.tolist(), strict=True
    ):
        day = datetime.fromtimestamp(expiry_ns // 10**9, UTC)
        right = "C" if sign > 0 else "P"
        found.append(f"{chain.underlying}-{day.day}{day:%b%y}-{strike:.0f}-{right}".upper())
    return found


def summary(chain: ChainQuotes) -> list[Said]:
    """Rows of get_book_summary_by_currency."""
    return [
        {
            "instrument_name": name,
            "creation_timestamp": chain.at_ns // 10**6,
            "bid_price": None if isnan(bid) else bid,
            "ask_price": None if isnan(ask) else ask,
            "mark_price": 0.01,
            "mark_iv": 100 * vol,
            "underlying_price": forward,
            "underlying_index": f"SYN.{name[:10]}" if synthetic else name[:10],
        }
        for name, bid, ask, vol, forward, synthetic in zip(
            names(chain),
            chain.bid.tolist(),
            chain.ask.tolist(),
            chain.mark_vol.tolist(),
            chain.forward.tolist(),
            chain.synthetic.tolist(),
            strict=True,
        )
    ]


def as_summary(chain: ChainQuotes, path: Path) -> Path:
    """A file of the answer."""
    path.write_text(json.dumps({"jsonrpc": "2.0", "result": summary(chain)}))
    return path


def by_expiry(chain: ChainQuotes) -> Said:
    """A chain by expiry, volatilities as fractions."""
    expiries: dict[str, Said] = {}
    for row in summary(chain):
        one = expiries.setdefault(row["instrument_name"].split("-")[1], {"options": []})
        one["options"].append(row | {"mark_iv": row["mark_iv"] / 100})
    at = datetime.fromtimestamp(chain.at_ns / 1e9, UTC)
    return {"captured_at_utc": at.isoformat(), "expiries": expiries}
