"""What a client asks of a simulated venue, judged by the specification.

    with judged_requests() as asked:
        ...                         # any client, on any simulated venue of this process
    assert "private/buy" in asked.methods

Leaving fails on any request that the specification does not permit: an unknown method or channel,
a parameter that it does not list, lacks, or has of another type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

import orjson

from mmbot.sim.wire.deribit import counter
from mmbot.sim.wire.deribit.protocol import DeribitProtocol
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.frame import Frame
from tests.wire.spec import law

SUBSCRIBES: Final = ("public/subscribe", "private/subscribe")


@dataclass
class Asked:
    """Every request so far: how often each method came, and what is wrong with them."""

    over_websocket: Counter[str] = field(default_factory=Counter)
    over_rest: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def methods(self) -> set[str]:
        return {*self.over_websocket, *self.over_rest}

    def websocket(self, frame: bytes | str) -> None:
        """A text frame."""
        try:
            request = orjson.loads(frame)
        except orjson.JSONDecodeError:
            self.faults.append(f"no JSON: {frame!r}")
            return
        unknown = request.keys() - {"jsonrpc", "id", "method", "params"}
        if unknown or request.get("jsonrpc") != "2.0" or not isinstance(request.get("id"), int):
            self.faults.append(f"no JSON-RPC 2.0: {request}")
        method, params = str(request.get("method")), request.get("params", {})
        self.over_websocket[method] += 1
        self.faults += law.faults_of_request(method, params)
        if method in SUBSCRIBES:
            for channel in params.get("channels", ()):
                if law.pattern_of(channel) is None:
                    self.faults.append(f"{channel}: the specification has no such channel")

    def rest(self, method: str, params: dict[str, Any]) -> None:
        """A query string."""
        self.over_rest[method] += 1
        self.faults += law.faults_of_request(method, params, rest=True)


@contextmanager
def judged_requests() -> Iterator[Asked]:
    """Judge every request that reaches a simulated venue of this process meanwhile."""
    asked = Asked()
    on_frame, on_rest = DeribitProtocol.on_frame, DeribitProtocol.on_rest

    def hear_frame(self: DeribitProtocol, session: Session, frame: bytes) -> None:
        asked.websocket(frame)
        on_frame(self, session, frame)

    def hear_rest(
        self: DeribitProtocol,
        name: str,
        params: dict[str, Any],
        request_id: Any,
        authorization: tuple[str, str, str, str] | None,
        at: counter.Counter | None = None,
    ) -> tuple[int, Frame]:
        asked.rest(name, params)
        return on_rest(self, name, params, request_id, authorization, at)

    with (
        patch.object(DeribitProtocol, "on_frame", hear_frame),
        patch.object(DeribitProtocol, "on_rest", hear_rest),
    ):
        yield asked
    assert not asked.faults, "\n".join(sorted(set(asked.faults)))
