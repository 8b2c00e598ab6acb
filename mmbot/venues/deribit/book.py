"""One order book as Deribit sends it: right, or marked invalid. Never silently wrong.

A `book.<name>.<interval>` channel begins with a snapshot and goes on with changes. Each change
names the `change_id` it stands on (`prev_change_id`); one that stands on another id than ours means
that something was lost, and the book is invalid from that message on until the next snapshot, which
replaces everything. A `book.<name>.<group>.<depth>.<interval>` channel sends whole books each time.

A message is a snapshot only if it says so: by its `type`, or by naming neither `type` nor
`prev_change_id` (grouped books). Messages of 2020 had no `type`; with `prev_change_id` they are
changes. What cannot be read makes the book invalid as a whole: it is never applied in part.
"""

from typing import Any

from mmbot.venues import book


class Book(book.Book):
    """The book of one channel. `change_id` is the venue's of the last message applied."""

    __slots__ = ("change_id",)

    def __init__(self, channel: str, name: str) -> None:
        super().__init__(channel, name)
        self.change_id = 0

    def apply(self, data: Any) -> bool:
        """Take in the `data` of one book message; true if the book changed and is valid.

        A change out of sequence invalidates the book; a change while it is invalid is ignored.
        Raises MalformedBook, after which the book is invalid too, for a message that is not one.
        """
        try:
            change_id, timestamp_ms = data["change_id"], data["timestamp"]
            bid_rows, ask_rows = data["bids"], data["asks"]
            self._check(data)
            kind = data.get("type")
            bids, asks = self._bids, self._asks
            if kind == "change" or (kind is None and data.get("prev_change_id") is not None):
                if not self.valid:
                    return False
                previous = data.get("prev_change_id")
                if previous != self.change_id:
                    self.invalidate(f"gap: a change to {previous}, the book is at {self.change_id}")
                    return False
                if bid_rows:
                    bids.change(bid_rows)
                if ask_rows:
                    asks.change(ask_rows)
            elif kind is None or kind == "snapshot":
                bids.replace(bid_rows)
                asks.replace(ask_rows)
                self.valid = True
                self.why = ""
            else:
                raise ValueError(f"type {kind}")
        except (KeyError, TypeError, ValueError) as error:
            raise self._malformed(error) from error
        self.change_id = change_id
        self.timestamp_ms = timestamp_ms
        return self._stands()

    def _check(self, data: Any) -> None:
        """Raises ValueError for a message that is no book's or another book's."""
        if data["change_id"].__class__ is not int or data["timestamp"].__class__ is not int:
            raise ValueError("change_id and timestamp are not integers")
        if data["bids"].__class__ is not list or data["asks"].__class__ is not list:
            raise ValueError("bids and asks are not lists")
        if data["instrument_name"] != self.name:
            raise ValueError(f"it is about {data['instrument_name']}")
