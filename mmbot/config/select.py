"""Which of the listed instruments a configuration chooses, and whether its numbers fit them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from math import nan
from typing import cast

from mmbot.config import Config, DeskConfig
from mmbot.config.model import LONE
from mmbot.config.named import Named, NotListed
from mmbot.core.contracts import Instrument
from mmbot.core.ports import Selector
from mmbot.core.sizes import LOTS, SMALLEST, Size, amount_of, in_words, unit_of, units
from mmbot.core.types import InstrumentId, Kind, Nanos
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
    desk: DeskConfig,
    config: Config,
    unread: Mapping[str, str] | None = None,
    prices: Prices | None = None,
    now_ns: Nanos = 0,
) -> list[Instrument]:
    """The instruments a desk's selector finds, each once, in its order. `unread`: listed
    ones whose terms nobody could read, and why.

    Raises ConfigError with what is listed instead, or naming a value none of them can meet.
    """
    by_id = {instrument.id: instrument for instrument in listed}
    selector, where = _selector(config, desk)
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
    _check_fit(chosen, desk, config, prices or {})
    return chosen


def check_disjoint(chosen: Mapping[str, Sequence[Instrument]]) -> None:
    """Refuse what two desks (name -> its instruments) have both chosen: an instrument has one desk.

    Raises ConfigError.
    """
    owners: dict[InstrumentId, str] = {}
    for desk, instruments in chosen.items():
        for instrument in instruments:
            owner = owners.setdefault(instrument.id, desk)
            if owner != desk:
                raise ConfigError(
                    f"desks {owner} and {desk} both quote {instrument.name} "
                    f"({instrument.id}): take it out of one of them"
                )


def _selector(config: Config, desk: DeskConfig) -> tuple[Selector, Where]:
    """What chooses, and where each of its settings was given."""
    if desk.selector is not None:
        return cast(Selector, desk.selector.build()), desk.selector.where
    settings = desk.settings
    named = Named(
        underlying=settings.underlying,
        expiry=settings.expiry,
        strikes=settings.strikes,
        all_strikes=settings.all_strikes,
        symbols=settings.symbols,
    )
    return named, lambda key: where_of(config, desk, key)


def where_of(config: Config, desk: DeskConfig, key: str) -> str:
    """Where a value of the desk was given; for a default, the flag that would change it."""
    key_path = f"{desk.path}.{key}"
    return config.origin(key_path) if config.explicit(key_path) else f"--{key}{_of(desk)}"


# --- do the numbers fit -----------------------------------------------------------------------


def _check_fit(
    chosen: Sequence[Instrument], desk: DeskConfig, config: Config, prices: Prices
) -> None:
    """Refuse a value that means nothing on any instrument chosen.

    One that some of them can meet stands: on the others a size is raised to the smallest order,
    which is said at the start.
    """
    strategy = f"strategy.{desk.strategy.name}"
    scale = f"{strategy}.max_position"  # no amount of any order
    for setting in (*_AMOUNTS, f"{strategy}.size", scale):
        for key, value in _values(desk, setting):
            if isinstance(value, Size):
                _check_unit(config, key, value, chosen)
                if setting != scale:
                    _check_amount(config, desk, key, value, chosen, prices)
            elif value is not None and config.explicit(key):
                _check_amount(config, desk, key, Size(value), chosen, prices)
    for key, exposure in _values(desk, "risk.max_exposure.limit"):
        if isinstance(exposure, Decimal) and all(unit_of(i) == i.underlying for i in chosen):
            _check_amount(config, desk, key, Size(exposure), chosen, prices)
    if all(i.kind is Kind.OPTION for i in chosen):
        _refuse_not_for_options(desk, config)


def _refuse_not_for_options(desk: DeskConfig, config: Config) -> None:
    for setting in _NOT_FOR_OPTIONS:
        for key, given in _values(desk, setting):
            if given is not None and _given_for(desk, config, key):
                raise ConfigError(
                    f"{config.origin(key)}: {key} applies to perpetuals and futures, and only "
                    "options are chosen: leave it out (options have [risk.cost_floor])"
                )


def _given_for(desk: DeskConfig, config: Config, key: str) -> bool:
    """Whether a person gave this value for the desk: what the account book says is for all desks,
    of which others may quote other kinds."""
    of_desk = desk.path == LONE or key.startswith(f"{desk.path}.")
    return of_desk and config.explicit(key) and not _inherited(desk, config, key)


def _inherited(desk: DeskConfig, config: Config, key: str) -> bool:
    """Whether the strategy of one desk among several has a value from a rule of the book."""
    books = [rule for rule in desk.rules if not desk.own(rule)]
    return any(config.origin(key) == rule.origins.get(k) for rule in books for k in rule.table)


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
    config: Config,
    desk: DeskConfig,
    key: str,
    size: Size,
    chosen: Sequence[Instrument],
    prices: Prices,
) -> None:
    """Refuse a size that is below the smallest order wherever it can be told."""
    for instrument in chosen:
        price = prices.get(instrument.underlying, nan)
        amount = amount_of(size, instrument, price, price)
        if amount is None or amount >= instrument.grid.min_amount:
            return
    least = min(chosen, key=lambda i: i.grid.min_amount)
    price = prices.get(least.underlying, nan)
    hint = "" if config.explicit(key) else f" with {_LIMIT_FLAGS.get(key, key)}{_of(desk)}"
    raise ConfigError(
        f"{config.origin(key)}: {key} = {size} is below the smallest order the venue "
        f"takes on what is chosen, {in_words(least, least.grid.min_amount, price, price)} on "
        f"{least.name}: give at least that{hint}"
    )


def _values(desk: DeskConfig, setting: str) -> Iterator[tuple[str, Size | Decimal | None]]:
    """A number or a size of each plug-in in use that has it, such as "risk.max_order.limit", and
    the key under which it stands."""
    path, _, name = setting.rpartition(".")
    for plugin in (desk.strategy, *desk.rules):
        if path == f"{plugin.family.value}.{plugin.name}":
            value = getattr(plugin.build(), name, None)
            fits = value is None or isinstance(value, Size)
            yield f"{plugin.path}.{name}", value if fits else Decimal(str(value))


def _of(desk: DeskConfig) -> str:
    """What a flag needs besides where there are several desks."""
    return "" if desk.path == LONE else f" --desk {desk.name}"
