"""A table of settings becomes a checked dataclass, or one line that says what is wrong with it.

A settings class is a frozen dataclass whose fields carry their own rules and manual:

    @dataclass(frozen=True, slots=True)
    class MaxPosition:
        limit: Annotated[Decimal, Gt(0), doc("largest position, in the venue's unit")] = Decimal(10)

Pydantic does the checking. What it finds is told in the words of the person who wrote the value:
the place (file and line, or flag), the key, what was expected there, and the nearest spelling.
"""

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from typing import Any, Literal, TypeVar

import annotated_types as at

from mmbot.core.sizes import Size
from mmbot.errors import ConfigError

T = TypeVar("T")

_MOST = 10**12
"""No price, amount, width or time is larger, whatever it is counted in."""

_SHOWN_MAX = 60
"""A value longer than this is cut where it is quoted in a message."""

Where = Callable[[str], str]
"""Key -> where its value was written, for instance "desk.toml:12" or "--max-position".
The key "" stands for the table as a whole."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings class, as the manual shows it."""

    name: str
    expected: str
    """What may stand there, in words: "a number greater than 0"."""
    default: object
    """The default, or `dataclasses.MISSING` where a value must be given."""
    doc: str
    choices: tuple[str, ...]
    """The allowed words, for an enumeration; else empty."""


def settings_class(cls: type[T]) -> type[T]:
    """Mark a frozen dataclass as checkable: unknown keys, NaN and infinity are refused."""
    parameters = getattr(cls, "__dataclass_params__", None)
    assert getattr(parameters, "frozen", False), f"{cls.__name__}: not a frozen dataclass"
    cls.__pydantic_config__ = {"extra": "forbid", "allow_inf_nan": False}  # type: ignore[attr-defined] # read by pydantic
    return cls


def manual(cls: type) -> tuple[Setting, ...]:
    """The settings of a class in the order they are declared."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(_setting(f.name, hints[f.name], _default(f)) for f in fields(cls))


def check(cls: type[T], table: Mapping[str, object], title: str, where: Where) -> T:
    """Build `cls` from a table. Raises ConfigError naming the first thing that is wrong.

    `title` names the table to the reader, for instance "[risk.max_position]".
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        built = TypeAdapter(cls).validate_python(_with_sizes(cls, table, title, where))
    except ValidationError as error:
        # A misspelled key often shows up twice: as unknown and as missing. The first tells more.
        errors = error.errors(include_url=False)
        first = next((e for e in errors if e["type"] == "unexpected_keyword_argument"), errors[0])
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "value_error":
            raise ConfigError(f"{where(key)}: {title} {first['ctx']['error']}") from None
        raise ConfigError(_complaint(cls, table, title, key, where)) from None
    for key in table:
        # Far beyond any amount there is, and beyond what can be divided exactly: a slip.
        kept: Any = getattr(built, key)
        number: Any = kept.amount if isinstance(kept, Size) else kept
        if isinstance(number, float | Decimal) and not -_MOST <= number <= _MOST:
            raise ConfigError(f"{_complaint(cls, table, title, key, where)}, at most {_MOST}")
    # Pydantic reads "3" as a number and 1 as true. In a file that decides about money, a value of
    # another kind is more often a slip than a wish.
    for key, value in table.items():
        kept = getattr(built, key)
        if isinstance(kept, bool | int | float | Decimal) and (
            isinstance(value, str) or isinstance(value, bool) != isinstance(kept, bool)
        ):
            raise ConfigError(_complaint(cls, table, title, key, where))
    return built


def _with_sizes(
    cls: type, table: Mapping[str, object], title: str, where: Where
) -> dict[str, object]:
    """The table with every size read as people write it. Raises ConfigError for what is none."""
    read = dict(table)
    hints = typing.get_type_hints(cls)
    for key in table:
        if Size not in (hints.get(key), *typing.get_args(hints.get(key))):
            continue
        try:
            read[key] = Size.parse(table[key])
        except ValueError:
            raise ConfigError(_complaint(cls, table, title, key, where)) from None
    return read


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name nobody knows: nearest spelling first, then what there is."""
    known = list(known)
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? There is" if near else "there is"
    return f"unknown {what} {name!r}; {hint}: {', '.join(known) or 'none'}"


def _complaint(cls: type, table: Mapping[str, object], title: str, key: str, where: Where) -> str:
    by_name = {setting.name: setting for setting in manual(cls)}
    if key not in by_name:
        return f"{where(key)}: {title} {unknown('setting', key, by_name)}"
    setting = by_name[key]
    if key not in table:
        return f"{where('')}: {title} needs {key} ({setting.expected})"
    value = table[key]
    near = get_close_matches(str(value), setting.choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{where(key)}: {title} {key} = {_shown(value)}: expected {setting.expected}{hint}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _default(field: Any) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _setting(name: str, hint: Any, default: object) -> Setting:
    metadata: tuple[object, ...] = getattr(hint, "__metadata__", ())
    kind = typing.get_args(hint)[0] if metadata else hint
    choices = _choices(kind)
    documentation = next((m.documentation for m in metadata if isinstance(m, at.DocInfo)), "")
    words = " and ".join(filter(None, map(_bound, metadata)))
    expected = f"one of {', '.join(choices)}" if choices else f"{_kind(kind)} {words}".rstrip()
    return Setting(name, expected, default, documentation, choices)


def _choices(kind: Any) -> tuple[str, ...]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(str(member.value) for member in kind)
    if typing.get_origin(kind) is Literal:
        return tuple(str(argument) for argument in typing.get_args(kind))
    return ()


_KINDS: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    str: "text",
    Size: "an amount greater than 0, such as 5, 1 ETH, 1000 USD or 2 lots",
    date: "a date",
    datetime: "a date and time",
}


def _kind(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(part) for part in typing.get_args(kind) if part is not type(None))
    if origin is tuple:
        return f"a list, each {_kind(typing.get_args(kind)[0])}"
    return _KINDS.get(kind, getattr(kind, "__name__", str(kind)))


def _bound(metadata: object) -> str:
    match metadata:
        case at.Gt(gt=bound):
            return f"greater than {bound}"
        case at.Ge(ge=bound):
            return f"at least {bound}"
        case at.Lt(lt=bound):
            return f"less than {bound}"
        case at.Le(le=bound):
            return f"at most {bound}"
        case at.MultipleOf(multiple_of=bound):
            return f"a multiple of {bound}"
        case at.MinLen(min_length=length):
            return f"with at least {length} entries"
    return ""
