"""Taking back orders that another process placed, over whichever way to the venue works.

The WebSocket used is the one without cancel-on-disconnect, so that leaving takes nothing along.
"""

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import Any

from ccxt.base.errors import AuthenticationError, BaseError, NetworkError

from mmbot.core.types import InstrumentId, OpenOrder
from mmbot.engine.clock import Clock
from mmbot.errors import VenueUnreachable
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.failures import said
from mmbot.venues.deribit.limits import Bucket, Limits
from mmbot.venues.deribit.parse import NAME, Unread, each, open_order_of
from mmbot.venues.deribit.session import Socket

CALL_LIMIT_S = 2.0
"""How long one way may take, connecting included, before the other one is tried."""


class Way(Enum):
    """How the venue is spoken to."""

    WEBSOCKET = "websocket"
    REST = "rest"

    @property
    def other(self) -> "Way":
        """What to try when this one fails."""
        return Way.REST if self is Way.WEBSOCKET else Way.WEBSOCKET


class WayFailedError(Exception):
    """Nothing is known of what was asked: try again, or the other way."""


class DeribitSweeper:
    """One Deribit account, looked at and emptied. `client` is ours to close."""

    def __init__(self, client: Deribit, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        # How much of the account's rate limit is left nobody says: as slow as the lowest tier.
        self._bucket = Bucket(Limits().matching, clock.monotonic_s())

    async def account(self, way: Way) -> str:
        """The account our credentials open, by the venue's name for it. Errors as `orders`."""
        said = await self._look(way, "get_account_summaries", extended=True)
        return str(said["system_name"])

    async def orders(self, way: Way) -> list[OpenOrder]:
        """Everything open on the account, whoever placed it.

        Raises WayFailedError, or VenueUnreachable when the venue refuses our credentials.
        """
        unread = Unread()
        answer = await self._look(way, "get_open_orders")
        return each(answer, lambda row: open_order_of(row, unread), unread, "order")[0]

    async def cancel(
        self, way: Way, wanted: Sequence[OpenOrder], kept: Sequence[OpenOrder]
    ) -> None:
        """Cancel `wanted` and leave `kept` alone, in as few requests as that allows: all at once
        where nothing is kept, else whole instruments where none of `kept` rests, else one by one.

        What became of them, only `orders` tells. Raises as `orders` does.
        """
        if not kept:
            await self._order(way, "cancel_all", {})
            return
        spared = {order.instrument for order in kept}
        named = (o.instrument for o in wanted if o.instrument is not None)
        whole = dict.fromkeys(name for name in named if name not in spared)
        for instrument in whole:
            await self._order(
                way, "cancel_all_by_instrument", {"instrument_name": _name(instrument)}
            )
        for order in wanted:
            if order.instrument is None or order.instrument in spared:
                await self._order(way, "cancel", {"order_id": order.order_id})

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _look(self, way: Way, method: str, **params: bool) -> Any:
        try:
            return await self._ask(way, method, params)
        except BaseError as error:
            raise WayFailedError(f"{NAME} over {way.value}: {said(error)}") from error

    async def _order(self, way: Way, method: str, params: dict[str, Any]) -> None:
        while wait_s := self._bucket.take(self._clock.monotonic_s()):
            await self._clock.sleep(wait_s)
        try:
            await self._ask(way, method, params)
        except BaseError:
            return  # refused: gone already, or the next look shows it still there

    async def _ask(self, way: Way, method: str, params: dict[str, Any]) -> Any:
        """One private method's result; ccxt's error where the venue refuses it."""
        try:
            async with asyncio.timeout(CALL_LIMIT_S / self._clock.scale):
                if way is Way.WEBSOCKET:
                    await self._client.start((Socket.MARKET,))
                    return await self._client.rpc(Socket.MARKET, f"private/{method}", params)
                reply = await getattr(self._client, _REST[method])(params)
                return reply["result"]
        except AuthenticationError as error:
            raise VenueUnreachable(
                f"{NAME} refuses the credentials ({said(error)}): check key and secret"
            ) from error
        except (NetworkError, TimeoutError) as error:
            raise WayFailedError(f"{NAME} over {way.value}: {said(error)}") from error


_REST = {
    "get_account_summaries": "privateGetGetAccountSummaries",
    "get_open_orders": "privateGetGetOpenOrders",
    "cancel_all": "privateGetCancelAll",
    "cancel_all_by_instrument": "privateGetCancelAllByInstrument",
    "cancel": "privateGetCancel",
}
"""ccxt's names of the methods, over REST."""


def _name(instrument: InstrumentId) -> str:
    return instrument.removeprefix(f"{NAME}:")
