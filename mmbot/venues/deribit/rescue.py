"""Taking back what is ours, whatever the venue's list of open orders looks like.

To cancel an order nothing but its id is needed, and its label alone where the id cannot be read; to
know that it is ours, its label. Everything else in a row is for people to look at. A row of which
not even that can be read is counted: with it nothing is proved, and nothing is canceled that might
be somebody else's.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from mmbot.core.labels import is_ours
from mmbot.core.statements import OpenOrder
from mmbot.core.types import instrument_name
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import get
from mmbot.venues.canceller import ListUnreadableError, Look
from mmbot.venues.deribit.orders import Call, cancel, cancel_all
from mmbot.venues.deribit.parse import open_order_of
from mmbot.venues.rates import Bucket, Rate
from mmbot.venues.reading import Unread, Unreadable
from mmbot.venues.recipe import Recipe, Wait

OPEN_ORDERS = "private/get_open_orders"


def look_at(venue: str, rows: object, order_ids: Collection[str] = ()) -> Look:
    """The result of private/get_open_orders; `order_ids`: ours, where labels do not tell. Raises
    ListUnreadableError if it is no list."""
    if not isinstance(rows, list):
        raise ListUnreadableError(
            f"the venue's list of open orders cannot be read: {json.dumps(rows)[:60]}"
        )
    read = [order for row in rows if (order := _listed(venue, row)) is not None]
    return Look(
        ours=tuple(o for o in read if is_ours(o.label) or o.order_id in order_ids),
        others=tuple(o for o in read if not (is_ours(o.label) or o.order_id in order_ids)),
        unread=len(rows) - len(read),
    )


def cancels(wanted: Sequence[OpenOrder], kept: Sequence[OpenOrder], unread: int = 0) -> list[Call]:
    """Requests that cancel `wanted` and leave alone `kept` and what could not be read, in as few as
    that allows: all at once where there is nothing else, else whole instruments where nothing else
    rests, else one by one."""
    if not kept and not unread:
        return [cancel_all()]
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
        *(cancel_all(name) for name in whole),
        *(call for order in single if (call := _cancel(order)) is not None),
    ]


def cancels_by_label(labels: Iterable[str]) -> list[Call]:
    """Requests that cancel orders of which only the label is known."""
    return [cancel("", label) for label in labels]


def cancel_ours(
    venue: str,
    known: Iterable[str],
    limit: Rate,
    now_s: Callable[[], float],
    order_ids: Collection[str] = (),
) -> Recipe[Look]:
    """Cancel every order of ours over REST, and look again: what the venue still lists.

    Raises AnswerError where the venue does not answer, and ListUnreadableError, before which the
    labels in `known` have been canceled one by one.
    """
    bucket = Bucket(limit, now_s())
    try:
        look = look_at(venue, (yield from get(OPEN_ORDERS, {})), order_ids)
    except ListUnreadableError:
        yield from _send_all(cancels_by_label(known), bucket, now_s)
        raise
    if look.ours:
        yield from _send_all(cancels(look.ours, look.others, look.unread), bucket, now_s)
    return look_at(venue, (yield from get(OPEN_ORDERS, {})), order_ids)


def _send_all(calls: Sequence[Call], bucket: Bucket, now_s: Callable[[], float]) -> Recipe[None]:
    for method, params in calls:
        while wait_s := bucket.take(now_s()):
            yield Wait(wait_s)
        try:
            yield from get(method, params)
        except AnswerError as error:
            if not error.refuses:
                raise
            # Gone already, or still listed when we look again.


def _cancel(order: OpenOrder) -> Call | None:
    if order.order_id or order.label is not None:
        return cancel(order.order_id, order.label or "")
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
