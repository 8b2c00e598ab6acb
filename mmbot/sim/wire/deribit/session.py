"""A session: one connection, or one REST request, and what the venue knows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mmbot.sim.wire.deribit.counter import Counter
from mmbot.sim.wire.frame import Frame


@dataclass(eq=False, slots=True)
class Session:
    """One connection, or one REST request; `write` and `hang_up` belong to the server.

    `write(frame, about)`: the method a reply answers, the channel a message is from, None for the
    first message of a channel and for heartbeats.
    """

    write: Callable[[Frame, str | None], None]
    hang_up: Callable[[], None]
    is_websocket: bool
    counter: Counter
    account: str | None = None
    authorized_until_ms: int = 0
    cancels_on_disconnect: bool = False
    orders: dict[str, None] = field(default_factory=dict)  # placed here, by id
    heartbeat_ms: int | None = None
    beat_due_ms: int = 0
    test_pending: bool = False
    heard_ms: int = 0
    closed: bool = False

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """Write something nobody asked for."""
        self.write(frame, channel)

    @property
    def owner(self) -> str:
        """The account; private methods are only ever run with one."""
        assert self.account is not None, "a private method was run without an account"
        return self.account
