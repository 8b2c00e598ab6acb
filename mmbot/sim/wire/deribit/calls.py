"""The table of methods: what runs each of them, and what must hold before it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.venue import DeribitVenue

Handler = Callable[[DeribitVenue, Session, Params], Any]


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
    ) -> Callable[[Handler], Handler]:
        """Enter the decorated handler under those names, with what must hold before it runs."""


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
