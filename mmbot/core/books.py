"""Book upkeep: what one market looks like, whether to believe it, and what it is without us.

Two questions are answered here and nowhere else. *Fault*: may a quote be built on this book?
*Reference*: what are the best prices of the others? The second is a race, because our own orders
are in the book and both move: our size is subtracted only from a book that is newer than the
venue's last word about our orders on that side and that really shows them; until then the last
good reference holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

from mmbot.core.closures import Closure
from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, TickerChanged
from mmbot.core.leeway import Allowance
from mmbot.core.order_life import DONE, LIVE
from mmbot.core.orders import Order
from mmbot.core.standing import Standing
from mmbot.core.statements import Fill
from mmbot.core.types import BUY, SECOND, ZERO, Level, Nanos, Quote, Side
from mmbot.core.uptime import Uptime
from mmbot.core.views import Valuation
from mmbot.core.why import Why

SILENCE_MAX_NS: Nanos = 10 * SECOND
"""No rule may allow quoting on a market silent for longer than this."""

IMPLAUSIBLE_TICKS = 5
"""How far the middle of a book may be from the mark in ticks, or by the instrument's own share of
the mark, whichever is more; where a market may be wide, also by its own width."""

MARK_MAX_NS: Nanos = 5 * SECOND
"""A mark that has not been stated again for longer than this is none."""

REFERENCE_MAX_NS: Nanos = 3 * SECOND
"""How long the last good reference may stand in while our own orders blur the book."""

_AMOUNT_NOISE = 1e-9
_LEAST = 1e-12
"""Any price is more, but for that of what has come to nothing."""


class _Beside:
    """Room for what is kept beside a market's fields: no part of equality or of a tape."""

    __slots__ = ("_allowance", "_stands")
    _stands: Standing | None
    _allowance: Allowance

    @property
    def stands(self) -> Standing | None:
        """The last decision, while it may stand (core.basis)."""
        try:
            return self._stands
        except AttributeError:  # nothing is decided yet
            return None

    def keep(self, stands: Standing | None, allowance: Allowance | None = None) -> None:
        """This was decided just now, where None will not do for another time, and this is surely
        allowed; None: as before."""
        self._stands = stands
        if allowance is not None:
            self._allowance = allowance

    @property
    def allowance(self) -> Allowance | None:
        """What the desk's rules surely allowed when it was last asked for (core.leeway)."""
        try:
            return self._allowance
        except AttributeError:  # nothing has gone before the rules yet
            return None


@dataclass(slots=True)
class Market(_Beside):
    """Everything known about one instrument's market, our own quotes included."""

    instrument: Instrument
    desk: str = ""
    """Which trades it; empty where there is but one."""
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    lost: Why | None = Why.NO_BOOK
    book_venue_ms: int = 0
    received_ns: Nanos = 0
    mark: float | None = None
    """The last one that could be read; for valuing what is held, however old."""
    index: float | None = None
    forward: float | None = None
    priced_ns: Nanos = 0
    """When mark and index were last stated, both; 0 after a ticker that lacked one of them."""
    mark_iv: float | None = None
    delta: float | None = None
    min_price: float | None = None
    max_price: float | None = None
    best_bid: float | None = None
    """As the ticker states them, our own orders included; volatilities and funding as there."""
    best_ask: float | None = None
    bid_iv: float | None = None
    ask_iv: float | None = None
    current_funding: float | None = None
    funding_8h: float | None = None
    own_ms: dict[Side, int] = field(default_factory=lambda: {Side.BUY: 0, Side.SELL: 0})
    """The venue's last stamp on an order of ours, per side."""
    held: dict[Side, tuple[tuple[Level, ...], Nanos]] = field(default_factory=dict)
    """The last good reference and its moment, per side."""
    worst_coin: Decimal = ZERO
    """Worst-case exposure, in coin of the underlying."""
    quotes: tuple[Quote, ...] = ()
    """What the strategy last said, for `explain` and the table ..."""
    pricer: str = ""
    """... whose fair value that was built on ..."""
    valuation: Valuation | None = None
    """... and what it was; None while there is none."""
    why: dict[Side, Why] = field(default_factory=dict)
    """Why each side is as it is."""
    uptime: Uptime = field(default_factory=Uptime)
    closure: Closure = field(default_factory=Closure)
    halted: str = ""
    """Both numbers, when the venue's position and our fills disagree."""

    off: tuple[Side, ...] = ()
    """Sides that a person has switched off."""
    expiry_asked: bool = False
    """Expired, and the venue is being asked what that came to."""
    chain: str = ""
    """Of an option that is valued with others: its chain (core.chains) ..."""
    row: int = -1
    """... and its row there."""

    def expired(self, now_ns: Nanos) -> bool:
        """Whether the instrument has reached its expiry."""
        expiry_ns = self.instrument.expiry_ns
        return expiry_ns is not None and now_ns >= expiry_ns

    def notional_usd(self, fill: Fill) -> float:
        """What was traded, in USD of the underlying, or paid for shares; 0 where its index is not
        known."""
        instrument = self.instrument
        if instrument.counted_in_usd:
            return float(fill.amount)
        if instrument.counted_in_shares:
            return float(fill.amount * fill.price)
        index = float(fill.index) if fill.index is not None else self.index
        return float(fill.amount) * index if index is not None and 0 < index < inf else 0.0

    def take_book(self, event: BookChanged) -> None:
        """A newer book."""
        self.bids, self.asks = event.bids, event.asks
        self.book_venue_ms, self.received_ns = event.venue_ms, event.received_ns
        self.lost = None

    def lose_book(self, why: Why) -> None:
        """The book is not to be trusted until it changes again."""
        self.bids, self.asks, self.lost = (), (), why
        self.held.clear()

    def take_ticker(self, event: TickerChanged) -> None:
        """Newer reference values; what is no price is none."""
        mark, index = event.mark, event.index
        least = 0 if self.instrument.may_be_worthless else _LEAST
        has_mark = mark is not None and least <= mark < inf  # false for NaN
        has_index = index is not None and _LEAST <= index < inf
        if has_mark:
            self.mark = mark
        if has_index:
            self.index = index
        self.priced_ns = event.received_ns if has_mark and has_index else 0
        self.forward = event.forward if event.forward is not None else event.index
        self.mark_iv, self.delta = event.mark_iv, event.delta
        self.min_price, self.max_price = event.min_price, event.max_price
        self.best_bid, self.best_ask = event.best_bid, event.best_ask
        self.bid_iv, self.ask_iv = event.bid_iv, event.ask_iv
        self.current_funding, self.funding_8h = event.current_funding, event.funding_8h


def book_fault(market: Market, age_ns: Nanos, now_ns: Nanos) -> Why | None:
    """Why no quote may be built on this market now; None when it is sound. `age_ns`: of the book,
    or of the last proof that nothing is missing from it."""
    if market.lost is not None:
        return market.lost
    if not market.bids and not market.asks:
        return Why.BOOK_EMPTY
    mark = market.mark
    if mark is None or now_ns - market.priced_ns > MARK_MAX_NS:
        return Why.NO_MARK
    if age_ns > SILENCE_MAX_NS:
        return Why.BOOK_STALE
    if not market.bids or not market.asks:
        return None  # one side missing is a market, if a thin one
    bid, ask = market.bids[0][0], market.asks[0][0]
    if not bid < ask:  # also true for NaN
        return Why.BOOK_CROSSED
    instrument = market.instrument
    away = abs((bid + ask) / 2 - mark)
    if (
        away <= instrument.implausible_share * mark  # as nearly always
        or away <= IMPLAUSIBLE_TICKS * instrument.grid.ladder.tick
        or (instrument.may_be_wide and away <= ask - bid)
    ):
        return None
    return Why.BOOK_IMPLAUSIBLE


def reference(
    market: Market,
    side: Side,
    orders: Iterable[Order],
    now_ns: Nanos,
    good: dict[Side, tuple[Level, ...]],
) -> tuple[Level, ...] | None:
    """The levels of one side without our own orders: of this moment, which are noted in `good`, or
    the last good ones while that is unclear. None when there are none, or they are too old."""
    levels = market.bids if side is BUY else market.asks
    if market.book_venue_ms >= market.own_ms[side]:
        others = _others(levels, side, orders)
        if others is not None:
            good[side] = others
            return others
    kept, since_ns = market.held.get(side, ((), 0))
    if not since_ns or now_ns - since_ns > REFERENCE_MAX_NS:
        return None
    facing = market.asks if side is BUY else market.bids
    if facing:
        # The market has moved through some of them: those are gone, whoever they belong to.
        kept = tuple(level for level in kept if (facing[0][0] - level[0]) * side.sign > 0)
    return kept


def _others(
    levels: tuple[Level, ...], side: Side, orders: Iterable[Order]
) -> tuple[Level, ...] | None:
    """One side of the book without our own orders; None where it does not show them as they are."""
    ours: list[Level] = []
    for order in orders:
        if order.side is side:
            if order.status is LIVE:
                ours.append((float(order.price), float(order.remaining)))
            elif order.status is not DONE:
                return None
    if not ours:
        return levels
    worst = levels[-1][0] if levels else (0.0 if side is BUY else inf)
    if len(ours) == 1:  # as nearly always
        return _without(levels, ours[0], worst, side)
    amounts: dict[float, float] = {}
    for price, own in ours:
        amounts[price] = amounts.get(price, 0.0) + own
    others: tuple[Level, ...] | None = levels
    for one in amounts.items():
        others = None if others is None else _without(others, one, worst, side)
    return others


def _without(
    levels: tuple[Level, ...], ours: Level, worst: float, side: Side
) -> tuple[Level, ...] | None:
    """The same for one price of ours. `worst`: of the prices in the book."""
    price, own = ours
    for at, (shown_at, shown) in enumerate(levels):
        if shown_at == price:
            left = shown - own
            if left > _AMOUNT_NOISE:
                return *levels[:at], (price, left), *levels[at + 1 :]
            if left < -_AMOUNT_NOISE:
                return None
            return levels[:at] + levels[at + 1 :] if at else levels[1:]
    # Where it should be visible, it is not yet.
    return None if (price - worst) * side.sign >= 0 else levels
