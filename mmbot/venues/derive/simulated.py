"""What opens an account of the simulated Derive that goes by a name of its own, as one of several
does: wallet, number and session key are made of the name, here as there."""

from collections.abc import Mapping
from typing import Final

from eth_hash.backends.pysha3 import keccak256 as keccak

from mmbot.venues.derive.signing import checksummed, own_address

FIRST: Final = 130_837
"""The number of the subaccount of one that has no name of its own."""


def login_of(name: str) -> Mapping[str, str]:
    """By part, as the plug-in names them."""
    return {
        "wallet": checksummed(own_address(keccak(f"owner sim {name}".encode()))),
        "subaccount": str(FIRST + 1 + int.from_bytes(keccak(name.encode())[:3])),
        "key": "0x" + keccak(f"session key sim {name}".encode()).hex(),
    }
