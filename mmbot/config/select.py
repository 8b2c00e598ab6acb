"""Which of the listed instruments a configuration chooses, and whether its numbers fit them."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import nan
from typing import cast

from mmbot.config import Config
from mmbot.config.named import Named, NotListed
from mmbot.core.contracts import Instrument
from mmbot.core.ports import Selector
from mmbot.core.sizes import LOTS, SMALLEST, Size, amount_of, in_words, unit_of, units
from mmbot.core.types import Kind, Nanos
from mmbot.errors import ConfigError
from mmbot.plugins.settings import Where

_AMOUNTS = ("risk.max_position.limit", "risk.max_order.limit")

_LIMIT_FLAGS = {
    "risk.max_position.limit": "--max-position",
    "risk.max_exposure.limit": "--max-exposure",
}

_NOT_FOR_OPTIONS = (
    "risk.min_spread.bps",
    "strategy.improve_top.spread_bps",
    "strategy.improve_top.min_spread_bps",
)
"""Settings in bps of a price, which say nothing about an option's premium."""


Prices = Mapping[str, float]
"""Coin -> USD, of the coins whose price is known."""


def choose(
    listed: Iterable[Instrument],
    config: Config,
    unread: Mapping[str, str] | None = None,
    prices: Prices | None = None,
    now_ns: Nanos = 0,
) -> list[Instrument]:
    """The instruments a configuration's selector finds, each once, in its order. `unread`: listed
    ones whose terms nobody could read, and why.

    Raises ConfigError with what is listed instead, or naming a value none of them can meet.
    """
    by_id = {instrument.id: instrument for instrument in listed}
    selector, where = _selector(config)
    try:
        found = list(selector.select(list(by_id.values()), prices or {}, now_ns))
    except NotListed as error:
        told = str(error)
        if unread is not None and error.name in unread:
            told = (
                f"the venue lists {error.name} on terms that mmbot cannot read "
                f"({unread[error.name]}): choose another one"
            )
        raise ConfigError(f"{where(error.setting)}: {told}") from None
    missing = [one for one in found if one not in by_id]
    if missing or not found:
        none = f"none of the {len(by_id)} instruments listed"
        what = f"{missing[0]}, which is not listed" if missing else none
        raise ConfigError(f"{where('')}: the selector chooses {what}")
    chosen = [by_id[one] for one in dict.fromkeys(found)]
    _check_fit(chosen, config, prices or {})
    return chosen


def _selector(config: Config) -> tuple[Selector, Where]:
    """What chooses, and where each of its settings was given."""
    if config.selector is not None:
        return cast(Selector, config.selector.build()), config.selector.where
    desk = config.desk
    named = Named(
        underlying=desk.underlying,
        expiry=desk.expiry,
        strikes=desk.strikes,
        all_strikes=desk.all_strikes,
        symbols=desk.symbols,
    )
    return named, lambda key: _where(config, key)


def _where(config: Config, key: str) -> str:
    """Where a value of the desk was given; for a default, the flag that would change it."""
    key_path = f"desk.{key}"
    return config.origin(key_path) if config.explicit(key_path) else f"--{key}"


# --- do the numbers fit -----------------------------------------------------------------------


def _check_fit(chosen: Sequence[Instrument], config: Config, prices: Prices) -> None:
    """Refuse a value that means nothing on any instrument chosen.

    One that some of them can meet stands: on the others a size is raised to the smallest order,
    which is said at the start.
    """
    strategy = f"strategy.{config.strategy.name}"
    scale = f"{strategy}.max_position"  # no amount of any order
    for key in (*_AMOUNTS, f"{strategy}.size", scale):
        value = _value(config, key)
        if isinstance(value, Size):
            _check_unit(config, key, value, chosen)
            if key != scale:
                _check_amount(config, key, value, chosen, prices)
        elif value is not None and config.explicit(key):
            _check_amount(config, key, Size(value), chosen, prices)
    exposure = _value(config, "risk.max_exposure.limit")
    if isinstance(exposure, Decimal) and all(unit_of(i) == i.underlying for i in chosen):
        _check_amount(config, "risk.max_exposure.limit", Size(exposure), chosen, prices)
    if all(i.kind is Kind.OPTION for i in chosen):
        for key in _NOT_FOR_OPTIONS:
            if config.explicit(key) and _value(config, key) is not None:
                raise ConfigError(
                    f"{config.origin(key)}: {key} applies to perpetuals and futures, and only "
                    "options are chosen: leave it out (options have [risk.cost_floor])"
                )


def _check_unit(config: Config, key: str, size: Size, chosen: Sequence[Instrument]) -> None:
    for instrument in chosen:
        possible = units(instrument)
        if size.unit in ("", SMALLEST.unit, *possible):
            continue
        raise ConfigError(
            f"{config.origin(key)}: {key} = {size} is no amount of {instrument.name}: write it in "
            f"{', '.join(possible[:-1])} or {LOTS}"
        )


def _check_amount(
    config: Config, key: str, size: Size, chosen: Sequence[Instrument], prices: Prices
) -> None:
    """Refuse a size that is below the smallest order wherever it can be told."""
    for instrument in chosen:
        price = prices.get(instrument.underlying, nan)
        amount = amount_of(size, instrument, price, price)
        if amount is None or amount >= instrument.min_amount:
            return
    least = min(chosen, key=lambda i: i.min_amount)
    price = prices.get(least.underlying, nan)
    hint = "" if config.explicit(key) else f" with {_LIMIT_FLAGS.get(key, key)}"
    raise ConfigError(
        f"{config.origin(key)}: {key} = {size} is below the smallest order the venue "
        f"takes on what is chosen, {in_words(least, least.min_amount, price, price)} on "
        f"{least.name}: give at least that{hint}"
    )


def _value(config: Config, key: str) -> Size | Decimal | None:
    """A number or a size of a plug-in that is in use; None when it is not."""
    path, _, name = key.rpartition(".")
    for plugin in (config.strategy, *config.rules):
        if path == f"{plugin.family.value}.{plugin.name}":
            value = getattr(plugin.build(), name, None)
            return value if value is None or isinstance(value, Size) else Decimal(str(value))
    return None
