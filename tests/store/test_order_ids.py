"""Whose an order is where the venue names no labels: its terms before it is sent, then its id."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from msgspec import structs

from mmbot.clock import Clock
from mmbot.core import events as ev
from mmbot.core.bot import begun
from mmbot.core.types import MS, SECOND, Label
from mmbot.engine.store_bridge import restore
from mmbot.store.order_ids import KEEP_NS
from mmbot.store.queries import Reader
from mmbot.store.records import FillClaimed, IdLearned
from tests.builders import NOW_NS, an_option
from tests.store.desk import ACCOUNT_KEY, a_location, a_note, a_record, an_engine

ONE, TWO = Label("mm1-1"), Label("mm1-2")


async def test_terms_are_durable_before_the_order_is_sent_and_its_id_follows(
    tmp_path: Path,
) -> None:
    place = a_location(tmp_path)
    async with an_engine(place) as engine:
        notes = [(a_note(label), NOW_NS + 5 * MS) for label in (ONE, TWO)]
        assert engine.writer.write_terms(notes)
        reader = Reader(place)
        assert [(k.label, k.order_id) for k in reader.known_ids(ACCOUNT_KEY)] == [
            (ONE, ""),
            (TWO, ""),
        ]
        assert {k.placed_ns for k in reader.known_ids(ACCOUNT_KEY)} == {NOW_NS + 5 * MS}
        assert [order.label for order in reader.open_orders()] == [ONE, TWO]
        engine.writer.put(IdLearned(ONE, "v1", "deribit"))
        engine.flush()
        assert [k.order_id for k in reader.known_ids(ACCOUNT_KEY)] == ["v1", ""]


async def test_an_id_that_was_found_at_the_venue_is_kept_too(tmp_path: Path) -> None:
    place = a_location(tmp_path)
    async with an_engine(place) as engine:
        engine.writer.put(IdLearned(ONE, "v1", "deribit"))
        engine.flush()
    assert [(k.label, k.order_id) for k in Reader(place).known_ids(ACCOUNT_KEY)] == [(ONE, "v1")]


async def test_a_store_that_takes_nothing_says_so_in_time(tmp_path: Path) -> None:
    place = a_location(tmp_path)
    async with an_engine(place) as engine:
        assert engine.writer.write_terms([(a_note(ONE), NOW_NS)])
        assert not engine.writer.write_terms([(a_note(ONE), NOW_NS)]), "that label is taken"


async def test_a_fill_that_turns_out_to_be_ours_is_marked_so_and_booked_once(
    tmp_path: Path,
) -> None:
    place = a_location(tmp_path)
    async with an_engine(place) as engine:
        record = replace(a_record(amount=2), ours=False)
        record = replace(record, fill=structs.replace(record.fill, label=None))
        engine.writer.put(record)
        engine.flush()
        engine.writer.put(FillClaimed(structs.replace(record.fill, label=ONE)))
        engine.flush()
    [row] = Reader(place).fills()
    assert (row.ours, row.fill.label) == (True, ONE)
    [position] = Reader(place).positions()
    assert position.amount == Decimal(2)


async def test_a_fresh_run_knows_the_ids_and_when_the_nameless_were_sent(tmp_path: Path) -> None:
    place = a_location(tmp_path)
    async with an_engine(place) as engine:
        engine.writer.write_terms(
            [(a_note(ONE, order_id=""), NOW_NS), (a_note(TWO, order_id=""), NOW_NS)]
        )
        engine.writer.put(IdLearned(ONE, "v1", "deribit"))
        engine.flush()
    listed = ev.InstrumentsListed((an_option(),))
    state = begun("test", NOW_NS + SECOND, (listed,))
    restore(state, Reader(place), [ACCOUNT_KEY], Clock())
    assert state.orders.ids["v1"] == ONE
    known = {order.label: (order.order_id, order.placed_ns) for order in state.orders.all()}
    assert known == {ONE: ("v1", NOW_NS), TWO: ("", NOW_NS)}


async def test_what_is_a_month_old_is_forgotten(tmp_path: Path) -> None:
    place = a_location(tmp_path)
    async with an_engine(place) as engine:
        assert engine.writer.write_terms([(a_note(ONE), NOW_NS)])
        engine.wall.forward_s(KEEP_NS / SECOND + 1)
        engine.writer.put(IdLearned(TWO, "v2", "deribit"))
        engine.flush()
        for _ in range(3):
            engine.writer.put(a_record())
            engine.flush()
    assert [k.label for k in Reader(place).known_ids(ACCOUNT_KEY)] == [TWO]
