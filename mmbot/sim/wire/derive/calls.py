"""The table of methods: what runs each of them, what it is paid from, and who may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mmbot.sim.wire.derive.limits import Pool
from mmbot.sim.wire.derive.params import Params
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.venue import DeriveVenue

Handler = Callable[[DeriveVenue, Session, Params], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the protocol and what must hold before it is run."""

    run: Handler
    pool: Pool
    trades: bool  # needs a key with a trade scope
    websocket_only: bool
    then: bool  # the handler returns (result, what to do once the reply is out)


class Enter(Protocol):
    """The decorator `enter` makes: enters a handler under each of the names."""

    def __call__(
        self,
        *names: str,
        pool: Pool = Pool.OTHER,
        trades: bool = False,
        websocket_only: bool = False,
        then: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Enter the decorated handler under those names, with what must hold before it runs."""


def enter(table: dict[str, Method]) -> Enter:
    """A decorator that enters handlers in `table`."""

    def method(
        *names: str,
        pool: Pool = Pool.OTHER,
        trades: bool = False,
        websocket_only: bool = False,
        then: bool = False,
    ) -> Callable[[Handler], Handler]:
        def register(run: Handler) -> Handler:
            for name in names:
                assert name not in table, f"{name} is entered twice"
                table[name] = Method(run, pool, trades, websocket_only, then)
            return run

        return register

    return method


def paged(rows: list[Any], params: Params) -> tuple[list[Any], dict[str, int]]:
    """The rows of the page asked for, and the venue's word on all of them."""
    page, size = params.page()
    told = {"count": len(rows), "num_pages": -(-len(rows) // size)}
    return rows[(page - 1) * size : page * size], told
