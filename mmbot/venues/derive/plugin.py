"""The door to this folder: what everything else may know of Derive."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.capabilities import Capabilities
from mmbot.plugins.importing import importing
from mmbot.plugins.registry import Family, register
from mmbot.store.records import AccountKey
from mmbot.venues.base import MarketData, Venue
from mmbot.venues.canceller import Canceller
from mmbot.venues.checks import Check
from mmbot.venues.credentials import Credentials, Sets, Wanted
from mmbot.venues.one_exchange import load_alone
from mmbot.venues.site import Site
from mmbot.venues.timing import Timing

_PARTS: Final = (("wallet", "WALLET"), ("subaccount", "SUBACCOUNT"), ("key", "PRIVATE_KEY"))

KIND: Final = "derive"

_SIMULATED: Final = {
    "wallet": "0x7fDbBDC6637f31e3c160ACe5d7F3dcb338cFc7CA",
    "subaccount": "130837",
    "key": "0x5881aa2dc1f0f5e88ad340a53cf9e20f5c8564706f5d922d5f49cffa4094e122",
}
"""What the simulated venue knows unless it was started with something else, or goes by a name of
its own (`simulated.py`)."""


@register(Family.VENUE, "derive")
@dataclass(frozen=True, slots=True)
class DerivePlugin:
    """Options and perpetuals on ETH, BTC and others, in USDC; orders are signed."""

    def credentials(self, mode: Mode, name: str) -> Sets:
        """A wallet, one of its subaccounts, and a private key that may sign for it: NAME_WALLET,
        NAME_SUBACCOUNT and NAME_PRIVATE_KEY, on the testnet NAME_TESTNET_WALLET and so on. The
        simulated venue's, MMBOT_SIM_NAME_WALLET and so on, have defaults."""
        prefix = re.sub(r"\W", "_", name).upper()
        if mode is Mode.SIM:
            usual = _SIMULATED if name == KIND else _simulated(name)
            return (
                tuple(
                    Wanted(part, f"MMBOT_SIM_{prefix}_{suffix}", usual[part])
                    for part, suffix in _PARTS
                ),
            )
        assert mode in (Mode.TESTNET, Mode.LIVE), mode
        prefix += "_TESTNET" if mode is Mode.TESTNET else ""
        return (tuple(Wanted(part, f"{prefix}_{suffix}") for part, suffix in _PARTS),)

    def capabilities(self) -> Capabilities:
        """Before the account's own limits are read: the least that the venue gives anybody."""
        from mmbot.venues.derive.limits import Limits, capabilities

        return capabilities(Limits())

    def prepare(self) -> None:
        """Import ccxt, and what trades with it."""
        load_alone("derive")
        with importing():
            import mmbot.venues.derive.venue  # noqa: F401

    def data(self, site: Site, clock: Clock) -> MarketData:
        """Over one connection that is not logged in."""
        load_alone("derive")
        from mmbot.venues.derive.sites import exchange_at
        from mmbot.venues.derive.venue import DeriveMarket

        return DeriveMarket(site.name, exchange_at(site, clock), clock)

    def trading(self, site: Site, keys: Credentials, clock: Clock, timing: Timing) -> Venue:
        """Over two connections, of which one is logged in and takes the wallet's orders along."""
        load_alone("derive")
        from mmbot.venues.derive.sites import exchange_at, signer_of
        from mmbot.venues.derive.venue import venue_at

        signer = signer_of(site, keys)
        return venue_at(site, exchange_at(site, clock, signer), signer, clock, timing)

    def canceller(
        self, site: Site, keys: Credentials, clock: Clock, call_limit_s: float
    ) -> Canceller:
        """Over REST; over a WebSocket where that fails."""
        load_alone("derive")
        from mmbot.venues.derive.canceller import DeriveCanceller
        from mmbot.venues.derive.sites import exchange_at, signer_of

        signer = signer_of(site, keys)
        exchange = exchange_at(site, clock, signer)
        simulated = site.mode is Mode.SIM
        return DeriveCanceller(
            site.name, exchange, signer, clock, call_limit_s, named_by_label=simulated
        )

    async def checks(
        self, site: Site, keys: Credentials, latch_of: Callable[[AccountKey], Check]
    ) -> list[Check]:
        """Key, subaccount, dead-man, limits, latency, grids, fees and margin."""
        load_alone("derive")
        from mmbot.venues.derive.checks import checks

        return await checks(site, keys, latch_of)


def _simulated(name: str) -> Mapping[str, str]:
    from mmbot.venues.derive.simulated import login_of

    return login_of(name)
