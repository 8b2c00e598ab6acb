"""What went wrong, as the error that ccxt has for it."""

from collections.abc import Mapping

from ccxt.base.errors import (
    AuthenticationError,
    BadResponse,
    ExchangeClosedByUser,
    ExchangeError,
    NetworkError,
    RequestTimeout,
)

from mmbot.venues.answers import (
    Declined,
    LeftOut,
    LinkDown,
    NoAnswer,
    OddAnswer,
    OddMessage,
    SignedOut,
    Stopped,
    Unarmed,
)
from mmbot.venues.requests import Refusal

Kinds = Mapping[str, type[Exception]]
"""Error codes of the venue's, as text, to ccxt's classes: `exceptions` of an exchange."""


def in_ccxt(error: Exception, kinds: Kinds) -> Exception:
    """ccxt's error, with the other one as its cause; what ccxt has no error for, as it is."""
    kind = _kind(error, kinds)
    if kind is None:
        return error
    same: Exception = kind(str(error))
    same.__cause__ = error
    return same


def _kind(error: Exception, kinds: Kinds) -> type[Exception] | None:
    kind: type[Exception] | None = None
    match error:
        case SignedOut():
            kind = AuthenticationError
        case Declined() | LeftOut():
            kind = _of(error.refusal, kinds)
        case OddAnswer() | OddMessage():
            kind = BadResponse
        case Unarmed():
            kind = ExchangeError
        case Stopped():
            kind = ExchangeClosedByUser
        case NoAnswer() | LinkDown():
            kind = RequestTimeout if error.timed_out else NetworkError
    return kind


def _of(refusal: Refusal | None, kinds: Kinds) -> type[Exception]:
    usual: type[Exception] = ExchangeError
    return usual if refusal is None else kinds.get(str(refusal.code), usual)
