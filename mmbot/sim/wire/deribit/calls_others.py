"""Methods about what lies beside our own trading: trigger orders, locks, combos."""

from __future__ import annotations

from typing import Final

from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.errors import invalid_params, not_found
from mmbot.sim.wire.deribit.filters import COUNT_MAX, currency_if_given, currency_of
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue

HISTORY_COUNT: Final = 20

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("private/get_trigger_order_history")
def _get_trigger_order_history(venue: DeribitVenue, session: Session, params: Params) -> Json:
    """Newest first; `continuation` is how many entries came before the next page."""
    currency = currency_of(venue, params)
    name = params.text_or("instrument_name", None)
    count = params.integer_or("count", HISTORY_COUNT)
    if not 1 <= count <= COUNT_MAX:
        raise invalid_params(f"must be from 1 to {COUNT_MAX}", "count")
    first = params.integer_or("continuation", 0)
    entries = [
        entry
        for entry in venue.triggers.history(session.owner)
        if venue.exchange.terms(entry["instrument_name"]).settlement == currency
        and (name is None or entry["instrument_name"] == name)
    ]
    page = entries[first : first + count]
    answer: Json = {"entries": page}
    if first + count < len(entries):
        answer["continuation"] = str(first + count)
    return answer


@method("private/get_user_locks")
def _get_user_locks(venue: DeribitVenue, session: Session, _params: Params) -> list[Json]:
    return venue.locks.of_account(session.owner)


@method("public/get_combos")
def _get_combos(venue: DeribitVenue, _session: Session, params: Params) -> list[Json]:
    return venue.catalog.combos(currency_if_given(venue, params))


@method("public/get_combo_ids")
def _get_combo_ids(venue: DeribitVenue, _session: Session, params: Params) -> list[str]:
    currency = currency_of(venue, params)
    if params.text_or("state", "active") != "active":
        return []
    return [combo["id"] for combo in venue.catalog.combos(currency)]


@method("public/get_combo_details")
def _get_combo_details(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    found = venue.catalog.combo(params.text("combo_id"))
    if found is None:
        raise not_found("combo not found", "combo_id")
    return found
