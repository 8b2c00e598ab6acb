"""`mmbot price surface`: the volatility surface through a chain's quotes, and how well it fits."""

import sys
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.cli.wanted import Json
from mmbot.errors import ConfigError

if TYPE_CHECKING:
    from mmbot.research.chain_files import Found
    from mmbot.research.surface_report import Line, Report

_EXPIRIES_LEAST = 2
_READ = 0.6
"""Share of the bar for reading; the rest is for fitting."""


def surface(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="CHAINFILE",
            help="A chain of options: parquet, a book summary or a chain as JSON or CSV (gzip, "
            "too), or a tape of `mmbot quote`.",
        ),
    ],
    underlying: Annotated[
        str | None,
        typer.Option("--underlying", metavar="COIN", help="Of several, this one: BTC or ETH."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="The latest chain up to this date or moment. (default: the last one)",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Also draw it: a .png, .svg or .pdf file."),
    ] = None,
    json: Json = False,
) -> None:
    """Fit a volatility surface to a file's quotes, without arbitrage, and say how well it fits.

    Each expiry is fitted by SVI; with few quotes by eSSVI; with next to none it shows the venue's
    marks. Errors are against the volatility between bid and ask, in vol points. The last line sums
    up the expiries that are more than a day away.
    """
    from mmbot.cli.late_bar import LateBar
    from mmbot.cli.pages import print_json
    from mmbot.clock import Clock
    from mmbot.config import moment
    from mmbot.research import chain_files, surface_plot, surface_report

    if plot is not None:
        surface_plot.require(plot)
    at_ns = None if at is None else int(moment(at, "--at").timestamp() * 1000) * 1_000_000
    now_s = Clock().monotonic_s
    with LateBar(file.name, now_s) as bar:
        found = chain_files.read(file, underlying, at_ns, lambda share: bar.at(_READ * share))
        live = {one for one in found.chain.expiry_ns.tolist() if one > found.chain.at_ns}
        if len(live) < _EXPIRIES_LEAST:
            raise ConfigError(
                f"{file}: {len(live)} expiry of {found.chain.underlying} at that moment: a surface "
                f"needs {_EXPIRIES_LEAST}"
            )
        told = surface_report.report(
            found.chain, now_s, said=lambda share: bar.at(_READ + (1.0 - _READ) * share)
        )
    if plot is not None:
        surface_plot.draw(told, plot)
    _note(found, underlying)
    if json:
        print_json(surface_report.as_object(told))
    else:
        _print(told)


def _note(found: "Found", underlying: str | None) -> None:
    """What is not in the table, on stderr."""
    if underlying is None and len(found.underlyings) > 1:
        others = ", ".join(one for one in found.underlyings if one != found.chain.underlying)
        print(f"mmbot: {found.chain.underlying}; --underlying for {others}", file=sys.stderr)
    if found.unreadable:
        print(f"mmbot: {found.unreadable} rows name no option, left out", file=sys.stderr)


def _print(told: "Report") -> None:
    from mmbot.cli.pages import show
    from mmbot.research.chain_files import moment_text

    whole, errors = told.surface, told.errors
    moment = moment_text(whole.at_ns)[:19].replace("T", " ")
    show(
        f"{whole.underlying} {moment} UTC: {_arbitrage(told)}, refit {told.took.warm:.1f} ms "
        f"({told.took.cold:.0f} from nothing)",
        (
            "expiry", ">days", ">forward", "model", ">ATM %", ">quotes", ">median", ">p95",
            ">inside", ">g min", ">left out",
        ),
        [
            *map(_row, told.lines),
            (
                "more than a day", "", "", "", "", "", _points(errors.median), _points(errors.p95),
                _share(errors.inside), "", "",
            ),
        ],
    )  # fmt: skip
    reasons: dict[str, int] = {}
    for line in told.lines:
        for reason, count in line.expiry.skipped:
            reasons[reason] = reasons.get(reason, 0) + count
    if told.expired:
        reasons["expired"] = sum(rows for _, rows in told.expired)
    if reasons:
        print("\nleft out: " + ", ".join(f"{reason} {n}" for reason, n in reasons.items()))


def _row(line: "Line") -> tuple[str, ...]:
    from mmbot.research.chain_files import moment_text

    one, errors = line.expiry, line.errors
    return (
        moment_text(one.expiry_ns)[:10],
        f"{365 * one.years:.1f}",
        _number(one.forward, ",.2f"),
        one.model.value,
        _number(100 * float(one.vol(0.0)), ".2f"),
        str(one.quotes),
        _points(errors.median),
        _points(errors.p95),
        _share(errors.inside),
        "-" if line.g_min is None else f"{line.g_min:.4f}",
        str(sum(count for _, count in one.skipped)),
    )


def _arbitrage(told: "Report") -> str:
    match told.arbitrage_free:
        case None:
            return "nothing to fit, the venue's marks"
        case True:
            return "no arbitrage"
        case False:
            return "ARBITRAGE"


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _number(value: float, form: str) -> str:
    return "-" if isnan(value) else format(value, form)
