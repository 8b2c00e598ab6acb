"""One account of ours in a virtual world: what it is called at both ends, its desks and its line.

All accounts of a world are at one exchange and see one market. Each has sessions, request credits
and a line of its own, on which things go wrong by themselves; what befalls the exchange or our
process befalls them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from mmbot.core import events as ev
from mmbot.core.desk import Desk
from mmbot.core.types import InstrumentId, Nanos
from mmbot.sim.virtual.face import VirtualVenue
from mmbot.sim.virtual.faults import FaultInjector
from mmbot.sim.virtual.pump import Pump
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.timeline import Timeline

ACCOUNT: Final = "bot"
"""What the exchange calls the first of our accounts."""


def known_as(venue: str, *, first: bool) -> str:
    """What the exchange calls the account that the bot knows as `venue`."""
    return ACCOUNT if first else f"{ACCOUNT} {venue}"


@dataclass(slots=True, eq=False)
class VirtualAccount:
    """An account and its line. `name` is what the bot calls its venue, `desks` what quotes there;
    `flying` holds the order requests that will still arrive, whoever sent them."""

    name: str
    desks: Mapping[InstrumentId, Desk]
    venue: VirtualVenue
    trouble: FaultInjector
    flying: dict[object, OrderRequest] = field(default_factory=dict)
    line: Pump | None = None
    """Of the process that runs; None while none does."""

    @property
    def account(self) -> str:
        """What the exchange calls it."""
        return self.venue.account

    def connect(
        self,
        timeline: Timeline,
        draw: Random,
        sink: Callable[[ev.Event], None],
        on_arrival: Callable[[OrderRequest], None],
        on_carried_out: Callable[[OrderRequest], None],
        *,
        as_text: bool,
    ) -> None:
        """A process begins: it has a line of its own."""
        self.line = Pump(
            timeline,
            self.venue,
            self.trouble,
            draw,
            sink,
            self.flying,
            on_arrival,
            on_carried_out,
            as_text=as_text,
        )
        self.line.connect()

    def hang_up(self) -> None:
        """The process is gone, and its connections with it."""
        if self.line is not None:
            self.line.crash()
            self.line = None

    def misfortune(self, now_ns: Nanos) -> str:
        """What comes to a line so and so often an hour, asked once a second; in words, where the
        line was cut."""
        trouble, plan, said = self.trouble, self.trouble.plan, ""
        if self.line is not None:
            if trouble.befalls("cut", plan.cut_per_hour):
                said = f"every connection of {self.name} is cut"
                self.line.cut("cut")
                self.venue.away_until_ns = now_ns + trouble.up_to(plan.down_s)
            if trouble.befalls("half_open", plan.half_open_per_hour):
                which = trouble.pick(3)
                for link, spared in ((ev.Link.MARKET, 0), (ev.Link.TRADING, 1)):
                    if which != spared:
                        self.line.deafen(link, trouble.up_to(plan.half_open_s))
            if trouble.befalls("private_silence", plan.private_silence_per_hour):
                self.line.mute(trouble.up_to(plan.private_silence_s))
            if trouble.befalls("closed_book", plan.closed_book_per_hour):
                self.line.close_before_an_order(trouble.up_to(plan.closed_s))
        if trouble.befalls("stale_book", plan.stale_book_per_hour):
            names = list(self.venue.instruments)
            self.venue.stop_book(names[trouble.pick(len(names))], trouble.up_to(plan.stale_s))
        return said
