"""The order-to-volume ratio: changes to the order book per volume traded, over the last hour.

Deribit's own measure (API usage policy, "OTV"): every insert, amend and cancellation is one change,
each order of a mass cancel counts by itself, and only trades as maker are volume. Its rule of thumb
calls 1,000 changes per ETH and 10,000 per BTC high, that is about 350 and 100 per 1,000 USD. The
number of messages per trade is what other venues look at (order-to-trade ratio).

Counted by the minute, so that an hour takes 60 numbers of each kind whatever the traffic.
"""

from dataclasses import dataclass, field

from msgspec import Struct

from mmbot.core.types import SECOND, Nanos

MINUTE_NS: Nanos = 60 * SECOND
WINDOW_MINUTES = 60


class Traffic(Struct, frozen=True, gc=False):
    """One account's last hour. `volume_usd` is notional value traded as maker."""

    messages: int = 0
    trades: int = 0
    volume_usd: float = 0.0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            self.messages + other.messages,
            self.trades + other.trades,
            self.volume_usd + other.volume_usd,
        )

    @property
    def per_trade(self) -> float | None:
        """Messages per trade; None without a trade."""
        return self.messages / self.trades if self.trades else None

    @property
    def per_1000_usd(self) -> float | None:
        """Messages per 1,000 USD traded; None without a trade."""
        return 1000 * self.messages / self.volume_usd if self.volume_usd > 0 else None


@dataclass(slots=True)
class _Minute:
    messages: int = 0
    trades: int = 0
    volume_usd: float = 0.0


@dataclass(slots=True)
class OrderToVolume:
    """Counts one account's traffic. Moments may come late and out of order, as fills do."""

    minutes: dict[int, _Minute] = field(default_factory=dict)
    """Minutes since 1970 -> what happened in it."""
    newest: int = 0

    def sent(self, messages: int, at_ns: Nanos) -> None:
        """Requests that change the book by so many orders left."""
        minute = self.minutes.get(at_ns // MINUTE_NS)
        if minute is None:
            minute = self._minute(at_ns)
        minute.messages += messages

    def traded(self, usd: float, at_ns: Nanos) -> None:
        """One trade as maker."""
        minute = self._minute(at_ns)
        minute.trades += 1
        minute.volume_usd += usd

    def last_hour(self, now_ns: Nanos) -> Traffic:
        """The last 60 minutes, the present one included."""
        oldest = max(self.newest, now_ns // MINUTE_NS) - WINDOW_MINUTES
        counted = [minute for number, minute in self.minutes.items() if number > oldest]
        return Traffic(
            sum(minute.messages for minute in counted),
            sum(minute.trades for minute in counted),
            sum(minute.volume_usd for minute in counted),
        )

    def _minute(self, at_ns: Nanos) -> _Minute:
        number = at_ns // MINUTE_NS
        found = self.minutes.get(number)
        if found is not None:
            return found
        found = _Minute()
        if number > self.newest - WINDOW_MINUTES:
            self.newest = max(self.newest, number)
            self.minutes[number] = found
            oldest = self.newest - WINDOW_MINUTES
            self.minutes = {n: minute for n, minute in self.minutes.items() if n > oldest}
        return found
