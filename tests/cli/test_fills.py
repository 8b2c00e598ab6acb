"""`mmbot fills export`: every fill, exactly, in the format asked for, or one clear line."""

import asyncio
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from mmbot.cli import app
from mmbot.cli.export import COLUMNS
from mmbot.config import Mode
from mmbot.core.labels import base36
from mmbot.core.statements import Finality
from mmbot.core.types import Side
from mmbot.store.records import AccountKey, FillBooked
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.cli.terminal import MMBOT
from tests.store.desk import ACCOUNT_KEY, a_location, a_record, an_engine

START = datetime.fromtimestamp(NOW_NS // 10**9, UTC)
"""2025-06-02 12:00 UTC; trade number n of `a_record` is n seconds later."""


class Export:
    """Runs the command in this process, on the stores of one folder."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.home, self._monkeypatch, self._capsys = home, monkeypatch, capsys

    def book(self, *records: FillBooked, account_key: AccountKey = ACCOUNT_KEY) -> int:
        """Have an engine book these; its run."""
        return asyncio.run(self._book(records, account_key))

    async def _book(self, records: Sequence[FillBooked], account_key: AccountKey) -> int:
        async with an_engine(a_location(self.home, account_key.mode), account_key) as engine:
            for record in records:
                assert engine.writer.put(record)
            engine.flush()
            return engine.run

    def run(self, *arguments: str) -> tuple[object, str, str]:
        """Exit code, stdout, stderr."""
        return self._run("fills", "export", *arguments)

    def _run(self, *arguments: str) -> tuple[object, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["mmbot", *arguments])
        with pytest.raises(SystemExit) as end:
            app.run()
        written = self._capsys.readouterr()
        return end.value.code, written.out, written.err

    def rows(self, *arguments: str) -> list[dict[str, str]]:
        """The table, as csv readers see it."""
        code, out, err = self.run(*arguments)
        assert code == 0, err
        return list(csv.DictReader(io.StringIO(out)))

    def nothing(self, *arguments: str, command: Sequence[str] = ("fills", "export")) -> str:
        """The one line it ends with where nothing fits."""
        code, _, err = self._run(*command, *arguments)
        assert code == 1
        assert err.startswith("mmbot: ")
        assert err.count("\n") == 1
        return err.removeprefix("mmbot: ").rstrip()

    def refusal(self, *arguments: str) -> str:
        """The one line it ends with."""
        code, out, err = self.run(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("mmbot: ")
        assert err.count("\n") == 1
        return err.removeprefix("mmbot: ").rstrip()


@pytest.fixture
def export(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Export:
    return Export(home, monkeypatch, capsys)


def ids(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["trade_id"] for row in rows]


def test_every_column_says_what_was_booked_digit_for_digit(export: Export) -> None:
    record = a_record(7, side=Side.SELL, price="0.0130", amount="1E+1", fee="-0.000000000001")
    run = export.book(record)
    code, out, err = export.run()
    assert (code, err) == (0, f"1 fill from {export.home / 'sim.db'}\n")
    header, line = out.splitlines()
    assert header.split(",") == list(COLUMNS)
    (row,) = csv.DictReader(io.StringIO(out))
    fill = record.fill
    assert row == {
        "time": fill_time(fill.venue_ms),
        "mode": "sim",
        "venue": "deribit",
        "account": ACCOUNT_KEY.account,
        "instrument": "ETH-6JUN25-2800-C",
        "side": "sell",
        "price": "0.0130",
        "amount": "10",
        "fee": "-0.000000000001",
        "fee_currency": fill.fee_currency,
        "liquidity": fill.liquidity.value if fill.liquidity is not None else "",
        "mark": "0.0210",
        "index": "" if fill.index is None else f"{fill.index:f}",
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "label": fill.label or "",
        "run": base36(run),
        "ours": "true",
        "finality": "final",
        "reverses": "",
    }
    assert "\r" not in line


def fill_time(venue_ms: int) -> str:
    when = datetime.fromtimestamp(venue_ms // 1000, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{venue_ms % 1000:03}Z"


def test_json_is_one_array_with_the_same_cells(export: Export) -> None:
    export.book(a_record(1), a_record(2, ours=False))
    code, out, _ = export.run("--format", "json")
    assert code == 0
    objects = json.loads(out)
    assert [list(one) for one in objects] == [list(COLUMNS)] * 2
    assert [one["ours"] for one in objects] == [True, False]
    as_text = [{k: v if isinstance(v, str) else csv_text(v) for k, v in o.items()} for o in objects]
    assert as_text == export.rows()


def csv_text(value: object) -> str:
    return "" if value is None else str(value).lower()


def test_nothing_traded_is_an_empty_table_in_every_format(export: Export) -> None:
    export.book()
    assert export.run()[:2] == (0, ",".join(COLUMNS) + "\n")
    assert export.run("--format", "json")[:2] == (0, "[]\n")


def test_fills_are_chosen_by_time_instrument_and_run(export: Export) -> None:
    first = export.book(a_record(1), a_record(2, instrument=a_perpetual()))
    second = export.book(a_record(3))
    assert len(export.rows()) == 3
    assert len(export.rows("--instrument", "ETH-PERPETUAL")) == 1
    assert len(export.rows("--instrument", f"deribit:{an_option().name}")) == 2
    assert len(export.rows("--run", base36(first))) == 2
    assert len(export.rows("--run", base36(second))) == 1
    times = [row["time"] for row in export.rows()]
    assert export.rows("--since", times[1])[0]["time"] == times[1]
    assert [row["time"] for row in export.rows("--until", times[1])] == times[:1]


def test_a_date_means_its_midnight(export: Export) -> None:
    export.book(a_record(1))
    assert f"{START:%Y-%m-%d}" == "2025-06-02"
    assert len(export.rows("--since", "2025-06-02", "--until", "20250603")) == 1
    assert len(export.rows("--since", "2jun25", "--until", "3JUN25")) == 1
    for outside in (("--since", "20250603"), ("--until", "2025-06-02")):
        assert "the first is of 2025-06-02T12:00:01Z, the last of 2025-06-02T12:00:01Z" in (
            export.nothing(*outside)
        )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["--instrument", "ETH-6JUN25-2800-P"],
            "--instrument: no instrument ETH-6JUN25-2800-P; di",
        ),
        (["--instrument", "eth-perp"], "did you mean ETH-PERPETUAL? ETH-6JUN25-2800-C, ETH-PERPET"),
        (["--run", "1c7h2t"], "--run: no run 1c7h2t; "),
        (["--instrument", "ETH-PERPETUAL", "--until", "20250602"], "no fill of that time in "),
    ],
)
def test_filters_that_fit_nothing_name_the_nearest(
    export: Export, flags: list[str], said: str
) -> None:
    export.book(a_record(1), a_record(2, instrument=a_perpetual()))
    assert said in export.nothing(*flags)
    assert said in export.nothing(*flags, command=("fills", "list"))
    assert said in export.nothing(*flags, command=("ledger", "export"))


def test_an_instrument_is_written_in_capitals_or_not(export: Export) -> None:
    export.book(a_record(1), a_record(2, instrument=a_perpetual()))
    for name in ("eth-perpetual", "deribit:Eth-Perpetual", "ETH-PERPETUAL"):
        assert len(export.rows("--instrument", name)) == 1


def test_every_store_is_read_live_first_and_mode_picks_one(export: Export) -> None:
    for mode in (Mode.SIM, Mode.LIVE, Mode.TESTNET):
        export.book(a_record(1), account_key=AccountKey(mode, "deribit", f"{mode.value}-1"))
    assert [row["mode"] for row in export.rows()] == ["live", "testnet", "sim"]
    assert [row["mode"] for row in export.rows("--mode", "testnet")] == ["testnet"]
    assert export.refusal("--mode", "paper").startswith("no store of mode paper yet")


def test_a_broken_store_of_another_mode_is_not_in_the_way(export: Export) -> None:
    export.book(a_record(1))
    (export.home / "live.db").write_bytes(b"garbage" * 100)
    assert len(export.rows("--mode", "sim")) == 1
    assert "live.db is not a database" in export.refusal()


def test_a_file_is_written_whole_and_nothing_else(export: Export, tmp_path: Path) -> None:
    export.book(a_record(1), a_record(2))
    out = tmp_path / "out" / "fills.csv"
    assert "cannot be written: No such file" in export.refusal("--out", str(out))
    out.parent.mkdir()
    out.write_text("what was there before")
    code, printed, _ = export.run("--out", str(out))
    assert (code, printed) == (0, "")
    assert out.read_text() == export.run()[1]
    assert list(out.parent.iterdir()) == [out]
    assert "cannot be written: " in export.refusal("--out", str(out.parent))


def test_a_store_that_cannot_be_read_leaves_the_old_file(export: Export, tmp_path: Path) -> None:
    export.home.mkdir()
    (export.home / "sim.db").write_bytes(b"")
    out = tmp_path / "fills.csv"
    out.write_text("what was there before")
    export.refusal("--out", str(out))
    assert out.read_text() == "what was there before"


def test_a_device_is_written_to_not_replaced(export: Export) -> None:
    export.book(a_record(1))
    assert export.run("--out", os.devnull)[0] == 0
    assert Path(os.devnull).is_char_device()
    assert export.refusal("--out", "/dev/full").endswith("No space left on device")


def test_a_reader_that_leaves_early_ends_it_quietly(export: Export) -> None:
    export.book(*[a_record(number) for number in range(1, 2000)])
    shell = f"{MMBOT} fills export | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert done.stdout == ",".join(COLUMNS) + "\n0\n"
    assert done.stderr == ""


def test_a_full_disk_behind_stdout_is_one_line(export: Export) -> None:
    export.book(a_record(1))
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [MMBOT, "fills", "export"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 2
    assert done.stderr == "mmbot: stdout cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "xls"], "--format: unknown format 'xls'; there is: csv, json, parquet"),
        (["--format", "cvs"], "--format: unknown format 'cvs'; did you mean 'csv'?"),
        (["--mode", "lives"], "--mode: unknown mode 'lives'; did you mean 'live'?"),
        (["--since", "yesterday"], "--since: 'yesterday' is neither a date nor a moment in UTC"),
        (["--until", "2025-13-01"], "--until: '2025-13-01' is neither a date nor a moment"),
        (["--since", "2025-06-03", "--until", "2025-06-02"], "--since is not before --until"),
        (["--run", "-1"], "--run: '-1' is not the name of a run; they look like 1c7h2t"),
        (["--run", "z" * 30], "is not the name of a run"),
        (["--config", "missing.toml"], "missing.toml: cannot be read: No such file"),
        ([], "no store yet: `mmbot quote` makes one"),
    ],
)
def test_bad_input_is_one_line(export: Export, arguments: list[str], said: str) -> None:
    assert said in export.refusal(*arguments)


def test_the_store_of_a_desk_file_is_read(export: Export, tmp_path: Path) -> None:
    export.book(a_record(1))
    moved = tmp_path / "desk.db"
    shutil.move(export.home / "sim.db", moved)
    desk = tmp_path / "desk.toml"
    desk.write_text(f"[desk]\nsymbols = ['X']\n[store]\nurl = 'sqlite:///{moved}'\n")
    assert len(export.rows("--config", str(desk))) == 1


def test_a_store_that_somebody_keeps_locked_is_one_line(export: Export) -> None:
    export.book(a_record(1))
    with sqlite3.connect(export.home / "sim.db") as somebody:
        somebody.execute("PRAGMA locking_mode=EXCLUSIVE")
        somebody.execute("BEGIN EXCLUSIVE")
        assert "another program keeps it locked" in export.refusal()
    somebody.close()


def test_parquet_without_pyarrow_says_how_to_get_it(
    export: Export, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    export.book(a_record(1))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    out = tmp_path / "fills.parquet"
    said = export.refusal("--format", "parquet", "--out", str(out))
    assert said.endswith("run pip install 'mmbot[parquet]'")
    assert not out.exists()


def test_parquet_holds_exact_decimals_and_moments(export: Export, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export.book(a_record(1, price="0.0130"), a_record(2, price="1E+3", amount="0.1"))
    out = tmp_path / "fills.parquet"
    assert export.run("--format", "parquet", "--out", str(out))[0] == 0
    table = parquet.read_table(out).to_pydict()
    assert list(table) == list(COLUMNS)
    assert table["price"] == [Decimal("0.0130"), Decimal(1000)]
    assert table["amount"] == [Decimal(1), Decimal("0.1")]
    assert [fill_time(round(t.timestamp() * 1000)) for t in table["time"]] == [
        row["time"] for row in export.rows()
    ]


# Fills that may be taken back ---------------------------------------------------------------------


def with_finality(record: FillBooked, finality: Finality) -> FillBooked:
    return replace(record, fill=structs.replace(record.fill, finality=finality))


def reversal_of(record: FillBooked) -> FillBooked:
    return replace(record, fill=record.fill.reversal(record.fill.venue_ms + 5_000))


OPEN = with_finality(a_record(1, amount=5, fee="0.0009"), Finality.PROVISIONAL)
GONE = with_finality(a_record(2, amount=3, fee="0.0005"), Finality.PROVISIONAL)
STANDS = with_finality(a_record(3, amount=2, fee="0.0003"), Finality.PROVISIONAL)
BOOKED = (
    OPEN,
    GONE,
    STANDS,
    reversal_of(GONE),
    replace(with_finality(STANDS, Finality.FINAL), again=True),
)
"""One is provisional still, one is void, one final: 7 are held."""


def test_a_voided_fill_and_its_reversal_are_both_exported_and_add_up(export: Export) -> None:
    export.book(*BOOKED, *BOOKED)
    rows = export.rows()
    assert [(row["trade_id"], row["finality"], row["reverses"]) for row in rows] == [
        ("t1", "provisional", ""),
        ("t2", "voided", ""),
        ("t3", "final", ""),
        ("t2 void", "voided", "t2"),
    ]
    signs = {"buy": 1, "sell": -1}
    assert sum(signs[row["side"]] * Decimal(row["amount"]) for row in rows) == 7
    assert sum(Decimal(row["fee"]) for row in rows) == Decimal("0.0012")


def test_the_list_says_what_may_not_stand(export: Export) -> None:
    export.book(*BOOKED)
    code, out, err = export._run("fills", "list")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if "ETH-" in line]
    assert [line[9] for line in lines] == ["provisional", "voided", "maker", "reversal"]
    _, out, _ = export._run("fills", "list", "--json")
    told = [(row["finality"], row["reverses"]) for row in json.loads(out)]
    assert told == [("provisional", None), ("voided", None), ("final", None), ("voided", "t2")]


def test_the_report_counts_no_voided_fill_and_agrees_with_the_positions(export: Export) -> None:
    export.book(*BOOKED)
    code, out, err = export._run("fills", "report", "--check", "--json")
    assert (code, err) == (0, "")
    (page,) = json.loads(out)
    assert page["check"]["ok"], page["check"]
    (line,) = page["lines"]
    assert (line["fills"], line["volume"]) == (2, 7.0)
    # 7 bought at 0.0200 against a mark of 0.0210, and the fees of those that may stand.
    earned = line["currencies"]["ETH"]
    assert [Decimal(earned[name]) for name in ("spread", "fees")] == [
        Decimal("0.007"),
        Decimal("0.0012"),
    ]


def test_in_the_ledger_a_reversal_brings_back_what_the_fill_took(export: Export) -> None:
    export.book(*BOOKED)
    _, out, _ = export._run("ledger", "export")
    of_void = [row for row in csv.DictReader(io.StringIO(out)) if row["ref"].startswith("t2")]
    assert [(row["kind"], row["ref"], Decimal(row["money"])) for row in of_void] == [
        ("trade", "t2", Decimal("-0.06")),
        ("fee", "t2", Decimal("-0.0005")),
        ("trade", "t2 void", Decimal("0.06")),
        ("fee", "t2 void", Decimal("0.0005")),
    ]
