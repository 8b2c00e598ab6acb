"""ccxt's REST and session, as shells and clients use them, with what ccxt lets pass refused.

* A REST answer that is no message is a NetworkError, where ccxt hands it on as text.
* A redirect is an error (RedirectedError), where ccxt follows it to whoever is named.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import ClientError, ClientSession, TraceConfig, TraceRequestRedirectParams
from ccxt.async_support.base.exchange import Exchange as Base
from ccxt.base.errors import BaseError, ExchangeNotAvailable

NO_MESSAGE = "the answer is no message"

REST_S = 10.0
REAL_MIN_S = 2.0
"""Dialing and REST get that much of the wall's time, however fast ours runs: they are real work."""


class RedirectedError(ClientError):
    """The answer sends us elsewhere: a login page, a proxy, another scheme; never the venue."""

    def __init__(self, target: str) -> None:
        super().__init__(f"redirected to {target}")
        self.target = target


async def _refuse_redirect(
    _session: ClientSession, _context: object, params: TraceRequestRedirectParams
) -> None:
    target = params.response.headers.get("Location", "nowhere")
    params.response.close()
    raise RedirectedError(target)


_STAY = TraceConfig()
_STAY.on_request_redirect.append(_refuse_redirect)
_STAY.freeze()


class Exchange(Base):  # type: ignore[misc]  # ccxt ships no types
    """To be inherited from together with a class of ccxt's, before it."""

    @property
    def error_kinds(self) -> Mapping[str, type[Exception]]:
        """ccxt's classes by the venue's error codes."""
        raise NotImplementedError

    @property
    def rest_url(self) -> str:
        """Where its REST is."""
        raise NotImplementedError

    @property
    def socket_url(self) -> str:
        """Where its WebSockets are."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close everything; nothing is left running."""
        await self.close()

    async def over_rest(self, method: str, params: Mapping[str, Any]) -> Any:
        """One method's answer. Raises ccxt's errors, with status and message as their `http`."""
        raise NotImplementedError

    def open(self, lazy: bool = False) -> None:
        """ccxt's session, which every request and dialing goes through."""
        super().open(lazy)
        if _STAY not in self.session.trace_configs:
            self.session.trace_configs.append(_STAY)

    def handle_errors(
        self,
        httpCode: int,
        reason: str,
        url: str,
        method: str,
        headers: Any,
        body: Any,
        response: Any,
        requestHeaders: Any,
        requestBody: Any,
    ) -> None:
        """ccxt's look at every REST answer. An HTTP error without a message is left to it.

        What is raised has status and message as its `http`.
        """
        try:
            if not isinstance(response, dict) and str(httpCode) not in self.httpExceptions:
                raise ExchangeNotAvailable(f"{self.id} {method} {url}: {NO_MESSAGE}")
            super().handle_errors(
                httpCode, reason, url, method, headers, body, response, requestHeaders, requestBody
            )
        except BaseError as error:
            error.http = (httpCode, response if isinstance(response, dict) else None)
            raise

    def handle_http_status_code(
        self, code: int, reason: str, url: str, method: str, body: Any
    ) -> None:
        """ccxt's look at the status of an answer that is no message."""
        try:
            super().handle_http_status_code(code, reason, url, method, body)
        except BaseError as error:
            error.http = (code, None)
            raise
