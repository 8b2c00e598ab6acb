"""Which channels there are, and who has subscribed to them."""

from __future__ import annotations

from collections.abc import Callable

from mmbot.sim.wire.deribit.channels import Channel, Interval, Subscriber
from mmbot.sim.wire.deribit.channels_market import BookChannel


class Hub:
    """All channels anybody subscribes to; a channel lives as long as it has a subscriber."""

    def __init__(self, make: Callable[[str, str | None], Channel | None]) -> None:
        self._make = make  # the channel of that name, for that account
        self._channels: dict[tuple[str, str | None], Channel] = {}
        self._by_instrument: dict[str, list[Channel]] = {}

    def subscribe(self, subscriber: Subscriber, name: str) -> Callable[[], None] | None:
        """Join a channel; None if there is no such channel for this subscriber.

        Returns what sends the greeting, to be called once the reply is out.
        """
        account = subscriber.account if name.startswith("user.") else None
        key = (name, account)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._make(name, account)
            if channel is None:
                return None
            self._channels[key] = channel
            if channel.instrument is not None:
                self._by_instrument.setdefault(channel.instrument, []).append(channel)
        if subscriber in channel.subscribers:
            return lambda: None
        joined = channel

        def greet() -> None:
            greetings = [joined.frame(data) for data in joined.greeting()]
            joined.subscribers[subscriber] = None
            for frame in greetings:
                subscriber.send(frame)

        return greet

    def unsubscribe(self, subscriber: Subscriber, name: str) -> bool:
        """Leave a channel; False if the subscriber was not in it."""
        key = (name, subscriber.account if name.startswith("user.") else None)
        channel = self._channels.get(key)
        if channel is None or subscriber not in channel.subscribers:
            return False
        del channel.subscribers[subscriber]
        if not channel.subscribers:
            del self._channels[key]
            if channel.instrument is not None:
                self._by_instrument[channel.instrument].remove(channel)
                if not self._by_instrument[channel.instrument]:
                    del self._by_instrument[channel.instrument]
        return True

    def unsubscribe_all(self, subscriber: Subscriber) -> None:
        """Leave every channel."""
        for name, _ in list(self._channels):
            self.unsubscribe(subscriber, name)

    def end(self, instrument: str) -> None:
        """The instrument is no more: its channels send what they have, and end."""
        for channel in list(self.of_instrument(instrument)):
            channel.flush()
            for subscriber in list(channel.subscribers):
                self.unsubscribe(subscriber, channel.name)

    def watches(self, instrument: str) -> bool:
        """Whether any channel needs that instrument."""
        return instrument in self._by_instrument

    def books(self) -> list[str]:
        """The instruments of which somebody follows the book."""
        return [
            name
            for name, channels in self._by_instrument.items()
            if any(isinstance(channel, BookChannel) for channel in channels)
        ]

    def of_instrument(self, instrument: str) -> list[Channel]:
        """The channels that need that instrument."""
        return self._by_instrument.get(instrument, [])

    def everything(self) -> list[Channel]:
        """Every channel that has a subscriber."""
        return list(self._channels.values())

    def flush(self, interval: Interval) -> None:
        """The interval has passed: let its channels send."""
        for channel in list(self._channels.values()):
            if channel.interval is interval:
                channel.flush()
