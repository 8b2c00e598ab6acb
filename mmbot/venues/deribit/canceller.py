"""Taking back orders that another process placed, over whichever way to the venue works.

The WebSocket used is the one without cancel-on-disconnect, so that leaving takes nothing along.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from ccxt.base.errors import AuthenticationError, BaseError, NetworkError

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.core.statements import OpenOrder
from mmbot.venues.canceller import CredentialsRefusedError, Look, Way, WayFailedError
from mmbot.venues.deribit import rescue
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.limits import Limits
from mmbot.venues.deribit.orders import Call
from mmbot.venues.failures import said
from mmbot.venues.rates import Bucket


class DeribitCanceller:
    """One Deribit account, looked at and emptied. `name` is ours for the venue, `client` is ours
    to close; `call_limit_s` is how long one way may take, connecting included."""

    def __init__(self, name: str, client: Deribit, clock: Clock, call_limit_s: float) -> None:
        self._name = name
        self._call_limit_s = call_limit_s
        self._client = client
        self._clock = clock
        # How much of the account's rate limit is left nobody says: as slow as the lowest tier.
        self._bucket = Bucket(Limits().matching, clock.monotonic_s())

    async def account(self, way: Way) -> str | None:
        """The account our credentials open, by the venue's name for it; None: it does not say.

        Raises WayFailedError.
        """
        extended = True if way is Way.WEBSOCKET else "true"
        said = await self._look(way, "private/get_account_summaries", {"extended": extended})
        name = said.get("system_name") if isinstance(said, dict) else None
        return name if isinstance(name, str) and name else None

    async def look(self, way: Way) -> Look:
        """Everything open on the account, whoever placed it.

        Raises WayFailedError, and ListUnreadableError where the answer is no list.
        """
        return rescue.look_at(self._name, await self._look(way, rescue.OPEN_ORDERS, {}))

    async def cancel(
        self, way: Way, wanted: Sequence[OpenOrder], kept: Sequence[OpenOrder], unread: int
    ) -> None:
        """Cancel `wanted` and leave alone `kept` and what could not be read. What became of them,
        only a `look` tells. Raises WayFailedError."""
        await self._send(way, rescue.cancels(wanted, kept, unread))

    async def cancel_labels(self, way: Way, labels: Iterable[str]) -> None:
        """Cancel orders of which only the label is known. Raises WayFailedError."""
        await self._send(way, rescue.cancels_by_label(labels))

    async def _send(self, way: Way, calls: Sequence[Call]) -> None:
        for method, params in calls:
            while wait_s := self._bucket.take(self._clock.monotonic_s()):
                await self._clock.sleep(wait_s)
            try:
                await self._ask(way, method, params)
            except BaseError:
                continue  # refused: gone already, or the next look shows it still there

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _look(self, way: Way, method: str, params: dict[str, Any]) -> Any:
        try:
            return await self._ask(way, method, params)
        except BaseError as error:
            raise WayFailedError(f"{self._name} over {way.value}: {said(error)}") from error

    async def _ask(self, way: Way, method: str, params: dict[str, Any]) -> Any:
        """One private method's result; ccxt's error where the venue refuses it."""
        try:
            async with asyncio.timeout(self._call_limit_s / self._clock.scale):
                if way is Way.REST:
                    return await self._over_rest(method, params)
                await self._client.start((Link.MARKET,))
                return await self._client.rpc(Link.MARKET, method, params)
        except AuthenticationError as error:
            raise CredentialsRefusedError(
                f"{self._name} refuses the credentials ({said(error)}): check key and secret"
            ) from error
        except (NetworkError, TimeoutError) as error:
            raise WayFailedError(f"{self._name} over {way.value}: {said(error)}") from error

    async def _over_rest(self, method: str, params: dict[str, Any]) -> Any:
        scope, path = method.split("/")
        reply = await self._client.request(path, [scope], "GET", params)
        return reply.get("result") if isinstance(reply, dict) else None
