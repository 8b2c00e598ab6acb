"""The exchange's objects as the real adapter would report them to the core.

Amounts and prices take the way they take on the wire, through a float's shortest text.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from mmbot.core import events as ev
from mmbot.core import order_life as life
from mmbot.core.contracts import Instrument
from mmbot.core.error_scope import ErrorScope
from mmbot.core.fees import FeeBasis, Fees
from mmbot.core.grid import Grid, TickStep
from mmbot.core.labels import is_ours
from mmbot.core.order_life import Request
from mmbot.core.statements import Fill, Finality, Flow, FlowKind, Liquidity, OpenOrder
from mmbot.core.types import MS, ZERO, InstrumentId, Kind, Label, Right, Side
from mmbot.core.why import Why
from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.exchange.finality import Standing
from mmbot.sim.exchange.ledger import Entry, EntryType
from mmbot.sim.exchange.listing import Kind as VenueKind
from mmbot.sim.exchange.listing import Listing
from mmbot.sim.exchange.listing import Side as VenueSide
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order, OrderState
from mmbot.sim.exchange.refusals import Code, Refusal

VENUE: Final = "deribit"
TOO_MANY_REQUESTS: Final = 10028

_FEE_CAP: Final = Decimal("0.125")

_SIDES: Final = {VenueSide.BUY: Side.BUY, VenueSide.SELL: Side.SELL}
SIDES: Final = {Side.BUY: VenueSide.BUY, Side.SELL: VenueSide.SELL}
_STATES: Final = {
    OrderState.OPEN: life.OrderState.OPEN,
    OrderState.FILLED: life.OrderState.FILLED,
    OrderState.CANCELLED: life.OrderState.CANCELLED,
}
_FINALITY: Final = {
    Standing.MATCHED: Finality.PROVISIONAL,
    Standing.CONFIRMED: Finality.FINAL,
    Standing.FAILED: Finality.VOIDED,
}
_GONE: Final = (Code.ORDER_NOT_FOUND, Code.NOT_OPEN_ORDER)
_SCOPES: Final = {
    Code.QTY_TOO_LOW: ErrorScope.INSTRUMENT,
    Code.ORDER_OVERLAP: ErrorScope.ORDER,
    Code.ORDER_NOT_FOUND: ErrorScope.ORDER,
    Code.PRICE_TOO_LOW: ErrorScope.ORDER,
    Code.PRICE_TOO_HIGH: ErrorScope.ORDER,
    Code.NOT_ENOUGH_FUNDS: ErrorScope.SIDE,
    Code.INVALID_INSTRUMENT: ErrorScope.INSTRUMENT,
    Code.SETTLEMENT_IN_PROGRESS: ErrorScope.PLATFORM,
    Code.PRICE_WRONG_TICK: ErrorScope.INSTRUMENT,
    Code.OTHER_REJECT: ErrorScope.ORDER,
    Code.NOT_OPEN_ORDER: ErrorScope.ORDER,
    Code.POST_ONLY_REJECT: ErrorScope.ORDER,
    Code.BOOK_CLOSED: ErrorScope.INSTRUMENT,
}
"""Of the others: us."""

_WHY: Final = {
    Code.POST_ONLY_REJECT: Why.CROSSED_BOOK,
    Code.ORDER_NOT_FOUND: Why.ABSENT,
    Code.NOT_OPEN_ORDER: Why.ABSENT,
}
_WHY_BY_SCOPE: Final = {
    ErrorScope.SIDE: Why.NO_FUNDS,
    ErrorScope.INSTRUMENT: Why.CLOSED,
    ErrorScope.PLATFORM: Why.LOCKED,
}


def id_of(name: str) -> InstrumentId:
    """An instrument by the venue's name for it."""
    return InstrumentId(f"{VENUE}:{name}")


def name_of(instrument: InstrumentId) -> str:
    """The venue's name of an instrument."""
    return instrument.removeprefix(f"{VENUE}:")


def instrument_of(listing: Listing) -> Instrument:
    """The terms of an instrument as the adapter reads them."""
    inverse_base = listing.underlying
    quote = "USD" if listing.inverse else listing.settlement
    is_perpetual = listing.kind is VenueKind.PERPETUAL
    return Instrument(
        id=id_of(listing.name),
        venue=VENUE,
        name=listing.name,
        symbol=f"{inverse_base}/{quote}:{listing.settlement}",
        kind=Kind[listing.kind.name],
        underlying=listing.underlying,
        settlement=listing.settlement,
        inverse=listing.inverse,
        contract_size=listing.contract_size,
        grid=Grid(
            min_amount=listing.min_amount,
            amount_step=listing.min_amount,
            tick=listing.tick,
            tick_steps=tuple(TickStep(above, tick) for above, tick in listing.tick_steps),
        ),
        fees=Fees(
            basis=FeeBasis.INDEX if listing.strike is not None else FeeBasis.NOTIONAL,
            maker=listing.maker_fee,
            taker=listing.taker_fee,
            cap=_FEE_CAP,
        ),
        strike=listing.strike,
        right=Right(listing.right.value) if listing.right is not None else None,
        expiry_ns=None if is_perpetual else listing.expiry_ms * MS,
    )


def seen_of(order: Order, answers: Request | None) -> ev.OrderSeen:
    """The venue's statement about one order."""
    return ev.OrderSeen(
        venue=VENUE,
        label=Label(order.label) if order.label else None,
        order_id=order.order_id,
        instrument=id_of(order.name),
        side=_SIDES[order.side],
        price=order.price,
        amount=order.amount,
        filled=order.filled,
        state=_STATES[order.state],
        venue_ms=order.updated_ms,
        answers=answers,
    )


def open_order_of(order: Order) -> OpenOrder:
    """An order as a list of open orders has it."""
    return OpenOrder(
        order_id=order.order_id,
        label=Label(order.label) if order.label else None,
        instrument=id_of(order.name),
        side=_SIDES[order.side],
        price=order.price,
        amount=order.amount,
        filled=order.filled,
        venue_ms=order.updated_ms,
    )


def fill_of(made: UserTrade) -> Fill:
    """An execution as the account sees it."""
    public = made.public
    return Fill(
        trade_id=public.trade_id,
        instrument=id_of(public.name),
        side=_SIDES[made.side],
        price=_travelled(public.price),
        amount=_travelled(public.amount),
        fee=_travelled(made.fee),
        fee_currency=made.fee_currency,
        liquidity=Liquidity.MAKER if made.is_maker else Liquidity.TAKER,
        order_id=made.order_id,
        label=Label(made.label) if made.label else None,
        venue_ms=public.time_ms,
        mark=_travelled(public.mark) if public.mark else None,
        index=_travelled(public.index) if public.index else None,
    )


def fill_at(exchange: Exchange, made: UserTrade) -> Fill:
    """An execution as the account is told of it, which says whether it stands where it may not."""
    fill = fill_of(made)
    if exchange.finality is None:
        return fill
    standing, since_ms = exchange.finality.standing(made.public.trade_id)
    return replace(fill, finality=_FINALITY[standing], stated_ms=since_ms)


def flow_of(entry: Entry, instrument: Instrument) -> Flow | None:
    """A row of the transaction log that moved money without a trade; None for any other."""
    if entry.type is EntryType.TRADE:
        return None
    kind, price, money = FlowKind.DELIVERY, None, _travelled(entry.change)
    if entry.type is EntryType.SETTLEMENT:
        kind, money = FlowKind.FUNDING, _travelled(entry.interest_pl or ZERO)
        if not money:
            return None
    else:
        price = instrument.payoff(_travelled(entry.index))
    return Flow(
        ref=str(entry.id),
        kind=kind,
        instrument=instrument.id,
        currency=entry.currency,
        money=money,
        venue_ms=entry.time_ms,
        price=price,
        fee=_travelled(entry.commission) if kind is FlowKind.DELIVERY else ZERO,
        index=_travelled(entry.index) if entry.index else None,
    )


def refusal_of(
    refusal: Refusal, label: Label, request: Request
) -> ev.RequestRefused | ev.OutcomeUnknown:
    """An error answer to an order request: what it tells about the order, and what it leaves open.

    A refused place left nothing behind. A refused amend or cancel left the order as it was, unless
    the code says that it is gone, or the amend met the book.
    """
    stands: bool | None
    if refusal.code is Code.TIMED_OUT:
        return ev.OutcomeUnknown(label, request, Why.REPLY_LOST)
    scope = _SCOPES.get(refusal.code, ErrorScope.US)
    stands = True
    if refusal.code in (Code.POST_ONLY_REJECT, *_GONE) or scope is ErrorScope.INSTRUMENT:
        stands = None
    if request is Request.PLACE:
        stands = False
    why = _WHY.get(refusal.code) or _WHY_BY_SCOPE.get(scope, Why.REFUSED)
    detail = f"{refusal.code.number} {refusal.code.message}"
    return ev.RequestRefused(label, request, why, detail, stands, scope)


def too_many(label: Label, request: Request) -> ev.RequestRefused:
    """The answer 10028: not carried out, and the session ends."""
    detail = f"{TOO_MANY_REQUESTS} too_many_requests"
    stands = request is not Request.PLACE
    return ev.RequestRefused(label, request, Why.LINK_DOWN, detail, stands, ErrorScope.SESSION)


def is_our_order(order: Order) -> bool:
    """Whether an order at the venue carries a label of ours."""
    return is_ours(Label(order.label))


def _travelled(number: Decimal) -> Decimal:
    return Decimal(repr(float(number)))
