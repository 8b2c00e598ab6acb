"""The venue as its methods see it: the floor, what stands on it, and who is connected."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from mmbot.sim.exchange.listing import Listing
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason
from mmbot.sim.wire.deribit.catalog import COMBOS_PER_HOUR, Catalog
from mmbot.sim.wire.deribit.channel_names import make_channel
from mmbot.sim.wire.deribit.channels import Channel
from mmbot.sim.wire.deribit.errors import not_found, orderbook_closed, other_reject
from mmbot.sim.wire.deribit.expiries import Expiries
from mmbot.sim.wire.deribit.floor import Floor
from mmbot.sim.wire.deribit.locks import Locks
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.triggers import Triggers
from mmbot.sim.wire.deribit.wallet import Wallet
from mmbot.sim.wire.face import Market
from mmbot.sim.wire.rules import Rules


class DeribitVenue(Floor):
    """One exchange, one market, and whoever is let in."""

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        rules: Rules,
        now_us: Callable[[], int],
        *,
        skew_ms: int = 0,
        seed: int = 1,
        combos_per_hour: float = COMBOS_PER_HOUR,
    ) -> None:
        super().__init__(exchange, market, rules, now_us, self._make_channel, skew_ms=skew_ms)
        self.locks = Locks(self)
        self.triggers = Triggers(self)
        self.wallet = Wallet(self)
        self.expiries = Expiries(self)
        self.catalog = Catalog(self, Random(f"{seed}:combos"), combos_per_hour)
        self.sessions: dict[Session, None] = {}
        self.account_scope_cod: set[str] = set()  # accounts that cancel on every disconnect

    # -- the instrument a request is about -----------------------------------------------------

    def listing(self, params: Params, name: str = "instrument_name") -> Listing:
        """The instrument asked about, which must be open: 13019 for an expired one, else 13020."""
        wanted = params.text(name)
        found = self.exchange.listings.get(wanted)
        if found is not None:
            return found
        if wanted in self.catalog:
            raise other_reject("combos and spot are listed here, not traded", name)
        if wanted in self.exchange.expired:
            raise orderbook_closed()
        raise not_found("instrument not found", name)

    def terms(self, params: Params, name: str = "instrument_name") -> Listing:
        """The instrument asked about, open or expired; 13020 for any other."""
        try:
            return self.exchange.terms(params.text(name))
        except KeyError:
            raise not_found("instrument not found", name) from None

    def known_name(self, params: Params, *, is_open: bool = False) -> str:
        """The name of the instrument asked about, traded here or not; 13020 for any other.

        With `is_open` an expired one is refused with 13019.
        """
        wanted = params.text("instrument_name")
        if wanted in self.catalog:
            return wanted
        return (self.listing(params) if is_open else self.terms(params)).name

    # -- what comes and goes -------------------------------------------------------------------

    def on_closed(self, session: Session, *, logout: bool = False) -> None:
        """A WebSocket is gone: leave its channels, cancel its orders if it asked for that."""
        if session.closed:
            return
        session.closed = True
        self.sessions.pop(session, None)
        self.hub.unsubscribe_all(session)
        if not session.cancels_on_disconnect or logout:
            return
        if self.rules.ignore_cancel_on_disconnect or session.account is None:
            return
        if not logout and session.counter.keeps_orders():
            return
        for order_id in session.orders:
            if order_id in self.exchange.orders:
                self.exchange.cancel(
                    session.account, order_id, self.now_ms(), CancelReason.DISCONNECT
                )
            else:
                self.triggers.cancel(session.account, order_id, CancelReason.DISCONNECT)
        self.publish()

    def remember(self, user_trades: dict[str, list[Json]]) -> None:
        """Take over from a venue that ended: its trades, and the books its accounts need."""
        for account, trades in user_trades.items():
            self.user_trades(account).extend(trades)
        for name in self.needed():
            self.watch(name)

    def needed(self) -> dict[str, None]:
        """The instruments in which a followed account has an order or a position."""
        needed: dict[str, None] = {}
        for account in self.exchange.accounts.values():
            if not account.followed:
                continue
            needed.update(dict.fromkeys(order.name for order in account.open_orders.values()))
            held = account.positions.items()
            needed.update(dict.fromkeys(name for name, position in held if position.size))
        needed.update(dict.fromkeys(self.triggers.names()))
        return needed

    def _make_channel(self, name: str, account: str | None) -> Channel | None:
        return make_channel(self, self.catalog, name, account)
