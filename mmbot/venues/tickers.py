"""Tickers have an age: a channel that says nothing for a while is asked for its word.

A mark that nobody repeats is soon no mark (the core drops it), and an instrument whose ticker
channel broke would be left unquoted although its price is to be had. So the session asks
for it over the same link and hands on the answer like a push. At most one question an
instrument is in flight, the longest silence comes first, and half of the pool is left to others.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from mmbot.venues.calls import Calls
from mmbot.venues.link import LinkState
from mmbot.venues.requests import Outcome, Reply

SILENT_S = 2.5
ANSWER_S = 2.0
KEEP_SHARE = 0.5


class TickerWatch:
    """`on_ticker(link, channel, data)` takes in an answer as it takes in a push."""

    def __init__(self, calls: Calls, on_ticker: Callable[[LinkState, str, Any], None]) -> None:
        self._calls = calls
        self._on_ticker = on_ticker

    def look_after(self, link: LinkState) -> None:
        """Ask for every ticker that has been silent for too long, as far as the pool goes."""
        now_s, dialect = self._calls.now_s, self._calls.dialect
        silent = [
            (told_s, channel)
            for channel, told_s in link.told_s.items()
            if now_s - told_s >= SILENT_S and channel not in link.asking
        ]
        for _, channel in sorted(silent):
            if self._calls.pools.take(dialect.ticker_pool, now_s, KEEP_SHARE):
                return
            link.told_s[channel] = now_s  # an answer that does not come is as good as silence
            link.asking.add(channel)
            params = {"instrument_name": dialect.instrument_of(channel)}
            done = partial(self._answered, link, channel)
            self._calls.send(link, dialect.ticker_method, params, done, ANSWER_S, paid=True)

    def _answered(self, link: LinkState, channel: str, reply: Reply) -> None:
        link.asking.discard(channel)
        if reply.outcome is Outcome.OK and channel in link.told_s:
            self._on_ticker(link, channel, reply.result)
