"""The least that a venue may be: one instrument, a book that never moves, orders in memory."""

import asyncio
from dataclasses import dataclass
from typing import Any

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities
from mmbot.core.intents import Amend, Cancel, Place, Resync
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import OpenOrder
from mmbot.core.types import ZERO
from mmbot.plugins.registry import Family, register
from tests.builders import a_linear_perpetual


class NullVenue:
    endpoint, on_listed, unread_listings = "memory", None, dict[str, str]()

    def __init__(self, site: Any, clock: Any) -> None:
        self.name, self.clock, self.resting = site.name, clock, dict[str, OpenOrder]()
        one = a_linear_perpetual(id=f"{site.name}:NULL", venue=site.name, name="NULL")
        self.open, self.account, self.index_price = says([one]), says("nobody"), says(100.0)
        self.id, self.cancel_ours, self.close = one.id, says([]), says(None)

    def reads_left(self) -> dict[str, float]:
        return {}

    async def connect(self, sink: Any, instruments: Any, watched: Any = ()) -> None:
        self.sink, ns = sink, self.clock.now_ns()
        sink(ev.LimitsRead(self.name, 100.0, 100.0))
        for link in ev.Link:
            sink(ev.LinkChanged(self.name, link, up=True))
        sink(ev.BookChanged(self.id, ((99.0, 5.0),), ((101.0, 5.0),), ns // 10**6, ns))
        sink(ev.TickerChanged(self.id, 100.0, 100.0, 100.0, None, 1.0, 1.0, 999.0, ns))

    def submit(self, intents: Any) -> None:
        for one in intents:
            if isinstance(one, Resync):
                ns, orders = self.clock.now_ns(), tuple(self.resting.values())
                self.sink(ev.LinkAlive(self.name, ev.Link.MARKET, ns, ns))
                self.sink(ev.SnapshotTaken(self.name, ns, orders, (), ()))
            elif isinstance(one, Place | Amend):
                side = one.side if isinstance(one, Place) else self.resting[one.label].side
                terms = (self.id, side, one.price, one.amount, ZERO)
                self.resting[one.label] = OpenOrder(one.label, one.label, *terms)
                request = Request.PLACE if isinstance(one, Place) else Request.AMEND
                self.tell(self.resting[one.label], OrderState.OPEN, request)
            else:
                for label in [one.label] if isinstance(one, Cancel) else one.labels:
                    self.tell(self.resting.pop(label), OrderState.CANCELLED, Request.CANCEL)

    def tell(self, o: OpenOrder, state: OrderState, answers: Request) -> None:
        said = (o.label, o.order_id, self.id, o.side, o.price, o.amount, ZERO)
        self.sink(ev.OrderSeen(self.name, *said, state, self.clock.now_ms(), answers))


def says(answer: Any) -> Any:
    return lambda *_: asyncio.sleep(0, answer)


@register(Family.VENUE, "null")
@dataclass(frozen=True)
class NullPlugin:
    credentials, data, checks = (lambda *_: ((),)), NullVenue, says([])
    capabilities = staticmethod(Capabilities)
    trading = staticmethod(lambda site, keys, clock, timing: NullVenue(site, clock))
