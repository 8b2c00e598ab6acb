"""`mmbot research vol`: how much the prices of a file moved, whatever its layout."""

import gzip
import math
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tests.cli.inprocess import Mmbot
from tests.pricing.recorded import recorded

KEYS = [
    "realized",
    "bipower",
    "parkinson",
    "garman_klass",
    "rogers_satchell",
    "yang_zhang",
    "jump_share",
    "samples",
    "gaps",
]
VOL = 0.5
MINUTE = 60.0
PER_S = VOL**2 / (365 * 86_400)


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


def walk(count: int, step_s: float, seed: int = 8) -> np.ndarray:
    moves = np.random.default_rng(seed).normal(0.0, math.sqrt(PER_S * step_s), count - 1)
    prices: np.ndarray = 60_000.0 * np.exp(np.concatenate([[0.0], np.cumsum(moves)]))
    return prices


def bars_csv(count: int = 5_000, inside: int = 60) -> list[str]:
    """Bars of a minute, out of `inside` prices each."""
    prices = walk(count * inside + 1, MINUTE / inside)
    lines = ["timestamp,open,high,low,close,volume"]
    for number in range(count):
        part = prices[number * inside : (number + 1) * inside + 1]
        cells = (part[0], part.max(), part.min(), part[-1])
        lines.append(
            ",".join([str(1_700_000_000 + 60 * number), *map(repr, map(float, cells)), "1"])
        )
    return lines


def ticks_csv(count: int = 20_000) -> list[str]:
    prices = walk(count, 5.0)
    return ["time,price", *(f"{1_700_000_000_000 + 5_000 * n},{p}" for n, p in enumerate(prices))]


def written(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_bars_of_a_known_volatility(mmbot: Mmbot, tmp_path: Path) -> None:
    told = mmbot.json("research", "vol", written(tmp_path / "bars.csv", bars_csv()))
    assert list(told) == KEYS
    assert (told["samples"], told["gaps"]) == (5_000, 0)
    for name in ("realized", "bipower"):
        assert told[name] == pytest.approx(VOL, rel=0.04)
    # Highs and lows of 60 prices a bar: ranges fall short by about 9 %.
    for name in ("parkinson", "garman_klass", "rogers_satchell", "yang_zhang"):
        assert VOL * 0.85 < told[name] < VOL
    assert 0.0 <= told["jump_share"] < 0.05


def test_prices_of_a_known_volatility(mmbot: Mmbot, tmp_path: Path) -> None:
    told = mmbot.json("research", "vol", written(tmp_path / "ticks.csv", ticks_csv()))
    assert told["samples"] == 20_000
    for name in ("realized", "bipower", "parkinson", "garman_klass", "rogers_satchell"):
        assert told[name] == pytest.approx(VOL, rel=0.06), name


def test_a_file_may_be_zipped_parquet_or_backwards(mmbot: Mmbot, tmp_path: Path) -> None:
    lines = ticks_csv(2_000)
    plain = mmbot.json("research", "vol", written(tmp_path / "plain.csv", lines))
    backwards = written(tmp_path / "backwards.csv", [lines[0], *lines[:0:-1]])
    zipped = tmp_path / "zipped.csv.gz"
    zipped.write_bytes(gzip.compress("\n".join(lines).encode()))
    columns = list(zip(*(line.split(",") for line in lines[1:]), strict=True))
    pyarrow = import_module("pyarrow")
    table = pyarrow.table({"time": map(int, columns[0]), "price": map(float, columns[1])})
    parquet = tmp_path / "data.parquet"
    import_module("pyarrow.parquet").write_table(table, parquet)
    for path in (backwards, str(zipped), str(parquet)):
        assert mmbot.json("research", "vol", path) == plain


def test_missing_minutes_are_gaps_and_rows_without_a_price_are_left_out(
    mmbot: Mmbot, tmp_path: Path
) -> None:
    lines = bars_csv(300)
    lines[100] = lines[100].split(",")[0] + ",,,,,"
    del lines[200:205]
    told = mmbot.json("research", "vol", written(tmp_path / "bars.csv", lines))
    assert (told["samples"], told["gaps"]) == (294, 2)
    assert told["realized"] == pytest.approx(VOL, rel=0.15)


def test_a_table_for_people(mmbot: Mmbot, tmp_path: Path) -> None:
    text = mmbot.page("research", "vol", written(tmp_path / "bars.csv", bars_csv(100)))
    assert "2023-11-14 22:13" in text
    assert "% a year" in text
    assert "bars of 1 min" in text
    text = mmbot.page("research", "vol", written(tmp_path / "few.csv", ticks_csv(5)))
    assert "-" in text  # too few for bars


@pytest.mark.parametrize("time", ["2026-01-05 04:11:02.5", "2026-01-05T04:11:02.5Z"])
def test_times_may_be_written_out(mmbot: Mmbot, tmp_path: Path, time: str) -> None:
    lines = ["date,price", f"{time},1", "2026-01-05 04:12,2", "2026-01-05T05:13+01:00,3"]
    told = mmbot.json("research", "vol", written(tmp_path / "x.csv", lines))
    assert told["samples"] == 3
    assert told["gaps"] == 0


def test_one_underlying_of_several(mmbot: Mmbot, tmp_path: Path) -> None:
    lines = ["time,coin,price"]
    for n, price in enumerate(walk(200, MINUTE)):
        lines += [f"{60 * n + 10**9},BTC,{price}", f"{60 * n + 10**9},ETH,{price**0.5}"]
    path = written(tmp_path / "two.csv", lines)
    assert "--underlying" in mmbot.refusal("research", "vol", path)
    btc, eth = (mmbot.json("research", "vol", path, "--underlying", c) for c in ("BTC", "eth"))
    assert eth["realized"] == pytest.approx(btc["realized"] / 2)
    said = mmbot.refusal("research", "vol", path, "--underlying", "SOL")
    assert said.endswith("there is BTC, ETH")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("timestamp,price\n", "no row with a price"),
        ("timestamp,price\n1,2\n2,3\n", "2 prices: 3 are needed"),
        ("timestamp,price\n1,2\n2,x\n", "line 3: 'x' is no price"),
        ("timestamp,price\n1,2\n2,nan\n", "line 3: 'nan' is no price"),
        ("timestamp,price\n1,2\n2,-3\n", "line 3: '-3' is no price"),
        ("timestamp,price\n1,2\n2,inf\n", "line 3: 'inf' is no price"),
        ("timestamp,price\nsoon,2\n", "line 2: 'soon' is no time"),
        ("timestamp,price\n1,2\n2\n", "line 3 has 1 of 2 columns"),
        ("timestamp,open,high,low,close\n1,2,1,1,1\n", "line 2: a bar whose high or low"),
        ("name,size\na,1\n", "no prices known by its columns (name, size)"),
        ('{"price": 3}', "no prices known by its columns"),
    ],
)
def test_a_file_that_tells_no_prices(mmbot: Mmbot, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(text)
    assert mmbot.refusal("research", "vol", str(path)).startswith(f"{path}: {said}")


def test_a_file_that_is_cut_off(mmbot: Mmbot, tmp_path: Path) -> None:
    zipped = tmp_path / "data.csv.gz"
    zipped.write_bytes(gzip.compress("\n".join(ticks_csv(500)).encode())[:-200])
    assert mmbot.refusal("research", "vol", str(zipped)).endswith("cut off or damaged")
    parquet = tmp_path / "data.parquet"
    parquet.write_bytes(b"PAR1" + bytes(500))
    assert mmbot.refusal("research", "vol", str(parquet)).endswith("cut off or damaged")
    noise = tmp_path / "noise"
    noise.write_bytes(bytes(range(128, 256)) * 20)
    assert mmbot.refusal("research", "vol", str(noise)).endswith("neither csv nor parquet")


def test_a_file_that_is_not_there_or_no_file(mmbot: Mmbot, tmp_path: Path) -> None:
    assert "there is no such file" in mmbot.refusal("research", "vol", str(tmp_path / "none"))
    assert "irectory" in mmbot.refusal("research", "vol", str(tmp_path))


def test_parquet_without_pyarrow_names_the_pip_line(
    mmbot: Mmbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1" + bytes(50))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "run pip install 'mmbot[parquet]'" in mmbot.refusal("research", "vol", str(path))


@pytest.mark.parametrize(
    ("name", "underlying", "samples"),
    [
        ("nautilus_btcperp_1m_20211231_20220201.csv.gz", None, 45_031),
        ("deribit_BTC-PERPETUAL_1d_2018_2026.csv.gz", None, 2_727),
        ("deribit_chains/znmahbub_chains_dev_20260105_20260215.parquet", "ETH", 167),
        ("deribit_chains/znmahbub_perp_prices_at_snapshots.csv.gz", "BTC", 419),
        ("deribit_chains/venteng_btc_option_trades_20220101.csv.gz", None, 1_227),
        ("binary/felix_btc5m_outcomes_20251218_20260316.csv.gz", None, 20_928),
    ],
)
def test_recorded_files_are_read(
    mmbot: Mmbot, name: str, underlying: str | None, samples: int
) -> None:
    of = ("--underlying", underlying) if underlying else ()
    told = mmbot.json("research", "vol", str(recorded(name)), *of)
    assert told["samples"] == samples
    assert 0.2 < told["realized"] < 1.0
    assert 0.2 < told["yang_zhang"] < 1.0
