"""Order requests as they are on the wire, read for the checks: what is wanted of the exchange.

What goes over the line is judged by what it says, and not by what the bot meant: a frame does not
tell why, so that every reason here is one and the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Replace
from mmbot.core.types import MS, InstrumentId, Label, Side
from mmbot.core.why import Why
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order

OrderRequest = Place | Amend | Replace | Cancel | CancelAll

_SIDES: Final = {"private/buy": Side.BUY, "private/sell": Side.SELL}
_UNTOLD: Final = Why.MOVED


def request_of(
    method: str, params: Mapping[str, Any], exchange: Exchange, account: str, venue: str
) -> OrderRequest | None:
    """What a request wants of the orders of an account, which we call `venue`; None: nothing."""
    match method:
        case "private/buy" | "private/sell":
            return Place(
                InstrumentId(f"{venue}:{params['instrument_name']}"),
                Label(params.get("label", "")),
                _SIDES[method],
                _decimal(params.get("price", 0)),
                _decimal(params["amount"]),
                bool(params.get("post_only")),
                bool(params.get("reduce_only")),
                int(params.get("valid_until", 0)) * MS,
                _UNTOLD,
            )
        case "private/edit":
            order_id = str(params["order_id"])
            found = order_of(exchange, account, order_id)
            return Amend(
                *about(found, venue),
                order_id,
                _decimal(params.get("price", found.price if found is not None else 0)),
                _decimal(params["amount"]),
                bool(params.get("post_only")),
                int(params.get("valid_until", 0)) * MS,
                _UNTOLD,
            )
        case "private/replace":
            order_id = str(params["order_id"])
            found = order_of(exchange, account, order_id)
            return Replace(
                instrument=InstrumentId(f"{venue}:{params['instrument_name']}"),
                old=about(found, venue)[1],
                order_id=order_id,
                label=Label(params.get("label", "")),
                side=Side(params["direction"]),
                price=_decimal(params.get("price", 0)),
                amount=_decimal(params["amount"]),
                post_only=bool(params.get("post_only")),
                reduce_only=bool(params.get("reduce_only")),
                valid_until_ns=int(params.get("valid_until", 0)) * MS,
                why=_UNTOLD,
            )
        case "private/cancel":
            order_id = str(params["order_id"])
            found = order_of(exchange, account, order_id)
            return Cancel(
                *about(found, venue),
                order_id,
                _UNTOLD,
            )
        case "private/cancel_by_label":
            return Cancel(InstrumentId(f"{venue}:"), Label(params["label"]), "", _UNTOLD)
        case "private/cancel_all":
            return CancelAll(venue, None, (), _UNTOLD)
        case "private/cancel_all_by_instrument":
            instrument = InstrumentId(f"{venue}:{params['instrument_name']}")
            return CancelAll(venue, instrument, (), _UNTOLD)
        case _:
            return None


def order_of(exchange: Exchange, account: str, order_id: str) -> Order | None:
    """An order of the account, open or not; None where there is none."""
    held = exchange.accounts[account]
    return held.open_orders.get(order_id) or held.closed_orders.get(order_id)


def about(order: Order | None, venue: str) -> tuple[InstrumentId, Label]:
    """The instrument and the label of an order; both empty where there is none."""
    name, label = (order.name, order.label) if order is not None else ("", "")
    return InstrumentId(f"{venue}:{name}"), Label(label)


def _decimal(number: object) -> Decimal:
    return Decimal(number if isinstance(number, str) else repr(number))
