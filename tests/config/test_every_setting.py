"""Every key a desk file can have, written wrong in every way: one line with its place and range."""

import typing
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import annotated_types as at
import pytest

from mmbot.config import (
    DeskSettings,
    LoneDeskSettings,
    RunSettings,
    SimSettings,
    StoreSettings,
    TapeSettings,
    VenueSettings,
    load_config,
)
from mmbot.core.sizes import Size
from mmbot.errors import ConfigError
from mmbot.plugins.registry import BUILT_IN, Family, load
from mmbot.plugins.settings import Setting, manual

TABLES: list[tuple[str, type]] = [
    ("desk", LoneDeskSettings),
    ("run", RunSettings),
    ("venues.deribit", VenueSettings),
    ("desks.perp", DeskSettings),
    ("sim", SimSettings),
    ("store", StoreSettings),
    ("tape", TapeSettings),
    *(
        (f"{family.value}.{name}", load(family, name, "test"))
        for family in (Family.STRATEGY, Family.PRICER, Family.SIGNAL, Family.RULE, Family.GUARD)
        for name in BUILT_IN[family]
    ),
    *(
        (f"desks.perp.{family.value}.{name}", load(family, name, "test"))
        for family in (Family.STRATEGY, Family.PRICER, Family.RULE)
        for name in BUILT_IN[family]
    ),
]

OF_A_DESK = ("desk", "desks.perp")
"""The tables that say what is quoted."""


def desk_table(table: str) -> str:
    """Of those the one that a file has besides a table."""
    return "desks.perp" if table.startswith("desks.") else "desk"


OF_ANOTHER_KIND: dict[str, tuple[str, ...]] = {
    # how `expected` begins: what does not belong there, as TOML
    "a whole number": ("'3'", "true", "1.5", "[1]", "nan", "{ a = 1 }", "2025-06-06"),
    "an amount": (
        "'x'",
        "'-1 ETH'",
        "0",
        "-1",
        "true",
        "[1]",
        "nan",
        "inf",
        "{ a = 1 }",
        "1e13",
        "'1e13 ETH'",
        "2025-06-06",
    ),
    "a number": ("'3'", "true", "[1]", "nan", "inf", "-inf", "{ a = 1 }", "1e13", "2025-06-06"),
    "true or false": ("1", "0", "'yes'", "[true]", "1.0"),
    "text": ("1", "true", "['a']", "2025-06-06"),
    "one of": ("'nonsense'", "1", "true", "['sim']"),
    "a date and time": ("'noon'", "5", "true", "2025-06-02T12:00:00", "1999-01-01T00:00:00Z"),
    "a date": ("'6 June'", "5", "true", "[2025-06-06]"),
    "a list, each text": ("'BTC-PERPETUAL'", "5", "[1]", "[]", "true"),
    "a list, each a number": ("'x'", "true", "['2800;2900']", "[]", "[-1]", "[true]", "[nan]"),
}


def wrong_kinds(setting: Setting) -> tuple[str, ...]:
    return next(bad for begin, bad in OF_ANOTHER_KIND.items() if setting.expected.startswith(begin))


def beyond(cls: type, name: str) -> Iterator[tuple[str, str]]:
    """Values just outside the bounds of a setting, and the bound as the message has it."""
    hint = typing.get_type_hints(cls, include_extras=True)[name]
    for bound in getattr(hint, "__metadata__", ()):
        match bound:
            case at.Gt(gt=least):
                yield str(least), f"greater than {least}"
            case at.Ge(ge=least):
                yield str(Decimal(str(least)) - Decimal(1)), f"at least {least}"
            case at.Lt(lt=most):
                yield str(most), f"less than {most}"
            case at.Le(le=most):
                yield str(Decimal(str(most)) + Decimal(1)), f"at most {most}"


def cases() -> Iterator[tuple[str, str, str, str]]:
    """(table, key, bad value as TOML, what the message must say)."""
    for table, cls in TABLES:
        for setting in manual(cls):
            for bad in wrong_kinds(setting):
                yield table, setting.name, bad, setting.name.rstrip("s")
            for bad, range_ in beyond(cls, setting.name):
                yield table, setting.name, bad, range_


def refusal(path: Path, table: str, key: str, value: str) -> str:
    """What a file says in which everything is right but one value, on line 1 to 4."""
    desk = {"expiry": "2025-06-06", "strikes": "[2800]"}
    here = table in OF_A_DESK
    lines = [] if here else [f"[{desk_table(table)}]", *(f"{k} = {v}" for k, v in desk.items())]
    rest = {k: v for k, v in desk.items() if k != key} if here else {}
    lines += [f"[{table}]", f"{key} = {value}", *(f"{k} = {v}" for k, v in rest.items())]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigError) as error:
        load_config({}, path)
    message = str(error.value)
    assert "\n" not in message
    line = 2 if here else 5
    assert message.startswith(f"{path}:{line}: "), message
    return message


@pytest.mark.parametrize(("table", "key", "value", "said"), list(cases()))
def test_a_value_that_does_not_fit_is_told_with_file_line_key_and_range(
    table: str, key: str, value: str, said: str, tmp_path: Path
) -> None:
    assert said in refusal(tmp_path / "desk.toml", table, key, value)


@pytest.mark.parametrize(
    ("table", "name"), [(table, s.name) for table, cls in TABLES for s in manual(cls)]
)
def test_a_misspelled_key_gets_the_nearest_spelling(table: str, name: str, tmp_path: Path) -> None:
    for misspelled in (f"{name}x", name[:-1] + "_" + name[-1], name.upper()):
        message = refusal(tmp_path / "desk.toml", table, misspelled, "1")
        assert f"unknown setting '{misspelled}'" in message
        assert f"did you mean '{name}'?" in message or misspelled == name.upper()


@pytest.mark.parametrize(("table", "cls"), TABLES)
def test_a_default_written_out_is_accepted(table: str, cls: type, tmp_path: Path) -> None:
    """The guard of the tests above: a file with nothing wrong in it is not refused."""
    path = tmp_path / "desk.toml"
    lines = [f"[{desk_table(table)}]", "expiry = 2025-06-06", "strikes = [2800]"]
    if table not in OF_A_DESK:
        lines.append(f"[{table}]")
    for setting in manual(cls):
        if isinstance(setting.default, bool):
            lines.append(f"{setting.name} = {str(setting.default).lower()}")
        elif isinstance(setting.default, int | float | Decimal):
            lines.append(f"{setting.name} = {setting.default}")
        elif isinstance(setting.default, Size):
            lines.append(f"{setting.name} = '{setting.default}'")
    path.write_text("\n".join(lines) + "\n")
    load_config({}, path)
