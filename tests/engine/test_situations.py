"""What users of bots have met at the venue: each stops what it reaches, and nothing beside it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mmbot.core import events as ev
from mmbot.core.order_life import Status
from mmbot.core.types import InstrumentId, Side
from mmbot.core.why import Why
from mmbot.sim.wire.server import VenueOptions
from tests.engine.liar import Json, Liar
from tests.engine.live import CALL, Live, live, until
from tests.engine.relay import Kind

QUIET = VenueOptions(flow_scale=0.0)
OTHER = "ETH-6JUN25-2900-P"
BUSY = "ETH-PERPETUAL"
"""Its book changes many times a second; an option's may stand for half a minute."""

TWO_OPTIONS = {"--exchange": "deribit", "--symbols": f"{CALL},{OTHER}"}
PERPETUALS = {
    "--exchange": "deribit",
    "--symbols": "ETH-PERPETUAL,BTC-PERPETUAL",
    "--size": "100",
    "--max-position": "100000",
}
FUNDS = {"code": 10009, "message": "not_enough_funds"}
NOT_OPEN = {
    "code": -32602,
    "message": "Invalid params",
    "data": {"param": "instrument_name", "reason": "instrument is not open"},
}
GONE = {"code": 11044, "message": "not_open_order"}


def id_of(name: str) -> InstrumentId:
    return InstrumentId(f"deribit:{name}")


def resting(bot: Live, name: str) -> int:
    """How many orders of ours rest in an instrument, as the exchange has them."""
    orders = bot.venue.exchange.accounts[bot.venue.account].open_orders.values()
    return sum(order.name == name for order in orders)


def probes(liar: Liar) -> int:
    """Signs of life so far: two a second."""
    return liar.counts()["public/test"] + liar.counts()["public/get_time"]


async def quoted(bot: Live, name: str) -> None:
    await until(lambda: resting(bot, name) == 2, f"{name} is quoted", 20.0)


async def unquoted(bot: Live, name: str, why: Why) -> None:
    market = bot.state.markets[id_of(name)]
    await until(
        lambda: resting(bot, name) == 0 and market.why.get(Side.BUY) is why,
        f"{name}: {why.value}",
        20.0,
    )


def of_one(name: str, change: Callable[[Json], Json]) -> Callable[[str, Any], Any]:
    """Changes the tickers of one instrument."""
    return lambda channel, data: (
        (change(data),) if channel.startswith(f"ticker.{name}.") else (data,)
    )


# --- tickers and books ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mark_price", None),
        ("index_price", None),
        ("index_price", "index_not_available"),
        ("mark_price", "0.0215"),
        ("mark_price", -0.01),
        ("index_price", 0.0),
    ],
)
async def test_a_price_that_is_none_concerns_its_market_alone(field: str, value: Any) -> None:
    liar = Liar()
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        liar.reply = lambda method, params, result: (
            {**result, field: value}
            if method == "public/ticker" and params["instrument_name"] == CALL
            else result
        )
        liar.push = of_one(CALL, lambda data: {**data, field: value})
        await unquoted(bot, CALL, Why.NO_MARK)
        await quoted(bot, OTHER)
        assert bot.state.latch.tripped is None
        liar.push = Liar().push
        liar.reply = Liar().reply
        await quoted(bot, CALL)


async def test_tickers_that_stop_coming_are_asked_for() -> None:
    liar = Liar()
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        liar.push = lambda channel, data: () if channel.startswith(f"ticker.{CALL}") else (data,)
        market = bot.state.markets[id_of(CALL)]
        silent_ns = market.priced_ns
        await until(lambda: market.priced_ns > silent_ns + 6 * 10**9, "priced all the same", 20.0)
        assert liar.count("public/ticker", instrument_name=CALL) >= 2
        assert resting(bot, CALL) == 2


async def test_tickers_that_nobody_gives_end_the_quotes_there() -> None:
    liar = Liar()
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        liar.push = lambda channel, data: () if channel.startswith(f"ticker.{CALL}") else (data,)
        liar.refuse = lambda method, params: (
            NOT_OPEN if method == "public/ticker" and params["instrument_name"] == CALL else None
        )
        await unquoted(bot, CALL, Why.NO_MARK)
        await quoted(bot, OTHER)


@pytest.mark.manners("thin")  # oddly, a book of the neighbor says nonsense now and then
@pytest.mark.parametrize(
    "change",
    [
        {"bids": [["new", "0.03", 1.0]]},
        {"asks": [["new", 0.03, None]]},
        {"bids": [["renew", 0.03, 1.0]]},
        {"asks": [["change", 0.03, -1.0]]},
        {"instrument_name": "ETH-6JUN25"},
        {"bids": None},
        {"type": "patch"},
    ],
)
async def test_a_book_that_says_nonsense_concerns_its_market_alone(change: Json) -> None:
    liar = Liar()
    async with live(VenueOptions(), PERPETUALS, line=liar) as bot:
        await quoted(bot, BUSY)
        liar.push = lambda channel, data: (
            ({**data, **change},)
            if channel.startswith(f"book.{BUSY}.") and data["type"] == "change"
            else (data,)
        )
        lost = ev.BookLost(id_of(BUSY), Why.BOOK_GAPPED)
        await until(lambda: lost in bot.events, "the book is lost", 20.0)
        assert ev.BookLost(id_of("BTC-PERPETUAL"), Why.BOOK_GAPPED) not in bot.events
        liar.push = Liar().push
        await quoted(bot, BUSY)
        assert bot.state.latch.tripped is None


async def test_a_book_whose_channel_fell_silent_is_contradicted_by_its_ticker() -> None:
    liar = Liar()
    async with live(VenueOptions(), PERPETUALS, line=liar) as bot:
        await quoted(bot, BUSY)
        liar.push = lambda channel, data: () if channel.startswith(f"book.{BUSY}") else (data,)
        lost = ev.BookLost(id_of(BUSY), Why.BOOK_GAPPED)
        await until(lambda: lost in bot.events, "the book is doubted", 30.0)
        assert bot.state.latch.tripped is None


# --- listings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"option_type": "binary"},
        {"maker_commission": None},
        {"tick_size": "x"},
        {"kind": "perpetual_basket"},
        {"expiration_timestamp": None},
        {"instrument_name": None},
    ],
)
async def test_one_listing_of_thousands_is_in_a_form_nobody_knows(change: Json) -> None:
    liar = Liar()
    strange = "BTC-6JUN25-105000-C"
    liar.reply = lambda method, params, result: (
        [{**row, **change} if row["instrument_name"] == strange else row for row in result]
        if method == "public/get_instruments"
        else result
    )
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)


async def test_news_of_combos_make_no_storm_of_questions() -> None:
    liar = Liar()
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        before, before_s = liar.counts(), probes(liar)
        for number in range(40):
            news = {
                "timestamp": bot.venue.now_ms(),
                "state": "created",
                "instrument_name": f"ETH-CS-6JUN25-{2000 + number}_2900",
            }
            await liar.say(Kind.MARKET, "instrument.state.any.any", news)
        await until(lambda: probes(liar) > before_s + 6, "a while", 20.0)
        assert liar.counts()["public/get_instruments"] == before["public/get_instruments"]
        assert liar.counts()["public/get_instrument"] == before["public/get_instrument"]


# --- the account ------------------------------------------------------------------------------


def with_row(wanted: str, row: Json) -> Callable[[str, Json, Any], Any]:
    """One more row in the answers to a method."""
    return lambda method, params, result: [*result, row] if method == wanted else result


STOP = {
    "order_id": "ETH-SLTS-77120",
    "order_state": "untriggered",
    "order_type": "stop_market",
    "instrument_name": "ETH-PERPETUAL",
    "direction": "sell",
    "price": "market_price",
    "amount": 50.0,
    "label": "",
    "creation_timestamp": 1,
    "last_update_timestamp": 1,
}


@pytest.mark.parametrize(
    "row",
    [
        STOP,
        {"order_id": "ETH-7", "order_state": "open", "label": "hers", "price": None},
        {**STOP, "instrument_name": "ETH-CS-6JUN25-2800_2900", "order_state": "resting"},
        {"order_id": "X", "order_state": "open", "amount": "many", "direction": "both"},
        None,
        "order",
        {},
    ],
)
async def test_a_strange_order_on_the_account_is_somebody_elses_business(row: Any) -> None:
    liar = Liar()
    liar.reply = with_row("private/get_open_orders", row)
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        await quoted(bot, OTHER)
        assert bot.state.latch.tripped is None


@pytest.mark.parametrize(
    "row",
    [
        {"instrument_name": "ETH-CS-6JUN25-2800_2900", "size": 3.0, "direction": "buy"},
        {"instrument_name": "ETH_USDC", "kind": "spot"},
        {"instrument_name": None, "size": 1.0},
        {"size": "x"},
        7,
    ],
)
async def test_a_strange_position_harms_no_other(row: Any) -> None:
    liar = Liar()
    liar.reply = with_row("private/get_positions", row)
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        assert not any(market.halted for market in bot.state.markets.values())


@pytest.mark.parametrize(
    "row",
    [
        {"type": "usdc_reward", "id": 1, "currency": None},
        {"type": "settlement", "id": 1, "currency": "ETH", "change": "much", "timestamp": 1},
        {"type": None},
        None,
    ],
)
async def test_a_strange_row_of_the_log_harms_no_other(row: Any) -> None:
    liar = Liar()
    liar.reply = lambda method, params, result: (
        {**result, "logs": [row, *result["logs"]]}
        if method == "private/get_transaction_log"
        else result
    )
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)


@pytest.mark.parametrize("result", [{}, {"summaries": None}, {"summaries": [None, {}]}])
async def test_an_account_that_tells_nothing_of_its_worth_is_quoted(result: Json) -> None:
    liar = Liar()
    name = {"system_name": "her account"}
    liar.reply = lambda method, params, answer: (
        {**name, **result} if method == "private/get_account_summaries" else answer
    )
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        assert bot.state.accounts["deribit"].equity == {}


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
async def test_a_side_without_funds_pauses_and_the_other_one_stays(side: Side) -> None:
    liar = Liar()
    refused = "private/buy" if side is Side.BUY else "private/sell"
    liar.refuse = lambda method, params: FUNDS if method == refused else None
    async with live(QUIET, TWO_OPTIONS, line=liar, scale=4.0) as bot:
        await until(lambda: len(bot.at_venue()) == 2, "one side of each", 20.0)
        slots = [bot.state.slot(id_of(name), side, 0) for name in (CALL, OTHER)]
        await until(lambda: all(slot.short == 2 for slot in slots), "tried once more", 20.0)
        assert liar.count(refused) == 4
        assert {word for word, _, _ in bot.at_venue().values()} == {side.opposite.value}
        assert bot.state.latch.tripped is None


async def test_an_instrument_that_is_not_open_is_left_alone_until_it_is() -> None:
    liar = Liar()
    shut = "ETH-PERPETUAL"
    async with live(QUIET, PERPETUALS, line=liar) as bot:
        await quoted(bot, shut)
        await quoted(bot, "BTC-PERPETUAL")
        bot.venue.close_instrument(shut)
        await unquoted(bot, shut, Why.CLOSED)
        tried = liar.count("private/buy", instrument_name=shut)
        began = probes(liar)
        await until(lambda: probes(liar) > began + 10, "a while", 20.0)
        assert liar.count("private/buy", instrument_name=shut) <= tried + 1
        assert resting(bot, "BTC-PERPETUAL") == 2
        bot.venue.open_instrument(shut)
        await quoted(bot, shut)


async def test_an_instrument_that_refuses_without_a_word_of_news_is_left_alone() -> None:
    liar, shut = Liar(), "ETH-PERPETUAL"
    liar.refuse = lambda method, params: (
        NOT_OPEN
        if method in ("private/buy", "private/sell") and (params["instrument_name"] == shut)
        else None
    )
    async with live(QUIET, PERPETUALS, line=liar, scale=4.0) as bot:
        await quoted(bot, "BTC-PERPETUAL")
        closure = bot.state.markets[id_of(shut)].closure
        await until(lambda: closure.refused.refusals == 2, "tried once more", 30.0)
        assert liar.count("private/buy", instrument_name=shut) <= 2
        assert bot.state.latch.tripped is None


async def test_a_platform_that_is_locked_is_waited_for() -> None:
    async with live(QUIET, TWO_OPTIONS) as bot:
        await quoted(bot, CALL)
        bot.venue.lock(maintenance=True)
        market = bot.state.markets[id_of(CALL)]
        await until(lambda: market.why.get(Side.BUY) is Why.LOCKED, "locked", 20.0)
        bot.venue.unlock()
        await quoted(bot, CALL)
        await quoted(bot, OTHER)
        assert bot.state.latch.tripped is None


async def test_a_connection_that_is_not_signed_in_any_more_signs_in_again() -> None:
    liar = Liar()
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        signed_out = {"code": 13009, "message": "unauthorized"}
        liar.refuse = lambda method, params: signed_out if method == "private/edit" else None
        signed_in = liar.counts()["public/auth"]
        bot.engine.runner.sink(ev.SizeScaled(Decimal(2)))
        await until(lambda: liar.counts()["public/auth"] > signed_in, "signed in anew", 10.0)
        liar.refuse = Liar().refuse
        await quoted(bot, CALL)
        assert bot.state.latch.tripped is None


async def test_a_tick_that_is_not_what_was_listed_is_read_again() -> None:
    liar = Liar()
    coarse = {"tick_size": 0.0001, "tick_size_steps": []}
    liar.reply = lambda method, params, result: (
        [{**row, **coarse} if row["instrument_name"] == CALL else row for row in result]
        if method == "public/get_instruments"
        else result
    )
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, OTHER)
        await until(lambda: liar.count("public/get_instrument", instrument_name=CALL) > 0, "asked")
        await quoted(bot, CALL)
        assert bot.state.latch.tripped is None


# --- what answers leave out -------------------------------------------------------------------


async def test_executions_without_a_label_are_ours_by_their_order() -> None:
    liar = Liar()

    def unlabeled(trade: Json) -> Json:
        return {name: value for name, value in trade.items() if name != "label"}

    liar.push = lambda channel, data: (
        ({**data, "trades": [unlabeled(one) for one in data["trades"]]},)
        if channel.startswith("user.changes")
        else (data,)
    )
    async with live(VenueOptions(flow_scale=30.0), line=liar) as bot:
        await until(lambda: bool(bot.trades_at_venue()), "somebody trades with us", 60.0)
        traded = sorted(bot.trades_at_venue())
        await until(lambda: set(traded) <= set(bot.state.inventory.booked), "booked", 20.0)
        traffic = bot.state.account("deribit").order_to_volume
        assert traffic.last_hour(bot.engine.clock.now_ns()).trades >= len(traded), "all are ours"


async def test_an_answer_that_nobody_can_read_leaves_the_order_to_be_asked_about() -> None:
    liar = Liar()
    spoiled: list[str] = []

    def reply(method: str, params: Json, result: Any) -> Any:
        if method == "private/buy" and not spoiled:
            spoiled.append(params["label"])
            return None
        return result

    liar.reply = reply
    async with live(QUIET, TWO_OPTIONS, line=liar) as bot:
        await quoted(bot, CALL)
        await quoted(bot, OTHER)

        def agreed() -> bool:
            known = all(order.status is Status.LIVE for order in bot.state.orders.all())
            return bool(spoiled) and known and bot.in_table() == bot.at_venue()

        await until(agreed, "agreed on everything, with one answer spoiled", 20.0)
        assert any(label in bot.at_venue() for label in spoiled)
