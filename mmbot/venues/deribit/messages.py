"""What we need of each message of Deribit's: types, ranges, and what may be missing.

The venue may send more, in any order; what is not named here is not looked at. A field without a
default is vital: an element that lacks it, or has something else there, is not understood at all.
Any other field is None where it is missing, null, or cannot be read.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1)]
Moment = Annotated[int, Meta(ge=0)]
"""Milliseconds since 1970."""
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Direction = Literal["buy", "sell"]


class Order(Struct, frozen=True):
    """An order, in a reply, a push or a list. Trigger orders lack amounts and have no price."""

    order_id: Text
    order_state: str | None = None
    order_type: str | None = None
    direction: Direction | None = None
    last_update_timestamp: Moment | None = None
    creation_timestamp: Moment | None = None
    label: str | None = None
    instrument_name: Text | None = None
    price: float | str | None = None
    amount: Positive | None = None
    filled_amount: NotNegative | None = None


class UserTrade(Struct, frozen=True):
    """An execution on the account. `fee` is positive when paid."""

    trade_id: Text | int
    instrument_name: Text
    direction: Direction
    price: NotNegative
    amount: Positive
    fee: float
    fee_currency: Text
    timestamp: Moment
    order_id: str | None = None
    label: str | None = None
    liquidity: str | None = None
    mark_price: NotNegative | None = None
    index_price: Positive | None = None
    status: str | None = None
    """Not said by Deribit itself, whose trades are final; where they are not, how far it is ..."""
    status_timestamp: int | None = None
    """... and since when."""


class Position(Struct, frozen=True):
    """A position: signed size, in USD for inverse futures, else in coin."""

    instrument_name: Text
    size: float | None = None
    mark_price: NotNegative | None = None
    realized_funding: float | None = None
    average_price: float | str | None = None
    index_price: float | str | None = None
    delta: float | str | None = None


class Summary(Struct, frozen=True):
    """One currency of the account. With cross margin the two margins are the whole portfolio's."""

    currency: Text
    equity: float
    balance: float
    maintenance_margin: NotNegative | None = None
    margin_balance: float | None = None
    cross_collateral_enabled: bool | None = None
    margin_model: str | None = None
    total_maintenance_margin_usd: NotNegative | None = None
    total_margin_balance_usd: float | None = None


class LogRow(Struct, frozen=True):
    """A row of the transaction log: `change` is what it did to the balance."""

    id: Text | int
    type: Text
    currency: Text
    timestamp: Moment
    change: float
    instrument_name: Text | None = None
    index_price: Positive | None = None
    price: NotNegative | None = None
    commission: float | None = None
    interest_pl: float | None = None


class Greeks(Struct, frozen=True):
    """Of an option, as far as we use them."""

    delta: float | None = None


class Ticker(Struct, frozen=True):
    """Reference values of one instrument; volatilities in percent."""

    mark_price: NotNegative | None = None
    index_price: Positive | None = None
    underlying_price: Positive | None = None
    mark_iv: NotNegative | None = None
    greeks: Greeks | None = None
    min_price: float | None = None
    max_price: float | None = None
    state: str | None = None
    best_bid_price: NotNegative | None = None
    best_ask_price: NotNegative | None = None
    bid_iv: NotNegative | None = None
    ask_iv: NotNegative | None = None
    current_funding: float | None = None
    funding_8h: float | None = None


class PublicTrade(Struct, frozen=True):
    """A trade of anybody's; `direction` is the taker's."""

    trade_id: Text
    price: NotNegative
    amount: Positive
    direction: Direction
    timestamp: Moment


class TickStep(Struct, frozen=True):
    """From `above_price` on, prices move by `tick_size`."""

    above_price: NotNegative
    tick_size: Positive


class Listing(Struct, frozen=True):
    """The terms of an instrument. Much of it the venue's specification does not promise."""

    instrument_name: Text
    kind: Text
    base_currency: Text
    contract_size: Positive
    min_trade_amount: Positive
    tick_size: Positive
    expiration_timestamp: Moment
    settlement_period: str | None = None
    settlement_currency: Text | None = None
    counter_currency: Text | None = None
    quote_currency: Text | None = None
    instrument_type: Literal["reversed", "linear"] | None = None
    tick_size_steps: list[TickStep] | TickStep | None = None
    maker_commission: float | None = None
    taker_commission: float | None = None
    strike: Positive | None = None
    option_type: Literal["call", "put"] | None = None


class ListingNews(Struct, frozen=True):
    """instrument.state: an instrument comes, goes, closes or opens."""

    instrument_name: Text
    state: Text


class PlatformLock(Struct, frozen=True):
    """platform_state (`price_index`) and user.lock (`currency`, or ALL)."""

    locked: bool
    price_index: str | None = None
    currency: str | None = None


class Status(Struct, frozen=True):
    """public/status: what is locked at present ("true", "partial", "false")."""

    locked: bool | str
    locked_indices: list[str] | None = None
    locked_currencies: list[str] | None = None
