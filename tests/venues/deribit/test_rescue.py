"""What is read of a list of open orders, and what is sent to take ours back. Rows by hand."""

import json
from decimal import Decimal
from typing import Any

import pytest

from mmbot.core.events import FallbackTried, Link
from mmbot.core.intents import FallbackCancel
from mmbot.core.statements import OpenOrder
from mmbot.core.types import Label, Side
from mmbot.core.why import Why
from mmbot.venues.canceller import ListUnreadableError
from mmbot.venues.deribit.rescue import OPEN_ORDERS, DeribitRescue
from mmbot.venues.effects import HttpAnswer
from tests.builders import NOW_NS
from tests.venues.deribit.driven import Driven, account
from tests.venues.deribit.test_session_orders import PLACED, USER, place
from tests.venues.driven import raising
from tests.wire.scripted import STOP, Refused, order


def ours(number: int = 1, **over: Any) -> dict[str, Any]:
    return order(order_id=f"10{number}", label=f"mm7-{number}", **over)


def keys(rows: tuple[OpenOrder, ...]) -> list[tuple[str, str | None]]:
    return [(row.order_id, row.label) for row in rows]


class TestALook:
    def test_tells_ours_from_other_peoples(self) -> None:
        look = RESCUE.look_at([ours(), order(label="by hand"), STOP, order(label=None)])
        assert keys(look.ours) == [("101", "mm7-1")]
        assert [row.label for row in look.others] == ["by hand", None, None]
        assert look.unread == 0

    def test_needs_nothing_of_ours_but_id_and_label(self) -> None:
        [row] = RESCUE.look_at([{"order_id": "5", "label": "mm7-1"}]).ours
        assert (row.order_id, row.label, row.instrument, row.amount) == ("5", "mm7-1", None, None)

    def test_shows_what_there_is_to_see_of_an_order(self) -> None:
        [row] = RESCUE.look_at([ours(amount=10.0, filled_amount=4.0)]).ours
        assert (row.side, row.price) == (Side.BUY, Decimal("100.0"))
        assert (row.amount, row.filled) == (Decimal(10), Decimal(4))

    @pytest.mark.parametrize("field", ["price", "amount", "filled_amount", "direction"])
    @pytest.mark.parametrize("value", [None, "word", [], {}, True, float("nan")])
    def test_survives_any_value_in_what_it_does_not_need(self, field: str, value: Any) -> None:
        assert keys(RESCUE.look_at([ours(**{field: value})]).ours) == [("101", "mm7-1")]

    @pytest.mark.parametrize("id_", [None, "", [], 5.5, True])
    def test_knows_ours_by_the_label_where_the_id_cannot_be_read(self, id_: Any) -> None:
        look = RESCUE.look_at([{**ours(), "order_id": id_}])
        assert keys(look.ours) == [("", "mm7-1")]

    @pytest.mark.parametrize(
        "row", [None, "row", 5, [], {}, {"label": "", "amount": 1}, {**ours(), "label": 7}]
    )
    def test_counts_rows_that_may_be_anybodys(self, row: Any) -> None:
        look = RESCUE.look_at([row, ours()])
        assert look.unread == 1
        assert keys(look.ours) == [("101", "mm7-1")]

    @pytest.mark.parametrize("rows", [None, "rows", 5, {}, {"orders": []}])
    def test_at_what_is_no_list_says_so(self, rows: Any) -> None:
        with pytest.raises(ListUnreadableError, match="cannot be read"):
            RESCUE.look_at(rows)


class TestCancels:
    def sent(self, *rows: Any) -> list[tuple[str, dict[str, Any]]]:
        look = RESCUE.look_at(list(rows))
        return RESCUE.cancels(look.ours, look.others, look.unread)

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


RESCUE = DeribitRescue("deribit")
OPEN, CANCEL, BY_LABEL = OPEN_ORDERS, "private/cancel", "private/cancel_by_label"
ALL_OF_ONE = "private/cancel_all_by_instrument"


class TestTheWayRound:
    """The second path, asked for by the engine: over REST, and told as one event."""

    def tried(self, answers: dict[str, Any], *placed: str) -> Driven:
        driven = account(answers)
        for label in placed:
            driven.submit(place(label=Label(label)))
        driven.lose(Link.TRADING)
        driven.forget()
        driven.submit(FallbackCancel("deribit", Why.LINK_DOWN))
        return driven

    def left(self, driven: Driven) -> tuple[OpenOrder, ...] | None:
        [told] = driven.told(FallbackTried)
        assert (told.venue, told.asked_ns) == ("deribit", NOW_NS)
        return told.left

    def test_takes_ours_back_and_leaves_the_rest(self) -> None:
        rows = [ours(1), ours(2), order(order_id="7", label="by hand"), STOP]

        def cancel(params: Any) -> Any:
            rows[:] = [row for row in rows if row["order_id"] != params["order_id"]]
            return {}

        driven = self.tried({OPEN: lambda _: list(rows), CANCEL: cancel})
        assert self.left(driven) == ()
        assert [row["order_id"] for row in rows] == ["7", "ETH-SLTS-77120"]
        assert [one.method for one in driven.asked] == [OPEN, CANCEL, CANCEL, OPEN]
        assert driven.sent == []

    def test_cancels_nothing_where_nothing_is_ours(self) -> None:
        driven = self.tried({OPEN: [STOP]})
        assert self.left(driven) == ()
        assert [one.method for one in driven.asked] == [OPEN, OPEN]

    def test_tells_what_the_venue_does_not_let_go(self) -> None:
        driven = self.tried(
            {OPEN: [ours(1), STOP], ALL_OF_ONE: raising(Refused(11044, "not_open_order"))}
        )
        assert keys(self.left(driven) or ()) == [("101", "mm7-1")]

    def test_a_row_that_may_be_anybodys_leaves_nothing_proved(self) -> None:
        driven = self.tried({OPEN: [None]})
        assert self.left(driven) is None
        assert driven.notes == ["warning: deribit: 1 rows of its list could not be read"]

    @pytest.mark.parametrize("rows", ["none", {"orders": []}, None])
    def test_goes_by_the_labels_placed_where_there_is_no_list(self, rows: Any) -> None:
        driven = self.tried({OPEN: rows, BY_LABEL: 1}, "mm7-1", "mm7-2")
        assert driven.calls(BY_LABEL) == [{"label": "mm7-1"}, {"label": "mm7-2"}]
        assert self.left(driven) is None
        assert driven.notes == [
            "warning: deribit does not answer: unreadable answer (ListUnreadableError: the "
            f"venue's list of open orders cannot be read: {json.dumps(rows)})"
        ]

    def test_labels_of_orders_that_have_ended_are_let_go(self) -> None:
        driven = account({OPEN: "none", BY_LABEL: 1})
        driven.submit(place(), place(label=Label("mm7-2")))
        gone = PLACED | {"order_state": "cancelled"}
        driven.push(Link.TRADING, USER, {"orders": [gone]})
        driven.submit(FallbackCancel("deribit", Why.LINK_DOWN))
        assert driven.calls(BY_LABEL) == [{"label": "mm7-2"}]

    def test_of_very_many_labels_the_newest_thousand_are_kept(self) -> None:
        driven = account({OPEN: "none", BY_LABEL: 1})
        driven.submit(*(place(label=Label(f"mm7-{n}")) for n in range(1002)))
        driven.submit(FallbackCancel("deribit", Why.LINK_DOWN))
        driven.wait(60.0)
        labels = [one["label"] for one in driven.calls(BY_LABEL)]
        assert (len(labels), labels[0], labels[-1]) == (1000, "mm7-2", "mm7-1001")

    def test_cancels_keep_the_accounts_pace(self) -> None:
        """Ten a second, two at once: five rows that go one by one take three tenths of it."""
        slow = {"matching_engine": {"trading": {"total": {"burst": 2, "rate": 10}}}}
        summaries = {"summaries": [{"currency": "ETH", "limits": slow}]}
        rows = [*(ours(n) for n in range(5)), order(label="by hand")]
        driven = self.tried({OPEN: rows, CANCEL: {}, "private/get_account_summaries": summaries})
        assert len(driven.calls(CANCEL)) == 2
        driven.wait(0.11)
        assert len(driven.calls(CANCEL)) == 3
        driven.wait(0.2)
        assert len(driven.calls(CANCEL)) == 5

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (
                raising(Refused(13028, "temporarily_unavailable")),
                "13028 temporarily_unavailable",
            ),
            (raising(Refused(13009, "unauthorized")), "13009 unauthorized"),
            (
                HttpAnswer(429, why="HTTP 429 Too Many Requests from h:1"),
                "HTTP 429 Too Many Requests from h:1",
            ),
            (HttpAnswer(None, why="connection refused by h:1"), "connection refused by h:1"),
            (
                HttpAnswer(200, why="unreadable answer (no JSON-RPC message) from h:1"),
                "unreadable answer (no JSON-RPC message) from h:1",
            ),
        ],
    )
    def test_a_venue_that_does_not_answer_leaves_nothing_proved(
        self, answer: Any, said: str
    ) -> None:
        driven = self.tried({OPEN: answer})
        assert self.left(driven) is None
        assert driven.notes == [f"warning: deribit does not answer: {said}"]

    @pytest.mark.parametrize(
        "answer",
        [
            HttpAnswer(None, why="no answer from h:1 in 10 s"),
            HttpAnswer(429, why="HTTP 429 Too Many Requests from h:1"),
            raising(Refused(10028, "too_many_requests")),
        ],
    )
    def test_a_cancel_that_the_line_or_the_pace_does_not_let_through_ends_it(
        self, answer: Any
    ) -> None:
        driven = self.tried({OPEN: [ours(1), ours(2), order(label="by hand")], CANCEL: answer})
        assert len(driven.calls(CANCEL)) == 1
        assert self.left(driven) is None
