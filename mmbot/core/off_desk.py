"""What the account holds where no desk trades: bought by hand, or by another desk.

No quote of ours rests there, but the exposure and the profit are the account's all the same.

Theory of operation
-------------------
The venue states these positions in every look. What one earned in this run is its worth at the mark
less what it cost: its worth when the run first saw it, or, for what was opened later, the venue's
average price. A trade that is heard of changes the cost by its own price and fee. One that was not
heard of is found at the next look, and counted at the average price where that tells it, else at
the mark.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from mmbot.core.contracts import Instrument
from mmbot.core.statements import Fill, HeldPosition
from mmbot.core.types import ZERO, InstrumentId


@dataclass(slots=True)
class OffDesk:
    """Positions on one underlying, added up by what they are counted in."""

    coin: Decimal = ZERO
    usd: Decimal = ZERO
    """Of inverse perpetuals and futures."""

    def add(self, instrument: Instrument, amount: Decimal) -> None:
        """One more position, signed, in the instrument's amount unit: its absolute amount. Shares
        of a binary are no coin (`Instrument.coin`)."""
        if instrument.counted_in_usd:
            self.usd += abs(amount)
        elif instrument.counted_in_coin:
            self.coin += abs(amount)

    def in_coin(self, index: Decimal | None) -> Decimal:
        """All of it as delta-one, in coin (`index` in USD; without one, what needs none)."""
        return self.coin if index is None else self.coin + self.usd / index


@dataclass(slots=True)
class Held:
    """One position that no desk trades, signed, in the instrument's amount unit."""

    terms: Instrument | None
    """None where the venue does not list it."""
    amount: Decimal
    cost: Decimal | None
    """What it cost this run, in settlement currency; None where that cannot be told."""
    mark: Decimal | None = None
    average: Decimal | None = None
    index: Decimal | None = None
    """USD per coin of the underlying."""
    delta: float | None = None
    """Of all of it, in coin of the underlying."""

    @property
    def profit(self) -> Decimal | None:
        """What it earned in this run, in settlement currency; None where that cannot be told."""
        if self.terms is None or self.cost is None:
            return None
        if not self.amount:
            return -self.cost
        return None if self.mark is None else self.terms.value(self.amount, self.mark) - self.cost

    def trade(self, fill: Fill) -> None:
        """A person's trade, or another desk's, as it is heard of."""
        if self.terms is None:
            return
        change = fill.amount * fill.side.sign
        self.amount += change
        if self.cost is not None:
            fee = fill.fee if fill.fee_currency == self.terms.settlement else ZERO
            self.cost += _worth(self.terms, change, fill.price) + fee

    def look(self, stated: HeldPosition) -> None:
        """The venue's word on it."""
        assert stated.amount is not None
        if stated.amount != self.amount:
            self.cost = self._cost_of(stated, stated.amount)
        self.terms = stated.terms or self.terms
        self.amount, self.average = stated.amount, stated.average
        self.mark = stated.mark if stated.mark is not None else self.mark
        self.index = stated.index if stated.index is not None else self.index
        self.delta = stated.delta

    def _cost_of(self, stated: HeldPosition, amount: Decimal) -> Decimal | None:
        terms, mark = self.terms, stated.mark
        if terms is None or self.cost is None:
            return None
        grown = amount * self.amount > 0 and abs(amount) > abs(self.amount)
        if grown and self.average and stated.average:
            before = terms.value(self.amount, self.average)
            return self.cost + terms.value(amount, stated.average) - before
        return None if mark is None else self.cost + _worth(terms, amount - self.amount, mark)


def look_off_desk(
    held: dict[InstrumentId, Held],
    positions: Iterable[HeldPosition],
    traded: Mapping[InstrumentId, object],
    *,
    first: bool,
) -> dict[str, OffDesk]:
    """Take in what a look at the venue shows outside `traded`, and return it by underlying.

    `first`: nothing was seen in this run before, so that what is there was there before us."""
    seen = {p.instrument: p for p in positions if p.instrument not in traded}
    for name, one in held.items():
        if name not in seen and name not in traded:
            seen[name] = HeldPosition(name, ZERO, one.mark)
    for name in [name for name in held if name in traded]:
        del held[name]  # listed since, and somebody's to quote
    by_underlying: dict[str, OffDesk] = {}
    for name, stated in seen.items():
        if stated.amount is None:
            continue  # nobody knows: what was seen last stands
        if name in held:
            held[name].look(stated)
        elif stated.amount:
            held[name] = _opened(stated, stated.amount, first=first)
    for one in held.values():
        if one.amount and one.terms is not None:
            by_underlying.setdefault(one.terms.underlying, OffDesk()).add(one.terms, one.amount)
    return by_underlying


def _opened(stated: HeldPosition, amount: Decimal, *, first: bool) -> Held:
    price = stated.mark if first else stated.average or stated.mark
    cost = None
    if stated.terms is not None and price is not None:
        cost = _worth(stated.terms, amount, price)
    return Held(stated.terms, amount, cost, stated.mark, stated.average, stated.index, stated.delta)


def _worth(terms: Instrument, amount: Decimal, price: Decimal) -> Decimal:
    """At a price that may be nothing, where a contract can come to that."""
    return terms.value(amount, price) if terms.is_price(price) else ZERO
