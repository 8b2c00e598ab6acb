"""Messages of the venue's as ccxt 4.5.90 recorded them, and others of their form.

Recorded: ZEC_PERP, PERP_TICKER, OPTION_PRICING, POSITION, TRADES, FUNDING, DEPOSIT, ORDER and the
totals of SUBACCOUNT. The rest is of the form that the venue's specification gives.
"""

from typing import Any, Final

Json = dict[str, Any]

ZEC_PERP: Final[Json] = {
    "instrument_type": "perp",
    "instrument_name": "ZEC-PERP",
    "scheduled_activation": 1780572941,
    "scheduled_deactivation": 9223372036854775807,
    "is_active": True,
    "tick_size": "0.01",
    "minimum_amount": "1",
    "maximum_amount": "100000",
    "amount_step": "0.01",
    "mark_price_fee_rate_cap": "0",
    "maker_fee_rate": "0.0001",
    "taker_fee_rate": "0.0003",
    "base_fee": "0.01",
    "base_currency": "ZEC",
    "quote_currency": "USDC",
    "option_details": None,
    "perp_details": {
        "index": "ZEC-USD",
        "max_rate_per_hour": "0.000456621005",
        "min_rate_per_hour": "-0.000456621005",
        "aggregate_funding": "26.08805211207",
        "funding_rate": "0",
    },
    "erc20_details": None,
    "base_asset_address": "0x7bF0D72275246A434151693c0EBBD38937dFE23b",
    "base_asset_sub_id": "0",
    "pro_rata_fraction": "0",
    "fifo_min_allocation": "0",
    "pro_rata_amount_step": "1",
}

ETH_CALL: Final[Json] = {
    **ZEC_PERP,
    "instrument_type": "option",
    "instrument_name": "ETH-20250606-2800-C",
    "scheduled_activation": 1748000000,
    "scheduled_deactivation": 1749196800,
    "tick_size": "0.1",
    "minimum_amount": "0.1",
    "maximum_amount": "1000",
    "amount_step": "0.01",
    "mark_price_fee_rate_cap": "0.125",
    "maker_fee_rate": "0.0003",
    "taker_fee_rate": "0.0004",
    "base_fee": "0.5",
    "base_currency": "ETH",
    "option_details": {
        "expiry": 1749196800,
        "index": "ETH-USD",
        "option_type": "C",
        "strike": "2800",
        "settlement_price": None,
    },
    "perp_details": None,
    "base_asset_address": "0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4",
    "base_asset_sub_id": "2576980377601813910400",
}

BTC_PERP: Final[Json] = {
    **ZEC_PERP,
    "instrument_name": "BTC-PERP",
    "base_currency": "BTC",
    "tick_size": "0.1",
    "minimum_amount": "0.001",
    "amount_step": "0.0001",
}

ETH_SPOT: Final[Json] = {
    **ZEC_PERP,
    "instrument_type": "erc20",
    "instrument_name": "ETH-USDC",
    "base_currency": "ETH",
    "perp_details": None,
    "erc20_details": {
        "borrow_index": "1",
        "decimals": 18,
        "supply_index": "1",
        "underlying_erc20_address": "0x7bF0D72275246A434151693c0EBBD38937dFE23b",
    },
}

PERP_TICKER: Final[Json] = {
    "t": 1791026876172,
    "A": "5",
    "a": "84638.2",
    "B": "5",
    "b": "84634.2",
    "f": "0.000012500",
    "option_pricing": None,
    "I": "84622",
    "M": "84636.2",
    "stats": {
        "c": "1.797",
        "v": "154163.312",
        "pr": "154178.972",
        "n": 93,
        "oi": "291.023",
        "h": "87151.3",
        "l": "84034.2",
        "p": "-0.021",
    },
    "minp": "82976.7",
    "maxp": "86328.9",
}

OPTION_PRICING: Final[Json] = {
    "d": "-0.43348",
    "t": "-18.65575",
    "g": "0.00001213",
    "v": "346.49060",
    "i": "0.38273",
    "r": "12976.52088",
    "f": "89232",
    "m": "13312",
    "df": "0.950",
    "bi": "0",
    "ai": "0",
}

OPTION_TICKER: Final[Json] = {
    **PERP_TICKER,
    "I": "84812",
    "M": "13312",
    "f": None,
    "option_pricing": OPTION_PRICING,
}

ORDERBOOK: Final[Json] = {
    "timestamp": 1748865600123,
    "instrument_name": "ETH-20250606-2800-C",
    "publish_id": 4711,
    "bids": [["118.2", "4"], ["118.1", "10.5"]],
    "asks": [["119", "3.25"], ["119.4", "1"], ["120", "7"]],
}

PUBLIC_TRADE: Final[Json] = {
    "trade_id": "28bea459-a2ff-45cc-a7e9-3d25448c859a",
    "instrument_name": "BTC-PERP",
    "timestamp": 1790792657383,
    "trade_price": "83863",
    "trade_amount": "0.0357",
    "mark_price": "83851.150918173763",
    "index_price": "83867.1716490259",
    "direction": "buy",
    "quote_id": None,
    "rfq_id": None,
}

ORDER: Final[Json] = {
    "subaccount_id": 86815,
    "order_id": "c33e2299-e60e-4d71-8910-15cd5ea43fef",
    "instrument_name": "BTC-20270924-85000-C",
    "direction": "buy",
    "label": "",
    "quote_id": None,
    "amount": "0.1",
    "average_price": "0",
    "cancel_reason": "",
    "creation_timestamp": 1790874524730,
    "filled_amount": "0",
    "is_transfer": False,
    "last_update_timestamp": 1790874524730,
    "limit_price": "12000",
    "signed_limit_price": None,
    "max_fee": "300",
    "mmp": False,
    "nonce": "1790874524124508650",
    "order_fee": "0",
    "order_status": "open",
    "order_type": "limit",
    "replaced_order_id": None,
    "signature": "0x74bb9bc53c590985a916acf0e39d14f264e06105ca008c1e94935cb643741978084e05b7b4d3afa"
    "894d763d5c7abe038c58fed6c8b0a899dbeb5d0a2f3b50c8e1c",
    "signature_expiry_sec": 1798650524,
    "signer": "0x9050dfA063D1bE7cA711c750b18D51fDD13e90Ee",
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

TRADE: Final[Json] = {
    "subaccount_id": 86815,
    "order_id": "f1ff080c-f2d1-4e0a-9dad-9ba462c6615d",
    "instrument_name": "BTC-PERP",
    "direction": "sell",
    "label": "",
    "quote_id": None,
    "trade_id": "b9608468-9ebe-478c-aedf-38fa2f754f19",
    "rfq_id": None,
    "timestamp": 1790874586675,
    "mark_price": "84367.247384690156",
    "index_price": "84358.49561857211",
    "trade_price": "84365.4",
    "trade_amount": "0.01",
    "liquidity_role": "taker",
    "realized_pnl": "-0.993258849822",
    "realized_pnl_excl_fees": "-0.467",
    "is_transfer": False,
    "batch_status": "Settled",
    "trade_fee": "0.263075486855",
    "expected_rebate": "0",
    "tx_hash": "0x7a31fda53195c28f2e60bab189bb9e7bf0abffc55a4eceb13d5e307f70d6e892",
    "op_uuid": "01a0f871-8e34-7152-aea8-0b6d06ce484e",
    "extra_fee": "0",
}

POSITION: Final[Json] = {
    "instrument_type": "perp",
    "instrument_name": "BTC-PERP",
    "amount": "-0.02",
    "average_price": "102632.9105389869500088",
    "realized_pnl": "0",
    "unrealized_pnl": "-2.6455959784245548835819950103759765625",
    "total_fees": "2.255789220260999824",
    "average_price_excl_fees": "102745.7",
    "realized_pnl_excl_fees": "0",
    "unrealized_pnl_excl_fees": "-0.3898067581635550595819950103759765625",
    "net_settlements": "-4.032902047219498639",
    "cumulative_funding": "-0.004677736347850093",
    "pending_funding": "-0.000008835819",
    "mark_price": "102765.190337908177752979099750518798828125",
    "index_price": "102767.657193800017641472",
    "delta": "1",
    "gamma": "0",
    "vega": "0",
    "theta": "0",
    "mark_value": "1.38730606879471975451405216217041015625",
    "maintenance_margin": "-101.37788426911356509663164615631103515625",
    "initial_margin": "-132.2074413704858670826070010662078857421875",
    "open_orders_margin": "264.116085900726830004714429378509521484375",
    "leverage": "8.6954476205089295499695106539379941737746322586618",
    "liquidation_price": "109125.705451984322280623018741607666015625",
    "amount_step": "0.0001",
    "creation_timestamp": 1738065303840,
}

COLLATERAL: Final[Json] = {
    "asset_name": "USDC",
    "asset_type": "erc20",
    "currency": "USDC",
    "amount": "4527.545388020506",
    "amount_step": "0.000001",
    "average_price": "1",
    "average_price_excl_fees": "1",
    "creation_timestamp": 0,
    "cumulative_interest": "0",
    "delta": "1",
    "delta_currency": "USDC",
    "initial_margin": "4527.545388020506",
    "maintenance_margin": "4527.545388020506",
    "mark_price": "0.99999999",
    "mark_value": "4527.545377437385",
    "open_orders_margin": "0",
    "pending_interest": "0",
    "realized_pnl": "0",
    "realized_pnl_excl_fees": "0",
    "total_fees": "0",
    "unrealized_pnl": "0",
    "unrealized_pnl_excl_fees": "0",
}

SUBACCOUNT: Final[Json] = {
    "subaccount_id": 86815,
    "failed_to_fetch": False,
    "manager_id": 1,
    "risk_universe_id": 1,
    "label": "",
    "currency": ["BTC", "ETH", "USDC"],
    "margin_type": "SM",
    "is_under_liquidation": False,
    "positions_value": "1466.712032105876",
    "collaterals_value": "4527.545377437385",
    "subaccount_value": "5994.257409543261",
    "mm_credits": "0",
    "positions_maintenance_margin": "-42.257371387251",
    "positions_initial_margin": "-55.755494300332",
    "collaterals_maintenance_margin": "4527.545388020506",
    "collaterals_initial_margin": "4527.545388020506",
    "maintenance_margin": "4485.288016633255",
    "initial_margin": "4471.789893720174",
    "open_orders_margin": "-1305.403225577642",
    "projected_margin_change": "0",
    "open_orders": [ORDER],
    "positions": [POSITION],
    "collaterals": [COLLATERAL],
    "vault_deposit_holds": [],
}

FUNDING: Final[list[Json]] = [
    {
        "funding": "0",
        "instrument_name": "BTC-PERP",
        "pnl": "-0.020391277096",
        "subaccount_id": 86815,
        "timestamp": 1790874586000,
        "batch_uuid": "01a0f86e-2486-7732-bcb5-15e64d863650",
        "batch_status": "Settled",
        "tx_hash": "0x7a31fda53195c28f2e60bab189bb9e7bf0abffc55a4eceb13d5e307f70d6e892",
    },
    {
        "funding": "-0.000131801001",
        "instrument_name": "BTC-PERP",
        "pnl": "-0.124504613742",
        "subaccount_id": 86815,
        "timestamp": 1790874586000,
        "batch_uuid": "01a0f86e-2486-7732-bcb5-15e64d863650",
        "batch_status": "Settled",
        "tx_hash": "0x7a31fda53195c28f2e60bab189bb9e7bf0abffc55a4eceb13d5e307f70d6e892",
    },
]

SETTLEMENT: Final[Json] = {
    "subaccount_id": 86815,
    "instrument_name": "ETH-20250606-2800-C",
    "expiry": 1749196800,
    "amount": "-2.5",
    "settlement_price": "2851.3",
    "settlement_value": "-128.25",
}

DEPOSIT: Final[Json] = {
    "operation_id": "01a0f7f4-008c-7322-81c6-7c80e1b98a79",
    "new_subaccount": True,
    "subaccount_id": 86815,
    "wallet": "0x9050dfA063D1bE7cA711c750b18D51fDD13e90Ee",
    "asset": "USDC",
    "amount": "10000",
    "fee": "0",
    "timestamp": 1790866358000,
    "batch_uuid": "01a0f7f1-b8f3-7261-b09f-54c6df91273e",
    "batch_status": "Batching",
    "tx_hash": None,
    "action_id": 418,
}

ACCOUNT: Final[Json] = {
    "cancel_on_disconnect": True,
    "creation_timestamp_sec": 1748000000,
    "fallback_subaccount_id": 86815,
    "fee_info": {
        "base_fee_discount": "0",
        "option_maker_fee": None,
        "option_taker_fee": None,
        "perp_maker_fee": None,
        "perp_taker_fee": None,
        "rfq_maker_discount": "0",
        "rfq_taker_discount": "0",
        "spot_maker_fee": None,
        "spot_taker_fee": None,
    },
    "is_rfq_maker": False,
    "per_endpoint_tps": {"private/cancel_all": 1},
    "referral_code": "",
    "subaccount_ids": [86815, 86816],
    "wallet": "0x9050dfA063D1bE7cA711c750b18D51fDD13e90Ee",
    "websocket_matching_tps": 1,
    "websocket_non_matching_tps": 5,
    "websocket_option_tps": 1,
    "websocket_perp_tps": 1,
    "whitelisted_recipients": [],
}

_BUDGET: Final[Json] = {
    "remainingPoints": 4,
    "consumedPoints": 1,
    "msBeforeNext": 3210,
    "isFirstInDuration": False,
}

RATE_LIMITS: Final[Json] = {
    "remaining_matching": _BUDGET,
    "remaining_non_matching": {**_BUDGET, "remainingPoints": 24},
    "remaining_per_endpoint": {"private/cancel_all": _BUDGET},
    "remaining_connections": None,
}

MMP: Final[Json] = {
    "currency": "ETH",
    "is_frozen": False,
    "mmp_amount_limit": "10",
    "mmp_delta_limit": "0",
    "mmp_frozen_time": 10000,
    "mmp_interval": 5000,
    "mmp_unfreeze_time": 0,
    "subaccount_id": 86815,
}

SESSION_KEY: Final[Json] = {
    "expiry_sec": 1798650524,
    "ip_whitelist": [],
    "label": "mmbot",
    "offchain_scopes": ["account_info"],
    "protocol_scopes": ["trade:all"],
    "public_session_key": "0x9050dfa063d1be7ca711c750b18d51fdd13e90ee",
    "registered_sec": 1748000000,
    "subaccount_ids": [86815],
}
