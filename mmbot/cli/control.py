"""Changes to engines while they run: pause, unpause, wind-down, and `mmbot set`.

A command is left in the engine's store; the engine takes it within a tenth of a second, writes it
into its audit trail and acts on it. What is in force is shown by `mmbot status` and the live table.
"""

import re
import sys
from collections.abc import Sized
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.cli.commanding import (
    Meant,
    ask,
    called,
    dead,
    killed,
    meant_engines,
    number_of,
    quoting,
    send,
    still_paused,
)
from mmbot.cli.names import goes_by
from mmbot.cli.wanted import DeskFile, Json, StoreUrl
from mmbot.config import day as date_of
from mmbot.core.sizes import plain
from mmbot.errors import ConfigError
from mmbot.plugins.settings import unknown

if TYPE_CHECKING:
    from mmbot.cli.engines import Engine
    from mmbot.store.locations import Location

FACTOR_MOST = 10
VOL_POINTS_MOST = 50
FOR_MOST_S = 7 * 86_400

_SIDES = {"bid": "buy", "ask": "sell"}
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600}

Run = Annotated[
    str | None, typer.Option(metavar="ID", help="One run. (default: every engine that runs)")
]
Instrument = Annotated[
    str | None, typer.Option(metavar="NAME", help="One instrument, by the venue's or ccxt's name.")
]
Expiry = Annotated[str | None, typer.Option(metavar="DATE", help="One expiry.")]
Venue = Annotated[
    str | None, typer.Option(metavar="NAME", help="Reset market-maker protection there.")
]
Side = Annotated[str | None, typer.Option(metavar="SIDE", help="bid or ask.")]

app = typer.Typer(no_args_is_help=True, add_completion=False)


def pause(
    run: Run = None, config: DeskFile = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Stop quoting and take all quotes back; the engine stays up and goes on watching."""
    from mmbot.store.records import CommandKind

    ask(Meant(run, config, store), CommandKind.PAUSE, {}, "paused", json)


def unpause(
    run: Run = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
    venue: Venue = None,
) -> None:
    """Quote again after `mmbot pause`; with --venue, after the venue froze our quotes there. A
    tripped kill switch needs `mmbot resume`."""
    from mmbot.store.records import CommandKind

    if venue is not None:
        said = f"market-maker protection at {venue} is reset"
        protected = _protected(venue, meant_engines(Meant(run, config, store)))
        send(protected, CommandKind.UNPAUSE, {"venue": venue}, said, json)
        return
    engines = meant_engines(Meant(run, config, store))
    alive = [pair for pair in engines if not killed(pair[1])]
    if not alive:
        raise ConfigError("; ".join(dead(engine) for _, engine in engines))
    send(alive, CommandKind.UNPAUSE, {}, "not paused any more", json)
    for _, engine in engines:
        if killed(engine):
            print(f"mmbot: {dead(engine)}", file=sys.stderr)
        for still in still_paused(engine):
            print(f"mmbot: {called(engine)} is still {still}", file=sys.stderr)


def wind_down(
    off: Annotated[bool, typer.Option("--off", help="Quote as usual again.")] = False,
    run: Run = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Quote only what reduces positions, until they are flat."""
    from mmbot.store.records import CommandKind

    said = "quoting as usual" if off else "winding down"
    ask(
        Meant(run, config, store), CommandKind.WIND_DOWN, {"on": "no" if off else "yes"}, said, json
    )


@app.callback()
def set_() -> None:
    """Change what running engines quote, until they end or it is changed back."""


@app.command()
def disable(
    instrument: Instrument = None,
    expiry: Expiry = None,
    side: Side = None,
    run: Run = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Switch off an instrument, an expiry, a side, or what several of them have in common."""
    if instrument is None and expiry is None and side is None:
        raise ConfigError(
            "say what to switch off with --instrument, --expiry or --side; `mmbot pause` stops all"
        )
    _switch(instrument, expiry, side, Meant(run, config, store), json, on=False)


@app.command()
def enable(
    instrument: Instrument = None,
    expiry: Expiry = None,
    side: Side = None,
    run: Run = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Switch on again what was switched off; without a flag, everything."""
    _switch(instrument, expiry, side, Meant(run, config, store), json, on=True)


@app.command(context_settings={"ignore_unknown_options": True})  # -1 is no option
def size(
    factor: Annotated[str, typer.Argument(metavar="FACTOR", help="1 is as configured.")],
    run: Run = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Multiply the size of every quote. Limits stay; nothing is smaller than the smallest order."""
    from mmbot.store.records import CommandKind

    number = number_of(factor)
    if number is None or not 0 < number <= FACTOR_MOST:
        raise ConfigError(
            f"FACTOR: {factor!r} is not a number greater than 0 and at most {FACTOR_MOST}"
        )
    engines = quoting(Meant(run, config, store))
    said = {
        engine.run.run: f"size x {plain(number)}{_sizes(engine, number)}" for _, engine in engines
    }
    send(engines, CommandKind.SIZE, {"factor": str(number)}, said, json)


@app.command(context_settings={"ignore_unknown_options": True})  # -1.5 is no option
def vol(
    points: Annotated[str, typer.Argument(metavar="POINTS", help="1.5 or -1.5; 0 ends it.")],
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="For how long: 90s, 10m, 2h.")
    ] = None,
    run: Run = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Value options at a volatility so many points higher or lower, for a while."""
    from mmbot.store.records import CommandKind

    number = number_of(points)
    if number is None or abs(number) > VOL_POINTS_MOST:
        raise ConfigError(
            f"POINTS: {points!r} is not a number of vol points between -{VOL_POINTS_MOST} and "
            f"{VOL_POINTS_MOST}"
        )
    if for_ is None and number:
        raise ConfigError("--for is missing: say how long the offset holds, for instance --for 10m")
    lasts_s = _seconds(for_) if for_ is not None else 1
    said = f"vol {number:+f} for {lasts_s} s" if number else "no vol offset"
    ask(
        Meant(run, config, store),
        CommandKind.VOL,
        {"points": str(number), "for_s": str(lasts_s)},
        said,
        json,
    )


# --- what is meant ----------------------------------------------------------------------------


def _switch(
    instrument: str | None,
    expiry: str | None,
    side: str | None,
    meant: Meant,
    json: bool,
    *,
    on: bool,
) -> None:
    from mmbot.store.records import CommandKind

    side = side.lower() if side is not None else None
    if side is not None and side not in _SIDES:
        raise ConfigError(f"--side: {unknown('side', side, _SIDES)}")
    day = date_of(expiry, "--expiry") if expiry is not None else None
    engines = meant_engines(meant)
    name = _known_instrument(instrument, engines) if instrument is not None else None
    if day is not None:
        _require_expiry(day, engines)
    arguments = {"on": "yes" if on else "no"}
    parts = []
    if name is not None:
        arguments["instrument"] = name
        parts.append(name)
    if day is not None:
        arguments["expiry_day"] = str((day - date(1970, 1, 1)).days)
        parts.append(f"expiry {day:%Y%m%d}")
    if side is not None:
        arguments["side"] = _SIDES[side]
        parts.append(f"{side}s")
    arguments["text"] = " ".join(parts) or "everything"
    said = f"{arguments['text']} {'on' if on else 'off'}"
    send(engines, CommandKind.SWITCH, arguments, said, json)


def _protected(
    venue: str, engines: "list[tuple[Location, Engine]]"
) -> "list[tuple[Location, Engine]]":
    """Those of the engines with market-maker protection at a venue. Raises ConfigError where there
    is none."""
    names = [one.account_key.venue for _, engine in engines for one in engine.accounts]
    if venue not in names:
        raise ConfigError(f"--venue: {unknown('venue', venue, names)}")
    found = []
    for place, engine in engines:
        told = engine.frame.venues if engine.frame is not None else ()
        if any(one.name == venue and one.mmp is not None and one.mmp.configured for one in told):
            found.append((place, engine))
    if not found:
        raise ConfigError(f"--venue: {venue} has no market-maker protection that could be reset")
    return found


def _known_instrument(name: str, engines: "list[tuple[Location, Engine]]") -> str:
    """The name of something that is traded, as its engine has it. Raises ConfigError with the
    nearest name, or with all where the name is several venues'."""
    rows = [row for _, engine in engines if engine.frame for row in engine.frame.rows]
    found = {
        row.instrument: row for row in rows if goes_by(name, row.instrument, row.venue, row.symbol)
    }
    if not found:
        raise ConfigError(
            f"--instrument: {unknown('instrument', name, [row.instrument for row in rows])}"
        )
    if len(found) > 1:
        raise ConfigError(
            f"--instrument: several venues trade {name}: give one of {', '.join(found)}"
        )
    return next(iter(found))


def _require_expiry(day: date, engines: "list[tuple[Location, Engine]]") -> None:
    rows = [row for _, engine in engines if engine.frame for row in engine.frame.rows]
    expiries = {found[1] for row in rows if (found := re.search(r"-(\d{6})\b", row.symbol))}
    if f"{day:%y%m%d}" not in expiries:
        there = ", ".join(f"20{one}" for one in sorted(expiries)) or "none"
        raise ConfigError(f"--expiry: nothing of {day:%Y%m%d} is traded; there is: {there}")


def _seconds(text: str) -> int:
    said = re.fullmatch(r"(\d{1,7})([smh]?)", text)
    lasts_s = int(said[1]) * _UNITS_S[said[2]] if said else 0
    if not 0 < lasts_s <= FOR_MOST_S:
        raise ConfigError(
            f"--for: {text!r} is not a time of at most {FOR_MOST_S // 86_400} days: write it like "
            "90s, 10m or 2h"
        )
    return lasts_s


def _sizes(engine: "Engine", factor: Decimal) -> str:
    """What sizes a factor leaves, by what the engine quoted last."""
    from mmbot.core.sizing import within

    exact: dict[tuple[Decimal, str, Decimal], set[str]] = {}
    raised: dict[tuple[Decimal, str, Decimal], set[str]] = {}
    for row in engine.frame.rows if engine.frame is not None else ():
        if row.min_amount is None or row.amount_step is None:
            continue
        for quote in row.quotes:
            wanted = Decimal(str(quote.size)) * factor
            size, smallest = within(row.amount_step, row.min_amount, quote.size, factor)
            told = raised if smallest else exact
            told.setdefault((size, row.unit, wanted if smallest else size), set()).add(row.symbol)
    bound = ", as far as the limits allow" if factor > 1 else ""
    said = [
        f"{_amount(size, unit)} on {_count(on)}{bound}" for (size, unit, _), on in exact.items()
    ]
    said += [
        f"{_amount(size, unit)} on {_count(on)}, the smallest order there: {_amount(wanted, unit)} "
        "is less than the venue takes"
        for (size, unit, wanted), on in raised.items()
    ]
    return f": quotes of {'; '.join(said)}" if said else ""


def _amount(size: Decimal, unit: str) -> str:
    return f"{plain(size)} {unit}".rstrip()


def _count(on: Sized) -> str:
    return "1 instrument" if len(on) == 1 else f"{len(on)} instruments"
