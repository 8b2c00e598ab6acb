"""The simulated Deribit's order entry, its notices, and what an account can ask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.rules import Moves
from mmbot.sim.wire.server import SimVenue
from tests.wire.venue import (
    BTC_PERPETUAL,
    OPTION,
    PERPETUAL,
    PUT,
    UNLIMITED,
    PlainClient,
    connected,
    refusal,
    rest,
    scripted_venue,
    until,
)


async def order(client: PlainClient, side: str = "buy", **params: Any) -> dict[str, Any]:
    terms: dict[str, Any] = {"instrument_name": OPTION, "amount": 1, "price": 0.02}
    answer = await client.ask(f"private/{side}", **(terms | params))
    shaped: dict[str, Any] = answer["order"]
    return shaped


async def traded(venue: SimVenue, client: PlainClient, *prices: str) -> None:
    """One lot bought from the maker at each price, no two in the same millisecond."""
    for price in prices:
        rest(venue, Side.SELL, "1", price)
        placed = await order(client, price=float(price))
        made_ms: int = placed["last_update_timestamp"]
        await until(lambda: venue.now_ms() > made_ms)  # noqa: B023 - awaited at once


class TestOrders:
    async def test_an_order_says_what_was_asked(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            placed = await order(
                client, amount=3, price=0.0215, label="mm1-7", post_only=True, reject_post_only=True
            )
            assert placed["order_state"] == "open"
            assert (placed["price"], placed["amount"], placed["contracts"]) == (0.0215, 3.0, 3.0)
            assert placed["label"] == "mm1-7"
            assert placed["post_only"] is placed["reject_post_only"] is True
            assert placed["replaced"] is False

    async def test_contracts_are_another_way_to_say_the_amount(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            terms = {"instrument_name": BTC_PERPETUAL, "price": 100_000}
            placed = (await client.ask("private/buy", **terms, contracts=3))["order"]
            assert (placed["amount"], placed["contracts"]) == (30.0, 3.0)
            code, _ = await refusal(client, "private/buy", **terms, contracts=3, amount=20)
            assert code == -32602
            assert (await refusal(client, "private/buy", **terms))[0] == -32602

    async def test_refusals_carry_the_venues_codes(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            rest(venue, Side.SELL, "1", "0.031")
            terms: dict[str, Any] = {"instrument_name": OPTION, "amount": 1, "price": 0.02}

            async def code(**changes: Any) -> int:
                return (await refusal(client, "private/buy", **(terms | changes)))[0]

            assert await code(price=0.00505) == 10043
            assert await code(amount=1.5) == 10021
            assert await code(price=0.2) == 10007
            assert await code(price=0.031, post_only=True, reject_post_only=True) == 11054
            assert await code(valid_until=venue.now_ms() - 1) == 13888
            assert await code(reduce_only=True) == 11030
            assert await code(label="x" * 65) == 11043
            assert await code(instrument_name="ETH-X") == 13020
            assert await code(type="stop_limit", trigger_price=0.02) == -32602
            assert await code(advanced="usd") == -32602
            assert await code(time_in_force="tomorrow") == -32602
            assert not venue.exchange.accounts[venue.account].open_orders

    async def test_the_digits_sent_are_the_digits_kept(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            for text in ("0.0001", "0.0003", "0.0007", "0.0049", "0.0155", "0.0995"):
                placed = await order(client, price=float(text))
                assert repr(placed["price"]) == repr(float(text))

    async def test_an_edit_keeps_the_id_and_the_label(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            placed = await order(client, label="mm1-1")
            edited = (
                await client.ask(
                    "private/edit", order_id=placed["order_id"], amount=2, price=0.0205
                )
            )["order"]
            assert edited["order_id"] == placed["order_id"]
            assert (edited["label"], edited["replaced"]) == ("mm1-1", True)
            assert (edited["amount"], edited["price"]) == (2.0, 0.0205)
            assert (await refusal(client, "private/edit", order_id="ETH-9", amount=1))[0] == 10004

    async def test_by_label_only_while_the_label_is_unique(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await order(client, label="a")
            terms = {"instrument_name": OPTION, "label": "a", "amount": 2, "price": 0.021}
            edited = await client.ask("private/edit_by_label", **terms)
            assert edited["order"]["amount"] == 2.0
            await order(client, label="a")
            assert (await refusal(client, "private/edit_by_label", **terms))[0] == 13032
            assert await client.ask("private/cancel_by_label", label="a", currency="BTC") == 0
            assert await client.ask("private/cancel_by_label", label="a") == 2
            assert (await refusal(client, "private/edit_by_label", **terms))[0] == 10004

    async def test_cancelling_what_is_gone(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            placed = await order(client)
            cancelled = await client.ask("private/cancel", order_id=placed["order_id"])
            assert cancelled["order_state"] == "cancelled"
            assert cancelled["cancel_reason"] == "user_request"
            again = await refusal(client, "private/cancel", order_id=placed["order_id"])
            assert again == (11044, "not_open_order")
            assert (await refusal(client, "private/cancel", order_id="ETH-9"))[0] == 10004

    async def test_cancelling_many(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:

            async def place_four() -> None:
                await order(client)
                await order(client, instrument_name=PUT)
                await order(client, instrument_name=PERPETUAL, amount=10, price=2800)
                await order(client, instrument_name=BTC_PERPETUAL, amount=10, price=100_000)

            async def cancelled(method: str, **params: Any) -> int:
                found: int = await client.ask(f"private/{method}", **params)
                return found

            await place_four()
            assert await cancelled("cancel_all_by_instrument", instrument_name=PUT) == 1
            assert await cancelled("cancel_all_by_currency", currency="BTC") == 1
            by_kind = "cancel_all_by_kind_or_type"
            assert await cancelled(by_kind, currency="any", kind="future") == 1
            assert await cancelled(by_kind, currency="any", kind="any", type="stop_all") == 0
            assert await cancelled("cancel_all") == 1
            await place_four()
            assert await cancelled("cancel_all") == 4

    async def test_closing_a_position(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await traded(venue, client, "0.031", "0.032")
            rest(venue, Side.BUY, "5", "0.03")
            closed = await client.ask(
                "private/close_position", instrument_name=OPTION, type="market"
            )
            assert closed["order"]["filled_amount"] == 2.0
            assert closed["order"]["reduce_only"] is True
            again = await refusal(
                client, "private/close_position", instrument_name=OPTION, type="market"
            )
            assert again[0] == 11043


class TestNotices:
    async def test_orders_one_by_one_when_raw_and_in_lists_otherwise(self) -> None:
        raw, slow = "user.orders.any.any.raw", "user.orders.option.ETH.100ms"
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/subscribe", channels=[raw, slow])
            placed = await order(client)
            await client.ask("private/cancel", order_id=placed["order_id"])
            states = [(await client.push(raw, count))["order_state"] for count in (1, 2)]
            assert states == ["open", "cancelled"]
            gathered: list[dict[str, Any]] = []
            await client.until(lambda: len(sum(client.pushed(slow), gathered)) >= 2)
            listed = sum(client.pushed(slow), gathered)
            assert [one["order_state"] for one in listed] == ["open", "cancelled"]

    async def test_the_reply_comes_before_the_notice(self) -> None:
        channel = "user.changes.any.any.raw"
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/subscribe", channels=[channel])
            request_id = await client.send(
                "private/buy", instrument_name=OPTION, amount=1, price=0.02
            )
            await client.push(channel)
            order_of = [
                "reply" if frame.get("id") == request_id else frame.get("method")
                for frame in client.frames
            ]
            assert order_of.index("reply") < order_of.index("subscription")

    async def test_a_fill_reaches_trades_orders_and_changes(self) -> None:
        channels = [
            "user.trades.any.any.raw",
            f"user.orders.{OPTION}.raw",
            f"user.changes.{OPTION}.raw",
            "user.changes.any.any.100ms",
        ]
        async with scripted_venue() as venue, connected(venue) as client:
            assert await client.ask("private/subscribe", channels=channels) == channels
            placed = await order(client, amount=3, price=0.03, label="mm1-2")
            rest(venue, Side.SELL, "2", "0.03")
            (trade,) = await client.push(channels[0])
            assert (trade["direction"], trade["liquidity"]) == ("buy", "M")
            assert (trade["order_id"], trade["label"]) == (placed["order_id"], "mm1-2")
            assert (trade["amount"], trade["fee"], trade["fee_currency"]) == (2.0, 0.0006, "ETH")
            assert trade["state"] == "open"
            partly = await client.push(channels[1], 2)
            assert (partly["filled_amount"], partly["average_price"]) == (2.0, 0.03)
            change = await client.push(channels[2], 2)
            assert change["instrument_name"] == OPTION
            assert change["trades"] == [trade]
            assert change["orders"] == [partly]
            assert [one["size"] for one in change["positions"]] == [2.0]
            await client.until(
                lambda: any(one["trades"] == [trade] for one in client.pushed(channels[3]))
            )

    async def test_other_accounts_and_instruments_stay_private(self) -> None:
        channels = ["user.orders.future.any.raw", "user.trades.any.BTC.raw"]
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/subscribe", channels=channels)
            await traded(venue, client, "0.031")
            mine = await order(client, instrument_name=PERPETUAL, amount=10, price=2800)
            assert (await client.push(channels[0]))["order_id"] == mine["order_id"]
            assert len(client.pushed(channels[0])) == 1
            assert client.pushed(channels[1]) == []

    async def test_the_portfolio_after_a_fill(self) -> None:
        channel = "user.portfolio.eth"
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/subscribe", channels=[channel])
            assert (await client.push(channel))["equity"] == 100.0
            await traded(venue, client, "0.031")
            after = await client.push(channel, 2)
            # 100 - 0.031 premium - 0.0003 fee; the option is worth its mark, 0.0312.
            assert after["balance"] == pytest.approx(99.9687)
            assert after["options_value"] == pytest.approx(0.0312)
            assert after["equity"] == pytest.approx(99.9999)
            # Black delta 0.62; net of the premium in coin 0.62 - 0.0312.
            assert after["options_delta"] == pytest.approx(0.62)
            assert after["delta_total"] == pytest.approx(0.5888)


class TestQueries:
    async def test_an_order_is_found_by_its_label_alive_or_ended(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:

            async def states(label: str) -> list[str]:
                found = await client.ask(
                    "private/get_order_state_by_label", currency="ETH", label=label
                )
                return [one["order_state"] for one in found]

            placed = await order(client, label="a")
            assert await states("a") == ["open"]
            await client.ask("private/cancel", order_id=placed["order_id"])
            assert await states("a") == ["cancelled"]
            assert await states("b") == []
            one = await client.ask("private/get_order_state", order_id=placed["order_id"])
            assert one["label"] == "a"

    async def test_open_orders_by_everything(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await order(client, label="a")
            await order(client, instrument_name=PERPETUAL, amount=10, price=2800, label="b")
            await order(client, instrument_name=BTC_PERPETUAL, amount=10, price=100_000)

            async def names(method: str, **params: Any) -> list[str]:
                found = await client.ask(f"private/{method}", **params)
                return [one["instrument_name"] for one in found]

            assert await names("get_open_orders") == [OPTION, PERPETUAL, BTC_PERPETUAL]
            assert await names("get_open_orders", kind="option") == [OPTION]
            by_currency = "get_open_orders_by_currency"
            assert await names(by_currency, currency="ETH") == [OPTION, PERPETUAL]
            by_name = "get_open_orders_by_instrument"
            assert await names(by_name, instrument_name=PERPETUAL) == [PERPETUAL]
            by_label = "get_open_orders_by_label"
            assert await names(by_label, currency="ETH", label="b") == [PERPETUAL]

    async def test_pages_of_own_trades_meet_without_gap_or_overlap(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await traded(venue, client, "0.031", "0.032", "0.033")
            method = "private/get_user_trades_by_currency_and_time"
            terms = {"currency": "ETH", "start_timestamp": 0, "sorting": "asc", "count": 2}
            first = await client.ask(method, **terms)
            assert first["has_more"] is True
            prices = [one["price"] for one in first["trades"]]
            after = first["trades"][-1]["timestamp"]
            rest_of = await client.ask(method, **(terms | {"start_timestamp": after}))
            seen = {one["trade_id"] for one in first["trades"]}
            prices += [one["price"] for one in rest_of["trades"] if one["trade_id"] not in seen]
            assert prices == [0.031, 0.032, 0.033]
            newest = await client.ask(
                "private/get_user_trades_by_instrument", instrument_name=OPTION, count=1
            )
            assert [one["price"] for one in newest["trades"]] == [0.033]
            none = await client.ask("private/get_user_trades_by_currency", currency="BTC")
            assert none == {"trades": [], "has_more": False}

    async def test_the_trades_of_one_order(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            rest(venue, Side.SELL, "1", "0.031")
            rest(venue, Side.SELL, "1", "0.032")
            placed = await order(client, amount=2, price=0.032)
            found = await client.ask(
                "private/get_user_trades_by_order", order_id=placed["order_id"], sorting="asc"
            )
            assert [one["price"] for one in found] == [0.031, 0.032]

    async def test_positions_of_options_and_inverse_perpetuals(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await traded(venue, client, "0.031")
            rest(venue, Side.BUY, "285", "2850", PERPETUAL)
            await order(client, "sell", instrument_name=PERPETUAL, amount=285, price=2850)
            rows = await client.ask("private/get_positions", currency="ETH")
            held, short = rows
            assert (held["direction"], held["size"], held["average_price"]) == ("buy", 1.0, 0.031)
            # One contract at mark 0.0312.
            assert held["floating_profit_loss"] == pytest.approx(0.0002)
            assert held["delta"] == pytest.approx(0.62)
            assert (short["direction"], short["size"]) == ("sell", -285.0)
            # 285 USD at a mark of 2850 is 0.1 ETH.
            assert short["size_currency"] == short["delta"] == pytest.approx(-0.1)
            only = await client.ask("private/get_positions", currency="any", kind="future")
            assert [one["instrument_name"] for one in only] == [PERPETUAL]
            flat = await client.ask("private/get_position", instrument_name=PUT)
            assert (flat["direction"], flat["size"]) == ("zero", 0.0)

    async def test_the_history_of_orders(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await traded(venue, client, "0.031")
            unfilled = await order(client)
            await client.ask("private/cancel", order_id=unfilled["order_id"])
            method = "private/get_order_history_by_currency"
            filled = await client.ask(method, currency="ETH")
            assert [one["order_state"] for one in filled] == ["filled"]
            both = await client.ask(method, currency="ETH", include_unfilled=True)
            assert [one["order_state"] for one in both] == ["cancelled", "filled"]


REPLACES = replace(UNLIMITED, moves=Moves.REPLACE)


class TestOtherRules:
    """What a venue is like whose rules are not Deribit's."""

    async def test_a_replace_ends_one_order_and_creates_another(self) -> None:
        async with scripted_venue(rules=REPLACES) as venue, connected(venue) as client:
            placed = await order(client, label="mm1-1")
            terms = {"instrument_name": OPTION, "amount": 2, "price": 0.021, "direction": "buy"}
            answer = await client.ask(
                "private/replace", order_id=placed["order_id"], label="mm1-2", **terms
            )
            assert answer["cancelled_order"]["order_state"] == "cancelled"
            assert answer["create_order_error"] is None
            made = answer["order"]
            assert (made["label"], made["price"], made["amount"]) == ("mm1-2", 0.021, 2.0)
            assert [o.label for o in venue.exchange.orders.values()] == ["mm1-2"]

    async def test_what_cannot_be_created_leaves_nothing(self) -> None:
        async with scripted_venue(rules=REPLACES) as venue, connected(venue) as client:
            placed = await order(client)
            rest(venue, Side.SELL, "1", "0.031")
            crossing = {"amount": 1, "price": 0.031, "post_only": True, "reject_post_only": True}
            answer = await client.ask(
                "private/replace",
                order_id=placed["order_id"],
                instrument_name=OPTION,
                direction="buy",
                **crossing,
            )
            assert answer["cancelled_order"]["order_id"] == placed["order_id"]
            assert answer["order"] is None
            assert answer["create_order_error"]["code"] == 11054

    async def test_what_is_gone_or_comes_too_late_is_refused_and_changes_nothing(self) -> None:
        async with scripted_venue(rules=REPLACES) as venue, connected(venue) as client:
            placed = await order(client)
            terms: dict[str, Any] = {"instrument_name": OPTION, "amount": 1, "price": 0.021}
            late = {"order_id": placed["order_id"], "valid_until": venue.now_ms() - 1}
            assert (await refusal(client, "private/replace", **terms, **late))[0] == 13888
            gone = {"order_id": "ETH-404"}
            assert (await refusal(client, "private/replace", **terms, **gone))[0] == 10004
            assert list(venue.exchange.orders) == [placed["order_id"]]

    @pytest.mark.parametrize(
        ("moves", "offered"),
        [(Moves.EDIT, ["edit"]), (Moves.REPLACE, ["replace"]), (Moves.NONE, [])],
    )
    async def test_orders_move_by_what_the_rules_say(
        self, moves: Moves, offered: list[str]
    ) -> None:
        rules = replace(UNLIMITED, moves=moves)
        async with scripted_venue(rules=rules) as venue, connected(venue) as client:
            terms = {"order_id": "ETH-404", "instrument_name": OPTION, "amount": 1, "price": 0.02}
            for name in ("edit", "replace"):
                code, _ = await refusal(client, f"private/{name}", **terms)
                assert code == (10004 if name in offered else -32601)

    async def test_labels_are_named_nowhere_where_the_rules_say_so(self) -> None:
        rules = replace(UNLIMITED, names_labels=False)
        async with scripted_venue(rules=rules) as venue, connected(venue) as client:
            await client.ask("private/subscribe", channels=["user.changes.any.any.raw"])
            rest(venue, Side.SELL, "1", "0.02")
            placed = await order(client, label="mm1-1", amount=2)
            [listed] = await client.ask("private/get_open_orders")
            state = await client.ask("private/get_order_state", order_id=placed["order_id"])
            trades = await client.ask(
                "private/get_user_trades_by_instrument", instrument_name=OPTION
            )
            await until(
                lambda: any("label" in str(one) or "ETH" in str(one) for one in client.frames)
            )
            said = [placed, listed, state, *trades["trades"], client.frames]
            assert "mm1-1" not in str(said)
            assert listed["order_id"] == placed["order_id"]

    async def test_a_cancel_need_not_tell_what_was_filled(self) -> None:
        rules = replace(UNLIMITED, cancel_tells_filled=False)
        async with scripted_venue(rules=rules) as venue, connected(venue) as client:
            placed = await order(client)
            over = await client.ask("private/cancel", order_id=placed["order_id"])
            assert over["order_state"] == "cancelled"
            assert not {"filled_amount", "amount", "price"} & over.keys()
