"""One connection's lasting side: what is wanted of it, and what is so on it at present."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum

from ccxt.base.errors import ExchangeError

from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.contradiction import Contradiction
from mmbot.venues.deribit.wire import Wire


class Socket(Enum):
    """The physical connections. The value marks ccxt's key for it and never goes on the wire."""

    MARKET = ""
    TRADING = "#trading"


@dataclass(slots=True, eq=False)
class Link:
    """What should be true whenever the connection is up. Times are monotonic seconds."""

    socket: Socket
    wire: Wire | None = None
    up: bool = False
    """Established, signed in if there are credentials, and subscribed."""
    task: asyncio.Task[None] | None = None
    first: asyncio.Future[None] | None = None
    """Settled by the first attempt after `start`."""

    channels: dict[str, None] = field(default_factory=dict)
    """Wanted, in the order asked for."""
    asked: set[str] = field(default_factory=set)
    """Requested on the present connection."""
    refused: dict[str, ExchangeError] = field(default_factory=dict)
    """Left out by the venue, and therefore no longer wanted."""

    books: dict[str, Book] = field(default_factory=dict)
    """By channel."""
    named: dict[str, Book] = field(default_factory=dict)
    """Books of single price levels, by instrument: those a ticker can contradict."""
    awaiting_s: dict[str, float] = field(default_factory=dict)
    """Books whose snapshot has been asked for, and when."""
    crossed_s: dict[str, float] = field(default_factory=dict)
    """Books that are crossed, and since when."""
    doubts: dict[str, Contradiction] = field(default_factory=dict)
    """Books that a ticker contradicts at present."""
    gapped: dict[str, None] = field(default_factory=dict)
    """Books that wait for the next batch of resubscriptions."""
    resubscribe: asyncio.TimerHandle | None = None
    resubscribed_s: float = float("-inf")

    told_s: dict[str, float] = field(default_factory=dict)
    """Ticker channels, and when they last said something (or were last asked to)."""
    asking: set[str] = field(default_factory=set)
    """Ticker channels whose instrument has been asked about and not answered for yet."""

    heard_s: float = float("-inf")
    dialing_s: float = 0.0
    """The longest that a dial which succeeded has taken."""
    failures: int = 0
    """Attempts and short lives in a row."""
    refusals: int = 0
    """How often in a row the venue did not want us: sign-ins refused, sessions ended."""
    timed_out: bool = False
    """The last attempt ended by waiting, so that there has been waiting enough."""
    cool_down_s: float = 0.0
    refresh_token: str | None = None
    refresh_s: float = float("inf")

    def forget_connection(self) -> None:
        """Nothing of a connection survives it."""
        self.up, self.wire = False, None
        self.asked.clear()
        self.awaiting_s.clear()
        self.crossed_s.clear()
        self.doubts.clear()
        self.gapped.clear()
        self.told_s.clear()
        self.asking.clear()
        self.refresh_s = float("inf")
