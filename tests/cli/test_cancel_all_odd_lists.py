"""`mmbot cancel-all` at a venue that answers oddly: what is ours goes, and what is said is true."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from mmbot.engine.timing import Timing
from mmbot.errors import MmbotError
from mmbot.sim.wire.deribit.errors import WireError
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.server import SimVenue
from tests.cli.desk import QUIET, open_labels, place_by_hand
from tests.cli.test_cancel_all import (
    PUT,
    cancels,
    in_process,
    place_ours,
    was_traded,
)
from tests.engine.live import CALL
from tests.wire.scripted import STOP

pytestmark = pytest.mark.manners("plain")  # what is odd here, the tests say themselves

Twist = Callable[[Params, Any], Any]


@contextmanager
def twisted(venue: SimVenue, method: str, twist: Twist) -> Iterator[None]:
    """The venue's answer to `method` is what `twist` makes of it, over both ways."""
    call = venue.protocol.call

    def answer(session: Session, name: str, params: Params) -> Any:
        result, follow = call(session, name, params)
        return (twist(params, result) if name == method else result), follow

    venue.protocol.call = answer  # type: ignore[method-assign]  # as it may be one day
    try:
        yield
    finally:
        venue.protocol.call = call  # type: ignore[method-assign]  # as it was


def only(*fields: str) -> Twist:
    return lambda _, rows: [{k: row[k] for k in fields if k in row} for row in rows]


HASTY = Timing(unread_s=0.3)

LIST, ACCOUNT = "private/get_open_orders", "private/get_account_summaries"


def refuse(code: int, message: str) -> Twist:
    def say(_: Params, __: Any) -> Any:
        raise WireError(code, message)

    return say


async def code_of(capsys: pytest.CaptureFixture[str], **flags: Any) -> tuple[int, str, str]:
    """What the command ends with: exit code, stdout, and its line on stderr."""
    try:
        await in_process(**flags)
    except MmbotError as error:
        return int(error.exit_code), capsys.readouterr().out, str(error)
    return 0, capsys.readouterr().out, ""


async def test_a_stop_order_of_a_persons_is_left_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        with twisted(venue, LIST, lambda _, rows: [*rows, STOP]), cancels(venue) as sent:
            code, out, _ = await code_of(capsys)
        assert code == 0
        assert "1 cancelled, 0 remain, 1 foreign kept (verified over websocket" in out
        assert sent == ["cancel_all_by_instrument"]


async def test_nothing_but_id_and_label_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL, PUT)
        place_by_hand(venue)
        with twisted(venue, LIST, only("order_id", "label")), cancels(venue) as sent:
            assert (await code_of(capsys))[0] == 0
        assert sent == ["cancel", "cancel"]
        assert open_labels(venue) == ["by hand"]


async def test_the_label_will_do_where_the_id_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL, PUT)
        place_by_hand(venue)
        with twisted(venue, LIST, only("label")), cancels(venue) as sent:
            assert (await code_of(capsys))[0] == 0
        assert sent == ["cancel_by_label", "cancel_by_label"]
        assert open_labels(venue) == ["by hand"]


async def test_rows_nobody_can_read_keep_it_from_being_called_flat(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        place_by_hand(venue)
        with twisted(venue, LIST, lambda _, rows: [*rows, None, "row"]):
            code, out, error = await code_of(capsys, timing=HASTY)
        assert code == 3
        assert "2 rows of the venue's list could not be read" in error
        assert "1 cancelled, 0 remain, 1 foreign kept (not verified: 2 rows" in out
        assert open_labels(venue) == ["by hand"]


async def test_rows_that_a_later_look_reads_are_no_matter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    looks = [0]

    def garbled_once(_: Params, rows: Any) -> Any:
        looks[0] += 1
        return [None, *rows] if looks[0] < 3 else rows

    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        with twisted(venue, LIST, garbled_once):
            assert (await code_of(capsys))[0] == 0
        assert open_labels(venue) == []


@pytest.mark.parametrize("rows", [None, "orders", {"orders": []}])
async def test_a_list_that_is_none_is_answered_by_the_labels_of_the_store(
    rows: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        label, _ = place_ours(venue, CALL, PUT)
        monkeypatch.setattr(
            "mmbot.store.queries.Reader.open_orders", lambda *_: [SimpleNamespace(label=label)]
        )
        with twisted(venue, LIST, lambda *_: rows):
            code, out, error = await code_of(capsys, timing=HASTY)
        assert code == 3
        assert "list of open orders cannot be read" in error
        assert "not verified: the venue's list of open orders cannot be read" in out
        assert "1 order that the store knows of was cancelled by label" in out
        assert open_labels(venue) == ["mm7-1"], "which no store knows of"


@pytest.mark.parametrize("name", [None, 5, ""])
async def test_an_account_that_is_not_named_is_emptied_all_the_same(
    name: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        with twisted(venue, ACCOUNT, lambda _, said: {**said, "system_name": name}):
            assert (await code_of(capsys))[0] == 0
        assert open_labels(venue) == []


@pytest.mark.parametrize("twist", [refuse(13403, "scope_exceeded"), lambda *_: None])
async def test_an_account_that_cannot_be_asked_for_is_emptied_all_the_same(
    twist: Twist, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        with twisted(venue, ACCOUNT, twist):
            assert (await code_of(capsys))[0] == 0
        assert open_labels(venue) == []


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (10028, "too_many_requests"),
        (11051, "system_maintenance"),
        (13028, "temporarily_unavailable"),
        (13009, "unauthorized"),
        (11050, "bad_request"),
    ],
)
async def test_a_way_that_is_refused_gives_place_to_the_other_one(
    code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        call = venue.protocol.call

        def over_websocket(session: Session, name: str, params: Params) -> Any:
            if session.is_websocket and name == LIST:
                raise WireError(code, message)
            return call(session, name, params)

        venue.protocol.call = over_websocket  # type: ignore[method-assign]  # one way is shut
        ended, out, _ = await code_of(capsys)
        assert ended == 0
        assert "1 cancelled, 0 remain (verified over rest" in out


@pytest.mark.parametrize("reply", [None, "ok", {"cancelled": 1}, []])
async def test_whatever_a_mass_cancel_answers_only_the_next_look_counts(
    reply: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        with twisted(venue, "private/cancel_all", lambda *_: reply):
            assert (await code_of(capsys))[0] == 0
        assert open_labels(venue) == []


async def test_json_says_what_could_not_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        with twisted(venue, LIST, lambda _, rows: [{"label": 5}]):
            code, out, _ = await code_of(capsys, json=True, timing=HASTY)
        [account] = json.loads(out)["venues"]
        assert code == 3
        assert (account["remaining"], account["verified_by"]) == (0, None)
        assert account["problem"] == "1 row of the venue's list could not be read"
