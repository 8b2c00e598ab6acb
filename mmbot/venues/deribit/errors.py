"""Every error code of Deribit's: its name, how far it reaches, and what it says of the order.

One table. A code that is not in it reaches as far as one request, and its order is asked about. The
names are the venue's own; what they mean was taken from its list as ccxt repeats it, and from what
users of other bots met.
"""

from collections.abc import Mapping
from typing import Any, Final

from mmbot.core.error_scope import ErrorScope
from mmbot.venues.meanings import Meaning, OrderFate

_REQUEST, _ORDER, _SIDE = ErrorScope.REQUEST, ErrorScope.ORDER, ErrorScope.SIDE
_INSTRUMENT, _PLATFORM, _SESSION = ErrorScope.INSTRUMENT, ErrorScope.PLATFORM, ErrorScope.SESSION
_ACCOUNT, _US = ErrorScope.ACCOUNT, ErrorScope.US

TOO_MANY_REQUESTS: Final = 10028
TIMED_OUT: Final = 13888
PASSING: Final = frozenset(
    {10028, 10040, 10041, 10047, 10066, 11035, 11051, 11093, 12001, 13028, 13503, TIMED_OUT}
)
"""Codes by which the venue says that it cannot now, rather than that it will not: busy, locked,
down for maintenance. ccxt holds the same ones for errors of the network."""

INVALID_PARAMS: Final = -32602

MEANINGS: Final[Mapping[int, Meaning]] = {
    9999: Meaning("api_not_enabled", _ACCOUNT),
    10000: Meaning("authorization_required", _SESSION),
    10001: Meaning("error", _REQUEST, OrderFate.OPEN),
    10002: Meaning("qty_too_low", _INSTRUMENT),
    10003: Meaning("order_overlap", _ORDER),
    10004: Meaning("order_not_found", _ORDER, OrderFate.GONE),
    10005: Meaning("price_too_low", _ORDER),
    10006: Meaning("price_too_low4idx", _ORDER),
    10007: Meaning("price_too_high", _ORDER),
    10008: Meaning("price_too_high4idx", _ORDER),
    10009: Meaning("not_enough_funds", _SIDE),
    10010: Meaning("already_closed", _ORDER, OrderFate.GONE),
    10011: Meaning("price_not_allowed", _ORDER),
    10012: Meaning("book_closed", _INSTRUMENT),
    10013: Meaning("pme_max_total_open_orders", _SIDE),
    10014: Meaning("pme_max_future_open_orders", _SIDE),
    10015: Meaning("pme_max_option_open_orders", _SIDE),
    10016: Meaning("pme_max_future_open_orders_size", _SIDE),
    10017: Meaning("pme_max_option_open_orders_size", _SIDE),
    10018: Meaning("non_pme_max_future_position_size", _SIDE),
    10019: Meaning("locked_by_admin", _PLATFORM),
    10020: Meaning("invalid_or_unsupported_instrument", _INSTRUMENT),
    10021: Meaning("invalid_amount", _US),
    10022: Meaning("invalid_quantity", _US),
    10023: Meaning("invalid_price", _US),
    10024: Meaning("invalid_max_show", _US),
    10025: Meaning("invalid_order_id", _US, OrderFate.GONE),
    10026: Meaning("price_precision_exceeded", _INSTRUMENT),
    10027: Meaning("non_integer_contract_amount", _US),
    TOO_MANY_REQUESTS: Meaning("too_many_requests", _SESSION),
    10029: Meaning("not_owner_of_order", _ORDER, OrderFate.GONE),
    10030: Meaning("must_be_websocket_request", _US),
    10031: Meaning("invalid_args_for_instrument", _US),
    10032: Meaning("whole_cost_too_low", _US),
    10033: Meaning("not_implemented", _US),
    10034: Meaning("stop_price_too_high", _US),
    10035: Meaning("stop_price_too_low", _US),
    10036: Meaning("invalid_max_show_amount", _US),
    10037: Meaning("non_pme_total_short_options_positions_size", _SIDE),
    10038: Meaning("pme_max_risk_reducing_orders", _SIDE),
    10039: Meaning("not_enough_funds_in_currency", _SIDE),
    10040: Meaning("retry", _REQUEST),
    10041: Meaning("settlement_in_progress", _PLATFORM),
    10043: Meaning("price_wrong_tick", _INSTRUMENT),
    10044: Meaning("stop_price_wrong_tick", _US),
    10045: Meaning("can_not_cancel_liquidation_order", _ORDER),
    10046: Meaning("can_not_edit_liquidation_order", _ORDER),
    10047: Meaning("matching_engine_queue_full", _REQUEST),
    10048: Meaning("not_on_this_server", _US),
    10049: Meaning("cancel_on_disconnect_failed", _SESSION),
    10066: Meaning("too_many_concurrent_requests", _REQUEST),
    10072: Meaning("disabled_while_position_lock", _SIDE),
    11008: Meaning("already_filled", _ORDER, OrderFate.GONE),
    11013: Meaning("max_spot_open_orders", _SIDE),
    11021: Meaning("post_only_price_modification_not_possible", _ORDER, OrderFate.CROSSED),
    11022: Meaning("max_spot_order_quantity", _SIDE),
    11029: Meaning("invalid_arguments", _US),
    11030: Meaning("other_reject", _ORDER),
    11031: Meaning("other_error", _ORDER, OrderFate.OPEN),
    11035: Meaning("no_more_stops", _SIDE),
    11036: Meaning("invalid_stoppx_for_index_or_last", _US),
    11037: Meaning("outdated_instrument_for_IV_order", _INSTRUMENT),
    11038: Meaning("no_adv_for_futures", _US),
    11039: Meaning("no_adv_postonly", _US),
    11041: Meaning("not_adv_order", _US),
    11042: Meaning("permission_denied", _ACCOUNT),
    11043: Meaning("bad_argument", _US),
    11044: Meaning("not_open_order", _ORDER, OrderFate.GONE),
    11045: Meaning("invalid_event", _US),
    11046: Meaning("outdated_instrument", _INSTRUMENT),
    11047: Meaning("unsupported_arg_combination", _US),
    11048: Meaning("wrong_max_show_for_option", _US),
    11049: Meaning("bad_arguments", _US),
    11050: Meaning("bad_request", _US),
    11051: Meaning("system_maintenance", _PLATFORM),
    11052: Meaning("subscribe_error_unsubscribed", _US),
    11053: Meaning("transfer_not_found", _US),
    11054: Meaning("post_only_reject", _ORDER, OrderFate.CROSSED),
    11055: Meaning("post_only_not_allowed", _ORDER),
    11056: Meaning("unauthenticated_public_requests_temporarily_disabled", _SESSION),
    11090: Meaning("invalid_addr", _US),
    11091: Meaning("invalid_transfer_address", _US),
    11092: Meaning("address_already_exist", _US),
    11093: Meaning("max_addr_count_exceeded", _US),
    11094: Meaning("internal_server_error", _REQUEST, OrderFate.OPEN),
    11095: Meaning("disabled_deposit_address_creation", _US),
    11096: Meaning("address_belongs_to_user", _US),
    11097: Meaning("no_deposit_address", _US),
    11098: Meaning("account_locked", _ACCOUNT),
    12000: Meaning("bad_tfa", _ACCOUNT),
    12001: Meaning("too_many_subaccounts", _US),
    12002: Meaning("wrong_subaccount_name", _US),
    12003: Meaning("login_over_limit", _SESSION),
    12004: Meaning("registration_over_limit", _US),
    12005: Meaning("country_is_banned", _ACCOUNT),
    12100: Meaning("transfer_not_allowed", _US),
    12998: Meaning("tfa_over_limit", _ACCOUNT),
    12999: Meaning("tfa_used", _ACCOUNT),
    13000: Meaning("invalid_login", _SESSION),
    13001: Meaning("account_not_activated", _ACCOUNT),
    13002: Meaning("account_blocked", _ACCOUNT),
    13003: Meaning("tfa_required", _ACCOUNT),
    13004: Meaning("invalid_credentials", _SESSION),
    13005: Meaning("pwd_match_error", _SESSION),
    13006: Meaning("security_error", _SESSION),
    13007: Meaning("user_not_found", _SESSION),
    13008: Meaning("request_failed", _REQUEST, OrderFate.OPEN),
    13009: Meaning("unauthorized", _SESSION),
    13010: Meaning("value_required", _SESSION),
    13011: Meaning("value_too_short", _US),
    13012: Meaning("unavailable_in_subaccount", _ACCOUNT),
    13013: Meaning("invalid_phone_number", _US),
    13014: Meaning("cannot_send_sms", _US),
    13015: Meaning("invalid_sms_code", _US),
    13016: Meaning("invalid_input", _US),
    13017: Meaning("subscription_failed", _US),
    13018: Meaning("invalid_content_type", _US),
    13019: Meaning("orderbook_closed", _INSTRUMENT),
    13020: Meaning("not_found", _INSTRUMENT),
    13021: Meaning("forbidden", _SESSION),
    13025: Meaning("method_switched_off_by_admin", _PLATFORM),
    13028: Meaning("temporarily_unavailable", _PLATFORM),
    13030: Meaning("mmp_trigger", _SIDE),
    13031: Meaning("verification_required", _ACCOUNT),
    13032: Meaning("non_unique_order_label", _US),
    13034: Meaning("no_more_security_keys_allowed", _US),
    13035: Meaning("active_combo_limit_reached", _US),
    13036: Meaning("unavailable_for_combo_books", _INSTRUMENT),
    13037: Meaning("incomplete_KYC_data", _ACCOUNT),
    13040: Meaning("mmp_required", _ACCOUNT),
    13042: Meaning("cod_not_enabled", _SESSION),
    13043: Meaning("quotes_frozen", _SIDE),
    13403: Meaning("scope_exceeded", _SESSION),
    13503: Meaning("unavailable", _PLATFORM),
    13666: Meaning("request_cancelled_by_user", _ORDER, OrderFate.GONE),
    13777: Meaning("replaced", _ORDER, OrderFate.GONE),
    13778: Meaning("raw_subscriptions_not_available_for_unauthorized", _SESSION),
    13780: Meaning("move_positions_over_limit", _US),
    13781: Meaning("coupon_already_used", _US),
    13791: Meaning("KYC_transfer_already_initiated", _US),
    13792: Meaning("incomplete_KYC_data", _ACCOUNT),
    13793: Meaning("KYC_data_inaccessible", _US),
    13888: Meaning("timed_out", _REQUEST, OrderFate.OPEN),
    13901: Meaning("no_more_oto_orders", _SIDE),
    13902: Meaning("mass_quotes_disabled", _ACCOUNT),
    13903: Meaning("too_many_quotes", _REQUEST),
    13904: Meaning("security_key_setup_required", _ACCOUNT),
    -32000: Meaning("missing_params", _US),
    -32600: Meaning("invalid_request", _US),
    -32601: Meaning("method_not_found", _US),
    INVALID_PARAMS: Meaning("invalid_params", _US),
    -32700: Meaning("parse_error", _US),
}

_UNHEARD_OF: Final = Meaning("", ErrorScope.REQUEST, OrderFate.GONE)
_SHUT_WORDS: Final = ("not open", "closed", "not active", "inactive", "halted", "expired", "locked")


def meaning_of(code: int, data: object = None) -> Meaning:
    """What an error frame means; `data` is the frame's, for codes that are told apart by it."""
    meaning = MEANINGS.get(code, _UNHEARD_OF)
    if code == INVALID_PARAMS and _is_about_a_shut_instrument(data):
        return Meaning(meaning.name, ErrorScope.INSTRUMENT)
    return meaning


def _is_about_a_shut_instrument(data: object) -> bool:
    """`instrument is not open` comes as invalid parameters, with that as the reason."""
    if not isinstance(data, Mapping):
        return False
    reason: Any = data.get("reason")
    words = reason.lower() if isinstance(reason, str) else ""
    about = data.get("param") == "instrument_name" or "instrument" in words
    return about and any(word in words for word in _SHUT_WORDS)
