"""Other people in a history: who trades with us, who has orders on our account, who operates us."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from random import Random
from typing import Final

from mmbot.core import events as ev
from mmbot.core.intents import Replace
from mmbot.core.types import instrument_name
from mmbot.core.why import Why
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order, TimeInForce
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.virtual.face import VirtualVenue
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.translate import SIDES

RAIDER: Final = "raider"
"""The account of who trades through the book up to our orders."""

IN_THE_WAY: Final = 0.3
"""Of the replaces at a venue that cancels first, those whose new order is refused."""

BY_HAND: Final = "by hand"
"""The label of other people's orders on our account."""


@dataclass(frozen=True, slots=True)
class Raid:
    """What a raider did: with which order, and in words."""

    order: Order
    told: str


def raid(
    exchange: Exchange, venues: Sequence[VirtualVenue], draw: Random, *, by_hand: bool
) -> Raid | None:
    """Take what is before an order of ours in the book, and some of it or all. `by_hand`:
    on the very account, a trade with oneself; else from another one."""
    venue = venues[0]  # they are one exchange with one clock
    ours = [order for one in venues for order in one.our_orders]
    if not ours or venue.down:
        return None
    order = ours[int(draw.random() * len(ours))]
    book, step = exchange.book(order.name), exchange.terms(order.name).amount_step
    if order.name not in exchange.listings:
        return None
    ahead = Decimal(0)
    for level in book.side(order.side).from_best():
        for resting in level.orders.values():
            if resting is order:
                break
            ahead += resting.open_amount
        if level.price == order.price:
            break
    part = order.open_amount * Decimal(1 + int(draw.random() * 4)) / 4
    taken = max(step, part - part % step)
    wish = NewOrder(
        name=order.name,
        side=order.side.opposite,
        amount=ahead + taken,
        price=order.price,
        time_in_force=TimeInForce.IOC,
        label=BY_HAND if by_hand else "",
    )
    who = order.label or order.order_id
    placed = exchange.place(order.account if by_hand else RAIDER, wish, venue.ms)
    if not isinstance(placed, Placed):
        return None
    return Raid(placed.order, f"somebody trades {taken} with {who}")


class InTheWay:
    """Somebody who quotes where a replace of ours would rest, just before it arrives, so that its
    new order is refused; where a venue has cancelled the old one by then."""

    def __init__(self, seed: int) -> None:
        self._draw = Random(f"in the way {seed}")
        self._there: Order | None = None

    def before(self, venue: VirtualVenue, request: OrderRequest) -> None:
        """A request is about to be carried out."""
        if not (isinstance(request, Replace) and venue.kind.cancels_first):
            return
        if self._draw.random() < IN_THE_WAY:
            wish = NewOrder(
                name=instrument_name(request.instrument),
                side=SIDES[request.side].opposite,
                amount=request.amount,
                price=request.price,
            )
            placed = venue.exchange.place(RAIDER, wish, venue.ms)
            self._there = placed.order if isinstance(placed, Placed) else None

    def after(self, venue: VirtualVenue) -> None:
        """It has been."""
        if self._there is not None:
            venue.exchange.cancel(RAIDER, self._there.order_id, venue.ms)
            self._there = None


def operator_command(draw: Random) -> ev.Event | None:
    """What an operator does this second: about once in 10 s something."""
    if draw.random() >= 0.1:
        return None
    what = draw.random()
    if what < 0.25:
        return ev.Pause(Why.PAUSED)
    if what < 0.5:
        return ev.WindDown(on=draw.random() < 0.5)
    if what < 0.6:
        return ev.SizeScaled(Decimal(1 + int(draw.random() * 3)))
    if what < 0.65:
        return ev.Trip(Why.USER, "by a person")
    return ev.Unpause()


class Departure(Enum):
    """How a run comes to its end by people, and not by a crash."""

    STOPPED = auto()
    """Ctrl+C, or `kill`."""
    KILL_SWITCH = auto()
    """`mmbot cancel-all` of one account: the others are under the same risk book."""
    TAKEN_OVER = auto()
    """Another engine has taken the lease of one account."""


def departure(draw: Random, an_hour: float) -> Departure | None:
    """Whether people end the run this second, and how."""
    if draw.random() >= an_hour / 3_600:
        return None
    how = draw.random()
    if how < 0.7:
        return Departure.STOPPED
    return Departure.TAKEN_OVER if how < 0.9 else Departure.KILL_SWITCH


def place_foreign(exchange: Exchange, venue: VirtualVenue, draw: Random) -> list[Order]:
    """Other people's orders on our account, far from the market, before we begin."""
    orders = []
    for name in venue.instruments:
        book = exchange.book(name)
        bid = book.best_bid
        if bid is None or draw.random() < 0.5:
            continue
        listing = book.listing
        far = listing.snap_down(bid.price * Decimal("0.9"))
        if book.min_price is not None and far < book.min_price:
            far = max(far, listing.tick)
        if far <= 0:
            continue
        wish = NewOrder(
            name=name, side=Side.BUY, amount=listing.min_amount, price=far, label=BY_HAND
        )
        placed = exchange.place(venue.account, wish, venue.ms)
        if isinstance(placed, Placed):
            orders.append(placed.order)
    return orders
