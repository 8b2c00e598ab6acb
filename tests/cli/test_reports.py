"""`mmbot fills list`, `fills report` and `ledger export` on stores that were written by hand."""

import asyncio
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from mmbot.config import Mode
from mmbot.core.labels import base36
from mmbot.core.statements import Equity, Flow, FlowKind
from mmbot.core.types import MS, Side
from mmbot.store.records import (
    AccountKey,
    EquitySampled,
    FlowBooked,
    MarkSampled,
    PositionOpened,
    Record,
)
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.cli.inprocess import Mmbot
from tests.store.desk import ACCOUNT_KEY, a_location, a_note, a_record, an_engine

NOW_MS = NOW_NS // MS


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


def book(home: Path, *records: Record, account_key: AccountKey = ACCOUNT_KEY) -> str:
    """Have an engine book these; its run."""

    async def booked(records: Sequence[Record]) -> int:
        async with an_engine(a_location(home, account_key.mode), account_key) as engine:
            for record in records:
                assert engine.writer.put(record)
            engine.flush()
            return engine.run

    return base36(asyncio.run(booked(records)))


def a_mark(at_s: float, mark: str) -> MarkSampled:
    at_ms = NOW_MS + round(at_s * 1000)
    return MarkSampled(an_option().id, at_ms, Decimal(mark), Decimal(2000), Decimal(0), NOW_NS)


def an_equity(at_s: float, amount: str) -> EquitySampled:
    stated = Equity("ETH", Decimal(amount), Decimal(amount))
    return EquitySampled(stated, NOW_NS, NOW_MS + round(at_s * 1000))


def a_day(last_equity: str = "10.0014") -> list[Record]:
    """Bought 1 at 0.0200 (mark 0.0210) for 0.0001, worth 0.0215 a minute later: 0.0014 earned."""
    return [
        an_equity(0, "10"),
        a_note("mm1-1", order_id="a"),
        a_note("mm1-2", order_id="b"),
        a_note("mm1-3", order_id=""),  # never reached the venue
        a_record(1, price="0.0200", mark="0.0210", fee="0.0001"),
        a_mark(2.0, "0.0212"),
        a_mark(61.0, "0.0215"),
        an_equity(61.0, last_equity),
    ]


def test_the_last_fills_are_listed_oldest_first(mmbot: Mmbot, home: Path) -> None:
    run = book(home, *(a_record(number, side=Side.SELL) for number in range(1, 6)))
    page = mmbot.page("fills", "list", "--last", "2")
    lines = [line for line in page.splitlines() if "ETH-6JUN25" in line]
    assert [line.split()[1] for line in lines] == ["12:00:04", "12:00:05"]
    assert "SIM: the last 2" in page
    assert lines[0].split()[-1] == run
    # Sold at 0.0200, mark 0.0210: 0.0010 the wrong way.
    assert "-0.0010" in lines[0]


def test_the_list_as_json_has_the_columns_of_the_export(mmbot: Mmbot, home: Path) -> None:
    book(home, a_record(1), a_record(2))
    (row,) = mmbot.json("fills", "list", "--last", "1")
    assert (row["trade_id"], row["price"], row["mode"]) == ("t2", "0.0200", "sim")


def test_every_mode_is_a_list_of_its_own(mmbot: Mmbot, home: Path) -> None:
    book(home, a_record(1))
    book(home, a_record(1), account_key=AccountKey(Mode.LIVE, "deribit", "main"))
    assert [row["mode"] for row in mmbot.json("fills", "list")] == ["live", "sim"]
    assert [page["mode"] for page in mmbot.json("fills", "report")] == ["live", "sim"]
    assert [page["mode"] for page in mmbot.json("fills", "report", "--mode", "sim")] == ["sim"]


def test_the_report_says_what_the_fills_came_to(mmbot: Mmbot, home: Path) -> None:
    book(home, *a_day())
    (page,) = mmbot.json("fills", "report")
    (line,) = page["lines"]
    assert line["name"] == "ETH-6JUN25-2800-C"
    assert (line["fills"], line["orders"], line["fill_rate"]) == (1, 2, 0.5)
    assert line["win_rate"] is None, "nothing was closed"
    assert line["currencies"]["ETH"] == {
        "total": "0.0014",
        "spread": "0.001",
        "inventory": "0.0005",
        "fees": "0.0001",
        "realized": "-0.0001",
        "unrealized": "0.0015",
        "funding": "0",
    }
    assert line["usd"]["total"] == pytest.approx(2.8)
    # A second after: 0.0212 against 0.0200, at 2000 USD. A minute after: 0.0215.
    assert line["markouts_usd"]["1"] == {"total": pytest.approx(2.4), "fills": 1}
    assert line["markouts_usd"]["60"] == {"total": pytest.approx(3.0), "fills": 1}
    assert line["markouts_usd"]["10"] == {"total": 0.0, "fills": 0}
    assert line["max_position"] == 1
    assert page["total"]["usd"] == line["usd"]


def test_the_report_for_people_shows_the_same(mmbot: Mmbot, home: Path) -> None:
    book(home, *a_day())
    page = mmbot.page("fills", "report")
    assert "+2.80" in page
    assert "ETH +0.00140000 = spread +0.00100000" in page
    assert "50.0 %" in page


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("day", ["2025-06-02", "2025-06-03"]),
        ("instrument", ["ETH-6JUN25-2800-C", "ETH-PERPETUAL"]),
    ],
)
def test_lines_are_instruments_or_days(mmbot: Mmbot, home: Path, by: str, names: list[str]) -> None:
    perpetual = a_perpetual()
    tomorrow = a_record(86_400, price="2000", mark="2001", amount=1000, instrument=perpetual)
    book(home, a_record(1), tomorrow)
    (page,) = mmbot.json("fills", "report", "--by", by)
    assert [line["name"] for line in page["lines"]] == names


def test_lines_can_be_runs_and_one_run_can_be_asked_for(mmbot: Mmbot, home: Path) -> None:
    runs = [book(home, a_record(1)), book(home, a_record(2), a_record(3))]
    (page,) = mmbot.json("fills", "report", "--by", "run")
    assert {line["name"]: line["fills"] for line in page["lines"]} == {runs[0]: 1, runs[1]: 2}
    (page,) = mmbot.json("fills", "report", "--run", runs[1])
    assert [line["fills"] for line in page["lines"]] == [2]


def test_what_is_shown_adds_up_as_it_is_shown(mmbot: Mmbot, home: Path) -> None:
    # Thirds of a cent everywhere: 2,000 USD a coin, prices and fees that are no whole cents.
    for number in range(1, 8):
        price, fee = f"0.0200{number}33", f"0.0000{number}17"
        filled = a_record(number, price=price, mark="0.0210017", fee=fee)
        book(home, filled, a_mark(number + 0.5, f"0.021{number}"))
    page = mmbot.page("fills", "report", "--by", "run")
    lines = page[: page.index("quality")].splitlines()
    rows = [line.split() for line in lines if re.match(r"[0-9a-z]+ +\d+ ", line)]
    assert len(rows) == 8
    names = next(line for line in lines if "spread" in line).split()[3:]
    *runs, total = [dict(zip(names, map(Decimal, row[3:]), strict=True)) for row in rows]
    for line in (*runs, total):
        parts = ("spread", "inventory", "funding", "fees")
        assert sum(line[part] for part in parts) == line["total"]
        assert line["realized"] + line["unreal."] == line["total"]
        assert line["fees"] < 0, "a cost"
    for name in names:
        assert sum(line[name] for line in runs) == total[name]
    exact = page.splitlines()[-1].replace(",", "").split()
    assert Decimal(exact[1]) == sum(Decimal(exact[place]) for place in (4, 6, 8, 10))


def test_the_days_asked_for_add_up_to_the_whole(mmbot: Mmbot, home: Path) -> None:
    tomorrow = a_record(86_400, side=Side.SELL, price="0.025", mark="0.024", fee="0.0003")
    book(home, a_record(1), tomorrow)
    parts = [
        mmbot.json("fills", "report", flag, "2025-06-03")[0]["total"]["currencies"]["ETH"]["total"]
        for flag in ("--until", "--since")
    ]
    (whole,) = mmbot.json("fills", "report")
    total = whole["total"]["currencies"]["ETH"]["total"]
    assert sum(map(Decimal, parts)) == Decimal(total) == Decimal("0.0047")


def test_the_check_passes_when_the_venue_agrees(mmbot: Mmbot, home: Path) -> None:
    book(home, *a_day())
    (page,) = mmbot.json("fills", "report", "--check")
    assert page["check"]["ok"]
    equity = page["check"]["findings"][-1]
    assert equity["what"] == "change of equity"
    assert equity["recomputed"] == equity["stated"] == "0.0014"
    assert "all agree" in mmbot.page("fills", "report", "--check")


def test_the_check_fails_with_both_numbers_when_the_venue_says_otherwise(
    mmbot: Mmbot, home: Path
) -> None:
    book(home, *a_day(last_equity="10.0214"))  # the option is there, its price was never paid
    (page,) = mmbot.json("fills", "report", "--check", code=1)
    assert not page["check"]["ok"]
    shown = mmbot.page("fills", "report", "--check", code=1)
    line = next(line for line in shown.splitlines() if "change of equity" in line)
    assert "0.0014" in line
    assert "0.0214" in line


def test_the_check_fails_when_a_fill_has_gone(mmbot: Mmbot, home: Path) -> None:
    import sqlite3

    book(home, *a_day())
    with sqlite3.connect(home / "sim.db") as connection:
        connection.execute("DELETE FROM fills")
    connection.close()
    page = mmbot.page("fills", "report", "--check", code=1)
    assert "does not agree" in page or "do not agree" in page
    assert any("position" in line and " 0 " in line for line in page.splitlines())


def test_what_cannot_be_checked_is_said_and_is_no_failure(mmbot: Mmbot, home: Path) -> None:
    book(home, a_record(1), an_equity(0, "10"))
    code, _, err = mmbot.run("fills", "report", "--check")
    assert code == 0
    assert "not checked: change of equity" in err


def ledger(mmbot: Mmbot, *arguments: str) -> list[dict[str, str]]:
    code, out, err = mmbot.run("ledger", "export", *arguments)
    assert code == 0, err
    return list(csv.DictReader(io.StringIO(out)))


def a_flow(kind: FlowKind, at_s: float, **changes: object) -> Flow:
    flow = Flow(
        ref=f"{kind.value}-{at_s}",
        kind=kind,
        instrument=None if kind is FlowKind.TRANSFER else an_option().id,
        currency="ETH",
        money=Decimal(0),
        venue_ms=NOW_MS + round(at_s * 1000),
        index=Decimal(2000),
    )
    return structs.replace(flow, **changes)


def test_the_ledger_has_every_movement_with_its_dollars(mmbot: Mmbot, home: Path) -> None:
    delivery = a_flow(
        FlowKind.DELIVERY, 60, price=Decimal("0.005"), fee=Decimal("0.0001"), money=Decimal(9)
    )
    sold = a_record(1, side=Side.SELL, price="0.02", amount=2, fee="0.0006")
    sold = replace(sold, fill=structs.replace(sold.fill, index=Decimal(2500)))
    book(
        home,
        PositionOpened(an_option(), Decimal(0), Decimal("0.02"), NOW_MS),
        sold,
        FlowBooked(delivery, an_option()),
        FlowBooked(a_flow(FlowKind.TRANSFER, 90, money=Decimal("1.5"), index=None), None),
    )
    told = [
        (row["kind"], row["amount"], Decimal(row["money"]), row["usd"]) for row in ledger(mmbot)
    ]
    assert told == [
        ("trade", "-2", Decimal("0.04"), "100.0000"),  # the premium of two
        ("fee", "", Decimal("-0.0006"), "-1.5000"),
        ("delivery", "2", Decimal("-0.010"), "-20.0000"),  # short two, each worth 0.005
        ("fee", "", Decimal("-0.0001"), "-0.2000"),
        ("transfer", "", Decimal("1.5"), ""),
    ]


def test_a_perpetuals_trade_realizes_what_the_settlement_pays(mmbot: Mmbot, home: Path) -> None:
    # 1000 USD from 2000 to 2500: 1000 (1/2000 - 1/2500) = 0.1 ETH; funding is a line of its own.
    perpetual = a_perpetual()
    funding = a_flow(FlowKind.FUNDING, 9, instrument=perpetual.id, money=Decimal("-0.001"))
    settled = a_flow(FlowKind.SETTLEMENT, 9, instrument=perpetual.id, money=Decimal("0.1"))
    book(
        home,
        a_record(1, price="2000", mark="2000", amount=1000, instrument=perpetual),
        a_record(2, side=Side.SELL, price="2500", mark="2500", amount=1000, instrument=perpetual),
        FlowBooked(funding, perpetual),
        FlowBooked(settled, perpetual),
    )
    told = [(row["kind"], Decimal(row["money"]), row["realized"]) for row in ledger(mmbot)]
    assert told == [
        ("trade", Decimal(0), "0"),
        ("trade", Decimal(0), "0.1"),
        ("funding", Decimal("-0.001"), ""),
        ("settlement", Decimal("0.1"), ""),
    ]


def test_the_ledger_is_filtered_like_the_fills(mmbot: Mmbot, home: Path) -> None:
    first = book(home, a_record(1), a_record(2, price="2000", instrument=a_perpetual()))
    book(home, a_record(3))
    assert len(ledger(mmbot)) == 3
    assert len(ledger(mmbot, "--run", first)) == 2
    assert len(ledger(mmbot, "--instrument", "ETH-PERPETUAL")) == 1
    assert len(ledger(mmbot, "--since", "2025-06-02T12:00:02Z")) == 2
    assert len(ledger(mmbot, "--until", "2025-06-02T12:00:02Z")) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fills", "list", "--last", "0"], "--last: '0' is not a whole number of at least 1"),
        (["fills", "list", "--last", "many"], "--last: 'many' is not a whole number"),
        (
            ["fills", "report", "--by", "week"],
            "--by: unknown grouping 'week'; there is: instrument",
        ),
        (["fills", "report", "--mode", "lives"], "did you mean 'live'?"),
        (["fills", "report"], "no store yet: `mmbot quote` makes one"),
        (["ledger", "export", "--format", "cvs"], "did you mean 'csv'?"),
        (["ledger", "export", "--since", "soon"], "--since: 'soon' is neither a date nor a moment"),
    ],
)
def test_bad_input_is_one_line(mmbot: Mmbot, arguments: list[str], said: str) -> None:
    assert said in mmbot.refusal(*arguments)


def test_nothing_traded_is_said_and_is_no_error(mmbot: Mmbot, home: Path) -> None:
    book(home)
    for command in ("list", "report"):
        code, out, err = mmbot.run("fills", command)
        assert (code, out) == (0, "")
        assert "fill in" in err
    assert mmbot.json("fills", "list") == []
