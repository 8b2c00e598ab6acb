"""Deribit's face: its protocol, its paths, and which of its methods are orders."""

from __future__ import annotations

from typing import Final

from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.wire.deribit.catalog import COMBOS_PER_HOUR
from mmbot.sim.wire.deribit.errors import too_many_requests
from mmbot.sim.wire.deribit.protocol import EVERY_METHOD, DeribitProtocol
from mmbot.sim.wire.faces import Behind


class DeribitFace:
    """JSON-RPC over WebSocket and REST."""

    api_path = "/api/v2"
    ws_path = "/ws/api/v2"
    too_many_requests = too_many_requests().code
    rules = VenueRules()

    def is_order(self, method: str) -> bool:
        """Whether a request of that method goes to the matching engine."""
        found = EVERY_METHOD.get(method)
        return found is not None and found.is_matching

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
