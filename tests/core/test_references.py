"""Reference prices: which one counts, how old it is, and which markets it moves."""

from math import inf, nan

import pytest

from mmbot.core import events as ev
from mmbot.core.references import FUTURE_MAX_NS, NO_REFERENCES, Reference
from mmbot.core.types import MS, SECOND, InstrumentId
from tests.builders import NOW_NS, an_option
from tests.core.bot import Bot, both_sides, places

NOW_MS = NOW_NS // MS


def told(
    price: float = 2850.0,
    *,
    source: str = "binance",
    asset: str = "ETH",
    stamp_ms: int | None = NOW_MS,
    received_ns: int = NOW_NS,
) -> ev.ReferenceChanged:
    return ev.ReferenceChanged(source, asset, price, stamp_ms, received_ns)


def known(bot: Bot, source: str = "binance", asset: str = "ETH") -> float:
    return bot.state.references.newest[asset][source].price


# Which price counts -----------------------------------------------------------------------------


def test_the_newest_of_each_source_and_asset_is_kept() -> None:
    bot = Bot()
    bot.turn(told(2850.0), told(2851.0, source="coinbase"), told(104_000.0, asset="BTC"))
    bot.turn(told(2852.0, stamp_ms=NOW_MS + 1))
    assert (known(bot), known(bot, "coinbase"), known(bot, asset="BTC")) == (2852, 2851, 104_000)


@pytest.mark.parametrize(
    ("stamp_ms", "received_ms", "wins"),
    [
        (NOW_MS - 1, 5, False),  # older by its own stamp, however late it comes
        (NOW_MS, 5, True),  # said once more
        (NOW_MS, -5, False),  # said once more, and overtaken
        (NOW_MS + 1, -5, True),  # newer by its own stamp
        (None, 5, True),  # without a stamp the receipt counts
        (None, -5, False),
    ],
)
def test_an_older_stamp_never_replaces_a_newer_one(
    stamp_ms: int | None, received_ms: int, wins: bool
) -> None:
    bot = Bot()
    bot.turn(told(2850.0), told(1.0, stamp_ms=stamp_ms, received_ns=NOW_NS + received_ms * MS))
    assert known(bot) == (1.0 if wins else 2850.0)


def test_a_price_without_a_stamp_goes_by_receipt_whatever_the_next_one_is_stamped() -> None:
    bot = Bot()
    bot.turn(told(2850.0, stamp_ms=None), told(2851.0, stamp_ms=1, received_ns=NOW_NS + 1))
    assert known(bot) == 2851.0


@pytest.mark.parametrize("price", [nan, inf, -inf, 0.0, -0.0, -2850.0])
def test_what_is_no_price_is_dropped_and_counted(price: float) -> None:
    bot = Bot()
    bot.turn(told(2850.0), told(price, stamp_ms=NOW_MS + 1), told(price, source="coinbase"))
    assert bot.state.references.newest == {"ETH": {"binance": Reference(2850.0, NOW_MS, NOW_NS)}}
    assert bot.state.references.dropped == {"binance": 1, "coinbase": 1}


def test_one_stamp_from_the_future_does_not_shut_out_every_later_price() -> None:
    bot = Bot()
    most_ms = NOW_MS + FUTURE_MAX_NS // MS
    bot.turn(told(1.0, stamp_ms=most_ms + 1), told(2850.0))
    assert known(bot) == 2850.0
    assert bot.state.references.dropped == {"binance": 1}
    bot.turn(told(2851.0, stamp_ms=most_ms))
    assert known(bot) == 2851.0


# How old it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp_ms", "age_s"),
    [(NOW_MS, 2.0), (NOW_MS - 3_000, 5.0), (NOW_MS + 500, 2.0), (None, 2.0)],
)
def test_a_price_is_as_old_as_the_older_of_its_two_clocks(
    stamp_ms: int | None, age_s: float
) -> None:
    assert Reference(2850.0, stamp_ms, NOW_NS).age_ns(NOW_NS + 2 * SECOND) == age_s * SECOND


def test_a_source_is_as_old_as_the_newest_of_its_prices() -> None:
    bot = Bot()
    bot.turn(
        told(received_ns=NOW_NS - 3 * SECOND, stamp_ms=None),
        told(104_000.0, asset="BTC", received_ns=NOW_NS - SECOND, stamp_ms=None),
        told(source="coinbase", received_ns=NOW_NS, stamp_ms=NOW_MS - 4_000),
    )
    assert bot.state.references.ages_ns(NOW_NS) == {
        "binance": 1 * SECOND,
        "coinbase": 4 * SECOND,
    }


# What it moves ----------------------------------------------------------------------------------


def test_markets_of_the_underlying_are_decided_about_again_when_it_moved() -> None:
    put, bitcoin = (
        an_option(id=InstrumentId(f"deribit:{name}"), name=name, underlying=underlying)
        for name, underlying in (("ETH-6JUN25-2800-P", "ETH"), ("BTC-6JUN25-100000-C", "BTC"))
    )
    bot = Bot.quoting(an_option(), put, bitcoin)
    bot.turn(*(bot.book(instrument=instrument) for instrument in bot.instruments))

    def looked_at(*events: ev.Event) -> list[str]:
        bot.puppet.views.clear()
        bot.turn(*events)
        return [view.instrument.underlying for view in bot.puppet.views]

    assert looked_at(told(2850.0)) == ["ETH", "ETH"]
    assert looked_at(told(2850.0, stamp_ms=NOW_MS + 1)) == [], "said again, and no other"
    assert looked_at(told(2849.0)) == [], "too late"
    assert looked_at(told(nan, stamp_ms=NOW_MS + 9)) == []
    assert looked_at(told(2851.0, stamp_ms=NOW_MS + 2)) == ["ETH", "ETH"]
    assert looked_at(told(104_000.0, asset="BTC")) == ["BTC"]
    assert looked_at(told(150.0, asset="SOL")) == []


def test_a_strategy_reads_the_references_of_its_underlying_by_source() -> None:
    bot = Bot.quoting(wants=both_sides())
    assert len(places(bot.turn(bot.book()))) == 2
    assert bot.puppet.views[-1].references is NO_REFERENCES
    bot.turn(told(2850.0), told(2851.0, source="coinbase", stamp_ms=None))
    bot.turn(told(104_000.0, asset="BTC"))
    first = bot.puppet.views[-1].references
    assert first == {
        "binance": Reference(2850.0, NOW_MS, NOW_NS),
        "coinbase": Reference(2851.0, None, NOW_NS),
    }
    bot.turn(told(2860.0, stamp_ms=NOW_MS + 1))
    assert bot.puppet.views[-1].references["binance"].price == 2860.0
    assert first["binance"].price == 2850.0, "what a strategy was shown stays what it was"
