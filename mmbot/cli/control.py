"""Changes to engines while they run: pause, unpause, wind-down, and `mmbot set`.

A command is left in the engine's store; the engine takes it within a tenth of a second, writes it
into its audit trail and acts on it. What is in force is shown by `mmbot status` and the live table.
"""

import re
import sys
from collections.abc import Mapping, Sized
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.wanted import DeskFile, Json, StoreUrl, known_stores, run_number
from mmbot.config import day as date_of
from mmbot.errors import ConfigError, ExitCode
from mmbot.plugins.settings import unknown

if TYPE_CHECKING:
    from mmbot.cli.engines import Engine
    from mmbot.store.locations import Location
    from mmbot.store.records import CommandKind

TAKEN_WITHIN_S = 5.0
LOOK_EVERY_S = 0.05
SAID_WITHIN_S = 2.0

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
Side = Annotated[str | None, typer.Option(metavar="SIDE", help="bid or ask.")]

app = typer.Typer(no_args_is_help=True, add_completion=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """A command left for an engine."""

    engine: "Engine"
    place: "Location"
    command: int


@dataclass(frozen=True, slots=True)
class Meant:
    """Which engines are meant, by the flags that all these commands have."""

    run: str | None
    config: Path | None
    store: str | None


def pause(
    run: Run = None, config: DeskFile = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Stop quoting and take all quotes back; the engine stays up and goes on watching."""
    from mmbot.store.records import CommandKind

    _ask(Meant(run, config, store), CommandKind.PAUSE, {}, "paused", json)


def unpause(
    run: Run = None, config: DeskFile = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Quote again after `mmbot pause`. A tripped kill switch needs `mmbot resume`."""
    from mmbot.store.records import CommandKind

    engines = _engines(Meant(run, config, store))
    alive = [pair for pair in engines if not _killed(pair[1])]
    if not alive:
        raise ConfigError("; ".join(_dead(engine) for _, engine in engines))
    _send(alive, CommandKind.UNPAUSE, {}, "not paused any more", json)
    for _, engine in engines:
        if _killed(engine):
            print(f"mmbot: {_dead(engine)}", file=sys.stderr)
        for still in _still_paused(engine):
            print(f"mmbot: {_called(engine)} is still {still}", file=sys.stderr)


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
    _ask(
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

    number = _number(factor)
    if number is None or not 0 < number <= FACTOR_MOST:
        raise ConfigError(
            f"FACTOR: {factor!r} is not a number greater than 0 and at most {FACTOR_MOST}"
        )
    engines = _quoting(Meant(run, config, store))
    said = {
        engine.run.run: f"size x {number.normalize():f}{_sizes(engine, number)}"
        for _, engine in engines
    }
    _send(engines, CommandKind.SIZE, {"factor": str(number)}, said, json)


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

    number = _number(points)
    if number is None or abs(number) > VOL_POINTS_MOST:
        raise ConfigError(
            f"POINTS: {points!r} is not a number of vol points between -{VOL_POINTS_MOST} and "
            f"{VOL_POINTS_MOST}"
        )
    if for_ is None and number:
        raise ConfigError("--for is missing: say how long the offset holds, for instance --for 10m")
    lasts_s = _seconds(for_) if for_ is not None else 1
    said = f"vol {number:+f} for {lasts_s} s" if number else "no vol offset"
    _ask(
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
    engines = _engines(meant)
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
    _send(engines, CommandKind.SWITCH, arguments, said, json)


def _known_instrument(name: str, engines: "list[tuple[Location, Engine]]") -> str:
    """The venue's name of something that is traded. Raises ConfigError with the nearest name."""
    rows = [row for _, engine in engines if engine.frame for row in engine.frame.rows]
    names = {row.symbol: row.instrument for row in rows} | {
        r.instrument: r.instrument for r in rows
    }
    found = names.get(name) or names.get(name.upper())
    if found is None:
        raise ConfigError(
            f"--instrument: {unknown('instrument', name, [row.instrument for row in rows])}"
        )
    return found


def _require_expiry(day: date, engines: "list[tuple[Location, Engine]]") -> None:
    rows = [row for _, engine in engines if engine.frame for row in engine.frame.rows]
    expiries = {found[1] for row in rows if (found := re.search(r"-(\d{6})\b", row.symbol))}
    if f"{day:%y%m%d}" not in expiries:
        there = ", ".join(f"20{one}" for one in sorted(expiries)) or "none"
        raise ConfigError(f"--expiry: nothing of {day:%Y%m%d} is traded; there is: {there}")


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _seconds(text: str) -> int:
    said = re.fullmatch(r"(\d{1,7})([smh]?)", text)
    lasts_s = int(said[1]) * _UNITS_S[said[2]] if said else 0
    if not 0 < lasts_s <= FOR_MOST_S:
        raise ConfigError(
            f"--for: {text!r} is not a time of at most {FOR_MOST_S // 86_400} days: write it like "
            "90s, 10m or 2h"
        )
    return lasts_s


# --- the engines ------------------------------------------------------------------------------


def _ask(
    meant: Meant, kind: "CommandKind", arguments: Mapping[str, str], said: str, json: bool
) -> None:
    _send(_engines(meant), kind, arguments, said, json)


def _engines(meant: Meant) -> "list[tuple[Location, Engine]]":
    """The engines that are meant, live first. Raises ConfigError when there is none."""
    from mmbot.cli.engines import EngineState, look, lost, missing, obituary, survey
    from mmbot.clock import Clock
    from mmbot.core.labels import base36

    wanted, now_ns = run_number(meant.run), Clock().wall_ns()
    stores = known_stores(meant.config, meant.store)
    there = survey(stores, now_ns)
    for problem in there.unread:
        print(f"mmbot: {problem}", file=sys.stderr)
    found: list[tuple[Location, Engine]] = []
    gone: list[Engine] = []
    for place in stores.places:
        for engine in look([place], now_ns).engines:
            # One that hangs, but still has its lease, does it when it wakes up.
            hangs = engine.state is EngineState.STALE and (engine.lease_left_s or 0) > 0
            if engine.state.up or hangs or (engine.state.silent and engine.run.run == wanted):
                found.append((place, engine))
            else:
                gone.append(engine)
    if wanted is None and not found:
        astray = lost(stores, there)
        if astray:
            raise ConfigError(f"no engine can be reached: {missing(stores, there, astray[0])}")
        newest = max(gone, key=lambda engine: engine.since_ns, default=None)
        last = f": {obituary(newest)}" if newest is not None else ""
        raise ConfigError(f"no engine runs{last}: start one with `mmbot quote`")
    named = [pair for pair in found if wanted in (None, pair[1].run.run)]
    ended = next((engine for engine in gone if engine.run.run == wanted), None)
    if not named and ended is not None:
        raise ConfigError(f"--run: {obituary(ended)}")
    if not named:
        names = [base36(engine.run.run) for _, engine in found]
        raise ConfigError(f"--run: {unknown('running engine', meant.run or '', names)}")
    return named


def _send(
    engines: "list[tuple[Location, Engine]]",
    kind: "CommandKind",
    arguments: Mapping[str, str],
    said: str | Mapping[int, str],
    json: bool,
) -> None:
    """Leave the command for every engine, and wait until each has taken it. `said`: what it comes
    to, or that by run."""
    from mmbot.clock import Clock
    from mmbot.store import commands
    from mmbot.store.database import open_existing

    clock = Clock()
    asked = []
    for place, engine in engines:
        database = open_existing(place, read_only=False)
        number = commands.send(database, engine.run.run, kind, arguments, clock.wall_ns())
        asked.append(Asked(engine, place, number))
    taken = _wait(asked)
    if json:
        import orjson

        body = [_object(one, kind, arguments, said, taken=one in taken) for one in asked]
        print(orjson.dumps({"asked": body}).decode())
    for one in asked:
        if one not in taken:
            print(
                f"mmbot: {_name(one)} has not answered within {TAKEN_WITHIN_S:.0f} s: it does it "
                "once it comes round; see `mmbot status`",
                file=sys.stderr,
            )
        elif not json:
            what = said if isinstance(said, str) else said[one.engine.run.run]
            print(f"{_name(one)}: {what}")
        if _killed(one.engine):
            print(f"mmbot: {_dead(one.engine)}", file=sys.stderr)
    if len(taken) < len(asked):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _wait(asked: list[Asked]) -> list[Asked]:
    """The commands that have been taken, all of them or when time is up."""
    from threading import Event

    from mmbot.clock import Clock
    from mmbot.store.queries import Reader

    clock = Clock()
    end_s = clock.monotonic_s() + TAKEN_WITHIN_S
    taken: list[Asked] = []
    while len(taken) < len(asked) and clock.monotonic_s() < end_s:
        for one in asked:
            if one not in taken and Reader(one.place).taken(one.command):
                taken.append(one)
        if len(taken) < len(asked):
            Event().wait(LOOK_EVERY_S)
    return taken


def _name(one: Asked) -> str:
    return _called(one.engine)


def _called(engine: "Engine") -> str:
    from mmbot.core.labels import base36

    seat = engine.run.seat
    return f"{seat.mode.value.upper()} {seat.venue}, run {base36(engine.run.run)}"


def _killed(engine: "Engine") -> bool:
    from mmbot.cli.engines import EngineState

    return engine.state is EngineState.KILLED


def _dead(engine: "Engine") -> str:
    """What is the matter with an engine that the kill switch holds, and what to do."""
    latch = engine.latch
    why = f" ({latch.why.value}{f': {latch.detail}' if latch.detail else ''})" if latch else ""
    return (
        f"{_called(engine)} is dead: the kill switch holds it{why}, and it quotes nothing until it "
        'is ended and started again after `mmbot resume --reason "what was done about it"`'
    )


def _still_paused(engine: "Engine") -> list[str]:
    """What pauses an engine besides a person, by what it said last."""
    controls = engine.frame.controls if engine.frame is not None else ()
    return [said for said in controls if said.startswith(("paused: ", "not quoting: "))]


def _quoting(meant: Meant) -> "list[tuple[Location, Engine]]":
    """The engines that are meant; one that has just started gets the time to say what it quotes."""
    from threading import Event

    from mmbot.cli.engines import EngineState
    from mmbot.clock import Clock

    clock = Clock()
    end_s = clock.monotonic_s() + SAID_WITHIN_S
    while True:
        engines = _engines(meant)
        silent = [
            engine
            for _, engine in engines
            if engine.state in (EngineState.STARTING, EngineState.RUNNING)
            and not (engine.frame and any(row.quotes for row in engine.frame.rows))
        ]
        if not silent or clock.monotonic_s() >= end_s:
            return engines
        Event().wait(LOOK_EVERY_S)


def _sizes(engine: "Engine", factor: Decimal) -> str:
    """What sizes a factor leaves, by what the engine quoted last."""
    from mmbot.core.sizing import within

    plain: dict[tuple[Decimal, str, Decimal], set[str]] = {}
    raised: dict[tuple[Decimal, str, Decimal], set[str]] = {}
    for row in engine.frame.rows if engine.frame is not None else ():
        if row.min_amount is None or row.amount_step is None:
            continue
        for quote in row.quotes:
            wanted = Decimal(str(quote.size)) * factor
            size, smallest = within(row.amount_step, row.min_amount, quote.size, factor)
            told = raised if smallest else plain
            told.setdefault((size, row.unit, wanted if smallest else size), set()).add(row.symbol)
    bound = ", as far as the limits allow" if factor > 1 else ""
    said = [
        f"{_amount(size, unit)} on {_count(on)}{bound}" for (size, unit, _), on in plain.items()
    ]
    said += [
        f"{_amount(size, unit)} on {_count(on)}, the smallest order there: {_amount(wanted, unit)} "
        "is less than the venue takes"
        for (size, unit, wanted), on in raised.items()
    ]
    return f": quotes of {'; '.join(said)}" if said else ""


def _amount(size: Decimal, unit: str) -> str:
    return f"{size.normalize():f} {unit}".rstrip()


def _count(on: Sized) -> str:
    return "1 instrument" if len(on) == 1 else f"{len(on)} instruments"


def _object(
    one: Asked,
    kind: "CommandKind",
    arguments: Mapping[str, str],
    said: str | Mapping[int, str],
    *,
    taken: bool,
) -> dict[str, Any]:
    from mmbot.core.labels import base36

    run = one.engine.run
    return {
        "run_id": base36(run.run),
        "mode": run.seat.mode.value,
        "venue": run.seat.venue,
        "what": kind.value,
        "arguments": {key: _as_json(value) for key, value in arguments.items()},
        "said": said if isinstance(said, str) else said[run.run],
        "killed": _killed(one.engine),
        "taken": taken,
    }


def _as_json(argument: str) -> str | float | bool:
    """Numbers as numbers, switches as true or false."""
    if argument in ("yes", "no"):
        return argument == "yes"
    number = _number(argument)
    return argument if number is None else float(number)
