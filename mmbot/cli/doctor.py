"""`mmbot doctor`: is everything there that trading needs? One line a check, and what to do."""

import os
import shutil
import sys
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mmbot.cli.pages import print_json, show
from mmbot.cli.venue_flags import (
    At,
    DeskFile,
    Exchange,
    Live,
    Seed,
    Sim,
    SimUrl,
    Testnet,
    venue_configs,
)
from mmbot.cli.wanted import Json
from mmbot.errors import ExitCode, MmbotError, StoreError
from mmbot.venues.checks import SAID_MAX_CHARS, Check, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmbot.config import Config
    from mmbot.store.locations import Location
    from mmbot.store.records import AccountKey
    from mmbot.venues.credentials import Credentials

DISK_FAIL_MB, DISK_WARN_MB = 200, 1000


def doctor(
    exchange: Exchange = None,
    sim: Sim = False,
    testnet: Testnet = False,
    live: Live = False,
    sim_url: SimUrl = None,
    seed: Seed = None,
    at: At = None,
    config: DeskFile = None,
    json: Json = False,
) -> None:
    """Check everything that trading needs: keys, database, disk, clock, account and venue.

    Signs in to the venue and reads; sends no order. Ends with exit code 1 when a check fails.
    """
    import uvloop

    venues = venue_configs(exchange, sim, testnet, live, sim_url, seed, at, config)
    mode, here = venues[0].run.mode, list(_database(venues[0]))
    there = {one.lone_venue.name: uvloop.run(_account(one)) for one in venues}
    if len(there) == 1:  # one list, of which the keys come first
        ((keys, *others),) = there.values()
        here, there = [keys, *here, *others], {name: [] for name in there}
    failed = _failed([*here, *chain(*there.values())])
    if json:
        said = {"mode": mode, "venue": ", ".join(there), "ok": not failed, "checks": _objects(here)}
        sections = {
            name: {"ok": not _failed(lines), "checks": _objects(lines)}
            for name, lines in there.items()
        }
        print_json(said if len(there) == 1 else {**said, "venues": sections})
    else:
        print(f"{mode.value.upper()} {', '.join(there)}", file=sys.stderr)
        for title, lines in ("", here), *there.items():
            show(title, ("check", "result", "found"), list(map(_row, lines)))
    if failed:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _failed(lines: "Iterable[Check]") -> bool:
    return any(line.result is Result.FAIL for line in lines)


def _objects(lines: "Iterable[Check]") -> list[dict[str, object]]:
    return [asdict(line) for line in lines]


def _row(line: Check) -> tuple[str, str, str]:
    return line.check, line.result.value, line.found + (f"; {line.do}" if line.do else "")


async def _account(settings: "Config") -> list[Check]:
    """What opens the account at a venue, and what the venue says where that is there."""
    keys = _credentials(settings)
    if keys.result is Result.FAIL:
        return [keys]
    return [keys, *await _venue(settings)]


# --- on this machine --------------------------------------------------------------------------


def _credentials(settings: "Config") -> Check:
    from mmbot.venues.plugin import credentials_of
    from mmbot.venues.site import site_of

    try:
        keys = credentials_of(site_of(settings), Path.cwd())
    except MmbotError as error:
        return Check("credentials", Result.FAIL, str(error))
    file = Path.cwd() / ".env"
    if file.exists() and file.stat().st_mode & 0o077:
        return Check(
            "credentials", Result.WARN, f"others may read {file}", f"run chmod 600 {file.name}"
        )
    return Check("credentials", Result.PASS, _told(keys))


def _told(keys: "Credentials") -> str:
    """What there is, by the beginning of the part that people know it by."""
    if not keys.parts:
        return "none is needed"
    (part, value), *others = keys.parts.items()
    there = "a key pair is there" if len(others) == 1 else "all of them are there"
    return f"{there} ({part} {value[:4]}...)"


def _database(settings: "Config") -> "Iterator[Check]":
    from mmbot.store.locations import locate

    try:
        place = locate(settings.run.mode, os.environ, settings.store.url)
        yield _store(place)
    except StoreError as error:
        yield Check("database", Result.FAIL, str(error))
        return
    if place.path is not None:
        yield _disk(place.path.parent)
    yield _stores(settings)


def _stores(settings: "Config") -> Check:
    """Whether the kill switch finds every store that was ever used from here."""
    from mmbot.store.known import find

    found = find(os.environ, settings.store.url, strict=False)
    astray = [p for p in found.gone if any(not used.settled for used in found.used[p])]
    wrong = [*found.problems, *found.notes, *(f"{place.name} is gone" for place in astray)]
    if wrong:
        do = "`mmbot cancel-all` asks the venue" if astray else ""
        return Check("stores", Result.WARN, "; ".join(wrong)[:SAID_MAX_CHARS], do)
    count = "1 store" if len(found.places) == 1 else f"{len(found.places)} stores"
    return Check("stores", Result.PASS, f"{count} known, none missing")


def _store(place: "Location") -> Check:
    from mmbot.store.queries import Reader

    if place.exists:
        runs = Reader(place).runs()
        if place.path is not None and not os.access(place.path, os.W_OK):
            return Check(
                "database", Result.FAIL, f"{place.name} may not be written", "check its permissions"
            )
        count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        return Check("database", Result.PASS, f"{place.name}, {count}")
    assert place.path is not None, "one on a server exists"
    folder = _existing(place.path.parent)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(
            "database", Result.FAIL, f"{folder} may not be written", "set MMBOT_HOME to a folder"
        )
    return Check("database", Result.PASS, f"none yet; `mmbot quote` makes {place.name}")


def _disk(folder: Path) -> Check:
    free_mb = shutil.disk_usage(_existing(folder)).free // 1_000_000
    if free_mb < DISK_FAIL_MB:
        return Check("disk", Result.FAIL, f"{free_mb} MB free", "free some: a full disk stops us")
    if free_mb < DISK_WARN_MB:
        return Check("disk", Result.WARN, f"{free_mb} MB free", "free some before a long run")
    return Check("disk", Result.PASS, f"{free_mb / 1000:.0f} GB free")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


# --- at the venue -----------------------------------------------------------------------------


async def _venue(settings: "Config") -> list[Check]:
    """Sign in and look; a venue that cannot be reached is one line, and the end."""
    from mmbot.venues.plugin import credentials_of, plugin_of
    from mmbot.venues.simulated import visited

    try:
        async with visited(settings) as there:
            keys = credentials_of(there, Path.cwd())
            return await plugin_of(there.kind).checks(there, keys, partial(_latch, settings))
    except MmbotError as error:
        return [Check("venue", Result.FAIL, str(error))]


def _latch(settings: "Config", account_key: "AccountKey") -> Check:
    from mmbot.store.locations import locate
    from mmbot.store.queries import Reader

    place = locate(settings.run.mode, os.environ, settings.store.url)
    try:
        if not place.exists and not place.latch_file.exists():
            return Check("kill switch", Result.PASS, "armed: never used here")
        state = Reader(place).latch(account_key)
    except StoreError as error:
        return Check("kill switch", Result.FAIL, str(error))
    if state is not None and state.tripped:
        return Check(
            "kill switch",
            Result.FAIL,
            f"tripped by {state.who}: {state.why.value} {state.detail}".rstrip(),
            'look at the account, then `mmbot resume --reason "..."`',
        )
    return Check("kill switch", Result.PASS, "armed")
