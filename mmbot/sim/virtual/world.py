"""One seed, one history: the real core against the exchange, in virtual time.

Theory of operation
-------------------
1. A heap of moments; nothing waits for a clock. The market moves, messages and requests arrive,
   the bot's ticks come, all in one order that follows from the seed alone.
2. The bot is a process: an inbox, a state, turns, and a store that is behind by up to 100 ms. A
   process can crash: then its state is gone, and a new process begins with what the store has. Or
   people end it: then it leaves every account (`leaving.py`) before it is gone.
3. It has one account or several (`account.py`), each with a line of its own, all at one exchange.
   Latch, risk book and turns are one; proof, lease and what is taken over are each account's.
4. First everything may go wrong that the plan has on, then nothing does any more, and all must
   settle within `heal_s`.
5. What must always hold is checked as it happens (`checks.py`); the first violation ends the
   history. Its hash covers everything the venue did and everything the bot wanted done.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from hashlib import blake2b
from random import Random
from typing import Final

from mmbot.core import events as ev
from mmbot.core.bot import Bot, begun
from mmbot.core.chains import FitSurface, Fitted
from mmbot.core.desk import Desk
from mmbot.core.inbox import Inbox
from mmbot.core.intents import (
    CheckLease,
    Intent,
    Place,
    Replace,
    ReserveLabels,
    SaveLatch,
    VenueIntent,
    venue_of,
)
from mmbot.core.labels import base36
from mmbot.core.ports import Guard
from mmbot.core.state import State
from mmbot.core.types import MS, SECOND, InstrumentId, Nanos, instrument_name, venue_name
from mmbot.core.why import Why
from mmbot.sim.exchange.accounts import SelfTrade
from mmbot.sim.exchange.effects import AccountChange, BookDelta, Effect, Prints, TradeConcluded
from mmbot.sim.exchange.finality import LateFinality, Standing
from mmbot.sim.exchange.listing import NEVER_MS, Listing
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason
from mmbot.sim.market import chain
from mmbot.sim.market.market import START_PRICES, Market
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.virtual.account import VirtualAccount, known_as
from mmbot.sim.virtual.account_checks import AccountChecks
from mmbot.sim.virtual.bystanders import (
    RAIDER,
    Departure,
    InTheWay,
    departure,
    operator_command,
    place_foreign,
    raid,
)
from mmbot.sim.virtual.checks import Checks
from mmbot.sim.virtual.describe import said, said_left, told
from mmbot.sim.virtual.face import VirtualVenue
from mmbot.sim.virtual.faults import FaultInjector
from mmbot.sim.virtual.history import Outcome, WorldOptions
from mmbot.sim.virtual.leaving import Leaving, Left
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.store import CYCLE_NS, LABELS_NS, VirtualStore
from mmbot.sim.virtual.timeline import Timeline
from mmbot.sim.virtual.translate import instrument_of
from mmbot.sim.virtual.violation import Violated, Violation
from mmbot.sim.wire.faces import USUAL, face_of

Fit = Callable[[FitSurface], Fitted | None]
"""Fits a surface, or leaves that undone."""

TICK_NS: Nanos = 100 * MS
FIT_NS: Nanos = 200 * MS
"""So long a fit takes, whatever the machine."""
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


def never_fitted() -> Fit:
    """For worlds in which options are not valued on a surface."""
    return lambda _wanted: None


class World:
    """One history. `desks` says by which desk each instrument is quoted; they have as many accounts
    as their instruments have venues."""

    def __init__(
        self,
        seed: int,
        plan: FaultPlan,
        desks: Mapping[InstrumentId, Desk],
        guards: Sequence[Guard] = (),
        options: WorldOptions | None = None,
        *,
        fitting: Callable[[], Fit] = never_fitted,
    ) -> None:
        """`fitting`: of each process, what fits its surfaces; unless it is given none are."""
        self.seed = seed
        self._fitting = fitting
        self.options = options or WorldOptions()
        self._plan = plan
        self.trouble = FaultInjector(plan)
        """What befalls the exchange, our process, and the first account's line."""
        self._draw = Random(f"world {seed}")
        self._in_the_way = InTheWay(seed)
        self._departing = Random(f"departures {seed}")
        names = list(dict.fromkeys(map(instrument_name, desks)))
        listings = {name: self._listing(name) for name in names}
        besides = self._looked_at(desks)
        start_ms = self._start_ms(list(listings.values()))
        self._began_ns = start_ms * MS
        self.timeline = Timeline(self._began_ns)
        self.exchange = Exchange(f"w{seed}-", face_of(self.options.kind).rules)
        if not self.options.can.fills_final:
            self.exchange.finality = LateFinality(seed)
        for listing in (listings | besides).values():
            self.exchange.list(listing)
        self.market = self._market((listings | besides).values(), start_ms)
        self.desks = desks
        self.instruments = {
            id_: instrument_of(listings[instrument_name(id_)], desk.venue)
            for id_, desk in desks.items()
        }
        balances = dict.fromkeys(self.exchange.currencies, BALANCE)
        self.accounts: dict[str, VirtualAccount] = {}
        """By what the bot calls their venues."""
        for venue in dict.fromkeys(desk.venue for desk in desks.values()):
            self.accounts[venue] = self._account(venue, balances)
        self.exchange.open_account(RAIDER, balances, followed=False)
        for name in names:
            self.market.watch(name)
        self.exchange.drain()
        self.guards = guards
        self.store = VirtualStore()
        self.checks = Checks(self.exchange, list(self.accounts.values()), self.store)
        self.state: State | None = None
        self.turns = 0
        self.crashes = 0
        self.departures = 0
        self._lives = 0
        as_text = self.options.as_text
        self._as_text = seed % TEXT_EVERY == 0 if as_text is None else as_text
        self._hash = blake2b(digest_size=16)
        self._inbox = Inbox()
        self._leaving: Leaving | None = None
        self._turn_due = self._keep_due = False
        self._doing: str | Callable[[], str] = "nothing yet"
        """What is happening, or who can tell: of nearly every turn nobody asks."""
        self._settled = False
        self._healed_ns: Nanos = 0
        self._fills = 0
        self._volume_usd = 0.0

    def _market(self, listed: Iterable[Listing], start_ms: int) -> Market:
        prices = self.options.prices or {
            one.underlying: START_PRICES[one.underlying] for one in listed
        }
        return Market(
            self.exchange,
            self.seed,
            start_ms,
            flow_scale=self.options.flow_scale,
            preset=self.options.preset,
            prices=prices,
            crowd_steps=self.options.crowd_steps,
        )

    def _looked_at(self, desks: Container[InstrumentId]) -> dict[str, Listing]:
        """What the bot looks at besides what it trades, by the venue's names."""
        watched = [one for one in self.options.watched if one not in desks]
        listings = {name: self._listing(name) for name in map(instrument_name, watched)}
        self.watched = {
            one: instrument_of(listings[instrument_name(one)], venue_name(one)) for one in watched
        }
        return listings

    def _listing(self, name: str) -> Listing:
        return listing_of(name, self.options.start_ms, self.options.kind)

    def _account(self, venue: str, balances: Mapping[str, Decimal]) -> VirtualAccount:
        """One account with its side of the line, and what goes wrong on it."""
        first = not self.accounts
        name = known_as(venue, first=first)
        own = self.exchange.rules.self_trade
        if self.options.foreign and own is SelfTrade.CANCEL_MAKER:
            own = SelfTrade.TRADES
        self.exchange.open_account(name, balances, self_trade=own)
        trouble = self.trouble if first else FaultInjector(self._plan, venue)
        served = VirtualVenue(
            self.timeline,
            self.exchange,
            self.market,
            [one for one in self.instruments.values() if one.venue == venue],
            trouble,
            self.options.rate,
            name,
            venue,
            manner=self.options.manner,
            can=self.options.can,
            seed=self.seed,
            token_s=self.options.token_s,
            watched=[one for one in self.watched.values() if one.venue == venue],
            beside=next((one.venue for one in self.accounts.values()), None),
            kind=self.options.kind,
        )
        served.observe = self._observe
        served.on_rest = partial(self._arriving, venue)
        desks = {id_: desk for id_, desk in self.desks.items() if desk.venue == venue}
        return VirtualAccount(venue, desks, served, trouble)

    @property
    def lone(self) -> VirtualAccount:
        """The account of a world that has one."""
        (account,) = self.accounts.values()
        return account

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
            for name, account in self.accounts.items():
                for order in place_foreign(self.exchange, account.venue, self._draw):
                    self.checks.at[name].foreign(order)
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
        now_ns, doing = self.timeline.now_ns, self._doing
        said_doing = doing if isinstance(doing, str) else doing()
        return Violation(check, detail, self.seed, now_ns, self.turns, said_doing)

    def _outcome(self, violation: Violation | None) -> Outcome:
        tripped = self.store.latch[0].value if self.store.latch is not None else ""
        healed_ns = self._healed_ns or self.timeline.now_ns
        return Outcome(
            seed=self.seed,
            turns=self.turns,
            seconds=(self.timeline.now_ns - self._began_ns) / SECOND,
            fills=self._fills,
            volume_usd=self._volume_usd,
            requests=_sum(account.venue.counts for account in self.accounts.values()),
            faults=_sum(account.trouble.counts for account in self.accounts.values()),
            crashes=self.crashes,
            departures=self.departures,
            tripped=tripped,
            settled_s=(self.timeline.now_ns - healed_ns) / SECOND,
            longest_cancel_wait_ms=self.checks.longest_cancel_wait_ns / MS,
            residual=float(self.checks.residual),
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
        described = [ev.VenueDescribed(name, self.options.can) for name in self.accounts]
        listed = ev.InstrumentsListed(tuple(self.instruments.values()))
        labels = ev.LabelsReserved(self.store.reserve())
        looked_at = (ev.InstrumentsWatched(tuple(self.watched.values())),) if self.watched else ()
        state = self.state = begun(run, now_ns, (*described, listed, *looked_at, labels))
        self._bot = Bot(state, dict(self.desks), self.guards)
        self.store.restore(state, self.accounts, self.instruments)
        self.checks.begin()
        self._retired: list[InstrumentId] = []
        self._inbox = Inbox()
        self._fit = self._fitting()
        self._turn_due = self._keep_due = False
        for name, account in self.accounts.items():
            account.connect(
                self.timeline,
                self._draw,
                partial(self._sink, self._lives),
                partial(self._arriving, name),
                partial(self._carried_out, name),
                as_text=self._as_text,
            )
        self._cycle(self._lives)
        self._tick(self._lives)

    def _crash(self) -> None:
        """The process is gone, and with it everything that was not on the disk."""
        self._doing = "the bot crashes"
        self.crashes += 1
        if self._leaving is not None:
            self._leaving.abandon()
        self._gone()
        self.checks.crashed()
        self.store.lose_queue()

    def _gone(self) -> None:
        """There is no process any more; after a while there is another one."""
        assert self.state is not None, "only what runs can end"
        self._lives += 1  # whatever was meant for the dead finds nobody
        for account in self.accounts.values():
            account.hang_up()
        self.state = self._leaving = None
        least, most = RESTART_S
        self.timeline.after(
            int((least + (most - least) * self._draw.random()) * SECOND), self._start
        )

    def _leave(self, why: Why) -> None:
        """The process is asked to end: it leaves every account first."""
        assert self.state is not None, "only what runs can leave"
        if self._leaving is None:
            sink = partial(self._sink, self._lives)
            self._leaving = Leaving(self.timeline, self.state, self.accounts, sink, self._ended)
            self._leaving.begin(why)

    def _ended(self, left: Left) -> None:
        """The process has left, writes what it has to write, and says what it leaves behind."""
        self._doing = f"the process ends, leaving {said_left(left)}"
        self.departures += 1
        state, proved = self.state, all(orders == () for orders in left.values())
        assert state is not None, "only what runs can end"
        self.checks.booked(state.entries)
        self.checks.left(state, left)
        self.store.end(state, self.timeline.now_ns, proved=proved)
        self._gone()

    def _operator(self) -> None:
        """A person takes back what a tripped bot has left behind."""
        self._doing = "a person cancels everything of ours"
        for account in self.accounts.values():
            account.venue.cancel_ours()
        if any(account.venue.our_orders for account in self.accounts.values()):
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
        if self._leaving is not None:
            self._leaving.heard(event)

    def _take(self, life: int) -> None:
        if life != self._lives:
            return
        self._turn_due = False
        state, now_ns = self.state, self.timeline.now_ns
        assert state is not None, "somebody is alive"
        events = self._inbox.drain()
        for event in events:
            self.checks.told(event)
        self._doing = partial(told, events)
        self.turns += 1
        taken = self._bot.step(events, now_ns)
        if taken.error is not None:  # whatever it is, it would have tripped the kill switch
            raise Violated("bug", taken.failure) from taken.error
        intents = taken.intents
        if intents:
            self._doing = partial(told, events, intents)
        self._note_taken(events, intents, now_ns)
        self.checks.decided(state, intents, now_ns)
        for event in events:
            if isinstance(event, ev.SnapshotTaken):
                self.checks.absorbed(state, event)
        if intents:
            self._submit(intents)
            self.checks.sent(intents)
        self._forget_retired(state, [one for one in taken.retired if one in self.watched])
        if not self._keep_due:
            self._keep_due = True
            self.timeline.after(KEEP_NS, partial(self._keep, life))
        if self._healed_ns:
            self._look_whether_settled(state, now_ns)

    def _forget_retired(self, state: State, watched: Sequence[InstrumentId]) -> None:
        """What has come to its end is heard of no more."""
        retired = [one for one in state.retired.lately if one not in self._retired]
        self._retired += retired
        retired += watched
        for name, account in self.accounts.items():
            gone = [one for one in retired if venue_name(one) == name]
            if gone and account.line is not None:
                account.line.unfollow(gone)

    def _submit(self, intents: Sequence[Intent]) -> None:
        by_venue: dict[str, list[VenueIntent]] = {}
        for intent in intents:
            match intent:
                case Place() | Replace() if not self.options.can.label_echoed:
                    assert self.state is not None, "somebody is alive"
                    order = self.state.orders.by_label[intent.label]
                    self.store.keep_terms(order, self.timeline.now_ns)
                    by_venue.setdefault(venue_of(intent), []).append(intent)
                case ReserveLabels():
                    self.timeline.after(LABELS_NS, partial(self._reserve, self._lives))
                case SaveLatch():
                    self.store.keep_latch(self.accounts, (intent.why, intent.detail))
                    self._sink(self._lives, ev.LatchSaved())
                case FitSurface():
                    fitted = self._fit(intent)
                    if fitted is not None:
                        self.timeline.after(FIT_NS, partial(self._sink, self._lives, fitted))
                case CheckLease():
                    asked = ev.LeaseChecked(self.timeline.now_ns)
                    self.timeline.after(LABELS_NS, partial(self._sink, self._lives, asked))
                case _:
                    by_venue.setdefault(venue_of(intent), []).append(intent)
        for name, wanted in by_venue.items():
            line = self.accounts[name].line
            assert line is not None, "who is alive has its lines"
            line.submit(wanted)

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
            if self.state is not None and self.state.lease_lost:
                self._leave(Why.LEASE_LOST)
            self._sink(life, ev.Tick())
            self.timeline.after(TICK_NS, partial(self._tick, life))

    # --- the world around it ---

    def _move_market(self) -> None:
        chance = self.options.raids_per_s * self.options.market_ms / 1_000
        if not self._healed_ns and self._draw.random() < chance:
            by_hand = self.options.foreign and self._draw.random() < BY_HAND
            venues = [account.venue for account in self.accounts.values()]
            raided = raid(self.exchange, venues, self._draw, by_hand=by_hand)
            if raided is not None:
                self._doing = raided.told
                if by_hand:
                    self.checks.foreign(raided.order)
        first, *_ = self.accounts.values()
        first.venue.advance()
        self.timeline.after(self.options.market_ms * MS, self._move_market)

    def _misfortune(self) -> None:
        """Once a second: what comes so and so often an hour."""
        now_ns, trouble, plan = self.timeline.now_ns, self.trouble, self.trouble.plan
        for account in self.accounts.values():
            self._doing = account.misfortune(now_ns) or self._doing
        if trouble.befalls("restart", plan.restart_per_hour):
            self._doing = "the venue restarts"
            away_ns = trouble.up_to(plan.down_s)
            loses = trouble.strikes("restart_loses_orders")
            forgetful = loses and trouble.either()
            for account in self.accounts.values():
                account.venue.restart(away_ns, with_orders=not loses, forgetful=forgetful)
        crashes = 0.0 if self._healed_ns else self.options.crash_per_hour
        if self.state is not None and trouble.befalls("crash", crashes):
            self._crash()
        self.timeline.after(1 * SECOND, self._misfortune)

    def _every_second(self) -> None:
        self.checks.second()
        now_ns = self.timeline.now_ns
        if self.options.people and not self._healed_ns:
            self._people()
        if self.state is not None and not self._healed_ns:
            self._depart()
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
        for account in self.accounts.values():
            account.trouble.heal()
        if self.options.people:
            self._sink(self._lives, ev.Unpause())
            self._sink(self._lives, ev.WindDown(on=False))

    def _look_whether_settled(self, state: State, now_ns: Nanos) -> None:
        if (
            self._leaving is not None
            or self._inbox
            or state.entries
            or self.checks.missing(state, now_ns)
        ):
            return
        self.checks.settle_up(state)
        self._settled = True

    def _people(self) -> None:
        """The operators do something now and then."""
        event = operator_command(self._draw) if self.state is not None else None
        if event is not None:
            self._sink(self._lives, event)

    def _depart(self) -> None:
        """People end the run now and then: all of it, or what it may do on one account."""
        how = departure(self._departing, self.options.departures_per_hour)
        if how is None:
            return
        self._doing = f"people end the run: {how.name.lower()}"
        names = list(self.accounts)
        name = names[int(self._departing.random() * len(names))]
        match how:
            case Departure.STOPPED:
                self._leave(Why.USER)
            case Departure.TAKEN_OVER:
                self._sink(self._lives, ev.LeaseLost("another engine", name))
            case Departure.KILL_SWITCH:
                self.store.keep_latch((name,), (Why.USER, "by a person"))
                told = ev.Trip(Why.USER, "by a person")
                self.timeline.after(CYCLE_NS, partial(self._sink, self._lives, told))

    # --- what is seen ---

    def _arriving(self, name: str, request: OrderRequest) -> None:
        self._doing = f"arrives: {said(request)}"
        self._note(f"{self.timeline.now_ns} {said(request)}")
        self.checks.at[name].arriving(request)
        if not self._healed_ns and self.options.raids_per_s:
            self._in_the_way.before(self.accounts[name].venue, request)

    def _carried_out(self, name: str, request: OrderRequest) -> None:
        self._in_the_way.after(self.accounts[name].venue)
        self.checks.at[name].carried_out(request)

    def _observe(self, effect: Effect) -> None:
        """Everything the exchange does goes into the hash, and our fills are counted."""
        if isinstance(effect, BookDelta):
            self.checks.moved(effect)
        elif isinstance(effect, AccountChange):
            for order in effect.orders:
                self._note(f"{order.order_id} {order.state.value} {order.filled} {order.price}")
                self._judge_of(effect.account).exists(order)
                if order.cancel_reason is CancelReason.EXPIRY:
                    self.trouble.counts["expired"] += 1
                    if self.state is not None:
                        judge = self._judge_of(effect.account)
                        judge.ended_by_itself(order.label, self.timeline.now_ns)
            for made in effect.trades:
                self._fills += 1
                public = made.public
                listing = self.exchange.terms(public.name)
                inverse_future = listing.inverse and listing.strike is None
                in_usd = 1.0 if inverse_future else float(public.index)
                self._volume_usd += float(public.amount) * in_usd
                self._judge_of(effect.account).traded(made)
        elif isinstance(effect, TradeConcluded):
            trade_id = effect.trade.public.trade_id
            standing = self.checks.standing(trade_id)
            self.trouble.counts["voided_fill"] += standing is Standing.FAILED
            self._note(f"{trade_id} {standing.value}")
        elif isinstance(effect, Prints):
            for public in effect.trades:
                self._note(f"{public.trade_id} {public.price} {public.amount} {public.time_ms}")

    def _judge_of(self, account: str) -> AccountChecks:
        """The judge of an account, by the exchange's name of it."""
        return next(self.checks.at[a.name] for a in self.accounts.values() if a.account == account)

    def _note_taken(
        self, events: Sequence[ev.Event], intents: Sequence[Intent], now_ns: Nanos
    ) -> None:
        self._note(f"{now_ns} {len(events)}")
        for intent in intents:
            self._note(said(intent))

    def _note(self, text: str) -> None:
        self._hash.update(text.encode())


def _sum(counts: Iterable[Counter[str]]) -> dict[str, int]:
    return dict(sum(counts, Counter[str]()))


@lru_cache(64)
def listing_of(name: str, at_ms: int, kind: str = USUAL) -> Listing:
    """The terms of an instrument that is listed at that moment. Raises KeyError for any other."""
    return _listed(name.partition("-")[0], at_ms, kind)[name]


@lru_cache(8)
def _listed(prefix: str, at_ms: int, kind: str) -> Mapping[str, Listing]:
    families = chain.families_of(face_of(kind).rules)
    family = next(one for one in families if one.prefix == prefix)
    price = START_PRICES[family.underlying]
    return {one.name: one for one in chain.listings(family, price, at_ms)}
