"""The one list of plug-ins: strategies, signals, hedgers, risk rules, guards, venues, fill sinks.

A plug-in is a frozen dataclass: its fields are its settings, its docstring is its manual, its
behavior is one or two methods (the shapes are in core/ports.py). Adding one is a file like

    @register(Family.RULE, "max_order")
    @dataclass(frozen=True, slots=True)
    class MaxOrder:
        "Shrink any order above a size."

        limit: Annotated[Decimal, Gt(0), doc("largest order, in the venue's unit")] = Decimal(5)

        def check(self, view: View, target: Target) -> Verdict: ...

plus either its line in BUILT_IN or `plugins = ["my.module"]` in the configuration. Modules are
imported when a plug-in of theirs is asked for by name, so that listing names costs nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from importlib import import_module
from typing import TypeVar

from mmbot.errors import ConfigError
from mmbot.settings import Where, check, settings_class, unknown

T = TypeVar("T")


class Family(Enum):
    """The kinds of plug-ins; the value is the word used in configuration tables."""

    STRATEGY = "strategy"
    SIGNAL = "signal"
    HEDGER = "hedger"
    RULE = "risk"
    GUARD = "guards"
    VENUE = "venue"
    SINK = "sink"


BUILT_IN: Mapping[Family, Mapping[str, str]] = {
    Family.STRATEGY: {
        "improve_top": "mmbot.strategies.improve_top",
        "simple_spread": "mmbot.strategies.simple_spread",
    },
    Family.RULE: {
        "stale_market": "mmbot.risk.stale_market",
        "price_band": "mmbot.risk.price_band",
        "min_spread": "mmbot.risk.min_spread",
        "cost_floor": "mmbot.risk.cost_floor",
        "max_order": "mmbot.risk.max_order",
        "max_position": "mmbot.risk.max_position",
        "max_exposure": "mmbot.risk.max_exposure",
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
    },
    Family.VENUE: {
        "deribit": "mmbot.venues.deribit.venue",
    },
}
"""Family -> name -> the module whose import registers it."""

_registered: dict[Family, dict[str, type]] = {family: {} for family in Family}


def register(family: Family, name: str) -> Callable[[type[T]], type[T]]:
    """Decorate a frozen dataclass to make it the plug-in `name` of a family."""

    def remember(cls: type[T]) -> type[T]:
        known = _registered[family].setdefault(name, settings_class(cls))
        assert known is cls, f"{family.value} {name!r} is registered twice: {known}, {cls}"
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


def load_plugins(modules: Iterable[str], where: str) -> None:
    """Import modules outside mmbot that register plug-ins. Raises ConfigError if one cannot be."""
    for module in modules:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            missing = "" if error.name == module else f" ({error})"
            raise ConfigError(
                f"{where}: plug-in module {module!r} cannot be imported{missing}; "
                "is its folder on PYTHONPATH?"
            ) from error
