"""What a run of `mmbot quote` came to, as lines or as one JSON object."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbot.engine.status import Pnl, Summary

_NAMES_MAX_CHARS = 76
"""Four options of ETH fit on the summary's line."""


def print_summary(summary: "Summary", json: bool) -> None:
    """Print the summary to stdout."""
    if json:
        import orjson

        # What went wrong is the exit code's and stderr's to tell.
        silent = ("tripped", "unwritten")
        said = {name: value for name, value in asdict(summary).items() if name not in silent}
        print(orjson.dumps(said, default=float).decode())
        return
    orders = summary.orders
    print(f"{summary.mode.upper()} {summary.venue}, run {summary.run_id}")
    for name, value in (
        ("ran", f"{summary.duration_s:.1f} s on {_instruments(summary.instruments)}"),
        ("ended", summary.ended),
        (
            "orders",
            f"{orders.placed} placed, {orders.amended} amended, {orders.cancelled} cancelled, "
            f"{orders.rejected} rejected",
        ),
        ("fills", summary.fills),
        *_money_lines(summary.pnl),
        *_position_lines(summary),
        *_left_lines(summary),
    ):
        print(f"  {name:<12} {value}")


def _left_lines(summary: "Summary") -> list[tuple[str, object]]:
    """Orders of ours that are still open; with several venues, at each of them."""
    if len(summary.venues) < 2:
        return [("orders left", _left(summary.open_orders_after_stop))]
    total = summary.open_orders_after_stop
    left = {name: one.open_orders_after_stop for name, one in summary.venues.items()}
    return [
        ("orders left", "unknown" if total is None else total),
        *(("", f"{name:<20} {_left(count)}") for name, count in left.items()),
    ]


def _left(count: int | None) -> object:
    return "unknown: the venue could not be asked" if count is None else count


def _money_lines(pnl: "Pnl") -> list[tuple[str, str]]:
    """Profit and the change of equity, each with parts that add up as they are shown; a cost is
    below zero."""
    from mmbot.cli.sums import apportioned, rounded

    parts = (pnl.spread_usd, pnl.inventory_usd, -pnl.fees_usd, pnl.funding_usd)
    digits = _digits(pnl)
    spread, inventory, fees, funding = apportioned(parts, pnl.total_usd, digits)
    total, moved = rounded(pnl.total_usd, digits), rounded(pnl.revaluation_usd, digits)
    return [
        (
            "PnL",
            f"{total:+} USD = spread {spread:+}, inventory {inventory:+}, fees {fees:+}"
            f"{f', funding {funding:+}' if funding else ''}",
        ),
        (
            "equity",
            f"{total + moved:+} USD = PnL {total:+}, coin moved {moved:+}; unrealized "
            f"{rounded(pnl.open_usd, digits):+}",
        ),
    ]


def _digits(pnl: "Pnl") -> int:
    from mmbot.cli.sums import digits_for

    parts = (pnl.spread_usd, pnl.inventory_usd, pnl.fees_usd, pnl.funding_usd)
    return digits_for(*parts, pnl.total_usd, pnl.revaluation_usd, pnl.open_usd)


def _position_lines(summary: "Summary") -> list[tuple[str, str]]:
    """What is held and what it earned, a line each, then what everything else earned: together
    they are the profit as it is shown."""
    from mmbot.cli.sums import apportioned, rounded

    pnl, digits = summary.pnl, _digits(summary.pnl)
    known = [row for row in summary.rows if row.pnl_usd is not None]
    amounts = [row.pnl_usd for row in known if row.pnl_usd is not None]
    shown = apportioned(amounts, pnl.total_usd, digits)
    earned = {row.name: usd for row, usd in zip(known, shown, strict=True)}
    held = [row for row in summary.rows if row.position]
    exposure = ", ".join(
        f"delta {one.net:+.2f} {coin} net, {one.gross:.2f} gross"
        for coin, one in summary.delta_coin.items()
        if one.gross
    )
    lines = [("positions", f"{len(held)}, {exposure}" if exposure else str(len(held) or "flat"))]
    for row in held:
        usd = earned.get(row.name)
        profit = "unknown" if usd is None else f"{usd:+}"
        quoted = "" if row.quoted else ", not quoted here"
        lines.append(("", f"{row.name:<20} {row.position.normalize():+f}  {profit}{quoted}"))
    closed = [row.name for row in summary.rows if not row.position]
    if held and closed:
        rest = sum((earned[name] for name in closed if name in earned), rounded(0, digits))
        lines.append(("", f"{'closed':<20} {rest:+}"))
    return lines


def _instruments(names: Sequence[str]) -> str:
    said = ", ".join(names)
    return said if len(said) <= _NAMES_MAX_CHARS else f"{len(names)} instruments"
