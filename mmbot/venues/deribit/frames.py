"""Deribit's channels, its heartbeats, and the errors that end a session (`venues/frames.py`)."""

from typing import Any, Final

from mmbot.venues import frames
from mmbot.venues.answers import OddMessage
from mmbot.venues.calls import Calls
from mmbot.venues.deribit.errors import TOO_MANY_REQUESTS
from mmbot.venues.deribit.signin import SignIn, signs_out
from mmbot.venues.hooks import Hooks
from mmbot.venues.link import LinkState
from mmbot.venues.requests import Pending, Refusal
from mmbot.venues.timing import Timing

COOL_DOWN_S: Final = 5.0
"""After 10028 the venue refuses an immediate return."""


class Frames(frames.Frames):
    """What both links say."""

    def __init__(
        self, name: str, calls: Calls, entry: SignIn, hooks: Hooks, timing: Timing
    ) -> None:
        super().__init__(name, calls, entry, hooks, timing)
        self._entry = entry

    def _other(self, link: LinkState, frame: dict[str, Any]) -> bool:
        if frame.get("method") != "heartbeat":
            return False
        if frame["params"]["type"] == "test_request":
            self._entry.prove_alive(link)
        return True

    def _pushed(self, link: LinkState, channel: str, data: Any) -> None:
        """One subscription message, by channel, to whoever wants it."""
        hooks = self._hooks
        if channel.startswith("book."):
            self.subscriptions.take(link, channel, data)
        elif channel.startswith("ticker."):
            self.ticker(link, channel, data)
        elif channel.startswith("user."):
            self._require_data(channel, data, dict, list)
            if hooks.on_user is not None:
                hooks.on_user(channel, data)
        elif channel.startswith("trades."):
            if hooks.on_trades is not None:
                for name, trades in _by_instrument(data):
                    hooks.on_trades(name, trades)
        else:
            self._rare(channel, data)

    def _rare(self, channel: str, data: Any) -> None:
        """An index, or a channel that only its subscriber knows."""
        hooks = self._hooks
        if channel.startswith("deribit_price_index."):
            self._require_data(channel, data, dict)
            if hooks.on_index is not None:
                hooks.on_index(channel.split(".", 1)[1], data)
        elif hooks.on_channel is not None:
            hooks.on_channel(channel, data)

    def ticker(self, link: LinkState, channel: str, data: Any) -> None:
        """What a ticker says, pushed or asked for. The channel names the instrument; data that is
        none, or another one's, is handed on as {}: of this one nothing is known any more."""
        name = self._calls.dialect.instrument_of(channel)
        if isinstance(data, dict) and data.get("instrument_name", name) == name:
            self._told(link, channel)
            self.subscriptions.compare(link, name, data)
        else:
            odd = OddMessage(f"{channel}: a ticker that is none", self._name)
            self._calls.fault(odd, data)
            data = {}
        if self._hooks.on_ticker is not None:
            self._hooks.on_ticker(name, data)

    def _heed(self, link: LinkState, error: Refusal, pending: Pending | None) -> None:
        """End the connection where an error says that it has ended. What was asked is `pending`'s;
        None: nobody knows any more."""
        if error.code == TOO_MANY_REQUESTS:
            why = "10028 too_many_requests: the venue has ended the session"
            self.lives.refused(link, why, COOL_DOWN_S)
        elif (
            link.up
            and self._entry.keys is not None
            and signs_out(error)
            and (pending is None or pending.method.startswith("private/"))
        ):
            self.lives.refused(link, f"{error}: the connection is not signed in any more")


def _by_instrument(trades: Any) -> list[tuple[str, list[dict[str, Any]]]]:
    """A trades message by instrument; a channel of a whole kind may mix several."""
    if not isinstance(trades, list):
        raise OddMessage("deribit trades: a message without data")
    grouped: dict[str, list[dict[str, Any]]] = {}
    for trade in trades:
        name = trade.get("instrument_name") if isinstance(trade, dict) else None
        if isinstance(name, str):
            grouped.setdefault(name, []).append(trade)
    return list(grouped.items())
