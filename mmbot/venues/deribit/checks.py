"""What `mmbot doctor` asks of Deribit: keys, limits, latency, grids, fees and margin.

Signs in and reads; sends no order.
"""

import hashlib
from collections.abc import Callable
from functools import partial

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.events import Link
from mmbot.errors import MmbotError
from mmbot.store.records import AccountKey
from mmbot.venues import reading
from mmbot.venues.arrival import LOOK_S, Arrival
from mmbot.venues.checks import SAID_MAX_CHARS, Check, Result
from mmbot.venues.common_checks import (
    cancel_on_disconnect,
    fees,
    margin,
    rate_limits,
    round_trips,
    ticks,
)
from mmbot.venues.credentials import Credentials
from mmbot.venues.deribit import parse
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.clients import client_at
from mmbot.venues.deribit.venue import DeribitVenue
from mmbot.venues.failures import in_words
from mmbot.venues.reading import Unread, Unreadable, fields_of
from mmbot.venues.site import Site

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
            limit = client.rate_limits.matching
            found += [
                cancel_on_disconnect(client.cod_enabled),
                rate_limits(limit.rate, limit.burst),
            ]
            found += await round_trips(partial(_venue_ms, client), clock, site.mode)
            found += [ticks(listed), fees(listed)]
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


async def _venue_ms(client: Deribit) -> float:
    return float(await client.rpc(Link.TRADING, "public/get_time", {}))


async def _margin(client: Deribit) -> Check:
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
    return margin(stated)
