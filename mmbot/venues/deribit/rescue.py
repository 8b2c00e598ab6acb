"""Taking back what is ours, whatever the venue's list of open orders looks like.

To cancel an order nothing but its id is needed, and its label alone where the id cannot be read; to
know that it is ours, its label. Everything else in a row is for people to look at. A row of which
not even that can be read is counted: with it nothing is proved, and nothing is canceled that might
be somebody else's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ccxt.base.errors import BaseError, NetworkError

from mmbot.clock import Clock
from mmbot.core.labels import is_ours
from mmbot.core.statements import OpenOrder
from mmbot.core.types import instrument_name
from mmbot.venues.canceller import ListUnreadableError, Look
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.limits import Bucket
from mmbot.venues.deribit.orders import Call
from mmbot.venues.deribit.parse import Unread, Unreadable, open_order_of

OPEN_ORDERS = "private/get_open_orders"


def look_at(venue: str, rows: object) -> Look:
    """The result of private/get_open_orders. Raises ListUnreadableError if it is no list."""
    if not isinstance(rows, list):
        raise ListUnreadableError(
            f"the venue's list of open orders cannot be read: {json.dumps(rows)[:60]}"
        )
    read = [order for row in rows if (order := _listed(venue, row)) is not None]
    return Look(
        ours=tuple(order for order in read if is_ours(order.label)),
        others=tuple(order for order in read if not is_ours(order.label)),
        unread=len(rows) - len(read),
    )


def cancels(wanted: Sequence[OpenOrder], kept: Sequence[OpenOrder], unread: int = 0) -> list[Call]:
    """Requests that cancel `wanted` and leave alone `kept` and what could not be read, in as few as
    that allows: all at once where there is nothing else, else whole instruments where nothing else
    rests, else one by one."""
    if not kept and not unread:
        return [("private/cancel_all", {})]
    spared = {order.instrument for order in kept}
    anywhere = bool(unread) or None in spared
    whole: dict[str, None] = {}
    single: list[OpenOrder] = []
    for order in wanted:
        if order.instrument is None or order.instrument in spared or anywhere:
            single.append(order)
        else:
            whole[instrument_name(order.instrument)] = None
    return [
        *(("private/cancel_all_by_instrument", {"instrument_name": name}) for name in whole),
        *(call for order in single if (call := _cancel(order)) is not None),
    ]


def cancels_by_label(labels: Iterable[str]) -> list[Call]:
    """Requests that cancel orders of which only the label is known."""
    return [("private/cancel_by_label", {"label": label}) for label in labels]


async def cancel_ours(venue: str, client: Deribit, clock: Clock, known: Iterable[str] = ()) -> Look:
    """Cancel every order of ours over REST, and look again: what the venue still lists.

    Raises ccxt's errors where the venue does not answer, and ListUnreadableError, before which the
    labels in `known` have been canceled one by one.
    """
    try:
        look = look_at(venue, await rest(client, OPEN_ORDERS, {}))
    except ListUnreadableError:
        await _send_all(client, clock, cancels_by_label(known))
        raise
    if look.ours:
        await _send_all(client, clock, cancels(look.ours, look.others, look.unread))
    return look_at(venue, await rest(client, OPEN_ORDERS, {}))


async def rest(client: Deribit, method: str, params: Mapping[str, Any]) -> Any:
    """A private method's result over REST; None where the answer has none. Raises ccxt's errors."""
    scope, path = method.split("/")
    reply = await client.request(path, [scope], "GET", dict(params))
    return reply.get("result") if isinstance(reply, dict) else None


async def _send_all(client: Deribit, clock: Clock, calls: Sequence[Call]) -> None:
    bucket = Bucket(client.rate_limits.matching, clock.monotonic_s())
    for method, params in calls:
        while wait_s := bucket.take(clock.monotonic_s()):
            await clock.sleep(wait_s)
        try:
            await rest(client, method, params)
        except NetworkError:
            raise
        except BaseError:
            continue  # gone already, or still listed when we look again


def _cancel(order: OpenOrder) -> Call | None:
    if order.order_id:
        return ("private/cancel", {"order_id": order.order_id})
    if order.label is not None:
        return ("private/cancel_by_label", {"label": order.label})
    return None


def _listed(venue: str, row: object) -> OpenOrder | None:
    """One row; None: it may be anybody's."""
    label = row.get("label") if isinstance(row, Mapping) else None
    if label is not None and not isinstance(label, str):
        return None
    try:
        return open_order_of(venue, row, Unread())
    except Unreadable:
        return None
