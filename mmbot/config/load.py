"""The configuration of one run from its flags and its file: put together, then checked."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from mmbot.config.dates import day, moment
from mmbot.config.file import Written, plugin_modules, read_desk
from mmbot.config.flags import (
    FLAGS,
    KNOWN_FLAGS,
    Flags,
    choose_strategy,
    number,
    put_flags,
    settings_of,
)
from mmbot.config.model import (
    Config,
    DeskSettings,
    Mode,
    PluginTable,
    SimSettings,
    StoreSettings,
    TapeSettings,
)
from mmbot.core.sizes import Size
from mmbot.errors import ConfigError
from mmbot.plugins.registry import BUILT_IN, Family, load_plugins, names
from mmbot.plugins.settings import check, unknown

STRIKE_MAX = Decimal(10**9)

DEFAULT_PRICER = "mark"

DEFAULT_RULES = (
    # Every desk has them, whatever its file says of others.
    "stale_market",
    "price_band",
    "min_spread",
    "cost_floor",
    "max_order",
    "max_position",
    "max_exposure",
)

POSITION_GUARD_TIMES = 2
"""Of the rule max_position's limit: where the guard of positions stands by default."""


def load_config(flags: Flags, path: Path | None = None) -> Config:
    """Build the configuration from the flags given and a file. Raises ConfigError."""
    assert flags.keys() <= KNOWN_FLAGS, flags
    written = read_desk(path) if path else Written({}, {})
    plugins = plugin_modules(written)
    folders = _plugin_folders(path) if plugins else ()
    load_plugins(plugins, written.origins.get("plugins", ""), folders)
    choose_strategy(written, flags)
    pricer = _only(written, Family.PRICER) or DEFAULT_PRICER
    written.tables["pricer"].setdefault(pricer, {})
    # A file never weakens a default by leaving it out: what it does not name is there all the same,
    # behind what it names. Rules only take away, so that their order decides nothing but which
    # reason is told.
    for name in DEFAULT_RULES:
        written.tables["risk"].setdefault(name, {})
    for name in BUILT_IN[Family.GUARD]:
        written.tables["guards"].setdefault(name, {})
    off = _switched_off(written)
    put_flags(written, flags)
    _refuse_flags_of(off, written)
    _inherit(written)
    _inherit_position(written)

    selecting = _only(written, Family.SELECTOR)
    selector = _plugin(written, Family.SELECTOR, selecting) if selecting is not None else None
    desk = _desk(written, selector)
    sim = _sim(written)
    if desk.mode is not Mode.SIM:
        _refuse_sim_flags(written, desk.mode)
    store = _store(written)
    tape = _tape(written)
    strategy, *rest = (_plugin(written, Family.STRATEGY, n) for n in written.tables["strategy"])
    assert not rest
    rules = [_plugin(written, Family.RULE, name) for name in written.tables["risk"]]
    guards = tuple(_plugin(written, Family.GUARD, name) for name in written.tables["guards"])
    _check_plugins(strategy, rules, guards)
    priced = _plugin(written, Family.PRICER, pricer)
    signals = tuple(_plugin(written, Family.SIGNAL, name) for name in written.tables["signal"])
    sinks = tuple(_plugin(written, Family.SINK, name) for name in written.tables["sink"])
    hedging = _only(written, Family.HEDGER)
    hedger = _plugin(written, Family.HEDGER, hedging) if hedging is not None else None
    for plugin in (priced, *signals, *filter(None, [hedger]), *sinks):
        plugin.build()
    return Config(
        desk=desk,
        sim=sim,
        store=store,
        tape=tape,
        selector=selector,
        strategy=strategy,
        pricer=priced,
        signals=signals,
        hedger=hedger,
        rules=tuple(rule for rule in rules if rule.name not in off),
        off=tuple(rule for rule in rules if rule.name in off),
        guards=guards,
        sinks=sinks,
        plugins=plugins,
        plugin_folders=folders,
        path=path,
        origins=dict(written.origins),
    )


def _only(written: Written, family: Family) -> str | None:
    """The one plug-in of a family of which a desk has one, where the file names it."""
    named = list(written.tables[family.value])
    if len(named) > 1:
        second = written.origins[f"{family.value}.{named[1]}"]
        raise ConfigError(
            f"{second}: a desk has one {family.value}, here are {', '.join(named)}: keep one"
        )
    return named[0] if named else None


def _plugin_folders(path: Path | None) -> tuple[Path, ...]:
    """Where plug-ins are looked for: beside the desk file, then in the current folder."""
    beside = [path.resolve().parent] if path else []
    return tuple(dict.fromkeys((*beside, Path.cwd())))


def _switched_off(written: Written) -> set[str]:
    """The rules a file switches off. The word is taken out of their tables."""
    for name in written.tables["guards"]:
        if "off" in written.table(f"guards.{name}"):
            raise ConfigError(
                f"{written.origins[f'guards.{name}.off']}: [guards.{name}] off: a guard cannot be "
                "switched off, it is what trips the kill switch: raise its limits instead"
            )
    off = set()
    for name in written.tables["risk"]:
        table = written.table(f"risk.{name}")
        if "off" not in table:
            continue
        word = table.pop("off")
        if not isinstance(word, bool):
            raise ConfigError(
                f"{written.origins[f'risk.{name}.off']}: [risk.{name}] off = {word!r}: expected "
                "true or false"
            )
        if word:
            off.add(name)
    return off


def _refuse_flags_of(off: set[str], written: Written) -> None:
    """A limit that is given now is not one that is switched off."""
    for key, given in written.origins.items():
        path, _, _ = key.rpartition(".")
        if given.startswith("--") and path.startswith("risk.") and path[5:] in off:
            raise ConfigError(
                f"{given}: [{path}] is switched off ({written.origins[f'{path}.off']}): drop one "
                "of them"
            )


def _inherit(written: Written) -> None:
    """A strategy that scales its skew by a limit, or widens to one, takes it from the rule."""
    ((name, table),) = written.tables["strategy"].items()
    for _, source, copy in FLAGS.values():
        path, _, key = source.rpartition(".")
        if not copy or not path or source not in written.origins:
            continue
        settings = cast(dict[str, object], table)
        if copy in settings_of(written, Family.STRATEGY, name) and copy not in settings:
            value = written.table(path)[key]
            written.put(f"strategy.{name}", copy, value, written.origins[source])


def _inherit_position(written: Written) -> None:
    """The guard of positions stands at twice the rule's limit, unless it is given one."""
    limit = written.tables["risk"].get("max_position", {})
    given = limit.get("limit") if isinstance(limit, dict) else None
    guard = cast(dict[str, object], written.tables["guards"]["position"])
    if given is None or "limit" in guard:
        return
    with suppress(ValueError):  # told where it was written, by the rule
        twice = Size.parse(given).times(POSITION_GUARD_TIMES)
        written.put("guards.position", "limit", twice, written.origins["risk.max_position.limit"])


# The checks ---------------------------------------------------------------------------------------


def _desk(written: Written, selector: PluginTable | None) -> DeskSettings:  # noqa: C901  # contradictions, in the order they are told
    table, where = written.tables["desk"], written.where("desk")
    if "expiry" in table:
        table["expiry"] = day(table["expiry"], _place("desk", "expiry", where))
    if "strikes" in table:
        table["strikes"] = _strikes(table["strikes"], _place("desk", "strikes", where))
    if isinstance(table.get("underlying"), str):
        table["underlying"] = str(table["underlying"]).upper()
    desk = check(DeskSettings, table, "[desk]", where)
    if desk.venue not in names(Family.VENUE):
        raise ConfigError(
            f"{where('venue')}: {unknown('exchange', desk.venue, names(Family.VENUE))}"
        )
    if desk.mode is Mode.PAPER:
        raise ConfigError(
            f"{where('mode')}: mode paper is not available in this version; "
            "leave it out to trade on the simulated venue"
        )
    if desk.strikes and desk.all_strikes:
        raise ConfigError(
            f"{where('strikes')} and {where('all_strikes')} contradict each other: give one"
        )
    if (desk.strikes or desk.all_strikes) and desk.expiry is None:
        given = where("strikes" if desk.strikes else "all_strikes")
        raise ConfigError(f"{given}: needs an expiry: add --expiry YYYYMMDD")
    if desk.expiry is not None and not (desk.strikes or desk.all_strikes):
        raise ConfigError(
            f"{where('expiry')}: needs strikes: add --strikes 2800,2900 or --all-strikes"
        )
    if "symbols" in table and not desk.symbols:
        raise ConfigError(
            f"{where('symbols')}: no symbol given: write them like BTC-PERPETUAL,ETH-PERPETUAL"
        )
    if selector is not None:
        _refuse_two_choices(table, where, selector)
    elif not desk.symbols and desk.expiry is None:
        raise ConfigError(
            "nothing to quote: give --expiry YYYYMMDD with --strikes or --all-strikes, or --symbols"
        )
    return desk


def _refuse_two_choices(
    table: Mapping[str, object], where: Callable[[str], str], selector: PluginTable
) -> None:
    for key in ("underlying", "expiry", "symbols"):
        if key in table:
            raise ConfigError(
                f"{where(key)} and {selector.where('')} contradict each other: a selector says "
                "what is traded; give one"
            )
    selector.build()


def _place(table: str, key: str, where: Callable[[str], str]) -> str:
    """Where a value was given and, where that is not a flag of the same name, which it is."""
    given = where(key)
    return given if given.startswith("--") else f"{given}: [{table}] {key}"


def _strikes(value: object, where: str) -> tuple[Decimal, ...]:
    parts = value if isinstance(value, list) else [value]
    strikes = []
    for part in parts:
        strike = number(part) if isinstance(part, str) else part
        if isinstance(strike, int) and not isinstance(strike, bool):
            strike = Decimal(strike)
        if not isinstance(strike, Decimal) or not strike.is_finite() or not 0 < strike < STRIKE_MAX:
            raise ConfigError(
                f"{where}: strike {str(part)[:40]!r} is not a number greater than 0: "
                "write them like 2800,2900"
            )
        strikes.append(strike)
    if not strikes:
        raise ConfigError(f"{where}: no strike given: write them like 2800,2900")
    return tuple(dict.fromkeys(strikes))


def _sim(written: Written) -> SimSettings:
    table, where = written.tables["sim"], written.where("sim")
    if "at" in table:
        table["at"] = moment(table["at"], _place("sim", "at", where))
    if "url" in table:
        for key in ("seed", "at"):
            if key in table:
                raise ConfigError(
                    f"{where(key)}: the world at {where('url')} runs already with a seed and a "
                    f"date of its own: drop {key}"
                )
    sim = check(SimSettings, table, "[sim]", where)
    if sim.url is not None:
        _check_loopback(sim.url, _place("sim", "url", where))
    return sim


_HAS_PASSWORD = re.compile(r"//[^/@]*:[^/@]*@|[?&]password=")


def _refuse_sim_flags(written: Written, mode: Mode) -> None:
    """A file may hold the settings of several modes; a flag says what is wanted now."""
    for key in ("url", "seed", "at"):
        given = written.origins.get(f"sim.{key}", "")
        if given.startswith("--"):
            raise ConfigError(
                f"{given} is for the simulated venue, but {written.origins['desk.mode']} says "
                f"{mode.value}: drop one of them"
            )


def _store(written: Written) -> StoreSettings:
    where = written.where("store")
    store = check(StoreSettings, written.tables["store"], "[store]", where)
    if store.url is not None and _HAS_PASSWORD.search(store.url):
        raise ConfigError(
            f"{where('url')}: [store] url has a password in it; passwords are read from the "
            "environment only: set MMBOT_DATABASE_URL instead"
        )
    return store


def _tape(written: Written) -> TapeSettings:
    where = written.where("tape")
    tape = check(TapeSettings, written.tables["tape"], "[tape]", where)
    if tape.total_mb < tape.file_mb:
        key = "total_mb" if "tape.total_mb" in written.origins else "file_mb"
        raise ConfigError(
            f"{where(key)}: [tape] total_mb = {tape.total_mb} has no room for one file of file_mb "
            f"= {tape.file_mb}: raise the first or lower the second"
        )
    return tape


def _check_loopback(url: str, where: str) -> None:
    """The simulator is spoken to on this machine only; a real venue must not slip in here."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "http" and parts.port is not None
    except ValueError:
        fits = False
    if not fits or parts.hostname not in ("127.0.0.1", "localhost"):
        raise ConfigError(
            f"{where}: {url!r} is not the address of a simulator on this machine: "
            "write it like http://127.0.0.1:8800"
        )


def _plugin(written: Written, family: Family, name: str) -> PluginTable:
    path = f"{family.value}.{name}"
    table = written.table(path)
    where = written.where(path)
    return PluginTable(family, name, table, {key: where(key) for key in ("", *table)})


def _check_plugins(
    strategy: PluginTable, rules: Sequence[PluginTable], guards: Sequence[PluginTable]
) -> None:
    if strategy.table.get("bid_only") is True and strategy.table.get("ask_only") is True:
        raise ConfigError(
            f"{strategy.where('bid_only')} and {strategy.where('ask_only')} contradict each other: "
            "give one"
        )
    # Rules first: others may have inherited a bad limit that was written for a rule.
    for plugin in (*rules, *guards, strategy):
        plugin.build()
    _check_widths(strategy, rules)


def _check_widths(strategy: PluginTable, rules: Sequence[PluginTable]) -> None:
    """A width and a least width, both given, that cannot both be kept."""
    width = strategy.table.get("spread_bps")
    for rule in rules:
        least = rule.table.get("bps") if rule.name == "min_spread" else None
        if width is None or least is None or Decimal(str(width)) >= Decimal(str(least)):
            continue
        raise ConfigError(
            f"{strategy.where('spread_bps')} and {rule.where('bps')} contradict each other: quotes "
            f"{width} bps wide are never {least} bps apart; raise the first or lower the second"
        )
