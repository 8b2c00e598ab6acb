"""What went wrong on the way to a venue: one phrase for people, and whether it may pass by itself.

ccxt, aiohttp and the system each put a layer around a failure and few words into it. Here the
layers are taken off, and what is at the bottom is said: refused, reset, no answer, TLS, redirected,
an HTTP status, the venue's own error, or an answer that is none.
"""

import errno
import json
import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectorError,
    ClientPayloadError,
    ClientResponseError,
    ServerDisconnectedError,
    WSServerHandshakeError,
)
from ccxt.base.errors import (
    AuthenticationError,
    BaseError,
    DDoSProtection,
    NetworkError,
    RateLimitExceeded,
    RequestTimeout,
)

from mmbot.errors import MmbotError, VenueUnreachable
from mmbot.venues.asking import PHRASE_MAX_CHARS, UnreadableError
from mmbot.venues.exchange import NO_MESSAGE, REST_S, RedirectedError

_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_PASSING_ERRORS = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.ETIMEDOUT}
)
_REQUEST = re.compile(r"^\w+ (?:GET|POST|PUT|DELETE) (\S+?):?(?: (\d{3})\b.*)?(?: |$)", re.DOTALL)
"""How ccxt words a REST request that failed, with the HTTP status where there was one."""

_LIBRARY_TAIL = re.compile(r" \(_ssl\.c:\d+\)$")


class Manner(Enum):
    """How the venue failed us; the value begins a sentence."""

    SILENT = "does not answer"
    ODD = "gives no usable answer"
    SAYS = "refuses"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, understood."""

    manner: Manner
    phrase: str
    may_pass: bool = False


def said(error: BaseException) -> str:
    """What went wrong, in one phrase of one line."""
    return " ".join(_understood(error).phrase.split())[:PHRASE_MAX_CHARS]


def may_pass(error: BaseException) -> bool:
    """Whether asking again soon may help: not for credentials, TLS, redirects or wrong answers."""
    return _understood(error).may_pass


def unreachable(name: str, error: BaseException) -> VenueUnreachable:
    """The failure of a venue as the line a command ends with."""
    phrase, manner, passing = said(error), _understood(error).manner, may_pass(error)
    if manner is Manner.SAYS and _first(error, AuthenticationError) is not None:
        return VenueUnreachable(f"{name} refuses the credentials ({phrase}): check key and secret")
    return VenueUnreachable(f"{name} {manner.value}: {phrase}", may_pass=passing)


@contextmanager
def in_words(name: str, asked: str = "") -> Iterator[None]:
    """Whatever goes wrong between us and the venue leaves this as VenueUnreachable; errors of ours
    leave it as they are. An answer in no shape we know is called one to what was `asked`."""
    try:
        yield
    except MmbotError:
        raise
    except (BaseError, OSError) as error:
        raise unreachable(name, error) from error
    except Exception as error:  # as good as no answer
        if not asked:
            raise unreachable(name, error) from error
        odd = UnreadableError(asked)
        odd.__cause__ = error
        raise unreachable(name, odd) from odd


# --- taking off the layers --------------------------------------------------------------------


def _understood(error: BaseException) -> Failure:
    where = _where(error)
    for layer in reversed(list(_layers(error))):
        found = _failure(layer, where)
        if found is not None:
            return found
    if isinstance(error, MmbotError):
        return Failure(Manner.SAYS, str(error))
    if isinstance(error, TimeoutError):  # of a deadline of ours
        return Failure(Manner.SILENT, "no answer in time", True)
    return Failure(Manner.ODD, f"unreadable answer ({type(error).__name__}: {error})")


def _layers(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on. ccxt puts some into the argument only."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if inner is None and error.args and isinstance(error.args[0], BaseException):
            inner = error.args[0]
        error = inner


def _first(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    return next((layer for layer in _layers(error) if isinstance(layer, kind)), None)


def _where(error: BaseException) -> str:
    """Host and port that were asked, with a space before them; empty where that is not known."""
    for layer in _layers(error):
        if isinstance(layer, ClientConnectorError):
            return f" {layer.host}:{layer.port}"
        request = _REQUEST.match(str(layer)) if isinstance(layer, BaseError) else None
        if request is not None:
            return f" {urlsplit(request[1]).netloc}"
    return ""


def _failure(layer: BaseException, where: str) -> Failure | None:
    """What one layer says; None where an outer one says more."""
    if isinstance(layer, BaseError):
        return _of_ccxt(layer, where)
    return _of_line(layer, where) or _of_answer(layer) or _of_system(layer, where)


def _of_line(layer: BaseException, where: str) -> Failure | None:
    """The line: no certificate, no host, nobody there, or hung up."""
    match layer:
        case ssl.SSLCertVerificationError():
            reason = layer.verify_message
            return Failure(Manner.SILENT, f"TLS: the certificate is not accepted ({reason})")
        case ssl.SSLError():
            return Failure(Manner.SILENT, f"TLS: {_ssl_reason(layer)}")
        case socket.gaierror():
            again = layer.errno == socket.EAI_AGAIN
            return Failure(Manner.SILENT, f"no such host{where} ({layer.strerror})", again)
        case ConnectionRefusedError():
            return Failure(Manner.SILENT, f"connection refused by{where or ' it'}", True)
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return Failure(Manner.SILENT, f"connection reset by{where or ' it'}", True)
        case ServerDisconnectedError():
            hung_up = f"connection closed by{where or ' it'} without an answer (does it want TLS?)"
            return Failure(Manner.SILENT, hung_up, True)
    return None


def _of_answer(layer: BaseException) -> Failure | None:
    """An answer that is none."""
    match layer:
        case RedirectedError():
            return Failure(Manner.ODD, f"redirected to {layer.target}")
        case WSServerHandshakeError():
            return _status(layer.status, "")
        case ClientPayloadError():
            return Failure(Manner.ODD, "unreadable answer (cut short)", True)
        case ClientResponseError():
            return Failure(Manner.ODD, "unreadable answer (not HTTP)")
        case UnreadableError():
            return Failure(Manner.ODD, f"unreadable answer {layer}")
    return None


def _of_system(layer: BaseException, where: str) -> Failure | None:
    """What the system says, where nothing better is known."""
    if not isinstance(layer, OSError) or isinstance(layer, TimeoutError) or not layer.strerror:
        return None
    words = os.strerror(layer.errno).lower() if layer.errno else layer.strerror
    return Failure(Manner.SILENT, f"{words}{where}", layer.errno in _PASSING_ERRORS)


def _of_ccxt(error: BaseError, where: str) -> Failure:
    """An error of ccxt's own making, or the venue's that it hands on."""
    text = str(error)
    request = _REQUEST.match(text)
    if NO_MESSAGE in text:
        return Failure(Manner.ODD, f"unreadable answer (no JSON-RPC message) from{where}")
    if request is not None and request[2]:
        return _status(int(request[2]), where)
    if isinstance(error, RequestTimeout) and (request is not None or not text):
        return Failure(Manner.SILENT, f"no answer from{where} in {REST_S:.0f} s", True)
    spoken = text.partition(" ")[2].strip() or text or type(error).__name__
    passing = isinstance(error, NetworkError | RateLimitExceeded | DDoSProtection)
    if spoken.startswith("{"):
        return Failure(Manner.SAYS, _venue_error(spoken), passing)
    manner = Manner.SILENT if isinstance(error, RequestTimeout) else Manner.SAYS
    return Failure(manner, spoken, passing)


def _status(status: int, where: str) -> Failure:
    if status < 300:
        return Failure(Manner.ODD, f"unreadable answer (HTTP {status}, but no WebSocket)")
    try:
        reason = f" {HTTPStatus(status).phrase}"
    except ValueError:
        reason = ""
    sender = f" from{where}" if where else ""
    return Failure(Manner.ODD, f"HTTP {status}{reason}{sender}", status in _PASSING_STATUS)


def _ssl_reason(error: ssl.SSLError) -> str:
    reason = (error.reason or "").replace("_", " ").lower()
    if reason in ("wrong version number", "record layer failure", "http request"):
        return f"the other end does not speak it ({reason})"
    return reason or _LIBRARY_TAIL.sub("", error.strerror or str(error))


def _venue_error(text: str) -> str:
    """Code and message of an error message of the venue."""
    try:
        error = json.loads(text)["error"]
        code, message = error["code"], error["message"]
    except (ValueError, KeyError, TypeError):
        return f"an error without a code: {text}"
    data = error.get("data")
    reason = data.get("reason") if isinstance(data, dict) else None
    return f"{code} {message}" + (f": {reason}" if reason else "")
