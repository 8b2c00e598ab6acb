"""Builders of the things a decision is made from: say only what matters to the test.

Every argument not given has a plain default, so `a_view(bid=99.0)` is a whole, sound view.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from msgspec import structs

from mmbot.core.contracts import Instrument
from mmbot.core.fees import FeeBasis, Fees
from mmbot.core.grid import Grid, TickStep
from mmbot.core.order_life import Status
from mmbot.core.orders import Order
from mmbot.core.statements import Fill, Liquidity
from mmbot.core.types import (
    MS,
    ZERO,
    Approved,
    InstrumentId,
    Kind,
    Label,
    Level,
    Quote,
    Right,
    Side,
    Target,
)
from mmbot.core.views import DeskView, Proposal, View
from mmbot.core.why import Why

EXPIRY_NS = 1_749_196_800 * 10**9
"""2025-06-06 08:00 UTC."""

NOW_NS = 1_748_865_600 * 10**9
"""2025-06-02 12:00 UTC."""


def an_option(**changes: Any) -> Instrument:
    """An inverse ETH call on Deribit: priced in coin, ticks 0.0001 and 0.0005 from 0.005 up."""
    option = Instrument(
        id=InstrumentId("deribit:ETH-6JUN25-2800-C"),
        venue="deribit",
        name="ETH-6JUN25-2800-C",
        symbol="ETH/USD:ETH-250606-2800-C",
        kind=Kind.OPTION,
        underlying="ETH",
        settlement="ETH",
        inverse=True,
        contract_size=Decimal(1),
        grid=Grid(
            min_amount=Decimal(1),
            amount_step=Decimal(1),
            tick=Decimal("0.0001"),
            tick_steps=(TickStep(Decimal("0.005"), Decimal("0.0005")),),
        ),
        fees=Fees(
            basis=FeeBasis.INDEX,
            maker=Decimal("0.0003"),
            taker=Decimal("0.0003"),
            cap=Decimal("0.125"),
        ),
        strike=Decimal(2800),
        right=Right.CALL,
        expiry_ns=EXPIRY_NS,
    )
    return changed(option, **changes)


def a_perpetual(**changes: Any) -> Instrument:
    """ETH-PERPETUAL on Deribit: inverse, priced in US dollars, amounts in US dollars."""
    perpetual = Instrument(
        id=InstrumentId("deribit:ETH-PERPETUAL"),
        venue="deribit",
        name="ETH-PERPETUAL",
        symbol="ETH/USD:ETH",
        kind=Kind.PERPETUAL,
        underlying="ETH",
        settlement="ETH",
        inverse=True,
        contract_size=Decimal(1),
        grid=Grid(min_amount=Decimal(1), amount_step=Decimal(1), tick=Decimal("0.05")),
        fees=Fees(basis=FeeBasis.NOTIONAL, taker=Decimal("0.0005"), cap=Decimal("0.125")),
    )
    return changed(perpetual, **changes)


def a_linear_perpetual(**changes: Any) -> Instrument:
    """A USDC perpetual with a grid so fine that it changes nothing, and no maker fee."""
    linear = a_perpetual(
        id=InstrumentId("deribit:ETH_USDC-PERPETUAL"),
        name="ETH_USDC-PERPETUAL",
        symbol="ETH/USDC:USDC",
        settlement="USDC",
        inverse=False,
        contract_size=Decimal("0.01"),
        min_amount=Decimal("0.01"),
        amount_step=Decimal("0.01"),
        tick=Decimal("0.00001"),
    )
    return changed(linear, **changes)


def a_binary(**changes: Any) -> Instrument:
    """BTC above 100,000 in five minutes: prices 0.01 to 0.99 by the cent, whole shares, orders of
    10 dollars at least, a tie is NO, takers pay 0.07 p (1 - p)."""
    binary = Instrument(
        id=InstrumentId("degen:BTC-5M"),
        venue="degen",
        name="BTC-5M",
        symbol="BTC-5M:YES",
        kind=Kind.BINARY,
        underlying="BTC",
        settlement="USDC",
        inverse=False,
        contract_size=Decimal(1),
        grid=Grid(
            tick=Decimal("0.01"),
            amount_step=Decimal(1),
            min_amount=Decimal(1),
            min_notional=Decimal(10),
            lowest=Decimal("0.01"),
            highest=Decimal("0.99"),
        ),
        fees=Fees(basis=FeeBasis.VARIANCE, taker=Decimal("0.07")),
        strike=Decimal(100_000),
        right=Right.CALL,
        expiry_ns=EXPIRY_NS,
    )
    return changed(binary, **changes)


_FEES = {"maker_fee": "maker", "taker_fee": "taker"}


def changed(instrument: Instrument, **changes: Any) -> Instrument:
    """An instrument with other terms; those of its grid, and its two rates, by their names."""
    grid = {f.name: changes.pop(f.name) for f in fields(Grid) if f.name in changes}
    rates = {name: changes.pop(key) for key, name in _FEES.items() if key in changes}
    if grid:
        changes["grid"] = replace(changes.get("grid", instrument.grid), **grid)
    if rates:
        changes["fees"] = replace(changes.get("fees", instrument.fees), **rates)
    return replace(instrument, **changes)


def a_view(
    instrument: Instrument | None = None,
    *,
    bid: float | None = 0.0200,
    ask: float | None = 0.0230,
    bids: Sequence[Level] | None = None,
    asks: Sequence[Level] | None = None,
    fair: float | None = None,
    others_coin: Decimal = ZERO,
    **changes: Any,
) -> View:
    """A sound view of an option (or of `instrument`).

    `bid` and `ask` are best prices with an amount of 10 (None: that side is missing); `bids` and
    `asks` replace them by whole sides. `fair` and the mark are the mid, or the side there is,
    unless given. The worst cases are the position alone unless given.
    """
    shown_bids = tuple(bids) if bids is not None else () if bid is None else ((bid, 10.0),)
    shown_asks = tuple(asks) if asks is not None else () if ask is None else ((ask, 10.0),)
    best = [side[0][0] for side in (shown_bids, shown_asks) if side]
    if fair is None:
        fair = changes.get("mark") or (sum(best) / len(best) if best else 1.0)
    position = changes.get("position", ZERO)
    view = View(
        instrument=instrument or an_option(),
        now_ns=NOW_NS,
        bids=shown_bids,
        asks=shown_asks,
        mark=fair,
        index=2850.0,
        forward=2850.0,
        fair=fair,
        mark_iv=0.62,
        delta=0.5,
        min_price=None,
        max_price=None,
        position=position,
        worst_long=position,
        worst_short=position,
        book_age_ns=0,
        desk=DeskView(others_coin=others_coin),
    )
    return structs.replace(view, **changes)


def a_proposal(
    instrument: Instrument | None = None,
    *,
    side: Side = Side.BUY,
    price: Decimal | str = "0.0200",
    size: Decimal | str | int = 1,
    worst_position: Decimal | str | int = 0,
    opposite: Decimal | str | None = None,
    **changes: Any,
) -> Proposal:
    """A target on an option (or on `instrument`) with nothing else of ours around it.

    `changes` go to the target.
    """
    target = Target(
        instrument=(instrument or an_option()).id,
        side=side,
        level=0,
        price=Decimal(price),
        size=Decimal(size),
        fair=float(price),
        why=Why.QUOTED,
    )
    return Proposal(
        target=structs.replace(target, **changes),
        worst_position=Decimal(worst_position),
        opposite=None if opposite is None else Decimal(opposite),
    )


def a_quote(
    side: Side = Side.BUY,
    price: float = 0.0200,
    size: float = 1,
    *,
    level: int = 0,
    requote_threshold: float = 0.0,
    danger: float = 0.0,
    fair: float = 0.0215,
) -> Quote:
    """What a strategy would say about one side."""
    return Quote(
        side,
        price,
        size,
        fair,
        Why.QUOTED,
        level=level,
        requote_threshold=requote_threshold,
        danger=danger,
    )


def a_target(
    side: Side = Side.BUY,
    price: Decimal | str = "0.0200",
    size: Decimal | str | int = 1,
    *,
    level: int = 0,
    requote_threshold: Decimal | str | int = 0,
) -> Approved:
    """An approved target on the option."""
    return Approved(
        Target(
            instrument=an_option().id,
            side=side,
            level=level,
            price=Decimal(price),
            size=Decimal(size),
            fair=0.0215,
            why=Why.QUOTED,
            requote_threshold=Decimal(requote_threshold),
        )
    )


def an_order(
    side: Side = Side.BUY,
    price: Decimal | str = "0.0200",
    amount: Decimal | str | int = 1,
    *,
    status: Status = Status.LIVE,
    label: str = "mmtest-0",
    **changes: Any,
) -> Order:
    """An order of ours on the option, LIVE and untouched."""
    order = Order(
        label=Label(label),
        instrument=an_option().id,
        side=side,
        level=0,
        price=Decimal(price),
        amount=Decimal(amount),
        why=Why.QUOTED,
        status=status,
        order_id=f"id-{label}",
    )
    for name, value in changes.items():
        setattr(order, name, value)
    return order


def a_fill(
    side: Side = Side.BUY,
    price: Decimal | str | int = "0.0200",
    amount: Decimal | str | int = 1,
    *,
    instrument: Instrument | None = None,
    trade_id: str = "t1",
    fee: Decimal | str | int = 0,
    label: str | None = None,
    venue_ms: int = NOW_NS // MS,
    mark: Decimal | str | int | None = None,
) -> Fill:
    """One execution on the option (or on `instrument`)."""
    traded = instrument or an_option()
    return Fill(
        trade_id=trade_id,
        instrument=traded.id,
        side=side,
        price=Decimal(price),
        amount=Decimal(amount),
        fee=Decimal(fee),
        fee_currency=traded.settlement,
        liquidity=Liquidity.MAKER,
        order_id=f"id-{label}",
        label=None if label is None else Label(label),
        venue_ms=venue_ms,
        mark=None if mark is None else Decimal(mark),
    )
