"""Several questions in a row on a connection: paced, answered, and ended once."""

from collections.abc import Mapping
from typing import Any

import pytest

from mmbot.core.events import Link
from mmbot.venues.answers import Declined, NoAnswer, result_of
from mmbot.venues.effects import Http, HttpAnswer
from mmbot.venues.recipe import Ask, Get, Recipe, Wait
from mmbot.venues.requests import Outcome
from tests.venues.deribit.driving import SILENCE, Driver, Refused

TRADING = Link.TRADING
LOG = "private/get_transaction_log"


def asked(*methods: str) -> Recipe[list[Any]]:
    """The results of these, in their order."""
    results = []
    for method in methods:
        reply = yield Ask(TRADING, method, {}, 2.0)
        results.append(result_of(method, reply))
    return results


class Told:
    """What became of a recipe."""

    def __init__(self, driver: Driver, recipe: Recipe[Any]) -> None:
        self.ends: list[tuple[Any, Exception | None]] = []
        driver.do(lambda connection: connection.run(recipe, self))

    def __call__(self, result: Any, error: Exception | None) -> None:
        self.ends.append((result, error))


def test_questions_follow_each_other() -> None:
    driver = Driver().start([TRADING])
    driver.answers |= {"private/a": 1, "private/b": 2}
    driver.sent.clear()
    assert Told(driver, asked("private/a", "private/b")).ends == [([1, 2], None)]
    assert driver.methods(TRADING) == ["private/a", "private/b"]


def test_the_venues_error_is_raised_where_it_was_asked() -> None:
    driver = Driver().start([TRADING])
    driver.answers["private/a"] = Refused(11044, "not_open_order")
    driver.sent.clear()
    ((result, error),) = Told(driver, asked("private/a", "private/b")).ends
    assert result is None
    assert isinstance(error, Declined)
    assert (error.refusal.code, error.method) == (11044, "private/a")
    assert driver.methods(TRADING) == ["private/a"]


def test_no_answer_is_an_error_that_says_whether_there_was_waiting() -> None:
    driver = Driver().start([TRADING])
    driver.answers["private/a"] = SILENCE
    late = Told(driver, asked("private/a"))
    driver.wait(2.1)
    ((_, error),) = late.ends
    assert isinstance(error, NoAnswer)
    assert error.timed_out
    lost = Told(driver, asked("private/a"))
    driver.sever(TRADING, "reset")
    ((_, error),) = lost.ends
    assert isinstance(error, NoAnswer)
    assert (error.timed_out, error.reply.why, error.reply.sent) == (False, "reset", True)


def test_a_link_that_is_not_up_is_not_asked() -> None:
    driver = Driver()
    told = Told(driver, asked("private/a"))
    ((_, error),) = told.ends
    assert isinstance(error, NoAnswer)
    assert not error.reply.sent
    assert not driver.sent


def test_nothing_is_told_from_within_the_call_that_runs_it() -> None:
    driver = Driver()
    ends: list[Any] = []

    def nothing() -> Recipe[int]:
        return 5
        yield Wait(0.0)

    driver.connection.at(driver.now_ns)
    driver.connection.run(nothing(), lambda result, _: ends.append(result))
    assert not ends
    driver.connection.settle()
    assert ends == [5]


def test_what_a_recipe_raises_itself_is_told() -> None:
    def bad() -> Recipe[None]:
        yield Wait(1.0)
        raise ValueError("a bug")

    driver = Driver()
    told = Told(driver, bad())
    assert not told.ends
    driver.wait(1.0)
    assert [str(error) for _, error in told.ends] == ["a bug"]


def test_a_session_that_has_ended_is_not_asked_the_next_question() -> None:
    driver = Driver().start([TRADING])
    driver.answers["private/a"] = Refused(13009, "unauthorized")

    def stubborn() -> Recipe[None]:
        for _ in range(3):
            yield Ask(TRADING, "private/a", {}, 2.0)

    driver.sent.clear()
    Told(driver, stubborn())
    assert driver.methods(TRADING) == ["private/a"], "the connection was ended before the second"


# --- the pools ----------------------------------------------------------------------------------


def test_a_pool_is_served_in_turn_and_never_overdrawn() -> None:
    driver = Driver().start([TRADING])
    driver.answers[LOG] = {"logs": []}
    sent_s: list[float] = []
    names: list[str] = []

    def counted(params: Mapping[str, Any]) -> Any:
        sent_s.append(driver.now_s)
        names.append(params["name"])
        return {"logs": []}

    driver.answers[LOG] = counted

    def one(name: str) -> Recipe[None]:
        yield Ask(TRADING, LOG, {"name": name}, 2.0)

    told = [Told(driver, one(str(number))) for number in range(20)]
    assert len(sent_s) == 3, "half of the seven that may be asked at once"
    driver.wait(30)
    assert names == [str(number) for number in range(20)]
    assert all(len(each.ends) == 1 for each in told)
    # The venue: eight at once, one a second.
    level, at_s = 4.0, sent_s[0]
    for when_s in sent_s:
        level, at_s = min(8.0, level + (when_s - at_s)), when_s
        assert level >= 1.0
        level -= 1.0


def test_the_deadline_counts_from_the_sending() -> None:
    driver = Driver().start([TRADING])
    driver.answers[LOG] = SILENCE

    def one() -> Recipe[None]:
        reply = yield Ask(TRADING, LOG, {}, 1.0)
        assert reply.outcome is Outcome.UNKNOWN
        ends_s.append(driver.now_s)

    ends_s: list[float] = []
    for _ in range(4):
        Told(driver, one())
    driver.wait(10)
    assert ends_s[:3] == pytest.approx([1.0] * 3)
    assert ends_s[3] > 1.4


def test_orders_and_proof_of_life_do_not_wait_behind_them() -> None:
    driver = Driver().start([TRADING])
    driver.answers |= {LOG: SILENCE, "private/buy": {}}
    for _ in range(20):
        Told(driver, asked(LOG))
    for _ in range(200):
        driver.do(lambda connection: connection.send(TRADING, "private/buy", {}))
        driver.do(lambda connection: connection.send(TRADING, "public/test", {}))
    assert len(driver.calls("private/buy")) == len(driver.calls("public/test")) == 200
    assert len(driver.calls(LOG)) == 3


def test_those_who_wait_are_let_go_when_we_leave() -> None:
    driver = Driver().start([TRADING])
    driver.answers[LOG] = SILENCE
    told = [Told(driver, asked(LOG)) for _ in range(20)]
    driver.carry_out(driver.connection.stop(driver.now_ns))
    driver.wait(0)
    assert all(isinstance(each.ends[0][1], NoAnswer) for each in told)


# --- REST ---------------------------------------------------------------------------------------


def over_rest(method: str = "private/get_open_orders") -> Recipe[Any]:
    reply = yield Get(method, {"currency": "any"}, 10.0)
    return result_of(method, reply)


def test_rest_is_asked_by_an_effect_and_answered_once() -> None:
    driver = Driver()
    told = Told(driver, over_rest())
    (http,) = driver.http
    assert http == Http(http.id, "private/get_open_orders", {"currency": "any"}, 10.0)
    driver.answer_http(HttpAnswer(200, {"jsonrpc": "2.0", "result": []}))
    driver.answer_http(HttpAnswer(200, {"jsonrpc": "2.0", "result": ["again"]}))
    assert told.ends == [([], None)]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            HttpAnswer(400, {"error": {"code": 13009, "message": "unauthorized"}}),
            Declined,
            "13009 unauthorized",
        ),
        (HttpAnswer(503, None, "HTTP 503 Service Unavailable"), NoAnswer, "HTTP 503 Service"),
        (HttpAnswer(502, {"result": "a proxy's"}), NoAnswer, "HTTP 502"),
        (HttpAnswer(None, None, "connection refused by x:1"), NoAnswer, "connection refused"),
        (HttpAnswer(200, ["no", "message"]), NoAnswer, "HTTP 200"),
        (HttpAnswer(200, {"error": {}}), NoAnswer, "cannot be read"),
    ],
)
def test_what_goes_wrong_over_rest(answer: HttpAnswer, kind: type[Exception], words: str) -> None:
    driver = Driver()
    told = Told(driver, over_rest())
    driver.answer_http(answer)
    ((_, error),) = told.ends
    assert isinstance(error, kind)
    assert words in str(error)


def test_rest_draws_on_the_same_pools() -> None:
    driver = Driver().start([TRADING])
    driver.answers[LOG] = {"logs": []}
    for _ in range(2):
        Told(driver, asked(LOG))
    for _ in range(5):
        Told(driver, over_rest(LOG))
    assert len(driver.http) == 1, "three at once, over whichever way"
    # Half of seven to begin with, three are spent, and 0.98 come back a second.
    driver.wait(3)
    assert len(driver.http) == 4
