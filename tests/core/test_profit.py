"""Trading profit in USD: each change at the index of its moment, days, peaks and restarts."""

from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.core import events as ev
from mmbot.core.books import Market
from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Inventory
from mmbot.core.profit import Baseline, Profit, one_book
from mmbot.core.scope import DAY_NS
from mmbot.core.types import InstrumentId, Nanos, Side
from tests.builders import NOW_NS, a_fill, a_linear_perpetual, an_option
from tests.core.bot import Bot


class Account:
    """Positions and markets that the test moves, and the profit counted from them."""

    def __init__(self, *instruments: Instrument) -> None:
        self.markets = {i.id: Market(i) for i in instruments or (an_option(),)}
        self.inventory = Inventory()
        self.profit = Profit()
        self._trades = 0

    def buy(self, price: str, instrument: Instrument | None = None) -> None:
        """One more, marked at the same price: no profit yet."""
        self._trades += 1
        traded = instrument or an_option()
        fill = a_fill(Side.BUY, price, instrument=traded, trade_id=f"t{self._trades}")
        self.inventory.book(fill, traded, Decimal(price))

    def at(
        self,
        mark: float,
        index: float,
        now_ns: Nanos = NOW_NS,
        instrument: Instrument | None = None,
    ) -> Profit:
        """The profit with the market there."""
        market = self.markets[(instrument or an_option()).id]
        market.mark, market.index = mark, index
        assert self.profit.update(self.markets.values(), self.inventory, now_ns)
        return self.profit

    def next_run(self, first_mark: str | None) -> "Account":
        """The same account after a restart, its positions and its baseline from the store, and
        positions valued at the first mark heard (as core.state does)."""
        later = Account(*(market.instrument for market in self.markets.values()))
        for position in self.inventory.positions.values():
            later.inventory.take_over(position)
        for carried in later.inventory.carried.values():
            if first_mark is not None:
                carried.revalue(Decimal(first_mark))
        later.profit.resume(self.profit.baseline(self.inventory))
        later._trades = self._trades
        return later


def test_a_change_counts_at_the_index_of_its_moment() -> None:
    """+0.01 ETH at 3,000 USD, then -0.01 ETH at 2,000: 30 - 20 = 10 USD, though no ETH is left."""
    account = Account()
    account.buy("0.02")
    assert account.at(0.03, 3000).session_usd == pytest.approx(30)
    assert account.at(0.02, 2000).session_usd == pytest.approx(10)


def test_a_falling_coin_alone_is_no_loss() -> None:
    account = Account()
    account.buy("0.02")
    account.at(0.03, 3000)
    profit = account.at(0.03, 1500)
    assert profit.session_usd == pytest.approx(30)
    assert profit.drawdown_usd == 0


def test_dollars_are_dollars() -> None:
    perpetual = a_linear_perpetual()
    account = Account(perpetual)
    account.buy("2850", perpetual)
    assert account.at(2851.0, 2850.0, instrument=perpetual).session_usd == pytest.approx(1)


def test_the_day_begins_at_midnight_and_the_peak_stays() -> None:
    account = Account()
    account.buy("0.02")
    account.at(0.03, 1000)
    today = account.at(0.025, 1000)
    assert (today.day_usd, today.drawdown_usd) == pytest.approx((5, 5))
    tomorrow = account.at(0.024, 1000, NOW_NS + DAY_NS)
    assert (tomorrow.day_usd, tomorrow.drawdown_usd) == pytest.approx((-1, 6))
    assert tomorrow.session_usd == pytest.approx(4)


def test_a_restart_goes_on_with_the_day_and_the_peak_but_not_with_the_session() -> None:
    account = Account()
    account.buy("0.02")
    account.at(0.03, 1000)
    account.at(0.025, 1000)
    later = account.next_run("0.025")
    profit = later.at(0.025, 1000)
    assert profit.session_usd == 0
    assert (profit.day_usd, profit.drawdown_usd) == pytest.approx((5, 5))
    later.buy("0.025")
    profit = later.at(0.024, 1000)
    assert profit.session_usd == pytest.approx(-2)
    assert (profit.day_usd, profit.drawdown_usd) == pytest.approx((3, 7))


def test_what_a_position_lost_between_two_runs_is_the_days_loss_and_not_the_sessions() -> None:
    account = Account()
    account.buy("0.02")
    account.at(0.02, 1000)
    later = account.next_run("0.015")
    profit = later.at(0.015, 1000)
    assert profit.session_usd == 0
    assert (profit.day_usd, profit.drawdown_usd) == pytest.approx((-5, 5))
    assert later.at(0.015, 1000).day_usd == pytest.approx(-5)


def test_a_baseline_written_before_the_first_mark_forgets_nothing() -> None:
    account = Account()
    account.buy("0.02")
    account.at(0.03, 1000)
    silent = account.next_run(None)
    again = silent.next_run("0.03")
    assert again.profit.earlier == account.profit.baseline(account.inventory).counted
    assert again.at(0.03, 1000).total_usd == pytest.approx(10)


def test_a_figure_that_is_not_a_number_is_refused_and_changes_nothing() -> None:
    account = Account()
    account.buy("0.02")
    account.at(0.03, 1000)
    market = account.markets[an_option().id]
    market.mark = float("nan")
    assert not account.profit.update(account.markets.values(), account.inventory, NOW_NS)
    assert account.at(0.031, 1000).session_usd == pytest.approx(11)


def test_a_market_not_heard_of_yet_counts_nothing() -> None:
    account = Account()
    account.buy("0.02")
    assert account.profit.update(account.markets.values(), account.inventory, NOW_NS)
    assert account.profit.session_usd == 0


def test_it_is_the_profit_that_people_see_while_the_index_stands() -> None:
    bot = Bot.quoting()
    bot.rest()
    bot.turn(ev.Filled(bot.fill(bot.on(Side.BUY))), bot.ticker(mark=0.0220))
    shown = float(bot.state.inventory.session(bot.instrument, Decimal("0.0220")).total) * 2850
    profit = Profit()
    assert profit.update(bot.state.markets.values(), bot.state.inventory, bot.now_ns)
    assert profit.session_usd == pytest.approx(shown)


# --- the books of several accounts ------------------------------------------------------------

CALL, PUT, PERPETUAL = (InstrumentId(f"{v}:X") for v in ("here", "there", "third"))


def a_book(
    total_usd: float,
    *counted: InstrumentId,
    day: int = 7,
    day_start_usd: float = 0.0,
    peak_usd: float = 0.0,
) -> Baseline:
    money = dict.fromkeys(counted, Decimal(1))
    return Baseline(day, day_start_usd, peak_usd, total_usd, money)


def test_no_account_with_a_past_has_no_book() -> None:
    assert one_book([]) is None


def test_the_book_a_run_kept_for_both_of_its_accounts_counts_once() -> None:
    book = a_book(-40.0, CALL, PUT)
    assert one_book([book, book]) == book


def test_an_older_copy_of_the_same_book_is_left_out() -> None:
    newer, older = a_book(-50.0, CALL, PUT), a_book(-40.0, CALL, PUT)
    assert one_book([newer, older]) == newer


def test_a_copy_is_known_by_the_run_that_began_it_when_all_its_instruments_are_gone() -> None:
    newer = replace(a_book(-50.0, PERPETUAL), books=("r1",))
    older = replace(a_book(-40.0, CALL, PUT), books=("r1",))
    assert one_book([newer, older]) == newer
    other = replace(older, books=("r2",))
    both = one_book([newer, other])
    assert both is not None
    assert (both.total_usd, both.books) == (-90.0, ("r1", "r2"))
    assert one_book([both, newer, other]) == both


def test_a_book_keeps_the_name_of_the_run_that_began_it() -> None:
    profit = Profit()
    profit.begin("r1")
    later = Profit()
    later.resume(profit.baseline(Inventory()))
    later.begin("r2")
    assert later.baseline(Inventory()).books == ("r1",)


def test_what_is_forgotten_stays_in_the_figures() -> None:
    account = Account()
    account.buy("0.0200")
    before = account.at(0.0300, 2000.0).total_usd
    assert before == pytest.approx(20)
    account.profit.forget(an_option().id)
    del account.markets[an_option().id]
    assert account.profit.update(account.markets.values(), account.inventory, NOW_NS)
    assert account.profit.total_usd == before
    assert account.profit.baseline(account.inventory).counted == {}


def test_a_profit_that_comes_to_nothing_again_is_taken_back() -> None:
    """Bought at 0.02, marked at 0.03, sold at 0.02: nothing is held, and nothing was earned."""
    account = Account()
    account.buy("0.0200")
    assert account.at(0.0300, 2000.0).total_usd == pytest.approx(20)
    account.inventory.book(a_fill(Side.SELL, "0.0200", trade_id="s"), an_option(), Decimal("0.03"))
    assert account.at(0.0300, 2000.0).total_usd == pytest.approx(0)


def test_books_of_accounts_traded_by_themselves_are_added_up() -> None:
    one = a_book(-10.0, CALL, day_start_usd=-4.0, peak_usd=20.0)
    other = a_book(-30.0, PUT, day_start_usd=-25.0, peak_usd=1.0)
    book = one_book([one, other])
    assert book is not None
    assert (book.total_usd, book.day_start_usd, book.peak_usd) == (-40.0, -29.0, 21.0)
    assert book.counted.keys() == {CALL, PUT}


def test_what_an_account_lost_on_an_earlier_day_is_no_loss_of_this_one() -> None:
    today = a_book(-10.0, CALL, day=8)
    yesterday = a_book(-30.0, PUT, day=7)
    book = one_book([today, yesterday])
    assert book is not None
    assert (book.day, book.total_usd - book.day_start_usd) == (8, -10.0)


def test_a_third_book_is_held_against_both_before_it() -> None:
    books = [a_book(-1.0, CALL), a_book(-2.0, PUT), a_book(-4.0, PUT, PERPETUAL)]
    book = one_book(books)
    assert book is not None
    assert book.total_usd == -3.0
