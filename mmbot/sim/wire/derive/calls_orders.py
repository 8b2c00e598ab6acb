"""Methods of orders: order, replace, the cancels, and questions about orders.

Theory of operation
-------------------
1. A request for an order is first read and verified, which changes nothing: whose subaccount, what
   instrument, whose signature over exactly these terms, a nonce of this time and not used before, a
   deadline not passed, a price and an amount on their steps, a fee allowed that is high enough
   (`verified`). Then the exchange is asked (`_submit`), which may still say no.
2. A replace verifies first, then cancels, then asks the exchange. So what is wrong with the request
   leaves the old order alone, and what the exchange refuses is said beside the order that is
   cancelled already (`create_order_error`).
3. A market order is one that takes what its limit price allows and does not rest. Matching ends at
   the price band: beyond it such an order is cancelled, and one that rests may only wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from eth_hash.auto import keccak

from mmbot.sim.exchange.admission import crosses
from mmbot.sim.exchange.listing import ZERO, Listing, Side
from mmbot.sim.exchange.orders import Order, OrderState, TimeInForce
from mmbot.sim.exchange.refusals import Refusal
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.derive.assets import asset_of
from mmbot.sim.wire.derive.calls import Method, enter
from mmbot.sim.wire.derive.errors import WireError, invalid_params
from mmbot.sim.wire.derive.limits import Pool
from mmbot.sim.wire.derive.params import Params
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.shapes import Json, amount_max
from mmbot.sim.wire.derive.signatures import (
    ACTION_TYPE,
    TESTNET,
    TRADE_MODULE,
    Action,
    is_address,
    recovered,
)
from mmbot.sim.wire.derive.tickets import Ticket
from mmbot.sim.wire.derive.venue import DeriveVenue
from mmbot.sim.wire.derive.words import text

EXPIRY_S_MIN: Final = 300
EXPIRY_S_MAX: Final = 10_368_000  # 120 days
NONCE_MIN: Final = 10**18
NONCE_MAX: Final = 10**20
NONCE_AGE_NS: Final = 90 * 86_400 * 10**9
NONCE_AHEAD_NS: Final = 3_600 * 10**9
NS_PER_MS: Final = 10**6
FOREVER_MS: Final = 2**63 - 1

TYPES: Final = ("limit", "market")
TIMES: Final = ("gtc", "post_only", "ioc", "fok")
_EXCHANGES: Final = {"ioc": TimeInForce.IOC, "fok": TimeInForce.FOK}
_UNSIMULATED: Final = ("trigger_type", "trigger_price", "algo_type")

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An order that may be asked of the exchange: signed, and right in itself."""

    account: str
    action: Action
    listing: Listing
    ticket: Ticket
    label: str
    reject_post_only: bool
    reduce_only: bool

    @property
    def side(self) -> Side:
        """Buy or sell."""
        return Side.BUY if self.action.is_bid else Side.SELL

    @property
    def rests(self) -> bool:
        """Whether what is not filled at once stays."""
        return self.ticket.type == "limit" and self.ticket.time_in_force in ("gtc", "post_only")


# -- what is asked -------------------------------------------------------------------------------


@method("private/order", pool=Pool.MATCHING, trades=True)
def _order(venue: DeriveVenue, session: Session, params: Params) -> Json:
    return _submit(venue, session, verified(venue, session, params))


@method("private/replace", pool=Pool.MATCHING, trades=True)
def _replace(venue: DeriveVenue, session: Session, params: Params) -> Json:
    wanted = verified(venue, session, params)
    ending = _to_cancel(venue, wanted, params)
    expected = params.raw.get("expected_filled_amount")
    if expected is not None and params.decimal("expected_filled_amount") != ending.filled:
        raise WireError(11028, f"filled amount is {text(ending.filled)}")
    _cancel_one(venue, ending)
    wanted.ticket.replaced_order_id = ending.order_id
    answer: Json = {
        "cancelled_order": venue.order_row(ending),
        "order": None,
        "create_order_error": None,
        "trades": None,
    }
    try:
        return answer | _submit(venue, session, wanted)
    except WireError as error:
        return answer | {"create_order_error": error.body}


def _to_cancel(venue: DeriveVenue, wanted: Verified, params: Params) -> Order:
    """The open order that is to be replaced."""
    order_id = params.text_or("order_id_to_cancel", "")
    nonce = params.loose_integer_or("nonce_to_cancel", None)
    if bool(order_id) == (nonce is not None):
        raise invalid_params("one of order_id_to_cancel and nonce_to_cancel is required")
    if nonce is None:
        return _open_order(venue, wanted.account, order_id, wanted.listing.name)
    found = _by_nonce(venue, wanted.account, wanted.listing.name, nonce)
    if found is None:
        raise WireError(11006, f"Open order with nonce: {nonce} does not exist.")
    return found


@method("private/cancel", pool=Pool.MATCHING, trades=True)
def _cancel(venue: DeriveVenue, session: Session, params: Params) -> Json:
    account = session.account_of(params.integer("subaccount_id"))
    name, order_id = params.text("instrument_name"), params.text("order_id")
    order = _open_order(venue, account, order_id, venue.listing(name).name)
    _cancel_one(venue, order)
    return venue.order_row(order)


@method("private/cancel_by_nonce", pool=Pool.MATCHING, trades=True)
def _cancel_by_nonce(venue: DeriveVenue, session: Session, params: Params) -> Json:
    account = session.account_of(params.integer("subaccount_id"))
    nonce = params.loose_integer_or("nonce", None)
    if nonce is None:
        raise invalid_params("missing field `nonce`")
    found = _by_nonce(venue, account, params.text("instrument_name"), nonce)
    if found is None:
        return {"cancelled_orders": 0}
    return _cancel_each(venue, [found])


@method("private/cancel_by_label", pool=Pool.BY_LABEL, trades=True)
def _cancel_by_label(venue: DeriveVenue, session: Session, params: Params) -> Json:
    account = session.account_of(params.integer("subaccount_id"))
    label, name = params.text("label"), params.text_or("instrument_name", "")
    mine = venue.exchange.accounts[account].open_orders.values()
    found = [one for one in mine if one.label == label and name in ("", one.name)]
    told = _cancel_each(venue, found)
    # Over all instruments nobody waits until it is done, and how many there were is not told.
    return told if name else {"cancelled_orders": -1}


@method("private/cancel_by_instrument", pool=Pool.MATCHING, trades=True)
def _cancel_by_instrument(venue: DeriveVenue, session: Session, params: Params) -> Json:
    account = session.account_of(params.integer("subaccount_id"))
    name = venue.listing(params.text("instrument_name")).name
    mine = venue.exchange.accounts[account].open_orders.values()
    return _cancel_each(venue, [one for one in mine if one.name == name])


@method("private/cancel_all", pool=Pool.CANCEL_ALL, trades=True)
def _cancel_all(venue: DeriveVenue, session: Session, params: Params) -> str:
    account = session.account_of(params.integer("subaccount_id"))
    _cancel_each(venue, list(venue.exchange.accounts[account].open_orders.values()))
    return "ok"


@method(
    "private/cancel_all_trigger_orders",
    "private/cancel_all_algo_orders",
    trades=True,
)
def _cancel_waiting(_venue: DeriveVenue, session: Session, params: Params) -> str:
    """There are none."""
    session.account_of(params.integer("subaccount_id"))
    return "ok"


# -- questions -----------------------------------------------------------------------------------


@method("private/get_open_orders")
def _open_orders(venue: DeriveVenue, session: Session, params: Params) -> Json:
    subaccount_id = params.integer("subaccount_id")
    account = session.account_of(subaccount_id)
    mine = list(venue.exchange.accounts[account].open_orders.values())
    return {"subaccount_id": subaccount_id, "orders": venue.order_rows(mine)}


@method("private/get_trigger_orders")
def _trigger_orders(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    subaccount_id = params.integer("subaccount_id")
    session.account_of(subaccount_id)
    return {"subaccount_id": subaccount_id, "orders": []}


@method("private/get_algo_orders")
def _algo_orders(_venue: DeriveVenue, session: Session, params: Params) -> list[Json]:
    session.account_of(params.integer("subaccount_id"))
    return []


@method("private/get_order")
def _get_order(venue: DeriveVenue, session: Session, params: Params) -> Json:
    account = session.account_of(params.integer("subaccount_id"))
    order_id = params.text("order_id")
    found = venue.exchange.order(account, order_id)
    if found is None:
        raise WireError(11006, f"Order with id: {order_id} does not exist.")
    return venue.order_row(found)


@method("private/order_debug")
def _order_debug(venue: DeriveVenue, session: Session, params: Params) -> Json:
    """What the venue would verify: to be compared with what was signed."""
    listing = venue.listing(params.text("instrument_name"))
    action = _action(session, params, listing)
    digest = action.digest(TESTNET)
    return {
        "action_hash": _hex(action.hash),
        "action_typehash": _hex(ACTION_TYPE),
        "domain_separator": _hex(TESTNET),
        "encoded_data": _hex(action.data),
        "encoded_data_hashed": _hex(keccak(action.data)),
        "expected_signer": action.signer,
        "input_data": {
            "data": {
                "asset_address": action.asset,
                "asset_sub_id": str(action.sub_id),
                "desired_amount": text(action.amount),
                "is_bid": action.is_bid,
                "limit_price": text(action.limit_price),
                "recipient_id": action.subaccount_id,
                "worst_fee": text(action.max_fee),
            },
            "expiry": action.expiry_sec,
            "module": TRADE_MODULE,
            "nonce": action.nonce,
            "owner": action.owner,
            "signer": action.signer,
            "subaccount_id": action.subaccount_id,
        },
        "module": TRADE_MODULE,
        "owner": action.owner,
        "recovered_signer": recovered(digest, params.text("signature")),
        "typed_data_hash": _hex(digest),
    }


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


# -- verified ------------------------------------------------------------------------------------


def verified(venue: DeriveVenue, session: Session, params: Params) -> Verified:
    """The order asked for. Raises the first thing that is wrong with it."""
    for name in _UNSIMULATED:
        if params.raw.get(name) is not None:
            raise invalid_params(f"{name}: not simulated")
    account = session.account_of(params.integer("subaccount_id"))
    listing = venue.listing(params.text("instrument_name"))
    action = _action(session, params, listing)
    order_type = params.choice("order_type", TYPES, "limit")
    time_in_force = params.choice("time_in_force", TIMES, "gtc")
    their_ms = venue.now_ms() + session.ahead_ms
    _check_signed(venue, session, action, params.text("signature"), their_ms)
    if params.integer_or("reject_timestamp", FOREVER_MS) < their_ms:
        raise WireError(11022)
    if listing.name not in venue.exchange.listings:
        raise WireError(11021, f"{listing.name} has expired")
    if venue.exchange.is_halted(listing):
        raise WireError(11021, f"{listing.name} is not live")
    found = Verified(
        account=account,
        action=action,
        listing=listing,
        ticket=Ticket(
            nonce=action.nonce,
            signer=params.text("signer"),
            signature=params.text("signature"),
            expiry_sec=action.expiry_sec,
            ends_ms=action.expiry_sec * 1_000 - session.ahead_ms,
            max_fee=action.max_fee,
            mmp=params.flag("mmp"),
            type=order_type,
            time_in_force=time_in_force,
        ),
        label=params.text_or("label", ""),
        reject_post_only=params.flag("reject_post_only", default=True),
        reduce_only=params.flag("reduce_only"),
    )
    _check_terms(venue, found)
    return found


def _action(session: Session, params: Params, listing: Listing) -> Action:
    """What the request says is signed."""
    asset, number = asset_of(listing)
    nonce = params.loose_integer_or("nonce", None)
    signer = params.text("signer")
    if nonce is None or not 0 <= nonce < 2**256:
        raise invalid_params("missing field `nonce`")
    if not is_address(signer):
        raise invalid_params("signer: not an address")
    return Action(
        subaccount_id=params.integer("subaccount_id"),
        nonce=nonce,
        expiry_sec=_unsigned(params, "signature_expiry_sec"),
        owner=session.owner.owner,
        signer=signer,
        asset=asset,
        sub_id=number,
        limit_price=_not_negative(params, "limit_price"),
        amount=_not_negative(params, "amount"),
        max_fee=_not_negative(params, "max_fee"),
        is_bid=params.choice("direction", ("buy", "sell")) == "buy",
    )


def _unsigned(params: Params, name: str) -> int:
    found = params.integer(name)
    if found < 0:
        raise invalid_params(f"{name}: must not be negative")
    return found


def _not_negative(params: Params, name: str) -> Decimal:
    found = params.decimal(name)
    if found < 0:
        raise invalid_params(f"{name}: must not be negative")
    return found


def _check_signed(
    venue: DeriveVenue, session: Session, action: Action, signature: str, their_ms: int
) -> None:
    """Raise what is wrong with who signed, when, and for how long."""
    left_s = action.expiry_sec - their_ms // 1_000
    if left_s < EXPIRY_S_MIN:
        raise WireError(11011, f"Order must expire in {EXPIRY_S_MIN} sec or more")
    if left_s > EXPIRY_S_MAX:
        raise WireError(11011, f"Order must expire in {EXPIRY_S_MAX} sec or less")
    their_ns = their_ms * NS_PER_MS
    if not NONCE_MIN < action.nonce < NONCE_MAX:
        raise WireError(11018, "Nonce must be a UTC timestamp in nanoseconds")
    if not their_ns - NONCE_AGE_NS <= action.nonce <= their_ns + NONCE_AHEAD_NS:
        raise WireError(11018, "Nonce must lie between 90 days ago and 1 hour ahead")
    key = session.owner.key_of(action.signer.lower(), venue.now_ms())
    if not key.trades:
        raise WireError(14031, "Requires a trade scope")
    if not action.is_signed(signature):
        raise WireError(14014, "Signature does not match data")
    if (action.subaccount_id, action.nonce) in session.owner.nonces:
        raise WireError(11017, f"Nonce {action.nonce} has been used")


def _check_terms(venue: DeriveVenue, wanted: Verified) -> None:
    """Raise what is wrong with price, amount, fee and kind."""
    listing, action, ticket = wanted.listing, wanted.action, wanted.ticket
    step, least, most = listing.amount_step, listing.min_amount, amount_max(listing)
    if action.amount % step:
        raise WireError(11012, f"Amount must be a multiple of {text(step)}")
    if not least <= action.amount <= most:
        raise WireError(11012, f"Amount must be between {text(least)} and {most}")
    if not listing.on_ladder(action.limit_price):
        raise WireError(11013, f"Limit price must be a multiple of {text(listing.tick)}")
    if ticket.type == "market" and ticket.time_in_force == "post_only":
        raise WireError(11010)
    if wanted.reduce_only and wanted.rests:
        raise WireError(11024)
    venue.watch(listing.name)
    rate = max(listing.taker_fee, listing.maker_fee)
    needed = rate * venue.exchange.book(listing.name).index
    needed += listing.fee_basis.base / action.amount
    if action.max_fee < needed:
        raise WireError(11023, f"signed max_fee must be >= {needed:f}")


# -- carried out ---------------------------------------------------------------------------------


def _submit(venue: DeriveVenue, session: Session, wanted: Verified) -> Json:
    """Ask the exchange. Raises what it refuses."""
    now_ms, ticket, listing = venue.now_ms(), wanted.ticket, wanted.listing
    protection = session.owner.protections.get((wanted.action.subaccount_id, listing.underlying))
    if ticket.mmp and protection is not None and protection.is_frozen(now_ms):
        raise WireError(11015, f"Frozen in {listing.underlying}")
    price, matched_at = wanted.action.limit_price, _within_band(venue, wanted)
    is_beyond = wanted.rests and price != matched_at
    if not wanted.rests:
        price = matched_at
        _check_liquidity(venue, wanted, price)
    wish = NewOrder(
        name=listing.name,
        side=wanted.side,
        amount=wanted.action.amount,
        price=price,
        time_in_force=TimeInForce.GTC
        if wanted.rests
        else _EXCHANGES.get(ticket.time_in_force, TimeInForce.IOC),
        label=wanted.label,
        post_only=ticket.time_in_force == "post_only" or is_beyond,
        reject_post_only=wanted.reject_post_only or is_beyond,
        reduce_only=wanted.reduce_only,
    )
    placed = venue.exchange.place(wanted.account, wish, now_ms)
    if isinstance(placed, Refusal):
        raise WireError.from_refusal(placed)
    session.owner.use(wanted.action.subaccount_id, wanted.action.nonce)
    return _placed(venue, wanted, placed)


def _placed(venue: DeriveVenue, wanted: Verified, placed: Placed) -> Json:
    order, ticket = placed.order, wanted.ticket
    if wanted.rests and order.price != wanted.action.limit_price:
        ticket.signed_limit_price = wanted.action.limit_price
    venue.tickets[order.order_id] = ticket
    venue.gather()
    return {"order": venue.order_row(order), "trades": _rows(venue, order, placed)}


def _rows(venue: DeriveVenue, order: Order, placed: Placed) -> list[Json]:
    """The trades that the order made at once, as they are told."""
    made = {one.public.trade_id for one in placed.trades}
    found: list[Json] = []
    for row in reversed(venue.trades(order.account)):
        if len(found) == len(made):
            break
        if row["order_id"] == order.order_id and row["trade_id"] in made:
            found.insert(0, row)
    return found


def _within_band(venue: DeriveVenue, wanted: Verified) -> Decimal:
    """The worst price at which an order is matched."""
    book, price = venue.exchange.book(wanted.listing.name), wanted.action.limit_price
    if wanted.side is Side.BUY:
        return price if book.max_price is None else min(price, book.max_price)
    return price if book.min_price is None else max(price, book.min_price)


def _check_liquidity(venue: DeriveVenue, wanted: Verified, price: Decimal) -> None:
    """Raise where there is nothing to take, or less than an order of fill-or-kill needs."""
    book = venue.exchange.book(wanted.listing.name)
    there = ZERO
    for at, amount in book.depth(wanted.side.opposite):
        if not crosses(wanted.side, price, at):
            break
        there += amount
    if not there:
        raise WireError(11009)
    if wanted.ticket.time_in_force == "fok" and there < wanted.action.amount:
        raise WireError(11014)


def _open_order(venue: DeriveVenue, account: str, order_id: str, name: str) -> Order:
    """An open order in that instrument. Raises what has become of it."""
    found = venue.exchange.order(account, order_id)
    if found is None or found.name != name:
        raise WireError(11006, f"Open order with id: {order_id} does not exist.")
    if found.state is OrderState.OPEN:
        return found
    ticket = venue.tickets.get(order_id)
    if ticket is not None and ticket.status == "expired":
        raise WireError(11005, f"Order {order_id} has expired")
    if found.state is OrderState.FILLED:
        raise WireError(11004, f"Order {order_id} is filled")
    raise WireError(11003, f"Order {order_id} is cancelled")


def _by_nonce(venue: DeriveVenue, account: str, name: str, nonce: int) -> Order | None:
    for order in venue.exchange.accounts[account].open_orders.values():
        ticket = venue.tickets.get(order.order_id)
        if order.name == name and ticket is not None and ticket.nonce == nonce:
            return order
    return None


def _cancel_one(venue: DeriveVenue, order: Order) -> None:
    done = venue.exchange.cancel(order.account, order.order_id, venue.now_ms())
    if isinstance(done, Refusal):
        raise WireError.from_refusal(done)
    venue.gather()


def _cancel_each(venue: DeriveVenue, orders: list[Order]) -> Json:
    for order in orders:
        _cancel_one(venue, order)
    return {"cancelled_orders": len(orders)}
