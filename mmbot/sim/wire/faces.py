"""The protocols a simulated venue speaks, one a kind of exchange, and what each is to the server.

The server owns sockets, time and trouble; behind its face a protocol carries requests out, and says
what comes of them. Naming the kinds imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from mmbot.sim.exchange.matching import Exchange
    from mmbot.sim.wire.face import Market
    from mmbot.sim.wire.manner import Manner
    from mmbot.sim.wire.rules import Rules

USUAL: Final = "deribit"
FACES: Final[Mapping[str, str]] = {kind: f"mmbot.sim.wire.{kind}.face" for kind in (USUAL,)}
"""Kind -> the module whose FACE it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What a protocol is put around; the seed is for what it draws itself."""

    exchange: Exchange
    market: Market
    account: str
    key: str
    secret: str
    token_expires_in_s: float
    rules: Rules
    manner: Manner
    seed: int
    now_us: Callable[[], int]
    skew_ms: int
    keeps_orders: Callable[[], bool]
    combos_per_hour: float | None


class Face(Protocol):
    """One kind of exchange, seen from the server."""

    @property
    def api_path(self) -> str:
        """Where REST requests go, and what is below it."""

    @property
    def ws_path(self) -> str:
        """Where WebSockets connect."""

    @property
    def too_many_requests(self) -> int:
        """The error that ends a session for asking too often."""

    def is_order(self, method: str) -> bool:
        """Whether a request of that method goes to the matching engine."""

    def protocol(self, behind: Behind) -> Any:
        """What takes frames in and gives frames out, without a socket or a clock."""


def face_of(kind: str) -> Face:
    """The face of a kind there is."""
    face: Face = import_module(FACES[kind]).FACE
    return face
