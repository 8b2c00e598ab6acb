"""Which rows are shown: pages and patterns, without a terminal."""

import pytest

from mmbot.cli.paging import Key, Pager, keys_in, matches
from tests.cli.test_screen import a_row


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (None, "CALL PUT PERP"),
        ("2800", "CALL PUT"),
        ("*-p", "PUT"),
        ("2?00-c", "CALL"),
        ("eth-6jun25-*", "CALL PUT"),
        ("ETH-PERPETUAL", "PERP"),
        ("btc", ""),
    ],
)
def test_a_part_of_a_name_or_a_pattern_of_the_shell(pattern: str | None, names: str) -> None:
    rows = {"CALL": "ETH-6JUN25-2800-C", "PUT": "ETH-6JUN25-2800-P", "PERP": "ETH-PERPETUAL"}
    found = [short for short, name in rows.items() if matches(a_row(name), pattern)]
    assert found == names.split()


def test_pages_turn_forward_and_back_over_rows_of_several_heights() -> None:
    heights, pager = [1, 2, 1, 1, 2, 1, 1], Pager()
    pages = [pager.shown(heights, 4)]
    for _ in range(2):
        pager.press(Key.PAGE_DOWN)
        pages.append(pager.shown(heights, 4))
    assert pages == [(0, 3), (3, 6), (4, 7)], "the last page is full"
    pager.press(Key.PAGE_UP)
    assert pager.shown(heights, 4) == (1, 4)
    pager.press(Key.HOME)
    pager.press(Key.UP)
    assert pager.shown(heights, 4) == (0, 3)
    pager.press(Key.END)
    pager.press(Key.DOWN)
    assert pager.shown(heights, 4) == (4, 7)


def test_fewer_rows_than_before_leave_no_empty_page() -> None:
    pager = Pager(first=30)
    assert pager.shown([1] * 5, 10) == (0, 5)
    assert pager.shown([1] * 5, 3) == (0, 3)
    assert Pager().shown([], 3) == (0, 0)
    assert Pager().shown([5, 5], 3) == (0, 1), "one row, whatever the room"


def test_keys_of_every_terminal() -> None:
    assert keys_in(b"j\x1b[Bx\x1bOA \x1b[5~\x1b[9~G") == [
        Key.DOWN,
        Key.DOWN,
        Key.UP,
        Key.PAGE_DOWN,
        Key.PAGE_UP,
        Key.END,
    ]
