"""The venue in virtual time: the simulated one, what befalls it, and the truth behind it.

Theory of operation
-------------------
1. The protocol (`sim/wire`) is the one that answers on sockets; the pump hands it frames
   and takes its own. Here is what befalls it as a whole: it cannot be reached, it restarts, a book
   stands still; and what the checks judge by: the exchange's orders and what was asked of it.
2. Time here is the venue's own: desk time plus the clock's error.
3. The volatility and the greeks of an option are looked up every now and then: nothing hangs on
   them, and they cost more than everything else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from mmbot.core.capabilities import Capabilities
from mmbot.core.contracts import Instrument
from mmbot.core.types import Nanos
from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.effects import Effect, Prints
from mmbot.sim.exchange.funding import FundingHour
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order
from mmbot.sim.market.market import Market
from mmbot.sim.market.ticker import MarketTicker
from mmbot.sim.models.credits import Rate
from mmbot.sim.virtual.faults import FaultInjector
from mmbot.sim.virtual.kinds import KEY, SECRET, kind_of
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.timeline import Timeline
from mmbot.sim.virtual.translate import VENUE, is_our_order
from mmbot.sim.wire.faces import USUAL, Behind, Login
from mmbot.sim.wire.manner import Manner

ACCOUNT: Final = "bot"
TOKEN_S: Final = 900.0
GREEKS_EVERY_MS: Final = 2_000


class VirtualVenue:
    """One exchange, one market, one account of ours on it: `account` there, `name` here.

    `beside`: another one of ours at the same exchange, whose protocol lets this one in as well.
    """

    def __init__(
        self,
        timeline: Timeline,
        exchange: Exchange,
        market: Market,
        instruments: Sequence[Instrument],
        trouble: FaultInjector,
        rate: Rate,
        account: str = ACCOUNT,
        name: str = VENUE,
        *,
        manner: Manner = Manner.PLAIN,
        can: Capabilities | None = None,
        watched: Sequence[Instrument] = (),
        seed: int = 1,
        token_s: float = TOKEN_S,
        beside: VirtualVenue | None = None,
        kind: str = USUAL,
    ) -> None:
        self.can = can or Capabilities()
        self.kind = kind_of(kind)
        """Whose protocol is spoken."""
        self._words = self.kind.face.dialect
        self._of_account = re.compile(self._words.accounts)
        self._of_orders = re.compile(self.kind.tells_orders)
        self.is_narrow = rate.burst < 3 * len(instruments)
        """It takes hardly as many requests at once as there are sides to quote, or fewer: whoever
        quotes them all, and keeps some for cancels, is short of some most of the time."""
        self.account = account
        self.name = name
        self.exchange = exchange
        self.market = market
        self.instruments = {instrument.name: instrument for instrument in instruments}
        self.watched = tuple(watched)
        """What is looked at besides."""
        self.away_until_ns: Nanos = 0
        """Until then nobody can connect ..."""
        self.down_until_ns: Nanos = 0
        """... and the venue does nothing at all."""
        self.on_rest: Callable[[OrderRequest], None] = lambda _request: None
        """Sees every request that is about to be carried out beside the line."""
        self.counts: Counter[str] = Counter()
        """Requests to the matching engine by kind, and those refused, by code."""
        self.refusals: Counter[int] = Counter()
        """Those refused, by code alone."""
        self.guarded = True
        """Of the last order request: the line it came over takes its orders along."""
        self._timeline = timeline
        self._trouble = trouble
        self._stopped: dict[str, Nanos] = {}
        skew_us = int(trouble.plan.clock_skew_s * 1_000_000)
        self._skew_us = skew_us
        self.protocol: Any = (
            beside.protocol
            if beside is not None
            else self.kind.face.protocol(
                Behind(
                    exchange=exchange,
                    market=_Seldom(market, exchange),
                    rules=self.kind.rules(rate, self.can),
                    seed=seed,
                    now_us=lambda: timeline.now_ns // 1_000 + skew_us,
                    skew_ms=skew_us // 1_000,
                    combos_per_hour=None,
                )
            )
        )
        self.counter = self.protocol.admit(
            Login(
                account=account,
                key=KEY,
                secret=SECRET,
                token_expires_in_s=token_s,
                manner=manner,
                seed=seed,
                keeps_orders=lambda: trouble.strikes("ignored_cod"),
            )
        )

    @property
    def observe(self) -> Callable[[Effect], None] | None:
        """Sees everything the exchange does."""
        observe: Callable[[Effect], None] | None = self.protocol.observe
        return observe

    @observe.setter
    def observe(self, observe: Callable[[Effect], None] | None) -> None:
        self.protocol.observe = observe

    @property
    def ms(self) -> int:
        """The venue's clock."""
        return (self._timeline.now_ns // 1_000 + self._skew_us) // 1_000

    @property
    def reachable(self) -> bool:
        """Whether somebody who dials gets through."""
        return self._timeline.now_ns >= max(self.away_until_ns, self.down_until_ns)

    @property
    def down(self) -> bool:
        """Whether it is restarting."""
        return self._timeline.now_ns < self.down_until_ns

    @property
    def account_orders(self) -> list[Order]:
        """Every open order of the account, foreign ones included."""
        return list(self.exchange.accounts[self.account].open_orders.values())

    @property
    def our_orders(self) -> list[Order]:
        """Every open order with a label of ours."""
        return [order for order in self.account_orders if is_our_order(order)]

    # --- what befalls it ---

    def restart(self, away_ns: Nanos, *, with_orders: bool, forgetful: bool) -> None:
        """Away for a while, sessions and credits gone; `forgetful`: it does not know any more that
        the orders it lost ever were."""
        sessions = [one for one in self.protocol.sessions if one.counter is self.counter]
        account = self.exchange.accounts[self.account]
        lost = [] if with_orders else list(account.open_orders)
        self.protocol.restart(self.counter, with_orders=with_orders)
        for session in sessions:
            session.hang_up()
        if forgetful:
            for order_id in lost:
                del account.closed_orders[order_id]
                account.closed_ids.remove(order_id)
        self.down_until_ns = self._timeline.now_ns + away_ns

    def stop_book(self, name: str, for_ns: Nanos) -> None:
        """Send no change of a book for a while."""
        self._stopped[name] = self._timeline.now_ns + for_ns

    def close_book(self, name: str, for_ns: Nanos) -> None:
        """Nobody trades that instrument for a while, and its orders are gone."""
        if name in self.exchange.expired or name in self.exchange.halted:
            return
        self.exchange.halt(name, self.ms)
        self.protocol.publish()
        self._timeline.after(for_ns, partial(self._open_book, name))

    def _open_book(self, name: str) -> None:
        if name not in self.exchange.expired:
            self.exchange.resume_trading(name, self.ms)
            self.protocol.publish()

    def stands_still(self, channel: str) -> bool:
        """Whether that channel is of a book that is stopped: what it showed last, it still does."""
        if not self._stopped or not self.is_book(channel):
            return False
        return self._timeline.now_ns < self._stopped.get(channel.split(".")[1], 0)

    def is_book(self, channel: str) -> bool:
        """Whether a channel is of a book."""
        return channel.startswith(self._words.books)

    def is_of_account(self, channel: str) -> bool:
        """Whether a channel is of the account."""
        return self._of_account.match(channel) is not None

    def is_of_orders(self, channel: str) -> bool:
        """Whether a channel tells of the account's orders."""
        return self._of_orders.match(channel) is not None

    def advance(self) -> None:
        """The market moves up to now, and everybody hears of it."""
        if not self.down:
            self.protocol.tick()

    def cancel_ours(self) -> None:
        """A person takes every order of ours away."""
        for order in self.our_orders:
            self.exchange.cancel(self.account, order.order_id, self.ms)
        self.protocol.publish()

    # --- what it has been asked ---

    def asked(self, request: OrderRequest, *, guarded: bool) -> None:
        """An order request is about to be carried out. `guarded`: the line it came over takes what
        it placed along when it breaks, or it came over none."""
        self.counts[type(request).__name__] += 1
        self.guarded = guarded

    def refused(self, error: Mapping[str, Any]) -> None:
        """A request was refused with that."""
        self.counts[f"{error['code']} {error['message']}"] += 1
        self.refusals[error["code"]] += 1


class _Seldom:
    """The market as it is, but for what is costly of a ticker, which is looked up now and then."""

    def __init__(self, market: Market, exchange: Exchange) -> None:
        self._market = market
        self._exchange = exchange
        self._looked: dict[str, tuple[int, MarketTicker]] = {}
        self._priced: dict[str, tuple[tuple[Decimal | None, ...], MarketTicker]] = {}

    def ticker(self, name: str) -> MarketTicker:
        """Prices of now, since when they are the same; volatilities, greeks and statistics of a
        while ago."""
        now_ms = self._market.now_ms
        glanced = self._market.glanced(name)
        if glanced is not None:
            return glanced
        at_ms, found = self._looked.get(name, (0, None))
        if found is None or now_ms >= at_ms + GREEKS_EVERY_MS or name in self._exchange.expired:
            found = self._market.ticker(name)
            self._looked[name] = (now_ms, found)
            self._priced.pop(name, None)
            return found
        book = self._exchange.book(name)
        prices = (book.mark, book.index, book.underlying, book.min_price, book.max_price)
        at_prices, made = self._priced.get(name, ((), found))
        if at_prices != prices:
            made = self._at(found, book)
            self._priced[name] = (prices, made)
        return made

    def _at(self, found: MarketTicker, book: Book) -> MarketTicker:
        return replace(
            found,
            time_ms=self._market.now_ms,
            mark_price=float(book.mark),
            index_price=float(book.index),
            underlying_price=float(book.underlying) if found.greeks is not None else None,
            min_price=float(book.min_price) if book.min_price is not None else found.min_price,
            max_price=float(book.max_price) if book.max_price is not None else found.max_price,
        )

    def watch(self, name: str) -> None:
        """Act in that instrument from now on."""
        self._market.watch(name)

    def glance(self, name: str) -> None:
        """Have a ticker of that option, and nothing else."""
        self._market.glance(name)

    def unglance(self, name: str) -> None:
        """Nobody looks at it any more."""
        self._market.unglance(name)

    def glanced(self, name: str) -> MarketTicker | None:
        """That ticker."""
        return self._market.glanced(name)

    def unwatch(self, name: str) -> None:
        """Stop acting in that instrument."""
        self._market.unwatch(name)

    def advance(self, now_ms: int) -> None:
        """Let everything happen up to that venue time."""
        self._market.advance(now_ms)

    def index(self, name: str) -> float:
        """A price index in USD."""
        return self._market.index(name)

    def delivery_estimate(self, name: str) -> float:
        """The next delivery price of an index, USD."""
        return self._market.delivery_estimate(name)

    def funding_hours(self, name: str) -> Sequence[FundingHour]:
        """A perpetual's funding by the hour, oldest first."""
        return self._market.funding_hours(name)

    def prices(self) -> Mapping[str, float]:
        """What each coin is worth now, USD."""
        return self._market.prices()

    def note(self, prints: Prints) -> None:
        """Take public trades into the statistics."""
        self._market.note(prints)
