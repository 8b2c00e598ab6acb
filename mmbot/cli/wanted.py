"""Which stores a command reads, and which fills of them: the flags that several commands share."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mmbot.config import Mode, load_config, moment
from mmbot.core.types import instrument_name
from mmbot.errors import ConfigError, NothingFound, StoreError
from mmbot.plugins.settings import unknown

if TYPE_CHECKING:
    from mmbot.store.known import Stores
    from mmbot.store.locations import Location
    from mmbot.store.queries import FillFilter

E = TypeVar("E", bound=Enum)

Since = Annotated[
    str | None, typer.Option(metavar="WHEN", help="From this date or moment on (venue time).")
]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Before this date or moment.")]
InstrumentName = Annotated[
    str | None, typer.Option(metavar="NAME", help="One instrument, by the venue's name.")
]
RunName = Annotated[
    str | None, typer.Option(metavar="ID", help="One run, as `mmbot quote` shows it.")
]
ModeName = Annotated[
    str | None,
    typer.Option(metavar="MODE", help="One of live, testnet, paper, sim. (default: all)"),
]
DeskFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="A desk file: also the store that it names."),
]
StoreUrl = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Also this store, beside all that are known."),
]
Only = Annotated[
    str | None,
    typer.Option(
        "--only", metavar="PATTERN", help="Show these rows: part of a name, or with * and ?."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

_SHOWN_MAX = 8
"""So many names are listed where one was not found."""

_MAX_RUN = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Fills of some stores. `mode` None: of every mode."""

    fills: "FillFilter"
    mode: Mode | None
    places: "Sequence[Location]"
    filtered: bool = False
    """Whether any flag says which."""

    @property
    def names(self) -> str:
        """The stores, for people."""
        return ", ".join(place.name for place in self.places)

    def nothing(self) -> str:
        """Why nothing was found, and what is nearest: the first flag that fits nothing by itself,
        else the time that was asked for."""
        from mmbot.core.labels import base36
        from mmbot.store.queries import Reader

        names, runs, times = dict[str, None](), list[str](), list[int]()
        wanted = self.fills.instrument
        for place in self.places:
            reader = Reader(place)
            modes = {row.run: row.account_key.mode for row in reader.runs()}
            runs += [base36(run) for run, mode in modes.items() if self.mode in (None, mode)]
            for row in reader.fills():
                if self.mode not in (None, modes[row.run]):
                    continue
                names[instrument_name(row.fill.instrument)] = None
                of_it = wanted is None or row.fill.instrument.endswith(wanted)
                if of_it and self.fills.run in (None, row.run):
                    times.append(row.fill.venue_ms)
        if not runs:
            return f"--mode: nothing ran in that mode in {self.names}"
        if self.fills.run is not None and base36(self.fills.run) not in runs:
            return f"--run: {_nearest('run', base36(self.fills.run), runs[::-1])}"
        if wanted is not None and wanted.rpartition(":")[2] not in names:
            return f"--instrument: {_nearest('instrument', wanted, sorted(names))} was traded"
        if not times:
            return f"nothing was traded that fits all of these in {self.names}: leave one out"
        first, last = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (min(times), max(times)))
        return (
            f"no fill of that time in {self.names}: the first is of {first:%Y-%m-%dT%H:%M:%SZ}, "
            f"the last of {last:%Y-%m-%dT%H:%M:%SZ}"
        )

    def refuse_nothing(self, found: object) -> None:
        """Raise NothingFound where flags were given and nothing fits them."""
        if self.filtered and not found:
            raise NothingFound(self.nothing())


def _nearest(what: str, name: str, known: Sequence[str]) -> str:
    """The sentence for a name that is none of those known, most wanted ones first."""
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    shown = ", ".join(known[:_SHOWN_MAX]) + (" ..." if len(known) > _SHOWN_MAX else "")
    return f"no {what} {name}; {hint}{shown or 'nothing'}"


def wanted(
    since: str | None,
    until: str | None,
    instrument: str | None,
    run: str | None,
    mode: str | None,
    config: Path | None,
    store: str | None,
) -> Wanted:
    """The flags, understood. Raises ConfigError, and StoreError where there is no store."""
    from mmbot.store.queries import FillFilter

    only = one_of(Mode, mode, "mode", "--mode") if mode is not None else None
    fills = FillFilter(
        since_ms=when(since, "--since"),
        until_ms=when(until, "--until"),
        run=run_number(run),
    )
    since_ms, until_ms = fills.since_ms, fills.until_ms
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise ConfigError("--since is not before --until: nothing lies between them")
    places = stores(config, store, only)
    if instrument is not None:
        fills = replace(fills, instrument=_venues_name(instrument, places))
    filtered = any(flag is not None for flag in (since, until, instrument, run, mode))
    return Wanted(fills, only, places, filtered)


def _venues_name(text: str, places: "Sequence[Location]") -> str:
    """The venue's name of an instrument, written in capitals or not, or by ccxt's symbol."""
    from mmbot.store.queries import Reader

    if "/" in text:
        for place in places:
            for known in Reader(place).instruments().values():
                if known.symbol == text.upper():
                    return known.name
    venue, colon, name = text.rpartition(":")
    return f"{venue.lower()}{colon}{name.upper()}"


def known_stores(config: Path | None, store: str | None) -> "Stores":
    """Every store that is known or named by a flag, and those that are gone. Raises ConfigError,
    and StoreError for a named one that is not there."""
    from mmbot.store.known import find

    found = find(os.environ, store, load_config({}, config).store.url if config else None)
    if store is not None:
        _require_there(store, found)
    return found


def _require_there(store: str, found: "Stores") -> None:
    """A store that was used and is gone is told of by whoever looks at it."""
    from mmbot.store.locations import at_url

    place = at_url(store, os.environ)
    if place not in (*found.places, *found.gone):
        raise StoreError(f"--store: there is no store at {place.name}")


def stores(config: Path | None, store: str | None, mode: Mode | None) -> "list[Location]":
    """The stores that exist, live first; what is missing among them is said on stderr.

    Raises ConfigError, and StoreError when there is none.
    """
    from mmbot.store.locations import URL_VARIABLE, locate

    found = known_stores(config, store)
    for problem in (*found.problems, *found.notes):
        print(f"mmbot: {problem}", file=sys.stderr)
    for place in found.gone:
        if any(not used.settled for used in found.used[place]):
            print(f"mmbot: {place.name} is gone: what it kept is not shown", file=sys.stderr)
    places = [place for place in found.places if place not in found.elsewhere or _reads(place)]
    if mode is not None:
        files = {key: value for key, value in os.environ.items() if key != URL_VARIABLE}
        others = {locate(other, files) for other in Mode if other is not mode}
        places = [place for place in places if place not in others]
    if not places:
        which = "no store" if mode is None else f"no store of mode {mode.value}"
        url = load_config({}, config).store.url if config else None
        looked = locate(mode or Mode.SIM, os.environ, url)
        raise StoreError(f"{which} yet: `mmbot quote` makes one (looked for {looked.name})")
    return places


def _reads(place: "Location") -> bool:
    """Whether a store that was used once can be read; what is wrong is said, and is no reason not
    to show the others."""
    from mmbot.store.database import open_existing

    try:
        open_existing(place, read_only=True)
    except StoreError as error:
        print(f"mmbot: not read: {error}", file=sys.stderr)
        return False
    return True


def when(text: str | None, flag: str) -> int | None:
    """A date (its midnight, UTC) or a moment, in milliseconds. Raises ConfigError."""
    if text is None:
        return None
    return round(moment(text, flag).timestamp() * 1000)


def run_number(text: str | None) -> int | None:
    """The number behind a run's name. Raises ConfigError."""
    if text is None:
        return None
    try:
        number = int(text, 36) if text.isalnum() and text.isascii() else -1
    except ValueError:
        number = -1
    if not 0 <= number <= _MAX_RUN:
        raise ConfigError(f"--run: {text!r} is not the name of a run; they look like 1c7h2t")
    return number


def one_of(kind: type[E], text: str, what: str, flag: str) -> E:
    """The member a word names, in capitals or not. Raises ConfigError with the nearest spelling."""
    try:
        return kind(text.lower())
    except ValueError:
        known = [member.value for member in kind]
        raise ConfigError(f"{flag}: {unknown(what, text, known)}") from None


def whole_number(text: str, flag: str) -> int:
    """A number of things, at least one. Raises ConfigError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_RUN):
        raise ConfigError(f"{flag}: {text!r} is not a whole number of at least 1")
    return int(text)
