"""What `mmbot doctor` asks of Derive: key, subaccount, dead-man, limits, clock, grids and margin.

Over REST alone: the end of a connection that is logged in would cancel every order of the wallet,
those of an engine that runs among them. Sends no order.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.errors import ConfigError, MmbotError, Refused
from mmbot.store.records import AccountKey
from mmbot.venues.arrival import LOOK_S, Arrival
from mmbot.venues.checks import SAID_MAX_CHARS, Check, Result
from mmbot.venues.common_checks import fees, margin, rate_limits, round_trips, ticks
from mmbot.venues.credentials import Credentials
from mmbot.venues.derive import parse
from mmbot.venues.derive.dialect import WINDOW_S
from mmbot.venues.derive.exchange import DeriveExchange
from mmbot.venues.derive.limits import limits_of
from mmbot.venues.derive.messages import Account, Mmp, RateLimits
from mmbot.venues.derive.signing import Signer
from mmbot.venues.derive.sites import exchange_at, signer_of
from mmbot.venues.derive.venue import venue_at
from mmbot.venues.failures import in_words, said
from mmbot.venues.reading import Unread, Unreadable, each, read
from mmbot.venues.site import Site


async def checks(
    site: Site, keys: Credentials, latch_of: Callable[[AccountKey], Check]
) -> list[Check]:
    """Look at everything. What goes wrong is one check that failed, and the last. `latch_of`: what
    else there is to say once the venue has named the account."""
    clock = Clock()
    try:
        signer = signer_of(site, keys)
    except ConfigError as error:
        return [Check("key", Result.FAIL, str(error), "set it right, in the environment or .env")]
    exchange = exchange_at(site, clock, signer)
    venue = venue_at(site, exchange, signer, clock)
    found = [Check("key", Result.PASS, f"it is that of {signer.address}")]
    arrival = Arrival(venue, clock, LOOK_S)
    try:
        with in_words(venue.name):
            listed = await arrival.listed()
            found.append(
                Check("venue", Result.PASS, f"{venue.endpoint} lists {len(listed)} instruments")
            )
            if site.mode is Mode.SIM:
                clock.set_to_ms(await arrival.venue_ms())
            try:
                account = await arrival.asked(venue.account)
            except (ConfigError, Refused) as error:
                do = "register the key for the wallet with the scope Trade(All)"
                if isinstance(error, ConfigError):
                    do = "set the number of one that it has"
                return [*found, Check("account", Result.FAIL, str(error), do)]
            found.append(_key(signer, account))
            found.append(latch_of(AccountKey(site.mode, venue.name, account)))
            found += await _account(exchange, signer)
            found.append(await _protection(exchange, signer))
            found += await round_trips(partial(_venue_ms, exchange), clock, site.mode)
            found += [ticks(listed), fees(listed)]
            found.append(await _margin(exchange, signer))
    except MmbotError as error:
        do = "check network, keys and the venue's status"
        found.append(Check("venue", Result.FAIL, str(error)[:SAID_MAX_CHARS], do))
    finally:
        await venue.close()
    return found


def _key(signer: Signer, account: str) -> Check:
    """Whose key it is; that it may trade has been looked at."""
    if signer.is_owner:
        found = f"{account}: the wallet's own key, which may do everything"
        return Check("account", Result.WARN, found, "register a session key that may only trade")
    return Check("account", Result.PASS, f"{account}: the session key is registered and may trade")


async def _protection(exchange: DeriveExchange, signer: Signer) -> Check:
    """Market-maker protection, by currency."""
    name, params = "market-maker protection", {"subaccount_id": signer.subaccount_id}
    try:
        rows = await _asked(exchange, "private/get_mmp_config", params)
        stated, _ = each(rows, lambda row: read(Mmp, row, Unread(), name), Unread(), name)
    except (MmbotError, Unreadable) as error:
        return Check(name, Result.WARN, f"not told: {said(error)}")
    on = [one for one in stated if one.mmp_interval]
    frozen = [one.currency for one in on if one.is_frozen]
    if frozen:
        held = f"quotes in {', '.join(frozen)} are frozen"
        return Check(name, Result.WARN, held, f"`mmbot unpause --venue {exchange.id}` resets it")
    if not on:
        return Check(name, Result.PASS, "not set: the venue stops no quotes by itself")
    return Check(name, Result.PASS, f"set for {', '.join(one.currency for one in on)}")


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
    limits = limits_of(account, windows)
    stated = rate_limits(limits.matching, limits.matching * WINDOW_S)
    each = f"{limits.option:g} a second an instrument"
    if limits.option != limits.perpetual:
        each = f"{limits.option:g} a second an option, {limits.perpetual:g} a perpetual"
    return replace(stated, found=f"{stated.found}; {each}")


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
