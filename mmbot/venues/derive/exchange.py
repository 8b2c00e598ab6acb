"""REST at Derive: one POST a method, signed where it is private (`venues/exchange.py`).

ccxt's class is used for its session, its proxies and its names of errors, and for nothing else.
"""

from collections.abc import Mapping
from typing import Any

import ccxt.pro
import orjson

from mmbot.clock import Clock
from mmbot.core.types import MS
from mmbot.venues.derive.signing import Signer
from mmbot.venues.exchange import REAL_MIN_S, REST_S, Exchange


class DeriveExchange(Exchange, ccxt.pro.derive):  # type: ignore[misc]  # ccxt ships no types
    """Derive at `url`, its REST address. Without a `signer` private methods cannot be asked."""

    def __init__(self, url: str, clock: Clock, signer: Signer | None = None) -> None:
        self._url = url.rstrip("/")
        self._signer = signer
        self._venue_clock = clock
        super().__init__({"enableRateLimit": False})  # it reads every property once
        self.clients: dict[str, Any] = {}  # ccxt has one for all exchanges of a process
        self.timeout = 1000 * max(REST_S / clock.scale, REAL_MIN_S)

    @property
    def error_kinds(self) -> Mapping[str, type[Exception]]:
        """ccxt's classes by the venue's codes."""
        kinds: Mapping[str, type[Exception]] = (self.exceptions or {}).get("exact", {})
        return kinds

    @property
    def rest_url(self) -> str:
        """Where its REST is."""
        return self._url

    @property
    def socket_url(self) -> str:
        """Where its WebSockets are."""
        return f"{self._url.replace('http', 'ws', 1)}/ws"

    async def over_rest(self, method: str, params: Mapping[str, Any]) -> Any:
        """One method's answer. Raises ccxt's errors, with status and message as their `http`."""
        headers = {"Content-Type": "application/json"}
        if method.startswith("private/"):
            assert self._signer is not None, f"{method} needs a key"
            headers |= self._signer.rest_headers(self._venue_clock.now_ns() // MS)
        body = orjson.dumps(dict(params)).decode()
        return await self.fetch(f"{self._url}/{method}", "POST", headers, body)
