"""Two venues that list the same name: whoever looks sees which one is meant."""

import asyncio
import csv
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import update

from mmbot.cli.control import _known_instrument
from mmbot.cli.engines import Engine
from mmbot.cli.tape_json import as_objects
from mmbot.cli.tape_lines import names_on, wrapped
from mmbot.clock import Clock
from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.types import InstrumentId
from mmbot.core.why import Why
from mmbot.engine.status import DeskFrame, LinkFrame, StatusFrame, VenueFrame
from mmbot.errors import ConfigError
from mmbot.plugins.registry import Family
from mmbot.store import schema
from mmbot.store.database import open_store
from mmbot.store.locations import Location
from mmbot.store.records import FillBooked, StatusPublished
from mmbot.tape.plan import DeskPlan, Plan, PluginPlan
from mmbot.tape.reader import TapeFile
from mmbot.tape.words import Line, Topic
from tests.builders import a_perpetual, an_option
from tests.cli.inprocess import Mmbot
from tests.cli.test_screen import a_frame, a_row
from tests.store.desk import BOTH, a_location, a_record, an_engine

PERP = a_perpetual()
AT_HEDGE = a_perpetual(id=InstrumentId("hedge:ETH-PERPETUAL"), venue="hedge")


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


def trade(number: int, instrument: Instrument) -> FillBooked:
    return a_record(number, price="2850", mark="2851", amount=100 * number, instrument=instrument)


@pytest.fixture
def traded(home: Path) -> None:
    """A store in which one run of two accounts has traded the same name at both, and a call."""

    async def book() -> None:
        async with an_engine(a_location(home), BOTH) as engine:
            for record in (trade(1, PERP), trade(2, AT_HEDGE), a_record(3)):
                assert engine.writer.put(record)
            engine.flush()

    asyncio.run(book())


@pytest.mark.usefixtures("traded")
def test_fills_are_listed_by_the_name_that_is_clear(mmbot: Mmbot) -> None:
    page = mmbot.page("fills", "list")
    assert page.count("deribit:ETH-PERPETUAL") == page.count("hedge:ETH-PERPETUAL") == 1
    assert " ETH-6JUN25-2800-C" in page
    alone = mmbot.page("fills", "list", "--instrument", "hedge:ETH-PERPETUAL")
    assert alone.count("ETH-PERPETUAL") == 1
    assert " 200 " in alone
    assert mmbot.page("fills", "list", "--instrument", "ETH-PERPETUAL").count("PERPETUAL") == 2


@pytest.mark.usefixtures("traded")
def test_the_report_has_a_line_for_each(mmbot: Mmbot) -> None:
    said = mmbot.json("fills", "report")
    (page,) = said
    fills = {line["name"]: line["fills"] for line in page["lines"]}
    assert fills == {
        "ETH-6JUN25-2800-C": 1,
        "deribit:ETH-PERPETUAL": 1,
        "hedge:ETH-PERPETUAL": 1,
    }
    assert {line["name"]: line.get("volume") for line in page["lines"]} == {
        "ETH-6JUN25-2800-C": 1,
        "deribit:ETH-PERPETUAL": 100,
        "hedge:ETH-PERPETUAL": 200,
    }
    mmbot.page("fills", "report")


@pytest.mark.usefixtures("traded")
def test_the_books_name_venue_and_account(mmbot: Mmbot) -> None:
    for command in ("fills", "ledger"):
        code, out, _ = mmbot.run(command, "export")
        assert code == 0
        rows = list(csv.DictReader(io.StringIO(out)))
        found = {(row["venue"], row["account"], row["instrument"]) for row in rows}
        assert ("deribit", "sim-1", "ETH-PERPETUAL") in found
        assert ("hedge", "sim-2", "ETH-PERPETUAL") in found


@pytest.mark.usefixtures("traded")
def test_the_check_says_which_account_it_is_about(mmbot: Mmbot) -> None:
    (page,) = mmbot.json("fills", "report", "--check")
    subjects = {finding["subject"] for finding in page["check"]["findings"]}
    assert {"deribit:ETH-PERPETUAL", "hedge:ETH-PERPETUAL", "ETH-6JUN25-2800-C"} <= subjects


# --- on a tape --------------------------------------------------------------------------------


def a_header(*desks: tuple[str, Instrument]) -> TapeFile:
    """As much of a tape as says what is on it."""
    plan = PluginPlan(Family.STRATEGY, "improve_top", b"")
    plans = tuple(
        DeskPlan(venue, venue, plan, (), 0, instruments=(one.id,)) for venue, one in desks
    )
    return cast(TapeFile, SimpleNamespace(header=SimpleNamespace(plan=Plan(plans, (), (), ()))))


def test_a_line_of_a_tape_names_the_venue_where_it_matters() -> None:
    alone = names_on(a_header(("deribit", PERP)))
    assert alone(PERP.id) == "ETH-PERPETUAL"
    assert alone(an_option().id) == "ETH-6JUN25-2800-C", "held, and quoted by no desk"
    clear = names_on(a_header(("deribit", an_option()), ("hedge", AT_HEDGE)))
    assert clear(AT_HEDGE.id) == "ETH-PERPETUAL"
    assert clear(PERP.id) == "deribit:ETH-PERPETUAL", "held at the other account"
    both = names_on(a_header(("deribit", PERP), ("hedge", AT_HEDGE)))
    assert (both(PERP.id), both(AT_HEDGE.id)) == ("deribit:ETH-PERPETUAL", "hedge:ETH-PERPETUAL")
    line = Line(Topic.MARKET, "book", "is there", AT_HEDGE.id)
    assert wrapped(line, 80, both) == ["book     hedge:ETH-PERPETUAL is there"]
    (said,) = as_objects([ev.BookLost(AT_HEDGE.id, Why.NO_BOOK)], both)
    assert said["instrument"] == "hedge:ETH-PERPETUAL"


# --- while it runs ----------------------------------------------------------------------------


def two_venues() -> StatusFrame:
    """An engine with one desk at each of two venues, which quote the same name."""
    row = replace(a_row(), symbol="ETH/USD:ETH", unit="USD", unit_usd=1.0)
    perp = replace(row, instrument="deribit:ETH-PERPETUAL", venue="deribit", desk="options")
    hedge = replace(row, instrument="hedge:ETH-PERPETUAL", venue="hedge", desk="perp")
    call = replace(a_row(), venue="deribit", desk="options")
    up, down = LinkFrame(ok=True, text="up"), LinkFrame(ok=False, text="down")
    return replace(
        a_frame(perp, hedge, call),
        venue="deribit, hedge",
        venues=tuple(
            VenueFrame(
                name=name,
                kind="deribit",
                account=account,
                link=link,
                limits=(),
                equity={"ETH": Decimal(equity)},
                open_orders=2,
            )
            for name, account, link, equity in (
                ("deribit", "sim-1", up, 100),
                ("hedge", "sim-2", down, 7),
            )
        ),
        desks=(
            DeskFrame(name="options", instruments=2, open_orders=4, fills=3, quoted_share=0.981),
            DeskFrame(name="perp", instruments=1, open_orders=1, fills=0, quoted_share=None),
        ),
    )


@pytest.fixture
def running(home: Path) -> None:
    """A store in which that engine has published its state, and has not stopped since."""

    async def said() -> None:
        async with an_engine(a_location(home), BOTH) as engine:
            assert engine.writer.put(StatusPublished(two_venues(), Clock().wall_ns()))

    asyncio.run(said())
    with open_store(a_location(home)).transaction() as connection:
        connection.execute(update(schema.runs).values(stopped_ns=None, exit_code=None))


@pytest.mark.usefixtures("running")
def test_explain_tells_of_both_or_of_the_one_that_is_named(mmbot: Mmbot) -> None:
    both = mmbot.page("explain", "eth-perpetual")
    assert "SIM deribit ETH-PERPETUAL, run k3f9x2, desk options, " in both
    assert "SIM hedge ETH-PERPETUAL, run k3f9x2, desk perp, " in both
    one = mmbot.page("explain", "hedge:ETH-PERPETUAL")
    assert "SIM hedge ETH-PERPETUAL" in one
    assert "deribit" not in one
    assert [said["venue"] for said in mmbot.json("explain", "ETH-PERPETUAL")] == [
        "deribit",
        "hedge",
    ]
    assert [said["venue"] for said in mmbot.json("explain", "ETH/USD:ETH")] == ["deribit", "hedge"]
    assert "there is" in mmbot.refusal("explain", "elsewhere:ETH-PERPETUAL", code=1)


@pytest.mark.usefixtures("running")
def test_status_has_a_line_for_each_venue_and_rows_by_desk(mmbot: Mmbot) -> None:
    lines = mmbot.page("status", "--once").splitlines()
    (who,) = (line for line in lines if " run " in line)
    assert who.startswith(" SIM  deribit, hedge  run ")
    assert " deribit sim-1  link up  open 2  equity 100 ETH" in lines
    assert " hedge sim-2  link down  open 2  equity 7 ETH" in lines
    assert " options 4 orders, 3 fills, quoted 98.1 %  perp 1 order, 0 fills" in lines
    named = [line.split()[0] for line in lines if line.startswith(("options", "perp", "deribit:"))]
    assert named == ["options", "deribit:ETH-PERP", "perp"]
    rows = [line.split()[0] for line in lines[lines.index(lines[-1]) - 4 :]]
    assert rows == ["options", "deribit:ETH-PERP", "ETH-6JUN25-2800-C", "perp", "hedge:ETH-PERP"]


def test_a_switch_is_for_one_of_them() -> None:
    engine = cast(Engine, SimpleNamespace(frame=two_venues()))
    engines = [(cast(Location, None), engine)]
    for name in ("eth-perpetual", "ETH/USD:ETH"):
        with pytest.raises(ConfigError) as refused:
            _known_instrument(name, engines)
        assert str(refused.value) == (
            f"--instrument: several venues trade {name}: give one of deribit:ETH-PERPETUAL, "
            "hedge:ETH-PERPETUAL"
        )
    assert _known_instrument("Hedge:eth-perpetual", engines) == "hedge:ETH-PERPETUAL"
    assert _known_instrument("eth-6jun25-2800-c", engines) == "ETH-6JUN25-2800-C"
