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
4. The latent prices, their news included, do not depend on what is watched or traded. Nor does
   funding: it accrues every second on every perpetual.
5. `crowd_steps` above 1 lets the crowd act in every so many steps only, its takers as often
   altogether: cheaper where the weather matters more than the crowd's manners.
6. At 08:00 UTC what expires is delivered at the mean of its index since 07:30, sessions are
   settled, and what the calendar and the price now ask for is listed. For `settlement_pause_ms`
   nobody trades.

Flow. `flow_scale` multiplies the arrival of takers and of news. At 1, the demonstration's default,
a near-the-money option sees a taker every few seconds, and who joins the top of four of them gets
a fill every 5 to 15 seconds; real options trade less than once an hour, which is about 0.002.

Units: inverse option prices in coin, all others in USD; volatilities in tickers in percent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from types import MappingProxyType
from typing import Final

from mmbot.pricing import scalar
from mmbot.sim.exchange.effects import Prints
from mmbot.sim.exchange.funding import Funding, FundingHour
from mmbot.sim.exchange.listing import Kind, Listing, Right
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.settlement import deliver, settle_session
from mmbot.sim.market import chain
from mmbot.sim.market.chain import FAMILIES, Family
from mmbot.sim.market.delivery import DeliveryWindow, averaged_deviation
from mmbot.sim.market.flow import (
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
from mmbot.sim.market.smile import Smile, smile
from mmbot.sim.market.underlying import (
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
START_PRICES: Final = MappingProxyType({"BTC": 105_000.0, "ETH": 2_850.0, "XRP": 2.2, "SOL": 155.0})
FLOW_SCALE_DEMO: Final = 1.0

SETTLEMENT_PAUSE_MS: Final = 2_000
CROWD_BALANCE: Final = Decimal(1_000_000_000)  # of every currency: deep enough never to matter
MARK_STEPS: Final = 10  # marks are set twice a second

OPTION_DIGITS: Final = 6  # of marks
FUTURE_DIGITS: Final = 2
OPTION_BAND_MIN: Final = 0.02  # coin
OPTION_BAND_SHARE: Final = 0.4  # of the mark
PERPETUAL_BAND_SHARE: Final = 0.015  # of the index
PERPETUAL_UNIT_SHARE: Final = 0.00005  # at mean volatility; it widens and narrows with it
PERPETUAL_UNIT_RATIO_MIN: Final = 0.5
PERPETUAL_UNIT_RATIO_MAX: Final = 4.0
HALF_SPREAD_UNITS: Final = 1.1
ACTIVITY_MIN: Final = 0.02

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
    """As the venue scales them: see `scalar.Value`."""

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

    The volatilities, `underlying_*` and `greeks` are None where it is no option, the funding rates
    where it is no perpetual.
    """

    name: str
    time_ms: int
    index_price: float
    mark_price: float
    min_price: float
    max_price: float
    stats: Stats
    delivery_estimate: float
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
        settlement_pause_ms: int = SETTLEMENT_PAUSE_MS,
        crowd_steps: int = 1,
    ) -> None:
        assert crowd_steps >= 1, "the crowd acts every step, or every few of them"
        self.exchange = exchange
        self.seed = seed
        self.flow_scale = flow_scale
        self.settlement_pause_ms = settlement_pause_ms
        self.preset = PRESETS[preset] if isinstance(preset, str) else preset
        path = self.preset.path
        path = replace(path, news_per_hour=path.news_per_hour * flow_scale)
        self.underlyings = Underlyings(seed, start_ms, prices, path)
        self.now_ms = start_ms
        self._crowd_steps = crowd_steps
        self._slices: dict[str, list[News]] = {}  # traded since the crowd last acted, by currency
        self._steps = 0
        self._crowds: dict[str, _Crowd] = {}
        self._marked: dict[str, Listing] = {}  # whatever was watched once: somebody may hold it
        self._watches: dict[str, int] = {}
        self._smiles: dict[tuple[str, int], Smile] = {}
        self._histories: dict[str, _History] = {}
        self._families = [one for one in FAMILIES.values() if one.underlying in prices]
        self._windows = {
            one.index_name: DeliveryWindow(start_ms, prices[one.underlying])
            for one in self._families
        }
        self._open_accounts()
        # An exchange that was restored has its listings already.
        if not exchange.listings:
            for listing in self._calendar():
                exchange.list(listing)
        self._perpetuals = {
            name: Funding(one, start_ms, prices[one.underlying])
            for name, one in exchange.listings.items()
            if one.kind is Kind.PERPETUAL
        }

    # -- what the market is asked to do --------------------------------------------------------

    @property
    def watched(self) -> list[str]:
        """The instruments that have a crowd, in the order they got it."""
        return list(self._crowds)

    def watch(self, name: str) -> None:
        """Give an instrument its crowd, unless it has one or has expired; makers quote at once."""
        if name in self._crowds:
            return
        listing = self.exchange.listings.get(name)
        if listing is None:
            return
        count = self._watches[name] = self._watches.get(name, 0) + 1
        stream = f"{self.seed}:{name}:{count}"
        flow = self.preset.flow
        rate = {
            Kind.OPTION: flow.noise_per_s,
            Kind.PERPETUAL: flow.perpetual_noise_per_s,
            Kind.FUTURE: flow.future_noise_per_s,
        }[listing.kind]
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
            NoiseTaker(
                Random(f"{stream}:{NOISE_ACCOUNT}"), rate * self.flow_scale * self._crowd_steps
            ),
            Sniper(),
            InformedTaker(Random(f"{stream}:{INFORMED_ACCOUNT}")),
        )
        self._marked[name] = listing
        self._mark(listing)
        if self.exchange.is_halted(listing):
            return
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
        listing = self.exchange.listings.get(prints.name)
        if listing is None:
            return
        history = self._histories.setdefault(prints.name, _History())
        for trade in prints.trades:
            price, amount, index = float(trade.price), float(trade.amount), float(trade.index)
            if listing.kind is Kind.OPTION:
                coins, usd = amount, amount * price * (index if listing.inverse else 1)
            elif listing.inverse:
                coins, usd = amount / price, amount
            else:
                coins, usd = amount, amount * price
            history.add(trade.time_ms // HOUR_MS, price, coins, usd)

    # -- what it publishes ---------------------------------------------------------------------

    def prices(self) -> dict[str, float]:
        """What each coin is worth now, in USD: where another market could go on."""
        return {currency: latent.price for currency, latent in self.underlyings.latents.items()}

    def index(self, name: str) -> float:
        """The index in USD, by the venue's name for it (`eth_usd`); KeyError for any other."""
        family = self._family_of(name)
        return self._index_of(family.underlying, family.index_digits)

    def delivery_estimate(self, name: str) -> float:
        """The next delivery price of that index, as the venue expects it.

        The index itself until half an hour before; then the mean so far and the index, each for its
        share of the half hour.
        """
        family = self._family_of(name)
        expected = self._windows[name].blend(self.now_ms, self.underlyings[family.underlying].index)
        return round(expected, family.index_digits)

    def funding_hours(self, name: str) -> Sequence[FundingHour]:
        """The funding of a perpetual by the hour, oldest first."""
        return self._perpetuals[name].hours

    def ticker(self, name: str) -> MarketTicker:
        """What the venue publishes about an instrument now, watched or not, expired or not."""
        listing = self.exchange.terms(name)
        latent = self.underlyings[listing.underlying]
        history = self._histories.get(name)
        stats = history.stats(self.now_ms) if history is not None else Stats()
        if listing.kind is Kind.OPTION:
            return self._option_ticker(listing, latent, stats)
        mark = self._linear_price(listing, latent, latent.index)
        low, high = _band(listing, mark, latent.index)
        ticker = MarketTicker(
            name,
            self.now_ms,
            self.index(listing.index_name),
            round(mark, FUTURE_DIGITS),
            float(low),
            float(high),
            stats,
            self._delivery_of(listing),
        )
        if listing.kind is Kind.FUTURE:
            return ticker
        funding = self._perpetuals[name]
        return replace(
            ticker, current_funding=round(funding.rate, 8), funding_8h=round(funding.mean_8h, 8)
        )

    # -- one step ------------------------------------------------------------------------------

    def _step(self) -> None:
        self.underlyings.step()
        self.now_ms = self.underlyings.now_ms
        self._steps += 1
        self._smiles.clear()
        if self._steps % SECOND_STEPS == 0:
            self._second()
        if self._steps % MARK_STEPS == 0:
            for listing in self._marked.values():
                self._mark(listing)
        if self.now_ms >= self._settles_ms:
            self._settle()
        for currency, latent in self.underlyings.latents.items():
            self._slices.setdefault(currency, []).extend(latent.slices)
        if self._steps % self._crowd_steps == 0:
            if self.now_ms >= self.exchange.settling_until_ms:
                for crowd in self._crowds.values():
                    if not self.exchange.is_halted(crowd.listing):
                        self._trade(crowd)
            self._slices.clear()

    def _second(self) -> None:
        """Funding accrues, and the averages of the half hour before settlement gather."""
        for name, funding in self._perpetuals.items():
            latent = self.underlyings[funding.listing.underlying]
            owed = funding.accrue(self.now_ms, latent.basis, latent.index)
            if owed:
                self.exchange.accrue_funding(name, owed)
        for family in self._families:
            index = self.underlyings[family.underlying].index
            self._windows[family.index_name].observe(self.now_ms, index)

    def _settle(self) -> None:
        """08:00 UTC: deliver, settle, list."""
        exchange = self.exchange
        for name in list(self._crowds):
            if exchange.listings[name].expiry_ms <= self.now_ms:
                self.unwatch(name)
        for listing in exchange.listings.values():
            if listing.kind is not Kind.OPTION or listing.name in self._marked:
                self._mark(listing)
        delivered: dict[str, Decimal] = {}
        for family in self._families:
            window = self._windows[family.index_name]
            mean = window.delivery(self.underlyings[family.underlying].index)
            delivered[family.index_name] = price = _decimal(mean, family.index_digits)
            prices = exchange.delivery_prices.setdefault(family.index_name, [])
            prices.append((self.now_ms, price))
        for listing in list(exchange.listings.values()):
            if listing.expiry_ms <= self.now_ms:
                deliver(exchange, listing.name, delivered[listing.index_name], self.now_ms)
                self._marked.pop(listing.name, None)
                self._histories.pop(listing.name, None)
        settle_session(exchange, self.now_ms)
        exchange.settling_until_ms = self.now_ms + self.settlement_pause_ms
        for listing in self._calendar():
            if listing.name not in exchange.listings:
                exchange.list(listing, self.now_ms)

    @property
    def _settles_ms(self) -> int:
        return self._windows[self._families[0].index_name].close_ms

    def _calendar(self) -> Iterator[Listing]:
        """What is to be listed now."""
        for family in self._families:
            price = self.underlyings[family.underlying].price
            yield from chain.listings(family, price, self.now_ms)

    def _trade(self, crowd: _Crowd) -> None:
        """One step of one instrument: takers first, then makers."""
        exchange = self.exchange
        scene, activity = self._scene(crowd.listing)
        latent = self.underlyings[crowd.listing.underlying]
        for news in self._slices[crowd.listing.underlying]:
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
            fair = self._linear_price(listing, latent, latent.price)
            ratio = latent.volatility / self.preset.path.vol_mean
            ratio = max(PERPETUAL_UNIT_RATIO_MIN, min(PERPETUAL_UNIT_RATIO_MAX, ratio))
            unit = PERPETUAL_UNIT_SHARE * ratio * fair
            half_spread = max(HALF_SPREAD_UNITS * unit, tick)
            scene = Scene(
                listing,
                book,
                self.now_ms,
                fair,
                fair * self._share_left(listing),
                0.0,
                unit,
                half_spread,
                volatility_1s,
                move_ago,
            )
            return scene, 1.0
        forward, value, _ = self._value(listing, latent.price)
        # By the logarithm of the forward, which one log move of the coin moves by the share left.
        per_log = value.delta * forward
        fair, per_point = value.price, value.vega
        if listing.inverse:
            per_log = (per_log - self._share_left(listing) * fair) / forward
            fair, per_point = fair / forward, per_point / forward
        tick = float(listing.tick_at(_decimal(fair, OPTION_DIGITS)))
        unit = max(per_point, tick / 2)
        scene = Scene(
            listing,
            book,
            self.now_ms,
            fair,
            per_log,
            per_point,
            unit,
            max(HALF_SPREAD_UNITS * unit, tick),
            volatility_1s,
            move_ago,
        )
        activity = max(4 * abs(value.delta) * (1 - abs(value.delta)), ACTIVITY_MIN)
        return scene, activity

    # -- worth ---------------------------------------------------------------------------------

    def _value(self, listing: Listing, spot: float) -> tuple[float, scalar.Value, float]:
        """(forward, value, volatility) of an option with the coin at `spot` (USD).

        The forward is of the delivery price, and the volatility the one at which Black-76 over the
        time to expiry gives what an option on an average is worth (see `delivery.py`). Delta and
        gamma are by the coin.
        """
        strike, is_call = _option_terms(listing)
        years = self._years(listing)
        forward = self._forward(listing, spot)
        if years <= 0:
            return forward, scalar.value(forward, strike, 0.0, 0.0, is_call=is_call), 0.0
        curve = self._smile(listing.underlying, listing.expiry_ms, years)
        left = self._share_left(listing)
        deviation = averaged_deviation(years, curve.volatility(math.log(strike / forward)), left)
        if left < 1:
            deviation *= spot / forward  # it is the coin that still moves, not the mean so far
        volatility = deviation / math.sqrt(years)
        value = scalar.value(forward, strike, years, volatility, is_call=is_call)
        if left < 1:
            value = replace(value, delta=left * value.delta, gamma=left * left * value.gamma)
        return forward, value, volatility

    def _forward(self, listing: Listing, spot: float) -> float:
        """What is to be expected of the delivery price with the coin at `spot` (USD)."""
        expired = self.exchange.expired.get(listing.name)
        if expired is not None:
            return float(expired.delivery)
        forward = self.underlyings[listing.underlying].forward(spot, self._years(listing))
        window = self._windows[listing.index_name]
        if listing.expiry_ms > window.close_ms:
            return forward
        return window.blend(self.now_ms, forward)

    def _share_left(self, listing: Listing) -> float:
        """How much of a move of the coin still reaches the delivery price."""
        window = self._windows[listing.index_name]
        return window.share_left(self.now_ms) if listing.expiry_ms <= window.close_ms else 1.0

    def _delivery_of(self, listing: Listing) -> float:
        """The delivery price to expect as the venue publishes it: without any carry."""
        expired = self.exchange.expired.get(listing.name)
        if expired is not None:
            return float(expired.delivery)
        if listing.expiry_ms <= self._windows[listing.index_name].close_ms:
            return self.delivery_estimate(listing.index_name)
        return self.index(listing.index_name)

    def _linear_price(self, listing: Listing, latent: Latent, spot: float) -> float:
        """What a perpetual or future is worth (USD) with the coin at `spot`."""
        if listing.kind is Kind.PERPETUAL:
            return spot * (1 + latent.basis)
        return self._forward(listing, spot)

    def _family_of(self, index_name: str) -> Family:
        for family in self._families:
            if family.index_name == index_name:
                return family
        raise KeyError(index_name)

    def _index_of(self, currency: str, digits: int) -> float:
        return round(self.underlyings[currency].index, digits)

    def _years(self, listing: Listing) -> float:
        return (listing.expiry_ms - self.now_ms) / (1_000 * SECONDS_A_YEAR)

    def _smile(self, currency: str, expiry_ms: int, years: float) -> Smile:
        key = (currency, expiry_ms)
        found = self._smiles.get(key)
        if found is None:
            found = self._smiles[key] = smile(self.underlyings[currency].vol_state(), years)
        return found

    def _mark(self, listing: Listing) -> None:
        latent = self.underlyings[listing.underlying]
        index = Decimal(repr(self.index(listing.index_name)))
        if listing.kind is Kind.OPTION:
            forward, value, _ = self._value(listing, latent.index)
            mark = value.price / forward if listing.inverse else value.price
            exact, underlying = _decimal(mark, OPTION_DIGITS), _decimal(forward, OPTION_DIGITS)
        else:
            mark = self._linear_price(listing, latent, latent.index)
            exact, underlying = _decimal(mark, FUTURE_DIGITS), index
        low, high = _band(listing, mark, latent.index)
        self.exchange.set_mark(
            listing.name,
            exact,
            index=index,
            min_price=low,
            max_price=high,
            underlying=underlying,
        )

    def _option_ticker(self, listing: Listing, latent: Latent, stats: Stats) -> MarketTicker:
        forward, value, volatility = self._value(listing, latent.index)
        strike, is_call = _option_terms(listing)
        years = self._years(listing)
        mark = value.price / forward if listing.inverse else value.price
        in_usd = forward if listing.inverse else 1.0

        def quoted(price: Decimal | None) -> float:
            if price is None:
                return 0.0
            usd = float(price) * in_usd
            found = scalar.implied_vol(usd, forward, strike, years, volatility, is_call=is_call)
            return round(100 * found, 2) if found is not None else 0.0

        bid = ask = None
        if listing.name in self._marked:
            book = self.exchange.book(listing.name)
            bid = book.best_bid.price if book.best_bid is not None else None
            ask = book.best_ask.price if book.best_ask is not None else None
        low, high = _band(listing, mark, latent.index)
        return MarketTicker(
            listing.name,
            self.now_ms,
            self.index(listing.index_name),
            round(mark, OPTION_DIGITS),
            float(low),
            float(high),
            stats,
            self._delivery_of(listing),
            underlying_price=round(forward, 4),
            underlying_index=self._underlying_index(listing),
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

    def _underlying_index(self, listing: Listing) -> str:
        """The future of that expiry, or a synthetic one where none is listed."""
        prefix = listing.name.partition("-")[0]
        future = f"{prefix}-{chain.expiry_code(listing.expiry_ms)}"
        return future if future in self.exchange.listings else f"SYN.{future}"

    def _open_accounts(self) -> None:
        currencies = dict.fromkeys(family.settlement for family in self._families)
        balances = dict.fromkeys(currencies, CROWD_BALANCE)
        for name in (
            *(profile.account for profile in MAKERS),
            NOISE_ACCOUNT,
            SNIPER_ACCOUNT,
            INFORMED_ACCOUNT,
        ):
            if name not in self.exchange.accounts:
                self.exchange.open_account(name, balances, followed=False)


def _option_terms(listing: Listing) -> tuple[float, bool]:
    """(strike, whether it is a call)."""
    assert listing.strike is not None, "an option has a strike"
    assert listing.right is not None, "an option is a call or a put"
    return float(listing.strike), listing.right is Right.CALL


def _gain(scene: Scene, latent: Latent, news: News) -> float:
    """What holders of `news` know the instrument has yet to move, in its price unit."""
    known = news.unreleased + latent.pending(news.about)
    return known * (scene.per_log if news.about is About.PRICE else scene.per_point)


def _decimal(price: float, digits: int) -> Decimal:
    return Decimal(repr(round(price, digits)))


def _band(listing: Listing, mark: float, index: float) -> tuple[Decimal, Decimal]:
    """Where orders may be priced: (lowest sell, highest buy), on the ladder."""
    if listing.kind is Kind.OPTION:
        least = OPTION_BAND_MIN if listing.inverse else OPTION_BAND_MIN * index
        room = max(least, OPTION_BAND_SHARE * mark)
    else:
        room = PERPETUAL_BAND_SHARE * index
    low = listing.snap_up(Decimal(repr(max(mark - room, float(listing.tick)))))
    return low, listing.snap_down(Decimal(repr(mark + room)))
