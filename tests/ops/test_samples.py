"""Marks after fills and the account's worth: when they are taken, and that they stay few."""

from dataclasses import dataclass, field
from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core.apply import apply
from mmbot.core.inventory import Position
from mmbot.core.state import State
from mmbot.core.statements import Equity, HeldPosition
from mmbot.core.types import MS, SECOND, Side
from mmbot.ops.samples import Sampler
from mmbot.store.records import EquitySampled, MarkSampled, PnlSampled, Record
from tests.builders import NOW_NS, a_fill, an_option


@dataclass(slots=True)
class Desk:
    """A state with one market, and what its sampler has put into the store."""

    state: State = field(default_factory=lambda: State(run="1", started_ns=NOW_NS))
    records: list[Record] = field(default_factory=list)
    sampler: Sampler = field(init=False)

    def __post_init__(self) -> None:
        apply(self.state, ev.InstrumentsListed((an_option(),)), NOW_NS)
        self.sampler = Sampler(self.state, self._put, lambda: NOW_NS)
        self.worth("0.0200")

    def _put(self, record: Record) -> bool:
        self.records.append(record)
        return True

    def worth(self, mark: str) -> None:
        market = self.state.markets[an_option().id]
        market.mark, market.index = float(mark), 2000.0

    def turn(self, at_s: float, *events: ev.Event) -> None:
        self.sampler.observe(events, (), NOW_NS + round(at_s * SECOND))

    def marks(self) -> list[tuple[float, Decimal]]:
        """When, in seconds after NOW, and what."""
        return [
            ((r.desk_ms - NOW_NS // MS) / 1000, r.mark)
            for r in self.records
            if isinstance(r, MarkSampled)
        ]


def a_snapshot(amount: int = 0, mark: str | None = None) -> ev.SnapshotTaken:
    """The venue's word: that position in the option, at that mark."""
    held = HeldPosition(an_option().id, Decimal(amount), Decimal(mark) if mark else None)
    return ev.SnapshotTaken("deribit", NOW_NS, (), (held,) if amount else (), ())


def a_trade(at_s: float = 0.0) -> ev.Filled:
    return ev.Filled(a_fill(Side.BUY, venue_ms=NOW_NS // MS + round(at_s * 1000)))


def test_a_fill_gets_its_marks_one_ten_and_sixty_seconds_later() -> None:
    desk = Desk()
    desk.turn(0.0, a_trade())
    for step in range(1, 700):
        desk.worth(f"{0.02 + step / 1e6:.6f}")
        desk.turn(step / 10)
    assert desk.marks() == [
        (1.0, Decimal("0.02001")),
        (10.0, Decimal("0.0201")),
        (60.0, Decimal("0.0206")),
    ]


def test_many_fills_at_once_cost_no_more_marks_than_one() -> None:
    desk = Desk()
    desk.turn(0.0, *(a_trade(number / 1000) for number in range(100)))
    for step in range(1, 30):
        desk.turn(step / 10)
    assert len(desk.marks()) == 2, "the first fill's second ends on the grid, the others' after it"


def test_a_fill_found_later_gets_the_marks_that_are_still_to_come() -> None:
    desk = Desk()
    late = ev.SnapshotTaken("deribit", NOW_NS, (), (), (a_trade(-30).fill,))
    desk.turn(0.0, late)
    for step in range(1, 40):
        desk.turn(step)
    assert [at_s for at_s, _ in desk.marks()] == [30.0]


def test_a_fill_of_what_is_not_traded_here_is_ignored() -> None:
    desk = Desk()
    other = an_option(id="deribit:ETH-6JUN25-9000-C")
    desk.turn(0.0, ev.Filled(a_fill(Side.BUY, instrument=other)))
    desk.turn(2.0)
    assert desk.records == []


def held(desk: Desk, amount: int) -> Position:
    position = desk.state.inventory.of(an_option())
    position.opened, position.amount = True, Decimal(amount)
    desk.state.account("deribit").equity = {"ETH": Equity("ETH", Decimal(7))}
    return position


def test_the_accounts_worth_our_profit_and_the_marks_of_what_is_held_go_together() -> None:
    desk = Desk()
    held(desk, 3)
    desk.turn(0.5, a_snapshot(3))
    kinds = [type(record) for record in desk.records]
    assert kinds == [EquitySampled, MarkSampled, PnlSampled]
    stated = desk.records[0]
    assert isinstance(stated, EquitySampled)
    assert stated.equity.equity == 7
    assert stated.desk_ms == NOW_NS // MS + 500 == desk.records[1].desk_ms  # type: ignore[union-attr] # a mark


def test_what_is_flat_needs_no_mark() -> None:
    desk = Desk()
    held(desk, 0)
    desk.turn(0.0, a_snapshot())
    assert desk.marks() == []


def test_funding_on_its_way_is_sampled_though_the_position_is_gone() -> None:
    desk = Desk()
    held(desk, 0).accrued = Decimal("-0.01")
    desk.turn(0.0, a_snapshot())
    (mark,) = [record for record in desk.records if isinstance(record, MarkSampled)]
    assert mark.accrued == Decimal("-0.01")


def test_the_account_is_sampled_twice_a_minute_and_once_everything_is_taken_back() -> None:
    desk = Desk()
    held(desk, 1)
    for second in range(60):
        desk.turn(second, a_snapshot(1))
    assert len(desk.marks()) == 3
    desk.state.account("deribit").flat_verified = True
    desk.turn(60.0, a_snapshot(1))
    desk.turn(61.0, a_snapshot(1))
    assert [at_s for at_s, _ in desk.marks()] == [0.0, 25.0, 50.0, 60.0]


def test_the_account_is_valued_at_the_marks_that_the_venue_stated_with_it() -> None:
    desk = Desk()
    held(desk, 2)
    desk.worth("0.0200")  # a ticker that has come late
    desk.turn(0.0, a_snapshot(2, "0.0203"))
    assert desk.marks() == [(0.0, Decimal("0.0203"))]


def test_a_look_that_knows_of_another_position_is_no_sample_and_the_next_one_is() -> None:
    desk = Desk()
    held(desk, 2)
    desk.turn(0.0, a_snapshot(3))
    desk.turn(1.0, a_snapshot())
    assert desk.records == []
    desk.turn(2.0, a_snapshot(2))
    assert desk.marks() == [(2.0, Decimal("0.02"))]
