"""Plug-ins by name, and settings that explain what is wrong with them."""

import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Ge, Gt, Le, doc

from mmbot.errors import ConfigError
from mmbot.plugins.registry import BUILT_IN, Family, build, load, load_plugins, names, register
from mmbot.plugins.settings import manual


class Unit(Enum):
    USD = "usd"
    TICKS = "ticks"


@register(Family.RULE, "sample")
@dataclass(frozen=True, slots=True)
class Sample:
    """A rule made for these tests."""

    limit: Annotated[Decimal, Gt(0), doc("largest position")] = Decimal(10)
    share: Annotated[float, Ge(0), Le(1)] = 0.5
    levels: Annotated[int, Ge(1)] = 1
    unit: Unit = Unit.USD
    bid_only: bool = False

    def __post_init__(self) -> None:
        if self.bid_only and self.levels > 3:
            raise ValueError("bid_only allows at most 3 levels")


@register(Family.RULE, "needy")
@dataclass(frozen=True, slots=True)
class Needy:
    """A rule with a setting that has no default."""

    limit: Annotated[Decimal, Gt(0)]


def where(key: str) -> str:
    return "desk.toml:7"


def complaint(name: str = "sample", /, **table: object) -> str:
    with pytest.raises(ConfigError) as error:
        build(Family.RULE, name, table, where)
    return str(error.value)


def test_a_table_becomes_the_typed_plug_in() -> None:
    table = {"limit": Decimal("2.5"), "share": Decimal("0.25"), "unit": "ticks"}
    assert build(Family.RULE, "sample", table, where) == Sample(Decimal("2.5"), 0.25, 1, Unit.TICKS)


def test_settings_not_named_keep_their_defaults() -> None:
    assert build(Family.RULE, "sample", {}, where) == Sample()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"limit": Decimal(-3)}, "limit = -3: expected a number greater than 0"),
        ({"share": 2}, "share = 2: expected a number at least 0 and at most 1"),
        ({"levels": Decimal("1.5")}, "levels = 1.5: expected a whole number at least 1"),
        ({"limit": "3"}, "limit = '3': expected a number greater than 0"),
        ({"levels": True}, "levels = true: expected a whole number at least 1"),
        ({"share": True}, "share = true: expected a number at least 0 and at most 1"),
        ({"bid_only": 1}, "bid_only = 1: expected true or false"),
        ({"bid_only": "yes"}, "bid_only = 'yes': expected true or false"),
        ({"share": Decimal("nan")}, "share = NaN: expected a number at least 0 and at most 1"),
        ({"limit": Decimal("inf")}, "limit = Infinity: expected a number greater than 0"),
        ({"unit": "tick"}, "unit = 'tick': expected one of usd, ticks; did you mean 'ticks'?"),
        ({"limt": 3}, "unknown setting 'limt'; did you mean 'limit'? There is: limit, share,"),
        ({"bid_only": True, "levels": 4}, "bid_only allows at most 3 levels"),
    ],
)
def test_a_bad_value_is_told_with_place_key_and_range(table: dict[str, object], said: str) -> None:
    message = complaint("sample", **table)
    assert message.startswith("desk.toml:7: [risk.sample] ")
    assert said in message
    assert "\n" not in message


def test_a_missing_setting_is_asked_for() -> None:
    assert complaint("needy") == "desk.toml:7: [risk.needy] needs limit (a number greater than 0)"


def test_an_unknown_name_gets_the_nearest_spelling_and_the_list() -> None:
    message = complaint("max_postion")
    assert "unknown risk 'max_postion'; did you mean 'max_position'?" in message
    assert "max_exposure" in message


def test_the_manual_has_range_default_and_description() -> None:
    limit = manual(Sample)[0]
    assert (limit.name, limit.expected) == ("limit", "a number greater than 0")
    assert (limit.default, limit.doc) == (Decimal(10), "largest position")


def test_two_plug_ins_cannot_share_a_name() -> None:
    with pytest.raises(ConfigError, match=r"has the name of one in tests\.plugins\.test_registry"):

        @register(Family.RULE, "sample")
        @dataclass(frozen=True, slots=True)
        class Other:
            """Another rule."""


def test_a_plug_in_must_be_frozen() -> None:
    with pytest.raises(AssertionError, match="not a frozen dataclass"):

        @register(Family.RULE, "mutable")
        @dataclass
        class Mutable:
            """Not a plug-in."""


def test_a_module_outside_mmbot_adds_a_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside_desk.py").write_text(
        "from dataclasses import dataclass\n"
        "from mmbot.plugins.registry import BUILT_IN, Family, register\n"
        "@register(Family.STRATEGY, 'outside')\n"
        "@dataclass(frozen=True, slots=True)\n"
        "class Outside:\n"
        "    width: float = 1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins(["outside_desk"], "desk.toml:2")
    assert "outside" in names(Family.STRATEGY)
    assert load(Family.STRATEGY, "outside", "desk.toml:3").__name__ == "Outside"


def test_a_plug_in_module_that_is_not_there_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"desk\.toml:2: plug-in module 'not_there' cannot"):
        load_plugins(["not_there"], "desk.toml:2")


def a_module(folder: Path, name: str, body: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(
        body
        or "from dataclasses import dataclass\n"
        "from mmbot.plugins.registry import Family, register\n"
        f"@register(Family.STRATEGY, '{name}')\n"
        "@dataclass(frozen=True, slots=True)\n"
        f"class {name.title().replace('_', '')}:\n"
        "    width: float = 1.0\n"
    )
    return path


def test_a_module_is_found_in_the_first_folder_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    a_module(tmp_path / "here", "beside_the_desk")
    a_module(tmp_path / "there", "in_the_folder")
    folders = [tmp_path / "here", tmp_path / "there"]
    load_plugins(["beside_the_desk", "in_the_folder"], "desk.toml:1", folders)
    assert {"beside_the_desk", "in_the_folder"} <= set(names(Family.STRATEGY))
    assert sys.path[-2:] == [str(folder) for folder in folders]  # behind all that is installed


def test_a_module_that_is_nowhere_is_told_with_the_places_looked_at(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_plugins(["not_there"], "desk.toml:2", [tmp_path])
    assert str(error.value) == (
        f"desk.toml:2: plug-in module 'not_there' cannot be found: it is not in {tmp_path}, nor "
        "where Python looks (PYTHONPATH)"
    )


def test_a_file_with_the_name_of_an_installed_module_takes_no_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = a_module(tmp_path, "decimal")
    with pytest.raises(ConfigError, match="Python has another module decimal") as error:
        load_plugins(["decimal"], "desk.toml:2", [tmp_path])
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("x = (\n", "SyntaxError: '(' was never closed"),
        ("import numpyy\n", "ModuleNotFoundError: No module named 'numpyy'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        (
            "from dataclasses import dataclass\n"
            "from mmbot.plugins.registry import Family, register\n"
            "@register(Family.RULE, 'max_position')\n"
            "@dataclass(frozen=True)\n"
            "class Mine: ...\n",
            "risk 'max_position' of {name} has the name of one in mmbot.risk.max_position",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_says_why_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"broken_{abs(hash(said))}"
    a_module(tmp_path, name, body)
    with pytest.raises(ConfigError) as error:
        load_plugins([name], "desk.toml:2", [tmp_path])
    assert str(error.value).startswith("desk.toml:2: ")
    assert said.format(name=name) in str(error.value)
    assert "\n" not in str(error.value)


def test_naming_plug_ins_imports_none_of_them() -> None:
    code = (
        "import sys; from mmbot.plugins.registry import BUILT_IN, Family, names;"
        "names(Family.STRATEGY);"
        "heavy = {'numpy', 'scipy', 'ccxt', 'pydantic', 'mmbot.strategies'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        (family, name)
        for family in (Family.STRATEGY, Family.SELECTOR, Family.PRICER, Family.SIGNAL, Family.RULE)
        for name in BUILT_IN[family]
    ],
)
def test_every_setting_of_a_built_in_plug_in_is_documented(family: Family, name: str) -> None:
    plug_in = load(family, name, "test")
    assert plug_in.__doc__
    assert [setting.name for setting in manual(plug_in) if not setting.doc] == []


@pytest.mark.parametrize(
    ("family", "name"),
    [
        (family, name)
        for family in (Family.STRATEGY, Family.SELECTOR, Family.PRICER, Family.SIGNAL, Family.RULE)
        for name in BUILT_IN[family]
    ],
)
def test_a_misspelled_setting_of_a_built_in_plug_in_is_recognized(
    family: Family, name: str
) -> None:
    for setting in manual(load(family, name, "test")):
        with pytest.raises(ConfigError, match=f"did you mean '{setting.name}'"):
            build(family, name, {setting.name + "x": 1}, where)
