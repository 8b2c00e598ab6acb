"""What a virtual venue of one kind differs in from those of others, as a value.

The pump, the venue and the checks are the same for all kinds; what each of them must know of a
protocol's words and numbers stands here, and each kind's value in a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from typing import Any, Final

from mmbot.core.capabilities import Capabilities
from mmbot.core.error_scope import ErrorScope
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.models.credits import Rate
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.wire.faces import USUAL, Face, face_of
from mmbot.sim.wire.rules import Rules

KINDS: Final[Mapping[str, str]] = {kind: f"mmbot.sim.virtual.{kind}" for kind in (USUAL, "derive")}
"""Kind -> the module whose KIND it is."""

KEY: Final = "sim"
SECRET: Final = "sim"  # no password: it opens a made-up account


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueKind:
    """One kind of venue. Codes are numbers of its errors."""

    name: str
    adapts: bool
    """Whether orders may live there otherwise than usual."""
    rates: tuple[Rate, ...]
    """At which order requests are taken: every seed has one of them."""
    too_many: int
    """The refusal of a request for there being too many ..."""
    unauthorized: int
    """... and of one for want of a login: nothing we ask may be met with either."""
    unconfirmed: int | None
    """The error that says of an order request that nobody knows what came of it; None: there is
    none."""
    cancels_first: bool
    """Whether a replace whose new order is refused has ended the old one all the same."""
    entering: frozenset[str]
    """What is asked of a connection before it is used."""
    tells_orders: str
    """How the names of the account's channels that tell of orders match."""
    reach: Mapping[str, ErrorScope]
    """How far the refusals reach that the venue has for us, by number."""
    closed_words: str
    """What a refusal says of a book that is closed."""
    travelled: Callable[[Decimal], Decimal]
    """A number as it is read from what the venue has written."""
    rules: Callable[[Rate, Capabilities], Rules]
    """What a venue like that allows, at that rate of order requests."""
    request_of: Callable[[str, Mapping[str, Any], Exchange, str, str], OrderRequest | None]
    """What a request wants of the orders of an account: method, parameters, exchange, the account,
    and what we call it; None: nothing."""
    opening: Callable[[Any, Any, Sequence[str]], Mapping[str, Any]]
    """What a session of ours is made with, beside its name: protocol, counter, instruments."""
    authorization: Callable[[Any, str, int], tuple[str, str, str, str]]
    """What a REST request says of who asks: counter, method, our clock (ms)."""

    @property
    def face(self) -> Face:
        """How it speaks."""
        return face_of(self.name)


def kind_of(name: str) -> VenueKind:
    """The value of a kind there is."""
    kind: VenueKind = import_module(KINDS[name]).KIND
    return kind
