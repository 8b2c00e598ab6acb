"""What a desk looks at besides what it trades: the chain around it, or what a person names.

What an option is worth follows from all of its expiry, from the perpetual and from the future; a
desk that quotes no options has nothing to look at but what it quotes.
"""

from collections.abc import Iterable, Mapping, Sequence

from mmbot.config import Config, DeskConfig
from mmbot.config.named import NotListed, by_name
from mmbot.config.select import where_of
from mmbot.config.watch import Watch
from mmbot.core.contracts import Instrument
from mmbot.core.types import Nanos
from mmbot.errors import ConfigError


def watched(
    listed: Sequence[Instrument],
    traded: Sequence[Instrument],
    desk: DeskConfig,
    config: Config,
    now_ns: Nanos = 0,
) -> list[Instrument]:
    """What of the listed instruments a desk that trades these looks at besides. Raises ConfigError
    where one that is named is not listed."""
    wanted = desk.settings.watch
    taken = {instrument.id for instrument in traded}
    return [
        one
        for one in _found(listed, traded, wanted, where_of(config, desk, "watch"))
        if one.id not in taken and (one.expiry_ns is None or now_ns < one.expiry_ns)
    ]


def watched_by_all(
    chosen: Mapping[str, Sequence[Instrument]],
    listed: Mapping[str, Sequence[Instrument]],
    config: Config,
    now_ns: Nanos,
) -> dict[str, list[Instrument]]:
    """The same of every desk: what none of them trades, and none before it watches. `listed`: by
    venue. Raises ConfigError."""
    taken = {one.id for traded in chosen.values() for one in traded}
    found: dict[str, list[Instrument]] = {}
    for desk in config.desks:
        here = watched(listed[desk.settings.venue], chosen[desk.name], desk, config, now_ns)
        found[desk.name] = [one for one in here if one.id not in taken]
        taken |= {one.id for one in here}
    return found


def _found(
    listed: Sequence[Instrument], traded: Sequence[Instrument], wanted: Sequence[str], where: str
) -> Iterable[Instrument]:
    match tuple(wanted):
        case (Watch.DESK.value,):
            return ()
        case (Watch.EXPIRY.value,):
            return _of_expiries(listed, traded)
        case (Watch.CHAIN.value,):
            families = {_family(one) for one in traded}
            return [one for one in listed if _family(one) in families and _is_of_chain(one)]
        case _:
            try:
                return by_name(listed, wanted, "watch")
            except NotListed as error:
                raise ConfigError(f"{where}: {error}") from None


def _of_expiries(
    listed: Sequence[Instrument], traded: Sequence[Instrument]
) -> Iterable[Instrument]:
    """Every option of the expiries that are quoted, their futures, and the perpetual."""
    options = [one for one in traded if one.has_vega]
    expiries = {(_family(one), one.expiry_ns) for one in options}
    expiries |= {(_family(one), None) for one in options}
    return [
        one for one in listed if (_family(one), one.expiry_ns) in expiries and _is_of_chain(one)
    ]


def _family(instrument: Instrument) -> tuple[str, str]:
    return instrument.underlying, instrument.settlement


def _is_of_chain(instrument: Instrument) -> bool:
    return instrument.has_vega or instrument.moves_with_coin
