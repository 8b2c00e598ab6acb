"""The kill switch pulled from outside: whatever the engines are doing, or not doing any more.

Theory of operation
-------------------
1. The latch first (tripping.py), for every account any engine ever traded on any store: from here
   on no engine quotes, and none starts. The latch needs neither the engine nor a venue, and where
   the database does not take it in time, a file beside it stands for it. Engines that run are also
   told so.
2. Then every account (emptying.py), all at the same time, over a connection of our own: look,
   cancel what is ours, look again. A way that fails (WebSocket, REST) gives place to the other one.
   Where neither shows a list that can be read, what the store knows of is canceled by its label.
   Accounts whose store is gone or was replaced are known from the register of stores (known.py),
   and those that no store knows of from the keys that are set: these are asked for, too.
3. An account is clean when a look shows nothing of ours, every row of it can be read, and it was
   asked so late that an engine that was running has heard of the latch. Until then we look again,
   within bounds.
4. Whose account it is decides what is said of the result, never whether what is ours is canceled.
   (A simulated venue that is another world than the one that was traded is nobody's account: it is
   left alone if it says so in time.)

Nothing here needs ccxt before the latch is set: importing it takes longer than tripping.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.engine.accounts import Account, GoneError, signal_engine
from mmbot.engine.emptying import Emptying
from mmbot.engine.outcome import AccountResult, Outcome
from mmbot.engine.timing import USUAL, Timing
from mmbot.errors import ConfigError, MmbotError
from mmbot.venues.canceller import Canceller, Way, WayFailedError
from mmbot.venues.plugin import credentials_of, plugin_of

KNOCK_S = 1.0


async def cancel_everywhere(
    accounts: Sequence[Account],
    clock: Clock,
    outcome: Outcome,
    *,
    foreign: bool,
    timing: Timing = USUAL,
) -> None:
    """Empty every account at the same time. `foreign`: of everything, not only of what is ours."""
    attempts = [AccountResult(account_key=account.account_key) for account in accounts]
    ends = await asyncio.gather(
        *(_cancel(*pair, clock, foreign, timing) for pair in zip(accounts, attempts, strict=True)),
        return_exceptions=True,  # whatever is wrong with one account, the others are emptied
    )
    for result, end in zip(attempts, ends, strict=True):
        if isinstance(end, GoneError):
            outcome.ended.append(result.account_key)
            continue
        if isinstance(end, BaseException):
            expected = isinstance(end, MmbotError)
            result.problem = str(end) if expected else f"bug: {type(end).__name__}: {end}"
        outcome.results.append(result)


async def _cancel(
    account: Account, result: AccountResult, clock: Clock, foreign: bool, timing: Timing
) -> None:
    """One account. Raises VenueUnreachable, ConfigError for missing keys, and GoneError."""
    started_s = clock.monotonic_s()
    if account.account_key.mode is Mode.PAPER or not await _listens(account):
        raise GoneError  # paper orders rest in the engine and nowhere else
    canceller = _canceller(account, clock, timing)
    try:
        if not account.account_key.account:
            account = await _named(account, canceller)
            result.account_key = account.account_key
        emptying = Emptying(account, canceller, clock, result, timing, foreign=foreign)
        await emptying.run()
    finally:
        result.ms = round((clock.monotonic_s() - started_s) * 1000)
        await canceller.close()


async def _named(account: Account, canceller: Canceller) -> Account:
    """The account with the name the venue has for it, if it says, and its engine, if one of this
    machine trades it, told to stop."""
    for way in Way:
        with suppress(WayFailedError):
            name = await canceller.account(way)
            if name is not None:
                account_key = replace(account.account_key, account=name)
                running = signal_engine(account_key, account.endpoint, account.kind)
                return replace(account, account_key=account_key, running=running)
    return account


async def _listens(account: Account) -> bool:
    """Whether anybody is there; asked only of simulated venues, which end by themselves."""
    if account.account_key.mode is not Mode.SIM:
        return True
    address = urlsplit(account.endpoint)
    try:
        async with asyncio.timeout(KNOCK_S):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # a reason to go on and say what is wrong
    writer.close()
    return True


def _canceller(account: Account, clock: Clock, timing: Timing) -> Canceller:
    """Raises ConfigError when the keys are missing, or nobody knows such a venue."""
    if account.unknown_kind:
        raise ConfigError(account.unknown_kind)
    site = account.site
    keys = credentials_of(site, account.env_folder)
    return plugin_of(site.kind).canceller(site, keys, clock, timing.call_limit_s)
