"""Taking back orders on Derive that another process placed (`venues/account_canceller.py`).

The end of a connection that is logged in cancels every order of the wallet, foreign ones too, once
cancel-on-disconnect was ever switched on. So the WebSocket is no way before REST has failed; it
then cancels first, and is closed last.
"""

import asyncio
from typing import Any

from ccxt.base.errors import NetworkError

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.venues.account_canceller import AccountCanceller
from mmbot.venues.answers import Trouble
from mmbot.venues.calls import call
from mmbot.venues.canceller import Way
from mmbot.venues.derive.connection import Connection
from mmbot.venues.derive.dialect import UNKNOWN_TPS, window
from mmbot.venues.derive.exchange import DeriveExchange
from mmbot.venues.derive.rescue import DeriveRescue
from mmbot.venues.derive.session import SUBACCOUNT, label_of
from mmbot.venues.derive.signing import Signer
from mmbot.venues.in_ccxt import in_ccxt
from mmbot.venues.shell import Shell
from mmbot.venues.timing import USUAL


class DeriveCanceller(AccountCanceller):
    """One Derive account. `name` is ours for the venue, `signer` opens it."""

    def __init__(
        self,
        name: str,
        exchange: DeriveExchange,
        signer: Signer,
        clock: Clock,
        call_limit_s: float,
        *,
        named_by_label: bool = False,
    ) -> None:
        rescue = DeriveRescue(name, signer.subaccount_id)
        super().__init__(name, rescue, exchange, clock, call_limit_s, window(UNKNOWN_TPS))
        self._signer = signer
        self._connection = Connection(name, signer, USUAL, clock.now_ns(), arms=False)
        self._connection.on_started = self._started
        self._shell = Shell("derive", self._connection, exchange, clock)
        self._up: asyncio.Future[None] | None = None
        self._rest_failed = False
        self._named_by_label = named_by_label

    async def account(self, way: Way) -> str | None:
        """The subaccount, if the wallet has it; else what it has instead. Raises WayFailedError."""
        params = {"wallet": self._signer.owner}
        told = await self._look(way, "private/get_subaccounts", params)
        subaccounts = told.get("subaccount_ids") if isinstance(told, dict) else None
        if not isinstance(subaccounts, list) or not subaccounts:
            return None
        ours = self._signer.subaccount_id
        if ours not in subaccounts:
            return str(subaccounts[0])
        if not self._named_by_label:
            return str(ours)
        return label_of(await self._look(way, SUBACCOUNT, {"subaccount_id": ours}), ours)

    async def _over_socket(self, method: str, params: dict[str, Any]) -> Any:
        if not self._rest_failed:
            raise NetworkError(
                "derive a login cancels more than ours when it ends: REST comes first"
            )
        if self._up is None or (self._up.done() and self._up.exception() is not None):
            self._up = asyncio.get_running_loop().create_future()
            now_ns = self._clock.now_ns()
            self._shell.carry_out(self._connection.start([Link.TRADING], {}, now_ns))
        try:
            await asyncio.shield(self._up)
            asked = call(Link.TRADING, method, params, self._call_limit_s)
            return await self._shell.run(self._connection, asked)
        except Trouble as error:
            raise in_ccxt(error, self._exchange.error_kinds) from error

    def _started(self, _link: Link, error: Exception | None) -> None:
        if self._up is None or self._up.done():
            return
        if error is None:
            self._up.set_result(None)
        else:
            self._up.set_exception(error)
            self._up.exception()  # whoever started us may have gone

    async def _over_rest(self, method: str, params: dict[str, Any]) -> Any:
        try:
            reply = await self._exchange.over_rest(method, params)
        except NetworkError:
            self._rest_failed = True
            raise
        return reply.get("result") if isinstance(reply, dict) else None

    async def close(self) -> None:
        """Close every connection, after all that was to be cancelled."""
        self._shell.carry_out(self._connection.stop(self._clock.now_ns()))
        await self._shell.close()
        await super().close()
