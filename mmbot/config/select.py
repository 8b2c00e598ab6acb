"""Which of the listed instruments a configuration names, and whether its numbers fit them.

Options are found by the beginning of their names, which tells the kinds of settlement apart: the
chain `ETH` is settled in coin, `ETH_USDC` in USDC. Everything else is named by the venue's own
name or by ccxt's symbol.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from math import nan

from mmbot.config import Config
from mmbot.core.contracts import Instrument
from mmbot.core.sizes import LOTS, SMALLEST, Size, amount_of, in_words, plain, unit_of, units
from mmbot.core.types import SECOND, Kind
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
    config: Config,
    unread: Mapping[str, str] | None = None,
    prices: Prices | None = None,
) -> list[Instrument]:
    """The instruments a configuration names, each once, in the order it names them; every strike
    of an expiry from the money outward, where the price is known. `unread`: listed ones whose
    terms nobody could read, and why.

    Raises ConfigError with what is listed instead, or naming a value none of them can meet.
    """
    listed = list(listed)
    chosen = _named(listed, config, unread or {})
    if config.desk.expiry is not None:
        chosen += _options(listed, config, config.desk.expiry, prices or {})
    chosen = list({instrument.id: instrument for instrument in chosen}.values())
    _check_fit(chosen, config, prices or {})
    return chosen


# --- by name ----------------------------------------------------------------------------------


def _named(
    listed: Sequence[Instrument], config: Config, unread: Mapping[str, str]
) -> list[Instrument]:
    by_name = {i.symbol: i for i in listed} | {i.name: i for i in listed}
    for given in config.desk.symbols:
        symbol = _as_listed(given, by_name)
        if symbol in unread:
            raise ConfigError(
                f"{config.origin('desk.symbols')}: the venue lists {symbol} on terms that mmbot "
                f"cannot read ({unread[symbol]}): choose another one"
            )
        if symbol not in by_name:
            near = get_close_matches(symbol, by_name, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            perpetuals = ", ".join(i.name for i in listed if i.kind is Kind.PERPETUAL)
            raise ConfigError(
                f"{config.origin('desk.symbols')}: {given} is not listed; {hint}"
                f"perpetuals are {perpetuals}"
            )
    return [by_name[_as_listed(given, by_name)] for given in config.desk.symbols]


def _as_listed(name: str, by_name: Mapping[str, Instrument]) -> str:
    """Names are written in capitals or not."""
    return name if name in by_name else name.upper()


def _options(
    listed: Sequence[Instrument], config: Config, expiry: date, prices: Prices
) -> list[Instrument]:
    desk = config.desk
    chains: dict[str, list[Instrument]] = {}
    for instrument in listed:
        if instrument.kind is Kind.OPTION:
            chains.setdefault(_chain_name(instrument), []).append(instrument)
    if desk.underlying not in chains:
        raise ConfigError(
            f"{_where(config, 'underlying')}: no options on {desk.underlying}; there are options "
            f"on {', '.join(sorted(chains))}"
        )
    chain = chains[desk.underlying]
    dates = sorted({_expiry_date(i) for i in chain})
    if expiry not in dates:
        raise ConfigError(
            f"{_where(config, 'expiry')}: no {desk.underlying} options expire on {expiry:%Y%m%d}; "
            f"live expiries are {', '.join(f'{day:%Y%m%d}' for day in dates)}"
        )
    chain = [i for i in chain if _expiry_date(i) == expiry]
    strikes = sorted({i.strike for i in chain if i.strike is not None})
    wanted: Sequence[Decimal] = strikes if desk.all_strikes else desk.strikes
    price = prices.get(chain[0].underlying)
    if desk.all_strikes and price is not None:
        # What comes first is served first where the budget or a limit does not reach for all.
        wanted = sorted(strikes, key=lambda strike: abs(float(strike) - price))
    for strike in wanted:
        if strike not in strikes:
            nearest = sorted(sorted(strikes, key=lambda s: abs(s - strike))[:_NEAREST])
            raise ConfigError(
                f"{_where(config, 'strikes')}: {plain(strike)} is not listed for "
                f"{expiry:%Y%m%d}; the nearest are {', '.join(map(plain, nearest))}"
            )
    return [i for strike in wanted for i in chain if i.strike == strike]


def _where(config: Config, key: str) -> str:
    """Where a value of the desk was given; for a default, the flag that would change it."""
    key_path = f"desk.{key}"
    return config.origin(key_path) if config.explicit(key_path) else f"--{key}"


def _chain_name(instrument: Instrument) -> str:
    return instrument.name.partition("-")[0]


def _expiry_date(instrument: Instrument) -> date:
    assert instrument.expiry_ns is not None
    return datetime.fromtimestamp(instrument.expiry_ns // SECOND, UTC).date()


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
        if amount is None or amount >= instrument.grid.min_amount:
            return
    least = min(chosen, key=lambda i: i.grid.min_amount)
    price = prices.get(least.underlying, nan)
    hint = "" if config.explicit(key) else f" with {_LIMIT_FLAGS.get(key, key)}"
    raise ConfigError(
        f"{config.origin(key)}: {key} = {size} is below the smallest order the venue "
        f"takes on what is chosen, {in_words(least, least.grid.min_amount, price, price)} on "
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
