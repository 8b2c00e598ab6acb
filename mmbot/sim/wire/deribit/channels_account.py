"""Channels of one account: its orders, trades, positions and summaries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmbot.sim.wire.deribit.channels import AccountNews, Channel, Gathering, Interval, Scope, Source
from mmbot.sim.wire.deribit.shapes import Json


class OfAccount(Gathering):
    """A channel about one account; instruments need not be watched for it."""

    def __init__(
        self, name: str, source: Source, scope: Scope, interval: Interval, account: str
    ) -> None:
        super().__init__(name, source, scope, interval)
        self.instrument = None
        self.account = account

    def concerns(self, news: AccountNews) -> bool:
        """Whether news is of this account and the instruments covered."""
        return news.account == self.account and self.scope.covers(news.listing)


class UserTradesChannel(OfAccount):
    """user.trades.{instrument | kind.currency}.{interval}: a list each time."""

    def on_account(self, news: AccountNews) -> None:
        """The account's trades."""
        if self.concerns(news):
            self.gather(news.trades)


class UserOrdersChannel(OfAccount):
    """user.orders...: `raw` sends one order object a message, the other intervals a list."""

    def on_account(self, news: AccountNews) -> None:
        """The account's orders."""
        if not self.concerns(news):
            return
        if self.interval is Interval.RAW:
            for order in news.orders:
                self.publish(order)
        else:
            self.gather(news.orders)


class UserChangesChannel(OfAccount):
    """user.changes...: one request's orders, trades and position in one message.

    At the slower intervals, what gathered is merged into one message an instrument.
    """

    def on_account(self, news: AccountNews) -> None:
        """Orders, trades and position together."""
        if self.concerns(news):
            # The position is shaped when sent, and only where a trade moved it.
            self.gather([{"news": news}])

    def flush(self) -> None:
        """What has gathered, one message an instrument."""
        pending, self._pending = self._pending, []
        merged: dict[str, Json] = {}
        for row in pending:
            news: AccountNews = row["news"]
            change = merged.setdefault(
                news.listing.name,
                {
                    "instrument_name": news.listing.name,
                    "orders": [],
                    "trades": [],
                    "positions": [],
                },
            )
            change["orders"] += news.orders
            change["trades"] += news.trades
            if news.trades or news.delivered:
                change["positions"] = [news.position()]
        for change in merged.values():
            self.publish(change)


class PortfolioChannel(Channel):
    """user.portfolio.{currency | any}: one account object a currency, when it changed."""

    interval = Interval.SLOW

    def __init__(self, name: str, source: Source, currency: str, account: str) -> None:
        super().__init__(name, source)
        self._currency = currency
        self._account = account
        self._sent: dict[str, Json] = {}

    def greeting(self) -> Iterable[Any]:
        """The summary of every currency covered."""
        for currency in self._currencies():
            yield self.source.summary_of(self._account, currency)

    def on_account(self, news: AccountNews) -> None:
        """A trade or a delivery moved money: what changed is sent at once."""
        if news.account == self._account and (news.trades or news.delivered):
            self.flush()

    def flush(self) -> None:
        """The summaries that have changed."""
        for currency in self._currencies():
            fresh = self.source.summary_of(self._account, currency)
            if fresh != self._sent.get(currency):
                self._sent[currency] = fresh
                self.publish(fresh)

    def _currencies(self) -> list[str]:
        if self._currency == "any":
            return self.source.currencies()
        return [self._currency]
