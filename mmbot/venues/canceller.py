"""The kill switch's own path to a venue: one account looked at and emptied by another process."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mmbot.core.statements import OpenOrder


class Way(Enum):
    """How a venue is spoken to."""

    WEBSOCKET = "websocket"
    REST = "rest"

    @property
    def other(self) -> "Way":
        """What to try when this one fails."""
        return Way.REST if self is Way.WEBSOCKET else Way.WEBSOCKET


class WayFailedError(Exception):
    """Nothing is known of what was asked: try again, or the other way."""


class CredentialsRefusedError(WayFailedError):
    """Over this way the venue does not know us."""


class ListUnreadableError(Exception):
    """The venue's list of open orders is none."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a list of open orders says."""

    ours: tuple[OpenOrder, ...]
    others: tuple[OpenOrder, ...]
    """Other people's: no label, or one that is not of our form."""
    unread: int
    """Rows that may be anybody's."""

    def with_known(self, order_ids: Collection[str]) -> "Look":
        """The same where these are ours: their labels are not named."""
        if not order_ids:
            return self
        return Look(
            self.ours + tuple(o for o in self.others if o.order_id in order_ids),
            tuple(o for o in self.others if o.order_id not in order_ids),
            self.unread,
        )


class Canceller(Protocol):
    """One account. Each call but `close` takes a way and raises WayFailedError where that fails."""

    async def account(self, way: Way) -> str | None:
        """The account our credentials open, by the venue's name for it; None: it does not say."""
        ...

    async def look(self, way: Way) -> Look:
        """Everything open on the account, whoever placed it. Raises ListUnreadableError where the
        answer is no list."""
        ...

    async def cancel(
        self, way: Way, wanted: Sequence[OpenOrder], kept: Sequence[OpenOrder], unread: int
    ) -> None:
        """Cancel `wanted` and leave alone `kept` and the `unread` rows of the list. What became of
        them, only a `look` tells."""
        ...

    async def cancel_labels(self, way: Way, labels: Iterable[str]) -> None:
        """Cancel orders of which only the label is known."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
