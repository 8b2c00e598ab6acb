"""One connection's lasting side: what is wanted of it, and what is so on it at present."""

from dataclasses import dataclass, field

from mmbot.core.events import Link
from mmbot.venues.answers import LeftOut
from mmbot.venues.book import Book
from mmbot.venues.contradiction import Contradiction
from mmbot.venues.timers import Timer


@dataclass(slots=True, eq=False)
class LinkState:
    """What should be true whenever the connection is up. Times are seconds of the session."""

    link: Link
    wanted: bool = False
    """To be kept up from now on."""
    first: bool = False
    """The first attempt since it was wanted has not ended."""
    dialing: bool = False
    open: bool = False
    """Established."""
    up: bool = False
    """Established, signed in if there are credentials, and subscribed."""
    connections: int = 0
    """How many there have been: what is asked on one is never sent on another."""
    broke: Exception | None = None
    """What ended the attempt to enter, where the connection was over by then."""
    timer: Timer | None = None
    """For the next dial, or for the next look after the connection."""

    channels: dict[str, None] = field(default_factory=dict)
    """Wanted, in the order asked for."""
    spare: set[str] = field(default_factory=set)
    """Those of them that can be done without: subscribed once the link is up."""
    asked: set[str] = field(default_factory=set)
    """Requested on the present connection."""
    refused: dict[str, LeftOut] = field(default_factory=dict)
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
    owed: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Books that are older than what became of an order in them: of which moment of the venue's
    that was, and since when it is known."""
    gapped: dict[str, None] = field(default_factory=dict)
    """Books that wait for the next batch of resubscriptions."""
    resubscribe: Timer | None = None
    resubscribed_s: float = float("-inf")

    told_s: dict[str, float] = field(default_factory=dict)
    """Ticker channels, and when they last said something (or were last asked to)."""
    asking: set[str] = field(default_factory=set)
    """Ticker channels whose instrument has been asked about and not answered for yet."""

    heard_s: float = float("-inf")
    probed_s: float = float("-inf")
    up_s: float = 0.0
    dialed_s: float = 0.0
    limit_s: float = 0.0
    """How long the present dial may take."""
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
    renewing: bool = False
    """A new token has been asked for."""

    def forget_connection(self) -> None:
        """Nothing of a connection survives it."""
        self.dialing = self.open = self.up = self.renewing = False
        self.probed_s = float("-inf")
        self.asked.clear()
        self.awaiting_s.clear()
        self.crossed_s.clear()
        self.doubts.clear()
        self.gapped.clear()
        self.told_s.clear()
        self.asking.clear()
        self.refresh_s = float("inf")
        self.stop_timer()

    def stop_timer(self) -> None:
        """Neither dial nor look after it any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
