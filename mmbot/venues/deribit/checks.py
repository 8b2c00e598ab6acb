"""What `mmbot doctor` asks of Deribit: keys, limits, latency, grids, fees and margin.

Signs in and reads; sends no order.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from statistics import median

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.contracts import Instrument
from mmbot.core.events import Link
from mmbot.core.sizes import plain
from mmbot.core.statements import Equity
from mmbot.errors import MmbotError
from mmbot.store.records import AccountKey
from mmbot.venues import reading
from mmbot.venues.arrival import LOOK_S, Arrival
from mmbot.venues.checks import SAID_MAX_CHARS, Check, Result
from mmbot.venues.credentials import Credentials
from mmbot.venues.deribit import parse
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.clients import client_at
from mmbot.venues.deribit.venue import DeribitVenue
from mmbot.venues.failures import in_words
from mmbot.venues.reading import Unread, Unreadable, fields_of
from mmbot.venues.site import Site

SKEW_WARN_MS, SKEW_FAIL_MS = 200, 1000
"""Orders carry the moment after which they must die, 4 s from now by our clock."""

LATENCY_WARN_MS = 250
ROUND_TRIPS = 10
MARGIN_WARN, MARGIN_FAIL = 0.5, 0.8
"""Maintenance margin as a share of the equity, or with cross margin of the portfolio's margin
balance; at 1 the venue liquidates."""

FEE_MOST = Decimal("0.01")
NEEDED_SCOPES = ("trade:read_write", "account:read")
WITHDRAWALS = "wallet:read_write"


async def checks(
    site: Site, keys: Credentials, latch_of: Callable[[AccountKey], Check]
) -> list[Check]:
    """Sign in and look. What goes wrong is one check that failed, and the last. `latch_of`: what
    else there is to say once the venue has named the account."""
    clock = Clock()
    client = client_at(site, clock, keys)
    venue = DeribitVenue(site.name, client, clock)
    found: list[Check] = []
    arrival = Arrival(venue, clock, LOOK_S)
    try:
        with in_words(venue.name):
            listed = await arrival.listed()
            found.append(
                Check("venue", Result.PASS, f"{venue.endpoint} lists {len(listed)} instruments")
            )
            if site.mode is Mode.SIM:
                clock.set_to_ms(await arrival.venue_ms())
            account = await arrival.asked(venue.account)
            found.append(await _scopes(client, keys, account, site.mode))
            found.append(latch_of(AccountKey(site.mode, venue.name, account)))
            await client.start((Link.TRADING,))
            found += [_cancel_on_disconnect(client), _rate_limits(client)]
            found += await _round_trips(client, clock, site.mode)
            found += [_ticks(listed), _fees(listed)]
            found.append(await _margin(client))
    except MmbotError as error:
        do = "check network, keys and the venue's status"
        found.append(Check("venue", Result.FAIL, str(error)[:SAID_MAX_CHARS], do))
    finally:
        await venue.close()
    return found


async def _scopes(client: Deribit, keys: Credentials, account: str, mode: Mode) -> Check:
    stamp = str(client.milliseconds())
    signature = client.hmac(
        client.encode(f"{stamp}\n{stamp}\n"), client.encode(keys["secret"]), hashlib.sha256
    )
    token = await client.publicGetAuth(
        {
            "grant_type": "client_signature",
            "client_id": keys["key"],
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
        return Check(
            "account",
            Result.FAIL,
            f"{account}: the key may not {' and '.join(missing)}",
            "give it these scopes at the venue",
        )
    if WITHDRAWALS in scopes and mode is not Mode.SIM:
        return Check(
            "account",
            Result.WARN,
            f"{account}: the key may withdraw ({WITHDRAWALS})",
            "make one with wallet:none",
        )
    return Check("account", Result.PASS, f"{account}: the key may trade and read the account")


def _cancel_on_disconnect(client: Deribit) -> Check:
    if client.cod_enabled:
        return Check("cancel on disconnect", Result.PASS, "confirmed by the venue")
    return Check(
        "cancel on disconnect",
        Result.FAIL,
        "not confirmed by the venue",
        "start is refused without it; ask the venue why",
    )


def _rate_limits(client: Deribit) -> Check:
    limit = client.rate_limits.matching
    said = f"{limit.rate:g} order requests a second, {limit.burst:g} at once"
    if limit.rate < 1 or limit.burst < 4:
        return Check("rate limits", Result.WARN, said, "quote few instruments")
    return Check("rate limits", Result.PASS, said)


async def _round_trips(client: Deribit, clock: Clock, mode: Mode) -> list[Check]:
    """Latency on the connection that orders use, and the clocks compared at the fastest trip."""
    trips: list[tuple[float, float]] = []
    for _ in range(ROUND_TRIPS):
        before_s, before_ms = clock.monotonic_s(), clock.now_ns() / 1e6
        venue_ms = await client.rpc(Link.TRADING, "public/get_time", {})
        took_ms = (clock.monotonic_s() - before_s) * 1000
        trips.append((took_ms, venue_ms - (before_ms + took_ms / 2)))
    middle_ms, worst_ms = median(trip[0] for trip in trips), max(trip[0] for trip in trips)
    said = f"{middle_ms:.1f} ms there and back, {worst_ms:.1f} ms at worst"
    slow = middle_ms > LATENCY_WARN_MS
    latency = Check(
        "latency",
        Result.WARN if slow else Result.PASS,
        said,
        "run nearer to the venue: quotes will be late" if slow else "",
    )
    skew_ms = abs(min(trips)[1])
    if mode is Mode.SIM:
        return [Check("clock", Result.PASS, "the simulated venue's own date is used"), latency]
    result = (
        Result.FAIL
        if skew_ms > SKEW_FAIL_MS
        else Result.WARN
        if skew_ms > SKEW_WARN_MS
        else Result.PASS
    )
    do = "" if result is Result.PASS else "synchronize this machine's clock (NTP)"
    return [Check("clock", result, f"{skew_ms:.0f} ms from the venue's", do), latency]


def _ticks(listed: Sequence[Instrument]) -> Check:
    """Whether every grid makes sense: what we send is snapped to it."""
    for one in listed:
        grid = one.grid
        bounds = [step.above for step in grid.tick_steps]
        ticks = [grid.tick, *(step.tick for step in grid.tick_steps)]
        sound = (
            min(ticks) > 0
            and bounds == sorted(set(bounds))
            and grid.min_amount > 0
            and grid.min_amount % grid.amount_step == 0
            and one.contract_size > 0
        )
        if not sound:
            return Check(
                "tick rules",
                Result.FAIL,
                f"{one.name}: tick {plain(grid.tick)}, {len(bounds)} steps, minimum "
                f"{plain(grid.min_amount)} make no sense",
                "leave it out and report it",
            )
    ladders = sum(1 for one in listed if one.grid.tick_steps)
    return Check("tick rules", Result.PASS, f"{len(listed)} grids, {ladders} with steps")


def _fees(listed: Sequence[Instrument]) -> Check:
    by_kind: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for one in listed:
        by_kind.setdefault(one.kind.value, []).append((one.fees.maker, one.fees.taker))
        if abs(one.fees.maker) > FEE_MOST or abs(one.fees.taker) > FEE_MOST:
            return Check(
                "fees",
                Result.FAIL,
                f"{one.name}: maker {_percent(one.fees.maker)}, taker {_percent(one.fees.taker)}",
                "that cannot be right: do not trade it",
            )
    said = [
        f"{kind} {_range(maker for maker, _ in fees)} / {_range(taker for _, taker in fees)}"
        for kind, fees in by_kind.items()
    ]
    return Check("fees", Result.PASS, f"maker / taker: {', '.join(said)}")


def _range(rates: Iterator[Decimal]) -> str:
    known = sorted(set(rates))
    return (
        _percent(known[0]) if len(known) == 1 else f"{plain(known[0] * 100)}..{_percent(known[-1])}"
    )


def _percent(rate: Decimal) -> str:
    return f"{plain(rate * 100)} %"


async def _margin(client: Deribit) -> Check:
    """With cross margin the portfolio's margin balance stands for what one currency is worth."""
    answer, unread = await client.privateGetGetAccountSummaries({}), Unread()
    try:
        rows = fields_of(answer.get("result"), "account").get("summaries", [])
        stated, _ = reading.each(rows, lambda row: parse.equity_of(row, unread), unread, "account")
    except Unreadable as error:
        return Check("margin", Result.WARN, f"not understood: {error}", "look at the account")
    held = [one for one in stated if one.equity]
    if unread.counts and not held:
        detail = next(iter(unread.details.values()))
        return Check("margin", Result.WARN, f"not understood: {detail}", "look at the account")
    if not held:
        return Check("margin", Result.WARN, "the account is empty", "move money there to trade")
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
        return Check("margin", Result.FAIL, said, "reduce positions: liquidation is near")
    if worst >= MARGIN_WARN:
        return Check("margin", Result.WARN, said, "reduce positions or add money")
    return Check("margin", Result.PASS, said)


def _share(stated: Equity) -> float | None:
    """How much of what counts against liquidation is in use; None where it is not stated."""
    has = stated.margin_balance if stated.cross else stated.equity
    used = stated.maintenance_margin
    if has is None or used is None:
        return None
    return float(used) / float(has) if has > 0 else 1.0
