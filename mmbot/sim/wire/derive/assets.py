"""What the venue calls things: kinds, currencies, and the assets that orders are signed for.

An asset is a contract's address and a number inside it. An option's number holds its terms, as the
venue's contracts encode them: expiry (seconds) in the low 32 bits, strike x 10^8 in the next 63,
and whether it is a call in the one above. A perpetual's is zero.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Final

from mmbot.sim.exchange.listing import Kind, Listing, Right
from mmbot.sim.wire.derive.signatures import checksummed, made_up_address

CASH: Final = "USDC"
RISK_UNIVERSE_ID: Final = 1
STRIKE_SCALE: Final = Decimal(10) ** 8
STRIKE_SHIFT: Final = 32
CALL_SHIFT: Final = 95
TYPES: Final = ("erc20", "option", "perp")


def type_of(listing: Listing) -> str:
    """The venue's word for its kind."""
    return "option" if listing.kind is Kind.OPTION else "perp"


def index_of(listing: Listing) -> str:
    """The venue's name of its price index."""
    return f"{listing.underlying}-USD"


@cache
def address_of(currency: str, kind: str) -> str:
    """The contract of a coin's instruments of that type."""
    return checksummed(made_up_address(f"simulated asset {currency} {kind}"))


def asset_of(listing: Listing) -> tuple[str, int]:
    """(address, number) of what an order in it is signed for."""
    address = address_of(listing.underlying, type_of(listing))
    if listing.kind is not Kind.OPTION:
        return address, 0
    assert listing.strike is not None, "an option has a strike"
    number = listing.expiry_ms // 1_000
    number |= int(listing.strike * STRIKE_SCALE) << STRIKE_SHIFT
    number |= int(listing.right is Right.CALL) << CALL_SHIFT
    return address, number
