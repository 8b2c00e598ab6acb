"""What is asked before anything is connected: recipes over REST, and answers of other shapes."""

from typing import Any

import pytest

from mmbot.core.types import Kind
from mmbot.errors import VenueUnreachable
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import UnreadableError, in_brief
from mmbot.venues.deribit.session import DeribitSession
from mmbot.venues.effects import HttpAnswer
from mmbot.venues.recipe import Recipe
from tests.builders import NOW_NS, a_linear_perpetual
from tests.venues.deribit.driven import KEYS, OPTION, PERPETUAL, Driven
from tests.venues.driven import raising
from tests.wire.scripted import Refused, option, order


def nobody(answers: dict[str, Any]) -> Driven:
    """A session that has not been started."""
    return Driven(DeribitSession("deribit", KEYS, NOW_NS), answers)


def session_of(driven: Driven) -> DeribitSession:
    assert isinstance(driven.session, DeribitSession)
    return driven.session


def answer(driven: Driven, recipe: Recipe[Any]) -> Any:
    """What comes of a recipe; raises what it raises."""
    came: list[tuple[Any, Exception | None]] = []
    connection = driven.session.connection
    connection.at(driven.now_ns)
    connection.run(recipe, lambda result, error: came.append((result, error)))
    driven.carry_out(connection.settle())
    driven.wait(20.0)
    [(result, error)] = came
    if error is not None:
        raise error
    return result


def test_everything_listed_is_read_and_what_cannot_be_read_is_named() -> None:
    rows = [
        option("ETH-6JUN25-2800-C"),
        option("ETH-6JUN25-2900-C", tick_size="fine"),
        {"kind": "spot"},
        None,
    ]
    driven = nobody({"public/get_instruments": rows})
    listed = answer(driven, driven.session.listed())
    assert [(one.name, one.kind) for one in listed] == [("ETH-6JUN25-2800-C", Kind.OPTION)]
    assert list(driven.session.unread_listings) == ["ETH-6JUN25-2900-C"]
    assert driven.calls("public/get_instruments") == [{"currency": "any"}]
    assert driven.dials == []


@pytest.mark.parametrize("result", [None, "ok", 7, {}, [], [None], [{}]])
def test_a_listing_of_another_shape_is_called_unreadable(result: Any) -> None:
    driven = nobody({"public/get_instruments": result})
    with pytest.raises(UnreadableError, match="to get_instruments: "):
        answer(driven, driven.session.listed())


def test_the_venues_clock_is_a_number() -> None:
    driven = nobody({"public/get_time": 1_748_865_600_123})
    assert answer(driven, driven.session.venue_ms()) == 1_748_865_600_123
    shapes: tuple[Any, ...] = (None, "soon", {}, [])
    for odd in shapes:
        driven = nobody({"public/get_time": odd})
        with pytest.raises(UnreadableError, match="to get_time"):
            answer(driven, driven.session.venue_ms())


def test_the_price_of_a_coin_is_that_of_its_index() -> None:
    driven = nobody({"public/get_index_price": {"index_price": 2850.5}})
    for instrument in (PERPETUAL, OPTION, a_linear_perpetual()):
        assert answer(driven, driven.session.index_price(instrument)) == 2850.5
    names = [one["index_name"] for one in driven.calls("public/get_index_price")]
    assert names == ["eth_usd", "eth_usd", "eth_usdc"]
    for odd in (None, {}, {"index_price": None}, 7):
        driven = nobody({"public/get_index_price": odd})
        with pytest.raises(UnreadableError, match="to get_index_price"):
            answer(driven, driven.session.index_price(PERPETUAL))


@pytest.mark.parametrize(
    ("result", "name"),
    [
        ({"system_name": "ann", "username": "u", "summaries": []}, "ann"),
        ({"username": "u", "id": 7}, "u"),
        ({"id": 7}, "7"),
        ({"summaries": []}, "key key"),
        ({"system_name": "", "summaries": [{}]}, "key key"),
    ],
)
def test_an_account_is_called_what_the_venue_calls_it(result: Any, name: str) -> None:
    driven = nobody({"private/get_account_summaries": result})
    assert answer(driven, session_of(driven).account()) == name
    assert driven.calls("private/get_account_summaries") == [{"extended": "true"}]


@pytest.mark.parametrize("result", [None, "ok", 7, {}, [], [{}], {"summaries": None}])
def test_an_account_of_another_shape_is_called_unreadable(result: Any) -> None:
    driven = nobody({"private/get_account_summaries": result})
    with pytest.raises(UnreadableError, match="to get_account_summaries: "):
        answer(driven, session_of(driven).account())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (raising(Refused(11051, "system_maintenance")), "11051 system_maintenance"),
        (
            raising(Refused(-32602, "Invalid params", {"reason": "no"})),
            "-32602 Invalid params: no",
        ),
        (HttpAnswer(None, why="connection refused by h:1"), "connection refused by h:1"),
        (HttpAnswer(502, why="HTTP 502 Bad Gateway from h:1"), "HTTP 502 Bad Gateway from h:1"),
        (HttpAnswer(502, {"result": []}), "HTTP 502"),
    ],
)
def test_a_question_that_fails_says_why_in_the_lines_or_the_venues_words(
    said: Any, words: str
) -> None:
    driven = nobody({"public/get_instruments": said})
    with pytest.raises(AnswerError) as raised:
        answer(driven, driven.session.listed())
    assert in_brief(raised.value) == words


def test_questions_keep_the_pace_of_their_pool() -> None:
    """Of five listings at once and one in ten seconds, one is left alone, half of the others may
    be somebody else's, and our clock may run 2 % fast."""
    driven = nobody({"public/get_instruments": [option()]})
    connection = driven.session.connection
    for _ in range(6):
        connection.run(driven.session.listed(), lambda *_: None)
    driven.carry_out(connection.settle())
    assert len(driven.asked) == 2
    driven.wait(10.1)
    assert len(driven.asked) == 2
    driven.wait(0.2)
    assert len(driven.asked) == 3


def test_all_of_ours_is_taken_back_for_whoever_waits_for_it() -> None:
    driven = nobody({"private/get_open_orders": [order()], "private/cancel_all": 1})
    [left] = answer(driven, session_of(driven).cancel_ours())
    assert left.label == "mm1-1"
    driven = nobody({"private/get_open_orders": raising(Refused(13009, "unauthorized"))})
    with pytest.raises(VenueUnreachable, match="deribit does not answer: 13009 unauthorized"):
        answer(driven, session_of(driven).cancel_ours())
