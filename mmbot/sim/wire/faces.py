"""The protocols a simulated exchange speaks, one a kind, and what each is to the server.

The server owns sockets, time and trouble; behind its face a protocol carries requests out, and says
what comes of them. One protocol serves all accounts of its exchange: each comes in at a counter of
its own. Naming the kinds imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from mmbot.sim.exchange.matching import Exchange
    from mmbot.sim.exchange.rules import VenueRules
    from mmbot.sim.wire.face import Market
    from mmbot.sim.wire.faults import Dialect
    from mmbot.sim.wire.manner import Manner
    from mmbot.sim.wire.rules import Rules

USUAL: Final = "deribit"
FACES: Final[Mapping[str, str]] = {
    kind: f"mmbot.sim.wire.{kind}.face" for kind in (USUAL, "derive")
}
"""Kind -> the module whose FACE it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What a protocol is put around; the seed is for what it draws itself."""

    exchange: Exchange
    market: Market
    rules: Rules
    seed: int
    now_us: Callable[[], int]
    skew_ms: int
    combos_per_hour: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What opens an account, and how its holder is dealt with. `keeps_orders` is asked when a line
    breaks: True leaves the orders it should take along. The seed is for drawn manners."""

    account: str
    key: str
    secret: str
    token_expires_in_s: float
    manner: Manner
    seed: int
    keeps_orders: Callable[[], bool]
    name: str = ""
    """Of the face, where it has one."""


class Spoken(Protocol):
    """What takes frames in and gives frames out, without a socket or a clock. A counter and a
    session are its own: the server hands them back as they came."""

    market_moves: bool
    """Whether a `tick` lets the market move."""

    def admit(self, login: Login) -> Any:
        """Open a counter for one more account."""

    def credentials(self, counter: Any) -> Mapping[str, str | int]:
        """What opens that counter, where it is not the login's own key and secret."""

    def on_open(
        self, write: Callable[[Any, str | None], None], hang_up: Callable[[], None], counter: Any
    ) -> Any:
        """A WebSocket connected; returns its session."""

    def on_frame(self, session: Any, frame: bytes) -> None:
        """One WebSocket text frame."""

    def on_beat(self, session: Any) -> None:
        """A WebSocket's ping or pong has come."""

    def on_closed(self, session: Any) -> None:
        """A WebSocket is gone."""

    def on_rest(
        self,
        name: str,
        params: dict[str, Any],
        request_id: Any,
        authorization: tuple[str, str, str, str] | None,
        counter: Any,
    ) -> tuple[int, Any]:
        """One REST request; returns (HTTP status, body)."""

    def refuse(self, session: Any, frame: Any, code: int) -> None:
        """Answer a WebSocket request with that error, without carrying it out."""

    def refuse_rest(self, request_id: Any, code: int, counter: Any) -> tuple[int, Any]:
        """The answer to a REST request that is not carried out."""

    def restart(self, counter: Any, *, with_orders: bool) -> None:
        """Forget every session of a counter, and its account's orders unless told otherwise."""

    def books_at(self, counter: Any) -> list[str]:
        """The instruments of which somebody follows the book through that counter."""

    def tick(self) -> None:
        """A few milliseconds have passed."""

    def publish(self) -> None:
        """Tell whoever listens what the exchange has done."""

    def remember(self, user_trades: dict[str, list[dict[str, Any]]]) -> None:
        """Take over what an earlier one kept, by account."""

    def all_user_trades(self) -> dict[str, list[dict[str, Any]]]:
        """What a later one is to take over, by account."""


class Face(Protocol):
    """One kind of exchange, seen from the server."""

    @property
    def api_path(self) -> str:
        """Where REST requests go, and what is below it."""

    @property
    def ws_path(self) -> str:
        """Where WebSockets connect."""

    @property
    def rest_base(self) -> str:
        """What of that path clients have in their base address."""

    @property
    def ping_s(self) -> float | None:
        """How often WebSockets are pinged; None: never."""

    @property
    def dialect(self) -> Dialect:
        """The words that faults must know."""

    @property
    def rules(self) -> VenueRules:
        """What the exchange lists, and how it treats orders."""

    def is_order(self, method: str) -> bool:
        """Whether a request of that method goes to the matching engine."""

    def authorization(
        self, headers: Mapping[str, str], method: str, path: str, body: str
    ) -> tuple[str, str, str, str] | None:
        """What a REST request says of who asks, as its protocol reads it; None: nothing."""

    def protocol(self, behind: Behind) -> Spoken:
        """The exchange, spoken to in frames."""


def face_of(kind: str) -> Face:
    """The face of a kind there is."""
    face: Face = import_module(FACES[kind]).FACE
    return face
