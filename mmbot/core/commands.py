"""What people ask for while the bot runs, and why it leaves. They are events like all others."""

from dataclasses import dataclass, field
from decimal import Decimal

from mmbot.core.scope import Scope
from mmbot.core.types import Nanos
from mmbot.core.why import Why


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop quoting, keep running; live orders are cancelled."""

    why: Why


@dataclass(frozen=True, slots=True)
class Unpause:
    """Quote again after a pause."""


@dataclass(frozen=True, slots=True)
class WindDown:
    """Only quotes that reduce a position, or all of them again."""

    on: bool


@dataclass(frozen=True, slots=True)
class Switched:
    """Quotes in a scope are on or off from now on."""

    scope: Scope
    on: bool


@dataclass(frozen=True, slots=True)
class SizeScaled:
    """Every quote's size is multiplied by this from now on."""

    factor: Decimal


@dataclass(frozen=True, slots=True)
class VolShifted:
    """Options are valued at a volatility this many points higher, until a moment of desk time."""

    points: float
    until_ns: Nanos


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave: no new order, everything of ours cancelled and verified."""

    why: Why


@dataclass(frozen=True, slots=True)
class Trip:
    """The kill switch."""

    why: Why
    detail: str = field(default="")
