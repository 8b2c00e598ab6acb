"""Taking back orders on Deribit that another process placed (`venues/account_canceller.py`).

The WebSocket used is the one without cancel-on-disconnect, so that leaving takes nothing along.
"""

from typing import Any

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.venues.account_canceller import AccountCanceller
from mmbot.venues.canceller import Way
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.limits import Limits
from mmbot.venues.deribit.rescue import DeribitRescue


class DeribitCanceller(AccountCanceller):
    """One Deribit account. `name` is ours for the venue."""

    def __init__(self, name: str, client: Deribit, clock: Clock, call_limit_s: float) -> None:
        rescue, rate = DeribitRescue(name), Limits().matching
        super().__init__(name, rescue, client, clock, call_limit_s, rate)
        self._client = client

    async def account(self, way: Way) -> str | None:
        """The account our credentials open, by the venue's name for it; None: it does not say.

        Raises WayFailedError.
        """
        extended = True if way is Way.WEBSOCKET else "true"
        said = await self._look(way, "private/get_account_summaries", {"extended": extended})
        name = said.get("system_name") if isinstance(said, dict) else None
        return name if isinstance(name, str) and name else None

    async def _over_socket(self, method: str, params: dict[str, Any]) -> Any:
        await self._client.start((Link.MARKET,))
        return await self._client.rpc(Link.MARKET, method, params)

    async def _over_rest(self, method: str, params: dict[str, Any]) -> Any:
        scope, path = method.split("/")
        reply = await self._client.request(path, [scope], "GET", params)
        return reply.get("result") if isinstance(reply, dict) else None
