"""Taking back what is ours, whatever the venue's list of open orders looks like.

To cancel an order little but its id is needed, and its label alone where the id cannot be read; to
know that it is ours, its label. Everything else in a row is for people to look at. A row of which
not even that can be read is counted: with it nothing is proved, and nothing is canceled that might
be somebody else's.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from mmbot.core.labels import is_ours
from mmbot.core.statements import OpenOrder
from mmbot.core.types import instrument_name
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import get
from mmbot.venues.canceller import ListUnreadableError, Look
from mmbot.venues.rates import Bucket, Rate
from mmbot.venues.reading import Unreadable
from mmbot.venues.recipe import Recipe, Wait

Call = tuple[str, dict[str, Any]]
"""A JSON-RPC method and its parameters."""


class Rescue(ABC):
    """One account's open orders, listed and cancelled. What a venue adds is how it is asked."""

    @abstractmethod
    def list_open(self) -> Call:
        """What asks for every open order of the account."""
        ...

    def rows_of(self, result: object) -> object:
        """The list in the answer to that."""
        return result

    @abstractmethod
    def read(self, row: object) -> OpenOrder:
        """One row. Raises Unreadable."""
        ...

    @abstractmethod
    def cancel(self, order: OpenOrder) -> Call | None:
        """What cancels an order; None where too little is known of it."""
        ...

    @abstractmethod
    def cancel_label(self, label: str) -> Call:
        """What cancels an order of which only the label is known."""
        ...

    @abstractmethod
    def cancel_all(self, name: str | None = None) -> Call:
        """What cancels everything of the account, or of one instrument."""
        ...

    def look_at(self, result: object, order_ids: Collection[str] = ()) -> Look:
        """The answer to `list_open`; `order_ids`: ours, where labels do not tell. Raises
        ListUnreadableError if it is no list."""
        rows = self.rows_of(result)
        if not isinstance(rows, list):
            raise ListUnreadableError(
                f"the venue's list of open orders cannot be read: {json.dumps(result)[:60]}"
            )
        read = [order for row in rows if (order := self._listed(row)) is not None]
        return Look(
            ours=tuple(o for o in read if is_ours(o.label) or o.order_id in order_ids),
            others=tuple(o for o in read if not (is_ours(o.label) or o.order_id in order_ids)),
            unread=len(rows) - len(read),
        )

    def _listed(self, row: object) -> OpenOrder | None:
        """One row; None: it may be anybody's."""
        label = row.get("label") if isinstance(row, Mapping) else None
        if label is not None and not isinstance(label, str):
            return None
        try:
            return self.read(row)
        except Unreadable:
            return None

    def cancels(
        self, wanted: Sequence[OpenOrder], kept: Sequence[OpenOrder], unread: int = 0
    ) -> list[Call]:
        """Requests that cancel `wanted` and leave alone `kept` and what could not be read, in as
        few as that allows: all at once where there is nothing else, else whole instruments where
        nothing else rests, else one by one."""
        if not kept and not unread:
            return [self.cancel_all()]
        spared = {order.instrument for order in kept}
        anywhere = bool(unread) or None in spared
        whole: dict[str, None] = {}
        single: list[OpenOrder] = []
        for order in wanted:
            if order.instrument is None or order.instrument in spared or anywhere:
                single.append(order)
            else:
                whole[instrument_name(order.instrument)] = None
        return [
            *(self.cancel_all(name) for name in whole),
            *(call for order in single if (call := self.cancel(order)) is not None),
        ]

    def cancel_ours(
        self,
        known: Iterable[str],
        limit: Rate,
        now_s: Callable[[], float],
        order_ids: Collection[str] = (),
    ) -> Recipe[Look]:
        """Cancel every order of ours over REST, and look again: what the venue still lists.

        Raises AnswerError where the venue does not answer, and ListUnreadableError, before which
        the labels in `known` have been canceled one by one.
        """
        bucket = Bucket(limit, now_s())
        try:
            look = self.look_at((yield from get(*self.list_open())), order_ids)
        except ListUnreadableError:
            yield from _send_all([self.cancel_label(label) for label in known], bucket, now_s)
            raise
        if look.ours:
            cancels = self.cancels(look.ours, look.others, look.unread)
            yield from _send_all(cancels, bucket, now_s)
        return self.look_at((yield from get(*self.list_open())), order_ids)


def _send_all(calls: Sequence[Call], bucket: Bucket, now_s: Callable[[], float]) -> Recipe[None]:
    for method, params in calls:
        while wait_s := bucket.take(now_s()):
            yield Wait(wait_s)
        try:
            yield from get(method, params)
        except AnswerError as error:
            if not error.refuses:
                raise
            # Gone already, or still listed when we look again.
