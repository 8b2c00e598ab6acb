"""Benches of simulated venues: one of `mmbot/sim/wire`, in the test's own process.

Every frame in and out passes a tap in front of the protocol. There it is counted, judged by the
venue's own specification, and made nonsense where a test says so. What befalls single requests and
connections is the simulated venue's own trouble. A venue adds its words: which methods and channels
are what, and how its frames are judged.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import TracebackType
from typing import Any, ClassVar, Final, Self

import orjson
from msgspec import structs

from mmbot.core.capabilities import Draws
from mmbot.core.events import Link
from mmbot.core.labels import is_ours
from mmbot.core.statements import Fill, Liquidity, OpenOrder
from mmbot.core.types import InstrumentId, Label, Level, Side
from mmbot.sim.exchange import listing as sim
from mmbot.sim.exchange.accounts import UserTrade
from mmbot.sim.exchange.listing import NEVER_MS
from mmbot.sim.exchange.orders import Order, TimeInForce
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.server import Venue
from tests.contract.bench import Asked, Bench, Terms, World

Json = dict[str, Any]

STRANGER: Final = "stranger"
TAKER: Final = "taker"
"""Another one: nobody trades with oneself."""
JUDGED_EACH: Final = 20
"""Messages of one channel, and answers to one public method, that are held against the
specification: those that follow are shaped by the same function."""


@dataclass(eq=False)
class Talk:
    """One connection: what was asked on it, and whether it tells of our orders."""

    asked: dict[Any, tuple[str, Json]] = field(default_factory=dict)
    muted: bool = False


class Tap(ABC):
    """Everything that passes the protocol, in both directions and over both ways."""

    too_many: ClassVar[int]
    """The error of one request too many."""
    login: ClassVar[str]
    """The method by which somebody signs in."""

    def __init__(self, venue: Venue, methods: Mapping[Draws, tuple[str, ...]]) -> None:
        self.asked: list[Asked] = []
        self.logins = 0
        self.refused_for_rate = 0
        self.talks: list[Talk] = []
        self.faults: list[str] = []
        self.spoiled_books: set[str] = set()
        self.spoiled_account = False
        self.spoiled = 0
        """Messages that were made nonsense."""
        self.denies_dead_man = False
        reads = methods[Draws.READ]
        self._about_orders = {m for ms in methods.values() if ms is not reads for m in ms}
        self._judged: dict[str, int] = {}
        self._blow: Callable[[], None] = lambda: None
        self._blow_in = 0
        self._orders_only = False
        protocol: Any = venue.protocol
        self._on_open, self._on_frame = protocol.on_open, protocol.on_frame
        self._on_rest = protocol.on_rest
        protocol.on_open, protocol.on_frame = self._open, self._frame
        protocol.on_rest = self._rest
        self._of: dict[Any, Talk] = {}

    # -- a venue's own words -------------------------------------------------------------------

    @abstractmethod
    def is_of_account(self, channel: str) -> bool:
        """Whether a channel tells of our orders and executions."""

    @abstractmethod
    def faults_of_request(self, method: str, params: Json, *, rest: bool) -> list[str]:
        """What its specification does not permit of a request."""

    @abstractmethod
    def judge_reply(self, method: str, params: Json, frame: Json) -> None:
        """Note what it does not permit of an answer."""

    @abstractmethod
    def judge_push(self, said: Frame) -> None:
        """Note what it does not permit of a message."""

    @abstractmethod
    def distorted(self, said: Frame, about: str | None) -> Frame:
        """What goes out in place of a frame: nonsense, where a test says so."""

    def note_login(self, _result: Any) -> None:
        """Somebody has signed in."""
        self.logins += 1

    # -- in ------------------------------------------------------------------------------------

    def strike(self, message: int, blow: Callable[[], None], *, orders_only: bool) -> None:
        """See the bench's."""
        self._blow_in, self._blow, self._orders_only = message, blow, orders_only

    def _open(self, write: Callable[[Frame, str | None], None], *rest: Any) -> Any:
        talk = Talk()
        self.talks.append(talk)

        def tapped(said: Frame, about: str | None) -> None:
            with self._told():
                say(said, about)

        def say(said: Frame, about: str | None) -> None:
            self._passes(about)
            if talk.muted and about is not None and self.is_of_account(about):
                return
            if not isinstance(said.message, dict):
                write(said, about)
                return
            self._hear(talk, said, about)
            write(self.distorted(said, about), about)

        session = self._on_open(tapped, *rest)
        self._of[session] = talk
        return session

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong here would look like a connection that broke."""
        try:
            yield
        except Exception as error:
            self.faults.append(f"the loopback venue itself: {error!r}")
            raise

    def _frame(self, session: Any, frame: bytes | str) -> None:
        with self._told():
            if frame not in BEATS:
                request = orjson.loads(frame)
                method, params = request["method"], request.get("params") or {}
                self._of[session].asked[request.get("id")] = (method, params)
                self._ask("websocket", method, params)
            self._on_frame(session, frame)

    def _rest(self, method: str, params: Json, *rest: Any) -> tuple[int, Frame]:
        with self._told():
            self._ask("rest", method, params)
            status, answer = self._on_rest(method, params, *rest)
            self._passes(method)
            self._note(method, params, answer.message)
            return status, self.distorted(answer, method)

    def _ask(self, way: str, method: str, params: Json) -> None:
        if self._counts(f"{way} {method}"):
            self.faults += self.faults_of_request(method, params, rest=way == "rest")
        # A sign-in is a private matter, though its method has another name.
        private = method.startswith("private/") or method == self.login
        self.asked.append(Asked(way, method, private))
        self._passes(method)

    def _passes(self, about: str | None) -> None:
        if self._blow_in and (about in self._about_orders or not self._orders_only):
            self._blow_in -= 1
            if not self._blow_in:
                self._blow()

    # -- out -----------------------------------------------------------------------------------

    def _hear(self, talk: Talk, said: Frame, about: str | None) -> None:
        frame = said.message
        if "id" in frame:
            method, params = talk.asked.pop(frame["id"], (about or "", {}))
            self._note(method, params, frame)
        elif frame.get("method") == "subscription":
            channel = frame["params"]["channel"]
            if self.is_of_account(channel) or self._counts(channel):
                self.judge_push(said)

    def _note(self, method: str, params: Json, frame: Json) -> None:
        """The answer to a request: what the bench keeps of it, and whether it is permitted."""
        if "error" in frame:
            self.refused_for_rate += frame["error"]["code"] == self.too_many
        elif method == self.login:
            self.note_login(frame.get("result"))
        if method.startswith("private/") or self._counts(method):
            self.judge_reply(method, params, frame)

    def _counts(self, about: str) -> bool:
        self._judged[about] = self._judged.get(about, 0) + 1
        return self._judged[about] <= JUDGED_EACH


def with_result(said: Frame, result: Any) -> Frame:
    """The same answer with another result; an error stays."""
    return Frame({**said.message, "result": result}) if "result" in said.message else said


BEATS: Final = ("ping", b"ping")
"""Texts that are no requests."""


class SimulatedBench(Bench):
    """See above. A venue's own is `enter`, which starts it, and its words."""

    methods: ClassVar[Mapping[Draws, tuple[str, ...]]]
    """The methods by which requests of each kind are made."""
    accounts: ClassVar[str]
    """How the names of the channels begin that tell of our orders and executions."""
    cash: ClassVar[str]
    """What strangers pay with."""

    venue: Venue
    tap: Tap

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._life = AsyncExitStack()
        self._labels: list[str] = []
        self._most = 0

    # --- coming and going ---

    @abstractmethod
    async def enter(self, life: AsyncExitStack) -> None:
        """Start `venue`, to be ended with `life`, and put `tap` in front of it."""

    async def __aenter__(self) -> Self:
        world = self.world
        await self.enter(self._life)
        self._watch()
        self.clock.set_to_ms(self.venue.now_ms() - round(world.ahead_s * 1000))
        for one in (STRANGER, TAKER):
            self.venue.exchange.open_account(one, {self.cash: Decimal(10**9)}, followed=False)
        if not (world.lively or world.violent):
            for name in self.instruments:
                self.venue.market.watch(name)
            self.venue.protocol.tick()
            if world.expires_in_s is None:
                self.freeze()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._life.aclose()

    def _watch(self) -> None:
        """Be there whenever an order of ours is placed."""
        exchange = self.venue.exchange
        place = exchange.place

        def watched(account: str, wish: NewOrder, now_ms: int) -> Any:
            placed = place(account, wish, now_ms)
            if account == self.venue.account and is_ours(Label(wish.label)):
                if isinstance(placed, Placed):
                    self._labels.append(wish.label)
                slots = [(one.instrument, one.side) for one in self.ours()]
                self._most = max([self._most, *(slots.count(one) for one in slots)])
            return placed

        exchange.place = watched  # type: ignore[method-assign]  # an instance's own, for one test

    @property
    def url(self) -> str:
        return self.venue.rest_url

    def now_ms(self) -> int:
        return self.venue.now_ms()

    # --- what others do ---

    def freeze(self) -> None:
        self.venue.freeze()

    def thaw(self) -> None:
        self.venue.thaw()

    def rest(self, name: str, side: Side, amount: Decimal, price: Decimal) -> str:
        return self._place(STRANGER, self._wish(name, side, amount, price)).order_id

    def take_away(self, order_id: str) -> None:
        self.venue.exchange.cancel(STRANGER, order_id, self.now_ms())
        self.venue.publish()

    def clear(self, name: str) -> None:
        exchange = self.venue.exchange
        for one in [order for order in exchange.orders.values() if order.name == name]:
            if one.account != self.venue.account:
                exchange.cancel(one.account, one.order_id, self.now_ms())
        self.venue.publish()

    def fill(self, order_id: str, amount: Decimal) -> None:
        order = self.venue.exchange.orders[order_id]
        side = Side(order.side.value)
        before: list[Order] = []
        for level in self.venue.exchange.book(order.name).side(order.side).from_best():
            for other in level.orders.values():
                if other is order:
                    swept = [(one.price, one.open_amount) for one in before]
                    ahead = sum((much for _, much in swept), Decimal(0))
                    taking = self._wish(order.name, side.opposite, ahead + amount, order.price)
                    taking = structs.replace(taking, time_in_force=TimeInForce.IOC)
                    filled = order.filled
                    self._place(TAKER, taking)
                    assert order.filled == filled + amount
                    for price, much in swept:
                        self._place(STRANGER, self._wish(order.name, side, much, price))
                    return
                before.append(other)
        raise AssertionError(f"{order_id} does not rest")

    def place_by_hand(self, name: str, side: Side, amount: Decimal, price: Decimal) -> str:
        wish = structs.replace(self._wish(name, side, amount, price), label="by hand")
        return self._place(self.venue.account, wish).order_id

    def _wish(self, name: str, side: Side, amount: Decimal, price: Decimal) -> NewOrder:
        return NewOrder(name=name, side=sim.Side(side.value), amount=amount, price=price)

    def _place(self, account: str, wish: NewOrder) -> Order:
        placed = self.venue.exchange.place(account, wish, self.now_ms())
        assert isinstance(placed, Placed), placed
        self.venue.publish()
        return placed.order

    # --- faults of messages ---

    def lose_request(self, what: Draws, count: int = 1) -> None:
        for method in self.methods[what]:
            self.venue.lose_request(method, count)

    def lose_reply(self, what: Draws, count: int = 1) -> None:
        for method in self.methods[what]:
            self.venue.drop_reply(method, count)

    def late_request(self, what: Draws, seconds: float, count: int = 1) -> None:
        for method in self.methods[what]:
            self.venue.delay_request(method, seconds / self.world.scale, count)

    def late_reply(self, what: Draws, seconds: float, count: int = 1) -> None:
        for method in self.methods[what]:
            self.venue.delay_reply(method, seconds / self.world.scale, count)

    def refuse_for_rate(self, what: Draws) -> None:
        for method in self.methods[what]:
            self.venue.answer(method, self.tap.too_many)

    def double_private(self, count: int) -> None:
        self.venue.duplicate_push(self.accounts, count)

    def garble_private(self) -> None:
        self.venue.garble(1, self.accounts)

    def garble_book(self, name: str) -> None:
        self.venue.garble(1, f"{self.venue.face.dialect.books}{name}.")

    def mute_private(self) -> None:
        for talk in self.tap.talks:
            talk.muted = True

    def gap_book(self, name: str) -> None:
        self.venue.skip_book_change(name)

    def double_book(self, name: str) -> None:
        self.venue.duplicate_push(f"{self.venue.face.dialect.books}{name}.")

    def reorder_book(self, name: str) -> None:
        self.venue.reorder_push(f"{self.venue.face.dialect.books}{name}.")

    def spoil_books(self, name: str, *, spoiled: bool) -> None:
        self.tap.spoiled_books = {name} if spoiled else set()

    def spoil_account(self, *, spoiled: bool) -> None:
        self.tap.spoiled_account = spoiled

    @property
    def spoiled(self) -> int:
        return self.tap.spoiled

    # --- faults of connections, sessions and the dead-man ---

    def sever(self, away_s: float = 0.0) -> None:
        self.venue.sever()
        if away_s:
            self.venue.refuse_connections(away_s)

    def half_open(self, link: Link, seconds: float) -> None:
        self.venue.half_open(seconds, trading=link is Link.TRADING)

    def keep_orders(self, *, kept: bool) -> None:
        protocol: Any = self.venue.protocol
        protocol.rules = replace(protocol.rules, ignore_cancel_on_disconnect=kept)

    def deny_dead_man(self) -> None:
        self.tap.denies_dead_man = True

    # --- the truth ---

    def orders(self) -> list[OpenOrder]:
        found = self.venue.exchange.accounts[self.venue.account].open_orders.values()
        return [
            OpenOrder(
                order_id=one.order_id,
                label=Label(one.label) if one.label else None,
                instrument=self.id_of(one.name),
                side=Side(one.side.value),
                price=one.price,
                amount=one.amount,
                filled=one.filled,
            )
            for one in found
        ]

    def positions(self) -> dict[InstrumentId, Decimal]:
        held = self.venue.exchange.accounts[self.venue.account].positions
        return {self.id_of(name): one.size for name, one in held.items() if one.size}

    def trades(self) -> list[Fill]:
        return [
            self._fill_of(one) for one in self.venue.exchange.accounts[self.venue.account].trades
        ]

    def _fill_of(self, made: UserTrade) -> Fill:
        return Fill(
            trade_id=made.public.trade_id,
            instrument=self.id_of(made.public.name),
            side=Side(made.side.value),
            price=made.public.price,
            amount=made.public.amount,
            fee=made.fee,
            fee_currency=made.fee_currency,
            liquidity=Liquidity.MAKER if made.is_maker else Liquidity.TAKER,
            order_id=made.order_id,
            label=Label(made.label) if made.label else None,
            venue_ms=made.public.time_ms,
        )

    def book(self, name: str) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        book = self.venue.exchange.book(name)
        bids, asks = (
            tuple((float(price), float(amount)) for price, amount in book.depth(side, 10))
            for side in sim.Side
        )
        return bids, asks

    def listed(self) -> Mapping[str, Terms]:
        return {
            name: Terms(
                one.tick,
                one.amount_step,
                one.min_amount,
                None if one.expiry_ms == NEVER_MS else one.expiry_ms,
                one.strike,
            )
            for name, one in self.venue.exchange.listings.items()
        }

    @property
    def asked(self) -> Sequence[Asked]:
        return self.tap.asked

    def arrived(self, what: Draws) -> int:
        return sum(one.method in self.methods[what] for one in self.tap.asked)

    @property
    def logins(self) -> int:
        return self.tap.logins

    @property
    def refused_for_rate(self) -> int:
        return self.tap.refused_for_rate

    @property
    def most_in_a_slot(self) -> int:
        return self._most

    @property
    def labels(self) -> Sequence[str]:
        return self._labels

    def strike(self, message: int, blow: Callable[[], None], *, orders_only: bool) -> None:
        self.tap.strike(message, blow, orders_only=orders_only)

    def faults_of_speech(self) -> list[str]:
        return sorted(set(self.tap.faults))
