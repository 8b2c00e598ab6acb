"""One seed, one history: the real core against the exchange, in virtual time.

Theory of operation
-------------------
1. A heap of moments; nothing waits for a clock. The market moves, messages and requests arrive,
   the bot's ticks come, all in one order that follows from the seed alone.
2. The bot is a process: an inbox, a state, turns, and a store that is behind by up to 100 ms. A
   process can crash: then its state is gone, and a new process begins with what the store has.
3. First everything may go wrong that the plan has on, then nothing does any more, and all must
   settle within `heal_s`.
4. What must always hold is checked as it happens (`checks.py`); the first violation ends the
   history. Its hash covers everything the venue did and everything the bot wanted done.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache, partial
from hashlib import blake2b
from random import Random
from typing import Final

from mmbot.core import events as ev
from mmbot.core.bot import Bot, begun
from mmbot.core.desk import Desk
from mmbot.core.inbox import Inbox
from mmbot.core.intents import (
    CheckLease,
    Intent,
    ReserveLabels,
    SaveLatch,
    VenueIntent,
)
from mmbot.core.labels import base36
from mmbot.core.ports import Guard
from mmbot.core.state import State
from mmbot.core.types import MS, SECOND, InstrumentId, Nanos
from mmbot.sim.exchange.accounts import SelfTrade
from mmbot.sim.exchange.effects import AccountChange, BookDelta, Effect, Prints
from mmbot.sim.exchange.listing import NEVER_MS, Listing
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.market import chain
from mmbot.sim.market.market import FLOW_SCALE_DEMO, START_MS, START_PRICES, Market
from mmbot.sim.market.presets import Preset
from mmbot.sim.market.underlying import STEP_MS
from mmbot.sim.models.credits import Rate
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.virtual.bystanders import RAIDER, operator_command, place_foreign, raid
from mmbot.sim.virtual.checks import Checks, Violated, Violation
from mmbot.sim.virtual.describe import said, told
from mmbot.sim.virtual.face import ACCOUNT, TOKEN_S, VirtualVenue
from mmbot.sim.virtual.faults import FaultInjector
from mmbot.sim.virtual.pump import Pump
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.store import CYCLE_NS, LABELS_NS, VirtualStore
from mmbot.sim.virtual.timeline import Timeline
from mmbot.sim.virtual.translate import id_of, instrument_of
from mmbot.sim.wire.manner import Manner

TICK_NS: Nanos = 100 * MS
KEEP_NS: Nanos = 1 * MS
"""After the intents have left, the store is told what there is to keep."""
RESTART_S: Final = (0.5, 6.0)
OPERATOR_NS: Nanos = 5 * SECOND
"""So long it takes a person to take back the orders of a tripped bot that died."""
EXPIRY_AHEAD_S: Final = (8.0, 30.0)
DAY_MS: Final = 86_400_000
EXPIRY_OF_DAY_MS: Final = 8 * 3_600_000
RUN_BITS: Final = 28
TEXT_EVERY: Final = 10
BY_HAND: Final = 0.3
"""Where other people have orders on the account, so many of the trades with ours are theirs."""
BALANCE: Final = Decimal(1_000_000)
"""Of every currency: the desk's limits end its trading, not the account's margin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """What a history is like beside its faults. Seconds are virtual.

    `seconds` of faults, then up to `heal_s` until all has settled; never more than `turns` turns
    with faults. `market_ms` is how often the market moves, `crowd_steps` how lazily its crowd acts
    (`Market`). `crash_per_hour`: how often the bot dies and starts anew. `raids_per_s`: how
    often somebody trades through the book up to an order of ours, some of it or all. `foreign`:
    somebody else has orders on the account. `people`: somebody pauses, winds down or trips the kill
    switch now and then. `prices`: the coins that move, with what they begin at; None: those that
    are traded. Each of them has a part in the jumps of all. `manner`: how the venue says things.
    `as_text`: whether frames are encoded and read again on their way; None: in one seed of ten.
    `token_s`: how long a login lasts.
    """

    start_ms: int = START_MS
    seconds: float = 40.0
    heal_s: float = 60.0
    turns: int = 2_000
    market_ms: int = 100
    crowd_steps: int = 2
    preset: str | Preset = "normal"
    flow_scale: float = 2.0
    prices: Mapping[str, float] | None = None
    rate: Rate = field(default_factory=lambda: Rate(5.0, 20))
    crash_per_hour: float = 0.0
    raids_per_s: float = 0.0
    foreign: bool = False
    people: bool = False
    manner: Manner = Manner.PLAIN
    as_text: bool | None = None
    token_s: float = TOKEN_S

    @staticmethod
    def plain(start_ms: int) -> "WorldOptions":
        """The market as the embedded venue has it, step by step and of the same seed the same."""
        return WorldOptions(
            start_ms=start_ms,
            market_ms=STEP_MS,
            crowd_steps=1,
            flow_scale=FLOW_SCALE_DEMO,
            prices=START_PRICES,
        )

    def lasting(self, seconds: float) -> "WorldOptions":
        """The same for so long, however many turns that takes."""
        return replace(self, seconds=seconds, turns=sys.maxsize)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed. `settled_s`: how long it took after the last fault."""

    seed: int
    turns: int
    seconds: float
    fills: int
    volume_usd: float
    requests: Mapping[str, int]
    faults: Mapping[str, int]
    crashes: int
    tripped: str
    settled_s: float
    longest_cancel_wait_ms: float
    hash: str
    violation: Violation | None


class World:
    """One history. `desks` by the venue's names of the instruments."""

    def __init__(
        self,
        seed: int,
        plan: FaultPlan,
        desks: Mapping[str, Desk],
        guards: Sequence[Guard] = (),
        options: WorldOptions | None = None,
    ) -> None:
        self.seed = seed
        self.options = options or WorldOptions()
        self.trouble = FaultInjector(plan)
        self._draw = Random(f"world {seed}")
        listings = [listing_of(name, self.options.start_ms) for name in desks]
        start_ms = self._start_ms(listings)
        self._began_ns = start_ms * MS
        self.timeline = Timeline(self._began_ns)
        self.exchange = Exchange(f"w{seed}-")
        for listing in listings:
            self.exchange.list(listing)
        self.instruments = {i.id: i for i in map(instrument_of, listings)}
        prices = self.options.prices or {
            one.underlying: START_PRICES[one.underlying] for one in listings
        }
        self.market = Market(
            self.exchange,
            seed,
            start_ms,
            flow_scale=self.options.flow_scale,
            preset=self.options.preset,
            prices=prices,
            crowd_steps=self.options.crowd_steps,
        )
        balances = dict.fromkeys(self.exchange.currencies, BALANCE)
        own = SelfTrade.TRADES if self.options.foreign else SelfTrade.CANCEL_MAKER
        self.exchange.open_account(ACCOUNT, balances, self_trade=own)
        self.exchange.open_account(RAIDER, balances, followed=False)
        self.venue = VirtualVenue(
            self.timeline,
            self.exchange,
            self.market,
            list(self.instruments.values()),
            self.trouble,
            self.options.rate,
            manner=self.options.manner,
            seed=seed,
            token_s=self.options.token_s,
        )
        self.venue.observe = self._observe
        self.venue.on_rest = self._arriving
        for name in desks:
            self.market.watch(name)
        self.exchange.drain()
        self.desks = {id_of(name): desk for name, desk in desks.items()}
        self.guards = guards
        self.store = VirtualStore()
        self.flying: dict[object, OrderRequest] = {}
        self.checks = Checks(self.exchange, self.venue, self.store, self.desks, self.flying)
        self.state: State | None = None
        self.line: Pump | None = None
        self.turns = 0
        self.crashes = 0
        self._lives = 0
        as_text = self.options.as_text
        self._as_text = seed % TEXT_EVERY == 0 if as_text is None else as_text
        self._hash = blake2b(digest_size=16)
        self._inbox = Inbox()
        self._turn_due = False
        self._keep_due = False
        self._doing = "nothing yet"
        self._settled = False
        self._healed_ns: Nanos = 0
        self._fills = 0
        self._volume_usd = 0.0

    # --- the history ---

    def run(self) -> Outcome:
        """Let it happen, to its end or its first violation."""
        violation = None
        try:
            self._begin()
            while not self._settled:
                self.timeline.step()
        except Violated as failed:
            violation = self._violation(failed.check, failed.detail)
        return self._outcome(violation)

    def _begin(self) -> None:
        if self.options.foreign:
            for order in place_foreign(self.exchange, self.venue, self._draw):
                self.checks.foreign(order)
        self._move_market()
        self._misfortune()
        self._every_second()
        self._start()

    def _start_ms(self, listings: Sequence[Listing]) -> int:
        """The moment it begins: shortly before an expiry, if that is to come in mid-flight."""
        start_ms = self.options.start_ms
        if not self.trouble.strikes("expiry_soon"):
            return start_ms
        daily_ms = start_ms - start_ms % DAY_MS + EXPIRY_OF_DAY_MS
        next_ms = daily_ms if daily_ms > start_ms else daily_ms + DAY_MS
        expiries = [one.expiry_ms for one in listings if one.expiry_ms < NEVER_MS]
        least, most = EXPIRY_AHEAD_S
        ahead_s = least + (most - least) * self._draw.random()
        return min(expiries, default=next_ms) - int(1_000 * ahead_s)

    def _violation(self, check: str, detail: str) -> Violation:
        now_ns = self.timeline.now_ns
        return Violation(check, detail, self.seed, now_ns, self.turns, self._doing)

    def _outcome(self, violation: Violation | None) -> Outcome:
        tripped = self.store.latch[0].value if self.store.latch is not None else ""
        healed_ns = self._healed_ns or self.timeline.now_ns
        return Outcome(
            seed=self.seed,
            turns=self.turns,
            seconds=(self.timeline.now_ns - self._began_ns) / SECOND,
            fills=self._fills,
            volume_usd=self._volume_usd,
            requests=dict(self.venue.counts),
            faults=dict(self.trouble.counts),
            crashes=self.crashes,
            tripped=tripped,
            settled_s=(self.timeline.now_ns - healed_ns) / SECOND,
            longest_cancel_wait_ms=self.checks.longest_cancel_wait_ns / MS,
            hash=self._hash.hexdigest(),
            violation=violation,
        )

    # --- the bot's process ---

    def _start(self) -> None:
        """A process begins, unless the kill switch is tripped: then a person has to come first."""
        now_ns = self.timeline.now_ns
        if self.store.latch is not None:
            self._doing = "the engine refuses to start: the kill switch is tripped"
            self.timeline.after(OPERATOR_NS, self._operator)
            return
        self._lives += 1
        run = base36(self._draw.getrandbits(RUN_BITS))
        listed = ev.InstrumentsListed(tuple(self.instruments.values()))
        labels = ev.LabelsReserved(self.store.reserve())
        state = self.state = begun(run, now_ns, (listed, labels))
        self._bot = Bot(state, dict(self.desks), self.guards)
        self.store.restore(state, self.instruments)
        self.checks.begin()
        self._retired: list[InstrumentId] = []
        self._inbox = Inbox()
        self._turn_due = self._keep_due = False
        self.line = Pump(
            self.timeline,
            self.venue,
            self.trouble,
            self._draw,
            partial(self._sink, self._lives),
            self.flying,
            self._arriving,
            self._carried_out,
            as_text=self._as_text,
        )
        self.line.connect()
        self._cycle(self._lives)
        self._tick(self._lives)

    def _crash(self) -> None:
        """The process is gone, and with it everything that was not on the disk."""
        assert self.line is not None, "only what runs can crash"
        self._doing = "the bot crashes"
        self.crashes += 1
        self._lives += 1  # whatever was meant for the dead finds nobody
        self.line.crash()
        self.line = self.state = None
        self.store.lose_queue()
        least, most = RESTART_S
        self.timeline.after(
            int((least + (most - least) * self._draw.random()) * SECOND), self._start
        )

    def _operator(self) -> None:
        """A person takes back what a tripped bot has left behind."""
        self._doing = "a person cancels everything of ours"
        self.venue.cancel_ours()
        if self.venue.our_orders:
            self.timeline.after(OPERATOR_NS, self._operator)
        elif self._healed_ns:
            self._settled = True
        else:
            self.timeline.after(OPERATOR_NS, self._operator)

    def _sink(self, life: int, event: ev.Event) -> None:
        """Something happened; the turn follows behind everything of this moment."""
        if life != self._lives or self.state is None:
            return
        self._inbox.put(event)
        if not self._turn_due:
            self._turn_due = True
            self.timeline.after(0, partial(self._take, life))

    def _take(self, life: int) -> None:
        if life != self._lives:
            return
        self._turn_due = False
        state, line, now_ns = self.state, self.line, self.timeline.now_ns
        assert state is not None, "somebody is alive"
        assert line is not None, "who is alive has a line"
        events = self._inbox.drain()
        for event in events:
            self.checks.told(event)
        self._doing = told(events)
        self.turns += 1
        taken = self._bot.step(events, now_ns)
        if taken.error is not None:  # whatever it is, it would have tripped the kill switch
            raise Violated("bug", taken.failure) from taken.error
        intents = taken.intents
        if intents:
            self._doing += " -> " + "; ".join(map(said, intents))
        self._note_taken(events, intents, now_ns)
        self.checks.decided(state, intents, now_ns)
        for event in events:
            if isinstance(event, ev.SnapshotTaken):
                self.checks.absorbed(state, event)
        if intents:
            self._submit(line, intents)
            self.checks.sent(intents)
        self._forget_retired(state, line)
        if not self._keep_due:
            self._keep_due = True
            self.timeline.after(KEEP_NS, partial(self._keep, life))
        if self._healed_ns:
            self._look_whether_settled(state, now_ns)

    def _forget_retired(self, state: State, line: Pump) -> None:
        """What has come to its end is heard of no more."""
        retired = [one for one in state.retired.lately if one not in self._retired]
        if retired:
            self._retired += retired
            line.unfollow(retired)

    def _submit(self, line: Pump, intents: Sequence[Intent]) -> None:
        to_venue: list[VenueIntent] = []
        for intent in intents:
            match intent:
                case ReserveLabels():
                    self.timeline.after(LABELS_NS, partial(self._reserve, self._lives))
                case SaveLatch():
                    self.store.keep_latch((intent.why, intent.detail))
                    self._sink(self._lives, ev.LatchSaved())
                case CheckLease():
                    asked = ev.LeaseChecked(self.timeline.now_ns)
                    self.timeline.after(LABELS_NS, partial(self._sink, self._lives, asked))
                case _:
                    to_venue.append(intent)
        line.submit(to_venue)

    def _reserve(self, life: int) -> None:
        if life == self._lives:
            self._sink(life, ev.LabelsReserved(self.store.reserve()))

    def _keep(self, life: int) -> None:
        if life != self._lives or self.state is None:
            return
        self._keep_due = False
        self.checks.booked(self.state.entries)
        self.checks.believed(self.state)
        self.store.keep(self.state)

    def _cycle(self, life: int) -> None:
        if life == self._lives:
            self.store.cycle(self.timeline.now_ns)
            self.timeline.after(CYCLE_NS, partial(self._cycle, life))

    def _tick(self, life: int) -> None:
        if life == self._lives:
            self._sink(life, ev.Tick())
            self.timeline.after(TICK_NS, partial(self._tick, life))

    # --- the world around it ---

    def _move_market(self) -> None:
        chance = self.options.raids_per_s * self.options.market_ms / 1_000
        if not self._healed_ns and self._draw.random() < chance:
            by_us = self.options.foreign and self._draw.random() < BY_HAND
            raided = raid(self.exchange, self.venue, self._draw, ACCOUNT if by_us else RAIDER)
            if raided is not None:
                self._doing = raided.told
                if by_us:
                    self.checks.foreign(raided.order)
        self.venue.advance()
        self.timeline.after(self.options.market_ms * MS, self._move_market)

    def _misfortune(self) -> None:
        """Once a second: what comes so and so often an hour."""
        trouble, plan = self.trouble, self.trouble.plan
        if self.line is not None:
            self._strike_lines(self.line)
        if trouble.befalls("stale_book", plan.stale_book_per_hour):
            names = list(self.venue.instruments)
            self.venue.stop_book(names[trouble.pick(len(names))], trouble.up_to(plan.stale_s))
        if trouble.befalls("restart", plan.restart_per_hour):
            self._doing = "the venue restarts"
            away_ns = trouble.up_to(plan.down_s)
            loses = trouble.strikes("restart_loses_orders")
            forgetful = loses and trouble.either()
            self.venue.restart(away_ns, with_orders=not loses, forgetful=forgetful)
        crashes = 0.0 if self._healed_ns else self.options.crash_per_hour
        if self.line is not None and trouble.befalls("crash", crashes):
            self._crash()
        self.timeline.after(1 * SECOND, self._misfortune)

    def _strike_lines(self, line: Pump) -> None:
        trouble, plan = self.trouble, self.trouble.plan
        if trouble.befalls("cut", plan.cut_per_hour):
            self._doing = "every connection is cut"
            line.cut("cut")
            self.venue.away_until_ns = self.timeline.now_ns + trouble.up_to(plan.down_s)
        if trouble.befalls("half_open", plan.half_open_per_hour):
            which = trouble.pick(3)
            for link, spared in ((ev.Link.MARKET, 0), (ev.Link.TRADING, 1)):
                if which != spared:
                    line.deafen(link, trouble.up_to(plan.half_open_s))
        if trouble.befalls("private_silence", plan.private_silence_per_hour):
            line.mute(trouble.up_to(plan.private_silence_s))
        if trouble.befalls("closed_book", plan.closed_book_per_hour):
            line.close_before_an_order(trouble.up_to(plan.closed_s))

    def _every_second(self) -> None:
        self.checks.second()
        if self.line is not None:
            self.checks.untold(self.line.untold_s())
        now_ns = self.timeline.now_ns
        if self.options.people and not self._healed_ns:
            self._people()
        over = now_ns - self._began_ns >= self.options.seconds * SECOND
        if not self._healed_ns and (over or self.turns >= self.options.turns):
            self._heal()
        elif self._healed_ns and now_ns - self._healed_ns > self.options.heal_s * SECOND:
            state = self.state
            missing = self.checks.missing(state, now_ns) if state is not None else ["no process"]
            raise Violated("settling", f"after {self.options.heal_s:g} s: {'; '.join(missing)}")
        self.timeline.after(1 * SECOND, self._every_second)

    def _heal(self) -> None:
        """Nothing goes wrong from now on, and nobody interferes any more."""
        self._healed_ns = self.timeline.now_ns
        self.trouble.heal()
        if self.options.people:
            self._sink(self._lives, ev.Unpause())
            self._sink(self._lives, ev.WindDown(on=False))

    def _look_whether_settled(self, state: State, now_ns: Nanos) -> None:
        if self._inbox or state.entries or self.checks.missing(state, now_ns):
            return
        self.checks.settle_up(state)
        self._settled = True

    def _people(self) -> None:
        """The operators do something now and then."""
        event = operator_command(self._draw) if self.line is not None else None
        if event is not None:
            self._sink(self._lives, event)

    # --- what is seen ---

    def _arriving(self, request: OrderRequest) -> None:
        self._doing = f"arrives: {said(request)}"
        self._note(f"{self.timeline.now_ns} {said(request)}")
        self.checks.arriving(request)

    def _carried_out(self, request: OrderRequest) -> None:
        self.checks.carried_out(request)

    def _observe(self, effect: Effect) -> None:
        """Everything the exchange does goes into the hash, and our fills are counted."""
        if isinstance(effect, BookDelta):
            self.checks.moved(effect)
        elif isinstance(effect, AccountChange):
            for order in effect.orders:
                self._note(f"{order.order_id} {order.state.value} {order.filled} {order.price}")
            for made in effect.trades:
                self._fills += 1
                public = made.public
                listing = self.exchange.terms(public.name)
                inverse_future = listing.inverse and listing.strike is None
                in_usd = 1.0 if inverse_future else float(public.index)
                self._volume_usd += float(public.amount) * in_usd
                self.checks.traded(made)
        elif isinstance(effect, Prints):
            for public in effect.trades:
                self._note(f"{public.trade_id} {public.price} {public.amount} {public.time_ms}")

    def _note_taken(
        self, events: Sequence[ev.Event], intents: Sequence[Intent], now_ns: Nanos
    ) -> None:
        self._note(f"{now_ns} {len(events)}")
        for intent in intents:
            self._note(said(intent))

    def _note(self, text: str) -> None:
        self._hash.update(text.encode())


@lru_cache(64)
def listing_of(name: str, at_ms: int) -> Listing:
    """The terms of an instrument that is listed at that moment. Raises KeyError for any other."""
    return _listed(name.partition("-")[0], at_ms)[name]


@lru_cache(8)
def _listed(prefix: str, at_ms: int) -> Mapping[str, Listing]:
    family = chain.FAMILIES[prefix]
    price = START_PRICES[family.underlying]
    return {one.name: one for one in chain.listings(family, price, at_ms)}
