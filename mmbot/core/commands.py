"""What people ask for while the bot runs, and why it leaves. They are events like all others."""

from decimal import Decimal

from msgspec import Struct

from mmbot.core.scope import Scope
from mmbot.core.types import Nanos
from mmbot.core.why import Why


class Pause(Struct, frozen=True, gc=False):
    """Stop quoting, keep running; live orders are cancelled."""

    why: Why


class Unpause(Struct, frozen=True, gc=False):
    """Quote again after a pause."""


class WindDown(Struct, frozen=True, gc=False):
    """Only quotes that reduce a position, or all of them again."""

    on: bool


class Switched(Struct, frozen=True, gc=False):
    """Quotes in a scope are on or off from now on."""

    scope: Scope
    on: bool


class SizeScaled(Struct, frozen=True, gc=False):
    """Every quote's size is multiplied by this from now on."""

    factor: Decimal


class VolShifted(Struct, frozen=True, gc=False):
    """Options are valued at a volatility this many points higher, until a moment of desk time."""

    points: float
    until_ns: Nanos


class Stop(Struct, frozen=True, gc=False):
    """Leave: no new order, everything of ours cancelled and verified."""

    why: Why


class Trip(Struct, frozen=True, gc=False):
    """The kill switch."""

    why: Why
    detail: str = ""
