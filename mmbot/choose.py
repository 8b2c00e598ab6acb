"""Which of the listed instruments a configuration names, and whether its numbers fit them.

Options are found by the beginning of their names, which tells the kinds of settlement apart: the
chain `ETH` is settled in coin, `ETH_USDC` in USDC. Everything else is named by the venue's own
name or by ccxt's symbol.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches

from mmbot.config import Config
from mmbot.core.types import SECOND, Instrument, Kind
from mmbot.errors import ConfigError

_NEAREST = 4

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


def choose(
    listed: Iterable[Instrument], config: Config, unread: Mapping[str, str] | None = None
) -> list[Instrument]:
    """The instruments a configuration names, each once, in the order it names them. `unread`:
    listed ones whose terms nobody could read, and why.

    Raises ConfigError with what is listed instead, or naming a value none of them can meet.
    """
    listed = list(listed)
    chosen = _named(listed, config, unread or {})
    if config.desk.expiry is not None:
        chosen += _options(listed, config, config.desk.expiry)
    chosen = list({instrument.id: instrument for instrument in chosen}.values())
    _check_fit(chosen, config)
    return chosen


def amount_unit(instrument: Instrument) -> str:
    """What sizes of an instrument are counted in."""
    if instrument.inverse and instrument.kind is not Kind.OPTION:
        return "USD"
    return instrument.underlying


# --- by name ----------------------------------------------------------------------------------


def _named(
    listed: Sequence[Instrument], config: Config, unread: Mapping[str, str]
) -> list[Instrument]:
    by_name = {i.symbol: i for i in listed} | {i.name: i for i in listed}
    for symbol in config.desk.symbols:
        if symbol in unread:
            raise ConfigError(
                f"{config.origin('desk.symbols')}: the venue lists {symbol} on terms that mmbot "
                f"cannot read ({unread[symbol]}): choose another one"
            )
        if symbol not in by_name:
            near = get_close_matches(symbol.upper(), by_name, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            perpetuals = ", ".join(i.name for i in listed if i.kind is Kind.PERPETUAL)
            raise ConfigError(
                f"{config.origin('desk.symbols')}: {symbol} is not listed; {hint}"
                f"perpetuals are {perpetuals}"
            )
    return [by_name[symbol] for symbol in config.desk.symbols]


def _options(listed: Sequence[Instrument], config: Config, expiry: date) -> list[Instrument]:
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
    wanted = strikes if desk.all_strikes else desk.strikes
    for strike in wanted:
        if strike not in strikes:
            nearest = sorted(sorted(strikes, key=lambda s: abs(s - strike))[:_NEAREST])
            raise ConfigError(
                f"{_where(config, 'strikes')}: {_plain(strike)} is not listed for "
                f"{expiry:%Y%m%d}; the nearest are {', '.join(map(_plain, nearest))}"
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


def _check_fit(chosen: Sequence[Instrument], config: Config) -> None:
    """Refuse a value that means nothing on any instrument chosen.

    One that some of them can meet stands. A default size is raised to the venue's minimum by the
    strategy; a limit is not, so that one that leaves no room is refused even where it is a default.
    """
    least = min(chosen, key=lambda i: i.min_amount)
    size = f"strategy.{config.strategy.name}.size"
    if config.explicit(size):
        _check_amount(config, size, least)
    _check_amount(config, "risk.max_position.limit", least)
    _check_amount(config, "risk.max_order.limit", least)
    if all(amount_unit(i) == i.underlying for i in chosen):
        _check_amount(config, "risk.max_exposure.limit", least)
    if all(i.kind is Kind.OPTION for i in chosen):
        for key in _NOT_FOR_OPTIONS:
            if config.explicit(key) and _value(config, key) is not None:
                raise ConfigError(
                    f"{config.origin(key)}: {key} applies to perpetuals and futures, and only "
                    "options are chosen: leave it out (options have [risk.cost_floor])"
                )


def _check_amount(config: Config, key: str, least: Instrument) -> None:
    amount = _value(config, key)
    if amount is not None and amount < least.min_amount:
        hint = "" if config.explicit(key) else f" with {_LIMIT_FLAGS.get(key, key)}"
        raise ConfigError(
            f"{config.origin(key)}: {key} = {_plain(amount)} is below the smallest order the venue "
            f"takes on what is chosen, {_plain(least.min_amount)} {amount_unit(least)} on "
            f"{least.name}: give at least that{hint}"
        )


def _value(config: Config, key: str) -> Decimal | None:
    """A number of a plug-in that is in use; None when it is not."""
    path, _, name = key.rpartition(".")
    for plugin in (config.strategy, *config.rules):
        if path == f"{plugin.family.value}.{plugin.name}":
            value = getattr(plugin.build(), name, None)
            return None if value is None else Decimal(str(value))
    return None


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
