"""What the protocol answers when it says no: the venue's numbers and words."""

from __future__ import annotations

from typing import Final

from mmbot.sim.exchange.refusals import Code, Refusal

MESSAGES: Final = {
    -32700: "Parse error",
    -32603: "Internal error",
    -32602: "Invalid params",
    -32601: "Method not found",
    -32600: "Invalid Request",
    -32100: "Number of concurrent websocket clients limit exceeded",
    -32000: "Rate limit exceeded",
    9000: "Order confirmation timeout",
    11000: "Insufficient funds",
    11002: "Order rejected from queue",
    11003: "Already cancelled",
    11004: "Already filled",
    11005: "Already expired",
    11006: "Does not exist",
    11007: "Self-crossing disallowed",
    11008: "Post-only reject",
    11009: "Zero liquidity for market or IOC/FOK order",
    11010: "Post-only invalid order type",
    11011: "Invalid signature expiry",
    11012: "Invalid amount",
    11013: "Invalid limit price",
    11014: "Fill-or-kill not filled",
    11015: "MMP frozen",
    11017: "Non unique nonce",
    11018: "Invalid nonce date",
    11021: "Instrument is not live",
    11022: "Reject timestamp exceeded",
    11023: "Max fee order param is too low",
    11024: "Reduce only not supported with this time in force",
    11025: "Reduce only reject",
    11028: "Replaced order filled amount does not match expected state.",
    12001: "Instrument not found",
    12002: "Currency not found",
    13000: "Invalid channels",
    14000: "Account not found",
    14001: "Subaccount not found",
    14014: "Signature invalid for message or transaction",
    14020: "The X-DeriveWallet header does not match the requested subaccount_id or wallet",
    14021: "The X-DeriveWallet header not provided",
    14022: "Subscription to a private channel failed",
    14023: "Signer in on-chain related request is not wallet owner or registered session key",
    14025: "The private request is missing a wallet or subaccount_id param",
    14026: "Session key not found",
    14030: "Session key expired",
    14031: "Unauthorized key scope",
}
"""What is answered here, of all the numbers that the venue has."""

RATE_LIMITED: Final = -32000
TOO_MANY_CLIENTS: Final = -32100

_OF_REFUSAL: Final = {
    Code.QTY_TOO_LOW: 11012,
    Code.INVALID_AMOUNT: 11012,
    Code.ORDER_OVERLAP: 11007,
    Code.PRICE_TOO_LOW: 11013,
    Code.PRICE_TOO_HIGH: 11013,
    Code.INVALID_PRICE: 11013,
    Code.PRICE_WRONG_TICK: 11013,
    Code.NOT_ENOUGH_FUNDS: 11000,
    Code.INVALID_INSTRUMENT: 12001,
    Code.BOOK_CLOSED: 11021,
    Code.SETTLEMENT_IN_PROGRESS: 11002,
    Code.OTHER_REJECT: 11025,
    Code.POST_ONLY_REJECT: 11008,
    Code.TIMED_OUT: 11022,
    Code.BAD_ARGUMENT: 11010,
    Code.ORDER_NOT_FOUND: 11006,
    Code.NOT_OPEN_ORDER: 11003,
}
"""Without a word for it, an order is rejected from the queue."""


class WireError(Exception):
    """An error reply: number, message, and what is wrong, if that is told."""

    def __init__(self, code: int, data: str | None = None) -> None:
        super().__init__(f"{code} {MESSAGES.get(code, '')}: {data}")
        self.code = code
        self.message = MESSAGES.get(code, MESSAGES[-32603])
        self.data = data

    @classmethod
    def from_refusal(cls, refusal: Refusal) -> WireError:
        """The exchange's refusal as an error reply."""
        words = f"{refusal.param} {refusal.reason}".strip()
        return cls(_OF_REFUSAL.get(refusal.code, 11002), words or None)

    @property
    def body(self) -> dict[str, object]:
        """As it stands in a reply; what is wrong may be null, and is always there."""
        return {"code": self.code, "message": self.message, "data": self.data}


def invalid_params(words: str) -> WireError:
    """A parameter that is missing or has no right value."""
    return WireError(-32602, words)
