"""A store keeps of each fill whether it stands, and the next run goes on from there."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from msgspec import structs

from mmbot.core.statements import Finality
from mmbot.core.types import Label
from mmbot.store.queries import Reader
from mmbot.store.records import FillBooked
from tests.store.desk import ACCOUNT_KEY, a_location, a_record, an_engine

MINE = (ACCOUNT_KEY.venue, ACCOUNT_KEY.account)


def provisional(number: int, amount: int) -> FillBooked:
    record = a_record(number, amount=amount, fee="0.0003")
    return replace(record, fill=structs.replace(record.fill, finality=Finality.PROVISIONAL))


def reversal(record: FillBooked) -> FillBooked:
    return replace(record, fill=record.fill.reversal(record.fill.venue_ms + 900))


def final(record: FillBooked) -> FillBooked:
    return replace(record, fill=structs.replace(record.fill, finality=Finality.FINAL), again=True)


async def test_what_is_provisional_void_and_final_is_told_apart(tmp_path: Path) -> None:
    location, (one, two, three) = a_location(tmp_path), [provisional(n, n) for n in (1, 2, 3)]
    async with an_engine(location) as engine:
        for record in (one, two, three, reversal(two), final(three), reversal(two), final(three)):
            engine.writer.put(record)
    reader = Reader(location)
    rows = [(row.fill.trade_id, row.fill.finality.value) for row in reader.fills()]
    assert sorted(rows) == [
        ("t1", "provisional"),
        ("t2", "voided"),
        ("t2 void", "voided"),
        ("t3", "final"),
    ]
    (held,) = reader.positions(*MINE)
    assert (held.amount, held.volume, held.fills) == (Decimal(4), Decimal(4), 2)
    assert held.fees == Decimal("0.0006")
    assert [fill.trade_id for fill in reader.provisional(*MINE)] == ["t1"]
    labels = [Label(f"mm1-{n}") for n in (1, 2, 3)]
    assert reader.booked_by(*MINE, labels) == {"mm1-1": 1, "mm1-3": 3}


async def test_the_next_run_closes_what_the_last_one_left_open(tmp_path: Path) -> None:
    location, one = a_location(tmp_path), provisional(1, 5)
    async with an_engine(location) as engine:
        engine.writer.put(one)
    async with an_engine(location) as engine:
        (open_,) = Reader(location).provisional(*MINE)
        assert open_.mark == one.mark
        engine.writer.put(reversal(one))
    reader = Reader(location)
    assert reader.provisional(*MINE) == []
    (held,) = reader.positions(*MINE)
    assert [held.amount, held.cash, held.fees] == [0, 0, 0]
