"""One simulated world: one seed, one clock and one latent price a coin, for all its exchanges.

Theory of operation
-------------------
1. A world is seen through faces. Faces of one kind are accounts of one exchange: they share its
   books, its combos and its locks, and one may trade with the other, as sub-accounts of a real
   exchange do. Every kind has an exchange and a crowd of its own, on the same latent prices: those
   depend on the seed and the start alone, and all markets are told the same times.
2. World time is `start_ms` plus the wall time elapsed since the start (times `scale`); nothing
   else under `sim/` reads a clock.
3. With a state file, a world that ends is saved, and the next one goes on with its accounts, its
   prices and its time: the outage has lasted as long as the wall says, though never more than
   `OUTAGE_S_MAX`. What is in the file and has no face this time stays in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.wire.face import Market
from mmbot.sim.wire.faces import Behind, Face, Login, Spoken, face_of
from mmbot.sim.wire.faults import expiry_ahead_s
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.rules import Rules

if TYPE_CHECKING:
    from mmbot.sim.exchange.state import SavedExchange, SavedVenue

START_MS: Final = 1_748_865_600_000  # 2025-06-02T12:00:00Z
OUTAGE_S_MAX: Final = 3_600
EXPIRY_MS: Final = 28_800_000  # 08:00 UTC, when things expire, into a day
DAY_MS: Final = 86_400_000
SEED_OF_RESTART: Final = 2**32  # keeps the draws of restarted worlds apart
SEED_OF_FACE: Final = 2**40  # and those of what goes wrong at each face
BALANCES: Final[Mapping[str, Decimal]] = {
    "BTC": Decimal(10),
    "ETH": Decimal(100),
    "USDC": Decimal(250_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceOptions:
    """One face: an account at an exchange of that kind, and where it is let in.

    `faults`: what goes wrong here; None: what goes wrong in the world, drawn for this face alone.
    `manners`: how it says what it says.
    """

    name: str
    kind: str
    port: int = 0  # 0: any free one
    key: str = "sim"
    secret: str = "sim"
    balances: Mapping[str, Decimal] = field(default_factory=lambda: BALANCES)
    token_expires_in_s: float = 900.0
    faults: FaultPlan | None = None
    manners: Manner = Manner.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """One simulated world. `make_market` replaces the seeded market, for scripted situations.

    `exchange_rules`: of a kind, where they are not its face's; `rules`: what every exchange allows
    a connection. `state_path`: where the world is saved when it ends, and what it goes on from when
    there is such a file; world, seed, start and balances are the file's then. Without
    `restore_orders` the open orders in it come back cancelled (`cancel_on_disconnect`).
    `faults`: what goes wrong at every face. With `expiry_soon`, a new world starts shortly before
    the first 08:00 UTC after `start_ms`, when something expires; the clock is one for all.
    """

    faces: Sequence[FaceOptions]
    seed: int = 1
    start_ms: int = START_MS
    world_id: str | None = None  # None: a new one
    flow_scale: float = 1.0
    preset: str = "normal"
    exchange_rules: Mapping[str, VenueRules] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    combos_per_hour: float | None = None  # how many are listed as time goes by; None: as usual
    linger_s: float | None = None  # end that long after the last client left; None: never
    state_path: Path | None = None
    restore_orders: bool = True
    make_market: Callable[[Exchange], Market] | None = None
    faults: FaultPlan = field(default_factory=FaultPlan)
    scale: float = 1.0  # how many times as fast as the wall's its clock runs


@dataclass(slots=True)
class House:
    """One exchange of a world: its market, and the protocol that all its accounts speak."""

    face: Face
    exchange: Exchange
    market: Market
    protocol: Spoken


@dataclass(frozen=True, slots=True)
class Entered:
    """What a face has got of the world."""

    house: House
    account: str
    counter: Any


class World:
    """All exchanges of a world, and its clock; `open` it, then let every face `enter`."""

    houses: dict[str, House]  # by kind
    world_id: str

    def __init__(self, options: WorldOptions) -> None:
        self.options = options
        self.start_ms = _start_ms(options)
        self.seed = options.seed
        self.skew_us = round(options.faults.clock_skew_s * 1e6)
        self._restarts = 0
        self._started_ns = self._last_client_ns = time.monotonic_ns()
        self._accounts: dict[str, str] = {}  # by name of the face
        self._user_trades: dict[str, list[dict[str, Any]]] = {}
        self._without_a_face: dict[str, SavedExchange] = {}

    # -- the clock -----------------------------------------------------------------------------

    def now_us(self) -> int:
        """World time in microseconds; ahead of the right one by `faults.clock_skew_s`."""
        elapsed_us = int((time.monotonic_ns() - self._started_ns) // 1000 * self.options.scale)
        return self.start_ms * 1000 + elapsed_us + self.skew_us

    def now_ms(self) -> int:
        """World time in milliseconds."""
        return self.now_us() // 1000

    def hear(self) -> None:
        """A client is there, or has just left."""
        self._last_client_ns = time.monotonic_ns()

    @property
    def idle_s(self) -> float:
        """How long ago that was."""
        return (time.monotonic_ns() - self._last_client_ns) / 1e9

    # -- beginning and end ---------------------------------------------------------------------

    def read_state(self) -> SavedVenue | None:
        """What the state file holds, None without one. Raises ConfigError."""
        path = self.options.state_path
        if path is None:
            return None
        # Imported here, because most worlds are never saved.
        from mmbot.sim.wire.state_file import read_state

        return read_state(path)

    def open(self, saved: SavedVenue | None) -> None:
        """Restore or create everything; time begins."""
        exchanges: dict[str, Exchange] = {}
        first = self.options.faces[0].kind
        begins_ms, prices = self.start_ms, None
        if saved is None:
            self.world_id = self.options.world_id or str(time.time_ns() // 1_000_000)
        else:
            exchanges = self._restored(saved, first)
            begins_ms, prices = saved.time_ms, saved.prices
            away_ms = time.time_ns() // 1_000_000 - saved.wall_ms
            self.start_ms = begins_ms + min(max(away_ms, 0), OUTAGE_S_MAX * 1_000)
        self._name_accounts()
        markets: dict[str, Market] = {}
        for kind in dict.fromkeys(face.kind for face in self.options.faces):
            exchange = exchanges.setdefault(kind, Exchange(self.world_id, self._rules(kind)))
            self._open_accounts(kind, exchange)
            markets[kind] = self._market(exchange, begins_ms, prices, "" if kind == first else kind)
            if saved is not None:
                markets[kind].advance(self.start_ms)
        self._started_ns = self._last_client_ns = time.monotonic_ns()
        self.houses = {}
        for kind, market in markets.items():
            self.houses[kind] = self._house(kind, exchanges[kind], market)

    def enter(self, face: FaceOptions, keeps_orders: Callable[[], bool]) -> Entered:
        """A face is there: what it stands in front of."""
        house = self.houses[face.kind]
        account = self._accounts[face.name]
        login = Login(
            account=account,
            key=face.key,
            secret=face.secret,
            token_expires_in_s=face.token_expires_in_s,
            manner=face.manners,
            seed=self.seed,
            keeps_orders=keeps_orders,
            name=face.name,
        )
        return Entered(house, account, house.protocol.admit(login))

    def plan_of(self, face: FaceOptions) -> FaultPlan:
        """What goes wrong at a face: the first one's draws are the plan's own."""
        if face.faults is not None:
            return face.faults
        plan = self.options.faults
        return replace(plan, seed=plan.seed + self.options.faces.index(face) * SEED_OF_FACE)

    def write_state(self) -> None:
        """Save everything, where there is a file for it."""
        path = self.options.state_path
        if path is None:
            return
        from mmbot.sim.exchange.state import VERSION, SavedVenue, save_exchange
        from mmbot.sim.wire.state_file import write_state

        first, *others = self.houses
        trades = dict(self._user_trades)
        for house in self.houses.values():
            trades |= house.protocol.all_user_trades()
        saved = SavedVenue(
            version=VERSION,
            seed=self.seed,
            restarts=self._restarts,
            time_ms=self.now_ms(),
            wall_ms=time.time_ns() // 1_000_000,
            prices=dict(self.houses[first].market.prices()),
            exchange=save_exchange(self.houses[first].exchange),
            user_trades=trades,
            kind=first,
            others=self._without_a_face
            | {kind: save_exchange(self.houses[kind].exchange) for kind in others},
            accounts=self._accounts,
        )
        write_state(path, saved)

    # -- inside --------------------------------------------------------------------------------

    def _rules(self, kind: str) -> VenueRules:
        return self.options.exchange_rules.get(kind) or face_of(kind).rules

    def _restored(self, saved: SavedVenue, first: str) -> dict[str, Exchange]:
        """The exchanges of a file, as far as there is a face for them."""
        from mmbot.sim.exchange.state import restore_exchange

        self.seed, self._restarts = saved.seed, saved.restarts + 1
        self.world_id = saved.exchange.world
        self._user_trades = saved.user_trades
        self._accounts = saved.accounts
        wanted = {face.kind for face in self.options.faces}
        known = {saved.kind or first: saved.exchange} | saved.others
        self._without_a_face = {kind: one for kind, one in known.items() if kind not in wanted}
        return {
            kind: restore_exchange(one, self._rules(kind), with_orders=self.options.restore_orders)
            for kind, one in known.items()
            if kind in wanted
        }

    def _name_accounts(self) -> None:
        """The first face's account is called after the world alone, if no other one has that."""
        for face in self.options.faces:
            plain = f"sim-{self.world_id}"
            named = plain if plain not in self._accounts.values() else f"{plain}-{face.name}"
            self._accounts.setdefault(face.name, named)

    def _open_accounts(self, kind: str, exchange: Exchange) -> None:
        for face in self.options.faces:
            account = self._accounts[face.name]
            if face.kind == kind and account not in exchange.accounts:
                exchange.open_account(account, face.balances)

    def _market(
        self, exchange: Exchange, start_ms: int, prices: Mapping[str, float] | None, crowd: str
    ) -> Market:
        options = self.options
        if options.make_market is not None:
            return options.make_market(exchange)
        # Imported here, so that a scripted market does not pay for the seeded one.
        from mmbot.sim.market.market import START_PRICES
        from mmbot.sim.market.market import Market as SeededMarket

        return SeededMarket(
            exchange,
            self.seed + self._restarts * SEED_OF_RESTART,
            start_ms,
            flow_scale=options.flow_scale,
            preset=options.preset,
            prices=START_PRICES if prices is None else prices,
            crowd=crowd,
        )

    def _house(self, kind: str, exchange: Exchange, market: Market) -> House:
        face = face_of(kind)
        behind = Behind(
            exchange=exchange,
            market=market,
            rules=self.options.rules,
            seed=self.seed,
            now_us=self.now_us,
            skew_ms=self.skew_us // 1000,
            combos_per_hour=self.options.combos_per_hour,
        )
        protocol = face.protocol(behind)
        if self._restarts:
            trades = self._user_trades.items()
            protocol.remember({one: told for one, told in trades if one in exchange.accounts})
        return House(face, exchange, market, protocol)


def _start_ms(options: WorldOptions) -> int:
    """When a new world starts: as told, or shortly before something expires."""
    ahead_s = expiry_ahead_s(options.faults)
    if ahead_s is None:
        return options.start_ms
    expiry_ms = options.start_ms - options.start_ms % DAY_MS + EXPIRY_MS
    if expiry_ms <= options.start_ms + ahead_s * 1000:
        expiry_ms += DAY_MS
    return expiry_ms - round(ahead_s * 1000)
