"""The configuration of one run: flags over file over defaults, each value knowing where it is from.

A file looks like this; every key has a default, and `--config FILE` loads it:

    plugins = ["my.module"]        # modules that register plug-ins of your own

    [desk]                         # what is quoted, where
    venue = "deribit"
    expiry = 2025-06-06
    strikes = [2800, 2900]

    [strategy.improve_top]         # the strategy and its settings
    improvement = 0.1

    [risk.max_position]            # the rules, in the order they are asked
    limit = 10

    [guards.session_loss]          # what trips the kill switch; all of them always watch
    limit_usd = 1000

    [sim]                          # the simulated world
    seed = 1

    [store]                        # where runs, orders and fills are kept
    url = "sqlite:////var/lib/mmbot/desk.db"

    [tape]                         # the journal of every turn
    total_mb = 256

Flags are put into the same tables before anything is checked, so a flag and a file are refused
for the same reasons in the same words. Secrets are never read from a file of this kind.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, doc

from mmbot.errors import ConfigError
from mmbot.registry import BUILT_IN, Family, build, load, load_plugins, names
from mmbot.settings import check, manual, settings_class, unknown
from mmbot.text_file import read_text, stray_letter

_TABLES = ("desk", "strategy", "risk", "guards", "sim", "store", "tape")

FILE_MAX_BYTES = 32_768
"""No desk file is larger; something else that was named by mistake may be endless."""

SIM_SEED = 1
SIM_START = datetime(2025, 6, 2, 12, tzinfo=UTC)

STRIKE_MAX = Decimal(10**9)
YEARS = range(2000, 2100)
"""Moments outside these are slips."""


class Mode(Enum):
    """Where the quoting goes. Real money needs an explicit choice; SIM needs nothing."""

    SIM = "sim"
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


@settings_class
@dataclass(frozen=True, slots=True)
class Desk:
    """What is quoted, where, and for how long."""

    mode: Annotated[Mode, doc("where the quoting goes")] = Mode.SIM
    venue: Annotated[str, doc("the exchange")] = "deribit"
    underlying: Annotated[
        str, doc("what the options are on, as their names begin: ETH; ETH_USDC for those in USDC")
    ] = "ETH"
    expiry: Annotated[date | None, doc("expiry of the options")] = None
    strikes: Annotated[tuple[Decimal, ...], doc("strikes; the call and the put of each")] = ()
    all_strikes: Annotated[bool, doc("every strike listed for the expiry")] = False
    symbols: Annotated[tuple[str, ...], doc("instruments by the venue's own names")] = ()
    refresh_s: Annotated[
        float, Ge(0.1), Le(3600), doc("longest time between two looks at a market")
    ] = 1.0
    duration_s: Annotated[float | None, Gt(0), doc("stop by itself after this time")] = None
    stop_file: Annotated[
        str | None,
        doc(
            "a file that trips the kill switch when it appears; MODE.stop in $MMBOT_HOME otherwise"
        ),
    ] = None


@settings_class
@dataclass(frozen=True, slots=True)
class Sim:
    """The simulated world: one that runs already (`url`), or a seed and a moment for a new one."""

    url: Annotated[str | None, doc("address of a running `mmbot sim serve`")] = None
    seed: Annotated[int, Ge(0), Le(2**63 - 1), doc("one seed, one world")] = SIM_SEED
    at: Annotated[datetime, doc("moment at which the world starts")] = SIM_START


@settings_class
@dataclass(frozen=True, slots=True)
class Store:
    """The database, where it is not the mode's own file under $MMBOT_HOME."""

    url: Annotated[
        str | None, doc("sqlite:///FILE or postgresql://HOST/NAME; MMBOT_DATABASE_URL wins")
    ] = None


@settings_class
@dataclass(frozen=True, slots=True)
class Tape:
    """The journal of every turn, for looking back and for proving what was decided."""

    on: Annotated[bool, doc("whether turns are recorded")] = True
    directory: Annotated[str | None, doc("where to; tapes/MODE in $MMBOT_HOME otherwise")] = None
    file_mb: Annotated[int, Ge(1), Le(1024), doc("a file that large is ended")] = 16
    total_mb: Annotated[
        int, Ge(1), Le(1_000_000), doc("all tapes of the directory; the oldest make room")
    ] = 256


@dataclass(frozen=True, slots=True)
class PluginTable:
    """A plug-in chosen by name, with the settings that were given for it."""

    family: Family
    name: str
    table: Mapping[str, object]
    origins: Mapping[str, str]
    """Key -> where it was given; "" -> where the plug-in was chosen."""

    def build(self) -> object:
        """The plug-in itself. Raises ConfigError."""
        return build(self.family, self.name, self.table, self.where)

    def where(self, key: str) -> str:
        """Where a setting was given; for a default, where the plug-in was chosen."""
        return self.origins.get(key, self.origins[""])


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a run needs to know before it starts, checked."""

    desk: Desk
    sim: Sim
    store: Store
    tape: Tape
    strategy: PluginTable
    rules: tuple[PluginTable, ...]
    guards: tuple[PluginTable, ...]
    plugins: tuple[str, ...]
    path: Path | None
    """The file it came from, if any."""
    origins: Mapping[str, str]
    """Dotted key, such as "risk.max_position.limit" -> its place, such as "desk.toml:7"."""

    def origin(self, key: str) -> str:
        """Where a value was given: a flag, a file and line, or "default"."""
        return self.origins.get(key, "default")

    def explicit(self, key: str) -> bool:
        """Whether a person gave this value."""
        return key in self.origins


DEFAULT_STRATEGY = "improve_top"
DEFAULT_RULES = (
    "stale_market",
    "price_band",
    "min_spread",
    "cost_floor",
    "max_position",
    "max_exposure",
)

POSITION_GUARD_TIMES = 2
"""Of the rule max_position's limit: where the guard of positions stands by default."""

Flags = Mapping[str, str | bool]
"""The flags that were given, as spelled ("--max-position"), with the text that follows them."""


def load_config(flags: Flags, path: Path | None = None) -> Config:
    """Build the configuration from the flags given and a file. Raises ConfigError."""
    assert flags.keys() <= KNOWN_FLAGS, flags
    written = _read(path) if path else _Written({}, {})
    plugins = _plugins(written)
    load_plugins(plugins, written.origins.get("plugins", ""))
    _choose_strategy(written, flags)
    if not written.tables["risk"]:
        written.tables["risk"] = {name: {} for name in DEFAULT_RULES}
    for name in BUILT_IN[Family.GUARD]:
        written.tables["guards"].setdefault(name, {})
    _put_flags(written, flags)
    _inherit(written)
    _inherit_position(written)

    desk = _desk(written)
    sim = _sim(written)
    if desk.mode is not Mode.SIM:
        _refuse_sim_flags(written, desk.mode)
    store = _store(written)
    tape = _tape(written)
    strategy, *rest = (_plugin(written, Family.STRATEGY, n) for n in written.tables["strategy"])
    assert not rest
    rules = tuple(_plugin(written, Family.RULE, name) for name in written.tables["risk"])
    guards = tuple(_plugin(written, Family.GUARD, name) for name in written.tables["guards"])
    _check_plugins(strategy, rules, guards)
    origins = dict(written.origins)
    return Config(desk, sim, store, tape, strategy, rules, guards, plugins, path, origins)


# What was written ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Written:
    """The raw tables before they are checked, and the place of each value.

    `tables["desk"]`, `["sim"]`, `["store"]` and `["tape"]` map keys to values;
    `tables["strategy"]`, `["risk"]` and `["guards"]` map names to such tables.
    """

    tables: dict[str, dict[str, object]]
    origins: dict[str, str]

    def __post_init__(self) -> None:
        for name in _TABLES:
            self.tables.setdefault(name, {})

    def table(self, path: str) -> dict[str, object]:
        """The table at a dotted path of one or two names."""
        head, _, name = path.partition(".")
        found = self.tables[head]
        return cast(dict[str, object], found[name]) if name else found

    def put(self, path: str, key: str, value: object, origin: str) -> None:
        """Write a value into a table, over what stands there."""
        self.table(path)[key] = value
        self.origins[f"{path}.{key}"] = origin

    def where(self, path: str) -> Callable[[str], str]:
        """Key of that table -> where it was given, or else where the table begins."""
        return lambda key: self.origins.get(
            f"{path}.{key}" if key else path, self.origins.get(path, "default")
        )


_SECRET = re.compile(
    r"secret|passw|passphrase|mnemonic|credential|(private|api|access|signing)_?key|^key$|token",
    re.IGNORECASE,
)


def _read(path: Path) -> _Written:
    """The tables of a desk file. Raises ConfigError for what is no such file, names a table that
    does not exist, or holds a secret."""
    text = read_text(path, FILE_MAX_BYTES, "desk file", "a TOML desk file")
    document = toml_of(path, text)
    origins = {key: f"{path}:{line}" for key, line in _lines(text).items()}
    for key in origins:
        if _SECRET.search(key.rpartition(".")[2]):
            raise ConfigError(
                f"{origins[key]}: {key} looks like a secret; secrets are read from the environment "
                "or .env only: remove it from this file"
            )
    for name, value in document.items():
        if name not in (*_TABLES, "plugins"):
            known = (*_TABLES, "plugins")
            raise ConfigError(f"{origins[name]}: {unknown('table', name, known)}")
        if name != "plugins" and not isinstance(value, dict):
            raise ConfigError(f"{origins[name]}: expected a table [{name}]")
        for part, inner in value.items() if name in ("strategy", "risk", "guards") else ():
            if not isinstance(inner, dict):
                raise ConfigError(
                    f"{origins[f'{name}.{part}']}: expected a table such as [{name}.NAME]"
                )
    return _Written(document, origins)


def toml_of(path: Path, text: str) -> dict[str, Any]:
    """The tables of a TOML text, read from `path`. Raises ConfigError."""
    document: dict[str, Any] = {}
    reason = ""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        reason = "too many brackets inside each other"
    except (ValueError, InvalidOperation) as error:
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number too long"
    stray = stray_letter(text, valid=not reason)
    if stray is not None:
        raise ConfigError(f"{path}: {stray}")
    if reason:
        raise ConfigError(f"{path}: not valid TOML: {reason}")
    return document


def _lines(text: str) -> dict[str, int]:
    """Dotted key -> the line it starts on, for a valid TOML document.

    The parser itself is asked: a key stands on the line whose addition makes it appear. A value
    over several lines leaves the text unparsable until its end, so its key belongs to the first
    of them.
    """
    found: dict[str, int] = {}
    lines = text.split("\n")
    start = 1
    for row in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join((*lines[:row], "")))
        except tomllib.TOMLDecodeError:
            continue
        for key in _dotted(document):
            found.setdefault(key, start)
        start = row + 1
    return found


def _dotted(table: Mapping[str, object], prefix: str = "") -> list[str]:
    keys = []
    for name, value in table.items():
        keys.append(prefix + name)
        if isinstance(value, dict):
            keys += _dotted(value, f"{prefix}{name}.")
    return keys


def _plugins(written: _Written) -> tuple[str, ...]:
    modules = cast(object, written.tables.pop("plugins", []))
    if not isinstance(modules, list) or not all(isinstance(m, str) for m in modules):
        raise ConfigError(
            f'{written.origins["plugins"]}: plugins: expected a list such as ["my.module"]'
        )
    return tuple(modules)


# Flags ------------------------------------------------------------------------------------------


def number(text: str) -> object:
    """A number where it is one; other text is left for the check to refuse."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


_FLAGS: Mapping[str, tuple[Callable[[str], object], str, str]] = {
    # flag: how its text is read, the key it sets, and the strategy's own copy of it, if it has one
    "--exchange": (str, "desk.venue", ""),
    "--underlying": (str, "desk.underlying", ""),
    "--expiry": (str, "desk.expiry", ""),
    "--strikes": (_list, "desk.strikes", ""),
    "--all-strikes": (str, "desk.all_strikes", ""),
    "--symbols": (_list, "desk.symbols", ""),
    "--duration": (number, "desk.duration_s", ""),
    "--refresh": (number, "desk.refresh_s", ""),
    "--sim-url": (str, "sim.url", ""),
    "--seed": (number, "sim.seed", ""),
    "--at": (str, "sim.at", ""),
    "--size": (number, "strategy.size", ""),
    "--spread": (number, "strategy.spread_bps", ""),
    "--improvement": (number, "strategy.improvement", ""),
    "--improvement-reference-size": (number, "strategy.improvement_reference_size", ""),
    "--aggression": (number, "strategy.aggression", ""),
    "--bid-only": (str, "strategy.bid_only", ""),
    "--ask-only": (str, "strategy.ask_only", ""),
    "--max-position": (number, "risk.max_position.limit", "max_position"),
    "--max-exposure": (number, "risk.max_exposure.limit", ""),
    "--min-spread": (number, "risk.min_spread.bps", "min_spread_bps"),
}
_MODE_FLAGS = {f"--{mode.value}": mode for mode in Mode}
_TAPE_FLAGS = {"--tape": True, "--no-tape": False}
KNOWN_FLAGS = frozenset((*_FLAGS, *_MODE_FLAGS, *_TAPE_FLAGS, "--strategy"))


def _choose_strategy(written: _Written, flags: Flags) -> None:
    """Leave one strategy: the flag's, else the file's, else the default."""
    tables = written.tables["strategy"]
    chosen = flags.get("--strategy")
    if chosen is None:
        if len(tables) > 1:
            second = f"strategy.{list(tables)[1]}"
            raise ConfigError(
                f"{written.origins[second]}: a desk has one strategy, here are "
                f"{', '.join(tables)}: keep one, or choose with --strategy"
            )
        chosen = next(iter(tables), DEFAULT_STRATEGY)
    else:
        written.origins[f"strategy.{chosen}"] = "--strategy"
    written.tables["strategy"] = {str(chosen): tables.get(str(chosen), {})}


def _put_flags(written: _Written, flags: Flags) -> None:
    modes = [flag for flag in flags if flag in _MODE_FLAGS]
    if len(modes) > 1:
        raise ConfigError(f"{' and '.join(modes)} contradict each other: give one")
    for flag in modes:
        written.put("desk", "mode", _MODE_FLAGS[flag].value, flag)
    if _TAPE_FLAGS.keys() <= flags.keys():
        raise ConfigError(f"{' and '.join(_TAPE_FLAGS)} contradict each other: give one")
    for flag, on in _TAPE_FLAGS.items():
        if flag in flags:
            written.put("tape", "on", on, flag)
    name = next(iter(written.tables["strategy"]))
    strategy = f"strategy.{name}"
    for flag, given in flags.items():
        if flag not in _FLAGS:
            continue
        read, key, copy = _FLAGS[flag]
        value = given if isinstance(given, bool) else read(given)
        path, _, key = key.rpartition(".")
        if path == "strategy":
            path = strategy
            settings = _settings(written, Family.STRATEGY, name)
            if key not in settings:
                raise ConfigError(
                    f"{flag}: strategy {name} has no such setting; it has {', '.join(settings)}"
                )
        elif path.startswith("risk.") and path[5:] not in written.tables["risk"]:
            raise ConfigError(f"{flag}: the file has no rule [{path}] to set it in; add that table")
        written.put(path, key, value, flag)
        if copy and copy in _settings(written, Family.STRATEGY, name):
            written.put(strategy, copy, value, flag)


def _inherit(written: _Written) -> None:
    """A strategy that leans on a limit, or widens to one, takes it from the rule by default."""
    ((name, table),) = written.tables["strategy"].items()
    for _, source, copy in _FLAGS.values():
        path, _, key = source.rpartition(".")
        if not copy or not path or source not in written.origins:
            continue
        settings = cast(dict[str, object], table)
        if copy in _settings(written, Family.STRATEGY, name) and copy not in settings:
            value = written.table(path)[key]
            written.put(f"strategy.{name}", copy, value, written.origins[source])


def _inherit_position(written: _Written) -> None:
    """The guard of positions stands at twice the rule's limit, unless it is given one."""
    limit = written.tables["risk"].get("max_position", {})
    given = limit.get("limit") if isinstance(limit, dict) else None
    guard = cast(dict[str, object], written.tables["guards"]["position"])
    if isinstance(given, int | Decimal) and not isinstance(given, bool) and "limit" not in guard:
        origin = written.origins["risk.max_position.limit"]
        written.put("guards.position", "limit", given * POSITION_GUARD_TIMES, origin)


def _settings(written: _Written, family: Family, name: str) -> list[str]:
    where = written.where(f"{family.value}.{name}")("")
    return [setting.name for setting in manual(load(family, name, where))]


# The checks ---------------------------------------------------------------------------------------


def _desk(written: _Written) -> Desk:
    table, where = written.tables["desk"], written.where("desk")
    if "expiry" in table:
        table["expiry"] = _expiry(table["expiry"], _place("desk", "expiry", where))
    if "strikes" in table:
        table["strikes"] = _strikes(table["strikes"], _place("desk", "strikes", where))
    if isinstance(table.get("underlying"), str):
        table["underlying"] = str(table["underlying"]).upper()
    desk = check(Desk, table, "[desk]", where)
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
    if not desk.symbols and desk.expiry is None:
        raise ConfigError(
            "nothing to quote: give --expiry YYYYMMDD with --strikes or --all-strikes, or --symbols"
        )
    return desk


def _place(table: str, key: str, where: Callable[[str], str]) -> str:
    """Where a value was given and, where that is not a flag of the same name, which it is."""
    given = where(key)
    return given if given.startswith("--") else f"{given}: [{table}] {key}"


def _expiry(value: object, where: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    text = str(value)
    try:
        if not re.fullmatch(r"\d{8}", text):
            raise ValueError(text)
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        raise ConfigError(
            f"{where}: {text!r} is not a date: write YYYYMMDD, for instance 20250606"
        ) from None


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


def _sim(written: _Written) -> Sim:
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
    sim = check(Sim, table, "[sim]", where)
    if sim.url is not None:
        _check_loopback(sim.url, _place("sim", "url", where))
    return sim


_HAS_PASSWORD = re.compile(r"//[^/@]*:[^/@]*@|[?&]password=")


def _refuse_sim_flags(written: _Written, mode: Mode) -> None:
    """A file may hold the settings of several modes; a flag says what is wanted now."""
    for key in ("url", "seed", "at"):
        given = written.origins.get(f"sim.{key}", "")
        if given.startswith("--"):
            raise ConfigError(
                f"{given} is for the simulated venue, but {written.origins['desk.mode']} says "
                f"{mode.value}: drop one of them"
            )


def _store(written: _Written) -> Store:
    where = written.where("store")
    store = check(Store, written.tables["store"], "[store]", where)
    if store.url is not None and _HAS_PASSWORD.search(store.url):
        raise ConfigError(
            f"{where('url')}: [store] url has a password in it; passwords are read from the "
            "environment only: set MMBOT_DATABASE_URL instead"
        )
    return store


def _tape(written: _Written) -> Tape:
    where = written.where("tape")
    tape = check(Tape, written.tables["tape"], "[tape]", where)
    if tape.total_mb < tape.file_mb:
        key = "total_mb" if "tape.total_mb" in written.origins else "file_mb"
        raise ConfigError(
            f"{where(key)}: [tape] total_mb = {tape.total_mb} has no room for one file of file_mb "
            f"= {tape.file_mb}: raise the first or lower the second"
        )
    return tape


def moment(value: object, where: str) -> datetime:
    """A moment in UTC from its text, for instance 2025-06-02T12:00:00Z. Raises ConfigError."""
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        when = None
    if when is None or when.tzinfo is None or when.year not in YEARS:
        raise ConfigError(
            f"{where}: {str(value)!r} is not a moment in UTC: write it like 2025-06-02T12:00:00Z"
        )
    return when.astimezone(UTC)


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


def _plugin(written: _Written, family: Family, name: str) -> PluginTable:
    path = f"{family.value}.{name}"
    table = written.table(path)
    where = written.where(path)
    return PluginTable(family, name, table, {key: where(key) for key in ("", *table)})


def _check_plugins(
    strategy: PluginTable, rules: tuple[PluginTable, ...], guards: tuple[PluginTable, ...]
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


def _check_widths(strategy: PluginTable, rules: tuple[PluginTable, ...]) -> None:
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
