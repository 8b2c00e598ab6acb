"""The client of a site, made in one place for whoever trades, looks or cancels."""

from typing import Any

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.venues.credentials import Credentials
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.site import Site
from mmbot.venues.timing import USUAL, Timing


def client_at(
    site: Site, clock: Clock, keys: Credentials | None = None, timing: Timing = USUAL
) -> Deribit:
    """The client there, not connected; without keys it makes no private call."""
    given: dict[str, Any] = {}
    if keys is not None:
        given |= {"apiKey": keys["key"], "secret": keys["secret"]}
    if site.url:
        websocket = site.url.replace("http", "ws", 1) + "/ws/api/v2"
        given["urls"] = {"api": {"rest": site.url, "ws": websocket}}
    client = Deribit(given, clock=clock, timing=timing)
    if not site.url and site.mode is Mode.TESTNET:
        client.set_sandbox_mode(True)
    return client
