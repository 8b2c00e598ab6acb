"""`mmbot cancel-all`: the kill switch for everything, from any terminal (engine/cancel_all.py).

The outcome goes to stdout, as lines or as one object; what went wrong to stderr.
"""

import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.streams import read_or_not
from mmbot.cli.venue_flags import Exchange, SimUrl, venue_configs
from mmbot.cli.wanted import DeskFile, StoreUrl
from mmbot.core.sizes import plain
from mmbot.core.types import instrument_name, unnamed
from mmbot.errors import ConfigError, MmbotError, OrdersMayRemain, StoreError, VenueUnreachable
from mmbot.plugins.importing import importing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmbot.config import Config
    from mmbot.core.statements import OpenOrder
    from mmbot.engine.accounts import Account
    from mmbot.engine.outcome import AccountResult, Outcome
    from mmbot.engine.timing import Timing
    from mmbot.store.known import Stores
    from mmbot.store.locations import Location


def cancel_all(
    foreign: Annotated[
        bool, typer.Option("--foreign", help="Also orders on these accounts that are not ours.")
    ] = False,
    exchange: Exchange = None,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask the venue itself, whatever the stores know.")
    ] = False,
    testnet: Annotated[
        bool, typer.Option("--testnet", help="Also ask the venue's test network.")
    ] = False,
    sim: Annotated[
        bool, typer.Option("--sim", help="Also ask the simulated venue of --sim-url.")
    ] = False,
    sim_url: SimUrl = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Trip the kill switch everywhere and cancel every order of ours at every venue.

    Works whether the engines run, hang or are gone. Each account that was ever traded from here is
    emptied, and asked until nothing of ours is left; so is the account of keys that are set, where
    no store knows of one. Engines stay stopped, also after a restart, until
    `mmbot resume --reason "..."`.

    Exit code 0: nothing of ours is open. 3: something is, and is listed, or the venue's list could
    not be read. 5: a venue could not be asked.
    """
    venue = None
    if exchange or live or testnet or sim or sim_url:
        venue = partial(venue_configs, exchange, sim, testnet, live, sim_url, None, None)
    carry_out(foreign, venue, config, store, json=json)


def carry_out(
    foreign: bool = False,
    venue: "Callable[[Path | None], list[Config]] | None" = None,
    config: Path | None = None,
    store: str | None = None,
    *,
    json: bool = False,
    timing: "Timing | None" = None,
) -> None:
    """Pull the switch, tell what came of it, and raise the error of the worst that is left."""
    outcome = _pulled(foreign, venue, config, store, timing)
    with read_or_not():  # the exit code matters more than who reads this
        if json:
            import orjson

            print(orjson.dumps(_as_json(outcome), default=str).decode())
        else:
            _print(outcome)
    _judge(outcome)


def _pulled(
    foreign: bool,
    venue: "Callable[[Path | None], list[Config]] | None",
    config: Path | None,
    store: str | None,
    timing: "Timing | None",
) -> "Outcome":
    with importing():
        from mmbot.clock import Clock
        from mmbot.engine import tripping
        from mmbot.engine.accounts import joined
        from mmbot.engine.cancel_all import cancel_everywhere
        from mmbot.engine.outcome import Outcome
        from mmbot.engine.outside_kinds import with_kinds
        from mmbot.engine.timing import USUAL
        from mmbot.store.commands import whoami
        from mmbot.store.known import find

    # Whoever asked for this and then lost the line wants it carried out all the same.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
    # What goes wrong on the way is told once, with the account it concerns.
    logging.getLogger("mmbot").addHandler(logging.NullHandler())
    clock, outcome, who = Clock(), Outcome(), whoami()
    stores = find(os.environ, strict=False)
    accounts = tripping.trip_all(stores.places, who, clock, outcome)
    further = _further(config, store, stores, outcome)
    if further:
        accounts = joined(accounts, tripping.trip_all(further, who, clock, outcome))
    lost = tripping.trip_lost(stores, accounts, who, clock, outcome)
    outcome.unread += stores.problems
    outcome.notes += stores.notes
    accounts = with_kinds(accounts)
    accounts += _unknown(accounts, venue, config, outcome)
    if not accounts:
        return outcome

    import asyncio

    places = [*stores.places, *further]

    async def cancel() -> None:
        told = asyncio.ensure_future(asyncio.to_thread(tripping.tell_engines, places, clock))
        await cancel_everywhere(accounts, clock, outcome, foreign=foreign, timing=timing or USUAL)
        await told

    asyncio.run(cancel())
    tripping.note_proofs(places, outcome, clock)
    tripping.settle_lost(lost, outcome)
    return outcome


def _further(
    config: Path | None, store: str | None, stores: "Stores", outcome: "Outcome"
) -> "list[Location]":
    """Stores that only a flag names. What is wrong with one is told at the end: it must keep nobody
    from pulling the switch."""
    from mmbot.config import load_config
    from mmbot.store.locations import at_url

    found: list[Location] = []
    for flag, url in (("--store", store), ("--config", None)):
        try:
            if flag == "--config" and config is not None:
                url = load_config({}, config).store.url
            if url is None:
                continue
            place = at_url(url, os.environ)
            if place in (*stores.places, *stores.gone):
                continue
            if place.exists:
                found.append(place)
            else:
                outcome.refused.append(f"{flag}: there is no store at {place.name}")
        except MmbotError as error:
            outcome.refused.append(str(error))
    return found


def _unknown(
    accounts: "Sequence[Account]",
    venue: "Callable[[Path | None], list[Config]] | None",
    config: Path | None,
    outcome: "Outcome",
) -> "list[Account]":
    """Accounts that no store knows of and that are to be asked about: with a desk file, also those
    at the venues it names."""
    from mmbot.config import load_config
    from mmbot.engine.accounts import unknown_accounts
    from mmbot.venues.simulated import needs_one
    from mmbot.venues.site import site_of

    named: dict[str, str] = {}
    if config is not None:
        with suppress(MmbotError):  # said of its store already
            named = {one.name: one.kind for one in load_config({}, config).venues}
    asked = []
    try:
        sites = [site_of(one) for one in _venues(venue, config if named else None)]
        asked += [site for site in sites if not needs_one(site)]
    except MmbotError as error:
        outcome.refused.append(str(error))
    try:
        return unknown_accounts(accounts, asked, named)
    except MmbotError as error:
        outcome.unread.append(str(error))
        return []


def _venues(
    venue: "Callable[[Path | None], list[Config]] | None", config: Path | None
) -> "list[Config]":
    """The venues that flags name, in the words of the desk file where it has them. Raises
    ConfigError."""
    if venue is None:
        return []
    if config is not None:
        with suppress(MmbotError):
            return venue(config)
    return venue(None)


def _judge(outcome: "Outcome") -> None:
    """Raises the error of the worst that is left."""
    from mmbot.store.latch import Kept

    left = [(result, order) for result in outcome.results for order in result.remaining or ()]
    if left:
        orders = ", ".join(f"{_text(order)} on {result.account_key}" for result, order in left)
        raise OrdersMayRemain(
            f"{len(left)} {'order is' if len(left) == 1 else 'orders are'} still open: {orders}; "
            "run it again, and look at the venue"
        )
    unproved = [f"{s.account_key}: {s.problem}" for s in outcome.results if s.unread or s.unlisted]
    if unproved:
        raise OrdersMayRemain(
            f"orders may still be open: {'; '.join(unproved)}; run it again, and look at the venue"
        )
    blind = [f"{s.account_key}: {s.problem}" for s in outcome.results if s.verified_by is None]
    if blind or outcome.unread:
        raise VenueUnreachable(
            f"orders may still be open: {'; '.join([*blind, *outcome.unread])}; run it again, and "
            "look at the venue"
        )
    nowhere = [latched.store for latched in outcome.latched if latched.kept is Kept.NOWHERE]
    if nowhere:
        raise StoreError(
            f"the kill switch could not be written: neither {', '.join(dict.fromkeys(nowhere))} "
            "nor a file beside it takes it; engines will quote again when they are restarted"
        )
    if outcome.refused:
        raise ConfigError("; ".join(outcome.refused))


def _print(outcome: "Outcome") -> None:
    for said in (*outcome.lost, *outcome.notes):
        print(said, file=sys.stderr)
    account_keys = {
        latched.account_key for latched in outcome.latched if latched.account_key is not None
    }
    account_keys |= {result.account_key for result in outcome.results}
    if outcome.latched:
        count = "1 account" if len(account_keys) == 1 else f"{len(account_keys)} accounts"
        print(f'Kill switch: {count}. Nothing is quoted until `mmbot resume --reason "..."`.')
    elif outcome.results or outcome.ended:
        print("No store knows of an account: the venue is asked, and no kill switch is set.")
    elif not (outcome.unread or outcome.refused):
        print(
            f"No store knows of an account, and no key is set ({', '.join(_keys())}): there is "
            "nothing to cancel."
        )
        return
    for result in outcome.results:
        print(_line(result))
        for order in result.remaining or ():
            print(f"    {_text(order)}")
    if outcome.ended:
        ended = len(outcome.ended)
        which = "1 simulated venue has" if ended == 1 else f"{ended} simulated venues have"
        print(f"{which} ended before, and all orders there with it.", file=sys.stderr)


def _keys() -> list[str]:
    """The variables that would name an account nobody else knows of."""
    from mmbot.config import Mode
    from mmbot.plugins.registry import Family, names
    from mmbot.venues.plugin import variables_of
    from mmbot.venues.site import Site

    sites = [
        Site(mode, kind, kind) for kind in names(Family.VENUE) for mode in (Mode.LIVE, Mode.TESTNET)
    ]
    return [variable for site in sites for variable in variables_of(site)[:1]]


def _line(result: "AccountResult") -> str:
    account = result.account_key.account or "account unknown"
    where = f"{result.account_key.mode.value.upper():<8} {result.account_key.venue} {account}"
    if result.unlisted:
        return f"{where}: not verified: {result.problem}"
    if result.remaining is None:
        return f"{where}: not reached ({result.problem})"
    kept = f", {result.foreign} foreign kept" if result.foreign else ""
    if result.verified_by is None:
        proof = f"not verified: {result.problem}"
    else:
        proof = f"verified over {result.verified_by}"
    return (
        f"{where}: {result.cancelled} cancelled, {len(result.remaining)} remain{kept} "
        f"({proof}, {result.ms / 1000:.1f} s)"
    )


def _text(order: "OpenOrder") -> str:
    words = [order.label or order.order_id]
    if order.side is not None and order.amount is not None:
        amount = order.amount - (order.filled or 0)
        words += [order.side.value, plain(amount)]
    words.append(instrument_name(order.instrument) if order.instrument else "?")
    if order.price is not None:
        words += ["at", plain(order.price)]
    return " ".join(words)


def _as_json(outcome: "Outcome") -> dict[str, Any]:
    """`remaining` is null where the venue could not be asked."""
    from mmbot.store.latch import Kept

    kept = [latched.kept for latched in outcome.latched]
    return {
        "latched": bool(kept) and Kept.NOWHERE not in kept,
        "venues": [
            {
                "venue": result.account_key.venue,
                "mode": result.account_key.mode.value,
                "account": result.account_key.account or None,
                "cancelled": result.cancelled,
                "remaining": None if result.remaining is None else len(result.remaining),
                "orders": [
                    {
                        "label": order.label,
                        "order_id": order.order_id,
                        "instrument": instrument_name(order.instrument or unnamed("")) or None,
                        "side": None if order.side is None else order.side.value,
                        "price": None if order.price is None else float(order.price),
                        "amount": None
                        if order.amount is None
                        else float(order.amount - (order.filled or 0)),
                    }
                    for order in result.remaining or ()
                ],
                "foreign": result.foreign,
                "verified_by": result.verified_by,
                "ms": result.ms,
                "problem": result.problem or None,
            }
            for result in outcome.results
        ],
        "ended": [account_key.account for account_key in outcome.ended],
        "unread": outcome.unread,
        "lost": outcome.lost,
    }
