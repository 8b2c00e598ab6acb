"""A method that Deribit does not have, for a venue that moves orders as some others do:

    private/replace {order_id, ... as private/buy, direction}
        -> {cancelled_order, order | null, create_order_error | null, trades}

The order is cancelled first, and the other one placed as buy or sell would place it. What that
refuses is said beside the cancelled order, which stays cancelled; where there is nothing to cancel,
or the request comes too late, all of it is refused.
"""

from __future__ import annotations

from typing import Final

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.calls_orders import place
from mmbot.sim.wire.deribit.errors import WireError
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("private/replace", matching=True)
def _replace(venue: DeribitVenue, session: Session, params: Params) -> Json:
    side = params.choice("direction", Side, Side.BUY)
    until_ms = params.integer_or_none("valid_until")
    if until_ms is not None and until_ms < venue.now_ms():
        raise WireError.from_refusal(Refusal(Code.TIMED_OUT, "too late", "valid_until"))
    ended = venue.exchange.cancel(session.owner, params.text("order_id"), venue.now_ms())
    if isinstance(ended, Refusal):
        raise WireError.from_refusal(ended)
    answer: Json = {
        "cancelled_order": venue.shaped(ended),
        "order": None,
        "create_order_error": None,
        "trades": [],
    }
    try:
        return answer | place(venue, session, params, side)
    except WireError as error:
        refused = {"code": error.code, "message": error.message, "data": error.data}
        return answer | {"create_order_error": refused}
