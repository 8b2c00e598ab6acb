"""Bugs planted at Derive's border, in its session and where orders are replaced are caught by a
few seeds, one at a time.

As in `test_planted_in_the_session.py`. The first seed that caught it when this was written, and the
check that spoke:

    a_create_that_failed_is_alive        4   ghost
    unconfirmed_is_refused               4   bug
    a_settled_trade_is_another_one       3   booking
    the_dead_man_is_taken_for_granted    1   dead-man
    a_closed_book_is_the_accounts        9   blame
    a_failed_create_leaves_the_old_order 28   memory
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import OrderSeen
from mmbot.core.order_life import Request, Status
from mmbot.core.orders import Order, Orders
from mmbot.core.statements import Fill
from mmbot.core.types import Label
from mmbot.venues.account import Account
from mmbot.venues.derive import errors, parse
from mmbot.venues.derive.signin import SignIn
from mmbot.venues.link import LinkState
from mmbot.venues.meanings import Meaning
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Outcome, Reply
from tests.simulation.drawn import drawn_on_derive
from tests.simulation.test_planted_bugs import SEEDS_MAX, Plant


def a_create_that_failed_is_alive(patch: pytest.MonkeyPatch) -> None:
    """A replace that has cancelled and not created is taken for one that has done both."""
    replaced = Account.replaced

    def both(self: Account, reply: Reply, old: Label, new: Label) -> None:
        if reply.outcome is Outcome.OK and reply.result.get("order") is None:
            made = {**reply.result["cancelled_order"], "label": new, "order_status": "open"}
            result = {**reply.result, "order": made, "create_order_error": None}
            reply = replace(reply, result=result)
        replaced(self, reply, old, new)

    patch.setattr(Account, "replaced", both)


def unconfirmed_is_refused(patch: pytest.MonkeyPatch) -> None:
    """An order that the venue could not confirm in time is taken for one that it refused."""
    refused = Meaning("Order confirmation timeout", ErrorScope.REQUEST)
    patch.setitem(errors.MEANINGS, errors.NOT_CONFIRMED, refused)


def a_settled_trade_is_another_one(patch: pytest.MonkeyPatch) -> None:
    """A trade that is told again with the batch that it was settled in is booked again."""
    read = parse.fill_of

    def fill_of(venue: str, data: Any, *rest: Any) -> Fill:
        fill = read(venue, data, *rest)
        batch = data.get("tx_hash")
        return replace(fill, trade_id=f"{fill.trade_id} {batch}") if batch else fill

    patch.setattr(parse, "fill_of", fill_of)


def the_dead_man_is_taken_for_granted(patch: pytest.MonkeyPatch) -> None:
    """Cancel-on-disconnect is not switched on, as if it had been."""

    def arm(self: SignIn, link: LinkState) -> Recipe[None]:
        self.cod_enabled = True
        return
        yield

    patch.setattr(SignIn, "arm", arm)


def a_closed_book_is_the_accounts(patch: pytest.MonkeyPatch) -> None:
    """An instrument that is not live stops all trading of the account."""
    meant = Meaning("Instrument is not live", ErrorScope.ACCOUNT)
    patch.setitem(errors.MEANINGS, 11021, meant)


def a_failed_create_leaves_the_old_order(patch: pytest.MonkeyPatch) -> None:
    """The core keeps the old order of a replace that has cancelled it and created no other."""
    seen, refused = Orders.seen, Orders.refused
    over: dict[Label, tuple[OrderSeen, Order]] = {}

    def wait(self: Orders, said: OrderSeen, order: Order, asked_ns: int) -> None:
        if order.request is Request.REPLACE and said.answers is Request.REPLACE:
            over[order.label] = (said, order)
            return
        if order.replaces in over:  # the new one is there
            ended, old = over.pop(order.replaces)
            seen(self, ended, old, asked_ns)
        seen(self, said, order, asked_ns)

    def keep(
        self: Orders, order: Order, request: Request, stands: bool | None, now_ns: int
    ) -> None:
        refused(self, order, request, stands, now_ns)
        if order.replaces in over:
            _, old = over.pop(order.replaces)
            if old.working:
                old.status, old.request = Status.LIVE, None

    patch.setattr(Orders, "seen", wait)
    patch.setattr(Orders, "refused", keep)


PLANTS: Sequence[Plant] = (
    a_create_that_failed_is_alive,
    unconfirmed_is_refused,
    a_settled_trade_is_another_one,
    the_dead_man_is_taken_for_granted,
    a_closed_book_is_the_accounts,
    a_failed_create_leaves_the_old_order,
)


@pytest.mark.long
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_bug_planted_on_derive_is_caught(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    plant(monkeypatch)
    for seed in range(1, SEEDS_MAX + 1):
        violation = drawn_on_derive(seed).run().violation
        if violation is not None:
            record_property("seeds", seed)
            record_property("check", violation.check)
            print(f"{plant.__name__}: seed {seed}, {violation.check}: {violation.detail}")
            return
    raise AssertionError(f"not one of {SEEDS_MAX} seeds catches it")
