"""What is shown adds up as it is shown (largest-remainder method)."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mmbot.cli.sums import apportioned, digits_for, rounded

money = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


def test_a_third_each_is_no_99_cents() -> None:
    assert apportioned([1 / 3] * 3, 1.0, 2) == [Decimal(t) for t in ("0.34", "0.33", "0.33")]


def test_seats_go_to_the_largest_remainders() -> None:
    # Hamilton's apportionment of 10 seats: quotas 4.16, 3.40, 2.44.
    assert apportioned([4.16, 3.40, 2.44], 10, 0) == [4, 3, 3]


def test_what_is_nothing_stays_nothing() -> None:
    assert apportioned([0.005, 0.0, 0.005, 0.0], 0.01, 2) == [Decimal("0.01"), 0, 0, 0]


def test_there_is_one_zero() -> None:
    assert [str(part) for part in apportioned([-0.001, 0.001], 0.0, 2)] == ["0.00", "0.00"]
    assert str(rounded(-0.001, 2)) == "0.00"


@given(st.lists(money, min_size=1, max_size=80), st.integers(0, 4))
def test_the_parts_add_up_and_none_is_off_by_a_unit(parts: list[float], digits: int) -> None:
    total = sum(parts)
    shown = apportioned(parts, total, digits)
    assert sum(shown) == rounded(total, digits)
    unit = Decimal(1).scaleb(-digits)
    for part, exact in zip(shown, parts, strict=True):
        assert abs(part - Decimal(exact)) <= unit


def test_large_amounts_are_whole_dollars_all_of_them() -> None:
    assert digits_for(12.5, -9_999.0) == 2
    assert digits_for(12.5, -10_000.0) == 0
