"""What the venue does not let us trade at present, and how long that is believed.

Theory of operation
-------------------
Word comes from three sides, and none of them is complete. *News* say that an instrument closed, but
may be missed or never taken back. A *ticker* states the instrument's state with every message, but
may stop coming. A *refusal* is the one that counts, but says nothing of later. So what was told
holds until the same source takes it back, or until a ticker has said otherwise for a while; and
what was refused is tried again, each time after a longer wait. An order that is accepted ends all
doubt. No market is closed beyond what the refusal reaches: one instrument, or one account.
"""

from dataclasses import dataclass, field

from mmbot.core.contracts import Instrument
from mmbot.core.types import SECOND, Nanos
from mmbot.core.why import Why

REFUSED_FIRST_NS: Nanos = 30 * SECOND
REFUSED_MAX_NS: Nanos = 300 * SECOND
"""Between two tries in an instrument that the venue says is not open."""

NEWS_OUTLIVED_NS: Nanos = 5 * SECOND
"""A ticker that says open so long after the news of a closing is newer than it."""

OPEN_WORDS = frozenset({"open", "started", "created", "active"})
SHUT_WORDS = frozenset(
    {
        "closed",
        "settled",
        "settlement",
        "terminated",
        "deactivated",
        "inactive",
        "halted",
        "locked",
        "delivered",
        "archivized",
        "expired",
    }
)
"""The venue's words for an instrument's state. Any other word says nothing."""

BUSY_FIRST_NS: Nanos = 1 * SECOND
BUSY_MAX_NS: Nanos = 30 * SECOND
"""Between two tries while the platform takes no orders."""

BLOCKED_FIRST_NS: Nanos = 30 * SECOND
BLOCKED_MAX_NS: Nanos = 300 * SECOND
"""The same while it takes none of this account."""


def doubled(first_ns: Nanos, times: int, most_ns: Nanos) -> Nanos:
    """A wait that doubles with each time (from 1), up to a bound."""
    return min(most_ns, first_ns << min(times - 1, 20))


@dataclass(slots=True)
class Backoff:
    """Refusals in a row, and until when nothing is tried again."""

    refusals: int = 0
    until_ns: Nanos = 0
    why: Why | None = None
    detail: str = ""

    def refused(
        self, first_ns: Nanos, most_ns: Nanos, why: Why, detail: str, now_ns: Nanos
    ) -> None:
        """Once more. What was under way when the first one came is the same refusal."""
        if now_ns < self.until_ns:
            return
        self.refusals += 1
        self.why, self.detail = why, detail
        self.until_ns = now_ns + doubled(first_ns, self.refusals, most_ns)

    def over(self) -> None:
        """An order was accepted."""
        self.refusals, self.until_ns, self.why, self.detail = 0, 0, None, ""

    def reason(self, now_ns: Nanos) -> Why | None:
        """Why nothing is tried now."""
        return self.why if now_ns < self.until_ns else None


@dataclass(slots=True)
class Closure:
    """Whether one instrument can be traded, by everything that was said of it."""

    news: str = ""
    """The word of the last news, if that is a closing ..."""
    news_ns: Nanos = 0
    """... and when it came."""
    ticker: str = ""
    """The word of the last ticker, if the instrument was not open by it."""
    refused: Backoff = field(default_factory=Backoff)

    def hear_news(self, state: str, now_ns: Nanos) -> None:
        """instrument.state said so."""
        if state in SHUT_WORDS:
            self.news, self.news_ns = state, now_ns
        elif state in OPEN_WORDS:
            self.news = self.ticker = ""
            self.refused.over()

    def hear_ticker(self, state: str, now_ns: Nanos) -> None:
        """The ticker states it so."""
        if state in SHUT_WORDS:
            self.ticker = state
        elif state in OPEN_WORDS:
            self.ticker = ""
            if self.news and now_ns - self.news_ns > NEWS_OUTLIVED_NS:
                self.news = ""

    def refuse(self, detail: str, now_ns: Nanos) -> None:
        """The venue took no order there."""
        self.refused.refused(REFUSED_FIRST_NS, REFUSED_MAX_NS, Why.CLOSED, detail, now_ns)

    def accept(self) -> None:
        """The venue took an order there."""
        if self.refused.refusals:
            self.refused.over()

    def reason(self, now_ns: Nanos) -> Why | None:
        """Why nothing is quoted there; None while it is open for all anybody said."""
        return Why.CLOSED if self.news or self.ticker else self.refused.reason(now_ns)

    def words(self, now_ns: Nanos) -> str:
        """The venue's own, for people; empty while it is open."""
        refused = self.refused.detail if self.refused.reason(now_ns) is not None else ""
        return self.news or self.ticker or refused


def index_name(instrument: Instrument) -> str:
    """The price index an instrument is settled by, as the venue's platform messages name it."""
    quote = "usd" if instrument.inverse else instrument.settlement
    return f"{instrument.underlying}_{quote}".lower()


def is_locked(locks: dict[str, str], instrument: Instrument) -> bool:
    """Whether a lock covers an instrument: everything (an empty name), its settlement currency, or
    its price index."""
    names = ("", instrument.settlement.lower(), index_name(instrument))
    return bool(locks) and any(name in locks for name in names)
