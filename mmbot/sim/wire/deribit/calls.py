"""What a call works on: the session it came through, and the table of methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mmbot.sim.wire.deribit.params import Params

if TYPE_CHECKING:
    from mmbot.sim.wire.deribit.venue import DeribitVenue


@dataclass(eq=False, slots=True)
class Session:
    """One connection, or one REST request; `write` and `hang_up` belong to the server.

    `write(payload, about)`: the method a reply answers, the channel a message is from, None for the
    first message of a channel and for heartbeats.
    """

    write: Callable[[bytes, str | None], None]
    hang_up: Callable[[], None]
    is_websocket: bool
    account: str | None = None
    authorized_until_ms: int = 0
    cancels_on_disconnect: bool = False
    orders: dict[str, None] = field(default_factory=dict)  # placed here, by id
    heartbeat_ms: int | None = None
    beat_due_ms: int = 0
    test_pending: bool = False
    heard_ms: int = 0
    closed: bool = False

    def send(self, payload: bytes, channel: str | None = None) -> None:
        """Write something nobody asked for."""
        self.write(payload, channel)

    @property
    def owner(self) -> str:
        """The account; private methods are only ever run with one."""
        assert self.account is not None, "a private method was run without an account"
        return self.account


Handler = Callable[["DeribitVenue", Session, Params], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the protocol and what must hold before it is run."""

    run: Handler
    is_matching: bool
    websocket_only: bool
    then: bool  # the handler returns (result, what to do once the reply is out)


class Enter(Protocol):
    """The decorator `enter` makes: enters a handler under each of the names."""

    def __call__(
        self, *names: str, matching: bool = False, websocket_only: bool = False, then: bool = False
    ) -> Callable[[Handler], Handler]: ...


def enter(table: dict[str, Method]) -> Enter:
    """A decorator that enters handlers in `table`."""

    def method(
        *names: str, matching: bool = False, websocket_only: bool = False, then: bool = False
    ) -> Callable[[Handler], Handler]:
        def register(run: Handler) -> Handler:
            for name in names:
                assert name not in table, f"{name} is entered twice"
                table[name] = Method(run, matching, websocket_only, then)
            return run

        return register

    return method
