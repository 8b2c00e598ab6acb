"""A decision stands while nothing it was made from has changed, and not a moment longer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import nan

import pytest
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.ports import RiskRule
from mmbot.core.reads import Reads, best_levels
from mmbot.core.scope import Scope
from mmbot.core.types import MS, SECOND, Level, Quote, Side
from mmbot.core.views import ALLOW, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.risk.reference_price import ReferencePrice
from mmbot.risk.stale_market import StaleMarket
from mmbot.signals.imbalance import Imbalance
from tests.builders import a_quote, an_option
from tests.core.bot import Bot, Puppet, amends, both_sides

CALL = an_option()
PUT = an_option(id="deribit:ETH-6JUN25-2800-P", name="ETH-6JUN25-2800-P")


@dataclass(slots=True)
class Telling(Puppet):
    """A puppet that reads the best levels, at no moment in particular."""

    depth: int | None = 1
    signals: bool = False

    def reads(self, instrument: Instrument) -> Reads:  # the same for all
        return Reads(depth=self.depth, signals=self.signals)


def settled(*rules: RiskRule, depth: int | None = 1, refresh_s: float = 0.0) -> Bot:
    """A bot whose two orders rest on the first of two options, in a book of several levels; it has
    decided so at its last turn, and counts how often it is asked from now on."""
    bot = Bot(CALL, PUT, rules=rules)
    bot.puppet = Telling({CALL.id: both_sides()}, depth=depth)
    desk = replace(bot.desks[CALL.id], strategy=bot.puppet, refresh_ns=int(refresh_s * SECOND))
    bot.desks = dict.fromkeys(bot.desks, desk)
    bot.connect()
    bot.turn(bot.snapshot())
    bot.turn(bot.alive(), bot.ticker(CALL), bot.ticker(PUT), bot.book(), bot.book(instrument=PUT))
    bot.acknowledge()
    bot.turn(deeper(bot))
    bot.puppet.views.clear()
    return bot


def deeper(bot: Bot, *, amount: float = 5.0) -> ev.BookChanged:
    """The book as it is, with a worse level a side."""
    book = bot.book()
    bids: tuple[Level, ...] = (*book.bids, (0.0150, amount))
    asks: tuple[Level, ...] = (*book.asks, (0.0300, amount))
    return structs.replace(book, bids=bids, asks=asks)


def asked(bot: Bot) -> int:
    """How often the strategy was asked about the first option."""
    return sum(view.instrument.id == CALL.id for view in bot.puppet.views)


# --- what stands ------------------------------------------------------------------------------


def test_the_same_is_not_decided_again() -> None:
    bot = settled()
    why, quotes = bot.market.why, bot.market.quotes
    assert not bot.turn(deeper(bot))
    assert not bot.turn(ev.Tick())
    assert asked(bot) == 0
    assert (bot.market.why, bot.market.quotes) == (why, quotes)


def test_levels_that_are_not_read_may_change() -> None:
    bot = settled()
    bot.turn(deeper(bot, amount=6.0))
    assert asked(bot) == 0


def test_what_stands_still_refreshes_the_reference() -> None:
    """While our own orders blur the book, the levels of the last sound one hold, all of them."""
    bot = settled()
    bot.turn(deeper(bot, amount=6.0))
    assert bot.market.held[Side.BUY] == (((0.0190, 10.0), (0.0150, 6.0)), bot.now_ns)


def test_what_is_said_of_a_side_meanwhile_is_taken_back() -> None:
    bot = settled()
    why = dict(bot.market.why)
    bot.market.why[Side.BUY] = Why.RATE_LIMITED
    bot.turn(deeper(bot))
    assert (bot.market.why, asked(bot)) == (why, 0)


def test_a_decision_that_stands_is_no_part_of_a_market() -> None:
    bot = settled()
    assert bot.market.stands is not None
    bare = replace(bot.market)
    assert bare.stands is None
    assert bare == bot.market


# --- what ends it -----------------------------------------------------------------------------


def fill(bot: Bot) -> Iterable[ev.Event]:
    order = bot.on(Side.BUY)
    return (
        ev.Filled(bot.fill(order, "0.5")),
        bot.says(order, filled=order.filled + 0),
        deeper(bot),
    )


def other_exposure(bot: Bot) -> Iterable[ev.Event]:
    """The other option's position changes, and nothing of this one."""
    put = bot.fill(bot.on(Side.BUY), 3)
    yield ev.Filled(structs.replace(put, instrument=PUT.id, label=None, order_id="hers"))
    yield deeper(bot)


def moved_by_the_venue(bot: Bot) -> Iterable[ev.Event]:
    """Nothing else tells of it: the others' book and the worst case are as before."""
    order, book = bot.on(Side.BUY), deeper(bot)
    yield structs.replace(bot.says(order), price=Decimal("0.0195"))
    bids = tuple((0.0195 if price == 0.0200 else price, size) for price, size in book.bids)
    yield structs.replace(book, bids=bids)


CHANGES: dict[str, Callable[[Bot], Iterable[ev.Event]]] = {
    "best price": lambda bot: [
        structs.replace(deeper(bot), asks=((0.0235, 1.0), *deeper(bot).asks))
    ],
    "best amount": lambda bot: [
        structs.replace(deeper(bot), bids=((0.0200, 1.0), (0.0190, 11.0), (0.0150, 5.0)))
    ],
    "a level that is no number": lambda bot: [deeper(bot, amount=nan)],
    "mark": lambda bot: [bot.ticker(CALL, mark=0.0216)],
    "index": lambda bot: [bot.ticker(CALL, index=2851.0)],
    "fill": fill,
    "exposure elsewhere": other_exposure,
    "order gone": lambda bot: [bot.says_cancelled(bot.on(Side.SELL)), deeper(bot)],
    "order moved by the venue": moved_by_the_venue,
    "side switched off": lambda bot: [ev.Switched(Scope(side=Side.BUY), on=False)],
    "size scaled": lambda bot: [ev.SizeScaled(Decimal(2))],
    "winding down": lambda bot: [ev.WindDown(on=True)],
    "new terms": lambda bot: [ev.InstrumentsListed((replace(CALL, contract_size=Decimal(2)),))],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_decided_ends_with_what_it_was_made_from(change: str) -> None:
    bot = settled()
    bot.turn(*CHANGES[change](bot))
    assert asked(bot) == 1


def test_a_level_that_is_read_ends_it() -> None:
    bot = settled(depth=2)
    bot.turn(deeper(bot))
    assert asked(bot) == 0
    bot.turn(deeper(bot, amount=6.0))
    assert asked(bot) == 1


def test_every_level_is_read_where_no_depth_is_named() -> None:
    bot = settled(depth=None)
    bot.turn(deeper(bot, amount=6.0))
    assert asked(bot) == 1


@pytest.mark.parametrize("reads", [False, True])
def test_what_a_signal_says_ends_it_where_that_is_read(reads: bool) -> None:
    bot = settled()
    bot.puppet = Telling({CALL.id: both_sides()}, signals=reads)
    signals = (("imbalance", Imbalance(levels=3)),)
    desk = replace(bot.desks[CALL.id], strategy=bot.puppet, signals=signals)
    bot.desks = dict.fromkeys(bot.desks, desk)
    bot.turn(deeper(bot))
    book = deeper(bot)
    more = structs.replace(book, bids=(*book.bids[:-1], (0.0150, 7.0)))
    bot.puppet.views.clear()
    bot.turn(deeper(bot))
    assert asked(bot) == 0, "it says the same"
    bot.turn(more)
    assert asked(bot) == reads


def test_another_desk_ends_it() -> None:
    bot = settled()
    bot.desks = {name: replace(desk, refresh_ns=1) for name, desk in bot.desks.items()}
    bot.turn(deeper(bot))
    assert asked(bot) == 1


def test_a_market_grown_silent_ends_it() -> None:
    bot = settled(StaleMarket(after_s=3))
    bot.turn(ev.Tick(), after_s=1.9)
    assert asked(bot) == 0
    bot.turn(ev.Tick(), after_s=1.2)
    assert asked(bot) == 1
    assert bot.market.why == dict.fromkeys(Side, Why.BOOK_STALE)


def test_an_order_that_may_lag_no_longer_ends_it() -> None:
    bot = settled(refresh_s=1.0)
    bot.wants = both_sides(bid=0.0205)
    moved = bot.turn(
        structs.replace(deeper(bot), bids=((0.0200, 1.0), (0.0191, 10.0), (0.0150, 5.0)))
    )
    assert not moved, "it was placed a moment ago"
    sent = [bot.turn(ev.Tick(), bot.alive(), after_s=0.1) for _ in range(12)]
    assert len(amends(intent for intents in sent for intent in intents)) == 1


def test_a_slot_that_has_to_wait_is_tried_when_its_time_has_come() -> None:
    bot = settled()
    ask = bot.on(Side.SELL)
    bot.turn(bot.says_cancelled(ask), deeper(bot))
    (place,) = [o for o in bot.orders if o.side is Side.SELL]
    bot.turn(bot.refuses(place), bot.book())
    refused_ns = bot.now_ns
    assert bot.market.why[Side.SELL] is Why.REFUSED
    while not any(o.side is Side.SELL for o in bot.orders):
        bot.turn(bot.alive(), ev.Tick(), after_s=0.05)
        assert bot.now_ns < refused_ns + SECOND, "never tried again"
    assert bot.now_ns - refused_ns >= 200 * MS


def test_a_hedge_that_is_wanted_ends_it() -> None:
    bot = settled()
    bot.state.hedges["test"] = {CALL.id: (a_quote(Side.BUY, 0.0100, 1),)}
    bot.turn(deeper(bot))
    assert asked(bot) == 1


# --- who is asked every time ------------------------------------------------------------------


@dataclass(slots=True)
class Silent:
    """A rule that does not say what it reads."""

    checked: list[Quote] = field(default_factory=list)

    def check(self, view: View, proposal: Proposal) -> Verdict:  # a rule's shape
        return ALLOW


class Said(Silent):
    """One that does."""

    reads = best_levels


@pytest.mark.parametrize(("rule", "times"), [(Silent(), 2), (ReferencePrice(), 2), (Said(), 0)])
def test_where_one_does_not_say_what_it_reads_all_are_asked(rule: RiskRule, times: int) -> None:
    bot = settled(rule)
    bot.turn(deeper(bot))
    bot.turn(ev.Tick())
    assert asked(bot) == times


def test_a_strategy_that_does_not_say_what_it_reads_is_asked() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.rest(*both_sides())
    bot.puppet.views.clear()
    bot.turn(bot.book())
    bot.turn(ev.Tick())
    assert asked(bot) == 2
