"""`mmbot doctor`: is everything there that trading needs? One line a check, and what to do."""

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import typer

from mmbot.cli.pages import plain, print_json, show
from mmbot.cli.venue_flags import (
    At,
    DeskFile,
    Exchange,
    Live,
    Seed,
    Sim,
    SimUrl,
    Testnet,
    venue_config,
)
from mmbot.cli.wanted import Json
from mmbot.config import Mode
from mmbot.errors import ExitCode, MmbotError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmbot.config import Config
    from mmbot.core.types import Equity, Instrument
    from mmbot.store.locations import Location
    from mmbot.venues.credentials import Credentials
    from mmbot.venues.deribit.client import Deribit

DISK_FAIL_MB, DISK_WARN_MB = 200, 1000
SKEW_WARN_MS, SKEW_FAIL_MS = 200, 1000
"""Orders carry the moment after which they must die, 4 s from now by our clock."""

LATENCY_WARN_MS = 250
ROUND_TRIPS = 10
MARGIN_WARN, MARGIN_FAIL = 0.5, 0.8
"""Maintenance margin as a share of the equity, or with cross margin of the portfolio's margin
balance; at 1 the venue liquidates."""

SAID_MAX_CHARS = 300
FEE_MOST = Decimal("0.01")
NEEDED_SCOPES = ("trade:read_write", "account:read")
WITHDRAWALS = "wallet:read_write"


class Result(Enum):
    """What came of one check."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Line:
    """One check: what was found, and what to do about it where something is to be done."""

    check: str
    result: Result
    found: str
    do: str = ""


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

    settings = venue_config(exchange, sim, testnet, live, sim_url, seed, at, config)
    lines = [*_credentials(settings), *_database(settings)]
    if not any(line.result is Result.FAIL and line.check == "credentials" for line in lines):
        lines += uvloop.run(_venue(settings))
    failed = any(line.result is Result.FAIL for line in lines)
    if json:
        mode, venue = settings.desk.mode, settings.desk.venue
        print_json(
            {"mode": mode, "venue": venue, "ok": not failed, "checks": list(map(asdict, lines))}
        )
    else:
        print(f"{settings.desk.mode.value.upper()} {settings.desk.venue}", file=sys.stderr)
        rows = [
            (line.check, line.result.value, line.found + (f"; {line.do}" if line.do else ""))
            for line in lines
        ]
        show("", ("check", "result", "found"), rows)
    if failed:
        raise typer.Exit(ExitCode.CHECK_FAILED)


# --- on this machine --------------------------------------------------------------------------


def _credentials(settings: "Config") -> "Iterator[Line]":
    from mmbot.venues.credentials import credentials

    try:
        keys = credentials(settings.desk.mode, Path.cwd(), settings.desk.venue)
    except MmbotError as error:
        yield Line("credentials", Result.FAIL, str(error))
        return
    file = Path.cwd() / ".env"
    if file.exists() and file.stat().st_mode & 0o077:
        yield Line(
            "credentials", Result.WARN, f"others may read {file}", f"run chmod 600 {file.name}"
        )
    else:
        yield Line("credentials", Result.PASS, f"a key pair is there (key {keys.key[:4]}...)")


def _database(settings: "Config") -> "Iterator[Line]":
    from mmbot.store.locations import locate

    try:
        place = locate(settings.desk.mode, os.environ, settings.store.url)
        yield _store(place)
    except StoreError as error:
        yield Line("database", Result.FAIL, str(error))
        return
    if place.path is not None:
        yield _disk(place.path.parent)
    yield _stores(settings)


def _stores(settings: "Config") -> Line:
    """Whether the kill switch finds every store that was ever used from here."""
    from mmbot.store.known import find

    found = find(os.environ, settings.store.url, strict=False)
    astray = [p for p in found.gone if any(not used.settled for used in found.used[p])]
    wrong = [*found.problems, *found.notes, *(f"{place.name} is gone" for place in astray)]
    if wrong:
        do = "`mmbot cancel-all` asks the venue" if astray else ""
        return Line("stores", Result.WARN, "; ".join(wrong)[:SAID_MAX_CHARS], do)
    count = "1 store" if len(found.places) == 1 else f"{len(found.places)} stores"
    return Line("stores", Result.PASS, f"{count} known, none missing")


def _store(place: "Location") -> Line:
    from mmbot.store.queries import Reader

    if place.exists:
        runs = Reader(place).runs()
        if place.path is not None and not os.access(place.path, os.W_OK):
            return Line(
                "database", Result.FAIL, f"{place.name} may not be written", "check its permissions"
            )
        count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        return Line("database", Result.PASS, f"{place.name}, {count}")
    assert place.path is not None, "one on a server exists"
    folder = _existing(place.path.parent)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Line(
            "database", Result.FAIL, f"{folder} may not be written", "set MMBOT_HOME to a folder"
        )
    return Line("database", Result.PASS, f"none yet; `mmbot quote` makes {place.name}")


def _disk(folder: Path) -> Line:
    free_mb = shutil.disk_usage(_existing(folder)).free // 1_000_000
    if free_mb < DISK_FAIL_MB:
        return Line("disk", Result.FAIL, f"{free_mb} MB free", "free some: a full disk stops us")
    if free_mb < DISK_WARN_MB:
        return Line("disk", Result.WARN, f"{free_mb} MB free", "free some before a long run")
    return Line("disk", Result.PASS, f"{free_mb / 1000:.0f} GB free")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


# --- at the venue -----------------------------------------------------------------------------


async def _venue(settings: "Config") -> list[Line]:
    """Sign in and look; a venue that cannot be reached is one line, and the end."""
    from mmbot.venues.simulated import visited

    try:
        async with visited(settings) as there:
            return await _at_venue(there)
    except MmbotError as error:
        return [Line("venue", Result.FAIL, str(error))]


async def _at_venue(settings: "Config") -> list[Line]:
    from mmbot.clock import Clock
    from mmbot.venues.credentials import credentials
    from mmbot.venues.deribit.arrival import LOOK_S, Arrival
    from mmbot.venues.deribit.clients import client_for, signed
    from mmbot.venues.deribit.failures import in_words
    from mmbot.venues.deribit.session import Socket
    from mmbot.venues.deribit.venue import DeribitVenue

    keys = credentials(settings.desk.mode, Path.cwd(), settings.desk.venue)
    clock = Clock()
    client = client_for(settings, clock, signed(keys))
    venue = DeribitVenue(client, clock)
    lines: list[Line] = []
    arrival = Arrival(venue, clock, LOOK_S)
    try:
        with in_words(venue.name):
            listed = await arrival.listed()
            lines.append(
                Line("venue", Result.PASS, f"{venue.endpoint} lists {len(listed)} instruments")
            )
            if settings.desk.mode is Mode.SIM:
                clock.set_to_ms(await arrival.venue_ms())
            account = await arrival.account()
            lines.append(await _scopes(client, keys, account, settings.desk.mode))
            lines.append(_latch(settings, venue.name, account))
            await client.start((Socket.TRADING,))
            lines += [_cancel_on_disconnect(client), _rate_limits(client)]
            lines += await _round_trips(client, clock, settings.desk.mode)
            lines += [_ticks(listed), _fees(listed)]
            lines.append(await _margin(client))
    except MmbotError as error:
        do = "check network, keys and the venue's status"
        lines.append(Line("venue", Result.FAIL, str(error)[:SAID_MAX_CHARS], do))
    finally:
        await venue.close()
    return lines


async def _scopes(client: "Deribit", keys: "Credentials", account: str, mode: Mode) -> Line:
    import hashlib

    stamp = str(client.milliseconds())
    signature = client.hmac(
        client.encode(f"{stamp}\n{stamp}\n"), client.encode(keys.secret), hashlib.sha256
    )
    token = await client.publicGetAuth(
        {
            "grant_type": "client_signature",
            "client_id": keys.key,
            "timestamp": stamp,
            "nonce": stamp,
            "data": "",
            "signature": signature,
        }
    )
    scopes = str(token["result"].get("scope", "")).split()
    missing = [
        scope for scope in NEEDED_SCOPES if not any(held.startswith(scope) for held in scopes)
    ]
    if missing:
        return Line(
            "account",
            Result.FAIL,
            f"{account}: the key may not {' and '.join(missing)}",
            "give it these scopes at the venue",
        )
    if WITHDRAWALS in scopes and mode is not Mode.SIM:
        return Line(
            "account",
            Result.WARN,
            f"{account}: the key may withdraw ({WITHDRAWALS})",
            "make one with wallet:none",
        )
    return Line("account", Result.PASS, f"{account}: the key may trade and read the account")


def _latch(settings: "Config", venue: str, account: str) -> Line:
    from mmbot.store.locations import locate
    from mmbot.store.queries import Reader
    from mmbot.store.records import Seat

    place = locate(settings.desk.mode, os.environ, settings.store.url)
    try:
        if not place.exists and not place.latch_file.exists():
            return Line("kill switch", Result.PASS, "armed: never used here")
        state = Reader(place).latch(Seat(settings.desk.mode, venue, account))
    except StoreError as error:
        return Line("kill switch", Result.FAIL, str(error))
    if state is not None and state.tripped:
        return Line(
            "kill switch",
            Result.FAIL,
            f"tripped by {state.who}: {state.why.value} {state.detail}".rstrip(),
            'look at the account, then `mmbot resume --reason "..."`',
        )
    return Line("kill switch", Result.PASS, "armed")


def _cancel_on_disconnect(client: "Deribit") -> Line:
    if client.cod_enabled:
        return Line("cancel on disconnect", Result.PASS, "confirmed by the venue")
    return Line(
        "cancel on disconnect",
        Result.FAIL,
        "not confirmed by the venue",
        "start is refused without it; ask the venue why",
    )


def _rate_limits(client: "Deribit") -> Line:
    limit = client.rate_limits.matching
    said = f"{limit.rate:g} order requests a second, {limit.burst:g} at once"
    if limit.rate < 1 or limit.burst < 4:
        return Line("rate limits", Result.WARN, said, "quote few instruments")
    return Line("rate limits", Result.PASS, said)


async def _round_trips(client: "Deribit", clock: Any, mode: Mode) -> list[Line]:
    """Latency on the connection that orders use, and the clocks compared at the fastest trip."""
    from mmbot.venues.deribit.session import Socket

    trips: list[tuple[float, float]] = []
    for _ in range(ROUND_TRIPS):
        before_s, before_ms = clock.monotonic_s(), clock.now_ns() / 1e6
        venue_ms = await client.rpc(Socket.TRADING, "public/get_time", {})
        took_ms = (clock.monotonic_s() - before_s) * 1000
        trips.append((took_ms, venue_ms - (before_ms + took_ms / 2)))
    middle_ms, worst_ms = median(trip[0] for trip in trips), max(trip[0] for trip in trips)
    said = f"{middle_ms:.1f} ms there and back, {worst_ms:.1f} ms at worst"
    slow = middle_ms > LATENCY_WARN_MS
    latency = Line(
        "latency",
        Result.WARN if slow else Result.PASS,
        said,
        "run nearer to the venue: quotes will be late" if slow else "",
    )
    skew_ms = abs(min(trips)[1])
    if mode is Mode.SIM:
        return [Line("clock", Result.PASS, "the simulated venue's own date is used"), latency]
    result = (
        Result.FAIL
        if skew_ms > SKEW_FAIL_MS
        else Result.WARN
        if skew_ms > SKEW_WARN_MS
        else Result.PASS
    )
    do = "" if result is Result.PASS else "synchronize this machine's clock (NTP)"
    return [Line("clock", result, f"{skew_ms:.0f} ms from the venue's", do), latency]


def _ticks(listed: "Sequence[Instrument]") -> Line:
    """Whether every grid makes sense: what we send is snapped to it."""
    for one in listed:
        bounds = [step.above for step in one.tick_steps]
        ticks = [one.tick, *(step.tick for step in one.tick_steps)]
        sound = (
            min(ticks) > 0
            and bounds == sorted(set(bounds))
            and one.min_amount > 0
            and one.min_amount % one.amount_step == 0
            and one.contract_size > 0
        )
        if not sound:
            return Line(
                "tick rules",
                Result.FAIL,
                f"{one.name}: tick {plain(one.tick)}, {len(bounds)} steps, minimum "
                f"{plain(one.min_amount)} make no sense",
                "leave it out and report it",
            )
    ladders = sum(1 for one in listed if one.tick_steps)
    return Line("tick rules", Result.PASS, f"{len(listed)} grids, {ladders} with steps")


def _fees(listed: "Sequence[Instrument]") -> Line:
    by_kind: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for one in listed:
        by_kind.setdefault(one.kind.value, []).append((one.maker_fee, one.taker_fee))
        if abs(one.maker_fee) > FEE_MOST or abs(one.taker_fee) > FEE_MOST:
            return Line(
                "fees",
                Result.FAIL,
                f"{one.name}: maker {_percent(one.maker_fee)}, taker {_percent(one.taker_fee)}",
                "that cannot be right: do not trade it",
            )
    said = [
        f"{kind} {_range(maker for maker, _ in fees)} / {_range(taker for _, taker in fees)}"
        for kind, fees in by_kind.items()
    ]
    return Line("fees", Result.PASS, f"maker / taker: {', '.join(said)}")


def _range(rates: "Iterator[Decimal]") -> str:
    known = sorted(set(rates))
    return (
        _percent(known[0]) if len(known) == 1 else f"{plain(known[0] * 100)}..{_percent(known[-1])}"
    )


def _percent(rate: Decimal) -> str:
    return f"{plain(rate * 100)} %"


async def _margin(client: "Deribit") -> Line:
    """With cross margin the portfolio's margin balance stands for what one currency is worth."""
    from mmbot.venues.deribit import parse

    answer, unread = await client.privateGetGetAccountSummaries({}), parse.Unread()
    try:
        rows = parse.fields_of(answer.get("result"), "account").get("summaries", [])
        stated, _ = parse.each(rows, lambda row: parse.equity_of(row, unread), unread, "account")
    except parse.Unreadable as error:
        return Line("margin", Result.WARN, f"not understood: {error}", "look at the account")
    held = [one for one in stated if one.equity]
    if unread.counts and not held:
        detail = next(iter(unread.details.values()))
        return Line("margin", Result.WARN, f"not understood: {detail}", "look at the account")
    if not held:
        return Line("margin", Result.WARN, "the account is empty", "move money there to trade")
    shares = [_share(one) for one in held]
    said = ", ".join(
        f"{one.currency} {float(one.equity):g}"
        + (" (margin not stated)" if share is None else f" ({share:.1%} used)")
        for one, share in zip(held, shares, strict=True)
    )
    if any(one.cross for one in held):
        said = f"cross margin, each figure the whole portfolio's: {said}"
    worst = max((share for share in shares if share is not None), default=0.0)
    if worst >= MARGIN_FAIL:
        return Line("margin", Result.FAIL, said, "reduce positions: liquidation is near")
    if worst >= MARGIN_WARN:
        return Line("margin", Result.WARN, said, "reduce positions or add money")
    return Line("margin", Result.PASS, said)


def _share(stated: "Equity") -> float | None:
    """How much of what counts against liquidation is in use; None where it is not stated."""
    has = stated.margin_balance if stated.cross else stated.equity
    used = stated.maintenance_margin
    if has is None or used is None:
        return None
    return float(used) / float(has) if has > 0 else 1.0
