"""Statements: what a venue says of executions, money, orders, positions and equity.

What it does not say is None; zero is a number.
"""

from decimal import Decimal
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from mmbot.core.contracts import Instrument
from mmbot.core.types import ZERO, InstrumentId, Label, Side, venue_name


class Liquidity(Enum):
    """Whether a fill made or took."""

    MAKER = "maker"
    TAKER = "taker"


class Finality(Enum):
    """Whether an execution stands."""

    FINAL = "final"
    PROVISIONAL = "provisional"
    """Matched; the venue may still take it back."""
    VOIDED = "voided"
    """Taken back. Said of the execution and of its reversal."""


class Fill(Struct, frozen=True, kw_only=True, gc=False):
    """One execution; `fee` in `fee_currency`. `liquidity` is None where the venue does not say.

    `trade_id` and `side` together are unique per venue and account: a trade with ourselves is two
    executions under one id, and two venues may use the same one. Where fills are provisional the
    venue states each again when it is known to stand or not.
    """

    trade_id: str
    instrument: InstrumentId
    side: Side
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity | None
    order_id: str
    label: Label | None
    venue_ms: int
    mark: Decimal | None = None
    index: Decimal | None = None
    finality: Finality = Finality.FINAL
    stated_ms: int = 0
    """When the venue said so (its own stamp); 0: when it was traded."""
    reverses: str = ""
    """Of a reversal: the id of the trade that is taken back."""

    @property
    def key(self) -> str:
        """What it is booked under, once."""
        venue = venue_name(self.instrument)
        return booking_key(venue, execution_key(self.trade_id, self.side))

    def reversal(self, at_ms: int) -> "Fill":
        """The entry that takes it back at that moment: the same the other way round, fee included,
        at the same mark, so that nothing is left of it in any sum."""
        return replace(
            self,
            trade_id=f"{self.trade_id} void",
            side=self.side.opposite,
            fee=-self.fee,
            venue_ms=at_ms,
            finality=Finality.VOIDED,
            stated_ms=at_ms,
            reverses=self.trade_id,
        )


def execution_key(trade_id: str, side: Side) -> str:
    """The name of one execution on an account."""
    return f"{trade_id} {side.value}"


def booking_key(venue: str, name: str) -> str:
    """What an execution or a flow is booked under, by its name on the account at a venue."""
    return f"{venue} {name}"


class FlowKind(Enum):
    """What moved money on the account other than a trade."""

    FUNDING = "funding"
    SETTLEMENT = "settlement"
    DELIVERY = "delivery"
    TRANSFER = "transfer"


class Flow(Struct, frozen=True, kw_only=True, gc=False):
    """Money that moved without a trade; `ref` is unique per venue and account.

    Funding: `money` received (negative: paid), in `currency`. Settlement: the venue paid out
    `money`, what a perpetual or a future earned in the session; as profit it is counted already.
    Delivery: the position of an expired instrument ends at `price` (its payoff, in the quote unit)
    for `fee`. Transfer: `money` came in or went out; no instrument. `index`: USD per coin at that
    moment, where it is known.
    """

    ref: str
    kind: FlowKind
    instrument: InstrumentId | None
    currency: str
    money: Decimal
    venue_ms: int
    price: Decimal | None = None
    fee: Decimal = ZERO
    index: Decimal | None = None

    @property
    def name(self) -> str:
        """The name of one flow on an account."""
        return f"{self.kind.value} {self.ref}"


class OpenOrder(Struct, frozen=True, gc=False):
    """An order as the venue states it (in a snapshot). What it does not say is None, but for the
    price of an order that has none. To cancel it, the id is enough."""

    order_id: str
    label: Label | None
    instrument: InstrumentId | None
    side: Side | None
    price: Decimal | None
    amount: Decimal | None
    filled: Decimal | None
    venue_ms: int = 0
    created_ms: int | None = None


class HeldPosition(Struct, frozen=True, gc=False):
    """A position as the venue states it: signed, in the instrument's amount unit."""

    instrument: InstrumentId
    amount: Decimal | None
    """None where it could not be read: then nothing is known of it, least of all that it is 0."""
    mark: Decimal | None = None
    funding: Decimal = ZERO
    """Funding of this session that is in equity but not in the balance yet."""
    terms: Instrument | None = None
    """Of an instrument that no desk trades: what is needed to reckon its exposure."""
    average: Decimal | None = None
    """The average price it was opened at, in the quote unit."""
    index: Decimal | None = None
    """USD per coin of the underlying."""
    delta: float | None = None
    """Of the whole position, in coin of the underlying."""


class Equity(Struct, frozen=True, gc=False):
    """One currency's account value as the venue states it."""

    currency: str
    equity: Decimal
    balance: Decimal = ZERO
    maintenance_margin: Decimal | None = ZERO
    """What the positions need; below it the venue liquidates. None where it is not stated."""
    margin_balance: Decimal | None = None
    """What that is compared with; None: the equity."""
    cross: bool = False
    """The two margins are those of the whole portfolio, converted into this currency."""
