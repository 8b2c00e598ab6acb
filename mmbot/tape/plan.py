"""What a desk and its guards are built from again: plug-ins by name, with every setting in effect.

Settings are kept as the plug-in has them, defaults included, so that a default that is changed
later does not change what a tape says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args, get_type_hints

from mmbot.core.desk import Desk
from mmbot.core.ports import Guard, Hedger, Pricer, RiskRule, Signal, Strategy
from mmbot.core.sizes import Size
from mmbot.core.types import InstrumentId, Nanos
from mmbot.plugins.registry import Family, load, load_plugins
from mmbot.tape.codec import decode, encode


@dataclass(frozen=True, slots=True)
class PluginPlan:
    """One plug-in: where the registry has it, and its settings, encoded."""

    family: Family
    name: str
    settings: bytes

    @staticmethod
    def of(family: Family, name: str, built: object) -> "PluginPlan":
        """The plan of a plug-in that is built."""
        return PluginPlan(family, name, encode(built))

    def build(self) -> object:
        """The plug-in. Raises ValueError where settings do not fit, ConfigError where nobody knows
        it."""
        cls = load(self.family, self.name, "the tape")
        settings = decode(dict[str, object], self.settings)
        hints = get_type_hints(cls)
        for key, value in settings.items():
            # A size was a bare number before it could have a unit.
            if Size in (hints.get(key), *get_args(hints.get(key))) and isinstance(value, str):
                settings[key] = Size.parse(value)
        return decode(cls, encode(settings))


@dataclass(frozen=True, slots=True)
class DeskPlan:
    """One desk and what it trades."""

    name: str
    venue: str
    strategy: PluginPlan
    rules: tuple[PluginPlan, ...]
    refresh_ns: Nanos
    instruments: tuple[InstrumentId, ...] = ()
    pricer: PluginPlan | None = None
    """None on a tape from before there was a choice: the default one."""
    signals: tuple[PluginPlan, ...] = ()
    hedger: PluginPlan | None = None

    def build(self) -> Desk:
        """The desk. Raises ValueError, ConfigError."""
        desk = Desk(
            name=self.name,
            venue=self.venue,
            strategy=cast(Strategy, self.strategy.build()),
            rules=tuple(cast(RiskRule, rule.build()) for rule in self.rules),
            refresh_ns=self.refresh_ns,
            signals=tuple((plan.name, cast(Signal, plan.build())) for plan in self.signals),
        )
        if self.pricer is not None:
            pricer = cast(Pricer, self.pricer.build())
            desk = replace(desk, pricer=pricer, pricer_name=self.pricer.name)
        if self.hedger is not None:
            hedger = cast(Hedger, self.hedger.build())
            desk = replace(desk, hedger=hedger, hedger_name=self.hedger.name)
        return desk


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides, besides the state. `modules` hold plug-ins from outside mmbot, and
    `folders` are where those were looked for."""

    desks: tuple[DeskPlan, ...]
    guards: tuple[PluginPlan, ...]
    modules: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def build(self) -> tuple[dict[InstrumentId, Desk], Sequence[Guard]]:
        """Desks by instrument, and the guards. Raises ValueError, ConfigError."""
        load_plugins(self.modules, "the tape", [Path(folder) for folder in self.folders])
        desks: dict[InstrumentId, Desk] = {}
        for plan in self.desks:
            desks |= dict.fromkeys(plan.instruments, plan.build())
        return desks, [cast(Guard, guard.build()) for guard in self.guards]
