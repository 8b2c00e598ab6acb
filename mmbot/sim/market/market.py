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
   Of an option whose ticker alone is followed makers say what they would quote (`glance.py`).
4. The latent prices, their news included, do not depend on what is watched or traded. Nor does
   funding: it accrues every second on every perpetual.
5. `crowd_steps` above 1 lets the crowd act in every so many steps only, its takers as often
   altogether: cheaper where the weather matters more than the crowd's manners. What is only
   looked at is looked at as seldom.
6. At 08:00 UTC what expires is delivered at the mean of its index since 07:30, sessions are
   settled, and what the calendar and the price now ask for is listed. For the exchange's
   `settlement_pause_ms` nobody trades. Sessions of less than a day (`session_ms`) end in between
   as well.
7. Markets of one seed and one start that are told the same times have the same latent prices,
   whatever is traded in them: those of several exchanges in one world differ in their `crowd`.

Flow. `flow_scale` multiplies the arrival of takers and of news. At 1, the demonstration's default,
a near-the-money option sees a taker every few seconds, and who joins the top of four of them gets
a fill every 5 to 15 seconds; real options trade less than once an hour, which is about 0.002.

`worth.py` says what instruments are worth, `scene.py` what their traders could know of that,
`flow.py` what they do, and `ticker.py` what is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from types import MappingProxyType
from typing import Final

from mmbot.sim.exchange.effects import Prints
from mmbot.sim.exchange.funding import Funding, FundingHour
from mmbot.sim.exchange.listing import Kind, Listing
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.settlement import deliver, settle_session
from mmbot.sim.market import chain
from mmbot.sim.market.delivery import SETTLEMENT_OF_DAY_MS
from mmbot.sim.market.flow import (
    INFORMED_ACCOUNT,
    MAKERS,
    NOISE_ACCOUNT,
    SNIPER_ACCOUNT,
    InformedTaker,
    NoiseTaker,
    Quoter,
    Sniper,
)
from mmbot.sim.market.glance import Glance, Glances
from mmbot.sim.market.presets import PRESETS, Preset
from mmbot.sim.market.scene import Scene, scene_of
from mmbot.sim.market.stats import Stats, TradeHistory
from mmbot.sim.market.ticker import MarketTicker, linear_ticker, option_ticker
from mmbot.sim.market.underlying import STEP_MS, Latent, News, Underlyings
from mmbot.sim.market.worth import Worth, rounded

START_MS: Final = 1_748_865_600_000  # 2025-06-02T12:00:00Z
START_PRICES: Final = MappingProxyType({"BTC": 105_000.0, "ETH": 2_850.0, "XRP": 2.2, "SOL": 155.0})
FLOW_SCALE_DEMO: Final = 1.0

CROWD_BALANCE: Final = Decimal(1_000_000_000)  # of every currency: deep enough never to matter
MARK_STEPS: Final = 10  # marks are set twice a second

SECOND_STEPS: Final = 1_000 // STEP_MS


@dataclass(slots=True)
class _Crowd:
    """Everybody who trades one watched instrument."""

    listing: Listing
    latent: Latent
    makers: list[Quoter]
    noise: NoiseTaker
    sniper: Sniper
    informed: InformedTaker


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
        crowd_steps: int = 1,
        crowd: str = "",
    ) -> None:
        assert crowd_steps >= 1, "the crowd acts every step, or every few of them"
        self.exchange = exchange
        self.seed = seed
        self.flow_scale = flow_scale
        self.preset = PRESETS[preset] if isinstance(preset, str) else preset
        path = self.preset.path
        path = replace(path, news_per_hour=path.news_per_hour * flow_scale)
        self.underlyings = Underlyings(seed, start_ms, prices, path)
        self.now_ms = start_ms
        self._crowd_steps = crowd_steps
        self._crowd = crowd
        self._slices: dict[str, list[News]] = {}  # traded since the crowd last acted, by currency
        self._steps = 0
        self._crowds: dict[str, _Crowd] = {}
        self._marked: dict[str, Listing] = {}  # whatever was watched once: somebody may hold it
        self._watches: dict[str, int] = {}
        self._histories: dict[str, TradeHistory] = {}
        self._session_ends_ms = _next_session_ms(start_ms, exchange.rules.session_ms)
        families = chain.families_of(exchange.rules)
        self._families = [one for one in families if one.underlying in prices]
        self._worth = Worth(exchange, self.underlyings, self._families, prices)
        self._glances = Glances(exchange, self._worth, MARK_STEPS * crowd_steps)
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
        stream = f"{self._crowd}{self.seed}:{name}:{count}"
        flow = self.preset.flow
        rate = {
            Kind.OPTION: flow.noise_per_s,
            Kind.PERPETUAL: flow.perpetual_noise_per_s,
            Kind.FUTURE: flow.future_noise_per_s,
        }[listing.kind]
        crowd = self._crowds[name] = _Crowd(
            listing,
            self.underlyings[listing.underlying],
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
        scene, _ = self._scene(crowd)
        for maker in crowd.makers:
            maker.act(self.exchange, scene)

    def glance(self, name: str) -> None:
        """Have makers say twice a second what they would quote of an option, without a crowd."""
        listing = self.exchange.listings.get(name)
        if listing is None or listing.kind is not Kind.OPTION or name in self._glances:
            return
        glance = Glance(
            listing,
            self.exchange.book(name).ladder,
            Random(f"{self._crowd}{self.seed}:{name}:glance"),
            self.preset.flow.width_scale,
            self._underlying_index(listing),
        )
        self._glances.add(glance, self.underlyings[listing.underlying])

    def unglance(self, name: str) -> None:
        """Nobody asks them any more."""
        self._glances.drop(name)

    def glanced(self, name: str) -> MarketTicker | None:
        """The ticker of an option that is only looked at; None of any other."""
        glance = self._glances.get(name)
        return None if glance is None or name in self._crowds else glance.ticker

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
        history = self._histories.setdefault(prints.name, TradeHistory())
        for trade in prints.trades:
            history.note(listing, trade)

    # -- what it publishes ---------------------------------------------------------------------

    def prices(self) -> dict[str, float]:
        """What each coin is worth now, in USD: where another market could go on."""
        return {currency: latent.price for currency, latent in self.underlyings.latents.items()}

    def index(self, name: str) -> float:
        """The index in USD, by the venue's name for it (`eth_usd`); KeyError for any other."""
        return self._worth.index(name)

    def delivery_estimate(self, name: str) -> float:
        """The next delivery price of that index, as the venue expects it.

        The index itself until half an hour before; then the mean so far and the index, each for its
        share of the half hour.
        """
        return self._worth.delivery_estimate(name)

    def funding_hours(self, name: str) -> Sequence[FundingHour]:
        """The funding of a perpetual by the hour, oldest first."""
        return self._perpetuals[name].hours

    def ticker(self, name: str) -> MarketTicker:
        """What the venue publishes about an instrument now, watched or not, expired or not."""
        glanced = self.glanced(name)
        if glanced is not None:
            return glanced
        listing = self.exchange.terms(name)
        latent = self.underlyings[listing.underlying]
        history = self._histories.get(name)
        stats = history.stats(self.now_ms) if history is not None else Stats()
        if listing.kind is not Kind.OPTION:
            funding = self._perpetuals.get(name)
            return linear_ticker(self._worth, listing, latent, stats, funding)
        book = self.exchange.book(name) if name in self._marked else None
        index = self._underlying_index(listing)
        return option_ticker(self._worth, listing, latent, stats, book, index)

    # -- one step ------------------------------------------------------------------------------

    def _step(self) -> None:
        self.underlyings.step()
        self.now_ms = self.underlyings.now_ms
        self._steps += 1
        self._worth.moved()
        if self._steps % SECOND_STEPS == 0:
            self._second()
        if self._steps % MARK_STEPS == 0:
            for listing in self._marked.values():
                self._mark(listing)
        self._glances.step(self._steps, self.underlyings.latents, self._crowds)
        self._end_sessions()
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
            self._worth.windows[family.index_name].observe(self.now_ms, index)

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
            window = self._worth.windows[family.index_name]
            mean = window.delivery(self.underlyings[family.underlying].index)
            delivered[family.index_name] = price = rounded(mean, family.index_digits)
            prices = exchange.delivery_prices.setdefault(family.index_name, [])
            prices.append((self.now_ms, price))
        for listing in list(exchange.listings.values()):
            if listing.expiry_ms <= self.now_ms:
                deliver(exchange, listing.name, delivered[listing.index_name], self.now_ms)
                self._marked.pop(listing.name, None)
                self._glances.drop(listing.name)
                self._histories.pop(listing.name, None)
        self._session_ends_ms = _next_session_ms(self.now_ms, exchange.rules.session_ms)
        settle_session(exchange, self.now_ms)
        exchange.settling_until_ms = self.now_ms + exchange.rules.settlement_pause_ms
        for listing in self._calendar():
            if listing.name not in exchange.listings:
                exchange.list(listing, self.now_ms)

    def _end_sessions(self) -> None:
        """Where it is time: at 08:00 UTC, and between two mornings if sessions are that short."""
        if self.now_ms >= self._settles_ms:
            self._settle()
        elif self.now_ms >= self._session_ends_ms:
            for name in self._perpetuals:
                self._mark(self.exchange.listings[name])
            self._session_ends_ms = _next_session_ms(self.now_ms, self.exchange.rules.session_ms)
            settle_session(self.exchange, self.now_ms)

    @property
    def _settles_ms(self) -> int:
        return self._worth.windows[self._families[0].index_name].close_ms

    def _calendar(self) -> Iterator[Listing]:
        """What is to be listed now."""
        for family in self._families:
            price = self.underlyings[family.underlying].price
            yield from chain.listings(family, price, self.now_ms)

    def _trade(self, crowd: _Crowd) -> None:
        """One step of one instrument: takers first, then makers."""
        exchange = self.exchange
        scene, activity = self._scene(crowd)
        for news in self._slices[crowd.listing.underlying]:
            crowd.informed.act(exchange, scene, scene.gain(crowd.latent, news))
        crowd.noise.act(exchange, scene, activity)
        if self.preset.flow.snipers:
            crowd.sniper.act(exchange, scene)
        for maker in crowd.makers:
            if maker.wake_ms <= self.now_ms:
                maker.act(exchange, scene)

    def _scene(self, crowd: _Crowd) -> tuple[Scene, float]:
        listing = crowd.listing
        book = self.exchange.book(listing.name)
        return scene_of(self._worth, listing, book, crowd.latent, self.preset.path.vol_mean)

    def _mark(self, listing: Listing) -> None:
        mark = self._worth.mark(listing)
        self.exchange.set_mark(
            listing.name,
            mark.price,
            index=mark.index,
            min_price=mark.low,
            max_price=mark.high,
            underlying=mark.underlying,
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


def _next_session_ms(now_ms: int, session_ms: int) -> int:
    """When the session that holds `now_ms` ends; sessions are counted from 08:00 UTC."""
    return now_ms - (now_ms - SETTLEMENT_OF_DAY_MS) % session_ms + session_ms
