"""Pages of trades, as the venue's queries cut them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def page(
    trades: Sequence[dict[str, Any]],
    *,
    count: int,
    sorting: str,
    start_ms: int | None,
    end_ms: int | None,
    start_seq: int | None,
    end_seq: int | None,
) -> tuple[list[dict[str, Any]], bool]:
    """(at most `count` trades, whether there are more) of an oldest-first sequence.

    `sorting` "asc" gives the oldest that qualify, oldest first; anything else the newest, newest
    first.
    """
    chosen = [
        trade
        for trade in trades
        if (start_ms is None or trade["timestamp"] >= start_ms)
        and (end_ms is None or trade["timestamp"] <= end_ms)
        and (start_seq is None or trade["trade_seq"] >= start_seq)
        and (end_seq is None or trade["trade_seq"] <= end_seq)
    ]
    if sorting != "asc":
        chosen.reverse()
    return chosen[:count], len(chosen) > count
