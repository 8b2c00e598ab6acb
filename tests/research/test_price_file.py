"""Prices out of files: how times are counted, and which columns are meant."""

from pathlib import Path

import pytest

from mmbot.research.price_file import read_prices

MOMENT = 1_700_000_000


def read(path: Path, *lines: str) -> tuple[list[float], list[list[float]]]:
    path.write_text("\n".join(lines) + "\n")
    found = read_prices(path, None)
    return found.times_s.tolist(), found.columns.tolist()


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
def test_times_are_seconds_or_parts_of_them(tmp_path: Path, per_second: int) -> None:
    lines = [f"{(MOMENT + n) * per_second},{100 + n}" for n in range(3)]
    times, prices = read(tmp_path / "x.csv", "ts,price", *lines)
    assert times == pytest.approx([MOMENT, MOMENT + 1, MOMENT + 2], abs=1e-6)
    assert prices == [[100.0, 101.0, 102.0]]


def test_of_several_rows_of_a_moment_the_last_counts(tmp_path: Path) -> None:
    found = read(tmp_path / "x.csv", "t,price", "7,1", "5,2", "7,3", "6,4")
    assert found == ([5.0, 6.0, 7.0], [[2.0, 4.0, 3.0]])


def test_bars_go_before_prices_and_an_index_before_an_options_price(tmp_path: Path) -> None:
    _, columns = read(tmp_path / "x.csv", "t,price,open,high,low,close", "5,9,1,4,0.5,2")
    assert columns == [[1.0], [4.0], [0.5], [2.0]]
    _, columns = read(tmp_path / "x.csv", "p,t,index_price,price", "0.01,5,60000,0.01")
    assert columns == [[60_000.0]]


def test_an_index_in_cents_is_in_dollars(tmp_path: Path) -> None:
    assert read(tmp_path / "x.csv", "snap_ts_ms,index_e2", f"{MOMENT}000,6570687") == (
        [MOMENT],
        [[65_706.87]],
    )
