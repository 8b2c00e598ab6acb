"""Decimals survive the store exactly."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select, text
from sqlalchemy.dialects import sqlite

from mmbot.store.decimals import Exact

numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.integers(0, 1),
    st.integers(0, 10**40),
    st.integers(-40, 30),
)


@given(numbers)
@settings(deadline=None)
def test_what_is_read_equals_what_was_written(number: Decimal) -> None:
    engine = create_engine("sqlite://")
    metadata = MetaData()
    table = Table("t", metadata, Column("id", Integer, primary_key=True), Column("x", Exact))
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(table).values(x=number))
        read = connection.scalars(select(table.c.x)).one()
        kept = connection.execute(text("SELECT x, typeof(x) FROM t")).one()
    engine.dispose()
    assert isinstance(read, Decimal)
    assert read == number
    assert kept[1] == "text"
    assert set(kept[0]) <= set("-.0123456789")
    if number and number.as_tuple().exponent in range(-40, 1):
        assert read.as_tuple() == number.as_tuple()


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        (Decimal("0.0130"), "0.0130"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-10"), "0.0000000001"),
        (Decimal("-0"), "0"),
        (Decimal("-0.00"), "0.00"),
        (Decimal("-12.50"), "-12.50"),
        (Decimal("123456789012345678901234567890.123456789"),) * 2,
    ],
)
def test_it_is_kept_as_a_person_would_write_it(number: Decimal, kept: str | Decimal) -> None:
    assert Exact().process_bind_param(number, sqlite.dialect()) == str(kept)


@pytest.mark.parametrize("wrong", [0.1, 1, "1", Decimal("NaN"), Decimal("-Infinity")])
def test_anything_else_is_a_bug(wrong: object) -> None:
    with pytest.raises(AssertionError):
        Exact().process_bind_param(wrong, sqlite.dialect())  # type: ignore[arg-type] # on purpose
