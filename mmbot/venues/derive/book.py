"""One order book as Derive sends it: whole each time, and right or marked invalid.

Each message of an orderbook.{name}.{group}.{depth} channel is all of the book to that depth. Its
`publish_id` only grows: one that is not newer than the last one came late or twice, and is left
alone. What cannot be read makes the book invalid as a whole: it is never applied in part.
"""

from typing import Any

from mmbot.venues import book
from mmbot.venues.derive.parse import level_of
from mmbot.venues.reading import Unreadable


class Book(book.Book):
    """The book of one channel. `publish_id` is the venue's of the last message applied."""

    __slots__ = ("publish_id",)

    def __init__(self, channel: str, name: str) -> None:
        super().__init__(channel, name)
        self.publish_id = -1

    def apply(self, data: Any) -> bool:
        """Take in the `data` of one message; true if the book changed and is valid.

        Raises MalformedBook, after which the book is invalid too, for a message that is not one.
        """
        try:
            publish_id, timestamp_ms = data["publish_id"], data["timestamp"]
            if publish_id.__class__ is not int or timestamp_ms.__class__ is not int:
                raise ValueError("publish_id and timestamp are not integers")
            if data["instrument_name"] != self.name:
                raise ValueError(f"it is about {data['instrument_name']}")
            if publish_id <= self.publish_id:
                return False
            bids, asks = _levels(data["bids"]), _levels(data["asks"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._malformed(error) from error
        self._bids.replace(bids)
        self._asks.replace(asks)
        self.valid, self.why = True, ""
        self.publish_id, self.timestamp_ms = publish_id, timestamp_ms
        return self._stands()

    def invalidate(self, why: str) -> bool:
        """Distrust and empty the book until the next message, whatever its id."""
        self.publish_id = -1
        return super().invalidate(why)


def _levels(rows: Any) -> list[Any]:
    """Rows are [price, amount], or objects of both; levels of nothing are none."""
    if not isinstance(rows, list):
        raise Unreadable("bids and asks are not lists")
    return [level for row in rows if (level := level_of(row))[1] > 0]
