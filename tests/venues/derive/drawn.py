"""Orders to sign, drawn from a seed. Nothing of ours is imported: whoever judges draws the same."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

SEED: Final = 20261127
COUNT: Final = 1000

CHAINS: Final = (1, 11155111)
_ORDER_OF_CURVE: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def drawn(seed: int = SEED, count: int = COUNT) -> Iterator[dict[str, Any]]:
    """Both networks and sides, options (ids beyond 64 bits) and perpetuals, the owner's own key
    (`owner` is None: the signer's address) and session keys; up to 12 fractional digits."""
    random = Random(seed)
    for number in range(count):
        option = random.random() < 0.5
        yield {
            "number": number,
            "chain_id": random.choice(CHAINS),
            "key": f"{random.randrange(1, _ORDER_OF_CURVE):064x}",
            "owner": random.choice((None, f"0x{random.randrange(1 << 160):040x}")),
            "subaccount_id": random.choice((0, 1, random.randrange(1 << 31))),
            "asset": f"0x{random.randrange(1 << 160):040x}",
            "sub_id": random.randrange(1 << 64, 1 << 96) if option else 0,
            "side": random.choice(("buy", "sell")),
            "price": _decimal(random, 6),
            "amount": _decimal(random, 4),
            "max_fee": random.choice(("1000", "0", _decimal(random, 3))),
            "nonce": random.randrange(10**18, 2 * 10**18),
            "expiry_s": random.randrange(1_700_000_000, 2_000_000_000),
        }


def _decimal(random: Random, digits: int) -> str:
    fraction = random.choice((0, 1, 2, 4, 9, 12))
    whole = str(random.randrange(10 ** random.randint(1, digits)))
    return f"{whole}.{random.randrange(10**fraction):0{fraction}d}" if fraction else whole
