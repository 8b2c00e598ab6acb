"""The flags: which key each of them sets, and how its text is read."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from mmbot.config.file import Written
from mmbot.config.model import Mode
from mmbot.errors import ConfigError
from mmbot.plugins.registry import Family, load
from mmbot.plugins.settings import manual

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
KNOWN_FLAGS = frozenset((*FLAGS, *_MODE_FLAGS, *_TAPE_FLAGS, "--strategy"))


def choose_strategy(written: Written, flags: Flags) -> None:
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


def put_flags(written: Written, flags: Flags) -> None:
    """Flags over what the file says; the mode and tape flags first. Raises ConfigError."""
    _put_switches(written, flags)
    name = next(iter(written.tables["strategy"]))
    strategy = f"strategy.{name}"
    for flag, given in flags.items():
        if flag not in FLAGS:
            continue
        read, key, copy = FLAGS[flag]
        value = given if isinstance(given, bool) else read(given)
        path, _, key = key.rpartition(".")
        if path == "strategy":
            path = strategy
            settings = settings_of(written, Family.STRATEGY, name)
            if key not in settings:
                raise ConfigError(
                    f"{flag}: strategy {name} has no such setting; it has {', '.join(settings)}"
                )
        written.put(path, key, value, flag)
        if copy and copy in settings_of(written, Family.STRATEGY, name):
            written.put(strategy, copy, value, flag)


def _put_switches(written: Written, flags: Flags) -> None:
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


def settings_of(written: Written, family: Family, name: str) -> list[str]:
    """The names of a plug-in's settings."""
    where = written.where(f"{family.value}.{name}")("")
    return [setting.name for setting in manual(load(family, name, where))]
