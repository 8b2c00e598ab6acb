"""Reading what a venue says: element by element, and nothing is guessed.

One element that cannot be read is left out and noted (`Unread`); its neighbors count. Of an element
whose vital fields are right (those without a default), a field that is wrong is unknown (None) and
noted too. Unknown is None, zero is a number, and a number is finite.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from math import isfinite
from typing import Any, Final, TypeVar, get_args

import msgspec

from mmbot.core.types import InstrumentId

T = TypeVar("T")
StructT = TypeVar("StructT", bound=msgspec.Struct)

_MAGNITUDE: Final = 40
"""No money, price or amount has more digits before the point, or zeros after it."""


class Unreadable(ValueError):
    """This element is not understood: why, in words."""


@dataclass(slots=True)
class Unread:
    """What could not be read since this was last taken, by kind of message."""

    counts: dict[str, int] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    """About the last one of each kind."""

    def note(self, kind: str, why: object) -> None:
        """One more."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.details[kind] = str(why)[:200]

    def take(self) -> list[tuple[str, int, str]]:
        """(kind, how many, about the last one); forgotten with that."""
        taken = [(kind, count, self.details[kind]) for kind, count in self.counts.items()]
        self.counts.clear()
        self.details.clear()
        return taken


def read(kind: type[StructT], data: object, unread: Unread, what: str) -> StructT:
    """One message. Raises Unreadable where a vital field is missing or wrong."""
    try:
        message = msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        if not isinstance(data, Mapping):
            raise Unreadable(f"{what} is no object") from error
    else:
        if _sound(message) or not isinstance(data, Mapping):
            return message
    return _salvaged(kind, data, unread, what)


def _salvaged(kind: type[StructT], data: Mapping[str, Any], unread: Unread, what: str) -> StructT:
    values: dict[str, Any] = {}
    for one in msgspec.structs.fields(kind):
        if one.encode_name not in data:
            continue
        stated = data[one.encode_name]
        try:
            values[one.name] = _value(one.type, stated, unread, what)
        except (msgspec.ValidationError, Unreadable) as error:
            told = f"{one.encode_name} is {stated!r:.60}"
            if one.required:
                raise Unreadable(f"{what}: {told}") from error
            unread.note(f"{what} field", told)
    try:
        return kind(**values)
    except TypeError as error:
        raise Unreadable(f"{what}: {error}") from error


def _value(kind: Any, stated: object, unread: Unread, what: str) -> object:
    """One field; a message within a message is read with as much care."""
    inner = next((one for one in (kind, *get_args(kind)) if _is_message(one)), None)
    if inner is not None and isinstance(stated, Mapping):
        return read(inner, stated, unread, what)
    value = msgspec.convert(stated, kind)
    if isinstance(value, Decimal) and not _is_sane(value):
        raise Unreadable("no number of this world")
    return value


def _sound(message: msgspec.Struct) -> bool:
    """Whether every decimal in it is finite, and of a size that numbers have."""
    for name in _numbers(type(message)):
        value = getattr(message, name)
        if isinstance(value, Decimal) and not _is_sane(value):
            return False
        if isinstance(value, msgspec.Struct) and not _sound(value):
            return False
    return True


def _is_sane(value: Decimal) -> bool:
    return value.is_finite() and abs(value.adjusted()) <= _MAGNITUDE


@cache
def _numbers(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields that are decimals, or messages with some."""
    return tuple(
        one.name
        for one in msgspec.structs.fields(kind)
        if any(_has_decimals(part) for part in (one.type, *get_args(one.type)))
    )


def _has_decimals(kind: Any) -> bool:
    return kind is Decimal or (_is_message(kind) and bool(_numbers(kind)))


def _is_message(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def each(
    rows: object, read_one: Callable[[object], T], unread: Unread, what: str
) -> tuple[list[T], int]:
    """Every row that can be read, and how many cannot. Raises Unreadable where it is no list."""
    if not isinstance(rows, list):
        raise Unreadable(f"{what}: no list")
    found: list[T] = []
    left_out = 0
    for row in rows:
        try:
            found.append(read_one(row))
        except Unreadable as error:
            unread.note(what, error)
            left_out += 1
    return found, left_out


def exact(value: float) -> Decimal:
    """The venue's number, digit for digit: floats by their shortest text. Raises Unreadable."""
    if not isfinite(value):
        raise Unreadable(f"{value} is not a finite number")
    return Decimal(repr(value))


def exact_or_none(value: float | None) -> Decimal | None:
    """The same, of what may be unknown."""
    return None if value is None or not isfinite(value) else Decimal(repr(value))


def finite_or_none(value: float | None) -> float | None:
    """A model's number; None where it is none."""
    return value if value is not None and isfinite(value) else None


def instrument_id(venue: str, name: str) -> InstrumentId:
    """An instrument by the venue's name for it. `venue`, here and below, is our name for the
    venue, of which there may be several."""
    return InstrumentId(f"{venue}:{name}")


def fields_of(result: object, what: str) -> Mapping[str, Any]:
    """A result that is an object. Raises Unreadable."""
    if not isinstance(result, Mapping):
        raise Unreadable(f"{what}: no object")
    return result
