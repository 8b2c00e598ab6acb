"""What one signature of a Derive order costs, beside what cannot be saved and what others take.

The *floor* is three hashes of the sizes that an order has and one operation on the curve, by the
same libraries, of bytes that lie ready. `mmbot, as a call` is a whole `private/order`: onto the
grid, signed, and its parameters. eth-account signs a digest that lies ready, too; derive-py signs
the same order from its terms. Both only where they are installed, the extra `judges`.
"""

import time
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Final

from coincurve import PrivateKey
from eth_hash.backends.pysha3 import keccak256

from mmbot.core.intents import Place
from mmbot.core.types import InstrumentId, Label, Side
from mmbot.core.why import Why
from mmbot.venues.derive import orders
from mmbot.venues.derive.catalog import listed_of
from mmbot.venues.derive.orders import Seal
from mmbot.venues.derive.signing import MAINNET, OrderTerms, Signer
from mmbot.venues.reading import Unread
from tests.benchmarks.blocks import Blocks, alternate
from tests.venues.derive import samples
from tests.venues.derive.drawn import drawn
from tests.venues.derive.judge import signed

FLOOR: Final = "keccak and coincurve alone"
OURS: Final = "mmbot, signature"
CALL: Final = "mmbot, as a call"
ETH_ACCOUNT: Final = "eth-account, digest ready"
DERIVE_PY: Final = "derive-py"

BLOCK: Final = 25

KEY: Final = "11" * 32


def contestants() -> dict[str, Callable[[], object]]:
    """What signs the next order, by name."""
    listed = listed_of("derive", samples.ETH_CALL, Unread())
    assert listed is not None
    signer = Signer(KEY, "0x5cb67F7829d01d9C75385A920De5E51060663374", 75723, MAINNET)
    nonces = count(1_754_472_862_000_000_000)
    data, action, digest = bytes(range(224)), bytes(range(256)), bytes(range(66))
    key = PrivateKey(bytes.fromhex(KEY))

    def floor() -> object:
        keccak256(data)
        keccak256(action)
        return key.sign_recoverable(keccak256(digest), hasher=None).hex()

    def terms() -> OrderTerms:
        return OrderTerms(
            asset=listed.asset,
            side=Side.BUY,
            price=Decimal("118.2"),
            amount=Decimal("1.5"),
            max_fee=Decimal(1000),
            nonce=next(nonces),
            expiry_s=1893456000,
        )

    place = Place(
        InstrumentId("derive:ETH-20250606-2800-C"),
        Label("mm1k3xq0z-2a"),
        Side.BUY,
        Decimal("118.2"),
        Decimal("1.5"),
        post_only=True,
        reduce_only=False,
        valid_until_ns=1_748_865_604_000_000_000,
        why=Why.IMPROVING,
    )
    found: dict[str, Callable[[], object]] = {
        FLOOR: floor,
        OURS: lambda: signer.sign_order(terms()),
        CALL: lambda: orders.place(place, listed, signer, Seal(nonce=next(nonces), expiry_s=1)),
    }
    try:
        from eth_account import Account
    except ImportError:
        return found
    account = Account.from_key(KEY)
    order = next(drawn())
    found[ETH_ACCOUNT] = lambda: account.unsafe_sign_hash(digest[:32]).signature.hex()
    found[DERIVE_PY] = lambda: signed(order)
    return found


def signing_ns(rounds: int) -> dict[str, Blocks]:
    """Nanoseconds of single signatures by contestant, in alternating blocks, after one that warms
    up."""
    sign_by = contestants()

    def measure(name: str) -> list[int]:
        taken = []
        for _ in range(BLOCK):
            started = time.perf_counter_ns()
            sign_by[name]()
            taken.append(time.perf_counter_ns() - started)
        return taken

    for name in sign_by:
        measure(name)
    return alternate(sign_by, -(-rounds // BLOCK), measure)
