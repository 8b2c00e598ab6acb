"""What `mmbot doctor` asks of Derive: key, subaccount, dead-man, limits, clock, grids and margin.

Over REST alone: the end of a connection that is logged in would cancel every order of the wallet,
those of an engine that runs among them. Sends no order.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.types import SECOND
from mmbot.errors import MmbotError
from mmbot.store.records import AccountKey
from mmbot.venues.arrival import LOOK_S, Arrival
from mmbot.venues.checks import SAID_MAX_CHARS, Check, Result
from mmbot.venues.common_checks import fees, margin, rate_limits, round_trips, ticks
from mmbot.venues.credentials import Credentials
from mmbot.venues.derive import parse
from mmbot.venues.derive.dialect import WINDOW_S
from mmbot.venues.derive.exchange import DeriveExchange
from mmbot.venues.derive.keys import trouble_with
from mmbot.venues.derive.limits import limits_of
from mmbot.venues.derive.messages import Account, RateLimits
from mmbot.venues.derive.signing import Signer
from mmbot.venues.derive.sites import exchange_at, signer_of
from mmbot.venues.derive.venue import venue_at
from mmbot.venues.failures import in_words, said
from mmbot.venues.reading import Unread, Unreadable, read
from mmbot.venues.site import Site


async def checks(
    site: Site, keys: Credentials, latch_of: Callable[[AccountKey], Check]
) -> list[Check]:
    """Look at everything. What goes wrong is one check that failed, and the last. `latch_of`: what
    else there is to say once the venue has named the account."""
    clock = Clock()
    signer = signer_of(site, keys)
    exchange = exchange_at(site, clock, signer)
    venue = venue_at(site, exchange, signer, clock)
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
            found.append(await _key(exchange, signer, account, clock))
            found.append(latch_of(AccountKey(site.mode, venue.name, account)))
            found += await _account(exchange, signer)
            found += await round_trips(partial(_venue_ms, exchange), clock, site.mode)
            found += [ticks(listed), fees(listed)]
            found.append(await _margin(exchange, signer))
    except MmbotError as error:
        do = "check network, keys and the venue's status"
        found.append(Check("venue", Result.FAIL, str(error)[:SAID_MAX_CHARS], do))
    finally:
        await venue.close()
    return found


async def _key(exchange: DeriveExchange, signer: Signer, account: str, clock: Clock) -> Check:
    """Whether the key may trade for the wallet, and for how long."""
    if signer.is_owner:
        found = f"{account}: the wallet's own key, which may do everything"
        return Check("account", Result.WARN, found, "register a session key that may only trade")
    told = await _asked(exchange, "private/session_keys", {"wallet": signer.owner})
    try:
        trouble = trouble_with(signer, told, clock.now_ns() // SECOND, Unread())
    except Unreadable as error:
        return Check("account", Result.WARN, f"not understood: {error}", "look at the keys")
    if trouble is not None:
        return Check("account", Result.FAIL, trouble, "register a key that may trade")
    return Check("account", Result.PASS, f"{account}: the key may trade")


async def _account(exchange: DeriveExchange, signer: Signer) -> list[Check]:
    """Cancel-on-disconnect, and the limits."""
    told = await _asked(exchange, "private/get_account", {"wallet": signer.owner})
    account = read(Account, told, Unread(), "account")
    dead_man = Check("cancel on disconnect", Result.PASS, "on, for the whole wallet")
    if not account.cancel_on_disconnect:
        found = "off; an engine switches it on for the whole wallet when it starts"
        dead_man = Check("cancel on disconnect", Result.WARN, found)
    windows: RateLimits | None = None
    try:
        told = await _asked(exchange, "public/getRateLimits", {})
        windows = read(RateLimits, told, Unread(), "limits")
    except (MmbotError, Unreadable) as error:
        refused = Check("windows", Result.WARN, f"not told: {said(error)}", "the least is assumed")
        return [dead_man, _limits(account, None), refused]
    return [dead_man, _limits(account, windows)]


def _limits(account: Account, windows: RateLimits | None) -> Check:
    tps = limits_of(account, windows).matching
    return rate_limits(tps, tps * WINDOW_S)


async def _margin(exchange: DeriveExchange, signer: Signer) -> Check:
    params = {"subaccount_id": signer.subaccount_id}
    told = await _asked(exchange, "private/get_subaccount", params)
    try:
        return margin([parse.equity_of(told, Unread())])
    except Unreadable as error:
        return Check("margin", Result.WARN, f"not understood: {error}", "look at the account")


async def _venue_ms(exchange: DeriveExchange) -> float:
    return float(await _asked(exchange, "public/get_time", {}))


async def _asked(exchange: DeriveExchange, method: str, params: Mapping[str, Any]) -> Any:
    """One method's result. Raises VenueUnreachable."""
    with in_words(exchange.id, f"to {method.partition('/')[2]}"):
        return (await exchange.over_rest(method, params))["result"]
