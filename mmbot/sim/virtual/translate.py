"""The exchange's own objects as the core has them, for those who judge by them.

Amounts and prices take the way they take on the wire (`travelled`), which is through a float's
shortest text unless told otherwise.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from mmbot.core.contracts import Instrument
from mmbot.core.fees import FeeBasis, Fees
from mmbot.core.grid import Grid, TickStep
from mmbot.core.labels import is_ours
from mmbot.core.statements import Fill, Finality, Liquidity
from mmbot.core.types import MS, ONE, InstrumentId, Kind, Label, Right, Side
from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.exchange.finality import Standing
from mmbot.sim.exchange.listing import Kind as VenueKind
from mmbot.sim.exchange.listing import Listing
from mmbot.sim.exchange.listing import Side as VenueSide
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order
from mmbot.sim.wire.faces import USUAL

VENUE: Final = USUAL
"""The kind of exchange this is, and what a desk calls its account there unless told otherwise."""

_FEE_CAP: Final = Decimal("0.125")

_SIDES: Final = {VenueSide.BUY: Side.BUY, VenueSide.SELL: Side.SELL}
SIDES: Final = {Side.BUY: VenueSide.BUY, Side.SELL: VenueSide.SELL}
_FINALITY: Final = {
    Standing.MATCHED: Finality.PROVISIONAL,
    Standing.CONFIRMED: Finality.FINAL,
    Standing.FAILED: Finality.VOIDED,
}


Travelled = Callable[[Decimal], Decimal]


def by_float(number: Decimal) -> Decimal:
    """As it is read from a float's shortest text."""
    return Decimal(repr(float(number)))


def id_of(name: str, venue: str = VENUE) -> InstrumentId:
    """An instrument by the exchange's name for it and ours for the account."""
    return InstrumentId(f"{venue}:{name}")


def instrument_of(listing: Listing, venue: str = VENUE) -> Instrument:
    """The terms of an instrument as the adapter of an account reads them. Where fees are at the
    index, amounts are coins whatever the lot."""
    inverse_base = listing.underlying
    quote = "USD" if listing.inverse else listing.settlement
    is_perpetual = listing.kind is VenueKind.PERPETUAL
    return Instrument(
        id=id_of(listing.name, venue),
        venue=venue,
        name=listing.name,
        symbol=f"{inverse_base}/{quote}:{listing.settlement}",
        kind=Kind[listing.kind.name],
        underlying=listing.underlying,
        settlement=listing.settlement,
        inverse=listing.inverse,
        contract_size=ONE if listing.fee_basis.at_index else listing.contract_size,
        grid=Grid(
            min_amount=listing.min_amount,
            amount_step=listing.amount_step,
            tick=listing.tick,
            tick_steps=tuple(TickStep(above, tick) for above, tick in listing.tick_steps),
        ),
        fees=_fees_of(listing),
        strike=listing.strike,
        right=Right(listing.right.value) if listing.right is not None else None,
        expiry_ns=None if is_perpetual else listing.expiry_ms * MS,
    )


def _fees_of(listing: Listing) -> Fees:
    is_option, at_index = listing.strike is not None, listing.fee_basis.at_index
    return Fees(
        basis=FeeBasis.INDEX if is_option or at_index else FeeBasis.NOTIONAL,
        maker=listing.maker_fee,
        taker=listing.taker_fee,
        base=listing.fee_basis.base,
        cap=_FEE_CAP if is_option or not at_index else None,
    )


def fill_of(made: UserTrade, venue: str, travelled: Travelled = by_float) -> Fill:
    """An execution as the account sees it."""
    public = made.public
    return Fill(
        trade_id=public.trade_id,
        instrument=id_of(public.name, venue),
        side=_SIDES[made.side],
        price=travelled(public.price),
        amount=travelled(public.amount),
        fee=travelled(made.fee),
        fee_currency=made.fee_currency,
        liquidity=Liquidity.MAKER if made.is_maker else Liquidity.TAKER,
        order_id=made.order_id,
        label=Label(made.label) if made.label else None,
        venue_ms=public.time_ms,
        mark=travelled(public.mark) if public.mark else None,
        index=travelled(public.index) if public.index else None,
    )


def fill_at(
    exchange: Exchange, made: UserTrade, venue: str, travelled: Travelled = by_float
) -> Fill:
    """An execution as the account is told of it, which says whether it stands where it may not."""
    fill = fill_of(made, venue, travelled)
    if exchange.finality is None:
        return fill
    standing, since_ms = exchange.finality.standing(made.public.trade_id)
    return replace(fill, finality=_FINALITY[standing], stated_ms=since_ms)


def is_our_order(order: Order) -> bool:
    """Whether an order at the venue carries a label of ours."""
    return is_ours(Label(order.label))
