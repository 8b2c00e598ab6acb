"""The market inside the simulated exchange: one seed, one history.

Theory of operation
-------------------
1. `Market` lists everything into an `Exchange` and opens its crowd's accounts there. From then on
   it only ever acts through requests, like anybody.
2. `advance(now_ms)` walks in steps of `STEP_MS`. A step moves the latent prices, then goes through
   the watched instruments in the order they were first watched: informed takers, noise takers,
   snipers, makers. Takers come before makers, so that a stale quote can be hit.
3. An instrument nobody watches costs nothing: it has no book, and its ticker is computed on demand
   from the latent state. Watching one changes nothing for the others: every crowd draws from
   streams named after the seed and its instrument.
4. The latent prices, their news included, do not depend on what is watched or traded.

Flow. `flow_scale` multiplies the arrival of takers and of news. At 1, the demonstration's default,
a near-the-money option sees a taker every few seconds, and who joins the top of four of them gets
a fill every 5 to 15 seconds; real options trade less than once an hour, which is about 0.002.

Units: option prices in coin, perpetual prices in USD; volatilities in tickers in percent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from types import MappingProxyType
from typing import Final

from mmbot.sim import chain
from mmbot.sim.chain import CURRENCIES
from mmbot.sim.flow import (
    INFORMED_ACCOUNT,
    MAKERS,
    NOISE_ACCOUNT,
    SNIPER_ACCOUNT,
    FlowParams,
    InformedTaker,
    NoiseTaker,
    Quoter,
    Scene,
    Sniper,
)
from mmbot.sim.listing import Kind, Listing, Right
from mmbot.sim.matching import Exchange, Prints
from mmbot.sim.smile import Smile, Value, black76, implied_volatility, smile
from mmbot.sim.underlying import (
    SECONDS_A_YEAR,
    STEP_MS,
    About,
    Latent,
    News,
    PathParams,
    Underlyings,
)

__all__ = [
    "FLOW_SCALE_DEMO",
    "PRESETS",
    "START_MS",
    "START_PRICES",
    "Greeks",
    "Market",
    "MarketTicker",
    "Preset",
    "Stats",
]

START_MS: Final = 1_748_865_600_000  # 2025-06-02T12:00:00Z
START_PRICES: Final = MappingProxyType({"BTC": 105_000.0, "ETH": 2_850.0})
FLOW_SCALE_DEMO: Final = 1.0

CARRY: Final = 0.05  # a year, of forwards over the index
CROWD_BALANCE: Final = Decimal(1_000_000_000)  # of every currency: deep enough never to matter
MARK_STEPS: Final = 10  # marks are set twice a second

OPTION_BAND_MIN: Final = 0.02  # coin
OPTION_BAND_SHARE: Final = 0.4  # of the mark
PERPETUAL_BAND_SHARE: Final = 0.015  # of the index
PERPETUAL_UNIT_SHARE: Final = 0.00005  # at mean volatility; it widens and narrows with it
PERPETUAL_UNIT_RATIO_MIN: Final = 0.5
PERPETUAL_UNIT_RATIO_MAX: Final = 4.0
HALF_SPREAD_UNITS: Final = 1.1
ACTIVITY_MIN: Final = 0.02

FUNDING_DEAD_BAND: Final = 0.00025
FUNDING_MEMORY_S: Final = 8 * 3_600.0
SECOND_STEPS: Final = 1_000 // STEP_MS
HOUR_MS: Final = 3_600_000
STATS_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Preset:
    """A weather: how the prices move and how the crowd trades."""

    path: PathParams
    flow: FlowParams


PRESETS: Final = MappingProxyType(
    {
        "normal": Preset(PathParams(), FlowParams()),
        "calm": Preset(
            PathParams(
                vol_mean=0.30,
                jumps_a_day=1.0,
                large_jumps_a_day=0.05,
                news_per_hour=12.0,
                news_share=0.3,
                news_points=2.5,
            ),
            FlowParams(width_scale=0.9),
        ),
        "toxic": Preset(
            PathParams(
                vol_mean=0.60,
                jumps_a_day=12.0,
                news_per_hour=40.0,
                news_share=0.75,
                news_points=12.0,
            ),
            FlowParams(noise_per_s=0.12),
        ),
        "crash": Preset(
            PathParams(
                vol_mean=1.2,
                jumps_a_day=60.0,
                large_jumps_a_day=3.0,
                large_jump_sd=0.025,
                jump_mean_sds=-1.0,
                news_points=15.0,
            ),
            FlowParams(width_scale=2.0),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Greeks:
    """As the venue scales them: see `smile.Value`."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


@dataclass(frozen=True, slots=True)
class Stats:
    """Trading of the last 24 hours; None where nothing traded. `price_change` in percent."""

    high: float | None = None
    low: float | None = None
    price_change: float | None = None
    volume: float = 0.0  # coin
    volume_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class MarketTicker:
    """What the venue publishes about an instrument beside its book, rounded as it does.

    The last eight fields belong to one kind only and are None for the other.
    """

    name: str
    time_ms: int
    index_price: float
    mark_price: float
    min_price: float
    max_price: float
    stats: Stats
    underlying_price: float | None = None
    underlying_index: str | None = None
    mark_iv: float | None = None  # percent, as are the next two; 0 without a quote
    bid_iv: float | None = None
    ask_iv: float | None = None
    greeks: Greeks | None = None
    current_funding: float | None = None  # per 8 hours, positive: longs pay
    funding_8h: float | None = None  # the trailing mean of it


@dataclass(slots=True)
class _Crowd:
    """Everybody who trades one watched instrument."""

    listing: Listing
    makers: list[Quoter]
    noise: NoiseTaker
    sniper: Sniper
    informed: InformedTaker


@dataclass(slots=True)
class _Hour:
    """One hour's trades of one instrument."""

    number: int
    first: float
    last: float
    high: float
    low: float
    volume: float = 0.0
    volume_usd: float = 0.0


@dataclass(slots=True)
class _History:
    """The hours with trades of one instrument, oldest first, at most a day's."""

    hours: list[_Hour] = field(default_factory=list)

    def add(self, number: int, price: float, coins: float, usd: float) -> None:
        if not self.hours or self.hours[-1].number != number:
            self.hours.append(_Hour(number, price, price, price, price))
            self.hours = [hour for hour in self.hours if hour.number > number - STATS_HOURS]
        hour = self.hours[-1]
        hour.last = price
        hour.high = max(hour.high, price)
        hour.low = min(hour.low, price)
        hour.volume += coins
        hour.volume_usd += usd

    def stats(self, now_ms: int) -> Stats:
        oldest = now_ms // HOUR_MS - STATS_HOURS
        hours = [hour for hour in self.hours if hour.number > oldest]
        if not hours:
            return Stats()
        return Stats(
            max(hour.high for hour in hours),
            min(hour.low for hour in hours),
            round(100 * (hours[-1].last / hours[0].first - 1), 4),
            round(math.fsum(hour.volume for hour in hours), 8),
            round(math.fsum(hour.volume_usd for hour in hours), 2),
        )


class Market:
    """Seeded prices, chains and order flow inside `exchange`; told the time, never reads it."""

    def __init__(
        self,
        exchange: Exchange,
        seed: int,
        start_ms: int = START_MS,
        *,
        flow_scale: float = FLOW_SCALE_DEMO,
        preset: str | Preset = "normal",
        prices: Mapping[str, float] = START_PRICES,
    ) -> None:
        self.exchange = exchange
        self.seed = seed
        self.flow_scale = flow_scale
        self.preset = PRESETS[preset] if isinstance(preset, str) else preset
        path = self.preset.path
        path = replace(path, news_per_hour=path.news_per_hour * flow_scale)
        self.underlyings = Underlyings(seed, start_ms, prices, path)
        self.now_ms = start_ms
        self._steps = 0
        self._crowds: dict[str, _Crowd] = {}
        self._marked: dict[str, Listing] = {}  # whatever was watched once: somebody may hold it
        self._watches: dict[str, int] = {}
        self._smiles: dict[tuple[str, int], Smile] = {}
        self._funding_8h = dict.fromkeys(self.underlyings.latents, 0.0)
        self._histories: dict[str, _History] = {}
        self._open_accounts()
        for currency in self.underlyings.latents:
            for listing in chain.listings(CURRENCIES[currency], prices[currency], start_ms):
                exchange.list(listing)

    # -- what the market is asked to do --------------------------------------------------------

    @property
    def watched(self) -> list[str]:
        """The instruments that have a crowd, in the order they got it."""
        return list(self._crowds)

    def watch(self, name: str) -> None:
        """Give a listed instrument its crowd; makers quote it at once. Again: no effect."""
        if name in self._crowds:
            return
        listing = self.exchange.listings[name]
        if listing.expiry_ms <= self.now_ms:
            return
        count = self._watches[name] = self._watches.get(name, 0) + 1
        stream = f"{self.seed}:{name}:{count}"
        flow = self.preset.flow
        is_option = listing.kind is Kind.OPTION
        rate = flow.noise_per_s if is_option else flow.perpetual_noise_per_s
        crowd = self._crowds[name] = _Crowd(
            listing,
            [
                Quoter(
                    profile,
                    listing.kind,
                    Random(f"{stream}:{profile.account}"),
                    self.now_ms,
                    flow.width_scale,
                )
                for profile in MAKERS
            ],
            NoiseTaker(Random(f"{stream}:{NOISE_ACCOUNT}"), rate * self.flow_scale),
            Sniper(),
            InformedTaker(Random(f"{stream}:{INFORMED_ACCOUNT}")),
        )
        self._marked[name] = listing
        self._mark(listing)
        scene, _ = self._scene(listing)
        for maker in crowd.makers:
            maker.act(self.exchange, scene)

    def unwatch(self, name: str) -> None:
        """Send the crowd home: its quotes are cancelled, other orders stay."""
        crowd = self._crowds.pop(name, None)
        if crowd is not None:
            for maker in crowd.makers:
                maker.leave(self.exchange, self.now_ms)

    def advance(self, now_ms: int) -> None:
        """Let everything happen up to `now_ms`, in whole steps."""
        while self.now_ms + STEP_MS <= now_ms:
            self._step()

    def note(self, prints: Prints) -> None:
        """Take public trades into `Stats`: whoever drains the exchange passes them on."""
        listing = self.exchange.listings[prints.name]
        history = self._histories.setdefault(prints.name, _History())
        for trade in prints.trades:
            price, amount, index = float(trade.price), float(trade.amount), float(trade.index)
            if listing.kind is Kind.OPTION:
                coins, usd = amount, amount * price * index
            else:
                coins, usd = amount / price, amount
            history.add(trade.time_ms // HOUR_MS, price, coins, usd)

    # -- what it publishes ---------------------------------------------------------------------

    def index(self, name: str) -> float:
        """The index in USD, by the venue's name for it (`eth_usd`); KeyError for any other."""
        for currency, latent in self.underlyings.latents.items():
            if CURRENCIES[currency].index_name == name:
                return round(latent.index, 2)
        raise KeyError(name)

    def ticker(self, name: str) -> MarketTicker:
        """What the venue publishes about a listed instrument now, watched or not."""
        listing = self.exchange.listings[name]
        latent = self.underlyings[listing.underlying]
        history = self._histories.get(name)
        stats = history.stats(self.now_ms) if history is not None else Stats()
        if listing.kind is Kind.OPTION:
            return self._option_ticker(listing, latent, stats)
        low, high = _band(listing, self._perpetual_mark(latent), latent.index)
        return MarketTicker(
            name,
            self.now_ms,
            round(latent.index, 2),
            round(self._perpetual_mark(latent), 2),
            float(low),
            float(high),
            stats,
            current_funding=round(_funding(latent), 8),
            funding_8h=round(self._funding_8h[latent.currency], 8),
        )

    # -- one step ------------------------------------------------------------------------------

    def _step(self) -> None:
        self.underlyings.step()
        self.now_ms = self.underlyings.now_ms
        self._steps += 1
        self._smiles.clear()
        if self._steps % SECOND_STEPS == 0:
            for currency, latent in self.underlyings.latents.items():
                mean = self._funding_8h[currency]
                self._funding_8h[currency] = mean + (_funding(latent) - mean) / FUNDING_MEMORY_S
        if self._steps % MARK_STEPS == 0:
            for listing in self._marked.values():
                self._mark(listing)
        over = [n for n, crowd in self._crowds.items() if crowd.listing.expiry_ms <= self.now_ms]
        for name in over:
            self.unwatch(name)
        for crowd in self._crowds.values():
            self._trade(crowd)

    def _trade(self, crowd: _Crowd) -> None:
        """One step of one instrument: takers first, then makers."""
        exchange = self.exchange
        scene, activity = self._scene(crowd.listing)
        latent = self.underlyings[crowd.listing.underlying]
        for news in latent.slices:
            crowd.informed.act(exchange, scene, _gain(scene, latent, news))
        crowd.noise.act(exchange, scene, activity)
        if self.preset.flow.snipers:
            crowd.sniper.act(exchange, scene)
        for maker in crowd.makers:
            maker.act(exchange, scene)

    def _scene(self, listing: Listing) -> tuple[Scene, float]:
        """The instrument at the latent price, and how busy it is (1 at the money)."""
        latent = self.underlyings[listing.underlying]
        log_price = math.log(latent.price)

        def move_ago(ms: float) -> float:
            return log_price - math.log(latent.price_ago(ms))

        book = self.exchange.book(listing.name)
        tick = float(listing.tick)
        volatility_1s = latent.volatility / math.sqrt(SECONDS_A_YEAR)
        if listing.kind is not Kind.OPTION:
            fair = latent.perpetual
            ratio = latent.volatility / self.preset.path.vol_mean
            ratio = max(PERPETUAL_UNIT_RATIO_MIN, min(PERPETUAL_UNIT_RATIO_MAX, ratio))
            unit = PERPETUAL_UNIT_SHARE * ratio * fair
            half_spread = max(HALF_SPREAD_UNITS * unit, tick)
            scene = Scene(
                listing,
                book,
                self.now_ms,
                fair,
                fair,
                0.0,
                unit,
                half_spread,
                volatility_1s,
                move_ago,
            )
            return scene, 1.0
        forward, value, _ = self._value(listing, latent.price)
        fair = value.price / forward
        per_point = value.vega / forward
        tick = float(listing.tick_at(Decimal(repr(fair))))
        unit = max(per_point, tick / 2)
        scene = Scene(
            listing,
            book,
            self.now_ms,
            fair,
            value.delta - fair,  # of price / forward, by the logarithm of the forward
            per_point,
            unit,
            max(HALF_SPREAD_UNITS * unit, tick),
            volatility_1s,
            move_ago,
        )
        activity = max(4 * abs(value.delta) * (1 - abs(value.delta)), ACTIVITY_MIN)
        return scene, activity

    # -- worth ---------------------------------------------------------------------------------

    def _value(self, listing: Listing, spot: float) -> tuple[float, Value, float]:
        """(forward, value, volatility) of an option with the coin at `spot` (USD)."""
        strike, right = _option_terms(listing)
        years = self._years(listing)
        forward = spot * math.exp(CARRY * max(years, 0.0))
        if years <= 0:
            return forward, black76(forward, strike, 0.0, 0.0, right), 0.0
        curve = self._smile(listing.underlying, listing.expiry_ms, years)
        volatility = curve.volatility(math.log(strike / forward))
        return forward, black76(forward, strike, years, volatility, right), volatility

    def _years(self, listing: Listing) -> float:
        return (listing.expiry_ms - self.now_ms) / (1_000 * SECONDS_A_YEAR)

    def _smile(self, currency: str, expiry_ms: int, years: float) -> Smile:
        key = (currency, expiry_ms)
        found = self._smiles.get(key)
        if found is None:
            found = self._smiles[key] = smile(self.underlyings[currency].vol_state(), years)
        return found

    def _perpetual_mark(self, latent: Latent) -> float:
        return latent.index * (1 + latent.basis)

    def _mark(self, listing: Listing) -> None:
        latent = self.underlyings[listing.underlying]
        if listing.kind is Kind.OPTION:
            forward, value, _ = self._value(listing, latent.index)
            mark, digits = value.price / forward, 6
        else:
            mark, digits = self._perpetual_mark(latent), 2
        low, high = _band(listing, mark, latent.index)
        self.exchange.set_mark(
            listing.name,
            Decimal(repr(round(mark, digits))),
            index=Decimal(repr(round(latent.index, 2))),
            min_price=low,
            max_price=high,
        )

    def _option_ticker(self, listing: Listing, latent: Latent, stats: Stats) -> MarketTicker:
        forward, value, volatility = self._value(listing, latent.index)
        strike, right = _option_terms(listing)
        years = self._years(listing)

        def quoted(price: Decimal | None) -> float:
            if price is None:
                return 0.0
            usd = float(price) * forward
            found = implied_volatility(usd, forward, strike, years, right, volatility)
            return round(100 * found, 2) if found is not None else 0.0

        bid = ask = None
        if listing.name in self._marked:
            book = self.exchange.book(listing.name)
            bid = book.best_bid.price if book.best_bid is not None else None
            ask = book.best_ask.price if book.best_ask is not None else None
        low, high = _band(listing, value.price / forward, latent.index)
        return MarketTicker(
            listing.name,
            self.now_ms,
            round(latent.index, 2),
            round(value.price / forward, 6),
            float(low),
            float(high),
            stats,
            underlying_price=round(forward, 4),
            underlying_index=f"SYN.{listing.underlying}-{chain.expiry_code(listing.expiry_ms)}",
            mark_iv=round(100 * volatility, 2),
            bid_iv=quoted(bid),
            ask_iv=quoted(ask),
            greeks=Greeks(
                round(value.delta, 5),
                round(value.gamma, 5),
                round(value.vega, 5),
                round(value.theta, 5),
                round(value.rho, 5),
            ),
        )

    def _open_accounts(self) -> None:
        balances = dict.fromkeys(sorted(CURRENCIES), CROWD_BALANCE)
        for name in (
            *(profile.account for profile in MAKERS),
            NOISE_ACCOUNT,
            SNIPER_ACCOUNT,
            INFORMED_ACCOUNT,
        ):
            self.exchange.open_account(name, balances, followed=False)


def _option_terms(listing: Listing) -> tuple[float, Right]:
    assert listing.strike is not None, "an option has a strike"
    assert listing.right is not None, "an option is a call or a put"
    return float(listing.strike), listing.right


def _gain(scene: Scene, latent: Latent, news: News) -> float:
    """What holders of `news` know the instrument has yet to move, in its price unit."""
    known = news.unreleased + latent.pending(news.about)
    return known * (scene.per_log if news.about is About.PRICE else scene.per_point)


def _funding(latent: Latent) -> float:
    """The 8-hour rate at this moment's premium P = mark / index - 1 (the venue's formula):

    max(0.025 %, P) + min(-0.025 %, P).
    """
    premium = latent.basis
    return max(FUNDING_DEAD_BAND, premium) + min(-FUNDING_DEAD_BAND, premium)


def _band(listing: Listing, mark: float, index: float) -> tuple[Decimal, Decimal]:
    """Where orders may be priced: (lowest sell, highest buy), on the ladder."""
    if listing.kind is Kind.OPTION:
        room = max(OPTION_BAND_MIN, OPTION_BAND_SHARE * mark)
    else:
        room = PERPETUAL_BAND_SHARE * index
    low = listing.snap_up(Decimal(repr(max(mark - room, float(listing.tick)))))
    return low, listing.snap_down(Decimal(repr(mark + room)))
