"""The whole engine on a bench: two instruments quoted on both sides, and all that happens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import astuple, dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from mmbot.assemble import assemble
from mmbot.config import load_config
from mmbot.core import events as ev
from mmbot.core import timing as core_timing
from mmbot.core.intents import Amend, Intent, Place
from mmbot.core.order_life import Status
from mmbot.core.state import Account, State
from mmbot.core.types import InstrumentId, Label, Side
from mmbot.engine.supervise import Engine
from mmbot.venues.timing import Timing
from tests.contract.bench import Bench
from tests.contract.client import UNHURRIED, again
from tests.contract.law import contradictions

E = TypeVar("E", bound=ev.Event)

ROOMY = Path(__file__).with_name("roomy.toml")
"""A desk file under which sizes may be doubled."""
ORDERS = 4
"""Both sides of two instruments."""


@dataclass(slots=True)
class Desk:
    """A running engine, everything it heard and wanted, and the bench it trades on."""

    bench: Bench
    engine: Engine
    events: list[ev.Event]
    intents: list[Intent]
    story: list[ev.Event | Intent]
    """Both, in order."""

    @property
    def state(self) -> State:
        return self.engine.runner.state

    @property
    def account(self) -> Account:
        return self.state.account(self.bench.name)

    def tell(self, event: ev.Event) -> None:
        """Something happens to the engine."""
        self.engine.runner.sink(event)

    def heard(self, kind: type[E]) -> list[E]:
        """Everything of a kind so far."""
        return [one for one in self.events if isinstance(one, kind)]

    def has_heard(self, kind: type[ev.Event], before: int) -> bool:
        """Whether more of a kind has come than there was before."""
        return len(self.heard(kind)) > before

    def table(self) -> dict[Label, tuple[str, Decimal, Decimal]]:
        """Our working orders as the engine believes."""
        orders = [one for one in self.state.orders.all() if one.working]
        return {one.label: (one.side.value, one.price, one.amount) for one in orders}

    def at_venue(self) -> dict[Label | None, tuple[object, Decimal | None, Decimal | None]]:
        """The same as it is."""
        ours = self.bench.ours()
        return {o.label: (o.side and o.side.value, o.price, o.amount) for o in ours}

    def position(self, instrument: InstrumentId) -> Decimal:
        """What the engine has booked."""
        return self.state.inventory.of(self.state.markets[instrument].instrument).amount

    def differences(self) -> list[str]:
        """What engine and venue do not agree about, and what is unclear."""
        found = []
        if self.table() != self.at_venue():
            found.append(f"orders: {self.table()} but {self.at_venue()}")
        found += [f"{o}" for o in self.state.orders.all() if o.status is not Status.LIVE]
        trades = self.bench.trades()
        missing = [one.key for one in trades if one.key not in self.state.inventory.booked]
        if missing or self.fills() != len(trades):
            found.append(f"executions: {self.fills()}, without {missing}, but {trades}")
        held = self.bench.positions()
        for one in self.bench.ids:
            if one in self.state.markets and self.position(one) != held.get(one, 0):
                found.append(f"{one}: {self.position(one)} but {held.get(one)}")
        if self.state.latch.tripped is not None:
            found.append(f"tripped: {self.state.latch}")
        if not self.account.reconciled:
            found.append("not reconciled")
        return found

    def fills(self) -> int:
        """How many executions are in the positions."""
        markets = self.state.markets.values()
        return sum(self.state.inventory.of(one.instrument).fills for one in markets)

    def trade(self, side: Side, number: int = 0) -> None:
        """Strangers trade against all of our order on that side of one of the instruments."""
        here = (self.bench.ids[number], side)
        (ours,) = [one for one in self.bench.ours() if (one.instrument, one.side) == here]
        assert ours.amount is not None
        self.bench.fill(ours.order_id, ours.amount - (ours.filled or 0))

    async def quotes(self, orders: int = ORDERS) -> None:
        """Both sides of everything rest, and both sides say the same of it."""
        last: list[str] = []

        def settled() -> bool:
            last[:] = self.differences()
            return not last and len(self.bench.ours()) >= orders

        try:
            await self.bench.until(settled, f"{orders} orders, agreed")
        except AssertionError as error:
            why = [dict(market.why) for market in self.state.markets.values()]
            raise AssertionError(f"{error}\n" + "\n".join([*last, str(why)])) from None

    def first_sent_after(self, moment: int) -> int | None:
        """Where in the story the first place or move after a moment of it stands."""
        sent = [n for n, one in enumerate(self.story) if isinstance(one, Place | Amend)]
        return next((number for number in sent if number >= moment), None)


@asynccontextmanager
async def desk_on(
    bench: Bench, timing: Timing = UNHURRIED, config: Path | None = ROOMY, **flags: str
) -> AsyncIterator[Desk]:
    """A connected engine whose loop runs; on leaving it is stopped hard and closed."""
    given = bench.flags() | {f"--{name.replace('_', '-')}": text for name, text in flags.items()}
    with patch.dict("os.environ", bench.environment):
        engine = await again(lambda: assemble(load_config(given, config), bench.clock, timing))
    # A stall of this machine is no absence of the bot's that is `scale` times as long.
    scale, usual = bench.world.scale, core_timing.Timing()
    engine.runner.state.timing = core_timing.Timing(*(int(one * scale) for one in astuple(usual)))
    desk = Desk(bench, engine, [], [], [])

    def watch(happened: Sequence[ev.Event], wanted: Sequence[Intent], _: int) -> None:
        desk.events.extend(happened)
        desk.intents.extend(wanted)
        desk.story.extend([*happened, *wanted])

    engine.runner.observers.append(watch)
    leave, running = asyncio.Event(), None
    try:
        venue = engine.members[0].venue
        await again(lambda: venue.connect(engine.runner.sink, engine.instruments))
        running = asyncio.ensure_future(engine.runner.run(leave, None))
        yield desk
        assert contradictions(bench.capabilities, desk.events) == []
    finally:
        leave.set()
        if running is not None:
            with suppress(asyncio.CancelledError):
                await running
        await engine.close(0)
