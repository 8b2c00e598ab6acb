"""What a venue brings to the contract: a loopback venue, what others do there, faults, and truth.

A *bench* is one class in `tests/contract/venues/KIND.py`, named `BENCH` there; the kind is that of
the plug-in. The situations know no venue: they speak to the plug-in (`client.py`), to the engine
(`desk.py`) or to the binary (`commands.py`) on a bench, and of a bench they know what is below.

What a bench is asked for:

* the world: `options`, the two instruments that are traded, how its keys are given to a command;
* what others do: rest an order, trade against one of ours, place by hand on our account;
* faults: of the next requests of a kind, of the private messages, of a book, of a connection, of
  the session, of the dead-man;
* the truth: orders, positions, executions, books, what was asked and over which way.

Seconds are those of the bench's clock, which may run faster than the wall's.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import ClassVar, Self

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.capabilities import Capabilities, Draws, Move
from mmbot.core.contracts import Instrument
from mmbot.core.events import Link
from mmbot.core.intents import Amend, Cancel, Place, Replace, VenueIntent
from mmbot.core.labels import is_ours
from mmbot.core.statements import Fill, OpenOrder
from mmbot.core.types import InstrumentId, Level, Side
from mmbot.sim.wire.manner import Manner
from mmbot.venues.credentials import Credentials
from mmbot.venues.plugin import VenuePlugin, plugin_of
from mmbot.venues.site import Site

DEADLINE_S = 20.0
"""Of the wall: how long a test waits for what must come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the loopback venue is to be like."""

    scale: float = 1.0
    """How much faster than the wall its time runs, and ours."""
    lively: bool = False
    """The market trades and moves by itself; else nothing happens that the test does not do."""
    violent: bool = False
    """The market moves as much as it ever does."""
    ahead_s: float = 0.0
    """How far the venue's clock is ahead of the right one."""
    expires_in_s: float | None = None
    """How soon the first of the instruments expires, or a session is settled."""
    dead_man_works: bool = True
    """Whether the venue cancels our orders when we are gone, as it says it does."""
    login_lasts_s: float | None = None
    """How long one sign-in is good; None: as long as usual."""
    unlimited: bool = True
    """Requests are not counted; else they are, as for the smallest account."""
    manners: Manner = Manner.THIN
    """How it says what it says, where it is a simulated one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that has arrived at the venue, carried out or not."""

    way: str
    """Over which connection: "websocket" or "rest", say."""
    method: str
    private: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What the venue trades by, told without our own reading of it."""

    tick: Decimal
    """At the lowest price."""
    amount_step: Decimal
    min_amount: Decimal
    expiry_ms: int | None
    strike: Decimal | None


class Bench(ABC):
    """One venue under contract: `async with bench`."""

    kind: ClassVar[str]
    """Of the plug-in."""
    keys: ClassVar[Mapping[str, str]]
    """What opens the account, by part."""
    environment: ClassVar[Mapping[str, str]]
    """The same for a command: variables."""
    instruments: ClassVar[tuple[str, str]]
    """What is traded, by the venue's names; the first one is the one that may expire."""
    nobodys: ClassVar[str]
    """The id of an order that never was."""
    amount: ClassVar[Decimal]
    """Of one order, four times the smallest at least."""
    wide_ticks: ClassVar[int] = 6
    """How far each side of a wide market is from where it was: further than what an order costs."""
    messages_max: ClassVar[int] = 200
    """Within so many messages an engine is killed that has begun to quote: some seconds' worth."""
    books_are_whole: ClassVar[bool] = False
    """Every message of a book is all of it: none of them can leave a gap."""
    logins_last: ClassVar[bool] = False
    """A sign-in is good for as long as its connection."""
    snaps: ClassVar[bool] = False
    """The plug-in puts an order onto the grid itself, away from the market, before it is sent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = Clock(world.scale)

    # --- what every bench has ---

    @property
    def plugin(self) -> VenuePlugin:
        """The kind's own."""
        return plugin_of(self.kind)

    @property
    def capabilities(self) -> Capabilities:
        """What the plug-in says of the venue."""
        return self.plugin.capabilities()

    @property
    def name(self) -> str:
        """Ours for the venue."""
        return self.kind

    @property
    def site(self) -> Site:
        """Where the plug-in finds it."""
        return Site(Mode.SIM, self.name, self.kind, self.url)

    @property
    def credentials(self) -> Credentials:
        """What opens the account."""
        return Credentials(dict(self.keys))

    @property
    def ids(self) -> tuple[InstrumentId, InstrumentId]:
        """Of the instruments."""
        first, second = self.instruments
        return self.id_of(first), self.id_of(second)

    def id_of(self, name: str) -> InstrumentId:
        """An instrument, by the venue's name of it."""
        return InstrumentId(f"{self.name}:{name}")

    def flags(self) -> dict[str, str]:
        """What a command is given to trade here."""
        return {
            "--exchange": self.kind,
            "--symbols": ",".join(self.instruments),
            "--sim-url": self.url,
        }

    def to_move(
        self, resting: OpenOrder, price: Decimal, amount: Decimal, valid_until_ns: int, again: Place
    ) -> list[VenueIntent]:
        """What is sent at once to move an order, the way the venue moves one. `again`: the order
        as it is to be, under a new label; it waits for the end of the old one where orders do not
        move at all."""
        assert resting.instrument is not None
        assert resting.label is not None
        if self.capabilities.move is Move.SAME_ID:
            amend = Amend(
                instrument=resting.instrument,
                label=resting.label,
                order_id=resting.order_id,
                price=price,
                amount=amount,
                post_only=True,
                valid_until_ns=valid_until_ns,
                why=again.why,
            )
            return [amend]
        if self.capabilities.move is Move.NONE:
            return [Cancel(resting.instrument, resting.label, resting.order_id, again.why)]
        replacing = Replace(
            instrument=resting.instrument,
            old=resting.label,
            order_id=resting.order_id,
            label=again.label,
            side=again.side,
            price=price,
            amount=amount,
            post_only=True,
            reduce_only=False,
            valid_until_ns=valid_until_ns,
            why=again.why,
        )
        return [replacing]

    async def until(
        self, condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S
    ) -> None:
        """Wait for a condition that nothing announces."""
        end_s = asyncio.get_running_loop().time() + deadline_s
        while not condition():
            late = asyncio.get_running_loop().time() > end_s
            assert not late, f"not within {deadline_s} s: {what}"
            await asyncio.sleep(0.005)

    async def pass_s(self, seconds: float) -> None:
        """Let the venue live for so long."""
        end_ms = self.now_ms() + seconds * 1000
        await self.until(lambda: self.now_ms() >= end_ms, "time passes", 60.0 + seconds)

    def lowest(self, name: str) -> Decimal:
        """The lowest price there is: an order to buy there is in nobody's way."""
        return self.listed()[name].tick

    def ours(self) -> list[OpenOrder]:
        """Our open orders."""
        return [one for one in self.orders() if is_ours(one.label)]

    # --- coming and going ---

    @abstractmethod
    async def __aenter__(self) -> Self:
        """The loopback venue listens, and `clock` shows the right time."""

    @abstractmethod
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The loopback venue ends."""

    @property
    @abstractmethod
    def url(self) -> str:
        """What a site's url is."""

    @abstractmethod
    def now_ms(self) -> int:
        """The venue's clock."""

    # --- what others do ---

    @abstractmethod
    def freeze(self) -> None:
        """The market does nothing by itself from now on."""

    @abstractmethod
    def thaw(self) -> None:
        """The market goes on."""

    @abstractmethod
    def rest(self, name: str, side: Side, amount: Decimal, price: Decimal) -> str:
        """A stranger's order, which rests; its id."""

    @abstractmethod
    def take_away(self, order_id: str) -> None:
        """A stranger's order goes."""

    @abstractmethod
    def clear(self, name: str) -> None:
        """Every order of other people's in a book goes."""

    @abstractmethod
    def fill(self, order_id: str, amount: Decimal) -> None:
        """Strangers trade so much against that order of ours, and others come in place of what
        rested before it."""

    @abstractmethod
    def place_by_hand(self, name: str, side: Side, amount: Decimal, price: Decimal) -> str:
        """An order on our account that is not ours; its id."""

    # --- faults of messages ---

    @abstractmethod
    def lose_request(self, what: Draws, count: int = 1) -> None:
        """The next requests of that kind never arrive. Where buying and selling are two kinds to
        the venue, `count` of each."""

    @abstractmethod
    def lose_reply(self, what: Draws, count: int = 1) -> None:
        """They are carried out and never answered."""

    @abstractmethod
    def late_request(self, what: Draws, seconds: float, count: int = 1) -> None:
        """They arrive so late."""

    @abstractmethod
    def late_reply(self, what: Draws, seconds: float, count: int = 1) -> None:
        """They are carried out at once and answered so late."""

    @abstractmethod
    def refuse_for_rate(self, what: Draws) -> None:
        """The next request of that kind is one too many, the venue says."""

    @abstractmethod
    def double_private(self, count: int) -> None:
        """The next messages about our orders and executions come twice."""

    @abstractmethod
    def garble_private(self) -> None:
        """The next message about our orders and executions means nothing."""

    @abstractmethod
    def garble_book(self, name: str) -> None:
        """The next message of that book means nothing."""

    @abstractmethod
    def mute_private(self) -> None:
        """The connections that are open now tell nothing of our orders any more; answers come."""

    @abstractmethod
    def gap_book(self, name: str) -> None:
        """The next change of that book never comes."""

    @abstractmethod
    def double_book(self, name: str) -> None:
        """The next change of that book comes twice."""

    @abstractmethod
    def reorder_book(self, name: str) -> None:
        """The next change of that book comes after the one behind it."""

    @abstractmethod
    def spoil_books(self, name: str, *, spoiled: bool) -> None:
        """Whether whole books of that instrument are nonsense: bids above asks, sizes below 0."""

    @abstractmethod
    def spoil_account(self, *, spoiled: bool) -> None:
        """Whether what is answered about open orders and positions is nonsense."""

    @property
    @abstractmethod
    def spoiled(self) -> int:
        """How many messages were made nonsense."""

    # --- faults of connections, sessions and the dead-man ---

    @abstractmethod
    def sever(self, away_s: float = 0.0) -> None:
        """Every connection breaks, and nobody can connect for so long."""

    @abstractmethod
    def half_open(self, link: Link, seconds: float) -> None:
        """The connection of that link stays up, and carries nothing for so long."""

    @abstractmethod
    def forget_logins(self) -> None:
        """The venue does not know any more who is on the connections it has."""

    @abstractmethod
    def keep_orders(self, *, kept: bool) -> None:
        """Whether our orders stay when we are gone, whatever the venue says of that."""

    @abstractmethod
    def deny_dead_man(self) -> None:
        """The venue does not confirm any more that it will cancel when we are gone."""

    def void(self, trade: Fill) -> None:
        """An execution is taken back; only where fills are not final."""
        raise AssertionError(f"fills are final here: {trade}")

    # --- the truth ---

    @abstractmethod
    def orders(self) -> list[OpenOrder]:
        """Everything open on our account."""

    @abstractmethod
    def positions(self) -> dict[InstrumentId, Decimal]:
        """What our account holds, and is not zero."""

    @abstractmethod
    def trades(self) -> list[Fill]:
        """Every execution of our account."""

    @abstractmethod
    def book(self, name: str) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Bids and asks, best first."""

    @abstractmethod
    def listed(self) -> Mapping[str, Terms]:
        """Everything that is listed of what the plug-in trades, by name."""

    @property
    @abstractmethod
    def asked(self) -> Sequence[Asked]:
        """Every request so far."""

    @abstractmethod
    def arrived(self, what: Draws) -> int:
        """How many requests of that kind have arrived."""

    @property
    @abstractmethod
    def logins(self) -> int:
        """How often somebody signed in or renewed it."""

    @property
    @abstractmethod
    def refused_for_rate(self) -> int:
        """How many requests were one too many, by the venue's own count."""

    @property
    @abstractmethod
    def most_in_a_slot(self) -> int:
        """The most orders of ours that ever rested on one side of an instrument at once."""

    @property
    @abstractmethod
    def labels(self) -> Sequence[str]:
        """Of every order that was ever placed on our account by a run of ours, in order."""

    @property
    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """What must never be written: of the keys what is secret, and every token given out."""

    @abstractmethod
    def strike(self, message: int, blow: Callable[[], None], *, orders_only: bool) -> None:
        """Call `blow` as the n-th message from now passes the venue, in either direction; counted
        are those about orders only, or all."""

    @abstractmethod
    def faults_of_speech(self) -> list[str]:
        """What was said, by the loopback venue or by us, and the venue's own specification does not
        permit."""


def terms_of(instrument: Instrument) -> Terms:
    """The same of our reading."""
    expiry_ns = instrument.expiry_ns
    return Terms(
        instrument.grid.tick,
        instrument.grid.amount_step,
        instrument.grid.min_amount,
        None if expiry_ns is None else expiry_ns // 1_000_000,
        instrument.strike,
    )
