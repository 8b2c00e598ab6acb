"""Other people's things on the account and at the venue, of kinds that nobody has heard of.

They change no balance in USDC and no position: whoever leaves them out counts right.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

Json = dict[str, Any]

STRANGE_ORDER: Final = "ffffffff-ffff-4fff-8fff-ffffffffffff"
STRANGE_NAME: Final = "DOGE-USDC"

_LISTING: Final[Json] = {
    "instrument_type": "erc20",
    "instrument_name": STRANGE_NAME,
    "is_active": True,
    "scheduled_activation": 0,
    "scheduled_deactivation": 2**63 - 1,
    "tick_size": "0.00001",
    "minimum_amount": "100",
    "maximum_amount": "100000000",
    "amount_step": "1",
    "mark_price_fee_rate_cap": None,
    "maker_fee_rate": "0.0015",
    "taker_fee_rate": "0.0015",
    "base_fee": "0.1",
    "base_currency": "DOGE",
    "quote_currency": "USDC",
    "option_details": None,
    "perp_details": None,
    "erc20_details": {
        "borrow_index": "1",
        "decimals": 8,
        "supply_index": "1",
        "underlying_erc20_address": "0x0000000000000000000000000000000000000d09",
    },
    "base_asset_address": "0x0000000000000000000000000000000000000D09",
    "base_asset_sub_id": "0",
    "pro_rata_fraction": "0.5",
    "fifo_min_allocation": "1",
    "pro_rata_amount_step": "1",
}


def listings(_random: Random, told: Json) -> None:
    """A coin that the bot does not trade, on the page of coins."""
    rows = told["instruments"]
    if rows and rows[0]["instrument_type"] == "erc20":
        rows.append(dict(_LISTING))
        told["pagination"]["count"] += 1


def currencies(_random: Random, rows: list[Json]) -> None:
    """A currency that is new."""
    rows.append(
        {
            "currency": "DOGE",
            "managers": [],
            "market_type": "CASH",
            "option": None,
            "perp": None,
            "spot": [],
            "spot_price": "0.2",
            "spot_price_24h": None,
        }
    )


def _order(subaccount_id: int, **more: Any) -> Json:
    row: Json = {
        "subaccount_id": subaccount_id,
        "order_id": STRANGE_ORDER,
        "instrument_name": STRANGE_NAME,
        "direction": "buy",
        "label": "",
        "quote_id": None,
        "amount": "100",
        "average_price": "0",
        "cancel_reason": "",
        "creation_timestamp": 1_748_800_000_000,
        "filled_amount": "0",
        "is_transfer": False,
        "last_update_timestamp": 1_748_800_000_000,
        "limit_price": "0.1",
        "signed_limit_price": None,
        "max_fee": "1",
        "mmp": False,
        "nonce": "1748800000000000000",
        "order_fee": "0",
        "order_status": "open",
        "order_type": "limit",
        "replaced_order_id": None,
        "signature": "0x",
        "signature_expiry_sec": 1_760_000_000,
        "signer": "0x0000000000000000000000000000000000000001",
        "time_in_force": "gtc",
        "trigger_type": None,
        "trigger_price": None,
        "trigger_price_type": None,
        "trigger_reject_message": None,
        "extra_fee": "0",
        "algo_type": None,
        "algo_duration_sec": None,
        "algo_num_slices": None,
        "algo_slices_completed": None,
    }
    return row | more


def open_orders(random: Random, told: Json) -> None:
    """A person's own order for a coin, now and then."""
    if random.random() < 0.2:
        told["orders"].append(_order(told["subaccount_id"]))


def trigger_orders(random: Random, told: Json) -> None:
    """A person's own stop, now and then."""
    if random.random() < 0.5:
        waiting = {"order_status": "untriggered", "trigger_type": "stoploss"}
        at = {"trigger_price": "0.05", "trigger_price_type": "mark"}
        told["orders"].append(_order(told["subaccount_id"], **waiting, **at))


def collaterals(random: Random, told: Json) -> None:
    """A handful of another coin."""
    if random.random() < 0.2:
        row: Json = dict.fromkeys(told["collaterals"][0], "0")
        row |= {"asset_type": "erc20", "asset_name": "DRV", "currency": "DRV"}
        row |= {"delta_currency": "DRV", "creation_timestamp": 0}
        told["collaterals"].append(row)
