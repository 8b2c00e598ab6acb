"""Taking back orders that another process placed, over whichever way to the venue works."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from ccxt.base.errors import AuthenticationError, BaseError, NetworkError

from mmbot.clock import Clock
from mmbot.core.statements import OpenOrder
from mmbot.venues.canceller import CredentialsRefusedError, Look, Way, WayFailedError
from mmbot.venues.exchange import Exchange
from mmbot.venues.failures import said
from mmbot.venues.rates import Bucket, Rate
from mmbot.venues.rescue import Call, Rescue


class AccountCanceller(ABC):
    """One account, looked at and emptied. `exchange` is ours to close; `call_limit_s` is how long
    one way may take, connecting included, and `rate` how fast cancels may follow each other."""

    def __init__(
        self,
        name: str,
        rescue: Rescue,
        exchange: Exchange,
        clock: Clock,
        call_limit_s: float,
        rate: Rate,
    ) -> None:
        self._name = name
        self._rescue = rescue
        self._call_limit_s = call_limit_s
        self._exchange = exchange
        self._clock = clock
        # How much of the account's rate limit is left nobody says: as slow as the lowest tier.
        self._bucket = Bucket(rate, clock.monotonic_s())

    @abstractmethod
    async def account(self, way: Way) -> str | None:
        """The account our credentials open, by the venue's name for it; None: it does not say.

        Raises WayFailedError.
        """
        ...

    @abstractmethod
    async def _over_socket(self, method: str, params: dict[str, Any]) -> Any:
        """One private method's result. Raises ccxt's errors."""
        ...

    @abstractmethod
    async def _over_rest(self, method: str, params: dict[str, Any]) -> Any:
        """The same over REST."""
        ...

    async def look(self, way: Way) -> Look:
        """Everything open on the account, whoever placed it.

        Raises WayFailedError, and ListUnreadableError where the answer is no list.
        """
        return self._rescue.look_at(await self._look(way, *self._rescue.list_open()))

    async def cancel(
        self, way: Way, wanted: Sequence[OpenOrder], kept: Sequence[OpenOrder], unread: int
    ) -> None:
        """Cancel `wanted` and leave alone `kept` and what could not be read. What became of them,
        only a `look` tells. Raises WayFailedError."""
        await self._send(way, self._rescue.cancels(wanted, kept, unread))

    async def cancel_labels(self, way: Way, labels: Iterable[str]) -> None:
        """Cancel orders of which only the label is known. Raises WayFailedError."""
        await self._send(way, [self._rescue.cancel_label(label) for label in labels])

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
        await self._exchange.aclose()

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
                return await self._over_socket(method, params)
        except AuthenticationError as error:
            raise CredentialsRefusedError(
                f"{self._name} refuses the credentials ({said(error)}): check key and secret"
            ) from error
        except (NetworkError, TimeoutError) as error:
            raise WayFailedError(f"{self._name} over {way.value}: {said(error)}") from error
