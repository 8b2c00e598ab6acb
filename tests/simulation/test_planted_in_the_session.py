"""Bugs planted in the session and at its border are caught by a few seeds, one at a time.

Each is put where it would be made, in the files that trade; everything else is as it is. Where the
venue has to be of a certain manner, some of the seeds are. The first seed that caught it when this
was written, and the check that spoke:

    no_resubscribe_after_a_gap                   1   settling
    a_reply_taken_for_another_id                 1   settling
    cod_not_asserted_after_a_reconnect           1   dead-man
    private_silence_unnoticed                   26   silence
    positions_before_trades                      4   look
    a_relogin_forgotten                         21   login
    an_unreadable_order_ends_the_look            1   settling
    a_null_mark_is_zero                          4   mark
    a_session_error_is_the_orders               12   blame
    an_instruments_refusal_is_the_accounts       8   blame
    the_second_execution_is_dropped              2   settling
    a_change_without_a_type_replaces_the_book    1   book
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.error_scope import ErrorScope
from mmbot.core.intents import Resync
from mmbot.core.statements import Fill
from mmbot.core.types import Nanos
from mmbot.venues import reading
from mmbot.venues.deribit import parse
from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.looks import Looks
from mmbot.venues.deribit.public import PublicSession
from mmbot.venues.deribit.session import DeribitSession
from mmbot.venues.deribit.signin import SignIn
from mmbot.venues.link import LinkState
from mmbot.venues.reading import Unread, Unreadable
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Pending, Requests
from mmbot.venues.subscriptions import Subscriptions
from tests.simulation.test_planted_bugs import Plant, assert_caught

# --- in the session ---------------------------------------------------------------------------


def no_resubscribe_after_a_gap(patch: pytest.MonkeyPatch) -> None:
    """A book that has lost a change is never asked for anew."""
    patch.setattr(Subscriptions, "resubscribe_soon", lambda *_: None)


def a_reply_taken_for_another_id(patch: pytest.MonkeyPatch) -> None:
    """Whatever is answered, the oldest request in flight ends with it."""

    def take(self: Requests, id_: object) -> Pending | None:
        oldest = next(iter(self._pending), None)
        return self._pending.pop(oldest) if oldest is not None else None

    patch.setattr(Requests, "take", take)


def cod_not_asserted_after_a_reconnect(patch: pytest.MonkeyPatch) -> None:
    """Cancel-on-disconnect is switched on once, as if it were the account's."""
    arm = SignIn.arm

    def once(self: SignIn, link: LinkState) -> Recipe[None]:
        if self._was_armed:
            self.cod_enabled = True
            return
        yield from arm(self, link)

    patch.setattr(SignIn, "arm", once)


def private_silence_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """Nobody minds that the account's channel tells nothing."""
    patch.setattr(DeribitSession, "_each_second", PublicSession._each_second)


def positions_before_trades(patch: pytest.MonkeyPatch) -> None:
    """A look asks for positions first, and for the trades that made them later."""

    def take(self: Looks, intent: Resync, asked_ns: Nanos) -> Recipe[ev.SnapshotTaken]:
        positions = yield from self._positions()
        told: ev.SnapshotTaken = yield from look(self, intent, asked_ns)
        return replace(told, positions=tuple(positions))

    look = Looks.take
    patch.setattr(Looks, "take", take)


def a_relogin_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A login is used until the venue says that it is over."""

    def renew(self: SignIn, link: LinkState) -> Recipe[None]:
        link.refresh_s = inf
        return
        yield

    patch.setattr(SignIn, "renew", renew)


# --- at the border ----------------------------------------------------------------------------


def an_unreadable_order_ends_the_look(patch: pytest.MonkeyPatch) -> None:
    """An order of other people's that says nothing of use makes the whole list useless."""
    read = parse.open_order_of

    def strict(venue: str, data: object, unread: Unread) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("price"), str):
            raise Unreadable("a price that is none")
        return read(venue, data, unread)

    def each(rows: Any, read_one: Callable[[object], Any], *_: object) -> tuple[list[Any], int]:
        if not isinstance(rows, list):
            raise Unreadable("no list")
        return [read_one(row) for row in rows], 0

    patch.setattr(parse, "open_order_of", strict)
    patch.setattr(reading, "each", each)


def a_null_mark_is_zero(patch: pytest.MonkeyPatch) -> None:
    """What a ticker does not say is nothing, and nothing is zero."""
    read = parse.ticker_changed

    def zero(*args: Any) -> ev.TickerChanged:
        told = read(*args)
        return replace(told, mark=told.mark or 0.0)

    patch.setattr(parse, "ticker_changed", zero)


def _scope_taken_for(patch: pytest.MonkeyPatch, meant: ErrorScope, taken_for: ErrorScope) -> None:
    read = parse.refusal_of

    def wrong(*args: Any) -> ev.RequestRefused:
        refused = read(*args)
        return replace(refused, scope=taken_for) if refused.scope is meant else refused

    patch.setattr(parse, "refusal_of", wrong)


def a_session_error_is_the_orders(patch: pytest.MonkeyPatch) -> None:
    """What is wrong with the connection is taken to be wrong with the order."""
    _scope_taken_for(patch, ErrorScope.SESSION, ErrorScope.ORDER)


def an_instruments_refusal_is_the_accounts(patch: pytest.MonkeyPatch) -> None:
    """A book that is closed stops all trading of the account."""
    _scope_taken_for(patch, ErrorScope.INSTRUMENT, ErrorScope.ACCOUNT)


def the_second_execution_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """Of a trade with oneself, which is two executions of one id, the second one is left out."""
    read = reading.each

    def each(*args: Any) -> tuple[list[Any], int]:
        found, left_out = read(*args)
        ids: dict[object, None] = {}
        kept = []
        for one in found:
            if isinstance(one, Fill):
                if one.trade_id in ids:
                    continue
                ids[one.trade_id] = None
            kept.append(one)
        return kept, left_out

    patch.setattr(reading, "each", each)


def a_change_without_a_type_replaces_the_book(patch: pytest.MonkeyPatch) -> None:
    """A message that does not say that it is a change is taken for a whole book."""
    apply = Book.apply

    def whole(self: Book, data: Any) -> bool:
        if isinstance(data, Mapping) and "type" not in data:
            data = {**data, "type": "snapshot"}
        return apply(self, data)

    patch.setattr(Book, "apply", whole)


PLANTS: Sequence[Plant] = (
    no_resubscribe_after_a_gap,
    a_reply_taken_for_another_id,
    cod_not_asserted_after_a_reconnect,
    private_silence_unnoticed,
    positions_before_trades,
    a_relogin_forgotten,
    an_unreadable_order_ends_the_look,
    a_null_mark_is_zero,
    a_session_error_is_the_orders,
    an_instruments_refusal_is_the_accounts,
    the_second_execution_is_dropped,
    a_change_without_a_type_replaces_the_book,
)


@pytest.mark.long
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_bug_planted_in_the_session_is_caught(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    assert_caught(plant, monkeypatch, record_property)
