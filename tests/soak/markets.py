"""Markets that come and go: `python -m tests.soak.markets`, or `make soak-markets`.

The core with a real strategy, rule and guard trades options that live for five minutes, four at a
time, in virtual time. Each is listed, quoted, traded, delivered and retired. What is written goes
through the real store bridge into a store, every turn onto a tape; the venue is played here.

After so many markets, and again after many more, four things are measured, at the same moment of a
market's life: the rows of the state, the bytes of a checkpoint, the rows that a restart reads, and
the bytes of a status frame. None may have grown by more than 5 %. Then the tape is verified.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping, Select

from mmbot.clock import Clock
from mmbot.core import bot as core
from mmbot.core import events as ev
from mmbot.core.bot import begun
from mmbot.core.contracts import Instrument
from mmbot.core.intents import (
    Amend,
    Cancel,
    CheckLease,
    Place,
    ReserveLabels,
    Resync,
    VenueIntent,
)
from mmbot.core.order_life import OrderState
from mmbot.core.statements import Flow, FlowKind, HeldPosition
from mmbot.core.types import MS, SECOND, ZERO, InstrumentId, Nanos, Side
from mmbot.engine.report import status_frame
from mmbot.engine.store_bridge import StoreBridge, restore
from mmbot.store.booking import as_json
from mmbot.store.queries import Reader
from mmbot.tape.codec import encode_state
from mmbot.tape.reader import TapeFile
from mmbot.tape.recorder import Limits
from mmbot.tape.replay import Replay, goes_on
from tests.builders import NOW_NS, a_fill, an_option
from tests.core.bot import VENUE
from tests.store.desk import ACCOUNT_KEY, a_location, an_engine
from tests.tape.taped import TapedBot

AT_ONCE = 4
LIFE_S = 300
STEP_S = 1.5
BOUGHT_S, SOLD_S = 60, 180
"""In its life a market sees one bid of ours taken; every other one an ask, too."""

SETTLED_S = 2
"""After its expiry the venue has delivered."""

PAYOFF, PAYOFF_FEE = Decimal("0.0175"), Decimal("0.0001")
APART_MAX = 0.05
LIMITS = Limits(file_bytes=1 << 24, folder_bytes=1 << 31, queue_bytes=1 << 29)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What may not grow with the number of markets that ever were."""

    markets: int
    """That have come and gone."""
    rows: int
    checkpoint_bytes: int
    restart_rows: int
    frame_bytes: int


class Virtual(Clock):
    """Desk time as the run has it, wall time as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.desk_ns: Nanos = NOW_NS

    def now_ns(self) -> Nanos:
        return self.desk_ns


class Counting(Reader):
    """Counts the rows it reads."""

    read = 0

    def _rows(self, query: Select[Any]) -> Iterator[RowMapping]:
        for row in super()._rows(query):
            self.read += 1
            yield row


class Desk(TapedBot):
    """The bot, and the venue it trades on."""

    def __init__(self, folder: Path, store: StoreBridge, clock: Virtual) -> None:
        super().__init__(folder, an_option(expiry_ns=NOW_NS), limits=LIMITS)
        self.store = store
        self.clock = clock
        self.listed = 0
        self.trades: dict[InstrumentId, int] = {}
        self.earned: dict[InstrumentId, Decimal] = {}
        """By the trades and the deliveries themselves."""
        self.here: Sequence[Instrument] = ()
        """Those that live now."""
        self.desk = next(iter(self.desks.values()))
        self.desks.clear()
        self.instruments: tuple[Instrument, ...] = ()
        self.answers: list[ev.Event] = []

    @property
    def gone(self) -> int:
        """Markets that have been retired."""
        return sum(total.instruments for total in self.state.retired.of())

    def turn(self, *events: ev.Event, after_s: float = 0.01) -> list[VenueIntent]:
        self.now_ns += int(after_s * SECOND)
        self.clock.desk_ns = self.now_ns
        happened = (*self.answers, *(events or (ev.Tick(),)))
        self.answers = []
        taken = core.Bot(self.state, self.desks, self.guards).step(happened, self.now_ns)
        if taken.error is not None:
            raise taken.error
        self.store.keep(self.state)
        self.recorder.keep([taken])
        sent: list[VenueIntent] = []
        for intent in taken.intents:
            if isinstance(intent, ReserveLabels):
                self.answers.append(ev.LabelsReserved(intent.upto))
            elif isinstance(intent, CheckLease):
                self.answers.append(self.lease_check())
            else:
                assert isinstance(intent, VenueIntent), intent
                sent.append(intent)
        return sent

    def list_more(self) -> None:
        """The venue lists the next ones, and the desk trades them."""
        new = []
        for _ in range(AT_ONCE):
            self.listed += 1
            name = f"ETH-5M-{self.listed:04}-C"
            new.append(
                an_option(
                    id=InstrumentId(f"{VENUE}:{name}"),
                    name=name,
                    symbol=f"ETH/USD:{name}",
                    expiry_ns=self.now_ns + LIFE_S * SECOND,
                )
            )
        self.here, self.instruments = new, (*self.instruments, *new)
        self.desks |= dict.fromkeys((one.id for one in new), self.desk)
        self.play(ev.InstrumentsListed(tuple(new), self.desk.name))

    def live(self) -> None:
        """A generation of markets, from its listing to its expiry."""
        self.list_more()
        end_ns = self.now_ns + LIFE_S * SECOND
        bought = sold = False
        while self.now_ns < end_ns - STEP_S * SECOND:
            tickers = [self.ticker(one) for one in self.here]
            books = [self.book(instrument=one) for one in self.here]
            self.play(self.alive(), ev.Tick(), *tickers, *books, after_s=STEP_S)
            left_s = (end_ns - self.now_ns) / SECOND
            if not bought and left_s < LIFE_S - BOUGHT_S:
                bought = self.take(Side.BUY, self.here)
            if not sold and left_s < LIFE_S - SOLD_S:
                sold = self.take(Side.SELL, self.here[::2])
        self.turn(ev.Tick(), after_s=(end_ns - self.now_ns) / SECOND)

    def take(self, side: Side, markets: Sequence[Instrument]) -> bool:
        """Somebody takes what rests on that side of these markets."""
        for one in markets:
            order = next(o for o in self.state.orders.on(one.id) if o.side is side and o.working)
            number = self.trades[one.id] = self.trades.get(one.id, 0) + 1
            fill = a_fill(
                side,
                order.price,
                order.amount,
                instrument=one,
                trade_id=f"{one.name}-{number}",
                label=order.label,
                venue_ms=self.ms,
            )
            self.earn(one, -side.sign * fill.amount * fill.price)
            self.play(ev.Filled(fill), self.says(order, OrderState.FILLED, filled=order.amount))
        return True

    def earn(self, one: Instrument, money: Decimal) -> None:
        """Money for a trade or a delivery."""
        self.earned[one.id] = self.earned.get(one.id, ZERO) + money

    def play(self, *events: ev.Event, after_s: float = 0.001) -> None:
        """A turn, and the venue's answers until it has been asked for nothing more."""
        sent = self.turn(*events, after_s=after_s)
        for _ in range(8):
            answers = [said for intent in sent for said in self.answered(intent)]
            if not answers:
                return
            sent = self.turn(*answers, after_s=0.001)
        raise AssertionError(f"no end of it: {sent}")

    def answered(self, intent: VenueIntent) -> Iterator[ev.Event]:
        """What the venue says to a request."""
        match intent:
            case Place() | Amend():
                yield self.says_open(self.state.orders.by_label[intent.label])
            case Cancel():
                yield self.says_cancelled(self.state.orders.by_label[intent.label])
            case Resync():
                yield self.looked(flows=intent.flows_since_ms is not None)
            case _:
                raise AssertionError(f"unexpected: {intent}")

    def looked(self, *, flows: bool) -> ev.SnapshotTaken:
        """The venue's word: positions of what expired are delivered, and told of in the log."""
        state, held, owed = self.state, [], []
        for market in state.markets.values():
            one, amount = market.instrument, state.inventory.amount(market.instrument.id)
            assert one.expiry_ns is not None
            if self.now_ns > one.expiry_ns + SETTLED_S * SECOND:
                if amount and flows:
                    owed.append(_delivery(one, amount))
                    self.earn(one, owed[-1].money)
                amount = ZERO
            held.append(HeldPosition(one.id, amount))
        return ev.SnapshotTaken(
            venue=VENUE,
            asked_ns=self.account.asked_ns,
            orders=tuple(self.stated(order) for order in self.orders if order.working),
            positions=tuple(held),
            fills=(),
            flows=tuple(owed),
        )


def _delivery(one: Instrument, amount: Decimal) -> Flow:
    assert one.expiry_ns is not None
    return Flow(
        ref=one.name,
        kind=FlowKind.DELIVERY,
        instrument=one.id,
        currency=one.settlement,
        money=amount * PAYOFF - PAYOFF_FEE,
        venue_ms=one.expiry_ns // MS,
        price=PAYOFF,
        fee=PAYOFF_FEE,
    )


# --- measuring --------------------------------------------------------------------------------


def rows_of(whole: object) -> int:
    """Entries of every mapping and sequence in it."""
    if isinstance(whole, Mapping):
        return len(whole) + sum(rows_of(value) for value in whole.values())
    if isinstance(whole, list | tuple):
        return len(whole) + sum(map(rows_of, whole))
    if isinstance(whole, Struct):
        return sum(rows_of(getattr(whole, name)) for name in whole.__struct_fields__)
    if is_dataclass(whole):
        return sum(rows_of(getattr(whole, field.name)) for field in fields(whole))
    return 0


def measured(desk: Desk, reader: Counting) -> Sizes:
    """How large everything is now."""
    frame = status_frame(desk.state, "sim", VENUE, desk.now_ns)
    listed = ev.InstrumentsListed(tuple(desk.here), desk.desk.name)
    fresh = begun("again", desk.now_ns, (listed,))
    reader.read = 0
    restore(fresh, reader, [ACCOUNT_KEY], desk.clock)
    amounts = [(i.id, fresh.inventory.amount(i.id)) for i in desk.here]
    assert amounts == [(i.id, desk.state.inventory.amount(i.id)) for i in desk.here]
    return Sizes(
        desk.gone,
        rows_of(desk.state),
        len(encode_state(desk.state)),
        reader.read,
        len(as_json(frame)),
    )


def grown(early: Sizes, late: Sizes) -> dict[str, float]:
    """By how much of itself each size has changed."""
    names = [field.name for field in fields(Sizes) if field.name != "markets"]
    sizes = {name: (getattr(early, name), getattr(late, name)) for name in names}
    return {name: (after - before) / before for name, (before, after) in sizes.items()}


async def run(folder: Path, early: int, late: int) -> tuple[Sizes, Sizes, int]:
    """Both measurements, and how many turns of the tape came out the same."""
    place, clock = a_location(folder), Virtual()
    found: list[Sizes] = []
    async with an_engine(place) as engine:
        store = StoreBridge(lambda event: None, clock)
        store.writer = engine.writer
        desk = Desk(folder / "tapes", store, clock)
        desk.play(ev.LabelsReserved(512))
        for link in ev.Link:
            desk.play(ev.LinkChanged(VENUE, link, up=True))
        while len(found) < 2:
            desk.live()
            await asyncio.to_thread(engine.writer.flush, 60.0)
            if desk.gone >= (early, late)[len(found)]:
                found.append(measured(desk, Counting(place)))
        check_money(desk)
    return found[0], found[1], verified(desk.files())


def check_money(desk: Desk) -> None:
    """Nothing was lost on the way: what the markets earned is what was paid and received there."""
    assert desk.state.latch.tripped is None, desk.state.latch
    (total,) = desk.state.retired.of()
    assert total.fills == total.instruments * 3 // 2
    assert total.orders.placed >= total.fills
    earned = (money for one, money in desk.earned.items() if one not in desk.state.markets)
    assert total.pnl.total == sum(earned, ZERO)


def verified(files: Sequence[Path]) -> int:
    """Turns of a tape that come out the same, all of them."""
    turns, before = 0, None
    for path in files:
        tape = TapeFile(path)
        assert before is None or goes_on(before.state, tape), f"{path} does not go on"
        before = Replay(tape)
        for again in before.turns():
            assert again.difference is None, again.difference
            turns += 1
        assert not tape.ending.damage
    return turns


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and print both columns; 1 where anything has grown."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.markets", description=__doc__)
    parser.add_argument("--early", type=int, default=100, help="first measured after so many")
    parser.add_argument("--markets", type=int, default=1000, help="how many come and go")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        early, late, turns = asyncio.run(run(Path(folder), asked.early, asked.markets))
    print(f"{'after markets':<20}{early.markets:>12,}{late.markets:>12,}")
    ok = True
    for name, change in grown(early, late).items():
        fine = abs(change) <= APART_MAX
        ok = ok and fine
        said = name.replace("_", " ")
        print(
            f"{said:<20}{getattr(early, name):>12,}{getattr(late, name):>12,}{change:>+9.1%}"
            f"{'' if fine else '  more than 5 % apart'}"
        )
    print(f"the tape: {turns:,} turns, all the same again")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
