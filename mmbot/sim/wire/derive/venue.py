"""The venue as its methods see it: the exchange and the market at work, and who is let in.

Theory of operation
-------------------
1. The exchange queues what a request or a step of the market caused. `gather` takes it in: trades
   and fees become the account's history, a freeze of market maker protection cancels, and what is
   to be told is kept; `deliver` tells it. A method gathers before it answers, so that its reply
   knows of it all, and everything is delivered when the reply is out.
2. What the exchange does not know of an order (its signed terms) is in its `Ticket`; how an order
   ended here in another way than the exchange has it, too: expired, frozen, dropped in a restart.
3. The market acts only in instruments that are watched. `watch` begins that, `release_idle` ends it
   where nobody has asked for a while.
4. A trade is told once more when its batch has settled on the chain, some seconds later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from decimal import Decimal
from typing import Any, Final

from eth_hash.auto import keccak

from mmbot.sim.exchange.accounts import Print, UserTrade
from mmbot.sim.exchange.effects import (
    AccountChange,
    BookDelta,
    Effect,
    InstrumentChanged,
    InstrumentState,
    Prints,
)
from mmbot.sim.exchange.ledger import Entry, EntryType
from mmbot.sim.exchange.listing import ZERO, Listing, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason, Order
from mmbot.sim.wire.derive import portfolio, shapes
from mmbot.sim.wire.derive.assets import CASH
from mmbot.sim.wire.derive.channels import SETTLED, Hub, of_trades
from mmbot.sim.wire.derive.errors import WireError
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.shapes import Json
from mmbot.sim.wire.derive.tickets import Life, Ticket
from mmbot.sim.wire.derive.wallet import Wallet
from mmbot.sim.wire.derive.words import text, text_of
from mmbot.sim.wire.face import Market, MarketTicker
from mmbot.sim.wire.rules import Rules

TRADES_KEPT: Final = 100_000  # of an account's own; of public ones of an instrument:
PRINTS_KEPT: Final = 5_000
CATCH_UP_MS: Final = 1_000  # how far the market moves at once
IDLE_RELEASE_MS: Final = 60_000  # an instrument nobody asks about any more is let go after this
SETTLES_AFTER_MS: Final = 10_000  # a trade, on the chain
DAY_MS: Final = 86_400_000

_UPDATES: Final = {
    EntryType.TRADE: "trade",
    EntryType.SETTLEMENT: "perp_settlement",
    EntryType.DELIVERY: "option_settlement",
    EntryType.TRANSFER: "transfer",
    EntryType.WITHDRAWAL: "asset_withdrawal",
}


class DeriveVenue:
    """One exchange, one market, and whoever is let in.

    `now_us` is the venue's time in microseconds and the only time there is here; `skew_ms` is by
    how much it is ahead of the right one.
    """

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        rules: Rules,
        now_us: Callable[[], int],
        *,
        skew_ms: int = 0,
    ) -> None:
        self.exchange = exchange
        self.market = market
        self.rules = rules
        self.now_us = now_us
        self.skew_ms = skew_ms
        self.hub = Hub(self)
        self.observe: Callable[[Effect], None] | None = None  # sees all that the exchange does
        self.sessions: dict[Session, None] = {}
        self.wallets: dict[str, Wallet] = {}  # by owner
        self.tickets: dict[str, Ticket] = {}  # by order id
        self.subaccount_ids: dict[str, int] = {}  # by the exchange's account
        self.persistent: dict[str, bool] = {}  # by account: its wallet cancels on disconnect
        self._lives: dict[tuple[str, str], Life] = {}  # by account and instrument
        self._trades: dict[str, deque[Json]] = {}  # by account, as they went out
        self._prints: dict[str, deque[Print]] = {}
        self._traded_ms: dict[str, deque[int]] = {}  # of every trade of the last day
        self._unsettled: deque[tuple[int, Listing, Json, Json]] = deque()
        self._entries: dict[str, int] = {}  # of the log, told so far
        self._telling: list[tuple[str, Any]] = []
        self._watched_ms: dict[str, int] = {}
        self._glanced: dict[str, None] = {}
        self._tickers: dict[str, MarketTicker] = {}
        self._market_ms = self.opened_ms = self.now_ms()

    # -- the present ---------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Venue time in milliseconds."""
        return self.now_us() // 1000

    def right_ms(self) -> int:
        """The right time, however wrong the venue's clock is."""
        return self.now_ms() - self.skew_ms

    def listing(self, name: str) -> Listing:
        """An instrument that is or was listed; raises 12001 for any other."""
        try:
            return self.exchange.terms(name)
        except KeyError:
            raise WireError(12001, f"Instrument {name} not found") from None

    def market_ticker(self, name: str) -> MarketTicker:
        """The market's word on an instrument, computed at most once a market step."""
        found = self._tickers.get(name)
        if found is None:
            found = self._tickers[name] = self.market.ticker(name)
        return found

    def ticker_of(self, name: str) -> Json:
        """An instrument's ticker as it goes out now."""
        traded_ms, since_ms = self._traded_ms.get(name, deque()), self.now_ms() - DAY_MS
        while traded_ms and traded_ms[0] <= since_ms:
            traded_ms.popleft()
        listing, market = self.exchange.terms(name), self.market_ticker(name)
        return shapes.ticker(self.exchange, listing, market, len(traded_ms), self.now_ms())

    def glanced(self, name: str) -> object:
        """The ticker of an option that is only looked at: another one whenever it changes."""
        return self.market.glanced(name) if name in self._glanced else None

    def feed_of(self, currency: str) -> Json:
        """A coin's price as it goes out now."""
        price = text_of(self.market.index(f"{currency}_{CASH}".lower()))
        return {
            "price": price,
            "confidence": "1",
            "price_prev_daily": price,
            "confidence_prev_daily": "1",
            "timestamp_prev_daily": self.now_ms() - DAY_MS,
        }

    def order_row(self, order: Order) -> Json:
        """An order as its owner is told of it."""
        ticket = self.tickets.setdefault(order.order_id, Ticket())
        return shapes.order(order, ticket, self.subaccount_ids[order.account])

    def order_rows(self, orders: list[Order]) -> list[Json]:
        """Several."""
        return [self.order_row(one) for one in orders]

    def positions(self, account: str) -> list[Json]:
        """Everything that account holds."""
        held = self.exchange.accounts[account].positions.values()
        rows = []
        for one in [one for one in held if one.size]:
            name = one.listing.name
            # The mark of what is held must follow the market whoever else looks.
            self.watch(name)
            life = self._lives.setdefault((account, name), Life())
            ticker = self.market_ticker(name)
            rows.append(portfolio.position(self.exchange, account, one, life, ticker))
        return rows

    def subaccount(self, session: Session, subaccount_id: int) -> Json:
        """The whole of a subaccount."""
        account = session.account_of(subaccount_id)
        positions = self.positions(account)
        orders = self.order_rows(list(self.exchange.accounts[account].open_orders.values()))
        label = session.owner.labels.get(subaccount_id, "")
        return portfolio.subaccount(self.exchange, account, subaccount_id, label, positions, orders)

    # -- the past ------------------------------------------------------------------------------

    def trades(self, account: str) -> deque[Json]:
        """The account's last trades as they went out, oldest first."""
        return self._trades.setdefault(account, deque(maxlen=TRADES_KEPT))

    def prints(self, name: str) -> deque[Print]:
        """The last public trades of an instrument, oldest first."""
        return self._prints.get(name, deque())

    def ended(self, account: str) -> list[Order]:
        """The account's orders that have ended, latest first."""
        closed = self.exchange.accounts[account].closed_orders.values()
        return sorted(closed, key=lambda one: one.updated_ms, reverse=True)

    def remember(self, user_trades: dict[str, list[Json]]) -> None:
        """Take over from a venue that ended: what was signed, set and told."""
        for kept in (row for rows in user_trades.values() for row in rows):
            account = kept["account"]
            self.trades(account).extend(kept["trades"])
            self.persistent[account] = kept["cancels_on_disconnect"]
            for order_id, told in kept["tickets"].items():
                self.tickets[order_id] = Ticket.restored(told)
        for name in self.needed():
            self.watch(name)

    def all_user_trades(self) -> dict[str, list[Json]]:
        """What a later venue is to take over, by account."""
        return {
            account: [
                {
                    "account": account,
                    "cancels_on_disconnect": self._wallet_of(account).cancels_on_disconnect,
                    "trades": list(self.trades(account)),
                    "tickets": {
                        order.order_id: self.tickets[order.order_id].saved()
                        for order in (
                            *self.exchange.accounts[account].open_orders.values(),
                            *self.exchange.accounts[account].closed_orders.values(),
                        )
                        if order.order_id in self.tickets
                    },
                }
            ]
            for account in self.subaccount_ids
        }

    def open_subaccount(self, wallet: Wallet, account: str, number: int) -> int:
        """An account becomes a subaccount of a wallet; its positions are taken over as they are."""
        subaccount_id = SUBACCOUNT_FIRST + number
        wallet.subaccounts[subaccount_id] = account
        wallet.labels[subaccount_id] = account
        self.subaccount_ids[account] = subaccount_id
        self._entries[account] = self.exchange.accounts[account].log_count
        for trade in self.exchange.accounts[account].trades:
            self._live(account, trade)
        return subaccount_id

    # -- the market ----------------------------------------------------------------------------

    def watch(self, name: str) -> None:
        """This book is wanted: from now on the market acts in it, unless it has expired."""
        if name in self.exchange.expired:
            return
        if name not in self._watched_ms:
            self.market.watch(name)
            self._tickers.pop(name, None)
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

    def needed(self) -> dict[str, None]:
        """The instruments in which a followed account has an order or a position."""
        needed: dict[str, None] = {}
        for owner in self.exchange.accounts.values():
            if not owner.followed:
                continue
            needed.update(dict.fromkeys(order.name for order in owner.open_orders.values()))
            held = owner.positions.items()
            needed.update(dict.fromkeys(name for name, position in held if position.size))
        return needed

    def advance(self, now_ms: int) -> None:
        """Let the market move, after a pause in portions; what was signed to end by now ends."""
        self._market_ms = min(now_ms, self._market_ms + CATCH_UP_MS)
        self.market.advance(self._market_ms)
        self.exchange.conclude(self._market_ms)
        self._tickers.clear()
        for account in self.subaccount_ids:
            for order in list(self.exchange.accounts[account].open_orders.values()):
                ticket = self.tickets.get(order.order_id)
                if ticket is not None and ticket.ends_ms <= now_ms:
                    self.cancel(order, reason="", status="expired")

    # -- orders --------------------------------------------------------------------------------

    def cancel(self, order: Order, *, reason: str, status: str | None = None) -> None:
        """The venue itself ends an order, and says so in those words."""
        ticket = self.tickets.setdefault(order.order_id, Ticket())
        ticket.reason, ticket.status = reason, status
        self.exchange.cancel(order.account, order.order_id, self.now_ms(), CancelReason.DISCONNECT)

    def cancel_all_of(self, wallet: Wallet, *, reason: str) -> None:
        """Every open order of every subaccount ends."""
        for account in wallet.subaccounts.values():
            for order in list(self.exchange.accounts[account].open_orders.values()):
                self.cancel(order, reason=reason)

    def on_closed(self, session: Session) -> None:
        """A WebSocket is gone: with it, if the wallet has said so, all orders of the wallet."""
        if session.closed:
            return
        session.closed = True
        self.sessions.pop(session, None)
        for name in list(session.channels):
            self.hub.unsubscribe(session, name)
        if not session.cancels_on_disconnect or self.rules.ignore_cancel_on_disconnect:
            return
        if session.counter.keeps_orders():
            return
        self.cancel_all_of(session.owner, reason="cancel_on_disconnect")
        self.publish()

    # -- what is told --------------------------------------------------------------------------

    def publish(self) -> None:
        """Take in what the exchange has done, and tell whoever listens."""
        self.gather()
        self.deliver()

    def deliver(self) -> None:
        """Tell what is kept for that."""
        telling, self._telling = self._telling, []
        for channel, told in telling:
            self.hub.publish(channel, told)

    def gather(self) -> None:
        """Take in what the exchange has done since the last time."""
        effects = self.exchange.drain()
        while effects:
            for effect in effects:
                if self.observe is not None:
                    self.observe(effect)
                self._take_in(effect)
            effects = self.exchange.drain()
        for account in self.subaccount_ids:
            self._tell_balances(account)

    def settle_batches(self, now_ms: int) -> None:
        """Trades that have reached the chain are told again."""
        while self._unsettled and self._unsettled[0][0] <= now_ms:
            _, listing, row, public = self._unsettled.popleft()
            stamp = {"batch_status": SETTLED, "tx_hash": _tx_hash(row["trade_id"])}
            row |= stamp
            self._tell(f"{row['subaccount_id']}.trades.{SETTLED}", [row])
            _, by_kind = of_trades(listing)
            self._tell(f"{by_kind}.{SETTLED}", [public | stamp])

    def _take_in(self, effect: Effect) -> None:
        match effect:
            case BookDelta():
                for channel in self.hub.of_instrument(effect.name):
                    channel.touch()
            case AccountChange():
                self._take_account(effect)
            case Prints():
                self._take_trades(effect)
            case InstrumentChanged():
                name = effect.listing.name
                if effect.state is InstrumentState.CLOSED and name in self.exchange.expired:
                    self.hub.end(name)
                    self._watched_ms.pop(name, None)
                    self._glanced.pop(name, None)

    def _take_trades(self, prints: Prints) -> None:
        self.market.note(prints)
        self._prints.setdefault(prints.name, deque(maxlen=PRINTS_KEPT)).extend(prints.trades)
        traded_ms = self._traded_ms.setdefault(prints.name, deque())
        traded_ms.extend(made.time_ms for made in prints.trades)
        rows = [shapes.public_trade(made) for made in prints.trades]
        for channel in of_trades(self.exchange.terms(prints.name)):
            self._tell(channel, rows)

    def _take_account(self, change: AccountChange) -> None:
        subaccount_id = self.subaccount_ids.get(change.account)
        if subaccount_id is None:
            return
        rows = [self._take_trade(subaccount_id, change.account, one) for one in change.trades]
        if change.orders:
            self._tell(f"{subaccount_id}.orders", self.order_rows(change.orders))
        if rows:
            self._tell(f"{subaccount_id}.trades", rows)
            self._protect(subaccount_id, change)

    def _take_trade(self, subaccount_id: int, account: str, made: UserTrade) -> Json:
        self.tickets.setdefault(made.order_id, Ticket()).fee += made.fee
        realized, without_fees = self._live(account, made)
        row = shapes.user_trade(made, subaccount_id, realized, without_fees)
        self.trades(account).append(row)
        public = self.settled_row(made.public) | {"subaccount_id": subaccount_id}
        listing = self.exchange.terms(made.public.name)
        due_ms = made.public.time_ms + SETTLES_AFTER_MS
        self._unsettled.append((due_ms, listing, row, public))
        return row

    def settled_row(self, made: Print) -> Json:
        """A public trade as the chain shows it."""
        stamp = {"batch_status": SETTLED, "tx_hash": _tx_hash(made.trade_id)}
        return shapes.public_trade(made) | stamp

    def _live(self, account: str, made: UserTrade) -> tuple[Decimal, Decimal]:
        key = (account, made.public.name)
        life = self._lives.get(key)
        if life is None or not life.size:
            life = self._lives[key] = Life(opened_ms=made.public.time_ms)
        return life.take(made)

    def _protect(self, subaccount_id: int, change: AccountChange) -> None:
        """Count what protected orders have traded; too much freezes them."""
        currency = self.exchange.terms(change.name).underlying
        wallet = self._wallet_of(change.account)
        protection = wallet.protections.get((subaccount_id, currency))
        if protection is None:
            return
        greeks = self.market_ticker(change.name).greeks
        delta = Decimal(1) if greeks is None else Decimal(repr(greeks.delta))
        frozen = False
        for made in change.trades:
            if self.tickets[made.order_id].mmp:
                signed = made.public.amount * made.side.sign
                traded = protection.trade(self.now_ms(), made.public.amount, signed * delta)
                frozen = frozen or traded
        if frozen:
            self.cancel_protected(change.account, currency, reason="mmp_trigger")

    def cancel_protected(self, account: str, currency: str | None, *, reason: str) -> None:
        """The account's orders under protection end."""
        for order in list(self.exchange.accounts[account].open_orders.values()):
            ticket = self.tickets.get(order.order_id)
            coin = self.exchange.terms(order.name).underlying
            if ticket is not None and ticket.mmp and currency in (None, coin):
                self.cancel(order, reason=reason)

    def _wallet_of(self, account: str) -> Wallet:
        subaccount_id = self.subaccount_ids[account]
        return next(one for one in self.wallets.values() if subaccount_id in one.subaccounts)

    def _tell_balances(self, account: str) -> None:
        owner = self.exchange.accounts[account]
        count = owner.log_count - self._entries[account]
        if not count:
            return
        self._entries[account] = owner.log_count
        fresh = [owner.log[place] for place in range(-min(count, len(owner.log)), 0)]
        rows = [row for entry in fresh for row in _balances(entry)]
        for entry in fresh:
            if entry.interest_pl is not None:
                self._lives.setdefault((account, entry.name), Life()).funding += entry.interest_pl
        if rows:
            self._tell(f"{self.subaccount_ids[account]}.balances", rows)

    def _tell(self, channel: str, told: Any) -> None:
        if self.hub.follows(channel):
            self._telling.append((channel, told))


SUBACCOUNT_FIRST: Final = 130_837


def _balances(entry: Entry) -> list[Json]:
    """What a row of the account's log says has changed: the cash, and the position."""
    update = _UPDATES[entry.type]
    rows: list[Json] = []
    if entry.change:
        rows.append(_balance(entry.currency, entry.balance, entry.balance - entry.change, update))
    if entry.type is EntryType.TRADE:
        sign = Side.BUY.sign if entry.side.endswith(Side.BUY.value) else Side.SELL.sign
        before = entry.position - sign * entry.amount
        rows.append(_balance(entry.name, entry.position, before, update))
    elif entry.type is EntryType.DELIVERY:
        was_long = entry.side == "close sell"
        before = entry.amount if was_long else -entry.amount
        rows.append(_balance(entry.name, ZERO, before, update))
    return rows


def _balance(name: str, fresh: Decimal, before: Decimal, update: str) -> Json:
    return {
        "name": name,
        "new_balance": text(fresh),
        "previous_balance": text(before),
        "update_type": update,
    }


def _tx_hash(trade_id: str) -> str:
    return "0x" + keccak(trade_id.encode()).hex()
