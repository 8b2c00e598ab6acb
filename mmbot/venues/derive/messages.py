"""What we need of each message of Derive's: types, ranges, and what may be missing.

The venue writes decimals as strings, and takes and may send numbers; `Decimal` here reads both. It
may send more, in any order; what is not named is not looked at. A field without a default is vital:
an element that lacks it, or has something else there, is not understood at all. Any other field is
None where it is missing, null, or cannot be read.

Units: prices, fees and money in USDC, amounts in coin of the underlying; moments in milliseconds
since 1970, those ending in `_sec`, an `expiry` and what is `scheduled` in seconds.
"""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Text = Annotated[str, Meta(min_length=1)]
Moment = Annotated[int, Meta(ge=0)]
Seconds = Annotated[int, Meta(ge=0, lt=1 << 33)]
"""Seconds since 1970, until 2242: what calendars know."""
Count = Annotated[int, Meta(ge=0)]
Direction = Literal["buy", "sell"]


# --- instruments ------------------------------------------------------------------------------


class OptionDetails(Struct, frozen=True):
    """The terms of an option."""

    expiry: Seconds | None = None
    strike: Decimal | None = None
    option_type: str | None = None


class Listing(Struct, frozen=True):
    """The terms of an instrument, as the specification promises all of them."""

    instrument_name: Text
    instrument_type: Text
    base_currency: Text
    quote_currency: Text
    tick_size: Decimal
    minimum_amount: Decimal
    amount_step: Decimal
    maker_fee_rate: Decimal
    taker_fee_rate: Decimal
    base_fee: Decimal
    base_asset_address: Text
    base_asset_sub_id: str | int
    is_active: bool
    maximum_amount: Decimal | None = None
    mark_price_fee_rate_cap: Decimal | None = None
    scheduled_activation: int | None = None
    scheduled_deactivation: int | None = None
    option_details: OptionDetails | None = None


class Pagination(Struct, frozen=True):
    """How much there is of what comes in pages."""

    num_pages: Count | None = None
    count: Count | None = None


# --- the market -------------------------------------------------------------------------------


class OptionPricing(Struct, frozen=True):
    """Of a slim ticker; the volatility is a fraction a year, the delta that of one unit."""

    delta: Decimal | None = field(default=None, name="d")
    iv: Decimal | None = field(default=None, name="i")
    bid_iv: Decimal | None = field(default=None, name="bi")
    ask_iv: Decimal | None = field(default=None, name="ai")
    forward: Decimal | None = field(default=None, name="f")


class SlimTicker(Struct, frozen=True):
    """Reference values of one instrument. What crosses `max_price` or `min_price` rests instead of
    trading beyond it; `funding` is the hourly rate."""

    index: Decimal | None = field(default=None, name="I")
    mark: Decimal | None = field(default=None, name="M")
    min_price: Decimal | None = field(default=None, name="minp")
    max_price: Decimal | None = field(default=None, name="maxp")
    funding: Decimal | None = field(default=None, name="f")
    best_bid: Decimal | None = field(default=None, name="b")
    best_ask: Decimal | None = field(default=None, name="a")
    option_pricing: OptionPricing | None = None


class PublicTrade(Struct, frozen=True):
    """A trade of anybody's; `direction` is the taker's."""

    trade_id: Text
    trade_price: Decimal
    trade_amount: Decimal
    direction: Direction
    timestamp: Moment


# --- our orders and trades --------------------------------------------------------------------


class Order(Struct, frozen=True):
    """An order, in a reply, a push or a list. `limit_price` is the worst price of a market order;
    `signed_limit_price` is what was asked for where the venue moved the price."""

    order_id: Text
    order_status: str | None = None
    order_type: str | None = None
    direction: Direction | None = None
    last_update_timestamp: Moment | None = None
    creation_timestamp: Moment | None = None
    label: str | None = None
    instrument_name: Text | None = None
    limit_price: Decimal | None = None
    amount: Decimal | None = None
    filled_amount: Decimal | None = None
    cancel_reason: str | None = None
    nonce: str | None = None
    replaced_order_id: str | None = None
    signature_expiry_sec: Moment | None = None
    mmp: bool | None = None


class UserTrade(Struct, frozen=True):
    """An execution on the account. `trade_fee` is positive when paid."""

    trade_id: Text
    instrument_name: Text
    direction: Direction
    trade_price: Decimal
    trade_amount: Decimal
    trade_fee: Decimal
    timestamp: Moment
    order_id: str | None = None
    label: str | None = None
    liquidity_role: str | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    batch_status: str | None = None


# --- money ------------------------------------------------------------------------------------


class Position(Struct, frozen=True):
    """A position: signed amount, delta of one unit of it. `pending_funding` is earned and not yet
    settled. `average_price` has the fees in it."""

    instrument_name: Text
    amount: Decimal | None = None
    average_price: Decimal | None = None
    average_price_excl_fees: Decimal | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    delta: Decimal | None = None
    pending_funding: Decimal | None = None
    liquidation_price: Decimal | None = None


class Collateral(Struct, frozen=True):
    """One asset that is held as money."""

    asset_name: Text
    amount: Decimal
    mark_value: Decimal | None = None


class Subaccount(Struct, frozen=True):
    """The account as a whole, in USDC. `maintenance_margin` is what is left above the requirement:
    below zero the venue liquidates. `positions_maintenance_margin` is minus what positions need."""

    subaccount_id: Count
    subaccount_value: Decimal
    collaterals: list[object] | None = None
    positions: list[object] | None = None
    open_orders: list[object] | None = None
    maintenance_margin: Decimal | None = None
    initial_margin: Decimal | None = None
    positions_maintenance_margin: Decimal | None = None
    is_under_liquidation: bool | None = None
    failed_to_fetch: bool | None = None
    margin_type: str | None = None


class FundingEvent(Struct, frozen=True):
    """A settlement of a perpetual: funding and profit that went into the balance."""

    instrument_name: Text
    timestamp: Moment
    funding: Decimal
    pnl: Decimal


class OptionSettlement(Struct, frozen=True):
    """An option position that has ended."""

    instrument_name: Text
    expiry: Seconds
    amount: Decimal
    settlement_price: Decimal
    settlement_value: Decimal


class Interest(Struct, frozen=True):
    """Interest on what is held as money: received, or paid where negative."""

    timestamp: Moment
    interest: Decimal


class Deposit(Struct, frozen=True):
    """What came in, less its fee; a withdrawal has the same form."""

    operation_id: Text
    asset: Text
    amount: Decimal
    timestamp: Moment
    fee: Decimal | None = None


class Transfer(Struct, frozen=True):
    """What went from one subaccount to another."""

    operation_id: Text
    asset: Text
    amount: Decimal
    timestamp: Moment
    is_outgoing: bool
    fee: Decimal | None = None


# --- the account ------------------------------------------------------------------------------


class Account(Struct, frozen=True):
    """private/get_account: what is set and allowed for the wallet."""

    cancel_on_disconnect: bool
    subaccount_ids: list[int]
    wallet: str | None = None
    websocket_matching_tps: Count | None = None
    websocket_non_matching_tps: Count | None = None
    websocket_option_tps: Count | None = None
    websocket_perp_tps: Count | None = None
    per_endpoint_tps: dict[str, int] | None = None


class RateLimit(Struct, frozen=True, rename="camel"):
    """One budget of requests, in the window that runs."""

    remaining_points: int
    consumed_points: int
    ms_before_next: int | None = None
    is_first_in_duration: bool | None = None


class RateLimits(Struct, frozen=True):
    """public/getRateLimits. What an instrument has left is not in it."""

    remaining_matching: RateLimit
    remaining_non_matching: RateLimit
    remaining_per_endpoint: dict[str, RateLimit] | None = None
    remaining_connections: RateLimit | None = None


class Mmp(Struct, frozen=True):
    """Market-maker protection of one currency; a limit of 0 is none, an unfreezing of 0 never."""

    currency: Text
    is_frozen: bool
    mmp_interval: Count
    mmp_frozen_time: Count
    mmp_amount_limit: Decimal
    mmp_delta_limit: Decimal
    mmp_unfreeze_time: int | None = None


class SessionKey(Struct, frozen=True):
    """A key that may sign for the wallet."""

    public_session_key: Text
    expiry_sec: Moment
    protocol_scopes: list[str] | None = None
    offchain_scopes: list[str] | None = None
    subaccount_ids: list[int] | None = None
    label: str | None = None


class Subscribed(Struct, frozen=True):
    """The answer to subscribe: "ok" or the reason, for every channel that was asked for."""

    status: dict[str, object]
    current_subscriptions: list[str] | None = None
