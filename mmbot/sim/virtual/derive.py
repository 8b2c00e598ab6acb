"""Derive in virtual time.

The signatures of logins and orders are made and verified as on sockets: a seed has some hundreds of
each, which is a small part of what it costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from coincurve import PrivateKey

from mmbot.core.capabilities import Capabilities
from mmbot.core.error_scope import ErrorScope
from mmbot.core.intents import Cancel, CancelAll, Place, Replace
from mmbot.core.types import MS, InstrumentId, Label, Side, TimeInForce
from mmbot.core.why import Why
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.models.credits import Rate
from mmbot.sim.virtual.kinds import VenueKind
from mmbot.sim.virtual.requests import OrderRequest, about, order_of
from mmbot.sim.wire.derive import shapes
from mmbot.sim.wire.derive.errors import RATE_LIMITED
from mmbot.sim.wire.derive.signatures import RECOVERY_FIRST, personal_digest
from mmbot.sim.wire.rules import Rules, Tiers

_UNTOLD: Final = Why.MOVED
_NOT_LOGGED_IN: Final = 14021
_NOT_CONFIRMED: Final = 9000
_IN_FORCE: Final = {"ioc": TimeInForce.IOC}


def _rules(rate: Rate, _can: Capabilities) -> Rules:
    return Rules(tiers=Tiers(matching=int(rate.per_s), instrument=int(rate.per_s)))


def _request_of(
    method: str, params: Mapping[str, Any], exchange: Exchange, account: str, venue: str
) -> OrderRequest | None:
    match method:
        case "private/order":
            name, label, side, price, amount, post_only, reduce_only, until_ns = _terms(params)
            return Place(
                InstrumentId(f"{venue}:{name}"),
                label,
                side,
                price,
                amount,
                post_only,
                reduce_only,
                until_ns,
                _UNTOLD,
                _IN_FORCE.get(params.get("time_in_force", ""), TimeInForce.GTC),
            )
        case "private/replace":
            name, label, side, price, amount, post_only, reduce_only, until_ns = _terms(params)
            order_id = params["order_id_to_cancel"]
            return Replace(
                instrument=InstrumentId(f"{venue}:{name}"),
                old=about(order_of(exchange, account, order_id), venue)[1],
                order_id=order_id,
                label=label,
                side=side,
                price=price,
                amount=amount,
                post_only=post_only,
                reduce_only=reduce_only,
                valid_until_ns=until_ns,
                why=_UNTOLD,
            )
        case "private/cancel":
            order_id = params["order_id"]
            return Cancel(*about(order_of(exchange, account, order_id), venue), order_id, _UNTOLD)
        case "private/cancel_by_label":
            name = params.get("instrument_name", "")
            return Cancel(InstrumentId(f"{venue}:{name}"), Label(params["label"]), "", _UNTOLD)
        case "private/cancel_all":
            return CancelAll(venue, None, (), _UNTOLD)
        case "private/cancel_by_instrument":
            instrument = InstrumentId(f"{venue}:{params['instrument_name']}")
            return CancelAll(venue, instrument, (), _UNTOLD)
        case _:
            return None


def _terms(
    params: Mapping[str, Any],
) -> tuple[str, Label, Side, Decimal, Decimal, bool, bool, int]:
    """Name, label, side, price, amount, post-only, reduce-only, and until when it may be done."""
    return (
        params["instrument_name"],
        Label(params.get("label", "")),
        Side(params["direction"]),
        Decimal(params["limit_price"]),
        Decimal(params["amount"]),
        params.get("time_in_force") == "post_only",
        bool(params.get("reduce_only")),
        int(params.get("reject_timestamp", 0)) * MS,
    )


def _opening(protocol: Any, counter: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """The wallet's credentials, and the terms of what is traded, which are read before anything is
    connected."""
    exchange: Exchange = protocol.exchange
    told = protocol.credentials(counter)
    return {
        "wallet": told["wallet"],
        "subaccount": told["subaccount_id"],
        "key": told["session_key"],
        "listings": [shapes.instrument(exchange, exchange.terms(name), None) for name in names],
    }


def _authorization(counter: Any, _method: str, now_ms: int) -> tuple[str, str, str, str]:
    key = PrivateKey(bytes.fromhex(counter.key.removeprefix("0x")))
    raw = key.sign_recoverable(personal_digest(str(now_ms)), hasher=None)
    signature = raw[:64] + bytes([RECOVERY_FIRST + raw[64]])
    return counter.wallet.owner, str(now_ms), signature.hex(), ""


def _travelled(number: Decimal) -> Decimal:
    """Decimals are written in full."""
    return number


KIND: Final = VenueKind(
    name="derive",
    adapts=False,
    rates=(Rate(1.0, 5), Rate(5.0, 25)),
    too_many=RATE_LIMITED,
    unauthorized=_NOT_LOGGED_IN,
    unconfirmed=_NOT_CONFIRMED,
    cancels_first=True,
    entering=frozenset(
        {
            "public/login",
            "public/getRateLimits",
            "private/set_cancel_on_disconnect",
            "private/get_account",
            "subscribe",
        }
    ),
    tells_orders=r"\d+\.orders",
    reach={
        "-32000": ErrorScope.REQUEST,
        "9000": ErrorScope.REQUEST,
        "11000": ErrorScope.SIDE,
        "11003": ErrorScope.ORDER,
        "11004": ErrorScope.ORDER,
        "11006": ErrorScope.ORDER,
        "11008": ErrorScope.ORDER,
        "11021": ErrorScope.INSTRUMENT,
        "11028": ErrorScope.ORDER,
    },
    closed_words="is not live",
    travelled=_travelled,
    rules=_rules,
    request_of=_request_of,
    opening=_opening,
    authorization=_authorization,
)
