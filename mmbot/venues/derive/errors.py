"""Every error code of Derive's: its name, how far it reaches, and what it says of the order.

One table. A code that is not in it reaches as far as one request, and its order is asked about; in
the ranges where the venue speaks of itself, it says nothing of what became of the request. The
names are the venue's own, as ccxt 4.5.90 repeats them and the venue's documentation lists them.

A refused replace has neither ended the old order nor created another: where it did the one and
failed at the other, the venue answers with a result that says so.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from mmbot.core.error_scope import ErrorScope
from mmbot.venues.meanings import Meaning, OrderFate

_REQUEST, _ORDER, _SIDE = ErrorScope.REQUEST, ErrorScope.ORDER, ErrorScope.SIDE
_INSTRUMENT, _SESSION = ErrorScope.INSTRUMENT, ErrorScope.SESSION
_ACCOUNT, _US = ErrorScope.ACCOUNT, ErrorScope.US

RATE_LIMIT: Final = -32000
NOT_CONFIRMED: Final = 9000
INVALID_PARAMS: Final = -32602
MMP_FROZEN: Final = 11015
NONCE_USED: Final = 11017
TOO_LATE: Final = 11022
MAX_FEE_TOO_LOW: Final = 11023
FILLED_MEANWHILE: Final = 11028
SUBACCOUNT_NOT_FOUND: Final = 14001
SIGNATURE_INVALID: Final = 14014
NOT_A_KEY: Final = 14023

SESSION_KEY_NOT_FOUND: Final = 14026
SESSION_KEY_EXPIRED: Final = 14030
OUT_OF_SCOPE: Final = 14031

REFUSES_KEY: Final = frozenset(
    {SIGNATURE_INVALID, NOT_A_KEY, SESSION_KEY_NOT_FOUND, 14029, SESSION_KEY_EXPIRED, OUT_OF_SCOPE}
)
"""Codes by which the venue says that a key may not act for the wallet."""

PASSING: Final = frozenset({RATE_LIMIT, -32100, -32603, NOT_CONFIRMED, 11002, 18001})
"""Codes by which the venue says that it cannot now, rather than that it will not."""

MEANINGS: Final[Mapping[int, Meaning]] = {
    -32700: Meaning("Parse error", _US),
    -32600: Meaning("Invalid request", _US),
    -32601: Meaning("Method not found", _US),
    INVALID_PARAMS: Meaning("Invalid params", _US),
    -32603: Meaning("Internal error", _REQUEST, OrderFate.OPEN),
    RATE_LIMIT: Meaning("Rate limit exceeded", _REQUEST),
    -32100: Meaning("Number of concurrent websocket clients limit exceeded", _SESSION),
    401: Meaning("Unauthorized", _SESSION),
    403: Meaning("Forbidden", _SESSION),
    NOT_CONFIRMED: Meaning("Order confirmation timeout", _REQUEST, OrderFate.OPEN),
    10000: Meaning("Manager not found", _ACCOUNT),
    10001: Meaning("Asset is not an ERC20 token", _US),
    10002: Meaning("Sender and recipient wallet do not match", _US),
    10003: Meaning("Sender and recipient subaccount IDs are the same", _US),
    10004: Meaning("Multiple currencies not supported", _INSTRUMENT),
    10005: Meaning("Maximum number of subaccounts per wallet reached", _US),
    10006: Meaning("Maximum number of session keys per wallet reached", _US),
    10007: Meaning("Maximum number of assets per subaccount reached", _SIDE),
    10008: Meaning("Maximum number of expiries per subaccount reached", _SIDE),
    10009: Meaning("Recipient subaccount ID of the transfer cannot be 0", _US),
    10010: Meaning("PMRM only supports USDC asset collateral", _INSTRUMENT),
    10011: Meaning("ERC20 allowance is insufficient", _US),
    10012: Meaning("ERC20 balance is less than transfer amount", _US),
    10013: Meaning("There is a pending deposit for this asset", _US),
    10014: Meaning("There is a pending withdrawal for this asset", _US),
    11000: Meaning("Insufficient funds", _SIDE),
    11002: Meaning("Order rejected from queue", _REQUEST),
    11003: Meaning("Already cancelled", _ORDER, OrderFate.GONE),
    11004: Meaning("Already filled", _ORDER, OrderFate.GONE),
    11005: Meaning("Already expired", _ORDER, OrderFate.GONE),
    11006: Meaning("Does not exist", _ORDER, OrderFate.GONE),
    11007: Meaning("Self-crossing disallowed", _ORDER),
    11008: Meaning("Post-only reject", _ORDER, OrderFate.CROSSED),
    11009: Meaning("Zero liquidity for market or IOC/FOK order", _ORDER),
    11010: Meaning("Post-only invalid order type", _US),
    11011: Meaning("Invalid signature expiry", _US),
    11012: Meaning("Invalid amount", _US),
    11013: Meaning("Invalid limit price", _ORDER),
    11014: Meaning("Fill-or-kill not filled", _ORDER),
    MMP_FROZEN: Meaning("MMP frozen", _INSTRUMENT),
    11016: Meaning("Already consumed", _ORDER, OrderFate.OPEN),
    NONCE_USED: Meaning("Non unique nonce", _ORDER),
    11018: Meaning("Invalid nonce date", _US),
    11019: Meaning("Open orders limit exceeded", _SIDE),
    11020: Meaning("Negative ERC20 balance", _SIDE),
    11021: Meaning("Instrument is not live", _INSTRUMENT),
    TOO_LATE: Meaning("Reject timestamp exceeded", _REQUEST),
    MAX_FEE_TOO_LOW: Meaning("Max fee order param is too low", _ORDER),
    11024: Meaning("Reduce only not supported with this time in force", _US),
    11025: Meaning("Reduce only reject", _ORDER),
    11026: Meaning("Transfer reject", _US),
    11027: Meaning("Subaccount undergoing liquidation", _ACCOUNT),
    FILLED_MEANWHILE: Meaning("Replaced order filled amount does not match", _ORDER),
    11029: Meaning("Open interest cap would be exceeded", _SIDE),
    11050: Meaning("Trigger order was cancelled meanwhile", _ORDER, OrderFate.GONE),
    11051: Meaning("Trigger price on the wrong side of the current price", _US),
    11052: Meaning("Trigger order limit exceeded", _SIDE),
    11053: Meaning("Trigger price type not supported", _US),
    11054: Meaning("Trigger orders cannot replace or be replaced", _US),
    11055: Meaning("Market order limit_price is unfillable at the trigger price", _US),
    11100: Meaning("Leg instruments are not unique", _US),
    11101: Meaning("RFQ not found", _US),
    11102: Meaning("Quote not found", _US),
    11103: Meaning("Quote leg does not match RFQ leg", _US),
    11104: Meaning("Requested quote or RFQ is not open", _US),
    11105: Meaning("Requested quote ID references a different RFQ ID", _US),
    11106: Meaning("Invalid RFQ counterparty", _US),
    11107: Meaning("Quote maker total cost too high", _US),
    11200: Meaning("Auction not ongoing", _US),
    11201: Meaning("Open orders not allowed", _US),
    11202: Meaning("Price limit exceeded", _US),
    11203: Meaning("Last trade ID mismatch", _US),
    12000: Meaning("Asset not found", _INSTRUMENT),
    12001: Meaning("Instrument not found", _INSTRUMENT),
    12002: Meaning("Currency not found", _US),
    12003: Meaning("USDC does not have asset caps per manager", _US),
    13000: Meaning("Invalid channels", _US),
    14000: Meaning("Account not found", _ACCOUNT),
    SUBACCOUNT_NOT_FOUND: Meaning("Subaccount not found", _ACCOUNT),
    14002: Meaning("Subaccount was withdrawn", _ACCOUNT),
    14008: Meaning("Cannot reduce expiry of a session key", _US),
    14009: Meaning("Session key expiry must be > utc_now + 10 min", _US),
    14010: Meaning("Session key already registered for this account", _US),
    14011: Meaning("Session key already registered with another account", _US),
    14012: Meaning("Address must be checksummed", _US),
    14013: Meaning("String is not a valid ethereum address", _US),
    SIGNATURE_INVALID: Meaning("Signature invalid for message or transaction", _US),
    14015: Meaning("Transaction count does not match provided nonce", _US),
    14016: Meaning("Signed transaction contains another function name", _US),
    14017: Meaning("Signed transaction contains another contract address", _US),
    14018: Meaning("Signed transaction contains unknown function params", _US),
    14019: Meaning("Signed transaction contains other function param values", _US),
    14020: Meaning("The X-DeriveWallet header does not match the request", _SESSION),
    14021: Meaning("The X-DeriveWallet header not provided", _SESSION),
    14022: Meaning("Subscription to a private channel failed", _SESSION),
    NOT_A_KEY: Meaning("Signer is not wallet owner or registered session key", _ACCOUNT),
    14024: Meaning("Chain ID must match the current roll up chain id", _US),
    14025: Meaning("The private request is missing a wallet or subaccount_id param", _US),
    SESSION_KEY_NOT_FOUND: Meaning("Session key not found", _ACCOUNT),
    14027: Meaning("Unauthorized as RFQ maker", _US),
    14028: Meaning("Cross currency RFQ not supported", _US),
    14029: Meaning("Session key IP not whitelisted", _ACCOUNT),
    SESSION_KEY_EXPIRED: Meaning("Session key expired", _ACCOUNT),
    OUT_OF_SCOPE: Meaning("Unauthorized key scope", _ACCOUNT),
    14032: Meaning("Scope should not be changed", _US),
    16000: Meaning("Restricted region", _ACCOUNT),
    16001: Meaning("Account is disabled due to compliance violations", _ACCOUNT),
    16100: Meaning("Sentinel authorization is invalid", _ACCOUNT),
    17000: Meaning("No shareable invite code", _US),
    17001: Meaning("Invalid invite code", _US),
    17002: Meaning("Invite code already registered for this account", _US),
    17003: Meaning("Invite code has no remaining uses", _US),
    17004: Meaning("Requirement for successful invite registration not met", _US),
    17005: Meaning("Account must register with a valid invite code", _US),
    17006: Meaning("Point program does not exist", _US),
    17007: Meaning("Invalid leaderboard page number", _US),
    18000: Meaning("Invalid block number", _US),
    18001: Meaning("Failed to estimate block number", _REQUEST),
    18002: Meaning("Smart contract owner does not match the wallet", _US),
    18003: Meaning("Vault ERC20 asset does not exist", _US),
    18004: Meaning("Vault ERC20 pool does not exist", _US),
    18005: Meaning("Must add asset to pool before getting balances", _US),
    18006: Meaning("Invalid Swell season", _US),
    18007: Meaning("Vault not found", _US),
    19000: Meaning("Maker program not found", _US),
}

_UNHEARD_OF: Final = Meaning("", ErrorScope.REQUEST, OrderFate.GONE)
_OF_ITSELF: Final = Meaning("", ErrorScope.REQUEST, OrderFate.OPEN)


def meaning_of(code: int, data: object = None) -> Meaning:  # noqa: ARG001  # as other venues' are
    """What an error frame means. `data` is the frame's; no code of Derive's is told apart by it."""
    meaning = MEANINGS.get(code)
    if meaning is not None:
        return meaning
    # Servers' own troubles: JSON-RPC's reserved codes, and those beside the confirmation timeout.
    return _OF_ITSELF if -32768 <= code <= -32000 or 9000 <= code <= 9999 else _UNHEARD_OF


def least_max_fee(data: object) -> Decimal | None:
    """What the venue says a refused order (MAX_FEE_TOO_LOW) must allow at least, in USDC for one
    unit of amount: "signed max_fee must be >= 194.42"; None where it does not say."""
    found = re.search(r">=\s*(\d{1,18}(?:\.\d{1,40})?)", data) if isinstance(data, str) else None
    return Decimal(found[1]) if found else None
