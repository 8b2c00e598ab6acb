"""A bot with an option that expires in 20 s, beside a perpetual that does not: the test says what
the venue delivers, and lets time pass."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.intents import Cancel, Resync, VenueIntent
from mmbot.core.order_life import OrderState
from mmbot.core.statements import Flow, FlowKind
from mmbot.core.types import MS, SECOND, Side
from tests.builders import NOW_NS, a_perpetual, a_quote, an_option
from tests.core.bot import Bot

LIFE_S = 20
SOON = an_option(expiry_ns=NOW_NS + LIFE_S * SECOND)
PERP = a_perpetual()
DELIVERED = Flow(
    ref="900",
    kind=FlowKind.DELIVERY,
    instrument=SOON.id,
    currency="ETH",
    money=Decimal("0.035"),
    venue_ms=NOW_NS // MS + LIFE_S * 1000,
    price=Decimal("0.0175"),
    fee=Decimal("0.0001"),
)
"""2 of it end at 0.0175."""


class Ending(Bot):
    """Connected, reconciled, every market seen; `owed` are flows that the venue tells when asked
    for them. It answers every look and every cancel; what is `stuck` rests, whatever is sent."""

    def __init__(self, *, desk: str = "") -> None:
        super().__init__(SOON, PERP)
        self.owed: Sequence[Flow] = ()
        self.stuck = False
        self.desk = desk
        self.retired: list[str] = []
        self.connect()
        self.turn(self.snapshot())
        self.turn(self.alive(), self.ticker(SOON), self.ticker(PERP, mark=2851.0), self.book())

    def connect(self, *, ticking: bool = True) -> list[VenueIntent]:
        listed = ev.InstrumentsListed(self.instruments, self.desk)
        return [*self.turn(listed), *super().connect(ticking=ticking)]

    def turn(self, *events: ev.Event, after_s: float = 0.01) -> list[VenueIntent]:
        there = set(self.state.markets)
        sent = super().turn(*events, after_s=after_s)
        self.retired += [name for name in there if name not in self.state.markets]
        return sent

    def buy(self, amount: int = 2, price: float = 0.02, fee: str = "0.0006") -> None:
        """A bid of ours is taken whole; nothing is quoted any more."""
        (order,) = self.rest(a_quote(Side.BUY, price, amount))
        self.wants = ()
        fill = replace(self.fill(order, amount), fee=Decimal(fee), mark=Decimal("0.0215"))
        self.turn(ev.Filled(fill), self.says(order, OrderState.FILLED, filled=amount))
        assert not self.orders

    def live(self, seconds: float) -> None:
        """Let so much time pass, or as much as it takes until something leaves."""
        for _ in range(round(seconds * 2)):
            if self.step():
                return

    def step(self) -> bool:
        """Half a second; whether something left."""
        gone = len(self.retired)
        for intent in self.turn(self.alive(), ev.Tick(), after_s=0.5):
            if isinstance(intent, Cancel) and not self.stuck:
                order = self.state.orders.by_label[intent.label]
                self.turn(self.says_cancelled(order), after_s=0.001)
            elif isinstance(intent, Resync):
                self.turn(self.answer(intent), after_s=0.001)
        return len(self.retired) > gone

    def answer(self, asked: Resync) -> ev.SnapshotTaken:
        """What the venue shows: what we believe, once it has told what it owed."""
        resting = tuple(self.stated(o) for o in self.orders if self.stuck and o.working)
        unknown = tuple((label, None) for _, label in asked.labels if not self.stuck)
        if asked.flows_since_ms is None or not self.owed:
            return self.snapshot(orders=resting, lookups=unknown)
        return self.snapshot(flows=self.owed, positions={SOON.id: 0})
