"""What is read of a list of open orders, and what is sent to take ours back. Rows by hand."""

from decimal import Decimal
from typing import Any

import ccxt.pro
import pytest

from mmbot.clock import Clock
from mmbot.core.statements import OpenOrder
from mmbot.core.types import Side
from mmbot.venues.canceller import ListUnreadableError
from mmbot.venues.deribit.rescue import cancel_ours, cancels, look_at
from tests.wire.clients import ours as ours_of
from tests.wire.scripted import STOP, Refused, Scripted, order


def ours(number: int = 1, **over: Any) -> dict[str, Any]:
    return order(order_id=f"10{number}", label=f"mm7-{number}", **over)


def keys(rows: tuple[OpenOrder, ...]) -> list[tuple[str, str | None]]:
    return [(row.order_id, row.label) for row in rows]


class TestALook:
    def test_tells_ours_from_other_peoples(self) -> None:
        look = look_at("deribit", [ours(), order(label="by hand"), STOP, order(label=None)])
        assert keys(look.ours) == [("101", "mm7-1")]
        assert [row.label for row in look.others] == ["by hand", None, None]
        assert look.unread == 0

    def test_needs_nothing_of_ours_but_id_and_label(self) -> None:
        [row] = look_at("deribit", [{"order_id": "5", "label": "mm7-1"}]).ours
        assert (row.order_id, row.label, row.instrument, row.amount) == ("5", "mm7-1", None, None)

    def test_shows_what_there_is_to_see_of_an_order(self) -> None:
        [row] = look_at("deribit", [ours(amount=10.0, filled_amount=4.0)]).ours
        assert (row.side, row.price) == (Side.BUY, Decimal("100.0"))
        assert (row.amount, row.filled) == (Decimal(10), Decimal(4))

    @pytest.mark.parametrize("field", ["price", "amount", "filled_amount", "direction"])
    @pytest.mark.parametrize("value", [None, "word", [], {}, True, float("nan")])
    def test_survives_any_value_in_what_it_does_not_need(self, field: str, value: Any) -> None:
        assert keys(look_at("deribit", [ours(**{field: value})]).ours) == [("101", "mm7-1")]

    @pytest.mark.parametrize("id_", [None, "", [], 5.5, True])
    def test_knows_ours_by_the_label_where_the_id_cannot_be_read(self, id_: Any) -> None:
        look = look_at("deribit", [{**ours(), "order_id": id_}])
        assert keys(look.ours) == [("", "mm7-1")]

    @pytest.mark.parametrize(
        "row", [None, "row", 5, [], {}, {"label": "", "amount": 1}, {**ours(), "label": 7}]
    )
    def test_counts_rows_that_may_be_anybodys(self, row: Any) -> None:
        look = look_at("deribit", [row, ours()])
        assert look.unread == 1
        assert keys(look.ours) == [("101", "mm7-1")]

    @pytest.mark.parametrize("rows", [None, "rows", 5, {}, {"orders": []}])
    def test_at_what_is_no_list_says_so(self, rows: Any) -> None:
        with pytest.raises(ListUnreadableError, match="cannot be read"):
            look_at("deribit", rows)


class TestCancels:
    def sent(self, *rows: Any) -> list[tuple[str, dict[str, Any]]]:
        look = look_at("deribit", list(rows))
        return cancels(look.ours, look.others, look.unread)

    def test_go_all_at_once_where_nothing_else_rests(self) -> None:
        assert self.sent(ours(1), ours(2)) == [("private/cancel_all", {})]

    def test_go_by_instrument_where_others_rest_elsewhere(self) -> None:
        assert self.sent(ours(1), ours(2), STOP) == [
            ("private/cancel_all_by_instrument", {"instrument_name": "BTC-PERPETUAL"})
        ]

    def test_go_one_by_one_where_others_rest_beside(self) -> None:
        assert self.sent(ours(1), ours(2), order(label="by hand")) == [
            ("private/cancel", {"order_id": "101"}),
            ("private/cancel", {"order_id": "102"}),
        ]

    def test_go_by_label_where_there_is_no_id(self) -> None:
        assert self.sent({"label": "mm7-1"}, order(label="by hand")) == [
            ("private/cancel_by_label", {"label": "mm7-1"})
        ]

    @pytest.mark.parametrize("other", [None, {"order_id": "7", "label": "by hand"}])
    def test_go_one_by_one_where_nobody_knows_what_rests_where(self, other: Any) -> None:
        assert self.sent(ours(1), other) == [("private/cancel", {"order_id": "101"})]

    def test_go_one_by_one_where_ours_do_not_say_where_they_rest(self) -> None:
        nowhere = ours(2)
        del nowhere["instrument_name"]
        assert self.sent(ours(1), nowhere, STOP) == [
            ("private/cancel_all_by_instrument", {"instrument_name": "BTC-PERPETUAL"}),
            ("private/cancel", {"order_id": "102"}),
        ]


class TestCancelOurs:
    """Over REST, for an engine that leaves."""

    async def test_takes_ours_back_and_leaves_the_rest(self) -> None:
        async with Scripted() as venue, ours_of(venue) as (client, _):
            rows = [ours(1), ours(2), order(order_id="7", label="by hand"), STOP]
            venue.answer("private/get_open_orders", lambda _: rows)

            def cancel(params: dict[str, Any]) -> Any:
                rows[:] = [row for row in rows if row["order_id"] != params["order_id"]]
                return {}

            venue.answer("private/cancel", cancel)
            look = await cancel_ours("deribit", client, Clock())
            assert (look.ours, len(look.others), look.unread) == ((), 2, 0)
            assert [row["order_id"] for row in rows] == ["7", "ETH-SLTS-77120"]

    async def test_shows_what_the_venue_does_not_let_go(self) -> None:
        async with Scripted() as venue, ours_of(venue) as (client, _):
            venue.answer("private/get_open_orders", [ours(1), None])
            venue.answer("private/cancel", Refused(11044, "not_open_order"))
            look = await cancel_ours("deribit", client, Clock())
            assert (keys(look.ours), look.unread) == ([("101", "mm7-1")], 1)

    @pytest.mark.parametrize("rows", ["none", {"orders": []}])
    async def test_goes_by_the_labels_known_where_there_is_no_list(self, rows: Any) -> None:
        async with Scripted() as venue, ours_of(venue) as (client, _):
            venue.answer("private/get_open_orders", lambda _: rows)
            venue.answer("private/cancel_by_label", 1)
            with pytest.raises(ListUnreadableError):
                await cancel_ours("deribit", client, Clock(), ["mm7-1", "mm7-2"])
            sent = [params for method, params in venue.rest if method.endswith("by_label")]
            assert sent == [{"label": "mm7-1"}, {"label": "mm7-2"}]

    async def test_says_so_where_the_venue_does_not_answer(self) -> None:
        async with Scripted() as venue, ours_of(venue) as (client, _):
            venue.answer("private/get_open_orders", Refused(13028, "temporarily_unavailable"))
            with pytest.raises(ccxt.NetworkError):
                await cancel_ours("deribit", client, Clock())
