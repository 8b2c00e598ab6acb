"""What anybody may see of Deribit (`venues/public_session.py`): the channels and questions that
takes, and its news of listings and of the platform.

Needs no key. What `session.py` adds is one account.
"""

from collections.abc import Sequence
from typing import Any, Final

from mmbot.core.contracts import Instrument
from mmbot.core.events import InstrumentState, Link, PlatformState, TickerChanged
from mmbot.core.types import MS, Nanos
from mmbot.venues import public_session
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import UnreadableError, ask, get, in_brief
from mmbot.venues.deribit import parse
from mmbot.venues.deribit.connection import Connection
from mmbot.venues.deribit.signin import Keys
from mmbot.venues.prints import PublicTrade
from mmbot.venues.reading import Unreadable
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Done, Reply
from mmbot.venues.timing import USUAL, Timing

LISTINGS: Final = ("instrument.state.any.any",)
LISTINGS_BY_KIND: Final = ("instrument.state.future.any", "instrument.state.option.any")
"""News of listings; where the venue takes no `any` kind, by those we trade."""

SLOWEST: Final = "100ms"
"""The interval of tickers that are told whoever asks."""

PLATFORM: Final = ("platform_state", "platform_state.public_methods_state")


class PublicSession(public_session.PublicSession):
    """One Deribit, looked at. `name` is ours for it; `start_ns` is desk time now."""

    connection: Connection

    def __init__(
        self, name: str, start_ns: Nanos, timing: Timing = USUAL, keys: Keys | None = None
    ) -> None:
        super().__init__(name, Connection(name, keys, timing, start_ns), timing)
        self._probe_with = "public/test"
        self.connection.on_channel = self._on_channel

    # --- questions over REST, before anything is connected ---

    def listed(self) -> Recipe[list[Instrument]]:
        """Everything listed of what mmbot trades. Raises AnswerError, and UnreadableError."""
        rows = yield from get("public/get_instruments", {"currency": "any"})
        if not isinstance(rows, list):
            raise UnreadableError(f"to get_instruments: {rows!r:.80}")
        for row in rows:
            self._list(row)
        if not self._terms:
            raise UnreadableError("to get_instruments: nothing is listed")
        return list(self._terms.values())

    def venue_ms(self) -> Recipe[int]:
        """The venue's clock. Raises AnswerError, and UnreadableError."""
        told = yield from get("public/get_time", {})
        try:
            return int(told)
        except (TypeError, ValueError) as error:
            raise UnreadableError("to get_time") from error

    def index_price(self, instrument: Instrument) -> Recipe[float]:
        """USD per coin of what an instrument is on. Raises AnswerError, and UnreadableError."""
        quote = "usd" if instrument.inverse else instrument.settlement
        params = {"index_name": f"{instrument.underlying}_{quote}".lower()}
        told = yield from get("public/get_index_price", params)
        try:
            return float(told["index_price"])
        except (TypeError, KeyError, ValueError) as error:
            raise UnreadableError("to get_index_price") from error

    def _listing_of(self, row: object) -> Instrument | None:
        return parse.instrument_of(self.name, row, self._unread)

    # --- links, books and tickers ---

    def _channels(self, instruments: Sequence[Instrument]) -> list[str]:
        interval = self.connection.interval
        return [
            f"{kind}.{instrument.name}.{interval}"
            for kind in ("book", "ticker", "trades")
            for instrument in instruments
        ]

    def _slow_ticker(self, instrument: Instrument) -> str:
        return f"ticker.{instrument.name}.{SLOWEST}"

    def _probe(self, link: Link, done: Done) -> None:
        self.connection.send(link, self._probe_with, {}, done, self._timing.probe_timeout_s)

    def _venue_ns(self, reply: Reply) -> Nanos | None:
        """The venue's clock as it answered; where it does not stamp its answers, it is asked."""
        if reply.out_us is not None:
            return reply.out_us * 1000
        self._probe_with = "public/get_time"
        told = isinstance(reply.result, int) and not isinstance(reply.result, bool)
        return reply.result * MS if told else None

    def _ticker_changed(self, instrument: Instrument, data: Any) -> TickerChanged:
        return parse.ticker_changed(instrument, data, self._unread, self.connection.now_ns)

    def _trade_printed(self, instrument: Instrument, row: object) -> PublicTrade | None:
        return parse.trade_printed(instrument, row, self._unread)

    # --- news of listings and of the platform ---

    def _news(self, link: Link) -> Recipe[None]:
        """Subscribe to what a desk can do without, and ask what was missed meanwhile."""
        heard = yield from self._subscribed(link, "public/subscribe", LISTINGS + PLATFORM)
        if not heard.intersection(LISTINGS):
            yield from self._subscribed(link, "public/subscribe", LISTINGS_BY_KIND)
        try:
            answer = yield from ask(link, "public/status", {})
            locks = parse.locks_of(answer, self._unread)
        except (AnswerError, Unreadable) as error:
            said = "%s does not tell what is locked: %s"
            self._note("info", said, self.name, in_brief(error))
            return
        self._emit(PlatformState(self.name, None, locked=False, detail=""))
        for name in locks:
            self._emit(PlatformState(self.name, name or None, locked=True, detail="public/status"))

    def _subscribed(self, link: Link, method: str, channels: Sequence[str]) -> Recipe[set[str]]:
        """Which of them the venue took. Not kept by the connection: asked for on every new one."""
        try:
            accepted = yield from ask(link, method, {"channels": list(channels)})
        except AnswerError as error:
            self._note("info", "%s: no %s: %s", self.name, ", ".join(channels), in_brief(error))
            return set()
        return set(accepted) if isinstance(accepted, list) else set()

    def _on_channel(self, channel: str, data: Any) -> None:
        if channel in PLATFORM:
            self._platform_news(channel, data)
        if not channel.startswith("instrument.state."):
            return
        try:
            news = parse.news_of(data, self._unread)
        except Unreadable as error:
            self._unread.note("listing news", error)
            return
        name = news.instrument_name
        followed = self._instruments.get(name)
        if followed is not None:
            self._emit(InstrumentState(followed.id, news.state))
        elif news.state in ("created", "started") and self._concerns_us(name):
            self._new[name] = None
            if len(self._new) == 1:
                self._carry_out(self._read_new_terms())

    def _concerns_us(self, name: str) -> bool:
        """Whether a desk of ours might trade a new instrument: neither a combo, nor known, nor on
        a coin we have nothing to do with."""
        if name in self._terms or name in self._asked_terms or name in self._new:
            return False
        chain, _, rest = name.partition("-")
        return chain in self._chains and _is_single(rest)

    def _platform_news(self, channel: str, data: Any) -> None:
        try:
            if channel == PLATFORM[1]:
                self._note("warning", "%s: %s: %s", self.name, channel, data)
                return  # of requests without a key: every one of ours has one
            name, locked = parse.lock_of(data, self._unread)
        except Unreadable as error:
            self._unread.note("platform news", error)
            return
        self._emit(PlatformState(self.name, name or None, locked, channel))


def _is_single(rest: str) -> bool:
    """Whether the end of a name is that of a perpetual, a future or an option: no combo."""
    parts = rest.split("-")
    return len(parts) in (1, 3) and "_" not in rest
