"""Names of instruments: Derive's own, and ccxt's symbols, both ways.

    ETH-PERP                  ETH/USDC:USDC
    ETH-20250606-2800-C       ETH/USDC:USDC-250606-2800-C
    XRP-20261225-0_5-P        XRP/USDC:USDC-261225-0.5-P

Options expire at 08:00 UTC of their day.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from mmbot.core.types import SECOND, Nanos, Right

SETTLEMENT: Final = "USDC"
"""What every contract is priced and settled in."""

OPTION_ENDS: Final = ("-C", "-P")
PERPETUAL_ENDS: Final = ("-PERP",)
"""How the names of a kind end."""

_RIGHTS: Final = {"C": Right.CALL, "P": Right.PUT}
_LETTERS: Final = {right: letter for letter, right in _RIGHTS.items()}
_EXPIRY_HOUR: Final = 8

_PERPETUAL: Final = re.compile(r"([A-Z0-9]+)-PERP", re.ASCII)
_OPTION: Final = re.compile(r"([A-Z0-9]+)-(\d{8})-(\d{1,20}(?:_\d{1,20})?)-([CP])", re.ASCII)
_SYMBOL: Final = re.compile(
    r"([A-Z0-9]+)/USDC:USDC(?:-(\d{6})-(\d{1,20}(?:\.\d{1,20})?)-([CP]))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class OptionName:
    """What the name of an option tells."""

    currency: str
    expiry_ns: Nanos
    strike: Decimal
    right: Right


def option_of(name: str) -> OptionName | None:
    """What an option is, by its name; None where it is no option's."""
    found = _OPTION.fullmatch(name)
    if found is None:
        return None
    currency, day, strike, letter = found.groups()
    try:
        expiry = datetime.strptime(day, "%Y%m%d").replace(hour=_EXPIRY_HOUR, tzinfo=UTC)
    except ValueError:
        return None
    at_ns = int(expiry.timestamp()) * SECOND
    return OptionName(currency, at_ns, Decimal(strike.replace("_", ".")), _RIGHTS[letter])


def is_option(name: str) -> bool:
    """Whether an instrument is an option, by its name."""
    return _OPTION.fullmatch(name) is not None


def option_symbol(currency: str, expiry_ns: Nanos, strike: Decimal, right: Right) -> str:
    """ccxt's symbol of an option."""
    day = datetime.fromtimestamp(expiry_ns // SECOND, UTC)
    plain = f"{strike:f}".rstrip("0").rstrip(".") if strike % 1 else f"{strike:.0f}"
    return f"{perpetual_symbol(currency)}-{day:%y%m%d}-{plain}-{_LETTERS[right]}"


def perpetual_symbol(currency: str) -> str:
    """ccxt's symbol of a perpetual."""
    return f"{currency}/{SETTLEMENT}:{SETTLEMENT}"


def symbol_of(name: str) -> str | None:
    """ccxt's symbol by the venue's name; None for a name that is neither form."""
    option = option_of(name)
    if option is not None:
        return option_symbol(option.currency, option.expiry_ns, option.strike, option.right)
    found = _PERPETUAL.fullmatch(name)
    return perpetual_symbol(found[1]) if found is not None else None


def name_of(symbol: str) -> str | None:
    """The venue's name by ccxt's symbol; None for a symbol of something else."""
    found = _SYMBOL.fullmatch(symbol)
    if found is None:
        return None
    currency, day, strike, letter = found.groups()
    if day is None:
        return f"{currency}-PERP"
    return f"{currency}-20{day}-{strike.replace('.', '_')}-{letter}"
