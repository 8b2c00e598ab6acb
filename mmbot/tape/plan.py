"""What a desk and its guards are built from again: plug-ins by name, with every setting in effect.

Settings are kept as the plug-in has them, defaults included, so that a default that is changed
later does not change what a tape says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from mmbot.core.ports import Guard, RiskRule, Strategy
from mmbot.core.turn import Desk
from mmbot.core.types import InstrumentId, Nanos
from mmbot.registry import Family, load, load_plugins
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
        return decode(load(self.family, self.name, "the tape"), self.settings)


@dataclass(frozen=True, slots=True)
class DeskPlan:
    """One desk and what it trades."""

    name: str
    venue: str
    strategy: PluginPlan
    rules: tuple[PluginPlan, ...]
    refresh_ns: Nanos
    instruments: tuple[InstrumentId, ...] = ()

    def build(self) -> Desk:
        """The desk. Raises ValueError, ConfigError."""
        return Desk(
            name=self.name,
            venue=self.venue,
            strategy=cast(Strategy, self.strategy.build()),
            rules=tuple(cast(RiskRule, rule.build()) for rule in self.rules),
            refresh_ns=self.refresh_ns,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides, besides the state. `modules` hold plug-ins from outside mmbot."""

    desks: tuple[DeskPlan, ...]
    guards: tuple[PluginPlan, ...]
    modules: tuple[str, ...] = ()

    def build(self) -> tuple[dict[InstrumentId, Desk], Sequence[Guard]]:
        """Desks by instrument, and the guards. Raises ValueError, ConfigError."""
        load_plugins(self.modules, "the tape")
        desks: dict[InstrumentId, Desk] = {}
        for plan in self.desks:
            desks |= dict.fromkeys(plan.instruments, plan.build())
        return desks, [cast(Guard, guard.build()) for guard in self.guards]
