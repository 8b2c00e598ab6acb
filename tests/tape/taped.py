"""A bot of a real strategy, rules and guards, every turn recorded; the test plays the venue.

`TapedBot` is tests.core.bot.Bot with a tape: same words, and `files()` are what it has recorded.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import cast

from mmbot.clock import Clock
from mmbot.core import bot as core
from mmbot.core import events as ev
from mmbot.core.chains import FitSurface
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.intents import (
    CheckLease,
    ReserveLabels,
    SaveLatch,
    VenueIntent,
)
from mmbot.core.order_life import OrderState
from mmbot.core.ports import Guard, RiskRule, Signal, Strategy
from mmbot.core.sizes import Size
from mmbot.core.types import SECOND
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, load
from mmbot.tape.folder import tapes_in
from mmbot.tape.format import Origin
from mmbot.tape.plan import DeskPlan, Plan, PluginPlan
from mmbot.tape.reader import TapeFile
from mmbot.tape.recorder import Limits, Recorder
from mmbot.tape.replay import Again, Replay
from tests.core.bot import VENUE, Bot

ORIGIN = Origin("test", "sim", VENUE, "account", (("desk.mode", "sim", "default"),))
NONE: Mapping[str, Signal] = MappingProxyType({})
ROOMY = Limits(file_bytes=1 << 24, folder_bytes=1 << 26)


def plugin(family: Family, name: str, **settings: object) -> tuple[PluginPlan, object]:
    """A registered plug-in, and its plan."""
    built = load(family, name, "test")(**settings)
    return PluginPlan.of(family, name, built), built


class TapedBot(Bot):
    """`improvement`: the strategy's, in USD."""

    def __init__(
        self,
        folder: Path,
        *instruments: Instrument,
        limits: Limits = ROOMY,
        improvement: float = 0.1,
        wanted: float | None = None,
        signals: Mapping[str, Signal] = NONE,
    ) -> None:
        """`wanted`: the improvement that the tape believes was set, if another."""
        super().__init__(*instruments)
        strategy_plan, strategy = plugin(Family.STRATEGY, "improve_top", improvement=improvement)
        if wanted is not None:
            strategy_plan, _ = plugin(Family.STRATEGY, "improve_top", improvement=wanted)
        rule_plan, rule = plugin(Family.RULE, "max_position", limit=Size(Decimal(3)))
        guard_plan, guard = plugin(Family.GUARD, "position", limit=Size(Decimal(5)))
        desk = Desk(
            "test",
            VENUE,
            cast(Strategy, strategy),
            (cast(RiskRule, rule),),
            signals=tuple(signals.items()),
        )
        plans = tuple(PluginPlan.of(Family.SIGNAL, name, one) for name, one in signals.items())
        desk_plan = DeskPlan("test", VENUE, strategy_plan, (rule_plan,), 0, signals=plans)
        self.desks = {instrument.id: desk for instrument in self.instruments}
        self.guards = [cast(Guard, guard)]
        self.folder = folder
        self.told: list[ev.Event] = []
        self.recorder = Recorder(
            folder,
            limits,
            ORIGIN,
            Plan((desk_plan,), (guard_plan,)),
            self.desks,
            self.state,
            self.told.append,
            Clock(),
        )

    def turn(self, *events: ev.Event, after_s: float = 0.01) -> list[VenueIntent]:
        self.now_ns += int(after_s * SECOND)
        happened = events or (ev.Tick(),)
        taken = core.Bot(self.state, self.desks, self.guards).step(happened, self.now_ns)
        if taken.error is not None and not isinstance(taken.error, ArithmeticError):
            raise taken.error  # nothing that a test planted
        self.keep()
        self.recorder.keep([taken])
        ours = CheckLease | ReserveLabels | SaveLatch | FitSurface
        return [intent for intent in taken.intents if not isinstance(intent, ours)]

    def keep(self) -> None:
        """What the store takes away between turns."""
        self.state.entries.clear()
        self.state.notes.clear()
        self.state.orders.changed.clear()

    def quote(self) -> None:
        """Connected, reconciled, and both sides of the first instrument out and acknowledged."""
        self.connect()
        self.turn(self.snapshot())
        tickers = (self.ticker(i) for i in self.instruments)
        self.turn(self.alive(), *tickers, self.book(), ev.Tick())
        self.acknowledge()

    def files(self) -> list[Path]:
        """End the tape; its files, oldest first."""
        assert self.recorder.close(), "the disk took everything"
        return tapes_in(self.folder)


def busy(bot: TapedBot) -> None:
    """Something of everything: fills, controls, a break, a snapshot, a stray order, the switch."""
    bot.quote()
    order = bot.orders[0]
    bot.turn(ev.Filled(bot.fill(order)), bot.says(order, OrderState.FILLED, filled=1))
    bot.turn(ev.SizeScaled(Decimal("2")), bot.book(0.0195, 0.0235))
    bot.acknowledge()
    bot.turn(ev.Pause(Why.USER))
    bot.wait(0.5)
    bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=False, detail="cut"))
    bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=True))
    bot.turn(bot.snapshot())
    bot.turn(ev.Unpause(), bot.book(), bot.alive())
    bot.wait(3.0)
    bot.turn(ev.Trip(Why.USER, "by hand"))
    bot.wait(1.0)


def again(file: Path) -> list[Again]:
    """A file's turns, taken again."""
    return list(Replay(TapeFile(file)).turns())
