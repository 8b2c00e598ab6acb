"""The configuration as it takes effect: every setting, its value, and where that was given."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from mmbot.config import Config, Mode, PluginTable
from mmbot.core.sizes import Size
from mmbot.plugins.settings import manual


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting in effect. `origin` is a flag, a file and line, or "default"."""

    key: str
    value: object
    origin: str
    weakens: bool = False
    """The setting switches something off that is there to protect."""

    @property
    def text(self) -> str:
        """The value as a person would write it; "-" where there is none."""
        return as_text(self.value)


def effective(config: Config) -> list[Entry]:
    """Every setting of the run, in the order of a desk file. No secret is among them."""
    entries = list(_table(config, "desk", config.desk))
    if config.selector is not None:
        entries += _plugin(config, config.selector)
    hedgers = () if config.hedger is None else (config.hedger,)
    for plugin in (config.strategy, config.pricer, *config.signals, *hedgers, *config.rules):
        entries += _plugin(config, plugin)
    for rule in config.off:
        key = f"risk.{rule.name}.off"
        entries.append(Entry(key, True, config.origin(key), weakens=True))
    for guard in config.guards:
        entries += _plugin(config, guard)
    for sink in config.sinks:
        entries += _plugin(config, sink)
    if config.desk.mode is Mode.SIM:
        entries += _table(config, "sim", config.sim)
    entries += _table(config, "store", config.store)
    entries += _table(config, "tape", config.tape)
    if config.plugins:
        entries.append(Entry("plugins", config.plugins, config.origin("plugins")))
    return entries


def _plugin(config: Config, plugin: PluginTable) -> Iterator[Entry]:
    """Its settings; a plug-in without any is one line that says it is there."""
    path = f"{plugin.family.value}.{plugin.name}"
    built = plugin.build()
    if not manual(type(built)):
        yield Entry(path, None, config.origin(path))
    yield from _table(config, path, built)


def _table(config: Config, path: str, built: object) -> Iterator[Entry]:
    for setting in manual(type(built)):
        key = f"{path}.{setting.name}"
        yield Entry(key, getattr(built, setting.name), config.origin(key))


def off_lines(config: Config) -> list[str]:
    """What a file switches off of the default rules, one line each."""
    return [
        f"[risk.{rule.name}] is switched off ({config.origin(f'risk.{rule.name}.off')})"
        for rule in config.off
    ]


def as_json(value: object) -> object:
    """A value as JSON has it: numbers as numbers, everything else in a desk file's words."""
    match value:
        case None | bool() | int() | float():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Size(unit=""):
            return as_json(value.amount)
        case tuple():
            return [as_json(part) for part in value]
    return as_text(value)


def as_text(value: object) -> str:
    """A value as a person would write it in a desk file; "-" for none."""
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case tuple():
            return ", ".join(map(as_text, value)) or "-"
    return str(value)
