"""A bot on one venue, driven event by event: the test plays the venue, the market and the clock.

`Bot.quoting(...)` is connected, reconciled and sees a sound market; its strategy quotes what the
test put into `bot.wants`. `bot.turn(...)` applies events and returns what the bot sends.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from mmbot.core import bot as core
from mmbot.core import events as ev
from mmbot.core.books import Market
from mmbot.core.chains import FitSurface
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    CheckLease,
    Place,
    ReserveLabels,
    Resync,
    SaveLatch,
    StoreIntent,
    VenueIntent,
)
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import Order
from mmbot.core.ports import Guard, RiskRule
from mmbot.core.state import Account, State
from mmbot.core.statements import Fill, Flow, HeldPosition, OpenOrder
from mmbot.core.types import MS, SECOND, ZERO, InstrumentId, Label, Nanos, Quote, Side
from mmbot.core.views import View
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_fill, a_quote, an_option

VENUE = "deribit"
LABELS = 512

T = TypeVar("T", bound=VenueIntent)


@dataclass(slots=True)
class Puppet:
    """Quotes what the test last told it to; nothing where it was told nothing."""

    wants: dict[InstrumentId, Sequence[Quote] | Why] = field(default_factory=dict)
    views: list[View] = field(default_factory=list)

    def quotes(self, view: View) -> Iterable[Quote] | Why:
        self.views.append(view)
        return self.wants.get(view.instrument.id, ())


def both_sides(bid: float = 0.0200, ask: float = 0.0230, size: float = 1) -> list[Quote]:
    """A bid and an ask."""
    return [a_quote(Side.BUY, bid, size), a_quote(Side.SELL, ask, size)]


class Bot:
    """State and desk of one bot, and the words in which a venue speaks to it."""

    def __init__(self, *instruments: Instrument, rules: Sequence[RiskRule] = ()) -> None:
        self.instruments = instruments or (an_option(),)
        self.now_ns: Nanos = NOW_NS
        self.state = State(run="test", started_ns=NOW_NS)
        self.puppet = Puppet()
        desk = Desk(name="test", venue=VENUE, strategy=self.puppet, rules=tuple(rules))
        self.desks = {instrument.id: desk for instrument in self.instruments}
        self.guards: Sequence[Guard] = ()
        self.for_store: list[StoreIntent] = []
        self.fits: list[FitSurface] = []
        self.tickers_come = True
        """The venue goes on stating what its last ticker said, however long a test waits."""
        self._trades = 0

    @staticmethod
    def quoting(
        *instruments: Instrument, wants: Sequence[Quote] = (), rules: Sequence[RiskRule] = ()
    ) -> "Bot":
        """A bot whose every reason not to quote is gone. It has not quoted yet: `wants` (for the
        first instrument) go out with the next turn."""
        bot = Bot(*instruments, rules=rules)
        bot.connect()
        bot.turn(bot.snapshot())
        bot.turn(bot.alive(), *(bot.ticker(i) for i in bot.instruments), bot.book())
        bot.wants = wants
        return bot

    def connect(self, *, ticking: bool = True) -> list[VenueIntent]:
        """Instruments listed, labels reserved, both links up; returns what the bot asks."""
        return self.turn(
            ev.InstrumentsListed(self.instruments),
            ev.LabelsReserved(LABELS),
            ev.LinkChanged(VENUE, ev.Link.MARKET, up=True),
            ev.LinkChanged(VENUE, ev.Link.TRADING, up=True),
            *([ev.Tick()] if ticking else []),
        )

    # --- time and turns ---

    def turn(self, *events: ev.Event, after_s: float = 0.01) -> list[VenueIntent]:
        """`after_s` later, one turn with these events (a Tick if there are none).

        Returns what goes to the venue; what goes to the store is in `for_store`.
        """
        self.now_ns += int(after_s * SECOND)
        if self.tickers_come:
            for market in self.state.markets.values():
                market.priced_ns = market.priced_ns and self.now_ns
        to_venue: list[VenueIntent] = []
        happened = events or (ev.Tick(),)
        taken = core.Bot(self.state, self.desks, self.guards).step(happened, self.now_ns)
        if taken.error is not None:
            raise taken.error
        for intent in taken.intents:
            if isinstance(intent, CheckLease | ReserveLabels | SaveLatch):
                self.for_store.append(intent)
            elif isinstance(intent, FitSurface):
                self.fits.append(intent)
            else:
                to_venue.append(intent)
        return to_venue

    def lease_check(self) -> ev.LeaseChecked:
        """Lease and latch were read from the store just now."""
        return ev.LeaseChecked(self.now_ns)

    def wait(self, seconds: float) -> list[VenueIntent]:
        """Ticks every 0.1 s for that long, the market link alive; returns everything sent."""
        sent: list[VenueIntent] = []
        for _ in range(round(seconds * 10)):
            sent += self.turn(self.alive(), ev.Tick(), after_s=0.1)
        return sent

    # --- reading ---

    @property
    def instrument(self) -> Instrument:
        """The first instrument."""
        return self.instruments[0]

    @property
    def market(self) -> Market:
        """The first instrument's market."""
        return self.state.markets[self.instrument.id]

    @property
    def account(self) -> Account:
        """The one account."""
        return self.state.account(VENUE)

    @property
    def position(self) -> Decimal:
        """What is held of the first instrument."""
        return self.state.inventory.of(self.instrument).amount

    @property
    def orders(self) -> list[Order]:
        """Every order in the table, oldest first."""
        return list(self.state.orders.all())

    @property
    def order(self) -> Order:
        """The one order in the table."""
        (order,) = self.orders
        return order

    def on(self, side: Side) -> Order:
        """The one working order on that side of the first instrument."""
        (order,) = (
            o for o in self.state.orders.on(self.instrument.id) if o.side is side and o.working
        )
        return order

    @property
    def wants(self) -> Sequence[Quote] | Why:
        """What the strategy quotes on the first instrument."""
        return self.puppet.wants.get(self.instrument.id, ())

    @wants.setter
    def wants(self, quotes: Sequence[Quote] | Why) -> None:
        self.puppet.wants[self.instrument.id] = quotes

    # --- the market ---

    @property
    def ms(self) -> int:
        """The venue's clock."""
        return self.now_ns // MS

    def book(
        self,
        bid: float | None = 0.0190,
        ask: float | None = 0.0240,
        *,
        instrument: Instrument | None = None,
        venue_ms: int | None = None,
    ) -> ev.BookChanged:
        """The others at these prices (amount 10), and our live orders among them."""
        traded = instrument or self.instrument
        sides: dict[Side, dict[float, float]] = {
            Side.BUY: {} if bid is None else {bid: 10.0},
            Side.SELL: {} if ask is None else {ask: 10.0},
        }
        for order in self.state.orders.on(traded.id):
            if order.working and order.status is not Status.PENDING:
                levels = sides[order.side]
                price = float(order.price)
                levels[price] = levels.get(price, 0.0) + float(order.remaining)
        return ev.BookChanged(
            instrument=traded.id,
            bids=tuple(sorted(sides[Side.BUY].items(), reverse=True)),
            asks=tuple(sorted(sides[Side.SELL].items())),
            venue_ms=self.ms if venue_ms is None else venue_ms,
            received_ns=self.now_ns,
        )

    def ticker(
        self,
        instrument: Instrument | None = None,
        *,
        mark: float | None = 0.0215,
        index: float | None = 2850.0,
        state: str | None = None,
    ) -> ev.TickerChanged:
        """Reference values of an option's market."""
        traded = instrument or self.instrument
        return ev.TickerChanged(
            instrument=traded.id,
            mark=mark,
            index=index,
            forward=None,
            mark_iv=0.62,
            delta=0.5,
            min_price=None,
            max_price=None,
            received_ns=self.now_ns,
            state=state,
        )

    def alive(self) -> ev.LinkAlive:
        """The market link just completed a round trip."""
        return ev.LinkAlive(VENUE, ev.Link.MARKET, self.now_ns, self.now_ns)

    # --- the venue's word on our orders ---

    def says(
        self,
        order: Order,
        state: OrderState = OrderState.OPEN,
        *,
        answers: Request | None = None,
        filled: Decimal | int | None = None,
        venue_ms: int | None = None,
    ) -> ev.OrderSeen:
        """The venue's statement about an order, on the terms we last asked for if it `answers`."""
        asked = answers is Request.AMEND
        return ev.OrderSeen(
            venue=VENUE,
            label=order.label,
            order_id=order.order_id or f"id-{order.label}",
            instrument=order.instrument,
            side=order.side,
            price=order.want_price if asked else order.price,
            amount=order.want_amount if asked else order.amount,
            filled=order.filled if filled is None else Decimal(filled),
            state=state,
            venue_ms=self.ms if venue_ms is None else venue_ms,
            answers=answers,
        )

    def says_open(self, order: Order) -> ev.OrderSeen:
        """The good answer to the place or amend in flight."""
        return self.says(order, answers=order.request)

    def says_cancelled(self, order: Order) -> ev.OrderSeen:
        """The order is gone."""
        return self.says(order, OrderState.CANCELLED, answers=order.request)

    def refuses(
        self,
        order: Order,
        request: Request = Request.PLACE,
        *,
        stands: bool | None = False,
        why: Why = Why.REFUSED,
    ) -> ev.RequestRefused:
        """The venue says no."""
        return ev.RequestRefused(order.label, request, why, "refused in a test", stands)

    def fill(
        self, order: Order, amount: Decimal | int | str = 1, *, trade_id: str | None = None
    ) -> Fill:
        """An execution of our order at its price, now."""
        self._trades += 1
        return a_fill(
            order.side,
            order.price,
            amount,
            trade_id=trade_id or f"trade-{self._trades}",
            label=order.label,
            venue_ms=self.ms,
        )

    def snapshot(
        self,
        *,
        orders: Sequence[OpenOrder] = (),
        positions: Mapping[InstrumentId, Decimal | int | None] | None = None,
        fills: Sequence[Fill] = (),
        flows: Sequence[Flow] = (),
        lookups: Sequence[tuple[Label, ev.OrderSeen | None]] = (),
        asked_ns: Nanos | None = None,
        orders_complete: bool = True,
    ) -> ev.SnapshotTaken:
        """The answer to the snapshot in flight. Positions not given are what our fills say."""
        held: dict[InstrumentId, Decimal | None] = {
            i.id: self.state.inventory.of(i).amount
            for i in self.instruments
            if i.id in self.state.markets
        }
        for fill in fills:
            if fill.key not in self.state.inventory.booked:
                held[fill.instrument] = (
                    held[fill.instrument] or ZERO
                ) + fill.amount * fill.side.sign
        for instrument, amount in (positions or {}).items():
            held[instrument] = None if amount is None else Decimal(amount)
        return ev.SnapshotTaken(
            venue=VENUE,
            asked_ns=self.account.asked_ns if asked_ns is None else asked_ns,
            orders=tuple(orders),
            flows=tuple(flows),
            positions=tuple(HeldPosition(i, amount) for i, amount in held.items()),
            fills=tuple(fills),
            lookups=tuple(lookups),
            orders_complete=orders_complete,
        )

    def stated(self, order: Order, *, filled: Decimal | int | None = None) -> OpenOrder:
        """An order of ours as a snapshot lists it: as we believe it to be."""
        return OpenOrder(
            order_id=order.order_id or f"id-{order.label}",
            label=order.label,
            instrument=order.instrument,
            side=order.side,
            price=order.price,
            amount=order.amount,
            filled=order.filled if filled is None else Decimal(filled),
            venue_ms=self.ms,
        )

    # --- shortcuts ---

    def rest(self, *quotes: Quote) -> list[Order]:
        """Place these and let the venue acknowledge them; returns the working orders."""
        self.wants = quotes or both_sides()
        self.turn(self.book())
        self.acknowledge()
        return [o for o in self.orders if o.working]

    def acknowledge(self) -> None:
        """The venue answers every place and amend in flight, and its book shows the result."""
        pending = (Status.PENDING, Status.AMENDING)
        self.turn(*(self.says_open(o) for o in self.orders if o.status in pending), after_s=0.001)
        self.turn(self.book(), after_s=0.001)

    def ask_again(self) -> Resync:
        """Let time pass until the bot asks the venue for its word."""
        for _ in range(400):
            for intent in self.turn(self.alive(), ev.Tick(), after_s=0.1):
                if isinstance(intent, Resync):
                    return intent
        raise AssertionError("40 s without a resync")


def of_kind(kind: type[T], intents: Iterable[VenueIntent]) -> list[T]:
    """The intents of one kind."""
    return [intent for intent in intents if isinstance(intent, kind)]


def places(intents: Iterable[VenueIntent]) -> list[Place]:
    """New orders."""
    return of_kind(Place, intents)


def amends(intents: Iterable[VenueIntent]) -> list[Amend]:
    """Changes."""
    return of_kind(Amend, intents)


def cancels(intents: Iterable[VenueIntent]) -> list[Cancel]:
    """Single cancels."""
    return of_kind(Cancel, intents)


def mass_cancels(intents: Iterable[VenueIntent]) -> list[CancelAll]:
    """Mass cancels."""
    return of_kind(CancelAll, intents)


def resyncs(intents: Iterable[VenueIntent]) -> list[Resync]:
    """Questions to the venue."""
    return of_kind(Resync, intents)


def a_foreign_order(
    order_id: str = "900", *, instrument: Instrument | None = None, label: str | None = "hers"
) -> OpenOrder:
    """Somebody else's order on the same account."""
    return OpenOrder(
        order_id=order_id,
        label=None if label is None else Label(label),
        instrument=(instrument or an_option()).id,
        side=Side.BUY,
        price=Decimal("0.0100"),
        amount=Decimal(5),
        filled=ZERO,
        venue_ms=NOW_NS // MS,
    )
