"""The built-in selector: the options of an expiry by their strikes, and instruments by name.

Options are found by the beginning of their names, which tells the kinds of settlement apart: the
chain `ETH` is settled in coin, `ETH_USDC` in USDC. Everything else is named by the venue's own
name or by ccxt's symbol.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated

from annotated_types import doc

from mmbot.core.contracts import Instrument
from mmbot.core.sizes import plain
from mmbot.core.types import SECOND, InstrumentId, Kind, Nanos
from mmbot.plugins.registry import Family, register

_NEAREST = 4


class NotListed(Exception):
    """What `setting` names is not listed; the text says what is. `name`: that of an instrument."""

    def __init__(self, setting: str, text: str, name: str = "") -> None:
        super().__init__(text)
        self.setting = setting
        self.name = name


@register(Family.SELECTOR, "named")
@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Trade what is named: an expiry's strikes, or every one of them, and single instruments.

    The keys of `[desk]` with these names are its settings, unless a file has a selector of its own.
    """

    underlying: Annotated[
        str, doc("what the options are on, as their names begin: ETH; ETH_USDC for those in USDC")
    ] = "ETH"
    expiry: Annotated[date | None, doc("expiry of the options")] = None
    strikes: Annotated[tuple[Decimal, ...], doc("strikes; the call and the put of each")] = ()
    all_strikes: Annotated[bool, doc("every strike listed for the expiry")] = False
    symbols: Annotated[tuple[str, ...], doc("instruments by the venue's own names")] = ()

    def select(
        self,
        listed: Sequence[Instrument],
        prices: Mapping[str, float],
        now_ns: Nanos,  # noqa: ARG002  # of the port
    ) -> list[InstrumentId]:
        """What is named, in that order; every strike of an expiry from the money outward, where
        the price is known. Raises NotListed."""
        chosen = by_name(listed, self.symbols, "symbols")
        if self.expiry is not None:
            chosen += self._options(listed, self.expiry, prices)
        return [instrument.id for instrument in chosen]

    def _options(
        self, listed: Sequence[Instrument], expiry: date, prices: Mapping[str, float]
    ) -> list[Instrument]:
        chains: dict[str, list[Instrument]] = {}
        for instrument in listed:
            if instrument.kind is Kind.OPTION:
                chains.setdefault(_chain_name(instrument), []).append(instrument)
        if self.underlying not in chains:
            raise NotListed(
                "underlying",
                f"no options on {self.underlying}; there are options on "
                f"{', '.join(sorted(chains))}",
            )
        chain = chains[self.underlying]
        dates = sorted({_expiry_date(i) for i in chain})
        if expiry not in dates:
            raise NotListed(
                "expiry",
                f"no {self.underlying} options expire on {expiry:%Y%m%d}; "
                f"live expiries are {', '.join(f'{day:%Y%m%d}' for day in dates)}",
            )
        chain = [i for i in chain if _expiry_date(i) == expiry]
        strikes = sorted({i.strike for i in chain if i.strike is not None})
        wanted: Sequence[Decimal] = strikes if self.all_strikes else self.strikes
        price = prices.get(chain[0].underlying)
        if self.all_strikes and price is not None:
            # What comes first is served first where the budget or a limit does not reach for all.
            wanted = sorted(strikes, key=lambda strike: abs(float(strike) - price))
        for strike in wanted:
            if strike not in strikes:
                nearest = sorted(sorted(strikes, key=lambda s: abs(s - strike))[:_NEAREST])
                raise NotListed(
                    "strikes",
                    f"{plain(strike)} is not listed for {expiry:%Y%m%d}; "
                    f"the nearest are {', '.join(map(plain, nearest))}",
                )
        return [i for strike in wanted for i in chain if i.strike == strike]


def by_name(listed: Sequence[Instrument], names: Sequence[str], setting: str) -> list[Instrument]:
    """Instruments by the venue's own names, or ccxt's. Raises NotListed, about `setting`."""
    known = {i.symbol: i for i in listed} | {i.name: i for i in listed}
    for given in names:
        symbol = _as_listed(given, known)
        if symbol not in known:
            near = get_close_matches(symbol, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            perpetuals = ", ".join(i.name for i in listed if i.kind is Kind.PERPETUAL)
            text = f"{given} is not listed; {hint}perpetuals are {perpetuals}"
            raise NotListed(setting, text, symbol)
    return [known[_as_listed(given, known)] for given in names]


def _as_listed(name: str, by_name: Mapping[str, Instrument]) -> str:
    """Names are written in capitals or not."""
    return name if name in by_name else name.upper()


def _chain_name(instrument: Instrument) -> str:
    return instrument.name.partition("-")[0]


def _expiry_date(instrument: Instrument) -> date:
    assert instrument.expiry_ns is not None
    return datetime.fromtimestamp(instrument.expiry_ns // SECOND, UTC).date()
