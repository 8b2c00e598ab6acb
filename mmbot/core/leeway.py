"""What a desk's rules surely allow, so that most targets pass without each rule being asked.

Theory of operation
-------------------
1. Most rules are bounds that follow from prices and settings, and not from the target: they are the
   same for both sides of a market, and stay the same until its next ticker. A rule with a method
   `leeway` says them: a target within them it is sure to allow.
2. What all such rules of a desk surely allow is one leeway. A target within it goes before those
   rules alone that have none. A target beyond it goes before every rule, in order: what is blocked
   or shrunk, and why, is theirs to say.
3. A leeway is made from `Prices`, and is found anew as soon as one of them has changed.
"""

from collections.abc import Callable
from decimal import Decimal
from math import inf

from msgspec import Struct

from mmbot.core.contracts import Instrument
from mmbot.core.ports import RiskRule
from mmbot.core.types import BUY, Nanos, Target
from mmbot.core.views import View

_ANY = Decimal("Infinity")


class Prices(Struct, frozen=True, gc=False):
    """All that a leeway may follow from. Fields as in `View`; `others_coin` as in `DeskView`."""

    instrument: Instrument
    mark: float
    index: float
    fair: float
    min_price: float | None
    max_price: float | None
    others_coin: Decimal


class Leeway(Struct, frozen=True, gc=False):
    """Bounds within which a rule allows every target; what it does not name is not bounded.

    `bid_most` and `ask_least` bound the price of one side, `lowest` and `highest` that of both.
    `position` is the most that a worst-case position may come to on the target's side, the target
    included, `age_ns` the age of the book.
    """

    bid_most: Decimal = _ANY
    ask_least: Decimal = -_ANY
    lowest: Decimal = -_ANY
    highest: Decimal = _ANY
    size: Decimal = _ANY
    position: Decimal = _ANY
    age_ns: float = inf


UNBOUNDED = Leeway()


class Allowance(Struct, frozen=True):
    """What the rules of a desk surely allow on one market."""

    rules: tuple[RiskRule, ...]
    prices: tuple[object, ...]
    """What it was made from: the fields of `Prices`."""
    leeway: Leeway
    others: tuple[RiskRule, ...]
    """Rules without a leeway: they are always asked."""


def allowance(rules: tuple[RiskRule, ...], view: View, last: Allowance | None) -> Allowance:
    """What these rules surely allow now. `last`: what they did before, which mostly still holds."""
    prices = (
        view.instrument,
        view.mark,
        view.index,
        view.fair,
        view.min_price,
        view.max_price,
        view.desk.others_coin,
    )
    if last is not None and last.prices == prices and last.rules is rules:
        return last
    now, common = Prices(*prices), UNBOUNDED
    others: list[RiskRule] = []
    for rule in rules:
        tell: Callable[[Prices], Leeway | None] | None = getattr(rule, "leeway", None)
        leeway = None if tell is None else tell(now)
        if leeway is None:
            others.append(rule)
        else:
            common = _narrower(common, leeway)
    return Allowance(rules, prices, common, tuple(others))


def _narrower(one: Leeway, other: Leeway) -> Leeway:
    """What both allow."""
    return Leeway(
        min(one.bid_most, other.bid_most),
        max(one.ask_least, other.ask_least),
        max(one.lowest, other.lowest),
        min(one.highest, other.highest),
        min(one.size, other.size),
        min(one.position, other.position),
        min(one.age_ns, other.age_ns),
    )


def is_within(leeway: Leeway, target: Target, worst_position: Decimal, age_ns: Nanos) -> bool:
    """Whether a target is surely allowed. `worst_position` as in `Proposal`, `age_ns`: of the
    book."""
    price, size = target.price, target.size
    if target.side is BUY:
        fits = leeway.lowest <= price <= leeway.bid_most
        room = leeway.position - worst_position
    else:
        fits = leeway.ask_least <= price <= leeway.highest
        room = leeway.position + worst_position
    return fits and size <= leeway.size and size <= room and age_ns <= leeway.age_ns
