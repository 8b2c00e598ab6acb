"""The door to this folder: what everything else may know of Deribit."""

from collections.abc import Callable
from dataclasses import dataclass

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.capabilities import Capabilities
from mmbot.plugins.importing import importing
from mmbot.plugins.registry import Family, register
from mmbot.store.records import AccountKey
from mmbot.venues.base import MarketData, Venue
from mmbot.venues.canceller import Canceller
from mmbot.venues.checks import Check
from mmbot.venues.credentials import Credentials, Sets, key_pair
from mmbot.venues.deribit.limits import READ_GATES
from mmbot.venues.one_exchange import load_alone
from mmbot.venues.site import Site
from mmbot.venues.timing import Timing


@register(Family.VENUE, "deribit")
@dataclass(frozen=True, slots=True)
class DeribitPlugin:
    """Options, perpetuals and futures on BTC, ETH and others, in coin and in USDC."""

    def credentials(self, mode: Mode, name: str) -> Sets:
        """One API key with its secret."""
        return (key_pair(mode, name),)

    def capabilities(self) -> Capabilities:
        """An order keeps its id, requests expire, and a broken connection cancels."""
        return Capabilities(gates=(*Capabilities().gates, *READ_GATES))

    def prepare(self) -> None:
        """Import ccxt, and what trades with it."""
        load_alone("deribit")
        with importing():
            import mmbot.venues.deribit.clients
            import mmbot.venues.deribit.venue  # noqa: F401

    def data(self, site: Site, clock: Clock) -> MarketData:
        """Over one connection."""
        load_alone("deribit")
        from mmbot.venues.deribit.clients import client_at
        from mmbot.venues.deribit.venue import DeribitMarket

        return DeribitMarket(site.name, client_at(site, clock), clock)

    def trading(self, site: Site, keys: Credentials, clock: Clock, timing: Timing) -> Venue:
        """Over two connections, of which one cancels on disconnect."""
        load_alone("deribit")
        from mmbot.venues.deribit.clients import client_at
        from mmbot.venues.deribit.venue import DeribitVenue

        return DeribitVenue(site.name, client_at(site, clock, keys, timing), clock)

    def canceller(
        self, site: Site, keys: Credentials, clock: Clock, call_limit_s: float
    ) -> Canceller:
        """Over a WebSocket that takes nothing along when it ends, or over REST."""
        load_alone("deribit")
        from mmbot.venues.deribit.canceller import DeribitCanceller
        from mmbot.venues.deribit.clients import client_at

        return DeribitCanceller(site.name, client_at(site, clock, keys), clock, call_limit_s)

    async def checks(
        self, site: Site, keys: Credentials, latch_of: Callable[[AccountKey], Check]
    ) -> list[Check]:
        """Scopes, cancel-on-disconnect, limits, latency, grids, fees and margin."""
        load_alone("deribit")
        from mmbot.venues.deribit.checks import checks

        return await checks(site, keys, latch_of)
