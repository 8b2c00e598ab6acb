"""What the protocol answers when it says no."""

from __future__ import annotations

from typing import Final

from mmbot.sim.exchange.refusals import Code, Refusal


class WireError(Exception):
    """An error reply: the venue's number and message, and what was wrong with which parameter."""

    def __init__(self, code: int, message: str, reason: str = "", param: str = "") -> None:
        super().__init__(f"{code} {message}: {reason}")
        self.code = code
        self.message = message
        self.data = {"reason": reason, "param": param} if reason else None

    @classmethod
    def from_refusal(cls, refusal: Refusal) -> WireError:
        """The exchange's refusal as an error reply."""
        return cls(refusal.code.number, refusal.code.message, refusal.reason, refusal.param)


def authorization_required() -> WireError:
    """A private method without a login."""
    return WireError(10000, "authorization_required")


def too_many_requests() -> WireError:
    """The credits are spent: the session ends."""
    return WireError(10028, "too_many_requests")


def must_be_websocket_request() -> WireError:
    """A method of connections, asked over REST."""
    return WireError(10030, "must_be_websocket_request")


def order_not_found() -> WireError:
    """No order of that id or label is open."""
    return WireError(10004, "order_not_found")


def locked_by_admin() -> WireError:
    """The currency or the account is locked."""
    return WireError(10019, "locked_by_admin")


def system_maintenance() -> WireError:
    """The matching engine is closed."""
    return WireError(11051, "system_maintenance")


def unauthenticated_public_disabled() -> WireError:
    """Public methods need a login at present."""
    return WireError(11056, "unauthenticated_public_requests_temporarily_disabled")


def other_reject(reason: str, param: str) -> WireError:
    """Refused for a reason without a number of its own."""
    return WireError(11030, "other_reject", reason, param)


def bad_argument(reason: str, param: str) -> WireError:
    """A parameter that can never be right."""
    return WireError(11043, "bad_argument", reason, param)


def bad_request(reason: str) -> WireError:
    """A request that cannot be understood."""
    return WireError(11050, "bad_request", reason)


def invalid_credentials() -> WireError:
    """No such key, secret or signature."""
    return WireError(13004, "invalid_credentials")


def unauthorized(reason: str) -> WireError:
    """A token that is wrong or has expired."""
    return WireError(13009, "unauthorized", reason)


def not_found(reason: str, param: str) -> WireError:
    """Nothing of that name is listed."""
    return WireError(13020, "not_found", reason, param)


def orderbook_closed() -> WireError:
    """An instrument that was traded once."""
    return WireError(13019, "orderbook_closed", "the instrument has expired", "instrument_name")


def raw_needs_authentication() -> WireError:
    """A raw public channel without a login."""
    return WireError(13778, "raw_subscriptions_not_available_for_unauthorized")


def invalid_params(reason: str, param: str) -> WireError:
    """A parameter that is missing or has no right value."""
    return WireError(-32602, "Invalid params", reason, param)


def method_not_found() -> WireError:
    """No method of that name."""
    return WireError(-32601, "Method not found")


def invalid_request(reason: str) -> WireError:
    """JSON, but no request."""
    return WireError(-32600, "Invalid Request", reason)


def parse_error() -> WireError:
    """No JSON."""
    return WireError(-32700, "Parse error")


def internal_error() -> WireError:
    """The venue failed."""
    return WireError(11094, "internal_server_error")


_MESSAGES: Final = {code.number: code.message for code in Code} | {
    10028: "too_many_requests",
    10040: "retry",
    10047: "matching_engine_queue_full",
    10066: "too_many_concurrent_requests",
    11051: "system_maintenance",
    11094: "internal_server_error",
    13009: "unauthorized",
    13028: "temporarily_unavailable",
    13503: "unavailable",
}


def known_error(code: int) -> WireError:
    """The error of that number, in the venue's words as far as they are known here."""
    return WireError(code, _MESSAGES.get(code, "other_reject"))
