"""Who trades in the simulated market: other makers, noise takers, snipers and the informed.

Everybody acts through the exchange from an account of their own, like anybody, and on what they
could know: makers on a price that is late by their latency and a volatility they misjudge, noise
takers on nothing, snipers on the latent price, informed takers on news that has yet to reach it.
Each has its own `random.Random`, so that one instrument's crowd does not disturb another's.

All widths, noises and reservation distances are counted in `Scene.unit`: what one volatility point
is worth in an option's price, half a basis point in a perpetual's or future's. Makers of those want
what they are charged for a trade besides; in an option's width it is contained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from mmbot.sim.exchange.listing import OPTION_FEE_CAP_OF_PREMIUM, ZERO, Kind, Listing, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order, OrderState, TimeInForce
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from mmbot.sim.market.scene import Scene
from mmbot.sim.market.underlying import STEP_MS

# Looked up through their class, members of an enumeration take as long as a division of decimals.
BUY: Final = Side.BUY
SELL: Final = Side.SELL
OPEN: Final = OrderState.OPEN

NOISE_ACCOUNT: Final = "noise"
SNIPER_ACCOUNT: Final = "sniper"
INFORMED_ACCOUNT: Final = "informed"

LATENCY_LOG_SD: Final = 0.6
# (min, median, max): makers of the perpetual are nearer to the price than those of options.
LATENCY_MS: Final = (30.0, 110.0, 400.0)
PERPETUAL_LATENCY_MS: Final = (20.0, 55.0, 150.0)
PERPETUAL_PACE: Final = 0.4  # of the pauses between two looks

PULL_SIGMAS: Final = 3.0
PULL_S_MIN: Final = 2.0
PULL_S_MAX: Final = 10.0

NOISE_HALF_LIFE_S: Final = 30.0  # of a maker's misjudgment
INVENTORY_HALF_LIFE_S: Final = 600.0  # over which makers lay off what they hold
INVENTORY_LOTS_MAX: Final = 40.0  # where the skew reaches one half-width
UNDERCUT_CHANCE: Final = 0.5
UNDERCUT_EDGE_SHARE: Final = 0.6  # how far down an undercutter goes, in its own half-width
RETREAT_CHANCE: Final = 0.1

RESERVATION_K: Final = 1.5  # takers accept a distance d with chance exp(-k d / half-spread)
HAWKES_BRANCHING: Final = 0.5
HAWKES_DECAY_S: Final = 5.0
SAME_SIDE_CHANCE: Final = 0.65  # that a taker follows the side of the one before
TAKER_LOTS_MEDIAN: Final = 2.0
TAKER_LOTS_LOG_SD: Final = 0.9

INFORMED_CHANCE: Final = 0.8  # that a slice of the news is traded in a given option
PERPETUAL_INFORMED_CHANCE: Final = 0.25
INFORMED_VALUE_MIN: Final = 0.3  # in half-spreads: less is not worth trading on
INFORMED_LOTS_MEDIAN: Final = 3.0

LOTS_MAX: Final = 50
PERPETUAL_LOT_USD: Final = Decimal(1000)
LINEAR_OPTION_LOT: Final = 10  # smallest amounts: they are a tenth of an inverse option's
LINEAR_PERPETUAL_LOT: Final = 100  # smallest amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class MakerProfile:
    """One market maker's temper; widths and noise in units, sizes in lots, pauses in ms."""

    account: str
    half_width: float
    noise: float
    lots: float
    pause_ms_min: float = 100.0
    pause_ms_max: float = 600.0
    undercuts: bool = False


MAKERS: Final = (
    MakerProfile(account="maker-1", half_width=0.8, noise=0.3, lots=2),
    MakerProfile(
        account="maker-2", half_width=1.0, noise=0.4, lots=2, pause_ms_max=1_000, undercuts=True
    ),
    MakerProfile(account="maker-3", half_width=1.2, noise=0.5, lots=4),
    MakerProfile(
        account="maker-4", half_width=1.4, noise=0.6, lots=3, pause_ms_max=1_000, undercuts=True
    ),
    MakerProfile(account="maker-5", half_width=1.7, noise=0.7, lots=6),
    MakerProfile(account="maker-6", half_width=2.0, noise=0.8, lots=10),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowParams:
    """How busy the crowd is; rates before `flow_scale`, per instrument near the money."""

    noise_per_s: float = 0.20
    perpetual_noise_per_s: float = 1.5
    future_noise_per_s: float = 0.3
    width_scale: float = 1.0  # on every maker's half-width
    snipers: bool = True


def lot(listing: Listing) -> Decimal:
    """What sizes are counted in: about a coin's worth of options, 1,000 USD of everything else."""
    if listing.kind is Kind.OPTION:
        return listing.min_amount if listing.inverse else LINEAR_OPTION_LOT * listing.min_amount
    return PERPETUAL_LOT_USD if listing.inverse else LINEAR_PERPETUAL_LOT * listing.min_amount


def taker_fee(listing: Listing, price: float, index: float) -> float:
    """What taking one unit of amount costs, as a change of price, with the `index` in USD."""
    if listing.kind is Kind.OPTION:
        per_coin = float(listing.taker_fee) * (1.0 if listing.inverse else index)
        return min(per_coin, float(OPTION_FEE_CAP_OF_PREMIUM) * price)
    return float(listing.taker_fee) * price


def take(
    exchange: Exchange, account: str, scene: Scene, side: Side, limit: float, lots: int
) -> None:
    """Take up to `lots` at `limit` or better, now or never."""
    if limit <= 0:
        return
    listing = scene.listing
    best = scene.book.best_ask if side is BUY else scene.book.best_bid
    if best is None or (float(best.price) - limit) * side.sign > 0:
        return
    exchange.place(
        account,
        NewOrder(
            name=listing.name,
            side=side,
            amount=lots * lot(listing),
            price=_inward(scene, side, limit),
            time_in_force=TimeInForce.IOC,
        ),
        scene.now_ms,
    )


def _inward(scene: Scene, side: Side, limit: float) -> Decimal:
    """The ladder price nearest to `limit` that is no worse for the one who pays it."""
    ladder = scene.book.ladder
    return ladder.down(limit) if side is BUY else ladder.up(limit)


class Quoter:
    """One maker in one instrument: at most one bid and one ask."""

    __slots__ = (
        "_beats",
        "_believed",
        "_draw",
        "_flat",
        "_latency",
        "_latency_ms",
        "_misjudgment",
        "_orders",
        "_pace",
        "_profile",
        "_pulled_ms",
        "_seen",
        "_width",
        "_woken_ms",
        "wake_ms",
    )

    def __init__(
        self,
        profile: MakerProfile,
        kind: Kind,
        draw: Random,
        now_ms: int,
        width_scale: float,
    ) -> None:
        self._profile = profile
        self._draw = draw
        self._latency = LATENCY_MS if kind is Kind.OPTION else PERPETUAL_LATENCY_MS
        self._pace = 1.0 if kind is Kind.OPTION else PERPETUAL_PACE
        self._width = profile.half_width * width_scale
        self._misjudgment = draw.gauss(0, profile.noise)
        self._believed = 0.0
        self._flat = 0.0  # the position this maker no longer minds, in lots
        self.wake_ms = float(now_ms)
        """When it looks again; whoever lets it act may leave it asleep until then."""
        self._woken_ms = now_ms
        self._pulled_ms = 0.0
        self._latency_ms = self._latency[1]
        self._orders: dict[Side, Order] = {}
        self._seen: dict[Side, Decimal] = {}
        self._beats: dict[Side, bool] = {}

    def act(self, exchange: Exchange, scene: Scene) -> None:
        """Requote, pull or sleep on."""
        now_ms = scene.now_ms
        if now_ms < self.wake_ms:
            return
        draw = self._draw
        profile = self._profile
        pause_ms = draw.uniform(profile.pause_ms_min, profile.pause_ms_max)
        self.wake_ms = now_ms + pause_ms * self._pace
        self._change_mind(now_ms)
        if now_ms < self._pulled_ms:
            return
        late = scene.move_ago(self._latency_ms)
        if abs(scene.move_ago(self._latency_ms + 1_000) - late) > PULL_SIGMAS * scene.volatility_1s:
            self._pulled_ms = now_ms + 1_000 * draw.uniform(PULL_S_MIN, PULL_S_MAX)
            self.leave(exchange, now_ms)
            return
        held = self._held_lots(exchange, scene.listing, now_ms)
        skew = max(-1.0, min(1.0, held / INVENTORY_LOTS_MAX)) * self._width
        believed = scene.fair - scene.per_log * late + (self._misjudgment - skew) * scene.unit
        # The side that makes room goes first, or the maker's own quote would stand in its way.
        rising = believed > self._believed
        for side in (SELL, BUY) if rising else (BUY, SELL):
            self._quote(exchange, scene, side, believed)
        self._believed = believed
        self._woken_ms = now_ms

    def leave(self, exchange: Exchange, now_ms: int) -> None:
        """Cancel everything."""
        for order in self._orders.values():
            if order.state is OrderState.OPEN:
                exchange.cancel(self._profile.account, order.order_id, now_ms)
        self._orders.clear()

    def _change_mind(self, now_ms: int) -> None:
        elapsed_s = (now_ms - self._woken_ms) / 1_000
        keep = 0.5 ** (elapsed_s / NOISE_HALF_LIFE_S)
        fresh = math.sqrt(1 - keep * keep) * self._profile.noise
        self._misjudgment = self._misjudgment * keep + fresh * self._draw.gauss(0, 1)
        least, median, most = self._latency
        latency = median * math.exp(LATENCY_LOG_SD * self._draw.gauss(0, 1))
        self._latency_ms = max(least, min(most, latency))

    def _held_lots(self, exchange: Exchange, listing: Listing, now_ms: int) -> float:
        position = exchange.accounts[self._profile.account].positions.get(listing.name)
        held = float(position.size / lot(listing)) if position is not None else 0.0
        keep = 0.5 ** ((now_ms - self._woken_ms) / 1_000 / INVENTORY_HALF_LIFE_S)
        self._flat += (held - self._flat) * (1 - keep)
        return held - self._flat

    def _quote(self, exchange: Exchange, scene: Scene, side: Side, believed: float) -> None:
        sign = 1 if side is BUY else -1
        wanted = believed - sign * (self._width * scene.unit + scene.cost)
        order = self._orders.get(side)
        if order is not None and order.state is not OPEN:
            order = None
        if wanted <= scene.book.ladder.tick / 2:
            if order is not None:
                exchange.cancel(self._profile.account, order.order_id, scene.now_ms)
            return
        price = _inward(scene, side, wanted)
        if self._profile.undercuts:
            edge = UNDERCUT_EDGE_SHARE * self._width * scene.unit + scene.cost
            price = self._undercut(scene, side, price, believed - sign * edge, order)
        if price <= 0:
            return
        if order is None:
            self._place(exchange, scene, side, price)
        elif order.price != price and not _close_enough(scene, order, wanted, price):
            self._move(exchange, scene, order, price)

    def _undercut(
        self, scene: Scene, side: Side, price: Decimal, worst: float, order: Order | None
    ) -> Decimal:
        """A tick better than the best of the others, if the mood is for it and the edge is left."""
        book = scene.book
        listing = scene.listing
        sign, best = (1, book.best_bid) if side is BUY else (-1, book.best_ask)
        if best is None:
            return price
        if order is not None and order.price == best.price:
            leads = (order.price - price) * sign > 0
            affordable = (worst - float(order.price)) * sign >= 0
            if leads and affordable and self._draw.random() >= RETREAT_CHANCE:
                return order.price
            return price
        if self._seen.get(side) != best.price:
            self._seen[side] = best.price
            self._beats[side] = self._draw.random() < UNDERCUT_CHANCE
        if not self._beats[side]:
            return price
        better = listing.next_above(best.price) if side is BUY else listing.next_below(best.price)
        affordable = (worst - float(better)) * sign >= 0
        improves = (better - price) * sign > 0
        return better if affordable and improves else price

    def _place(self, exchange: Exchange, scene: Scene, side: Side, price: Decimal) -> None:
        lots = _lots(self._draw, self._profile.lots, 0.5)
        placed = exchange.place(
            self._profile.account,
            NewOrder(
                name=scene.listing.name,
                side=side,
                amount=lots * lot(scene.listing),
                price=price,
                post_only=True,
            ),
            scene.now_ms,
        )
        if isinstance(placed, Placed):
            self._orders[side] = placed.order

    def _move(self, exchange: Exchange, scene: Scene, order: Order, price: Decimal) -> None:
        """Amend; what was filled is topped up, since the place in the queue is lost anyway."""
        lots = _lots(self._draw, self._profile.lots, 0.5)
        amount = order.filled + lots * lot(scene.listing)
        edit = Edit(order_id=order.order_id, price=price, amount=amount)
        exchange.edit(self._profile.account, edit, scene.now_ms)


def _close_enough(scene: Scene, order: Order, wanted: float, price: Decimal) -> bool:
    """Whether moving is not worth the place in the queue: a little hysteresis."""
    tick = float(scene.listing.tick_at(price))
    room = (wanted - float(order.price)) * order.side.sign / tick
    return -0.1 <= room < 1.3


class NoiseTaker:
    """Takers of one instrument who know nothing: they cluster, and mind the price."""

    __slots__ = ("_draw", "_excitement", "_rate", "_side")

    def __init__(self, draw: Random, rate_per_s: float) -> None:
        self._draw = draw
        self._rate = rate_per_s * (1 - HAWKES_BRANCHING)
        self._excitement = 0.0
        self._side = Side.BUY

    def act(self, exchange: Exchange, scene: Scene, activity: float) -> None:
        """Perhaps trade; `activity` scales the rate (1 at the money)."""
        draw = self._draw
        rate = self._rate * activity + self._excitement
        self._excitement *= _HAWKES_KEEP
        for _ in range(int(rate * STEP_MS / 1_000 + draw.random())):
            self._excitement += HAWKES_BRANCHING / HAWKES_DECAY_S
            if draw.random() >= SAME_SIDE_CHANCE:
                self._side = self._side.opposite
            distance = draw.expovariate(RESERVATION_K) * scene.half_spread
            limit = scene.fair + self._side.sign * distance
            lots = _lots(draw, TAKER_LOTS_MEDIAN, TAKER_LOTS_LOG_SD)
            take(exchange, NOISE_ACCOUNT, scene, self._side, limit, lots)


class Sniper:
    """Takes any quote that has become wrong by more than its fee and a tick, one step later."""

    __slots__ = ("_armed", "_costs")

    def __init__(self) -> None:
        self._armed: dict[Side, bool] = {BUY: False, SELL: False}
        # What it last looked at, and what taking that would cost: the best price seldom changes.
        self._costs: dict[Side, tuple[Decimal, Decimal, float, float]] = {}

    def act(self, exchange: Exchange, scene: Scene) -> None:
        """Take what was wrong in the last step and still is; remember what is wrong now."""
        for side in (BUY, SELL):
            worst = self._worst(scene, side)
            if worst is not None and self._armed[side]:
                self._take_through(exchange, scene, side, worst)
                worst = None
            self._armed[side] = worst is not None

    def _worst(self, scene: Scene, side: Side) -> float | None:
        """The last price worth taking, None when even the best is not."""
        book = scene.book
        sign, best = (1, book.best_ask) if side is BUY else (-1, book.best_bid)
        if best is None:
            return None
        known = self._costs.get(side)
        if known is None or known[0] != best.price or known[1] != book.index:
            price = float(best.price)
            fee = taker_fee(scene.listing, price, float(book.index))
            cost = fee + float(scene.listing.tick_at(best.price))
            known = self._costs[side] = (best.price, book.index, price, cost)
        _, _, price, cost = known
        worst = scene.fair - sign * cost
        return worst if (worst - price) * sign > 0 else None

    def _take_through(self, exchange: Exchange, scene: Scene, side: Side, worst: float) -> None:
        amount = ZERO
        last = ZERO
        for price, total in scene.book.depth(side.opposite):
            if (worst - float(price)) * side.sign <= 0:
                break
            amount += total
            last = price
        exchange.place(
            SNIPER_ACCOUNT,
            NewOrder(
                name=scene.listing.name,
                side=side,
                amount=amount,
                price=last,
                time_in_force=TimeInForce.IOC,
            ),
            scene.now_ms,
        )


class InformedTaker:
    """Those who trade one instrument on news."""

    __slots__ = ("_draw",)

    def __init__(self, draw: Random) -> None:
        self._draw = draw

    def act(self, exchange: Exchange, scene: Scene, gain: float) -> None:
        """Trade one slice of news that will yet move the price by `gain` (price unit, signed)."""
        draw = self._draw
        is_option = scene.listing.kind is Kind.OPTION
        chance = INFORMED_CHANCE if is_option else PERPETUAL_INFORMED_CHANCE
        joins = draw.random() < chance
        lots = _lots(draw, INFORMED_LOTS_MEDIAN, TAKER_LOTS_LOG_SD)
        if not joins or abs(gain) < INFORMED_VALUE_MIN * scene.half_spread:
            return
        side = Side.BUY if gain > 0 else Side.SELL
        take(exchange, INFORMED_ACCOUNT, scene, side, scene.fair + gain, lots)


def _lots(draw: Random, median: float, log_sd: float) -> int:
    return max(1, min(LOTS_MAX, round(median * math.exp(log_sd * draw.gauss(0, 1)))))


_HAWKES_KEEP: Final = math.exp(-STEP_MS / 1_000 / HAWKES_DECAY_S)
