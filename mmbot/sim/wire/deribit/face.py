"""Deribit's face: its protocol, its paths, and which of its methods are orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.wire.deribit.catalog import COMBOS_PER_HOUR
from mmbot.sim.wire.deribit.protocol import EVERY_METHOD, DeribitProtocol
from mmbot.sim.wire.faces import Behind
from mmbot.sim.wire.faults import Dialect


class DeribitFace:
    """JSON-RPC over WebSocket and REST."""

    api_path = "/api/v2"
    ws_path = "/ws/api/v2"
    rest_base = ""
    ping_s = None
    dialect = Dialect()
    rules = VenueRules()

    def is_order(self, method: str) -> bool:
        """Whether a request of that method goes to the matching engine."""
        found = EVERY_METHOD.get(method)
        return found is not None and found.is_matching

    def authorization(
        self, headers: Mapping[str, str], method: str, path: str, body: str
    ) -> tuple[str, str, str, str] | None:
        """(header, HTTP method, path with query, body) of a REST request."""
        header = headers.get("Authorization")
        return None if header is None else (header, method, path, body)

    def protocol(self, behind: Behind) -> DeribitProtocol:
        """The venue, spoken to in frames; nobody is let in yet."""
        combos = behind.combos_per_hour
        return DeribitProtocol(
            behind.exchange,
            behind.market,
            None,
            behind.rules,
            behind.now_us,
            skew_ms=behind.skew_ms,
            seed=behind.seed,
            combos_per_hour=COMBOS_PER_HOUR if combos is None else combos,
        )


FACE: Final = DeribitFace()
