"""`mmbot quote`: make a market until Ctrl+C, showing what happens.

stdout carries the table and the summary, or with --json one object; all else goes to stderr. With
--dry-run it is what a run would begin with (rehearsal.py).
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.streams import StreamLog, in_red, read_or_not
from mmbot.config import KNOWN_FLAGS, Config, Mode, load_config
from mmbot.errors import OrdersMayRemain, Refused, StoreError
from mmbot.venues.credentials import credentials

if TYPE_CHECKING:
    from mmbot.engine.status import Pnl, Summary

_NAMES_MAX_CHARS = 76
"""Four options of ETH fit on the summary's line."""

_WHAT = "What is quoted"
_WHERE = "Where (nothing named: the simulated venue, no keys, no network)"
_HOW = "How"
_LIMITS = "Limits"
_OUTPUT = "Run and output"


def _text(flag: str, metavar: str, panel: str, text: str) -> Any:
    return typer.Option(flag, metavar=metavar, rich_help_panel=panel, help=text)


def _switch(flag: str, panel: str, text: str) -> Any:
    return typer.Option(flag, rich_help_panel=panel, help=text)


Text = str | None
"""Flags stay text here: they are read and checked together with the file's values (config)."""


def quote(
    context: typer.Context,
    exchange: Annotated[
        Text, _text("--exchange", "NAME", _WHAT, "Venue. (default deribit)")
    ] = None,
    underlying: Annotated[
        Text,
        _text("--underlying", "COIN", _WHAT, "Options on it; ETH_USDC: in USDC. (default ETH)"),
    ] = None,
    expiry: Annotated[Text, _text("--expiry", "DATE", _WHAT, "Expiry of the options.")] = None,
    strikes: Annotated[
        Text, _text("--strikes", "K1,K2", _WHAT, "Strikes; the call and the put of each.")
    ] = None,
    all_strikes: Annotated[
        bool, _switch("--all-strikes", _WHAT, "Every strike listed for the expiry.")
    ] = False,
    symbols: Annotated[
        Text, _text("--symbols", "A,B", _WHAT, "Instruments by the venue's or ccxt's names.")
    ] = None,
    sim: Annotated[bool, _switch("--sim", _WHERE, "The simulated venue (the default).")] = False,
    paper: Annotated[bool, _switch("--paper", _WHERE, "Not available in this version.")] = False,
    testnet: Annotated[
        bool, _switch("--testnet", _WHERE, "The venue's test network; needs its own keys.")
    ] = False,
    live: Annotated[
        bool, _switch("--live", _WHERE, "REAL MONEY at the venue; needs keys.")
    ] = False,
    sim_url: Annotated[
        Text, _text("--sim-url", "URL", _WHERE, "A running `mmbot sim serve`, by its REST URL.")
    ] = None,
    seed: Annotated[
        Text, _text("--seed", "N", _WHERE, "Seed of the simulated world. (default 1)")
    ] = None,
    at: Annotated[
        Text, _text("--at", "MOMENT", _WHERE, "Where it starts. (default 2025-06-02T12:00:00Z)")
    ] = None,
    strategy: Annotated[
        Text, _text("--strategy", "NAME", _HOW, "Strategy plug-in. (default improve_top)")
    ] = None,
    size: Annotated[
        Text,
        _text("--size", "SIZE", _HOW, "A quote's: 1 ETH, 3000 USD, 2 lots. (default smallest)"),
    ] = None,
    spread: Annotated[
        Text, _text("--spread", "BPS", _HOW, "Width where the market gives none. (default 10)")
    ] = None,
    improvement: Annotated[
        Text,
        _text("--improvement", "USD", _HOW, "Better than the best price by this. (default 0.1)"),
    ] = None,
    improvement_reference_size: Annotated[
        Text,
        _text(
            "--improvement-reference-size",
            "AMOUNT",
            _HOW,
            "Improve the first level of at least this size. (default 0: the best)",
        ),
    ] = None,
    aggression: Annotated[
        Text,
        _text("--aggression", "A", _HOW, "0 joins, 0.9 is near mid, 1 improves. (default 1.0)"),
    ] = None,
    bid_only: Annotated[bool, _switch("--bid-only", _HOW, "Quote bids only.")] = False,
    ask_only: Annotated[bool, _switch("--ask-only", _HOW, "Quote asks only.")] = False,
    refresh: Annotated[
        Text,
        _text("--refresh", "SECONDS", _HOW, "Look at every market at least so often. (default 1)"),
    ] = None,
    max_position: Annotated[
        Text,
        _text(
            "--max-position",
            "SIZE",
            _LIMITS,
            "Largest position, each market. (default 10 lots)",
        ),
    ] = None,
    max_exposure: Annotated[
        Text,
        _text("--max-exposure", "COIN", _LIMITS, "Largest exposure, all together. (default 100)"),
    ] = None,
    min_spread: Annotated[
        Text, _text("--min-spread", "BPS", _LIMITS, "Our bid to our ask, perpetuals. (default 1)")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", rich_help_panel=_OUTPUT, help="TOML desk file.")
    ] = None,
    dry_run: Annotated[
        bool, _switch("--dry-run", _OUTPUT, "Show what it would begin with; send nothing.")
    ] = False,
    duration: Annotated[
        Text, _text("--duration", "SECONDS", _OUTPUT, "Stop by itself after this time.")
    ] = None,
    json: Annotated[
        bool, _switch("--json", _OUTPUT, "Print the summary as one JSON object.")
    ] = False,
    tape: Annotated[
        bool, _switch("--tape", _OUTPUT, "Record every turn, whatever the file says.")
    ] = False,
    no_tape: Annotated[bool, _switch("--no-tape", _OUTPUT, "Record no turns.")] = False,
    no_screen: Annotated[
        bool, _switch("--no-screen", _OUTPUT, "Log lines instead of the live table.")
    ] = False,
    only: Annotated[
        Text, _text("--only", "PATTERN", _OUTPUT, "Rows of the table: part of a name, or * and ?.")
    ] = None,
) -> None:
    """Make a market until Ctrl+C; then cancel everything, prove it, and print a summary."""
    # One table in config knows what each flag sets, so they travel under their own names.
    given = {f"--{name.replace('_', '-')}": value for name, value in context.params.items()}
    flags = {
        flag: value
        for flag, value in given.items()
        if flag in KNOWN_FLAGS and value not in (None, False)
    }
    settings = load_config(flags, config)
    if dry_run:
        _warn(settings)
        print(f"{settings.desk.mode.value.upper()}, dry run: nothing is sent", file=sys.stderr)
        _dry_run(settings, json)
        return
    credentials(settings.desk.mode, Path.cwd(), settings.desk.venue)  # missing ones end it here
    with read_or_not():
        print(_mode_line(settings), file=sys.stderr)
        _warn(settings)
    summary = _run(settings, screen=sys.stdout.isatty() and not (json or no_screen), only=only)
    with read_or_not():  # the exit code matters more than who reads the summary
        _print_summary(summary, json)
    left = summary.open_orders_after_stop
    if summary.unwritten and summary.exit_code:  # which is a graver matter, told below
        with read_or_not():
            print(summary.unwritten, file=sys.stderr)
    if left != 0:
        raise OrdersMayRemain(
            f"{'orders' if left is None else left} of ours may still be open at {summary.venue}: "
            "look there and cancel them"
        )
    if summary.tripped is not None:
        raise Refused(
            f"the kill switch was tripped ({summary.tripped}): look at the account, then "
            '`mmbot resume --reason "what was done about it"`'
        )
    if summary.unwritten:
        raise StoreError(summary.unwritten)


def _warn(config: Config) -> None:
    """What the desk file has switched off."""
    from mmbot.config.effective import off_lines

    for line in off_lines(config):
        print(in_red(line, sys.stderr), file=sys.stderr)


def _mode_line(config: Config) -> str:
    venue = config.desk.venue
    match config.desk.mode:
        case Mode.SIM:
            return "SIM: simulated venue, no real money"
        case Mode.TESTNET:
            return f"TESTNET: the test network of {venue}, no real money"
        case Mode.LIVE:
            text = f"LIVE: REAL MONEY on {venue}"
            colored = sys.stderr.isatty() and "NO_COLOR" not in os.environ
            return f"\x1b[1;37;41m {text} \x1b[0m" if colored else text
        case Mode.PAPER:
            raise AssertionError("refused with the configuration")


def _dry_run(config: Config, json: bool) -> None:
    """What a run would begin with, as tables or as one JSON object."""
    import uvloop

    from mmbot.cli.rehearsal import show
    from mmbot.research.dry_run import rehearse

    show(config, uvloop.run(rehearse(config)), json)


def _run(config: Config, *, screen: bool, only: str | None) -> "Summary":
    """Quote until the end, with the live table or with log lines."""
    import uvloop

    from mmbot.assemble import run_quote
    from mmbot.cli.feed import ScreenFeed, ScreenLog

    feed = ScreenFeed(only=only) if screen else None
    mode = config.desk.mode
    _log_to(ScreenLog(feed) if feed else StreamLog(sys.stderr), mode)

    def suspended(stopping: bool) -> None:
        """Give the terminal back as it was, and take it again."""
        assert feed is not None
        if stopping:
            feed.close()
            _log_to(StreamLog(sys.stderr), mode)
        else:
            _log_to(ScreenLog(feed), mode)
            feed.open()

    try:
        shown = (feed.show, suspended) if feed else (None, None)
        return uvloop.run(run_quote(config, on_status=shown[0], on_suspended=shown[1]))
    finally:
        # Every order is dealt with; one more Ctrl+C must not cost the summary and the exit code.
        for ending in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(ending, signal.SIG_IGN)
        if feed:
            feed.close()
            _log_to(StreamLog(sys.stderr), mode)


def _log_to(handler: logging.Handler, mode: Mode) -> None:
    from mmbot.ops.limit import Limit
    from mmbot.ops.stamp import Stamp

    handler.setFormatter(Stamp(mode.value))
    handler.addFilter(Limit())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)


def _print_summary(summary: "Summary", json: bool) -> None:
    if json:
        import orjson

        # What went wrong is the exit code's and stderr's to tell.
        silent = ("tripped", "unwritten")
        said = {name: value for name, value in asdict(summary).items() if name not in silent}
        print(orjson.dumps(said, default=float).decode())
        return
    orders = summary.orders
    left = summary.open_orders_after_stop
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
        ("orders left", "unknown: the venue could not be asked" if left is None else left),
    ):
        print(f"  {name:<12} {value}")


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
