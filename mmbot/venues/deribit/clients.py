"""The client of a mode, made in one place for whoever trades, looks or cancels."""

from collections.abc import Mapping
from typing import Any

from mmbot.clock import Clock
from mmbot.config import Config, Mode
from mmbot.venues.credentials import Credentials
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.timing import USUAL, Timing


def client_for(
    config: Config, clock: Clock, settings: Mapping[str, Any], timing: Timing = USUAL
) -> Deribit:
    """The client of a configuration, not connected. `settings` are ccxt's; without keys it is
    public.

    A simulated venue's address is in the configuration by now (venues/simulated.py).
    """
    mode, endpoint = config.run.mode, ""
    if mode is Mode.SIM:
        assert config.sim.url is not None
        endpoint = config.sim.url
    return client_at(mode, endpoint, clock, settings, timing)


def client_at(
    mode: Mode,
    endpoint: str,
    clock: Clock,
    settings: Mapping[str, Any],
    timing: Timing = USUAL,
) -> Deribit:
    """The client of a mode at an address, not connected. `endpoint` empty: the mode's own venue."""
    given = dict(settings)
    if endpoint:
        websocket = endpoint.replace("http", "ws", 1) + "/ws/api/v2"
        given["urls"] = {"api": {"rest": endpoint, "ws": websocket}}
    client = Deribit(
        given,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        time_scale=1 / clock.scale,
        timing=timing,
    )
    if not endpoint and mode is Mode.TESTNET:
        client.set_sandbox_mode(True)
    return client


def signed(keys: Credentials) -> dict[str, str]:
    """A key pair as ccxt's settings."""
    return {"apiKey": keys.key, "secret": keys.secret}
