"""What anybody may see of Derive (`venues/public_session.py`): its channels and questions.

Nothing tells of new listings there: the names of all that trade are asked for now and then, and the
terms of those that are new.
"""

from collections.abc import Sequence
from typing import Any, Final

from mmbot.core.contracts import Instrument
from mmbot.core.events import Link, TickerChanged
from mmbot.core.types import MS, Nanos
from mmbot.venues import public_session
from mmbot.venues.answers import Declined
from mmbot.venues.asking import UnreadableError, ask, get
from mmbot.venues.derive import parse
from mmbot.venues.derive.catalog import LISTINGS, Listed, catalog, listed_of
from mmbot.venues.derive.connection import Connection
from mmbot.venues.derive.names import symbol_of
from mmbot.venues.derive.signing import Signer
from mmbot.venues.prints import PublicTrade
from mmbot.venues.reading import Unreadable
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Done, Reply
from mmbot.venues.timing import USUAL, Timing

DEPTH: Final = 10
GROUP: Final = 1
TICKER_MS: Final = 100
SLOW_TICKER_MS: Final = 1_000

CLOCK_EVERY: Final = 10
"""One round trip in so many asks for the venue's clock, which draws from a budget; the others are
pings, which do not."""

LISTED_EVERY_S: Final = 300
LIVE: Final = "public/get_all_live_instruments"


class PublicSession(public_session.PublicSession):
    """One Derive, looked at. `name` is ours for it; `start_ns` is desk time now."""

    connection: Connection

    def __init__(
        self, name: str, start_ns: Nanos, timing: Timing = USUAL, signer: Signer | None = None
    ) -> None:
        super().__init__(name, Connection(name, signer, timing, start_ns), timing)
        self._listed: dict[str, Listed] = {}
        """What orders have to know of everything listed, by the venue's name."""
        self._seconds = 0
        """Since the links have been looked after."""

    # --- questions over REST, before anything is connected ---

    def listed(self) -> Recipe[list[Instrument]]:
        """Everything listed of what mmbot trades. Raises AnswerError, and UnreadableError."""
        yield from self.connection.read_public_limits()
        try:
            found = yield from catalog(get, self.name, self._unread)
        except Unreadable as error:
            raise UnreadableError(f"to {LISTINGS.partition('/')[2]}: {error}") from error
        self._listed |= found.listed
        self.unread_listings |= found.unread
        # By the venue's clock: ours may not be set yet, where the venue lives in another year.
        live = found.instruments((yield from self.venue_ms()) * MS)
        self._terms |= {one.name: one for one in live}
        if not self._terms:
            raise UnreadableError(f"to {LISTINGS.partition('/')[2]}: nothing is listed")
        return list(self._terms.values())

    def venue_ms(self) -> Recipe[int]:
        """The venue's clock. Raises AnswerError, and UnreadableError."""
        told = yield from get("public/get_time", {})
        if not isinstance(told, int) or isinstance(told, bool):
            raise UnreadableError("to get_time")
        return told

    def index_price(self, instrument: Instrument) -> Recipe[float]:
        """USD per coin of what an instrument is on. Raises AnswerError, and UnreadableError."""
        told = yield from get("public/get_ticker", {"instrument_name": instrument.name})
        now_ns = self.connection.now_ns
        price = parse.ticker_changed(instrument, told, self._unread, now_ns).index
        if price is None:
            raise UnreadableError("to get_ticker")
        return price

    def _listing_of(self, row: object) -> Instrument | None:
        one = listed_of(self.name, row, self._unread)
        if one is None:
            return None
        self._listed[one.instrument.name] = one
        return one.instrument

    # --- links, books and tickers ---

    def _channels(self, instruments: Sequence[Instrument]) -> list[str]:
        books = [f"orderbook.{one.name}.{GROUP}.{DEPTH}" for one in instruments]
        tickers = [f"ticker_slim.{one.name}.{TICKER_MS}" for one in instruments]
        return books + tickers + [f"trades.{one.name}" for one in instruments]

    def _slow_ticker(self, instrument: Instrument) -> str:
        return f"ticker_slim.{instrument.name}.{SLOW_TICKER_MS}"

    def _probe(self, link: Link, done: Done) -> None:
        limit_s = self._timing.probe_timeout_s
        if link is Link.MARKET and self._seconds % CLOCK_EVERY == 0:
            self.connection.send(link, "public/get_time", {}, done, limit_s)
        else:
            self.connection.ping(link, done, limit_s)

    def _venue_ns(self, reply: Reply) -> Nanos | None:
        told = isinstance(reply.result, int) and not isinstance(reply.result, bool)
        return reply.result * MS if told else None

    def _ticker_changed(self, instrument: Instrument, data: Any) -> TickerChanged:
        return parse.ticker_changed(instrument, data, self._unread, self.connection.now_ns)

    def _trade_printed(self, instrument: Instrument, row: object) -> PublicTrade | None:
        return parse.trade_printed(instrument, row, self._unread)

    # --- news of listings ---

    def _each_second(self) -> None:
        self._seconds += 1
        super()._each_second()
        if self._seconds % LISTED_EVERY_S == 0 and self.connection.up(Link.MARKET):
            self._carry_out(self._read_live())

    def _read_live(self) -> Recipe[None]:
        """Ask which names trade, and for the terms of those that are new to us."""
        try:
            names = yield from ask(Link.MARKET, LIVE, {})
        except Declined as error:
            self._note("info", "%s: %s", self.name, error)
            return
        known = set(self._terms) | set(self.unread_listings) | set(self._new)
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and name not in known and self._concerns_us(name):
                self._new[name] = None
                if len(self._new) == 1:
                    self._carry_out(self._read_new_terms())

    def _concerns_us(self, name: str) -> bool:
        """Whether a desk of ours might trade it: an option or a perpetual on a coin of ours."""
        return symbol_of(name) is not None and name.partition("-")[0] in self._chains
