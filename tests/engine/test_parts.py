"""Status and summary of an engine with two accounts and two desks: sums, and each by itself."""

from decimal import Decimal

import orjson
import pytest
from msgspec.structs import replace

from mmbot.cli.run_summary import print_summary
from mmbot.core import events as ev
from mmbot.core.scope import Scope
from mmbot.core.statements import Equity
from mmbot.core.types import Side
from mmbot.engine.report import status_frame, summary
from mmbot.engine.status import DeskFrame, LinkFrame, OrderCounts, StatusFrame, Summary
from tests.builders import a_fill
from tests.core.bot import VENUE, Bot, both_sides
from tests.core.two import HEDGE, HERE, THERE, Two

ACCOUNTS = {VENUE: ("deribit", "one"), HEDGE: ("deribit", "two")}
DESKS = {HERE.id: "options", THERE.id: "perp"}


def frame_of(bot: Bot) -> StatusFrame:
    return status_frame(
        bot.state, "sim", "deribit, hedge", bot.now_ns, accounts=ACCOUNTS, desks=DESKS
    )


def summary_of(bot: Bot, left: dict[str, int | None]) -> Summary:
    words = ("sim", "deribit, hedge", bot.now_ns, left, "done")
    return summary(bot.state, *words, accounts=ACCOUNTS, desks=DESKS)


def quoting() -> Two:
    bot = Two()
    bot.quote()
    return bot


def stating(equity: dict[str, Equity]) -> Two:
    bot = quoting()
    for venue, stated in equity.items():
        bot.state.account(venue).look_by(bot.now_ns)
        bot.wait(0.1)
        bot.turn(replace(bot.word(venue), equity=(stated,)))
    return bot


def test_a_frame_names_every_account_with_kind_and_number() -> None:
    venues = frame_of(quoting()).venues
    assert [(one.name, one.kind, one.account) for one in venues] == [
        (VENUE, "deribit", "one"),
        (HEDGE, "deribit", "two"),
    ]


def test_orders_and_budget_are_those_of_each_and_the_sum_of_both() -> None:
    bot = quoting()
    bot.turn(ev.LimitsRead(HEDGE, rate_per_s=10.0, burst=30.0))
    frame = frame_of(bot)
    assert [one.open_orders for one in frame.venues] == [2, 2]
    assert frame.open_orders == 4
    limits = [limit for one in frame.venues for limit in one.limits]
    assert [(limit.name, limit.scope) for limit in limits] == [("requests", "account")] * 2
    assert limits[1].full == 30.0
    assert frame.budget_full == sum(limit.full for limit in limits)
    assert frame.budget == sum(limit.left for limit in limits)


def test_equity_is_that_of_each_and_the_sum_of_both() -> None:
    mine, hers = (Equity("ETH", Decimal(amount), Decimal(amount)) for amount in (10, 4))
    frame = frame_of(stating({VENUE: mine, HEDGE: hers}))
    assert [one.equity for one in frame.venues] == [{"ETH": 10}, {"ETH": 4}]
    assert frame.equity == {"ETH": 14}
    assert frame.equity_usd == pytest.approx(14 * 2850)


def test_equity_in_usd_is_not_known_while_one_account_has_not_stated_it() -> None:
    frame = frame_of(stating({VENUE: Equity("ETH", Decimal(10), Decimal(10))}))
    assert frame.equity_usd is None


def test_the_margin_in_use_is_that_of_the_account_that_uses_most() -> None:
    mine = Equity("ETH", Decimal(10), Decimal(10), Decimal(1))
    hers = Equity("ETH", Decimal(10), Decimal(10), Decimal(6))
    assert frame_of(stating({VENUE: mine, HEDGE: hers})).margin_use == {"ETH": 0.6}


def test_a_link_that_is_down_is_down_for_its_account_and_for_the_whole() -> None:
    bot = quoting()
    bot.turn(ev.LinkChanged(HEDGE, ev.Link.TRADING, up=False))
    frame = frame_of(bot)
    assert [one.link for one in frame.venues] == [
        LinkFrame(ok=True, text="up"),
        LinkFrame(ok=False, text="down"),
    ]
    assert (frame.link, frame.link_ok, frame.trading_up, frame.market_up) == (
        "down",
        False,
        False,
        True,
    )


def test_a_lost_lease_is_told_of_its_account() -> None:
    bot = quoting()
    bot.turn(ev.LeaseLost("thief", HEDGE))
    links = [one.link.text for one in frame_of(bot).venues]
    assert links == ["up", "another engine runs"]


def test_every_desk_is_told_of_by_its_name() -> None:
    bot = quoting()
    bot.turn(ev.Filled(a_fill(Side.BUY, instrument=THERE, venue_ms=bot.ms)))
    bot.wait(1)
    options, perp = frame_of(bot).desks
    assert options == DeskFrame(
        name="options", instruments=1, open_orders=2, fills=0, quoted_share=1.0
    )
    assert (perp.name, perp.fills) == ("perp", 1)


def test_a_desk_that_lost_its_link_was_quoted_for_less_of_the_time() -> None:
    bot = quoting()
    bot.wait(1)
    bot.turn(ev.LinkChanged(HEDGE, ev.Link.TRADING, up=False))
    bot.wait(1)
    shares = {one.name: one.quoted_share for one in frame_of(bot).desks}
    assert shares["options"] == 1.0
    assert shares["perp"] == pytest.approx(0.5, abs=0.05)


def test_without_a_mapping_there_is_one_desk() -> None:
    bot = quoting()
    (desk,) = status_frame(bot.state, "sim", "both", bot.now_ns).desks
    assert (desk.name, desk.instruments) == ("desk", 2)


def test_a_name_that_both_venues_have_is_told_apart() -> None:
    bot = quoting()
    for instrument, amount in ((HERE, 1), (THERE, 2)):
        fill = a_fill(Side.BUY, "0.0200", amount, instrument=instrument, venue_ms=bot.ms)
        bot.turn(ev.Filled(fill))
    said = summary_of(bot, {VENUE: 0, HEDGE: 0})
    assert said.positions == {HERE.id: 1, THERE.id: 2}
    assert said.delta_coin["ETH"].net == pytest.approx(0.5 * 3)
    assert Scope(instrument=THERE.id).covers(THERE, Side.BUY)
    assert not Scope(instrument=THERE.id).covers(HERE, Side.BUY)


def test_a_name_that_only_one_venue_has_stands_alone() -> None:
    bot = Bot.quoting()
    (row,) = status_frame(bot.state, "sim", VENUE, bot.now_ns).rows
    assert (row.instrument, row.venue, row.desk) == (HERE.name, VENUE, "desk")


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({VENUE: 0, HEDGE: 0}, ["0", "deribit 0", "hedge 0"]),
        ({VENUE: 2, HEDGE: 1}, ["3", "deribit 2", "hedge 1"]),
        (
            {VENUE: 0, HEDGE: None},
            ["unknown", "deribit 0", "hedge unknown: the venue could not be asked"],
        ),
    ],
)
def test_the_summary_tells_what_is_left_at_each_venue(
    left: dict[str, int | None], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_summary(summary_of(quoting(), left), json=False)
    _, _, told = capsys.readouterr().out.partition("orders left")
    assert [" ".join(line.split()) for line in told.splitlines()] == said


def test_the_summary_counts_by_account_and_by_desk_and_the_whole_is_the_sum(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bot = quoting()
    bot.puppet.wants[HERE.id] = both_sides(bid=0.0195)
    bot.turn(*bot.lives(), *bot.books())
    bot.acknowledge()
    bot.turn(ev.Filled(a_fill(Side.BUY, instrument=HERE, venue_ms=bot.ms)))
    bot.wait(1)
    print_summary(summary_of(bot, {VENUE: 0, HEDGE: 0}), json=True)
    said = orjson.loads(capsys.readouterr().out)
    here = {"placed": 2, "amended": 1, "cancelled": 0, "rejected": 0}
    there = here | {"amended": 0}
    assert said["venues"] == {
        VENUE: {
            "kind": "deribit",
            "account": "one",
            "orders": here,
            "fills": 1,
            "open_orders_after_stop": 0,
        },
        HEDGE: {
            "kind": "deribit",
            "account": "two",
            "orders": there,
            "fills": 0,
            "open_orders_after_stop": 0,
        },
    }
    assert said["orders"] == {name: here[name] + there[name] for name in here}
    assert {name: desk["orders"] for name, desk in said["desks"].items()} == {
        "options": here,
        "perp": there,
    }
    assert {name: desk["fills"] for name, desk in said["desks"].items()} == {
        "options": 1,
        "perp": 0,
    }
    assert said["desks"]["perp"].keys() == {"orders", "fills", "quoted_share"}
    assert said["open_orders_after_stop"] == 0


def test_what_one_venue_could_not_say_nobody_knows_of_the_whole() -> None:
    said = summary_of(quoting(), {VENUE: 0, HEDGE: None})
    assert said.open_orders_after_stop is None
    assert said.exit_code == 3
    assert [one.open_orders_after_stop for one in said.venues.values()] == [0, None]
    assert said.venues[VENUE].orders == OrderCounts(placed=2, amended=0, cancelled=0, rejected=0)
