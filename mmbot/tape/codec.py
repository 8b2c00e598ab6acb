"""Events, intents and the state as bytes and back: MessagePack, exact to the last digit.

Theory of operation
-------------------
The types are the ones the core uses; nothing is described twice. An event or an intent is the pair
(name of its type, its fields by name), because a union of plain types tells its members
apart by nothing else. Decimals are texts, enums their values, floats their 8 bytes, so whatever
comes back equals what went in.

A state goes field by field, without what follows from the rest (the index of orders by instrument)
and without what only waits for the store: the store bridge takes that away between turns, and no
decision looks at it. Reading a state of an older version leaves fields it does not know at their
defaults.
"""

import hashlib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from mmbot.core import events as ev
from mmbot.core.intents import Intent
from mmbot.core.orders import Orders
from mmbot.core.state import State

EVENTS: Mapping[str, type] = {cls.__name__: cls for cls in get_args(ev.Event)}
INTENTS: Mapping[str, type] = {cls.__name__: cls for cls in get_args(Intent)}

UNKEPT: Mapping[type, frozenset[str]] = {
    State: frozenset(("entries", "notes")),
    Orders: frozenset(("by_instrument", "changed")),
}
"""Fields that are not kept, by type."""

T = TypeVar("T")
Named = Sequence[tuple[str, msgspec.Raw]]
"""Events or intents as they are read: type name and undecoded fields."""

_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
encode_into = _encoder.encode_into


@cache
def _decoder(cls: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(cls)


def decode(cls: type[T], raw: bytes | msgspec.Raw) -> T:
    """One value of a type. Raises msgspec.DecodeError (a ValueError)."""
    return cast(T, _decoder(cast(Any, cls)).decode(raw))


# --- events and intents -----------------------------------------------------------------------


def named(happened: Sequence[object]) -> list[tuple[str, object]]:
    """Events or intents, each with the name of its type, ready to be encoded."""
    return [(type(one).__name__, one) for one in happened]


def events_of(read: Named) -> list[ev.Event]:
    """The events of a turn. Raises ValueError for what this version does not know."""
    return [cast(ev.Event, _member(EVENTS, name, raw)) for name, raw in read]


def intents_of(raw: bytes | msgspec.Raw) -> list[Intent]:
    """The intents of a turn. Raises ValueError for what this version does not know."""
    read: list[tuple[str, msgspec.Raw]] = decode(list[tuple[str, msgspec.Raw]], raw)
    return [cast(Intent, _member(INTENTS, name, fields)) for name, fields in read]


def _member(union: Mapping[str, type], name: str, raw: msgspec.Raw) -> object:
    cls = union.get(name)
    if cls is None:
        raise ValueError(f"this version knows no {name}")
    return decode(cls, raw)


# --- the state --------------------------------------------------------------------------------


def encode_state(state: State) -> bytes:
    """The whole state; equal states give equal bytes."""
    kept = _kept(state)
    kept["orders"] = _kept(state.orders)
    return encode(kept)


def decode_state(raw: bytes | msgspec.Raw) -> State:
    """The state that was encoded. Raises ValueError."""
    read = decode(dict[str, msgspec.Raw], raw)
    orders = Orders(**_known(Orders, decode(dict[str, msgspec.Raw], read.pop("orders"))))
    for label, order in orders.by_label.items():
        orders.by_instrument.setdefault(order.instrument, {})[label] = order
    return State(**_known(State, read), orders=orders)


def _kept(whole: State | Orders) -> dict[str, object]:
    without = UNKEPT[type(whole)]
    return {f.name: getattr(whole, f.name) for f in fields(whole) if f.name not in without}


def _known(cls: type, read: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    hints = _hints(cls)
    return {name: decode(hints[name], raw) for name, raw in read.items() if name in hints}


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


# --- which types these are --------------------------------------------------------------------


@cache
def fingerprint() -> str:
    """Twelve digits that change with any field or enum member a tape is made of."""
    told: dict[str, str] = {}
    for cls in (*EVENTS.values(), *INTENTS.values(), State):
        _tell(cls, told)
    text = "\n".join(f"{name}: {told[name]}" for name in sorted(told))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _tell(hint: Any, told: dict[str, str]) -> str:
    """A type in words; what it is made of goes into `told`."""
    if get_origin(hint) is not None or isinstance(hint, types.UnionType):
        return f"{get_origin(hint)}[{', '.join(_tell(part, told) for part in get_args(hint))}]"
    if isinstance(hint, type) and hint.__name__ not in told:
        if issubclass(hint, Enum):
            told[hint.__name__] = ", ".join(f"{m.name}={m.value!r}" for m in hint)
        elif is_dataclass(hint) or issubclass(hint, msgspec.Struct):
            told[hint.__name__] = ""  # so that a type may lead back to itself
            told[hint.__name__] = ", ".join(_members(hint, told))
    return getattr(hint, "__name__", str(hint))


def _members(cls: type, told: dict[str, str]) -> Iterator[str]:
    hints = get_type_hints(cls)
    members = fields(cls) if is_dataclass(cls) else msgspec.structs.fields(cls)
    for member in members:
        if member.name not in UNKEPT.get(cls, ()):
            yield f"{member.name} {_tell(hints[member.name], told)}"
