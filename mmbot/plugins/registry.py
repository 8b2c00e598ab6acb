"""The one list of plug-ins: strategies, signals, hedgers, risk rules, guards, venues, fill sinks.

A plug-in is a frozen dataclass: its fields are its settings, its docstring is its manual, its
behavior is one or two methods (the shapes are in core/ports.py). Adding one is a file like

    @register(Family.RULE, "max_order")
    @dataclass(frozen=True, slots=True)
    class MaxOrder:
        "Shrink any order above a size."

        limit: Annotated[Size, doc("largest order")] = Size(Decimal(5))

        def check(self, view: View, target: Target) -> Verdict: ...

plus either its line in BUILT_IN or `plugins = ["my.module"]` in the configuration. Modules are
imported when a plug-in of theirs is asked for by name, so that listing names costs nothing.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from importlib import import_module, invalidate_caches
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from traceback import extract_tb
from typing import TypeVar

from mmbot.errors import ConfigError
from mmbot.plugins.settings import Where, check, settings_class, unknown

T = TypeVar("T")


class Family(Enum):
    """The kinds of plug-ins; the value is the word used in configuration tables."""

    STRATEGY = "strategy"
    SELECTOR = "selector"
    PRICER = "pricer"
    SIGNAL = "signal"
    HEDGER = "hedge"
    RULE = "risk"
    GUARD = "guards"
    VENUE = "venue"
    SINK = "sink"


BUILT_IN: Mapping[Family, Mapping[str, str]] = {
    Family.STRATEGY: {
        "improve_top": "mmbot.strategies.improve_top",
        "simple_spread": "mmbot.strategies.simple_spread",
    },
    Family.SELECTOR: {
        "named": "mmbot.config.named",
    },
    Family.PRICER: {
        "auto": "mmbot.pricing.auto",
        "mark": "mmbot.pricing.mark",
        "mid": "mmbot.pricing.mid",
        "theoretical": "mmbot.pricing.theoretical",
    },
    Family.SIGNAL: {
        name: f"mmbot.signals.{name}"
        for name in (
            "imbalance",
            "microprice",
            "trade_flow",
            "large_trade",
            "top_speed",
            "realized_vol",
            "funding_carry",
            "basis",
            "own_markout",
            "arrival",
        )
    },
    Family.RULE: {
        "stale_market": "mmbot.risk.stale_market",
        "price_band": "mmbot.risk.price_band",
        "min_spread": "mmbot.risk.min_spread",
        "cost_floor": "mmbot.risk.cost_floor",
        "max_order": "mmbot.risk.max_order",
        "max_position": "mmbot.risk.max_position",
        "max_exposure": "mmbot.risk.max_exposure",
        "reference_price": "mmbot.risk.reference_price",
    },
    Family.GUARD: {
        "session_loss": "mmbot.risk.guards.session_loss",
        "day_loss": "mmbot.risk.guards.day_loss",
        "drawdown": "mmbot.risk.guards.drawdown",
        "position": "mmbot.risk.guards.position",
        "stale_data": "mmbot.risk.guards.stale_data",
        "reject_rate": "mmbot.risk.guards.reject_rate",
        "unreconciled": "mmbot.risk.guards.unreconciled",
        "clock_skew": "mmbot.risk.guards.clock_skew",
        "margin": "mmbot.risk.guards.margin",
        "order_to_volume": "mmbot.risk.guards.order_to_volume",
        "stale_references": "mmbot.risk.guards.stale_references",
    },
    Family.VENUE: {kind: f"mmbot.venues.{kind}.plugin" for kind in ("deribit", "derive")},
}
"""Family -> name -> the module whose import registers it."""

_registered: dict[Family, dict[str, type]] = {family: {} for family in Family}


def register(family: Family, name: str) -> Callable[[type[T]], type[T]]:
    """Decorate a frozen dataclass to make it the plug-in `name` of a family.

    Raises ConfigError where another class has that name: a rule that took the place of a built-in
    one by its name would switch that one off without a word.
    """

    def remember(cls: type[T]) -> type[T]:
        home = BUILT_IN.get(family, {}).get(name, cls.__module__)
        known = _registered[family].get(name, cls)
        there = known.__module__ if home == cls.__module__ else home
        if there != cls.__module__ or known.__qualname__ != cls.__qualname__:
            raise ConfigError(
                f"{family.value} {name!r} of {cls.__module__} has the name of one in {there}: "
                "give it another"
            )
        _registered[family][name] = settings_class(cls)
        return cls

    return remember


def names(family: Family) -> tuple[str, ...]:
    """Every plug-in of a family that can be named now, built-in ones first."""
    return tuple(dict.fromkeys((*BUILT_IN.get(family, {}), *_registered[family])))


def load(family: Family, name: str, where: str) -> type:
    """The class registered under a name. Raises ConfigError where nobody knows it."""
    if name not in _registered[family]:
        module = BUILT_IN.get(family, {}).get(name)
        if module is None:
            raise ConfigError(f"{where}: {unknown(family.value, name, names(family))}")
        import_module(module)
        assert name in _registered[family], f"{module} does not register {family.value} {name!r}"
    return _registered[family][name]


def build(family: Family, name: str, table: Mapping[str, object], where: Where) -> object:
    """The plug-in `name` with the settings of `table`; defaults for what is not there.

    Raises ConfigError that names the place, the key, the allowed range and the nearest spelling.
    """
    title = f"[{family.value}.{name}]"
    return check(load(family, name, where("")), table, title, where)


def load_plugins(modules: Iterable[str], where: str, folders: Iterable[Path] = ()) -> None:
    """Import modules outside mmbot that register plug-ins: from wherever Python finds modules, or
    else from the first of `folders` that has one. Raises ConfigError if one cannot be imported.
    """
    for module in modules:
        folder = next((f for f in folders if _file_of(module, f)), None)
        if folder is not None:
            _make_room(module, folder, where)
        try:
            import_module(module)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        except Exception as error:
            raise ConfigError(f"{where}: {_failed(module, error, folders)}") from error


def _file_of(module: str, folder: Path) -> Path | None:
    """The file (of a package: its first one) that a module would be imported from in a folder."""
    path = folder.joinpath(*module.split("."))
    found = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((file for file in found if file.is_file()), None)


def _make_room(module: str, folder: Path, where: str) -> None:
    """Let Python find a module in a folder. The folder comes last, so that no file in it takes the
    place of a module that is installed; one that would is refused."""
    top = module.partition(".")[0]
    invalidate_caches()
    spec = sys.modules[top].__spec__ if top in sys.modules else find_spec(top)
    if spec is not None and not _lies_in(spec, folder):
        raise ConfigError(
            f"{where}: plug-in module {module!r}: Python has another module {top} "
            f"({spec.origin}), so that {_file_of(module, folder)} is not found: rename it"
        )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _lies_in(spec: ModuleSpec, folder: Path) -> bool:
    places = [spec.origin, *(spec.submodule_search_locations or ())]
    return any(folder in Path(place).resolve().parents for place in places if place)


def _failed(module: str, error: Exception, folders: Iterable[Path]) -> str:
    """Why a module could not be imported, in one line."""
    head = f"plug-in module {module!r}"
    if isinstance(error, ModuleNotFoundError) and module.startswith(error.name or " "):
        places = [str(folder) for folder in folders]
        looked = f"it is not in {' or '.join(places)}, nor " if places else "it is not "
        return f"{head} cannot be found: {looked}where Python looks (PYTHONPATH)"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    steps = [step for step in extract_tb(error.__traceback__) if "importlib" not in step.filename]
    line = f" ({steps[-1].filename}:{steps[-1].lineno})" if steps[1:] else ""
    return f"{head} cannot be imported: {said}{line}"
