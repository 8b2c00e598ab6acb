"""The rules and guards of a run: whose they are, which are switched off, what they inherit.

[risk.*] and [guards.*] at the top of a file are the account book's: they judge the quotes of every
desk, after the desk's own rules. A file never weakens a default by leaving it out: a rule that is
named nowhere is there all the same, behind those that are. Rules only take away, so that their
order decides nothing but which reason is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from mmbot.config.file import Scope, Written
from mmbot.config.flags import FLAGS, settings_of
from mmbot.config.model import DeskConfig, PluginTable
from mmbot.core.sizes import POSITION, Size
from mmbot.errors import ConfigError
from mmbot.plugins.registry import BUILT_IN, Family

DEFAULT_PRICER = "auto"

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

DEFAULT_GUARDS = tuple(name for name in BUILT_IN[Family.GUARD] if name != "stale_references")
"""They always watch; the other one where a file names it, as not everybody has references."""

POSITION_GUARD_TIMES = 2
"""Of the rule max_position's limit: where the guard of positions stands by default."""


@dataclass(frozen=True, slots=True)
class RuleNames:
    """Paths of the tables of rules."""

    book: frozenset[str]
    """Those that the file names at the top."""
    off: tuple[str, ...]
    """Those that the file switches off."""


def with_defaults(written: Written, scopes: Sequence[Scope]) -> RuleNames:
    """Add the rules and guards that every run has, and take the word `off` out of the tables.

    Raises ConfigError for what cannot be switched off.
    """
    book = frozenset(f"risk.{name}" for name in written.tables["risk"])
    for name in DEFAULT_RULES:
        written.tables["risk"].setdefault(name, {})
    for name in DEFAULT_GUARDS:
        written.tables["guards"].setdefault(name, {})
    for name in written.tables["guards"]:
        if "off" in written.table(f"guards.{name}"):
            raise ConfigError(
                f"{written.origins[f'guards.{name}.off']}: [guards.{name}] off: a guard cannot be "
                "switched off, it is what trips the kill switch: raise its limits instead"
            )
    folders = dict.fromkeys(("risk", *(scope.key("risk") for scope in scopes)))
    paths = [f"{folder}.{name}" for folder in folders for name in written.table(folder)]
    off = tuple(path for path in paths if _switched_off(written, path))
    for path in off:
        books = f"risk.{_name(path)}" if path.startswith("desks.") else ""
        if books in book and books not in off:
            raise ConfigError(
                f"{written.origins[f'{path}.off']}: [{path}] off: [{books}] judges every desk "
                f"({written.origins[books]}): drop one of them"
            )
    return RuleNames(book, off)


def _switched_off(written: Written, path: str) -> bool:
    """Whether a file switches a rule off. The word is taken out of its table."""
    table = written.table(path)
    if "off" not in table:
        return False
    word = table.pop("off")
    if not isinstance(word, bool):
        raise ConfigError(
            f"{written.origins[f'{path}.off']}: [{path}] off = {word!r}: expected true or false"
        )
    return word


def refuse_flags_of(off: Sequence[str], written: Written) -> None:
    """A limit that is given now is not one that is switched off."""
    for key, given in written.origins.items():
        path, _, _ = key.rpartition(".")
        if given.startswith("--") and path in off:
            raise ConfigError(
                f"{given}: [{path}] is switched off ({written.origins[f'{path}.off']}): drop one "
                "of them"
            )


def inherit(written: Written, scope: Scope) -> None:
    """A strategy that scales its skew by a limit, or widens to one, takes it from the rule: from
    the desk's own, or else from the book's."""
    ((name, table),) = written.table(scope.key("strategy")).items()
    strategy = scope.key(f"strategy.{name}")
    for _, source, copy in FLAGS.values():
        path, _, key = source.rpartition(".")
        given = [p for p in (scope.key(path), path) if f"{p}.{key}" in written.origins]
        if not copy or not path or not given:
            continue
        settings = cast(dict[str, object], table)
        if copy in settings_of(written, strategy, name) and copy not in settings:
            value = written.table(given[0])[key]
            written.put(strategy, copy, value, written.origins[f"{given[0]}.{key}"])


def inherit_position(written: Written, scopes: Sequence[Scope]) -> None:
    """The guard of positions stands at twice the rule's limit, unless it is given one. Where desks
    have limits of their own it is the largest, as far as they can be compared. Raises ConfigError.
    """
    guard = cast(dict[str, object], written.tables["guards"]["position"])
    if "limit" in guard:
        return
    rules = dict.fromkeys(_position_rule(written, scope) for scope in scopes)
    limits = {rule: written.table(rule).get("limit") for rule in rules}
    given = [rule for rule, limit in limits.items() if limit is not None]
    if not given:
        return
    origin = written.origins[f"{given[0]}.limit"]
    try:
        sizes = [POSITION if limit is None else Size.parse(limit) for limit in limits.values()]
    except ValueError:
        return  # told where it was written, by the rule
    if len({size.unit for size in sizes}) > 1 or (len(set(sizes)) > 1 and not sizes[0].unit):
        raise ConfigError(
            f"{origin}: the desks have limits of their position that cannot be compared "
            f"({', '.join(map(str, sizes))}): give the guard its own, [guards.position] limit"
        )
    largest = max(sizes, key=lambda size: size.amount)
    written.put("guards.position", "limit", largest.times(POSITION_GUARD_TIMES), origin)


def _position_rule(written: Written, scope: Scope) -> str:
    own = scope.key("risk.max_position")
    return own if "max_position" in written.table(scope.key("risk")) else "risk.max_position"


# The plug-ins -------------------------------------------------------------------------------------


def plugin(written: Written, family: Family, path: str) -> PluginTable:
    """The plug-in whose table stands at a path."""
    table = written.table(path)
    where = written.where(path)
    origins = {key: where(key) for key in ("", *table)}
    return PluginTable(family, _name(path), table, origins, path)


def _name(path: str) -> str:
    """The name of the plug-in whose table stands at a path."""
    return path.split(".", 3 if path.startswith("desks.") else 1)[-1]


def strategy_of(written: Written, scope: Scope) -> PluginTable:
    """The strategy of a desk, once it is chosen."""
    (name,) = written.table(scope.key("strategy"))
    return plugin(written, Family.STRATEGY, scope.key(f"strategy.{name}"))


def selector_of(written: Written, scope: Scope) -> PluginTable | None:
    """The selector of a desk, if it names one. Raises ConfigError."""
    path = scope.key("selector")
    name = _only(written, path, "selector")
    return None if name is None else plugin(written, Family.SELECTOR, f"{path}.{name}")


def pricer_of(written: Written, scope: Scope) -> PluginTable:
    """The pricer of a desk, which is `auto` unless the file names another. Raises ConfigError."""
    path = scope.key("pricer")
    name = _only(written, path, "pricer") or DEFAULT_PRICER
    written.table(path).setdefault(name, {})
    return plugin(written, Family.PRICER, f"{path}.{name}")


def hedger_of(written: Written, scope: Scope) -> PluginTable | None:
    """The hedger of a desk, if it names one. Raises ConfigError."""
    path = scope.key("hedge")
    name = _only(written, path, "hedge")
    return None if name is None else plugin(written, Family.HEDGER, f"{path}.{name}")


def _only(written: Written, path: str, family: str) -> str | None:
    """The one plug-in of a family of which a desk has one, where the file names it."""
    tables = written.table(path)
    if len(tables) > 1:
        raise ConfigError(
            f"{written.origins[f'{path}.{list(tables)[1]}']}: a desk has one {family}, here are "
            f"{', '.join(tables)}: keep one"
        )
    return next(iter(tables), None)


def signals_of(written: Written, scope: Scope) -> tuple[PluginTable, ...]:
    """The signals of a desk, which are those its file names."""
    path = scope.key("signal")
    return tuple(plugin(written, Family.SIGNAL, f"{path}.{name}") for name in written.table(path))


def rules_of(written: Written, scope: Scope, names: RuleNames) -> tuple[PluginTable, ...]:
    """The rules that judge a desk's quotes: its own, then the book's. A default that the desk has a
    table of is the desk's own."""
    own = [scope.key(f"risk.{name}") for name in written.table(scope.key("risk"))]
    taken = {path.removeprefix(f"{scope.path}.") for path in own} - names.book
    book = [path for name in written.tables["risk"] if (path := f"risk.{name}") not in taken]
    paths = own if scope.lone else own + book
    return tuple(plugin(written, Family.RULE, path) for path in paths if path not in names.off)


def check_plugins(desks: Sequence[DeskConfig], others: Sequence[PluginTable]) -> None:
    """Build all plug-ins once. `others`: those of no desk, and what is switched off.

    Raises ConfigError for what cannot be built, and for contradictions between two of them.
    """
    for desk in desks:
        strategy = desk.strategy
        if strategy.table.get("bid_only") is True and strategy.table.get("ask_only") is True:
            raise ConfigError(
                f"{strategy.where('bid_only')} and {strategy.where('ask_only')} contradict each "
                "other: give one"
            )
    # Rules first: others may have inherited a bad limit that was written for a rule.
    for rule in {rule.path: rule for desk in desks for rule in desk.rules}.values():
        rule.build()
    own = [
        o
        for d in desks
        for o in (d.strategy, d.pricer, *d.signals, *filter(None, [d.hedger, d.selector]))
    ]
    for one in (*others, *own):
        one.build()
    for desk in desks:
        _check_widths(desk.strategy, desk.rules)


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
