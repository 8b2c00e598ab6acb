"""Orders as Derive's calls: (method, params), quantized and signed.

Theory of operation
-------------------
What is signed and what is stated must be the same number, digit for digit, so both are written from
the one that has been put onto the instrument's grid: a bid's price down, an ask's up, an amount
down to the lot. The core's are on it already; where the venue has changed the grid meanwhile, the
order is a little shyer instead of refused.

`max_fee` bounds what may be charged for a unit of amount; it is signed loosely, as the venue
charges what its schedule says and refuses what is too low (11023). `reject_timestamp` is when a
request that has been delayed must die at the venue. A resting order cannot be `reduce_only` there
(11024), so only what trades at once or never says so.

Prices, amounts and fees travel as strings; an order's nonce too, as its last digits would be lost
where JSON's numbers are floats.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from mmbot.core.intents import Place, Replace
from mmbot.core.types import MS, Side, TimeInForce, instrument_name
from mmbot.venues.derive.catalog import Listed
from mmbot.venues.derive.signing import OrderTerms, Signer, Unsignable, text_of

Call = tuple[str, dict[str, Any]]
"""A JSON-RPC method and its parameters."""

MAX_FEE: Final = Decimal(1000)
"""USDC for a unit of amount, unless an instrument can cost more."""

LABEL_MAX_CHARS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What an order is signed with beside its own terms. `mmp`: whether it counts as a quote, under
    the account's market-maker protection."""

    nonce: int
    expiry_s: int
    mmp: bool = False
    max_fee: Decimal = MAX_FEE


def place(intent: Place, listed: Listed, signer: Signer, seal: Seal) -> Call:
    """A new order. Raises Unsignable where nothing on the grid is left of it."""
    return "private/order", _order(intent, listed, signer, seal)


def replace(intent: Replace, listed: Listed, signer: Signer, seal: Seal) -> Call:
    """End one order and create another: one request of the matching engine's budget. Raises
    Unsignable."""
    params = _order(intent, listed, signer, seal)
    return "private/replace", {**params, "order_id_to_cancel": intent.order_id}


def _order(intent: Place | Replace, listed: Listed, signer: Signer, seal: Seal) -> dict[str, Any]:
    assert len(intent.label) <= LABEL_MAX_CHARS, intent.label
    in_force = intent.time_in_force if isinstance(intent, Place) else TimeInForce.GTC
    terms = OrderTerms(
        asset=listed.asset,
        side=intent.side,
        price=price_of(listed, intent.price, intent.side),
        amount=amount_of(listed, intent.amount),
        max_fee=seal.max_fee,
        nonce=seal.nonce,
        expiry_s=seal.expiry_s,
    )
    params: dict[str, Any] = {
        "instrument_name": instrument_name(intent.instrument),
        "subaccount_id": signer.subaccount_id,
        "direction": "buy" if intent.side is Side.BUY else "sell",
        "limit_price": text_of(terms.price),
        "amount": text_of(terms.amount),
        "max_fee": text_of(terms.max_fee),
        "nonce": str(terms.nonce),
        "signature_expiry_sec": terms.expiry_s,
        "signer": signer.address,
        "signature": signer.sign_order(terms),
        "order_type": "limit",
        "time_in_force": "post_only" if intent.post_only else in_force.value.lower(),
        "label": intent.label,
        "mmp": seal.mmp,
        "reject_timestamp": intent.valid_until_ns // MS,
    }
    if intent.post_only:
        params["reject_post_only"] = True
    if intent.reduce_only and in_force is TimeInForce.IOC:
        params["reduce_only"] = True
    return params


def cancel(subaccount_id: int, name: str, order_id: str) -> Call:
    """Take one order out of the book."""
    params = {"subaccount_id": subaccount_id, "instrument_name": name, "order_id": order_id}
    return "private/cancel", params


def cancel_by_label(subaccount_id: int, name: str | None, label: str) -> Call:
    """The same of an order whose id the venue did not tell. The instrument makes the venue answer
    with how many it was, and counts among orders; without it (None) the venue only begins."""
    params: dict[str, Any] = {"subaccount_id": subaccount_id, "label": label}
    return "private/cancel_by_label", params if name is None else params | {"instrument_name": name}


def cancel_by_nonce(subaccount_id: int, name: str, nonce: int) -> Call:
    """The same by what it was signed with."""
    params = {"subaccount_id": subaccount_id, "instrument_name": name, "nonce": nonce}
    return "private/cancel_by_nonce", params


def cancel_all(subaccount_id: int, name: str | None = None) -> Call:
    """Take every order of the subaccount out of its book, or of one instrument's."""
    if name is None:
        return "private/cancel_all", {"subaccount_id": subaccount_id}
    return "private/cancel_by_instrument", {"subaccount_id": subaccount_id, "instrument_name": name}


# --- onto the grid ----------------------------------------------------------------------------


def price_of(listed: Listed, price: Decimal, side: Side) -> Decimal:
    """Away from the market, onto the grid. Raises Unsignable."""
    snapped = listed.instrument.snap_price(price, side)
    if snapped is None:
        raise Unsignable(f"{price} is below one tick of {listed.instrument.grid.tick}")
    return snapped


def amount_of(listed: Listed, amount: Decimal) -> Decimal:
    """Down to the lot, and to the largest order. Raises Unsignable."""
    most = listed.max_amount
    size = listed.instrument.snap_size(amount if most is None else min(amount, most))
    if size <= 0:
        raise Unsignable(f"{amount} is below {listed.instrument.grid.min_amount}")
    return size


def max_fee_of(listed: Listed, price: Decimal, index: Decimal | None) -> Decimal:
    """A cap that is loose at these prices: ten times what the smallest order that takes may cost
    for a unit, and never below the usual one."""
    instrument = listed.instrument
    least = instrument.grid.min_amount
    cost = instrument.fee(least, price, price if index is None else index, taker=True) / least
    return max(MAX_FEE, (cost * 10).to_integral_value())
