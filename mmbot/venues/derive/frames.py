"""Derive's channels, its pongs, and the errors that end a session (`venues/frames.py`)."""

from math import isfinite
from typing import Any, Final

from mmbot.venues import frames
from mmbot.venues.answers import OddMessage
from mmbot.venues.calls import Calls
from mmbot.venues.derive.pings import PONG, Pings
from mmbot.venues.derive.signin import SignIn, signs_out
from mmbot.venues.effects import Frame
from mmbot.venues.hooks import Hooks
from mmbot.venues.link import LinkState
from mmbot.venues.requests import Pending, Refusal
from mmbot.venues.timing import Timing

TOO_MANY_CLIENTS: Final = -32100
COOL_DOWN_S: Final = 5.0
"""One connection too many: another one has to end before there is room for ours."""


class Frames(frames.Frames):
    """What both links say."""

    def __init__(
        self, name: str, calls: Calls, entry: SignIn, pings: Pings, hooks: Hooks, timing: Timing
    ) -> None:
        super().__init__(name, calls, entry, hooks, timing)
        self._pings = pings

    def heard(self, link: LinkState, data: Frame | str | bytes) -> None:
        """A frame over the present connection. Never raises."""
        if data not in PONG:
            super().heard(link, data)
        elif link.open:
            link.heard_s = self._calls.now_s
            self._pings.answered(link)

    def _pushed(self, link: LinkState, channel: str, data: Any) -> None:
        """One subscription message, by channel, to whoever wants it."""
        hooks = self._hooks
        if channel.startswith("orderbook."):
            self.subscriptions.take(link, channel, data)
        elif channel.startswith("ticker_slim."):
            self.ticker(link, channel, data)
        elif channel.startswith("trades."):
            self._require_data(channel, data, list)
            if hooks.on_trades is not None:
                hooks.on_trades(self._calls.dialect.instrument_of(channel), data)
        elif self._calls.dialect.is_private(channel):
            self._require_data(channel, data, list)
            if hooks.on_user is not None:
                hooks.on_user(channel, data)
        elif hooks.on_channel is not None:
            hooks.on_channel(channel, data)

    def ticker(self, link: LinkState, channel: str, data: Any) -> None:
        """What a ticker says, pushed or asked for. The channel alone names the instrument; data
        that is none is handed on as {}: of this one nothing is known any more."""
        name = self._calls.dialect.instrument_of(channel)
        if isinstance(data, dict):
            self._told(link, channel)
            self.subscriptions.compare(link, name, _best(data.get("instrument_ticker", data)))
        else:
            odd = OddMessage(f"{channel}: a ticker that is none", self._name)
            self._calls.fault(odd, data)
            data = {}
        if self._hooks.on_ticker is not None:
            self._hooks.on_ticker(name, data)

    def _heed(self, link: LinkState, error: Refusal, pending: Pending | None) -> None:
        if error.code == TOO_MANY_CLIENTS:
            self.lives.refused(link, f"{error}: one connection too many", COOL_DOWN_S)
        elif (
            link.up
            and signs_out(error)
            and (pending is None or pending.method.startswith("private/"))
        ):
            self.lives.refused(link, f"{error}: the connection is not logged in any more")


def _best(said: Any) -> dict[str, Any]:
    """The best prices of a ticker, as they are held against a book; empty where it states none. A
    price of zero is nobody's."""
    if not isinstance(said, dict):
        return {}
    try:
        bid, ask = float(said["b"]), float(said["a"])
    except (KeyError, TypeError, ValueError):
        return {}
    if not (isfinite(bid) and isfinite(ask)):
        return {}
    return {
        "timestamp": said.get("t"),
        "best_bid_price": bid or None,
        "best_ask_price": ask or None,
    }
