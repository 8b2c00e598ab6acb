"""What a venue may never say, given what its plug-in says it can do: held in every situation."""

from collections.abc import Collection, Iterable

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.labels import is_ours
from mmbot.core.statements import Fill


def contradictions(
    capabilities: Capabilities, events: Iterable[ev.Event], doubled: Collection[str] = ()
) -> list[str]:
    """Where the events of one venue go against its capabilities, in words. `doubled`: labels that
    were sent twice, so that they may be those of two orders.

    * Where orders keep their id when they move, a label never has two: no replacement is half done.
    * Where fills are final, none is voided, and one execution is always told alike.
    * Where labels are echoed, what a request of ours is answered about names one.
    """
    found: list[str] = []
    ids: dict[str, str] = {}
    fills: dict[str, Fill] = {}
    for event in events:
        if isinstance(event, ev.OrderSeen):
            found += _of_order(capabilities, event, {} if event.label in doubled else ids)
        elif capabilities.fills_final:
            if "void" in type(event).__name__.lower():
                found.append(f"voided, though fills are final: {event}")
            for fill in _told(event):
                known = fills.setdefault(fill.key, fill)
                if (known.price, known.amount, known.fee) != (fill.price, fill.amount, fill.fee):
                    found.append(f"one execution, told twice and not alike: {known}, {fill}")
    return found


def _of_order(capabilities: Capabilities, seen: ev.OrderSeen, ids: dict[str, str]) -> list[str]:
    found = []
    if capabilities.label_echoed and seen.answers is not None and seen.label is None:
        found.append(f"no label, though labels are echoed: {seen}")
    if seen.label is None or not is_ours(seen.label) or not seen.order_id:
        return found
    known = ids.setdefault(seen.label, seen.order_id)
    if capabilities.move is Move.SAME_ID and known != seen.order_id:
        found.append(f"another id, though orders keep theirs: {known} before {seen}")
    return found


def _told(event: ev.Event) -> tuple[Fill, ...]:
    if isinstance(event, ev.Filled):
        return (event.fill,)
    return event.fills if isinstance(event, ev.SnapshotTaken) else ()
