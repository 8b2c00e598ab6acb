"""Which of the listed instruments a configuration names, and whether its numbers fit them.

Options are found by the beginning of their names, which tells the kinds of settlement apart: the
chain `ETH` is settled in coin, `ETH_USDC` in USDC. Everything else is named by the venue's own
name or by ccxt's symbol.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from math import nan

from mmbot.config import Config, DeskConfig
from mmbot.config.model import LONE
from mmbot.core.contracts import Instrument
from mmbot.core.sizes import LOTS, SMALLEST, Size, amount_of, in_words, plain, unit_of, units
from mmbot.core.types import SECOND, InstrumentId, Kind
from mmbot.errors import ConfigError

_NEAREST = 4

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
) -> list[Instrument]:
    """The instruments a desk names, each once, in the order it names them; every strike
    of an expiry from the money outward, where the price is known. `unread`: listed ones whose
    terms nobody could read, and why.

    Raises ConfigError with what is listed instead, or naming a value none of them can meet.
    """
    listed = list(listed)
    chosen = _named(listed, desk, config, unread or {})
    if desk.settings.expiry is not None:
        chosen += _options(listed, desk, config, desk.settings.expiry, prices or {})
    chosen = list({instrument.id: instrument for instrument in chosen}.values())
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


# --- by name ----------------------------------------------------------------------------------


def _named(
    listed: Sequence[Instrument], desk: DeskConfig, config: Config, unread: Mapping[str, str]
) -> list[Instrument]:
    where = config.origin(f"{desk.path}.symbols")
    by_name = {i.symbol: i for i in listed} | {i.name: i for i in listed}
    for given in desk.settings.symbols:
        symbol = _as_listed(given, by_name)
        if symbol in unread:
            raise ConfigError(
                f"{where}: the venue lists {symbol} on terms that mmbot "
                f"cannot read ({unread[symbol]}): choose another one"
            )
        if symbol not in by_name:
            near = get_close_matches(symbol, by_name, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            perpetuals = ", ".join(i.name for i in listed if i.kind is Kind.PERPETUAL)
            raise ConfigError(f"{where}: {given} is not listed; {hint}perpetuals are {perpetuals}")
    return [by_name[_as_listed(given, by_name)] for given in desk.settings.symbols]


def _as_listed(name: str, by_name: Mapping[str, Instrument]) -> str:
    """Names are written in capitals or not."""
    return name if name in by_name else name.upper()


def _options(
    listed: Sequence[Instrument], desk: DeskConfig, config: Config, expiry: date, prices: Prices
) -> list[Instrument]:
    settings = desk.settings
    chains: dict[str, list[Instrument]] = {}
    for instrument in listed:
        if instrument.kind is Kind.OPTION:
            chains.setdefault(_chain_name(instrument), []).append(instrument)
    if settings.underlying not in chains:
        raise ConfigError(
            f"{_where(config, desk, 'underlying')}: no options on "
            f"{settings.underlying}; there are options on {', '.join(sorted(chains))}"
        )
    chain = chains[settings.underlying]
    dates = sorted({_expiry_date(i) for i in chain})
    if expiry not in dates:
        raise ConfigError(
            f"{_where(config, desk, 'expiry')}: no {settings.underlying} options "
            f"expire on {expiry:%Y%m%d}; live expiries are "
            f"{', '.join(f'{day:%Y%m%d}' for day in dates)}"
        )
    chain = [i for i in chain if _expiry_date(i) == expiry]
    strikes = sorted({i.strike for i in chain if i.strike is not None})
    wanted: Sequence[Decimal] = strikes if settings.all_strikes else settings.strikes
    price = prices.get(chain[0].underlying)
    if settings.all_strikes and price is not None:
        # What comes first is served first where the budget or a limit does not reach for all.
        wanted = sorted(strikes, key=lambda strike: abs(float(strike) - price))
    for strike in wanted:
        if strike not in strikes:
            nearest = sorted(sorted(strikes, key=lambda s: abs(s - strike))[:_NEAREST])
            raise ConfigError(
                f"{_where(config, desk, 'strikes')}: {plain(strike)} is not listed for "
                f"{expiry:%Y%m%d}; the nearest are {', '.join(map(plain, nearest))}"
            )
    return [i for strike in wanted for i in chain if i.strike == strike]


def _where(config: Config, desk: DeskConfig, key: str) -> str:
    """Where a value of the desk was given; for a default, the flag that would change it."""
    key_path = f"{desk.path}.{key}"
    return config.origin(key_path) if config.explicit(key_path) else f"--{key}{_of(desk)}"


def _chain_name(instrument: Instrument) -> str:
    return instrument.name.partition("-")[0]


def _expiry_date(instrument: Instrument) -> date:
    assert instrument.expiry_ns is not None
    return datetime.fromtimestamp(instrument.expiry_ns // SECOND, UTC).date()


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
