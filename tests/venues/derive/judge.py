"""Signatures by derive-py, the venue's own client, of the orders in `drawn.py`.

    python -m pip install derive-py==0.1.5
    python -m tests.venues.derive.judge > tests/venues/derive/signatures.json

Writes the first of them in full, and one hash over all.
"""

import json
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from tests.venues.derive.drawn import COUNT, SEED, drawn

IN_FULL: Final = 12


def signed(order: dict[str, Any]) -> str:
    """The signature of one, by derive-py: 130 hexadecimal digits."""
    from derive_py._web3.action_signing import SignedAction
    from derive_py._web3.action_signing.module_data import TradeModuleData
    from derive_py.config import CONFIGS
    from derive_py.data_types import Chain
    from eth_account import Account

    chain = {1: Chain.ETHEREUM, 11155111: Chain.SEPOLIA}[order["chain_id"]]
    config = CONFIGS[chain]
    signer = Account.from_key(order["key"]).address
    action = SignedAction(
        subaccount_id=order["subaccount_id"],
        owner=order["owner"] or signer,
        signer=signer,
        signature_expiry_sec=order["expiry_s"],
        nonce=order["nonce"],
        module_address=config.contracts.TRADE_MODULE,
        module_data=TradeModuleData(
            asset_address=order["asset"],
            sub_id=order["sub_id"],
            limit_price=Decimal(order["price"]),
            amount=Decimal(order["amount"]),
            max_fee=Decimal(order["max_fee"]),
            recipient_id=order["subaccount_id"],
            is_bid=order["side"] == "buy",
        ),
        DOMAIN_SEPARATOR=config.DOMAIN_SEPARATOR,
        ACTION_TYPEHASH=config.ACTION_TYPEHASH,
    )
    return str(action.sign(order["key"])).removeprefix("0x")


def hash_of(signatures: Iterable[str]) -> str:
    """One hash over all of them, in their order."""
    return sha256("\n".join(signatures).encode()).hexdigest()


def main() -> None:
    """Print the file."""
    orders = list(drawn())
    signatures = [signed(order) for order in orders]
    document = {
        "by": "derive-py 0.1.5",
        "seed": SEED,
        "count": COUNT,
        "sha256": hash_of(signatures),
        "first": [
            {**order, "signature": signature}
            for order, signature in zip(orders[:IN_FULL], signatures, strict=False)
        ],
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
