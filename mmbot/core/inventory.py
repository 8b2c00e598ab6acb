"""Positions, cost and PnL, exactly, in settlement currency.

Worth is linear in the amount (`Instrument.value`), so one set of formulas serves every kind. For
each instrument

    equity change = -sum value(dq, fill price) - fees + funding + value(q, mark)
                  = spread + inventory + funding - fees

where *spread* is what fills earned against the mark of their moment, value(dq, mark) -
value(dq, price), and *inventory* what the held position earned as the mark moved. Both telescope,
so marks need to be looked at only when a fill arrives and when somebody asks. An expiry is a trade
of the whole position at its payoff, which is its last mark.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mmbot.core.ages import Ages
from mmbot.core.contracts import Instrument
from mmbot.core.statements import Fill, Flow, FlowKind, Liquidity
from mmbot.core.types import MS, ZERO, InstrumentId, Nanos, Side

BOOKED_MAX = 100_000
"""Trade ids kept in mind. Far more than any back-fill reaches back to."""


@dataclass(frozen=True, slots=True)
class Pnl:
    """Profit in one settlement currency; total = spread + inventory + funding - fees."""

    total: Decimal = ZERO
    spread: Decimal = ZERO
    inventory: Decimal = ZERO
    fees: Decimal = ZERO
    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    funding: Decimal = ZERO

    def __add__(self, other: "Pnl") -> "Pnl":
        return Pnl(
            self.total + other.total,
            self.spread + other.spread,
            self.inventory + other.inventory,
            self.fees + other.fees,
            self.realized + other.realized,
            self.unrealized + other.unrealized,
            self.funding + other.funding,
        )

    def __sub__(self, other: "Pnl") -> "Pnl":
        return Pnl(
            self.total - other.total,
            self.spread - other.spread,
            self.inventory - other.inventory,
            self.fees - other.fees,
            self.realized - other.realized,
            self.unrealized - other.unrealized,
            self.funding - other.funding,
        )


@dataclass(slots=True)
class Position:
    """What we hold of one instrument and what became of it.

    `amount` is signed, in the instrument's amount unit; `open_value` is what the open part cost
    (value at its entry prices); all money in settlement currency.
    """

    instrument: Instrument
    amount: Decimal = ZERO
    opened: bool = False
    """Whether what was there before us has been taken over."""
    opened_ms: int = 0
    """Trades before this moment (venue time) are part of `opening`."""
    opening: Decimal = ZERO
    open_value: Decimal = ZERO
    cash: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    spread: Decimal = ZERO
    inventory: Decimal = ZERO
    mark: Decimal | None = None
    funding: Decimal = ZERO
    accrued: Decimal = ZERO
    """Funding of this session, not settled yet; part of the profit, not of the cash."""
    fills: int = 0
    volume: Decimal = ZERO
    last_fill_ms: int = 0

    def open_with(self, amount: Decimal, mark: Decimal | None) -> None:
        """The position that was there before us, taken over at the mark: no profit of ours.

        Where no mark is known, at the first one seen.
        """
        self.opened = True
        self.opening += amount
        mark = self.mark if mark is None else mark
        if mark is not None:
            self.revalue(mark)
        paid = self.instrument.value(amount, mark) if amount and mark is not None else ZERO
        self._take(amount, paid)

    def book(self, fill: Fill, mark: Decimal) -> None:
        """One execution, valued against `mark`, the mark price of its moment. A reversal is valued
        against the mark of what it takes back, and is no trade."""
        present, times = self.mark, -1 if fill.reverses else 1
        self.revalue(mark)
        change = fill.amount * fill.side.sign
        paid = self.instrument.value(change, fill.price)
        self._take(change, paid)
        self._pay(fill.fee)
        self.spread += self.instrument.value(change, mark) - paid
        self.fills += times
        self.volume += times * fill.amount
        self.last_fill_ms = fill.venue_ms
        if fill.reverses and present is not None:
            self.revalue(present)

    def flow(self, flow: Flow) -> None:
        """Funding settled, or the instrument delivered: all of it traded at its payoff.

        A settlement pays out what is in the profit already, so it changes nothing here.
        """
        if flow.kind is FlowKind.FUNDING:
            self.cash += flow.money
            self.funding += flow.money
        elif flow.kind is FlowKind.DELIVERY:
            assert flow.price is not None, f"delivery {flow.ref} without a price"
            self.revalue(flow.price)
            if self.amount:
                self._take(-self.amount, self.instrument.value(-self.amount, flow.price))
            self._pay(flow.fee)
        self.last_fill_ms = max(self.last_fill_ms, flow.venue_ms)

    def _pay(self, fee: Decimal) -> None:
        self.cash -= fee
        self.fees += fee

    def _take(self, change: Decimal, paid: Decimal) -> None:
        """Hold `change` more for `paid`; what it closes is realized at its share of the cost."""
        self.cash -= paid
        held = self.amount
        if held * change >= 0:
            self.open_value += paid
        else:
            closed = min(abs(change), abs(held))
            released = self.open_value * (closed / abs(held))
            closing = paid * (closed / abs(change))
            self.realized -= released + closing
            self.open_value += -released + (paid - closing)
        self.amount = held + change

    def revalue(self, mark: Decimal) -> None:
        """The mark moved: what we hold earned or lost by it."""
        if self.amount:
            value = self.instrument.value(self.amount, mark)
            if self.mark is None:  # taken over before any mark was known
                self.cash -= value
                self.open_value += value
            else:
                self.inventory += value - self.instrument.value(self.amount, self.mark)
        self.mark = mark

    def total(self, mark: Decimal) -> Decimal:
        """Profit since we started, at this mark, without its parts."""
        if self.mark is None:  # taken over before any mark was known: what is held earned nothing
            return self.cash + self.accrued
        worth = self.instrument.value(self.amount, mark) if self.amount else ZERO
        return self.cash + worth + self.accrued

    def pnl(self, mark: Decimal | None) -> Pnl:
        """Profit since we started, at this mark. What was taken over before any mark was known is
        so at this one."""
        mark = self.mark if mark is None else mark
        if mark is None:
            return Pnl(total=self.cash + self.accrued, fees=self.fees, funding=self.funding)
        worth = earned = moved = ZERO
        if self.amount:
            worth = earned = self.instrument.value(self.amount, mark)
            if self.mark is None:
                earned = ZERO
            else:
                moved = worth - self.instrument.value(self.amount, self.mark)
        return Pnl(
            total=self.cash + earned + self.accrued,
            spread=self.spread,
            inventory=self.inventory + moved,
            fees=self.fees,
            realized=self.realized + self.funding - self.fees,
            unrealized=earned - self.open_value,
            funding=self.funding + self.accrued,
        )


@dataclass(frozen=True, slots=True)
class Booked:
    """For the store: an execution or a reversal, valued against `mark`; `ours` if an order of ours
    made it."""

    fill: Fill
    instrument: Instrument
    mark: Decimal
    ours: bool
    again: bool = False
    """Booked before, as provisional: it is final now."""


@dataclass(frozen=True, slots=True)
class Opened:
    """For the store: a position that was there before us, taken over at `mark`. Trades up to
    `at_ms` (venue time) are part of it."""

    instrument: Instrument
    amount: Decimal
    mark: Decimal | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Flowed:
    """For the store: money that moved without a trade; no instrument for transfers."""

    flow: Flow
    instrument: Instrument | None
    venue: str
    """Of the account."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """For the store: an execution that is booked already is ours, by the label it has now."""

    fill: Fill


Entry = Booked | Opened | Flowed | Claimed


@dataclass(slots=True)
class Inventory:
    """Every position of the run, and which trades are already in it."""

    positions: dict[InstrumentId, Position] = field(default_factory=dict)
    carried: dict[InstrumentId, Position] = field(default_factory=dict)
    """Positions as earlier runs left them, at our first mark: where this session starts."""
    booked: dict[str, None] = field(default_factory=dict)
    """Keys of executions and flows (statements.booking_key), as an ordered set."""
    ages: Ages = field(default_factory=Ages)
    """Of these keys."""
    provisional: dict[str, Fill] = field(default_factory=dict)
    """By key, executions that the venue may still take back, each with the mark it was booked at;
    None: it is part of what was there before us."""

    def of(self, instrument: Instrument) -> Position:
        """The position in `instrument`, to look at: a flat one if there is none."""
        return self.positions.get(instrument.id) or Position(instrument)

    def add(self, instrument: Instrument) -> Position:
        """The position in `instrument`, kept from now on."""
        position = self.positions.get(instrument.id)
        if position is None:
            position = self.positions[instrument.id] = Position(instrument)
        return position

    def amount(self, instrument: InstrumentId) -> Decimal:
        """What is held of it, signed, in its amount unit."""
        position = self.positions.get(instrument)
        return position.amount if position is not None else ZERO

    def final(self, instrument: InstrumentId) -> Decimal:
        """What is held of it without what may still be taken back of what our quotes made. What was
        taken counts at once: it was wanted, and would be wanted again."""
        made = (f for f in self.open_fills(instrument) if f.liquidity is Liquidity.MAKER)
        return self.amount(instrument) - sum((f.amount * f.side.sign for f in made), ZERO)

    def worst(self, instrument: InstrumentId, side: Side) -> Decimal:
        """What is held of it if just those provisional fills are taken back that stand in the way
        of one side: the largest position where we buy, the smallest where we sell."""
        position = self.positions.get(instrument)
        held = position.amount if position is not None else ZERO
        if not self.provisional:
            return held
        against = side.opposite
        for fill in self.open_fills(instrument):
            if fill.side is against:
                held += fill.amount * side.sign
        return held

    def open_fills(self, instrument: InstrumentId) -> Iterator[Fill]:
        """Its provisional fills, oldest first."""
        if not self.provisional:
            return iter(())
        return (fill for fill in self.provisional.values() if fill.instrument == instrument)

    def opened(self, instrument: InstrumentId) -> bool:
        """Whether what was there before us has been taken over."""
        position = self.positions.get(instrument)
        return position is not None and position.opened

    def session(self, instrument: Instrument, mark: Decimal | None) -> Pnl:
        """Profit of this run on one instrument, at this mark."""
        pnl = self.of(instrument).pnl(mark)
        carried = self.carried.get(instrument.id)
        return pnl if carried is None else pnl - carried.pnl(carried.mark)

    def session_fills(self, instrument: Instrument) -> int:
        """Fills booked by this run on one instrument."""
        carried = self.carried.get(instrument.id)
        return self.of(instrument).fills - (carried.fills if carried is not None else 0)

    def take_over(self, position: Position) -> None:
        """Continue a position of an earlier run."""
        self.positions[position.instrument.id] = position
        self.carried[position.instrument.id] = replace(position)

    def book(self, fill: Fill, instrument: Instrument, mark: Decimal) -> bool:
        """Book a fill once, whatever its source; False when it is already in."""
        if self.knows(fill.key, fill.venue_ms):
            return False
        self.know(fill.key)
        self.add(instrument).book(fill, mark)
        return True

    def knows(self, ref: str, venue_ms: int) -> bool:
        """Whether this is booked. What the venue stamped before the oldest key is."""
        return ref in self.booked or venue_ms < self.ages.upto_ns // MS

    def forget_old(self, now_ns: Nanos, before_ns: Nanos) -> None:
        """Drop the keys of what was booked before a moment, and is asked for no more."""
        for key in self.ages.old(self.booked, now_ns, before_ns):
            del self.booked[key]

    def know(self, ref: str) -> None:
        """This is booked; the oldest such knowledge gives way (the store has all of it)."""
        self.booked[ref] = None
        if len(self.booked) > BOOKED_MAX:
            del self.booked[next(iter(self.booked))]
