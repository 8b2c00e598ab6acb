"""Frames of a link: each to whom it concerns, at once, and none can end the reading.

What goes wrong with a frame is told to `on_fault`. It concerns the channel it came over; a frame of
which even that cannot be read concerns every book of its link.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from mmbot.venues.deribit.answers import OddMessage, UnreadableFrame
from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.calls import Calls
from mmbot.venues.deribit.errors import TOO_MANY_REQUESTS
from mmbot.venues.deribit.hooks import Hooks
from mmbot.venues.deribit.link import LinkState
from mmbot.venues.deribit.lives import COOL_DOWN_S, Lives
from mmbot.venues.deribit.requests import Pending, Refusal, refusal_of
from mmbot.venues.deribit.signin import SignIn, signs_out
from mmbot.venues.deribit.subscriptions import Subscriptions
from mmbot.venues.deribit.tickers import TickerWatch, instrument_of
from mmbot.venues.effects import Frame
from mmbot.venues.timing import Timing


class Frames:
    """What both links say. Owns everything that lives by it."""

    def __init__(
        self, name: str, calls: Calls, entry: SignIn, hooks: Hooks, timing: Timing
    ) -> None:
        self._name = name
        self._calls = calls
        self._entry = entry
        self._hooks = hooks
        self.subscriptions = Subscriptions(calls, self._publish)
        tickers = TickerWatch(calls, self.ticker)
        self.lives = Lives(calls, entry, self.subscriptions, tickers, hooks, timing)

    def heard(self, link: LinkState, data: Frame | str | bytes) -> None:
        """A frame over the present connection. Never raises."""
        if not link.open:
            return
        link.heard_s = self._calls.now_s
        frame: Any = data
        try:
            if frame.__class__ is not dict:
                frame = self._read(data)
            self._route(link, frame)
        except UnreadableFrame as error:
            self._calls.fault(error, frame)
            self._calls.tell(self._hooks.on_unreadable, link.link)
            self.subscriptions.doubt_all(link, "a frame could not be read")
        except Exception as error:  # noqa: BLE001  # no frame ends a link by raising
            self._calls.fault(error, frame)
            self._calls.tell(self._hooks.on_unreadable, link.link)

    def _read(self, data: Frame | str | bytes) -> dict[str, Any]:
        if isinstance(data, str | bytes):
            try:
                data = orjson.loads(data)
            except orjson.JSONDecodeError as error:
                raise UnreadableFrame(f"{self._name} sent a frame that is no JSON") from error
        if not isinstance(data, Mapping):
            raise UnreadableFrame(f"{self._name} sent JSON that is not a message")
        return data if isinstance(data, dict) else dict(data)

    def _route(self, link: LinkState, frame: dict[str, Any]) -> None:
        """A message to what it is for. Raises UnreadableFrame, and what that raises."""
        method = frame.get("method")
        if method == "subscription":
            params = frame.get("params")
            channel = params.get("channel") if isinstance(params, dict) else None
            if params is None or not isinstance(channel, str):
                raise UnreadableFrame(f"{self._name} does not say which channel a message is of")
            if self._hooks.on_push is not None:
                self._calls.tell(self._hooks.on_push, link.link, channel, frame)
            self._pushed(link, channel, params.get("data"))
        elif method == "heartbeat":
            if frame["params"]["type"] == "test_request":
                self.lives.prove_alive(link)
        elif method is None and ("result" in frame or "error" in frame):
            self._replied(link, frame)
        else:
            raise UnreadableFrame(f"{self._name} sent a frame of no known kind")

    # -- Channels --------------------------------------------------------------------------------

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

    def _require_data(self, channel: str, data: Any, *kinds: type) -> None:
        if not isinstance(data, kinds):
            raise OddMessage(f"{self._name} {channel}: a message without data")

    def ticker(self, link: LinkState, channel: str, data: Any) -> None:
        """What a ticker says, pushed or asked for. The channel names the instrument; data that is
        none, or another one's, is handed on as {}: of this one nothing is known any more."""
        name = instrument_of(channel)
        if isinstance(data, dict) and data.get("instrument_name", name) == name:
            if channel in link.told_s:
                link.told_s[channel] = link.heard_s
            self.subscriptions.compare(link, name, data)
        else:
            odd = OddMessage(f"{self._name} {channel}: a ticker that is none")
            self._calls.fault(odd, data)
            data = {}
        if self._hooks.on_ticker is not None:
            self._hooks.on_ticker(name, data)

    def _publish(self, book: Book) -> None:
        """A book has changed, for better or worse."""
        self._calls.tell(self._hooks.on_book, book)

    # -- Replies ---------------------------------------------------------------------------------

    def _replied(self, link: LinkState, frame: dict[str, Any]) -> None:
        if frame.get("id") is None:
            error = refusal_of(frame.get("error"))
            if error is not None:
                self._heed(link, error, None)
            said = frame.get("error")
            raise OddMessage(f"{self._name} answers no request in particular: {said}")
        reply, pending = self._calls.replied(frame)
        self._calls.tell(self._hooks.on_late_reply if pending is None else pending.done, reply)
        if reply.error is not None:
            self._heed(link, reply.error, pending)

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
