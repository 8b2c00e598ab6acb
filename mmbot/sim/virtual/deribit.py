"""Deribit in virtual time."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mmbot.core.capabilities import Capabilities, DeadMan, Move
from mmbot.core.error_scope import ErrorScope
from mmbot.core.types import SECOND
from mmbot.sim.models.credits import Rate
from mmbot.sim.virtual.kinds import KEY, SECRET, VenueKind
from mmbot.sim.virtual.requests import request_of
from mmbot.sim.virtual.translate import by_float
from mmbot.sim.wire.faces import USUAL
from mmbot.sim.wire.rules import Moves, Rules

_MOVES: Final = {
    Move.SAME_ID: Moves.EDIT,
    Move.REPLACE: Moves.REPLACE,
    Move.NONE: Moves.NONE,
}
_BASIC: Final = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()


def _rules(rate: Rate, can: Capabilities) -> Rules:
    return Rules(
        matching=rate,
        moves=_MOVES[can.move],
        names_labels=can.label_echoed,
        cancel_tells_filled=can.move is not Move.NONE,
        fills_final=can.fills_final,
        ignore_cancel_on_disconnect=can.dead_man is DeadMan.ORDER_EXPIRY,
        orders_expire_s=_lives_s(can),
    )


def _lives_s(can: Capabilities) -> float | None:
    """How long an order lives once its request could not be carried out any more."""
    if can.orders_expire_ns is None:
        return None
    return (can.orders_expire_ns - can.takes_effect_within_ns) / SECOND


def _opening(_protocol: Any, _counter: Any, _names: Sequence[str]) -> Mapping[str, Any]:
    return {"keys": (KEY, SECRET)}


def _authorization(_counter: Any, method: str, _now_ms: int) -> tuple[str, str, str, str]:
    return _BASIC, "GET", f"/{method}", ""


KIND: Final = VenueKind(
    name=USUAL,
    adapts=True,
    rates=(Rate(5.0, 20),),
    too_many=10028,
    unauthorized=13009,
    unconfirmed=None,
    cancels_first=False,
    entering=frozenset(
        {
            "public/set_heartbeat",
            "public/auth",
            "private/enable_cancel_on_disconnect",
            "private/get_cancel_on_disconnect",
            "private/get_account_summaries",
            "public/subscribe",
            "private/subscribe",
        }
    ),
    tells_orders=r"user\.changes\.",
    reach={
        "10028": ErrorScope.SESSION,
        "10009": ErrorScope.SIDE,
        "11044": ErrorScope.ORDER,
        "11054": ErrorScope.ORDER,
        "13019": ErrorScope.INSTRUMENT,
        "10041": ErrorScope.PLATFORM,
    },
    closed_words="is not open",
    travelled=by_float,
    rules=_rules,
    request_of=request_of,
    opening=_opening,
    authorization=_authorization,
)
