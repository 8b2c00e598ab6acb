"""Derive's face: its protocol, its paths, and which of its methods are orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mmbot.sim.wire.derive.errors import RATE_LIMITED
from mmbot.sim.wire.derive.limits import Pool
from mmbot.sim.wire.derive.protocol import METHODS, DeriveProtocol
from mmbot.sim.wire.derive.terms import RULES
from mmbot.sim.wire.faces import Behind
from mmbot.sim.wire.faults import Dialect

SIGNED_HEADERS: Final = ("X-DeriveWallet", "X-DeriveTimestamp", "X-DeriveSignature")


class DeriveFace:
    """JSON-RPC over WebSocket and HTTP POST."""

    api_path = "/v3/"
    ws_path = "/v3/ws"
    rest_base = "/v3"
    ping_s = 180.0
    dialect = Dialect(books="orderbook.", accounts=r"\d+\.", too_many_requests=RATE_LIMITED)
    rules = RULES

    def is_order(self, method: str) -> bool:
        """Whether a request of that method goes to the matching engine."""
        found = METHODS.get(method)
        return found is not None and found.pool not in (Pool.OTHER, Pool.LIVE_NAMES)

    def authorization(
        self, headers: Mapping[str, str], _method: str, _path: str, _body: str
    ) -> tuple[str, str, str, str] | None:
        """(wallet, timestamp, signature, empty) of a REST request."""
        found = [headers.get(name) for name in SIGNED_HEADERS]
        if None in found:
            return None
        wallet, timestamp, signature = (str(one) for one in found)
        return wallet, timestamp, signature, ""

    def protocol(self, behind: Behind) -> DeriveProtocol:
        """The venue, spoken to in frames; nobody is let in yet."""
        return DeriveProtocol(
            behind.exchange, behind.market, behind.rules, behind.now_us, skew_ms=behind.skew_ms
        )


FACE: Final = DeriveFace()
