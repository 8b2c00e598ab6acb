"""Numbers of messages are finite and of this world, and messages within messages are read alike."""

from decimal import Decimal

import pytest
from msgspec import Struct, field

from mmbot.venues.reading import Unread, Unreadable, each, fields_of, read


class Inner(Struct, frozen=True):
    delta: Decimal | None = field(default=None, name="d")
    vol: Decimal | None = field(default=None, name="i")


class Outer(Struct, frozen=True):
    price: Decimal
    mark: Decimal | None = field(default=None, name="M")
    inner: Inner | None = None


def reading(data: object) -> tuple[Outer, list[tuple[str, int, str]]]:
    unread = Unread()
    return read(Outer, data, unread, "test"), unread.take()


@pytest.mark.parametrize("stated", ["1.50", 1.5, "15E-1"])
def test_decimals_are_read_from_texts_and_numbers_alike(stated: object) -> None:
    found, unread = reading({"price": stated, "M": "0.1", "more": None})
    assert (found.price, found.mark, unread) == (Decimal("1.5"), Decimal("0.1"), [])


ODD = ["NaN", "-sNaN", "Infinity", "1E+400", "1E-400", "", "one", True, [], {"a": 1}]


@pytest.mark.parametrize("odd", ODD)
def test_a_vital_number_that_is_none_makes_the_element_unreadable(odd: object) -> None:
    with pytest.raises(Unreadable, match="price is"):
        reading({"price": odd})


@pytest.mark.parametrize("odd", ODD)
def test_any_other_number_that_is_none_is_unknown_and_noted(odd: object) -> None:
    found, unread = reading({"price": "1", "M": odd})
    assert found == Outer(Decimal(1))
    assert [(kind, count) for kind, count, _ in unread] == [("test field", 1)]


@pytest.mark.parametrize("odd", ["NaN", "one", []])
def test_a_message_within_loses_no_more_than_what_cannot_be_read(odd: object) -> None:
    found, unread = reading({"price": "1", "inner": {"d": "0.5", "i": odd}})
    assert found.inner == Inner(Decimal("0.5"))
    assert [(kind, count) for kind, count, _ in unread] == [("test field", 1)]


@pytest.mark.parametrize("odd", ["none", 7, []])
def test_a_message_within_that_is_none_is_unknown(odd: object) -> None:
    found, unread = reading({"price": "1", "inner": odd})
    assert found.inner is None
    assert len(unread) == 1


def test_null_and_missing_are_unknown_and_not_worth_a_note() -> None:
    assert reading({"price": "1", "M": None, "inner": None}) == (Outer(Decimal(1)), [])
    assert reading({"price": "1"}) == (Outer(Decimal(1)), [])


@pytest.mark.parametrize("data", [None, [], "text", 5, {}, {"price": None}])
def test_what_has_no_vital_field_is_not_understood(data: object) -> None:
    with pytest.raises(Unreadable):
        reading(data)


def test_one_row_that_cannot_be_read_does_not_cost_its_neighbors() -> None:
    unread = Unread()
    rows = [{"price": "1"}, None, {"price": "NaN"}, {"price": "2"}]
    found, left_out = each(rows, lambda row: read(Outer, row, unread, "row"), unread, "row")
    assert ([one.price for one in found], left_out) == ([Decimal(1), Decimal(2)], 2)
    assert unread.take()[0][:2] == ("row", 2)
    assert unread.take() == []


def test_what_is_no_list_and_no_object_is_said() -> None:
    with pytest.raises(Unreadable, match="no list"):
        each({}, lambda row: row, Unread(), "rows")
    with pytest.raises(Unreadable, match="no object"):
        fields_of([], "answer")
