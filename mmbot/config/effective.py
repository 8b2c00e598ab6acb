"""The configuration as it takes effect: every setting, its value, and where that was given."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from mmbot.config import Config, DeskConfig, DeskSettings, LoneDeskSettings, Mode, PluginTable
from mmbot.config.model import LONE
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
    entries: list[Entry] = []
    several = any(desk.path != LONE for desk in config.desks)
    run = list(_table(config, "run", config.run))
    # A lone desk shows what of the run stands in [desk]; the rest where a person gave it.
    entries += (
        run if several else [e for e in run if _only_of_run(e.key) and config.explicit(e.key)]
    )
    if several or any(config.explicit(f"venues.{venue.name}") for venue in config.venues):
        entries += _venues(config)
    for desk in config.desks:
        entries += _desk(config, desk)
    if several:
        books = {r.path: r for desk in config.desks for r in desk.rules if not desk.own(r)}
        for rule in books.values():
            entries += _plugin(config, rule)
    for rule in config.off:
        key = f"{rule.path}.off"
        entries.append(Entry(key, True, config.origin(key), weakens=True))
    for of_the_run in (*config.guards, *config.sinks):
        entries += _plugin(config, of_the_run)
    if config.run.mode is Mode.SIM:
        entries += _table(config, "sim", config.sim)
    entries += _table(config, "store", config.store)
    entries += _table(config, "tape", config.tape)
    if config.plugins:
        entries.append(Entry("plugins", config.plugins, config.origin("plugins")))
    return entries


def _only_of_run(key: str) -> bool:
    return not hasattr(LoneDeskSettings, key.removeprefix("run."))


def _venues(config: Config) -> Iterator[Entry]:
    for venue in config.venues:
        for name in ("kind", "url"):
            key = f"venues.{venue.name}.{name}"
            origin = venue.origin if name == "kind" else "default"
            yield Entry(key, getattr(venue, name), config.origins.get(key, origin))
        if venue.require_dead_man is not None:
            key = f"venues.{venue.name}.require_dead_man"
            yield Entry(key, venue.require_dead_man, config.origin(key))
        if venue.mmp is not None:
            yield from _table(config, f"venues.{venue.name}.mmp", venue.mmp)


def _desk(config: Config, desk: DeskConfig) -> Iterator[Entry]:
    """A desk, its strategy, its pricer and its own rules. A lone one has what belongs to the run
    besides."""
    for setting in manual(LoneDeskSettings if desk.path == LONE else DeskSettings):
        key = f"{desk.path}.{setting.name}"
        of_run = not hasattr(desk.settings, setting.name)
        value = getattr(config.run if of_run else desk.settings, setting.name)
        yield Entry(key, value, config.origin(key))
    chosen = filter(None, (desk.selector, desk.hedger))
    for plugin in (
        desk.strategy,
        desk.pricer,
        *desk.signals,
        *chosen,
        *filter(desk.own, desk.rules),
    ):
        yield from _plugin(config, plugin)


def _plugin(config: Config, plugin: PluginTable) -> Iterator[Entry]:
    """Its settings; a plug-in without any is one line that says it is there."""
    built = plugin.build()
    if not manual(type(built)):
        yield Entry(plugin.path, None, config.origin(plugin.path))
    yield from _table(config, plugin.path, built)


def _table(config: Config, path: str, built: object) -> Iterator[Entry]:
    for setting in manual(type(built)):
        key = f"{path}.{setting.name}"
        yield Entry(key, getattr(built, setting.name), config.origin(key))


def off_lines(config: Config) -> list[str]:
    """What a file switches off of the default rules, one line each."""
    return [
        f"[{rule.path}] is switched off ({config.origin(f'{rule.path}.off')})"
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
