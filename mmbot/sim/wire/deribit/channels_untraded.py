"""Channels of what is listed but not traded here: an empty market, told once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmbot.sim.wire.deribit.catalog import Catalog
from mmbot.sim.wire.deribit.channels import Channel, Source
from mmbot.sim.wire.deribit.shapes import Json


class UntradedBookChannel(Channel):
    """book.{combo}...: an empty book, told once."""

    def __init__(self, name: str, source: Source, instrument: str, *, grouped: bool) -> None:
        super().__init__(name, source)
        self._of = instrument
        self._grouped = grouped

    def greeting(self) -> Iterable[Any]:
        """The empty book."""
        book: Json = {
            "timestamp": self.source.now_ms(),
            "instrument_name": self._of,
            "change_id": 1,
            "bids": [],
            "asks": [],
        }
        yield book if self._grouped else {**book, "type": "snapshot", "prev_change_id": None}


class UntradedTickerChannel(Channel):
    """ticker.{combo}.{interval}, incremental_ticker.{combo}, quote.{combo}: told once."""

    def __init__(
        self, name: str, source: Source, catalog: Catalog, topic: str, instrument: str
    ) -> None:
        super().__init__(name, source)
        self._catalog = catalog
        self._topic = topic
        self._of = instrument

    def greeting(self) -> Iterable[Any]:
        """The ticker of an empty market, cut to what the topic shows."""
        ticker = self._catalog.ticker(self._of)
        if self._topic == "incremental_ticker":
            ticker["type"] = "snapshot"
        elif self._topic == "quote":
            wanted = ("timestamp", "instrument_name")
            ticker = {
                key: value
                for key, value in ticker.items()
                if key in wanted or key.startswith("best_")
            }
        yield ticker


class SilentChannel(Channel):
    """trades.{combo}.{interval}, chart.trades.{combo}.{resolution}: nothing ever trades."""


def untraded_channel(
    source: Source, catalog: Catalog, name: str, topic: str, instrument: str, rest: list[str]
) -> Channel | None:
    """A channel of an instrument that is listed and not traded here; None if there is none."""
    match topic, rest:
        case "book", [_]:
            return UntradedBookChannel(name, source, instrument, grouped=False)
        case "book", [_, _, _]:
            return UntradedBookChannel(name, source, instrument, grouped=True)
        case ("ticker", [_]) | (("incremental_ticker" | "quote"), []):
            return UntradedTickerChannel(name, source, catalog, topic, instrument)
        case "trades", [_]:
            return SilentChannel(name, source)
        case _:
            return None
