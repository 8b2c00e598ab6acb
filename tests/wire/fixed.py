"""What the fast venues of the bench and the soak say alike: four options, generous limits, and the
answers that never change."""

from typing import Any

from tests.wire.scripted import option

Json = dict[str, Any]

NAMES = ("ETH-6JUN25-2800-C", "ETH-6JUN25-2800-P", "ETH-6JUN25-2900-C", "ETH-6JUN25-2900-P")
START_MS = 1_748_865_600_000
"""2025-06-02 12:00 UTC."""
INDEX_USD = 2850.0
MARK = 0.0350
"""Of every option, in coin."""
OWN_FEED = "user.changes.any.any.raw"

_LIMIT = {"rate": 10_000, "burst": 10_000}
_LIMITS: Json = {
    "limits_per_currency": False,
    "non_matching_engine": _LIMIT,
    "matching_engine": {"trading": {"total": _LIMIT}, "cancel_all": _LIMIT, "quotes": _LIMIT},
}


def listed() -> list[Json]:
    """The rows of public/get_instruments."""
    rows = []
    for name in NAMES:
        _, _, strike, right = name.split("-")
        kind = "call" if right == "C" else "put"
        rows.append(option(name, strike=float(strike), option_type=kind))
    return rows


def answers(account: str) -> Json:
    """Method -> result, for an account with 100 ETH and nothing else."""
    summary = {"currency": "ETH", "equity": 100.0, "balance": 100.0, "limits": _LIMITS}
    return {
        "public/set_heartbeat": "ok",
        "public/test": {"version": "1.2.26"},
        "public/get_currencies": [{"currency": "ETH"}],
        "public/get_instruments": listed(),
        "private/enable_cancel_on_disconnect": "ok",
        "private/get_cancel_on_disconnect": {"scope": "connection", "enabled": True},
        "private/get_account_summaries": {"system_name": account, "summaries": [summary]},
        "private/get_transaction_log": {"logs": [], "continuation": None},
    }


def position(name: str, size: int = 0) -> Json:
    """A position worth its mark, so that it never gains or loses."""
    return {
        "instrument_name": name,
        "kind": "option",
        "direction": "buy" if size > 0 else "sell" if size < 0 else "zero",
        "size": float(size),
        "average_price": MARK if size else 0.0,
        "mark_price": MARK,
        "index_price": INDEX_USD,
        "floating_profit_loss": 0.0,
        "realized_profit_loss": 0.0,
        "total_profit_loss": 0.0,
        "initial_margin": 0.0,
        "maintenance_margin": 0.0,
    }
