"""The trading floor: the exchange and the market at work, and the channels that tell of them.

Theory of operation
-------------------
1. The exchange queues what a request or a step of the market caused; `publish` takes that to the
   channels, and keeps what may be asked for later (public trades, an account's own, candles).
2. The market acts only in instruments that are watched. `watch` begins that, `release_idle` ends it
   where nobody has asked for a while.
3. The floor is what everything else of the venue stands on: locks, trigger orders, wallet and
   catalog ask here for prices and time, add to `news`, and are told of closed instruments through
   `when_closed`. The floor knows none of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable
from typing import Final

from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.exchange.effects import (
    AccountChange,
    BookDelta,
    Effect,
    InstrumentChanged,
    InstrumentState,
    Prints,
    TradeConcluded,
)
from mmbot.sim.exchange.finality import LateFinality
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order
from mmbot.sim.models.credits import Rate
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.channels import AccountNews, Channel
from mmbot.sim.wire.deribit.charts import Charts
from mmbot.sim.wire.deribit.hub import Hub
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.face import Market, MarketTicker
from mmbot.sim.wire.rules import Rules

PRINTS_MAX: Final = 5_000  # how many public trades of an instrument can still be asked for
FINALITY_SEED: Final = 0
USER_TRADES_MAX: Final = 100_000  # the same of an account's own
CATCH_UP_MS: Final = 1_000  # how far the market moves at once
IDLE_RELEASE_MS: Final = 60_000  # an instrument nobody asks about any more is let go after this


class Floor:
    """One exchange, one market, and who follows them.

    `now_us` is the venue's time in microseconds and the only time there is here; `skew_ms` is by
    how much it is ahead of the right one. `make_channel` gives the channel of a name, for an
    account.
    """

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        rules: Rules,
        now_us: Callable[[], int],
        make_channel: Callable[[str, str | None], Channel | None],
        *,
        skew_ms: int = 0,
    ) -> None:
        self.exchange = exchange
        self.market = market
        self.rules = rules
        self.now_us = now_us
        self.skew_ms = skew_ms
        self.hub = Hub(make_channel)
        self.charts = Charts()
        self.news: list[AccountNews] = []  # what the exchange knows nothing of, to be told
        self.when_closed: list[Callable[[str], None]] = []  # told of an instrument that closes
        self.observe: Callable[[Effect], None] | None = None  # sees all that the exchange does
        self.triggered: dict[str, str] = {}  # the trigger order an order was, by the order's id
        self._prints: dict[str, deque[Json]] = {}
        self._user_trades: dict[str, deque[Json]] = {}
        self._watched_ms: dict[str, int] = {}
        self._glanced: dict[str, None] = {}
        self._tickers: dict[str, MarketTicker] = {}
        self._market_ms = self.now_ms()
        if not rules.fills_final and exchange.finality is None:
            exchange.finality = LateFinality(FINALITY_SEED)

    # -- the present ---------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Venue time in milliseconds."""
        return self.now_us() // 1000

    def right_ms(self) -> int:
        """The right time, however wrong the venue's clock is."""
        return self.now_ms() - self.skew_ms

    def currencies(self) -> list[str]:
        """The settlement currencies, in order of listing."""
        return list(self.exchange.currencies)

    def index_names(self) -> list[str]:
        """The price indices, in order of listing."""
        return list(self.exchange.index_names)

    def index_of(self, index_name: str) -> float:
        """The price index in USD."""
        return self.market.index(index_name)

    def market_ticker(self, name: str) -> MarketTicker:
        """The market's word on an instrument, computed at most once a market step."""
        found = self._tickers.get(name)
        if found is None:
            found = self._tickers[name] = self.market.ticker(name)
        return found

    def ticker_of(self, name: str) -> Json:
        """An instrument's ticker as it goes out now."""
        return shapes.ticker(self.exchange, name, self.market_ticker(name), self.now_ms())

    def glanced(self, name: str) -> object:
        """The ticker of an option that is only looked at: another one whenever it changes."""
        return self.market.glanced(name) if name in self._glanced else None

    def ticker_state(self, name: str) -> object:
        """What `ticker_of` says but for its time: where it is equal, nothing has changed."""
        return shapes.ticker_state(self.exchange, name, self.market_ticker(name))

    def summary_of(self, account: str, currency: str) -> Json:
        """An account's summary in one currency as it goes out now."""
        held = self.exchange.accounts[account]
        tickers = {
            name: self._marked_ticker(name) for name, one in held.positions.items() if one.size
        }
        return shapes.account_summary(self.exchange, held, currency, tickers, self._limits())

    def position_of(self, account: str, name: str) -> Json:
        """An account's position in one instrument as it goes out now."""
        return shapes.position(self.exchange, account, name, self._marked_ticker(name))

    def shaped(self, order: Order) -> Json:
        """An order's object, with where it comes from if it was a trigger order."""
        shaped = shapes.order(order, self.exchange.terms(order.name))
        trigger_order_id = self.triggered.get(order.order_id)
        if trigger_order_id is not None:
            shaped["trigger_order_id"] = trigger_order_id
            shaped["triggered"] = True
        return self.named(shaped)

    def named(self, shaped: Json) -> Json:
        """What is said of an order or trade of the account, by its label or without."""
        if not self.rules.names_labels:
            shaped.pop("label", None)
        return shaped

    # -- the past ------------------------------------------------------------------------------

    def user_trade(self, made: UserTrade) -> Json:
        """A trade as the account is told of it; where it may not stand, with how far it is."""
        listing, finality = self.exchange.terms(made.public.name), self.exchange.finality
        shaped = shapes.user_trade(made, listing, self.market_ticker(listing.name))
        if finality is not None:
            standing, since_ms = finality.standing(made.public.trade_id)
            shaped |= {"status": standing.value, "status_timestamp": since_ms or None}
        return self.named(shaped)

    def prints(self, name: str) -> deque[Json]:
        """The last public trades of an instrument as they went out, oldest first."""
        return self._prints.setdefault(name, deque(maxlen=PRINTS_MAX))

    def prints_so_far(self, name: str) -> Iterable[Json]:
        """The same, of an instrument that need not have traded."""
        return self._prints.get(name, ())

    def user_trades(self, account: str) -> deque[Json]:
        """The account's last trades as they went out, oldest first."""
        return self._user_trades.setdefault(account, deque(maxlen=USER_TRADES_MAX))

    def all_user_trades(self) -> dict[str, list[Json]]:
        """Every account's last trades as they went out."""
        return {account: list(trades) for account, trades in self._user_trades.items()}

    # -- the market ----------------------------------------------------------------------------

    def watch(self, name: str) -> None:
        """This book is wanted: from now on the market acts in it, unless it has expired."""
        if name in self.exchange.expired:
            return
        if name not in self._watched_ms:
            self.market.watch(name)
            self._tickers.pop(name, None)
            self.publish()
        self._watched_ms[name] = self.now_ms()

    def glance(self, name: str) -> None:
        """This option's ticker is wanted, and nothing else of it."""
        if name not in self.exchange.expired and name not in self._glanced:
            self._glanced[name] = None
            self.market.glance(name)
            self._tickers.pop(name, None)

    def release_idle(self, now_ms: int, needed: Container[str]) -> None:
        """Let go of what is neither needed, nor on a channel, nor asked for any more."""
        for name, asked_ms in list(self._watched_ms.items()):
            if name in needed or self.hub.watches(name):
                self._watched_ms[name] = now_ms
            elif now_ms - asked_ms > IDLE_RELEASE_MS:
                del self._watched_ms[name]
                self.market.unwatch(name)
        for name in [name for name in self._glanced if not self.hub.watches(name)]:
            del self._glanced[name]
            self.market.unglance(name)

    def advance(self, now_ms: int) -> None:
        """Let the market move.

        After a pause the market catches up in portions, so that requests are still served.
        """
        self._market_ms = min(now_ms, self._market_ms + CATCH_UP_MS)
        self.market.advance(self._market_ms)
        self.exchange.conclude(self._market_ms)
        self._tickers.clear()

    # -- what is told --------------------------------------------------------------------------

    def publish(self) -> None:
        """Send what the exchange has done since the last time to whoever listens."""
        news, self.news = self.news, []
        for one in news:
            self._tell(one)
        effects = self.exchange.drain()
        while effects:
            for effect in effects:
                if self.observe is not None:
                    self.observe(effect)
                self._tell_effect(effect)
            effects = self.exchange.drain()

    def _tell_effect(self, effect: Effect) -> None:
        match effect:
            case BookDelta():
                for channel in self.hub.of_instrument(effect.name):
                    channel.on_delta(effect)
            case AccountChange():
                self._tell_account(effect)
            case TradeConcluded():
                self._tell_concluded(effect)
            case Prints():
                self._tell_trades(effect)
            case InstrumentChanged():
                self._tell_instrument(effect)

    def _tell_trades(self, prints: Prints) -> None:
        listing = self.exchange.terms(prints.name)
        self.market.note(prints)
        ticker = self.market_ticker(prints.name)
        shaped = [shapes.public_trade(made, listing, ticker) for made in prints.trades]
        self.prints(prints.name).extend(shaped)
        self.charts.note(listing, shaped)
        for channel in self.hub.everything():
            channel.on_trades(listing, shaped)

    def _tell_account(self, change: AccountChange) -> None:
        listing = self.exchange.terms(change.name)
        trades: list[Json] = []
        if change.trades:
            trades = [self.user_trade(made) for made in change.trades]
            self.user_trades(change.account).extend(trades)
        news = AccountNews(
            change.account,
            listing,
            [self.shaped(one) for one in change.orders],
            trades,
            change.delivered,
            lambda: self.position_of(change.account, change.name),
        )
        self._tell(news)

    def _tell_concluded(self, ended: TradeConcluded) -> None:
        """A matched trade stands, or does not: it is told again, in the history too."""
        told, said = self.user_trades(ended.account), self.user_trade(ended.trade)
        for place, row in enumerate(told):
            if (row["trade_id"], row["order_id"]) == (said["trade_id"], said["order_id"]):
                told[place] = said
        name, orders = ended.trade.public.name, [ended.order] if ended.order is not None else []
        news = AccountNews(
            ended.account,
            self.exchange.terms(name),
            [self.shaped(one) for one in orders],
            [said],
            False,
            lambda: self.position_of(ended.account, name),
        )
        self._tell(news)

    def _tell(self, news: AccountNews) -> None:
        for channel in self.hub.everything():
            channel.on_account(news)

    def _tell_instrument(self, change: InstrumentChanged) -> None:
        for channel in self.hub.everything():
            channel.on_instrument(change)
        name = change.listing.name
        if change.state is not InstrumentState.CLOSED:
            return
        for hear in self.when_closed:
            hear(name)
        if name in self.exchange.expired:
            self.hub.end(name)
            self._watched_ms.pop(name, None)
            self._glanced.pop(name, None)

    def _marked_ticker(self, name: str) -> MarketTicker:
        # Somebody holds this, so its mark must follow the market whoever else looks.
        self.watch(name)
        return self.market_ticker(name)

    def _limits(self) -> Json:
        trading = _limit(self.rules.matching)
        return {
            "limits_per_currency": False,
            "non_matching_engine": _limit(self.rules.other),
            "matching_engine": {
                "trading": {"total": trading},
                "spot": trading,
                "cancel_all": _limit(self.rules.cancel_all),
            },
        }


def _limit(rate: Rate) -> Json:
    return {"burst": rate.burst, "rate": rate.per_s}
