"""What a kind of venue is to everything else: a plug-in, the only door to its folder.

A built-in kind lives in `mmbot/venues/KIND/plugin.py` and is imported when it is asked for; a
module of a person's own registers another one. A plug-in imports what it stands on (ccxt, say)
only when it builds something, or in a `prepare()` if it has one: naming a venue and its variables
costs nothing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.capabilities import Capabilities
from mmbot.plugins.registry import Family, load
from mmbot.store.records import AccountKey
from mmbot.venues import credentials
from mmbot.venues.base import MarketData, Venue
from mmbot.venues.canceller import Canceller
from mmbot.venues.checks import Check
from mmbot.venues.credentials import Credentials, Sets
from mmbot.venues.site import Site
from mmbot.venues.timing import Timing


class VenuePlugin(Protocol):
    """One kind of venue. What it builds is not connected yet, and is the caller's to close."""

    def credentials(self, mode: Mode, name: str) -> Sets:
        """What opens an account, the usual set first; one that is empty: nothing is needed."""
        ...

    def capabilities(self) -> Capabilities:
        """What such a venue can do, and how it is to be dealt with."""
        ...

    def data(self, site: Site, clock: Clock) -> MarketData:
        """The venue as anybody may see it: without a key, and without a private call."""
        ...

    def trading(self, site: Site, keys: Credentials, clock: Clock, timing: Timing) -> Venue:
        """The account that the keys open."""
        ...

    def canceller(
        self, site: Site, keys: Credentials, clock: Clock, call_limit_s: float
    ) -> Canceller:
        """The kill switch's own path to it; a call over one way ends after `call_limit_s`."""
        ...

    async def checks(
        self, site: Site, keys: Credentials, latch_of: Callable[[AccountKey], Check]
    ) -> list[Check]:
        """What `mmbot doctor` has to say: sign in and read, send no order. What goes wrong is a
        check that failed. `latch_of`: what else there is to say once the account has a name."""
        ...


def plugin_of(kind: str) -> VenuePlugin:
    """The plug-in of a kind. Raises ConfigError for one that nobody has registered."""
    return cast(VenuePlugin, load(Family.VENUE, kind, "venue")())


def prepare(kind: str) -> None:
    """Import what the plug-in of a kind stands on, where it has a `prepare()` that does so: asked
    while something else is on its way. Raises ConfigError for a kind that nobody has registered."""
    step = getattr(plugin_of(kind), "prepare", None)
    if step is not None:
        step()


def credentials_of(site: Site, folder: Path) -> Credentials:
    """What opens our account there, from the environment or else from `folder`/.env.

    Raises ConfigError where something is missing.
    """
    return credentials.found(
        site.mode, folder, plugin_of(site.kind).credentials(site.mode, site.name)
    )


def variables_of(site: Site) -> tuple[str, ...]:
    """The variables in which that is looked for."""
    return credentials.variables(plugin_of(site.kind).credentials(site.mode, site.name))
