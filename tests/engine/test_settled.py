"""What has come to its end is a row no more, but every sum of status and summary has it."""

from decimal import Decimal
from io import StringIO

import orjson
import pytest
from msgspec.structs import replace
from rich.console import Console

from mmbot.cli.engines import _FRAMES
from mmbot.cli.header import row_profits
from mmbot.cli.run_summary import print_summary
from mmbot.cli.screen import Screen
from mmbot.core import events as ev
from mmbot.core.statements import Equity
from mmbot.core.types import Side
from mmbot.engine.report import statistics_line, status_frame, summary
from mmbot.engine.status import Earned, OrderCounts, StatusFrame, Summary
from mmbot.ops.samples import Sampler
from mmbot.store.booking import as_json
from mmbot.store.records import PnlSampled, Record
from tests.builders import a_quote
from tests.core.bot import VENUE
from tests.core.ending import DELIVERED, PERP, SOON, Ending

ACCOUNTS = {VENUE: ("deribit", "one")}
INDEX = 2850.0
EARNED_USD = -0.0057 * INDEX
NAME = "1 settled: ETH in ETH, eth at deribit"


def frame_of(bot: Ending) -> StatusFrame:
    desks = dict.fromkeys(bot.desks, "eth")
    return status_frame(bot.state, "sim", VENUE, bot.now_ns, accounts=ACCOUNTS, desks=desks)


def summary_of(bot: Ending) -> Summary:
    desks = dict.fromkeys(bot.desks, "eth")
    words = ("sim", VENUE, bot.now_ns, {VENUE: 0}, "done")
    return summary(bot.state, *words, accounts=ACCOUNTS, desks=desks)


def figures(bot: Ending) -> dict[str, object]:
    """Everything that is summed up over instruments, floats to ten digits."""
    frame, said = frame_of(bot), summary_of(bot)
    desk = said.desks["eth"]
    sums = {
        "orders": said.orders,
        "fills": (frame.fills, said.fills, frame.desks[0].fills),
        "venues": said.venues,
        "desk": (desk.orders, desk.fills),
        "equity": frame.equity,
        "statistics": statistics_line(bot.state, bot.now_ns).split(" fills")[0],
    }
    pnl = {name: getattr(frame.pnl, name) for name in frame.pnl.__slots__}
    shares = {"share": desk.quoted_share, "frame": frame.desks[0].quoted_share}
    rows = {"rows": sum(row.pnl_usd or 0.0 for row in said.rows)}
    floats = {n: None if v is None else f"{v:.10f}" for n, v in (pnl | shares | rows).items()}
    return sums | floats


def at_the_end() -> tuple[Ending, dict[str, object]]:
    """A bot whose option has just left, and the figures of the turn before."""
    bot = Ending(desk="eth")
    bot.buy()
    bot.owed = (DELIVERED,)
    while bot.position:
        bot.step()
    bot.owed = ()
    for _ in range(1000):
        before = figures(bot)
        if bot.step():
            break
    assert bot.retired == [SOON.id]
    return bot, before


def test_every_sum_is_the_same_right_before_and_right_after() -> None:
    bot, before = at_the_end()
    assert [row.instrument for row in frame_of(bot).rows] == [PERP.name]
    assert figures(bot) == before
    assert before["orders"] == OrderCounts(placed=1, amended=0, cancelled=0, rejected=0)
    assert before["fills"] == (1, 1, 1)
    assert before["total_usd"] == f"{EARNED_USD:.10f}"


def test_the_frame_tells_what_is_settled_and_the_summary_counts_it_as_a_row() -> None:
    bot, _ = at_the_end()
    (row,) = frame_of(bot).settled
    assert (row.name, row.instruments, row.fills) == (NAME, 1, 1)
    assert row.pnl_usd == pytest.approx(EARNED_USD)
    said = summary_of(bot)
    assert said.rows == (Earned(name=NAME, position=Decimal(0), pnl_usd=row.pnl_usd, quoted=False),)
    assert said.pnl.total_usd == row.pnl_usd
    assert said.positions == {}


def test_the_money_of_the_rows_that_are_left_is_theirs_alone() -> None:
    bot, _ = at_the_end()
    assert row_profits(frame_of(bot)) == {PERP.name: 0}
    print_summary(summary_of(bot), json=False)


def test_a_frame_of_the_store_is_read_back() -> None:
    frame = frame_of(at_the_end()[0])
    assert _FRAMES.validate_json(as_json(frame)).settled == frame.settled
    before = orjson.loads(as_json(frame))
    del before["settled"]
    assert _FRAMES.validate_python(before).settled == (), "of an engine of before"


def test_a_desk_with_nothing_left_is_still_a_desk() -> None:
    bot, _ = at_the_end()
    del bot.state.markets[PERP.id]
    (desk,) = frame_of(bot).desks
    assert (desk.name, desk.instruments, desk.open_orders, desk.fills) == ("eth", 0, 0, 1)
    assert summary_of(bot).desks["eth"].orders.placed == 1
    assert frame_of(bot).pnl.total_usd == pytest.approx(EARNED_USD), "by the index of before"


def test_a_screen_without_any_row_says_so() -> None:
    bot, _ = at_the_end()
    del bot.state.markets[PERP.id]
    screen, console = Screen(), Console(file=StringIO(), width=120)
    screen.frame = frame_of(bot)
    console.print(screen.picture(120, 30))
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert "nothing here is traded at present" in shown
    assert f"PnL {EARNED_USD:.2f}" in shown


def test_samples_of_the_profit_go_on_and_nobody_asks_for_its_mark() -> None:
    bot = Ending()
    bot.buy()
    bot.owed = (DELIVERED,)
    put: list[Record] = []

    def keep(one: Record) -> bool:
        put.append(one)
        return True

    sampler = Sampler(bot.state, keep, lambda: 0)
    (order,) = bot.rest(a_quote(Side.BUY, 0.02, 1))
    late = replace(bot.fill(order, 1), venue_ms=bot.ms + 600_000)
    sampler.observe((ev.Filled(late),), (), bot.now_ns)
    bot.turn(bot.says_cancelled(order))
    bot.live(400)
    assert bot.retired == [SOON.id]
    bot.ask_again()
    looked = replace(bot.snapshot(), equity=(Equity("ETH", Decimal(1)),))
    bot.turn(looked)
    sampler.observe((looked,), (), bot.now_ns + 700 * 10**9)
    profits = [one.pnl.total for one in put if isinstance(one, PnlSampled)]
    assert profits == [Decimal("-0.0057")]
