"""Our client asks only what Deribit's own specification permits."""

from mmbot.core.events import Link
from mmbot.core.why import Why
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.cli.desk import mmbot, place_by_hand
from tests.cli.test_cancel_all import place_ours, was_traded
from tests.engine.live import CALL, live, until
from tests.engine.test_live import hit, quoted
from tests.wire.spec.requests import Asked, judged_requests
from tests.wire.test_deribit_client_on_sim import client_of

QUIET = VenueOptions(flow_scale=0.0)
SYMBOL = "ETH/USD:ETH-250606-2800-C"


async def test_an_engine_that_quotes_is_filled_is_cut_off_and_leaves() -> None:
    with judged_requests() as asked:
        async with live(QUIET) as bot:
            await quoted(bot)
            bot.venue.freeze()
            hit(bot, Side.SELL, "50")
            await until(lambda: bool(bot.state.inventory.booked), "the fill is booked")
            bot.venue.sever()
            await until(lambda: not bot.state.accounts["deribit"].trading_up, "the line is down")
            await until(lambda: bot.state.accounts["deribit"].reconciled, "reconciled again")
            await quoted(bot)
            assert await bot.engine.runner.stop(Why.USER) == {"deribit": []}
    assert asked.methods >= {
        "public/auth",
        "public/get_instruments",
        "public/set_heartbeat",
        "public/subscribe",
        "private/subscribe",
        "private/buy",
        "private/sell",
        "private/get_open_orders",
        "private/get_account_summaries",
        "private/get_positions",
        "private/get_transaction_log",
        "private/get_user_trades_by_currency_and_time",
        "private/enable_cancel_on_disconnect",
        "private/get_cancel_on_disconnect",
    }


async def test_a_lively_market_that_makes_it_amend_and_look_up() -> None:
    with judged_requests() as asked:
        async with live(VenueOptions(flow_scale=20.0)) as bot:
            bot.venue.lose_request("private/buy", 2)
            wanted = {"private/edit", "private/get_order_state_by_label"}
            await until(lambda: wanted <= asked.methods, "amends and look-ups", 30.0)


async def test_cancel_all_over_the_websocket_and_over_rest() -> None:
    with judged_requests() as asked:
        async with SimVenue(QUIET) as venue:
            was_traded(venue)
            put = CALL.replace("-C", "-P")
            place_ours(venue, CALL, put)
            place_by_hand(venue, put)
            done = await mmbot("cancel-all")
            assert done.code == 0, done
            place_ours(venue, CALL)
            done = await mmbot("cancel-all", "--foreign")
            assert done.code == 0, done
            place_ours(venue, CALL)
            venue.answer("private/get_open_orders", 11094, 1)
            done = await mmbot("cancel-all")
            assert done.code == 0, done
    cancels = {"private/cancel_all", "private/cancel_all_by_instrument", "private/cancel"}
    assert cancels & asked.over_websocket.keys()
    assert asked.over_rest


async def test_doctor_and_fills() -> None:
    with judged_requests() as asked:
        async with SimVenue(QUIET) as venue:
            done = await mmbot("doctor", "--sim-url", venue.rest_url)
            assert "summaries" not in done.err, done
    assert {"public/auth", "private/get_account_summaries"} <= asked.over_rest.keys()
    assert {"public/get_time", "private/enable_cancel_on_disconnect"} <= asked.over_websocket.keys()


async def test_the_calls_that_a_person_makes_through_the_client() -> None:
    with judged_requests() as asked:
        async with SimVenue(QUIET) as venue, client_of(venue) as (client, _):
            await client.load_markets()
            await client.start(Link)
            limit = await client.create_order_ws(
                SYMBOL, "limit", "buy", 2, 0.001, {"clientOrderId": "mm1-1", "postOnly": True}
            )
            for params in ({"timeInForce": "GTC"}, {"reduceOnly": False}, {"label": "x"}):
                await client.edit_order_ws(limit["id"], SYMBOL, "limit", "buy", 3, 0.0011)
                await client.create_order_ws(SYMBOL, "limit", "buy", 1, 0.001, params)
            await client.create_order_ws(SYMBOL, "market", "buy", 1)
            await client.create_order_ws(SYMBOL, "limit", "buy", 1, 0.001, {"timeInForce": "IOC"})
            await client.fetch_fills(venue.now_ms() - 60_000)
            await client.fetch_fills(0)
            await client.fetch_positions()
            await client.fetch_open_orders()
            await client.fetch_open_orders(SYMBOL)
            await client.cancel_order_ws(limit["id"])
            await client.cancel_all_orders_ws(SYMBOL)
            await client.cancel_all_orders_ws()
    assert asked.over_websocket.keys() >= {"private/buy", "private/edit", "private/cancel_all"}
    assert "private/get_user_trades_by_currency_and_time" in asked.over_rest


def test_a_request_that_the_specification_does_not_permit_is_told() -> None:
    asked = Asked()
    asked.websocket(b'{"jsonrpc":"2.0","id":1,"method":"private/buy","params":{"amount":1}}')
    asked.websocket(b'{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{}}')
    asked.websocket(
        b'{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":["no"]}}'
    )
    asked.websocket(b'{"jsonrpc":"2.0","id":"1","method":"public/test","params":{}}')
    asked.rest("private/get_positions", {"currency": "any", "subaccount_id": "x"})
    assert len(asked.faults) == 5
