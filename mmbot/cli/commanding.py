"""A command left for engines that run, and what they said to it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mmbot.cli.wanted import known_stores, run_number
from mmbot.errors import ConfigError, ExitCode
from mmbot.plugins.settings import unknown

if TYPE_CHECKING:
    from mmbot.cli.engines import Engine
    from mmbot.store.locations import Location
    from mmbot.store.records import CommandKind

TAKEN_WITHIN_S = 5.0
LOOK_EVERY_S = 0.05
SAID_WITHIN_S = 2.0


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


def ask(
    meant: Meant, kind: "CommandKind", arguments: Mapping[str, str], said: str, json: bool
) -> None:
    """Leave a command for every engine that is meant. Raises ConfigError when there is none."""
    send(meant_engines(meant), kind, arguments, said, json)


def meant_engines(meant: Meant) -> "list[tuple[Location, Engine]]":
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


def send(
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
                f"mmbot: {called(one.engine)} has not answered within {TAKEN_WITHIN_S:.0f} s: it "
                "does it once it comes round; see `mmbot status`",
                file=sys.stderr,
            )
        elif not json:
            what = said if isinstance(said, str) else said[one.engine.run.run]
            print(f"{called(one.engine)}: {what}")
        if killed(one.engine):
            print(f"mmbot: {dead(one.engine)}", file=sys.stderr)
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


def called(engine: "Engine") -> str:
    """An engine's name for people: mode, venue and run."""
    from mmbot.core.labels import base36

    run = engine.run
    return f"{run.account_key.mode.value.upper()} {run.venues}, run {base36(run.run)}"


def killed(engine: "Engine") -> bool:
    """Whether the kill switch holds the engine."""
    from mmbot.cli.engines import EngineState

    return engine.state is EngineState.KILLED


def dead(engine: "Engine") -> str:
    """What is the matter with an engine that the kill switch holds, and what to do."""
    latch = engine.latch
    why = f" ({latch.why.value}{f': {latch.detail}' if latch.detail else ''})" if latch else ""
    return (
        f"{called(engine)} is dead: the kill switch holds it{why}, and it quotes nothing until it "
        'is ended and started again after `mmbot resume --reason "what was done about it"`'
    )


def still_paused(engine: "Engine") -> list[str]:
    """What pauses an engine besides a person, by what it said last."""
    controls = engine.frame.controls if engine.frame is not None else ()
    return [said for said in controls if said.startswith(("paused: ", "not quoting: "))]


def quoting(meant: Meant) -> "list[tuple[Location, Engine]]":
    """The engines that are meant; one that has just started gets the time to say what it quotes."""
    from threading import Event

    from mmbot.cli.engines import EngineState
    from mmbot.clock import Clock

    clock = Clock()
    end_s = clock.monotonic_s() + SAID_WITHIN_S
    while True:
        engines = meant_engines(meant)
        silent = [
            engine
            for _, engine in engines
            if engine.state in (EngineState.STARTING, EngineState.RUNNING)
            and not (engine.frame and any(row.quotes for row in engine.frame.rows))
        ]
        if not silent or clock.monotonic_s() >= end_s:
            return engines
        Event().wait(LOOK_EVERY_S)


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
        "mode": run.account_key.mode.value,
        "venue": run.account_key.venue,
        "what": kind.value,
        "arguments": {key: _as_json(value) for key, value in arguments.items()},
        "said": said if isinstance(said, str) else said[run.run],
        "killed": killed(one.engine),
        "taken": taken,
    }


def _as_json(argument: str) -> str | float | bool:
    """Numbers as numbers, switches as true or false."""
    if argument in ("yes", "no"):
        return argument == "yes"
    number = number_of(argument)
    return argument if number is None else float(number)


def number_of(text: str) -> Decimal | None:
    """The number a text says; None for what is none, NaN and infinity among it."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
