"""`mmbot quote`: make a market until Ctrl+C, showing what happens.

stdout carries the table and the summary, or with --json one object; all else goes to stderr. With
--dry-run it is what a run would begin with (rehearsal.py).
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.run_summary import print_summary
from mmbot.cli.stream_log import StreamLog
from mmbot.cli.streams import in_red, read_or_not
from mmbot.config import KNOWN_FLAGS, Config, Mode, load_config
from mmbot.errors import ConfigError, OrdersMayRemain, Refused, StoreError
from mmbot.plugins.importing import importing

if TYPE_CHECKING:
    from mmbot.engine.status import StatusFrame, Summary

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


def given_flags(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Of a command's parameters those that set something in the configuration, by their flags."""
    given = {f"--{name.replace('_', '-')}": value for name, value in parameters.items()}
    return {
        flag: value
        for flag, value in given.items()
        if flag in KNOWN_FLAGS and value not in (None, False)
    }


def quote(
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
    watch: Annotated[
        Text,
        _text(
            "--watch",
            "WHAT",
            _WHAT,
            "Looked at besides: desk, expiry, chain, or A,B. (default expiry)",
        ),
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
    desk: Annotated[
        Text, _text("--desk", "NAME", _HOW, "Of several in a file: the one that flags are about.")
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
    settings = load_config(given_flags(locals()), config)
    if dry_run:
        _warn(settings)
        print(f"{settings.run.mode.value.upper()}, dry run: nothing is sent", file=sys.stderr)
        _dry_run(settings, json)
        return
    _require_keys(settings)
    with read_or_not():
        print(_mode_line(settings), file=sys.stderr)
        _warn(settings)
    summary = _run(settings, screen=sys.stdout.isatty() and not (json or no_screen), only=only)
    with read_or_not():  # the exit code matters more than who reads the summary
        print_summary(summary, json)
    left = summary.open_orders_after_stop
    if summary.unwritten and summary.exit_code:  # which is a graver matter, told below
        with read_or_not():
            print(summary.unwritten, file=sys.stderr)
    if left != 0:
        unproved = [n for n, one in summary.venues.items() if one.open_orders_after_stop != 0]
        raise OrdersMayRemain(
            f"{'orders' if left is None else left} of ours may still be open at "
            f"{', '.join(unproved)}: look there and cancel them"
        )
    if summary.tripped is not None:
        raise Refused(
            f"the kill switch was tripped ({summary.tripped}): look at the account, then "
            '`mmbot resume --reason "what was done about it"`'
        )
    if summary.unwritten:
        raise StoreError(summary.unwritten)


def _require_keys(config: Config) -> None:
    """Raises ConfigError where the key pair of the venue is missing; of several venues, Refused
    with every pair that is."""
    with importing():
        from mmbot.venues.plugin import credentials_of
        from mmbot.venues.site import sites_of

    missing = []
    for site in sites_of(config):
        try:
            credentials_of(site, Path.cwd())
        except ConfigError as error:
            if len(config.venues) == 1:
                raise
            missing.append(str(error))
    if missing:
        raise Refused("; ".join(missing))


def _warn(config: Config) -> None:
    """What the desk file has switched off."""
    from mmbot.config.effective import off_lines

    for line in off_lines(config):
        print(in_red(line, sys.stderr), file=sys.stderr)


def _mode_line(config: Config) -> str:
    venue = ", ".join(venue.name for venue in config.venues)
    match config.run.mode:
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

    from mmbot.cli.feed import ScreenFeed, ScreenLog

    feed = ScreenFeed(only=only) if screen else None
    mode = config.run.mode
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
        return uvloop.run(_quoted(config, *shown))
    finally:
        # Every order is dealt with; one more Ctrl+C must not cost the summary and the exit code.
        for ending in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(ending, signal.SIG_IGN)
        if feed:
            feed.close()
            _log_to(StreamLog(sys.stderr), mode)


async def _quoted(
    config: Config,
    on_status: "Callable[[StatusFrame], None] | None",
    on_suspended: "Callable[[bool], None] | None",
) -> "Summary":
    """A simulated world that will be needed is begun first: it comes up while we import."""
    import asyncio

    from mmbot.venues.simulated import begin_ahead

    ahead = await begin_ahead(config)
    try:
        with importing():
            from mmbot.assemble import run_quote

        await asyncio.sleep(0)  # Ctrl+C while we were importing ends it here
        return await run_quote(config, on_status=on_status, on_suspended=on_suspended, ahead=ahead)
    finally:
        await ahead.end()


def _log_to(handler: logging.Handler, mode: Mode) -> None:
    from mmbot.ops.limit import Limit
    from mmbot.ops.stamp import Stamp

    handler.setFormatter(Stamp(mode.value))
    handler.addFilter(Limit())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
