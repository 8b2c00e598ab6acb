"""Where Derive is, and what opens an account there: addresses, networks, variables."""

import os
import socket
from typing import Final

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.errors import ConfigError
from mmbot.venues.credentials import Credentials
from mmbot.venues.derive.exchange import DeriveExchange
from mmbot.venues.derive.nonces import part_of
from mmbot.venues.derive.protection import Terms
from mmbot.venues.derive.signing import MAINNET, TESTNET, Signer
from mmbot.venues.site import Site

DIGITS: Final = 18
"""Of a subaccount's number, at most."""

_URLS: Final = {
    Mode.LIVE: "https://api.derive.xyz/v3",
    Mode.PAPER: "https://api.derive.xyz/v3",
    Mode.TESTNET: "https://testnet.api.derive.xyz/v3",
}


def signer_of(site: Site, keys: Credentials) -> Signer:
    """What signs for the account there. Raises ConfigError for what is no key, wallet or number."""
    subaccount = keys["subaccount"]
    if not subaccount.isascii() or not subaccount.isdigit() or len(subaccount) > DIGITS:
        raise ConfigError(f"{site.name}: the subaccount {subaccount!r:.40} is no number")
    chain = TESTNET if site.mode is Mode.TESTNET else MAINNET
    try:
        return Signer(keys["key"], keys["wallet"], int(subaccount), chain)
    except ConfigError as error:
        raise ConfigError(f"{site.name}: {error}") from None


def protection_of(site: Site) -> Terms | None:
    """The market-maker protection that is wanted there."""
    mmp = site.mmp
    if mmp is None:
        return None
    return Terms(
        interval_ms=mmp.interval_ms,
        frozen_ms=mmp.frozen_ms,
        amount=mmp.amount,
        delta=mmp.delta,
        auto_reset_s=mmp.auto_reset_s,
    )


def exchange_at(site: Site, clock: Clock, signer: Signer | None = None) -> DeriveExchange:
    """The exchange there, not connected."""
    return DeriveExchange(site.url or _URLS[site.mode], clock, signer)


def part_of_process(clock: Clock) -> int:
    """What sets the nonces of this process apart."""
    return part_of(socket.gethostname(), os.getpid(), clock.now_ns())
