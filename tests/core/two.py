"""A bot with two accounts in one state: the option of the usual one, and the same listed again at
a venue named `hedge`."""

from collections.abc import Sequence

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.desk import Desk
from mmbot.core.intents import VenueIntent, venue_of
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import Order
from mmbot.core.ports import RiskRule
from mmbot.core.types import InstrumentId, Quote, venue_name
from tests.builders import an_option
from tests.core.bot import LABELS, VENUE, Bot, both_sides

HEDGE = "hedge"
HERE = an_option()
THERE = an_option(id=InstrumentId(f"{HEDGE}:{HERE.name}"), venue=HEDGE)


class Two(Bot):
    """Both accounts are connected and reconciled; nothing is quoted yet."""

    def __init__(self, rules: Sequence[RiskRule] = ()) -> None:
        super().__init__(HERE, THERE, rules=rules)
        desk = Desk(name=HEDGE, venue=HEDGE, strategy=self.puppet, rules=tuple(rules))
        self.desks[THERE.id] = desk
        self.silent: set[str] = set()
        """Venues that give no sign of life."""
        links = [(venue, link) for venue in (VENUE, HEDGE) for link in ev.Link]
        self.turn(
            ev.InstrumentsListed(self.instruments),
            ev.LabelsReserved(LABELS),
            *(ev.LinkChanged(venue, link, up=True) for venue, link in links),
            ev.Tick(),
        )
        self.turn(self.word(VENUE), self.word(HEDGE))
        self.turn(*self.lives(), *map(self.ticker, self.instruments))

    def lives(self) -> list[ev.LinkAlive]:
        """The market links just completed a round trip."""
        alive = super().alive()
        return [replace(alive, venue=v) for v in (VENUE, HEDGE) if v not in self.silent]

    def books(self) -> list[ev.BookChanged]:
        """The same sound book at every venue that lives."""
        return [self.book(instrument=i) for i in self.instruments if i.venue not in self.silent]

    def wait(self, seconds: float) -> list[VenueIntent]:
        sent: list[VenueIntent] = []
        for _ in range(round(seconds * 10)):
            sent += self.turn(*self.lives(), ev.Tick(), after_s=0.1)
        return sent

    def says(
        self,
        order: Order,
        state: OrderState = OrderState.OPEN,
        *,
        answers: Request | None = None,
        filled: object = None,
        venue_ms: int | None = None,
    ) -> ev.OrderSeen:
        seen = super().says(order, state, answers=answers, venue_ms=venue_ms)
        return replace(seen, venue=venue_name(order.instrument))

    def word(self, venue: str, **said: object) -> ev.SnapshotTaken:
        """A venue's answer to the look in flight there."""
        asked_ns = self.state.account(venue).asked_ns
        whole = self.snapshot(asked_ns=asked_ns, **said)  # type: ignore[arg-type]
        held = tuple(p for p in whole.positions if venue_name(p.instrument) == venue)
        return replace(whole, venue=venue, positions=held)

    def quote(self, *quotes: Quote) -> None:
        """Both venues hold these orders (a bid and an ask, if none are given)."""
        for instrument in self.instruments:
            self.puppet.wants[instrument.id] = quotes or both_sides()
        self.turn(*self.lives(), *self.books())
        pending = (Status.PENDING, Status.AMENDING)
        self.turn(*(self.says_open(o) for o in self.orders if o.status in pending), after_s=0.001)
        self.turn(*self.books(), after_s=0.001)

    def at(self, venue: str) -> list[Order]:
        """Our working orders there."""
        return [order for order in self.state.orders.at(venue) if order.working]

    def gone(self, venue: str) -> None:
        """The venue says of all our orders there that they are cancelled."""
        self.turn(*(self.says_cancelled(order) for order in self.at(venue)))

    def flat(self, venue: str) -> bool:
        """Whether the account there is proved flat."""
        return self.state.account(venue).flat_verified


def to(venue: str, intents: Sequence[VenueIntent]) -> list[VenueIntent]:
    """What is sent to one venue."""
    return [intent for intent in intents if venue_of(intent) == venue]
