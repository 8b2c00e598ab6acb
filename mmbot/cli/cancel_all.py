"""`mmbot cancel-all`: the kill switch for everything, from any terminal (mmbot/cancel_all.py).

The outcome goes to stdout, as lines or as one object; what went wrong to stderr.
"""

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.streams import read_or_not
from mmbot.errors import OrdersMayRemain, StoreError, VenueUnreachable

if TYPE_CHECKING:
    from mmbot.cancel_all import Outcome, Swept
    from mmbot.core.types import OpenOrder


def cancel_all(
    foreign: Annotated[
        bool, typer.Option("--foreign", help="Also orders on these accounts that are not ours.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Trip the kill switch everywhere and cancel every order of ours at every venue.

    Works whether the engines run, hang or are gone. Each account that was ever traded from here is
    emptied, and asked until nothing of ours is left. Engines stay stopped, also after a restart,
    until `mmbot resume --reason "..."`.

    Exit code 0: nothing of ours is open. 3: something is, and is listed, or the venue's list could
    not be read. 5: a venue could not be asked.
    """
    outcome = _carry_out(foreign)
    with read_or_not():  # the exit code matters more than who reads this
        if json:
            import orjson

            print(orjson.dumps(_as_json(outcome), default=str).decode())
        else:
            _print(outcome)
    _judge(outcome)


def _carry_out(foreign: bool) -> "Outcome":
    from mmbot.cancel_all import Outcome, note_proofs, sweep_all, tell_engines, trip_all
    from mmbot.engine.clock import Clock
    from mmbot.store.commands import whoami
    from mmbot.store.locations import existing

    # Whoever asked for this and then lost the line wants it carried out all the same.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
    # What goes wrong on the way is told once, with the account it concerns.
    logging.getLogger("mmbot").addHandler(logging.NullHandler())
    clock, outcome, places = Clock(), Outcome(), existing(os.environ)
    accounts = trip_all(places, whoami(), clock, outcome)
    if not accounts:
        return outcome

    import asyncio

    async def sweep() -> None:
        told = asyncio.ensure_future(asyncio.to_thread(tell_engines, places, clock))
        await sweep_all(accounts, clock, outcome, foreign=foreign)
        await told

    asyncio.run(sweep())
    note_proofs(places, outcome, clock)
    return outcome


def _judge(outcome: "Outcome") -> None:
    """Raises the error of the worst that is left."""
    from mmbot.store.latch import Kept

    left = [(swept, order) for swept in outcome.swept for order in swept.remaining or ()]
    if left:
        orders = ", ".join(f"{_text(order)} on {swept.seat}" for swept, order in left)
        raise OrdersMayRemain(
            f"{len(left)} {'order is' if len(left) == 1 else 'orders are'} still open: {orders}; "
            "run it again, and look at the venue"
        )
    unproved = [f"{s.seat}: {s.problem}" for s in outcome.swept if s.unread or s.unlisted]
    if unproved:
        raise OrdersMayRemain(
            f"orders may still be open: {'; '.join(unproved)}; run it again, and look at the venue"
        )
    blind = [f"{s.seat}: {s.problem}" for s in outcome.swept if s.verified_by is None]
    if blind or outcome.unread:
        raise VenueUnreachable(
            f"orders may still be open: {'; '.join([*blind, *outcome.unread])}; run it again, and "
            "look at the venue"
        )
    nowhere = [latched.store for latched in outcome.latched if latched.kept is Kept.NOWHERE]
    if nowhere:
        raise StoreError(
            f"the kill switch could not be written: neither {', '.join(dict.fromkeys(nowhere))} "
            "nor a file beside it takes it; engines will quote again when they are restarted"
        )


def _print(outcome: "Outcome") -> None:
    if not outcome.latched:
        print("No engine has ever run here: there is nothing to cancel.")
        return
    seats = [latched.seat for latched in outcome.latched if latched.seat is not None]
    count = "1 account" if len(seats) == 1 else f"{len(seats)} accounts"
    print(f'Kill switch: {count}. Nothing is quoted until `mmbot resume --reason "..."`.')
    for swept in outcome.swept:
        print(_line(swept))
        for order in swept.remaining or ():
            print(f"    {_text(order)}")
    if outcome.ended:
        ended = len(outcome.ended)
        which = "1 simulated venue has" if ended == 1 else f"{ended} simulated venues have"
        print(f"{which} ended before, and all orders there with it.", file=sys.stderr)


def _line(swept: "Swept") -> str:
    where = f"{swept.seat.mode.value.upper():<8} {swept.seat.venue} {swept.seat.account}"
    if swept.unlisted:
        return f"{where}: not verified: {swept.problem}"
    if swept.remaining is None:
        return f"{where}: not reached ({swept.problem})"
    kept = f", {swept.foreign} foreign kept" if swept.foreign else ""
    if swept.verified_by is None:
        proof = f"not verified: {swept.problem}"
    else:
        proof = f"verified over {swept.verified_by}"
    return (
        f"{where}: {swept.cancelled} cancelled, {len(swept.remaining)} remain{kept} "
        f"({proof}, {swept.ms / 1000:.1f} s)"
    )


def _text(order: "OpenOrder") -> str:
    words = [order.label or order.order_id]
    if order.side is not None and order.amount is not None:
        amount = order.amount - (order.filled or 0)
        words += [order.side.value, f"{amount.normalize():f}"]
    words.append((order.instrument or ":?").partition(":")[2])
    if order.price is not None:
        words += ["at", f"{order.price.normalize():f}"]
    return " ".join(words)


def _as_json(outcome: "Outcome") -> dict[str, Any]:
    """`remaining` is null where the venue could not be asked."""
    from mmbot.store.latch import Kept

    kept = [latched.kept for latched in outcome.latched]
    return {
        "latched": bool(kept) and Kept.NOWHERE not in kept,
        "venues": [
            {
                "venue": swept.seat.venue,
                "mode": swept.seat.mode.value,
                "account": swept.seat.account,
                "cancelled": swept.cancelled,
                "remaining": None if swept.remaining is None else len(swept.remaining),
                "orders": [
                    {
                        "label": order.label,
                        "order_id": order.order_id,
                        "instrument": (order.instrument or ":").partition(":")[2] or None,
                        "side": None if order.side is None else order.side.value,
                        "price": None if order.price is None else float(order.price),
                        "amount": None
                        if order.amount is None
                        else float(order.amount - (order.filled or 0)),
                    }
                    for order in swept.remaining or ()
                ],
                "foreign": swept.foreign,
                "verified_by": swept.verified_by,
                "ms": swept.ms,
                "problem": swept.problem or None,
            }
            for swept in outcome.swept
        ],
        "ended": [seat.account for seat in outcome.ended],
        "unread": outcome.unread,
    }
