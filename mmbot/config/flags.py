"""The flags: which key each of them sets, and how its text is read."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from mmbot.config.file import Scope, Written
from mmbot.config.model import LONE, LoneDeskSettings, Mode, RunSettings
from mmbot.errors import ConfigError
from mmbot.plugins.registry import Family, load
from mmbot.plugins.settings import manual, unknown

DEFAULT_STRATEGY = "improve_top"

Flags = Mapping[str, str | bool]
"""The flags that were given, as spelled ("--max-position"), with the text that follows them."""


def number(text: str) -> object:
    """A number where it is one; other text is left for the check to refuse."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


FLAGS: Mapping[str, tuple[Callable[[str], object], str, str]] = {
    # flag: how its text is read, the key it sets, and the strategy's own copy of it, if it has one
    "--exchange": (str, "desk.venue", ""),
    "--underlying": (str, "desk.underlying", ""),
    "--expiry": (str, "desk.expiry", ""),
    "--strikes": (_list, "desk.strikes", ""),
    "--all-strikes": (str, "desk.all_strikes", ""),
    "--symbols": (_list, "desk.symbols", ""),
    "--watch": (_list, "desk.watch", ""),
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
KNOWN_FLAGS = frozenset((*FLAGS, *_MODE_FLAGS, *_TAPE_FLAGS, "--strategy", "--desk"))

RUN_KEYS = tuple(
    setting.name for setting in manual(LoneDeskSettings) if hasattr(RunSettings, setting.name)
)
"""What of the run may stand in a lone [desk] instead."""

_OF_THE_RUN = frozenset(f"{LONE}.{key}" for key in RUN_KEYS)
_DESK_FLAGS = frozenset(
    flag
    for flag, (_, key, _) in FLAGS.items()
    if key.partition(".")[0] in ("desk", "strategy", "risk") and key not in _OF_THE_RUN
) | {"--strategy"}
"""The flags that are about one desk."""

_OPTION_FLAGS = ("--underlying", "--expiry", "--strikes", "--all-strikes")


def desk_of_flags(scopes: Sequence[Scope], flags: Flags) -> Scope:
    """The desk that the flags are about. Raises ConfigError where they could be about several."""
    about = [flag for flag in flags if flag in _DESK_FLAGS]
    named = flags.get("--desk")
    names = [scope.name for scope in scopes]
    if named is None:
        if about and len(scopes) > 1:
            raise ConfigError(
                f"{about[0]}: there are several desks: add --desk NAME, one of {', '.join(names)}"
            )
        return scopes[0]
    if named not in names:
        raise ConfigError(f"--desk: {unknown('desk', str(named), names)}")
    if not about:
        raise ConfigError(
            "--desk: says which desk a flag such as --size or --strikes is about, and none is given"
        )
    return next(scope for scope in scopes if scope.name == named)


def choose_strategy(written: Written, scope: Scope, flags: Flags) -> None:
    """Leave one strategy of a desk: the flag's, else the file's, else the default."""
    path = scope.key("strategy")
    tables = written.table(path)
    chosen = flags.get("--strategy")
    if chosen is None:
        if len(tables) > 1:
            second = f"{path}.{list(tables)[1]}"
            raise ConfigError(
                f"{written.origins[second]}: a desk has one strategy, here are "
                f"{', '.join(tables)}: keep one, or choose with --strategy"
            )
        chosen = next(iter(tables), DEFAULT_STRATEGY)
    else:
        written.origins[f"{path}.{chosen}"] = "--strategy"
    kept = tables.get(str(chosen), {})
    tables.clear()
    tables[str(chosen)] = kept


def put_flags(written: Written, scope: Scope, flags: Flags) -> None:
    """Flags over what the file says; the mode and tape flags first. Raises ConfigError."""
    _put_switches(written, scope, flags)
    if not scope.lone:
        _refuse_other_kind(written, scope, flags)
    ((name, _),) = written.table(scope.key("strategy")).items()
    strategy = scope.key(f"strategy.{name}")
    for flag, given in flags.items():
        if flag not in FLAGS:
            continue
        read, sets, copy = FLAGS[flag]
        value = given if isinstance(given, bool) else read(given)
        path, _, key = sets.rpartition(".")
        if sets in _OF_THE_RUN:
            path = _run_table(written, scope, key)
        elif path == "strategy":
            path = strategy
            settings = settings_of(written, strategy, name)
            if key not in settings:
                raise ConfigError(
                    f"{flag}: strategy {name} has no such setting; it has {', '.join(settings)}"
                )
        elif flag in _DESK_FLAGS:
            if path != LONE:  # a limit, whether or not the file has a table of it
                written.table(scope.key("risk")).setdefault(path.partition(".")[2], {})
            path = scope.key(path)
        written.put(path, key, value, flag)
        if copy and copy in settings_of(written, strategy, name):
            written.put(strategy, copy, value, flag)


def _run_table(written: Written, scope: Scope, key: str) -> str:
    """Where a setting of the run stands, or goes."""
    return LONE if scope.lone and key not in written.tables["run"] else "run"


def _refuse_other_kind(written: Written, scope: Scope, flags: Flags) -> None:
    """A flag that chooses options is not for a desk that quotes symbols, nor the other way."""
    table, where = written.table(scope.path), written.where(scope.path)
    options = [key for key in ("expiry", "strikes", "all_strikes") if key in table]
    if "symbols" in table and not options:
        given, key = [flag for flag in _OPTION_FLAGS if flag in flags], "symbols"
    elif options and "symbols" not in table:
        given, key = [flag for flag in ("--symbols",) if flag in flags], options[0]
    else:
        return
    if given:
        raise ConfigError(
            f"{given[0]} and {where(key)} contradict each other: desk {scope.name} quotes "
            f"{'symbols' if key == 'symbols' else 'the options of an expiry'}"
        )


def _put_switches(written: Written, scope: Scope, flags: Flags) -> None:
    modes = [flag for flag in flags if flag in _MODE_FLAGS]
    if len(modes) > 1:
        raise ConfigError(f"{' and '.join(modes)} contradict each other: give one")
    for flag in modes:
        written.put(_run_table(written, scope, "mode"), "mode", _MODE_FLAGS[flag].value, flag)
    if _TAPE_FLAGS.keys() <= flags.keys():
        raise ConfigError(f"{' and '.join(_TAPE_FLAGS)} contradict each other: give one")
    for flag, on in _TAPE_FLAGS.items():
        if flag in flags:
            written.put("tape", "on", on, flag)


def settings_of(written: Written, path: str, name: str) -> list[str]:
    """The names of the settings of the strategy `name`, which stands at `path`."""
    found = load(Family.STRATEGY, name, written.where(path)(""))
    return [setting.name for setting in manual(found)]
