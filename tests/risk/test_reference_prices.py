"""reference_price and stale_references: when prices elsewhere are not known well enough."""

from math import inf, nan
from pathlib import Path

import pytest

from mmbot.config import load_config
from mmbot.core import events as ev
from mmbot.core.references import Reference
from mmbot.core.types import MS, SECOND, Nanos
from mmbot.core.views import ALLOW, Block, Ok, Pause, View
from mmbot.core.why import Why
from mmbot.errors import ConfigError
from mmbot.risk.guards.stale_references import StaleReferences
from mmbot.risk.reference_price import ReferencePrice
from tests.builders import NOW_NS, a_proposal, a_view
from tests.core.bot import Bot, both_sides, cancels, places
from tests.risk.test_guards import a_reading

NO_REFERENCE = Block(Why.NO_REFERENCE)
STALE = Block(Why.STALE_REFERENCE)
GAP = Block(Why.REFERENCE_GAP)


def heard(
    age_s: float = 0.0, *, stamped_s: float | None = None, price: float = 2850.0
) -> Reference:
    """A price received so long ago, and stamped so long ago."""
    stamp_ms = None if stamped_s is None else (NOW_NS - int(stamped_s * SECOND)) // MS
    return Reference(price, stamp_ms, NOW_NS - int(age_s * SECOND))


def seen(**references: Reference) -> View:
    """An index of 2850 and these references."""
    return a_view(references=references)


# The rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "verdict"),
    [
        (heard(2.0), ALLOW),
        (heard(2.001), STALE),
        (heard(2.0, stamped_s=2.0), ALLOW),
        (heard(0.1, stamped_s=2.001), STALE),  # it goes on sending, and means the past
        (heard(2.001, stamped_s=0.0), STALE),
        (heard(0.1, stamped_s=-30.0), ALLOW),  # its clock is ahead of ours
    ],
)
def test_a_price_is_too_old_by_either_clock(reference: Reference, verdict: object) -> None:
    rule = ReferencePrice(sources=("binance",), max_age_s=2.0)
    assert rule.check(seen(binance=reference), a_proposal()) == verdict


def test_every_source_that_is_named_must_have_spoken() -> None:
    rule = ReferencePrice(sources=("binance", "coinbase"))
    assert rule.check(seen(), a_proposal()) == NO_REFERENCE
    assert rule.check(seen(binance=heard()), a_proposal()) == NO_REFERENCE
    assert rule.check(seen(binance=heard(), coinbase=heard()), a_proposal()) == ALLOW
    assert rule.check(seen(binance=heard(), coinbase=heard(9)), a_proposal()) == STALE
    assert rule.check(seen(kraken=heard(9), binance=heard(), coinbase=heard()), a_proposal()) == (
        ALLOW
    )


def test_with_none_named_every_source_counts_and_one_must_be_there() -> None:
    rule = ReferencePrice()
    assert rule.check(seen(), a_proposal()) == NO_REFERENCE
    assert rule.check(seen(binance=heard()), a_proposal()) == ALLOW
    assert rule.check(seen(binance=heard(), coinbase=heard(9)), a_proposal()) == STALE


@pytest.mark.parametrize(
    ("price", "verdict"),
    [
        # 10 bps of 2850 are 2.85.
        (2852.84, ALLOW),
        (2852.86, GAP),
        (2847.16, ALLOW),
        (2847.14, GAP),
    ],
)
def test_a_price_far_from_the_index_stops_the_quoting(price: float, verdict: object) -> None:
    rule = ReferencePrice(sources=("binance",), max_gap_bps=10.0)
    assert rule.check(seen(binance=heard(price=price)), a_proposal()) == verdict
    no_bound = ReferencePrice(sources=("binance",))
    assert no_bound.check(seen(binance=heard(price=price)), a_proposal()) == ALLOW


@pytest.mark.parametrize("index", [nan, inf])
def test_an_index_that_is_no_number_agrees_with_nothing(index: float) -> None:
    rule = ReferencePrice(max_gap_bps=10.0)
    view = a_view(index=index, references={"binance": heard()})
    assert rule.check(view, a_proposal()) == GAP


def test_a_desk_takes_its_orders_back_while_its_source_is_silent() -> None:
    bot = Bot.quoting(rules=[ReferencePrice(sources=("binance",), max_age_s=2.0)])

    def tell(after_s: float = 0.0) -> list[object]:
        said = ev.ReferenceChanged("binance", "ETH", 2850.0 + after_s, None, bot.now_ns)
        return [*bot.turn(said, bot.book(), bot.alive())]

    bot.wants = both_sides()
    assert places(bot.turn(bot.book())) == []
    assert set(bot.market.why.values()) == {Why.NO_REFERENCE}
    tell()
    bot.acknowledge()
    assert [order.working for order in bot.orders] == [True, True]
    assert cancels(bot.wait(1.9)) == []
    gone = cancels(bot.wait(0.3))
    assert [cancel.why for cancel in gone] == [Why.STALE_REFERENCE] * 2
    bot.turn(*(bot.says_cancelled(order) for order in bot.orders))
    tell(1.0)
    assert len(bot.orders) == 2, "and is back by itself"


# The guard ----------------------------------------------------------------------------------------


def ages(**seconds: float) -> dict[str, Nanos]:
    return {source: int(age * SECOND) for source, age in seconds.items()}


@pytest.mark.parametrize(
    ("sources", "known", "verdict"),
    [
        ((), {}, Ok()),
        ((), ages(binance=5), Ok(0.5)),
        ((), ages(binance=-1), Ok()),  # its clock is ahead of ours
        ((), ages(binance=11, coinbase=5), Ok(0.5)),  # one is enough
        ((), ages(binance=11, coinbase=10),
         Pause(Why.STALE_REFERENCE, "newest price of binance, coinbase is 10.0 s old")),
        (("binance",), {}, Pause(Why.NO_REFERENCE, "nothing heard from binance")),
        (("binance",), ages(coinbase=0), Pause(Why.NO_REFERENCE, "nothing heard from binance")),
        (("binance",), ages(binance=11, coinbase=0),
         Pause(Why.STALE_REFERENCE, "newest price of binance is 11.0 s old")),
        (("binance", "coinbase"), ages(coinbase=0), Ok()),
    ],
)  # fmt: skip
def test_quoting_pauses_while_none_of_the_sources_says_anything_new(
    sources: tuple[str, ...], known: dict[str, Nanos], verdict: object
) -> None:
    guard = StaleReferences(sources=sources, after_s=10)
    assert guard.watch(a_reading(reference_ages=known)) == verdict


def test_the_guard_pauses_the_bot_and_lets_it_go_on_but_never_trips() -> None:
    bot = Bot.quoting()
    bot.rest()
    bot.guards = (StaleReferences(sources=("binance",), after_s=2),)
    assert len(cancels(bot.wait(0.1))) == 2
    assert bot.state.watch.paused is Why.NO_REFERENCE
    bot.turn(*(bot.says_cancelled(order) for order in bot.orders))
    told = ev.ReferenceChanged("binance", "BTC", 104_000.0, None, bot.now_ns)
    bot.turn(told, ev.Tick(), bot.alive(), bot.book())
    assert bot.state.watch.paused is None
    assert len(bot.orders) == 2
    bot.wait(60)
    assert bot.state.watch.paused is Why.STALE_REFERENCE
    assert bot.state.latch.tripped is None


# In a desk file -----------------------------------------------------------------------------------

DESK = "[desk]\nexpiry = 2025-06-06\nstrikes = [2800]\n"


def test_neither_is_there_unless_the_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(DESK)
    config = load_config({}, path)
    assert "reference_price" not in [rule.name for rule in config.lone.rules]
    assert "stale_references" not in [guard.name for guard in config.guards]
    path.write_text(
        DESK
        + "[risk.reference_price]\nsources = ['binance', 'coinbase']\nmax_gap_bps = 20\n"
        + "[guards.stale_references]\nafter_s = 3\n"
    )
    config = load_config({}, path)
    (rule,) = (rule.build() for rule in config.lone.rules if rule.name == "reference_price")
    (guard,) = (guard.build() for guard in config.guards if guard.name == "stale_references")
    assert rule == ReferencePrice(sources=("binance", "coinbase"), max_gap_bps=20)
    assert guard == StaleReferences(after_s=3)


def test_a_list_without_a_source_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(DESK + "[risk.reference_price]\nsources = []\n")
    with pytest.raises(ConfigError, match=r"desk\.toml:5: .*sources"):
        load_config({}, path)
