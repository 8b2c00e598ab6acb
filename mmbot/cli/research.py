"""`mmbot research`: what recorded data say."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mmbot.cli.pages import print_json, show
from mmbot.cli.wanted import Json
from mmbot.errors import ConfigError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def research() -> None:
    """What recorded data say."""


@app.command()
def vol(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="csv, csv.gz or parquet.")],
    underlying: Annotated[
        str | None,
        typer.Option(metavar="COIN", help="Of a file with several: BTC, ETH, as it names them."),
    ] = None,
    json: Json = False,
) -> None:
    """How much the prices in a file moved: annual volatility by every estimator.

    A file has a column of times and open, high, low, close, or one of prices.
    """
    from mmbot.research.price_file import read_prices
    from mmbot.research.volatility import moved

    prices = read_prices(file, underlying)
    try:
        found, width_s = moved(prices)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    if json:
        print_json(found._asdict())
        return
    first, last = (datetime.fromtimestamp(float(at), UTC) for at in prices.times_s[[0, -1]])
    what = "bars" if prices.are_bars else "prices"
    bars = _width(width_s) if prices.are_bars else f"{_width(width_s)}, made of the prices"
    show(
        f"{file.name}\n{found.samples:,} {what}, gaps: {found.gaps:,}, "
        f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC",
        ("", ">value", "unit", "of"),
        [
            ("realized", _percent(found.realized), "% a year", "returns"),
            ("bipower", _percent(found.bipower), "% a year", "returns, jumps left out"),
            ("jump share", _percent(found.jump_share), "%", "of realized variance"),
            ("Parkinson", _percent(found.parkinson), "% a year", f"ranges of bars of {bars}"),
            ("Garman-Klass", _percent(found.garman_klass), "% a year", "ranges and closes"),
            ("Rogers-Satchell", _percent(found.rogers_satchell), "% a year", "the same, no drift"),
            ("Yang-Zhang", _percent(found.yang_zhang), "% a year", "the same, and opens"),
        ],
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:,.2f}"


def _width(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
