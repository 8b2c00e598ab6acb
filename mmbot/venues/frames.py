"""Frames of a link: each to whom it concerns, at once, and none can end the reading.

What goes wrong with a frame is told to `on_fault`. It concerns the channel it came over; a frame of
which even that cannot be read concerns every book of its link.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import orjson

from mmbot.venues.answers import OddMessage, UnreadableFrame
from mmbot.venues.book import Book
from mmbot.venues.calls import Calls
from mmbot.venues.effects import Frame
from mmbot.venues.entry import Entry
from mmbot.venues.hooks import Hooks
from mmbot.venues.link import LinkState
from mmbot.venues.lives import Lives
from mmbot.venues.requests import Pending, Refusal, refusal_of
from mmbot.venues.subscriptions import Subscriptions
from mmbot.venues.tickers import TickerWatch
from mmbot.venues.timing import Timing

_TEXTS = (str, bytes)


class Frames(ABC):
    """What the links say. Owns everything that lives by it. `name` is ours for the venue."""

    def __init__(self, name: str, calls: Calls, entry: Entry, hooks: Hooks, timing: Timing) -> None:
        self._name = name
        self._calls = calls
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
        if isinstance(data, _TEXTS):
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
        elif method is None and ("result" in frame or "error" in frame):
            self._replied(link, frame)
        elif not self._other(link, frame):
            raise UnreadableFrame(f"{self._name} sent a frame of no known kind")

    @abstractmethod
    def _pushed(self, link: LinkState, channel: str, data: Any) -> None:
        """One subscription message, by channel, to whoever wants it."""
        ...

    def _other(self, _link: LinkState, _frame: dict[str, Any]) -> bool:
        """A frame that is neither a reply nor a channel's; whether there is such a one."""
        return False

    @abstractmethod
    def ticker(self, link: LinkState, channel: str, data: Any) -> None:
        """What a ticker says, pushed or asked for."""
        ...

    def _told(self, link: LinkState, channel: str) -> None:
        """A ticker's channel has said something."""
        if channel in link.told_s:
            link.told_s[channel] = link.heard_s

    def _require_data(self, channel: str, data: Any, *kinds: type) -> None:
        if not isinstance(data, kinds):
            raise OddMessage(f"{channel}: a message without data", self._name)

    def _publish(self, book: Book) -> None:
        """A book has changed, for better or worse."""
        self._calls.tell(self._hooks.on_book, book)

    # -- Replies ---------------------------------------------------------------------------------

    def _replied(self, link: LinkState, frame: dict[str, Any]) -> None:
        if frame.get("id") is None:
            error = refusal_of(self._calls.dialect, frame.get("error"))
            if error is not None:
                self._heed(link, error, None)
            said = frame.get("error")
            raise OddMessage(f"answers no request in particular: {said}", self._name)
        reply, pending = self._calls.replied(frame)
        self._calls.tell(self._hooks.on_late_reply if pending is None else pending.done, reply)
        if reply.error is not None:
            self._heed(link, reply.error, pending)

    @abstractmethod
    def _heed(self, link: LinkState, error: Refusal, pending: Pending | None) -> None:
        """End the connection where an error says that it has ended. What was asked is `pending`'s;
        None: nobody knows any more."""
        ...
