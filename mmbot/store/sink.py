"""The store as a place that fills are kept in: the first of the sinks."""

from mmbot.store.records import Money
from mmbot.store.writer import Writer


class StoreSink:
    """Keeps what moved money in the store of a run, each once for ever."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def keep(self, record: Money) -> bool:
        """Take a record; False, and not taken, when there is no room for it at the moment."""
        return self._writer.put(record)
