"""A market in events, for signals: every moment is in seconds after NOW_NS, of both clocks."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard, Signal
from mmbot.core.statements import Liquidity
from mmbot.core.types import MS, SECOND, Level, Nanos, Side
from tests.builders import NOW_NS, a_fill, a_perpetual

PERPETUAL = a_perpetual()


def ns(at_s: float) -> Nanos:
    return NOW_NS + round(at_s * SECOND)


def ms(at_s: float) -> int:
    return ns(at_s) // MS


def book(
    at_s: float,
    bid: float | None,
    ask: float | None,
    bid_amount: float = 10.0,
    ask_amount: float = 10.0,
    *,
    deeper_bids: tuple[Level, ...] = (),
    deeper_asks: tuple[Level, ...] = (),
) -> ev.BookChanged:
    bids = () if bid is None else ((bid, bid_amount), *deeper_bids)
    asks = () if ask is None else ((ask, ask_amount), *deeper_asks)
    return ev.BookChanged(PERPETUAL.id, bids, asks, ms(at_s), ns(at_s))


def trade(at_s: float, side: Side, price: float, amount: float = 1.0) -> ev.TradePrinted:
    return ev.TradePrinted(PERPETUAL.id, price, amount, side, ms(at_s))


def filled(
    at_s: float,
    side: Side,
    price: str | float,
    trade_id: str = "t1",
    liquidity: Liquidity | None = Liquidity.MAKER,
) -> ev.Filled:
    fill = a_fill(
        side, Decimal(str(price)), instrument=PERPETUAL, trade_id=trade_id, venue_ms=ms(at_s)
    )
    return ev.Filled(structs.replace(fill, liquidity=liquidity))


def taken_back(what: ev.Filled, at_s: float) -> ev.Filled:
    return ev.Filled(what.fill.reversal(ms(at_s)))


def ticker(
    at_s: float,
    *,
    mark: float | None = None,
    index: float | None = None,
    forward: float | None = None,
    best: tuple[float, float] | None = None,
    current_funding: float | None = None,
    funding_8h: float | None = None,
) -> ev.TickerChanged:
    bid, ask = best or (None, None)
    return ev.TickerChanged(
        PERPETUAL.id,
        mark=mark,
        index=index,
        forward=forward,
        mark_iv=None,
        delta=None,
        min_price=None,
        max_price=None,
        received_ns=ns(at_s),
        best_bid=bid,
        best_ask=ask,
        current_funding=current_funding,
        funding_8h=funding_8h,
    )


def heard(signal: Signal, events: Iterable[Heard], instrument: Instrument = PERPETUAL) -> Memory:
    """What a signal remembers of all this."""
    memory = signal.start(instrument)
    for event in events:
        signal.observe(memory, event)
    return memory
