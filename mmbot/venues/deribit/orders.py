"""Orders as Deribit's JSON-RPC calls: (method, params), ready for `Deribit.send`.

Prices and amounts stay decimals until they are written, and travel as the decimal's own digits. A
float would print 1e-7 for a small one, and arithmetic on the way leaves binary noise; a venue that
checks the tick refuses both (10043).
`post_only` and `reject_post_only` are always stated: Deribit's own default is true on one page and
false on another, and an amend without them drops the promise the order was placed with.
"""

from decimal import Decimal
from typing import Any, Final

from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Replace
from mmbot.core.types import MS, Side, TimeInForce, instrument_name

Call = tuple[str, dict[str, Any]]
"""A JSON-RPC method and its parameters."""

LABEL_MAX_CHARS: Final = 64

_TIME_IN_FORCE: Final = {
    TimeInForce.GTC: "good_til_cancelled",
    TimeInForce.IOC: "immediate_or_cancel",
}


def call_of(intent: Place | Amend | Replace | Cancel | CancelAll) -> Call:
    """What carries an intent out."""
    match intent:
        case Amend():  # the most frequent first
            return amend(
                intent.order_id,
                intent.amount,
                intent.price,
                post_only=intent.post_only,
                valid_until_ms=intent.valid_until_ns // MS,
            )
        case Place():
            return place(
                intent.side,
                instrument_name(intent.instrument),
                intent.amount,
                intent.price,
                label=intent.label,
                post_only=intent.post_only,
                reduce_only=intent.reduce_only,
                valid_until_ms=intent.valid_until_ns // MS,
                time_in_force=_TIME_IN_FORCE[intent.time_in_force],
            )
        case Replace():
            return replace(intent)
        case Cancel():
            return cancel(intent.order_id, intent.label)
        case CancelAll():
            return cancel_all(intent.instrument and instrument_name(intent.instrument))


def number(value: Decimal) -> Decimal:
    """A decimal that can be written as a JSON number."""
    assert value.is_finite(), f"{value} is not a number that a venue could read"
    return value


def place(
    side: Side,
    name: str,
    amount: Decimal,
    price: Decimal | None,
    *,
    label: str,
    post_only: bool,
    valid_until_ms: int,
    reject_post_only: bool | None = None,
    reduce_only: bool = False,
    time_in_force: str = "good_til_cancelled",
) -> Call:
    """A new order: a limit order, or a market order if `price` is None.

    `amount` is in the venue's amount unit (USD for inverse futures, coin for options), `price` in
    the quote unit. `reject_post_only` refuses what would trade (11054) and is the default for
    post-only orders; false lets the venue move the price to one tick from the touch. The venue
    refuses the order if it reaches the matching engine after `valid_until_ms` (venue time).
    """
    assert len(label) <= LABEL_MAX_CHARS, f"label of {len(label)} characters: {label}"
    params: dict[str, Any] = {
        "instrument_name": name,
        "amount": number(amount),
        "type": "market" if price is None else "limit",
        "time_in_force": time_in_force,
        "post_only": post_only,
        "reject_post_only": post_only if reject_post_only is None else reject_post_only,
        "valid_until": valid_until_ms,
    }
    if price is not None:
        params["price"] = number(price)
    if label:
        params["label"] = label
    if reduce_only:
        params["reduce_only"] = True
    return ("private/buy" if side is Side.BUY else "private/sell"), params


def amend(
    order_id: str,
    amount: Decimal,
    price: Decimal | None,
    *,
    post_only: bool,
    valid_until_ms: int,
    reject_post_only: bool | None = None,
    reduce_only: bool = False,
) -> Call:
    """Change a resting order, which keeps its label. `amount` is the total, filled part included;
    `price` None keeps the price. The rest as in `place`."""
    params: dict[str, Any] = {
        "order_id": order_id,
        "amount": number(amount),
        "post_only": post_only,
        "reject_post_only": post_only if reject_post_only is None else reject_post_only,
        "valid_until": valid_until_ms,
    }
    if price is not None:
        params["price"] = number(price)
    if reduce_only:
        params["reduce_only"] = True
    return "private/edit", params


def replace(intent: Replace) -> Call:
    """End one order and create another by one request, where the venue moves orders so."""
    _, params = place(
        intent.side,
        instrument_name(intent.instrument),
        intent.amount,
        intent.price,
        label=intent.label,
        post_only=intent.post_only,
        reduce_only=intent.reduce_only,
        valid_until_ms=intent.valid_until_ns // MS,
    )
    direction = "buy" if intent.side is Side.BUY else "sell"
    return "private/replace", {**params, "order_id": intent.order_id, "direction": direction}


def cancel(order_id: str, label: str = "") -> Call:
    """Take one order out of the book; by its label where the venue did not tell its id."""
    if not order_id:
        return "private/cancel_by_label", {"label": label}
    return "private/cancel", {"order_id": order_id}


def cancel_all(name: str | None = None) -> Call:
    """Take every order of the account out of its book, or of one instrument's."""
    if name is None:
        return "private/cancel_all", {}
    return "private/cancel_all_by_instrument", {"instrument_name": name}
