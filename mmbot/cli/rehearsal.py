"""`mmbot quote --dry-run`: the configuration, the instruments and the first quotes, on one page."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmbot.config import Config
from mmbot.config.effective import as_json, effective
from mmbot.core.contracts import Instrument
from mmbot.core.sizes import plain, unit_of
from mmbot.core.terms import flat
from mmbot.core.types import Kind, Side
from mmbot.research.dry_run import FirstQuote, NoQuote, Rehearsal

_WIDTH_MAX = 100
_SIDE_STYLES = {Side.BUY: "green", Side.SELL: "red"}


def show(config: Config, rehearsed: Mapping[str, Rehearsal], json: bool) -> None:
    """Print it to stdout, desk by desk: tables, or one JSON object."""
    if json:
        print(orjson.dumps(_object(config, rehearsed), default=_plain_json).decode())
        return
    console = Console(highlight=False)
    console.width = min(console.width, _WIDTH_MAX) if console.is_terminal else _WIDTH_MAX
    parts = [("Configuration", _configuration(config))]
    for desk in config.desks:
        of_desk = f"{desk.name} on {desk.settings.venue}: " if len(config.desks) > 1 else ""
        parts += [(f"{of_desk}{title}", table) for title, table in _tables(rehearsed[desk.name])]
    for title, table in parts:
        if table.row_count:
            console.print(Text(f"\n{title}", style="bold"))
            console.print(table)


def _tables(rehearsal: Rehearsal) -> list[tuple[str, Table]]:
    """Those of one desk, with their titles."""
    return [
        ("Instruments", _instruments(rehearsal.instruments)),
        ("Sizes", _lines(rehearsal.sizes)),
        ("Watched besides", _lines(_watched(rehearsal.watched))),
        ("First quotes (nothing was sent)", _quotes(rehearsal.quotes)),
        ("Not quoted", _missing(rehearsal.missing)),
    ]


def _configuration(config: Config) -> Table:
    table = _table("setting", "value", "from")
    for entry in effective(config):
        style = "bold red" if entry.weakens else "dim" if entry.origin == "default" else ""
        table.add_row(entry.key, entry.text, entry.origin, style=style)
    return table


def _instruments(instruments: Iterable[Instrument]) -> Table:
    table = _table("instrument", "priced in", "tick", "minimum", "maker", "taker", "fee cap")
    for instrument in instruments:
        cap = instrument.fees.cap if instrument.kind is Kind.OPTION else None
        steps = [f"{step.tick} from {step.above}" for step in instrument.grid.tick_steps]
        table.add_row(
            instrument.name,
            _price_unit(instrument),
            "; ".join([str(instrument.grid.tick), *steps]),
            f"{plain(instrument.grid.min_amount)} {unit_of(instrument)}",
            f"{plain(instrument.fees.maker * 100)} %",
            f"{plain(instrument.fees.taker * 100)} %",
            f"{plain(cap * 100)} % of premium" if cap is not None else "-",
        )
    return table


def _watched(count: int) -> Iterable[str]:
    if count:
        yield f"{count} more {'market' if count == 1 else 'markets'}, looked at and never quoted"


def _lines(lines: Iterable[str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for line in lines:
        table.add_row(Text(line))
    return table


def _quotes(quotes: Iterable[FirstQuote]) -> Table:
    table = _table("instrument", "side", "price", "size", "fair", "why", "terms")
    for quote in quotes:
        table.add_row(
            quote.instrument.name,
            Text(quote.side.value, style=_SIDE_STYLES[quote.side]),
            str(quote.price),
            f"{plain(quote.size)} {unit_of(quote.instrument)}",
            _model(quote, quote.fair),
            quote.why.value,
            _terms(quote),
        )
    return table


def _missing(missing: Iterable[NoQuote]) -> Table:
    table = _table("instrument", "side", "why")
    for side in missing:
        table.add_row(side.instrument.name, side.side.value, Text(side.why.value, style="yellow"))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _terms(quote: FirstQuote) -> str:
    """The addends of the model's price; the venue's grid then rounds their sum outward."""
    if not quote.terms:
        return "-"
    first, *others = quote.terms
    said = [f"{first.name} {_model(quote, first.value)}"]
    for term in others:
        sign = "-" if term.value < 0 else "+"
        said.append(f"{sign} {term.name} {_model(quote, abs(term.value))}")
    if quote.clamp is not None:
        said.append(f"({quote.clamp.value})")
    return " ".join(said)


def _model(quote: FirstQuote, value: float) -> str:
    """A model's number with two digits more than the instrument's ticks have."""
    exponent = quote.instrument.grid.tick.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{value:.{max(0, -exponent) + 2}f}".rstrip("0").rstrip(".")


def _price_unit(instrument: Instrument) -> str:
    if not instrument.inverse:
        return instrument.settlement
    return instrument.underlying if instrument.priced_in_coin else "USD"


# --- as JSON ----------------------------------------------------------------------------------


def _object(config: Config, rehearsed: Mapping[str, Rehearsal]) -> dict[str, Any]:
    """The one object; several desks have an object each in it, by name."""
    run = {
        "mode": config.run.mode,
        "venue": ", ".join(dict.fromkeys(desk.settings.venue for desk in config.desks)),
        "dry_run": True,
        "config": [
            {"key": entry.key, "value": as_json(entry.value), "origin": entry.origin}
            for entry in effective(config)
        ],
    }
    if len(config.desks) == 1:
        return run | _desk_object(rehearsed[config.lone.name])
    desks = {
        desk.name: {"venue": desk.settings.venue, **_desk_object(rehearsed[desk.name])}
        for desk in config.desks
    }
    return {**run, "desks": desks}


def _desk_object(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "watched": rehearsal.watched,
        "sizes": rehearsal.sizes,
        "instruments": [flat(instrument) for instrument in rehearsal.instruments],
        "quotes": [
            {
                "instrument": quote.instrument.name,
                "side": quote.side,
                "level": quote.level,
                "price": quote.price,
                "size": quote.size,
                "fair": quote.fair,
                "why": quote.why,
                "clamp": quote.clamp,
                "terms": {term.name: term.value for term in quote.terms},
            }
            for quote in rehearsal.quotes
        ],
        "not_quoted": [
            {"instrument": side.instrument.name, "side": side.side, "why": side.why}
            for side in rehearsal.missing
        ],
    }


def _plain_json(value: object) -> object:
    """What JSON has no word for: numbers as numbers, enumerations by their own word."""
    if isinstance(value, Enum):
        return value.value
    assert isinstance(value, Decimal), value
    return float(value)
