"""The shape of the source: no circle between files, and no file longer than a reader can hold.

What breaks a rule today stands in a table below. The tables may only shrink: an entry that is not
needed any more fails as well.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CORE_LINES = 400
LINES = 700

SLACK = 10
"""A file on the list may be so much shorter than its entry before the entry has to follow."""

LONGER: dict[str, int] = {}
"""File -> its lines, where it has more than a file should. Numbers go down, never up."""

CIRCLES: set[frozenset[str]] = set()
"""Files that import each other, all those of one circle together. A circle may lose files, and be
taken out when it is open; files may not join one."""


# --- circles ----------------------------------------------------------------------------------


def imports(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Module -> the modules of ours it imports anywhere: at the top, in a function, for types."""
    found: dict[str, set[str]] = {}
    for module, source in sources.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = _base(module, node)
                named |= {f"{base}.{alias.name}" for alias in node.names}
        found[module] = {home for name in named if (home := _home(name, sources))} - {module}
    return found


def _base(module: str, node: ast.ImportFrom) -> str:
    """The module that a `from` names; relative ones are counted from the file's folder."""
    above = module.split(".")[: -node.level] if node.level else []
    return ".".join([*above, *([node.module] if node.module else [])])


def _home(name: str, sources: Mapping[str, str]) -> str | None:
    """The file that holds a name: mmbot.core.types.Side -> mmbot.core.types."""
    while name and name not in sources:
        name = name.rpartition(".")[0]
    return name or None


def circles(arrows: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The largest groups of modules in which each reaches every other one."""
    reach = {module: _reached(module, arrows) for module in arrows}
    groups = {
        frozenset(other for other in reach[module] if module in reach[other]) for module in arrows
    }
    return {group for group in groups if len(group) > 1}


def _reached(module: str, arrows: Mapping[str, set[str]]) -> set[str]:
    reached, waiting = {module}, [module]
    while waiting:
        for target in arrows.get(waiting.pop(), set()) - reached:
            reached.add(target)
            waiting.append(target)
    return reached


def circle_faults(found: set[frozenset[str]], known: set[frozenset[str]]) -> list[str]:
    """What is wrong: circles that are new or have grown, and entries that are not needed."""
    faults = [
        f"import each other: {', '.join(sorted(one))}"
        for one in found
        if not any(one <= group for group in known)
    ]
    for group in known:
        left = set().union(*(one for one in found if one <= group))
        if group - left:
            out = ", ".join(sorted(group - left))
            faults.append(f"in no circle any more, take out of the table: {out}")
    return sorted(faults)


# --- lengths ----------------------------------------------------------------------------------


def length_faults(lengths: Mapping[str, int], listed: Mapping[str, int]) -> list[str]:
    """What is wrong: files that are too long, and entries that have to shrink or go."""
    faults: list[str] = []
    for path, lines in lengths.items():
        most = CORE_LINES if path.startswith("mmbot/core/") else LINES
        entry = listed.get(path)
        if lines > (entry if entry is not None else most):
            faults.append(f"{path} has {lines} lines, at most {entry or most}: split it")
        elif entry is not None and lines <= most:
            faults.append(f"{path} has {lines} lines: take it out of the table")
        elif entry is not None and lines < entry - SLACK:
            faults.append(f"{path} has {lines} lines: make its entry smaller than {entry}")
    faults += [f"{path} is not there: take it out" for path in listed if path not in lengths]
    return faults


# --- the house --------------------------------------------------------------------------------


def files() -> dict[str, str]:
    """Every file of the package below the project's root, with its text."""
    found = {
        str(path.relative_to(ROOT)): path.read_text()
        for path in sorted((ROOT / "mmbot").rglob("*.py"))
    }
    assert {"mmbot/core/turn.py", "mmbot/clock.py", "mmbot/cli/app.py"} <= found.keys()
    return found


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_no_files_import_each_other() -> None:
    sources = {_module(path): text for path, text in files().items()}
    assert circle_faults(circles(imports(sources)), CIRCLES) == []


def test_no_file_is_too_long() -> None:
    lengths = {path: text.count("\n") for path, text in files().items()}
    assert length_faults(lengths, LONGER) == []


# --- the rules can fail -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from mmbot.x.b import B", "from mmbot.x.a import A"),
        ("import mmbot.x.b", "import mmbot.x.a"),
        ("from mmbot.x import b", "from mmbot.x import a"),
        ("from . import b", "from .a import A"),
        ("def f():\n    from mmbot.x.b import B", "from mmbot.x.a import A"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mmbot.x.b import B",
            "from mmbot.x.a import A",
        ),
    ],
)
def test_two_files_that_import_each_other_are_found(first: str, second: str) -> None:
    tree = {"mmbot.x.a": first, "mmbot.x.b": second, "mmbot.x.c": "from mmbot.x.a import A"}
    found = circles(imports(tree))
    assert found == {frozenset({"mmbot.x.a", "mmbot.x.b"})}
    assert circle_faults(found, set()) == ["import each other: mmbot.x.a, mmbot.x.b"]
    assert circle_faults(found, found) == []


def test_a_long_way_round_is_a_circle_too() -> None:
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": set[str]()}
    assert circles(arrows) == {frozenset({"a", "b", "c"})}


def test_a_tree_has_no_circle() -> None:
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == set()


def test_a_known_circle_may_not_grow() -> None:
    known = {frozenset({"a", "b"})}
    assert circle_faults({frozenset({"a", "b", "c"})}, known) == [
        "import each other: a, b, c",
        "in no circle any more, take out of the table: a, b",
    ]


def test_a_known_circle_that_is_open_leaves_the_table() -> None:
    known = {frozenset({"a", "b", "c"})}
    assert circle_faults({frozenset({"a", "b"})}, known) == [
        "in no circle any more, take out of the table: c"
    ]
    assert circle_faults(set(), known) == ["in no circle any more, take out of the table: a, b, c"]


@pytest.mark.parametrize(
    ("path", "lines", "entry", "fault"),
    [
        ("mmbot/core/x.py", 401, None, "at most 400: split it"),
        ("mmbot/core/x.py", 400, None, None),
        ("mmbot/sim/x.py", 701, None, "at most 700: split it"),
        ("mmbot/sim/x.py", 700, None, None),
        ("mmbot/sim/x.py", 801, 800, "at most 800: split it"),
        ("mmbot/sim/x.py", 800, 800, None),
        ("mmbot/sim/x.py", 790, 800, None),
        ("mmbot/sim/x.py", 789, 800, "make its entry smaller than 800"),
        ("mmbot/sim/x.py", 695, 702, "take it out of the table"),
        ("mmbot/core/x.py", 500, 500, None),
    ],
)
def test_a_file_of_that_length(path: str, lines: int, entry: int | None, fault: str | None) -> None:
    found = length_faults({path: lines}, {} if entry is None else {path: entry})
    assert len(found) == (fault is not None)
    assert all(one.startswith(f"{path} has {lines} lines") and str(fault) in one for one in found)


def test_an_entry_without_a_file_goes() -> None:
    assert length_faults({}, {"mmbot/x.py": 800}) == ["mmbot/x.py is not there: take it out"]


# --- what explains the bot ----------------------------------------------------------------------

EXPLAINING = (
    "mmbot/core/events.py",
    "mmbot/core/intents.py",
    "mmbot/core/turn.py",
    "mmbot/core/diff.py",
    "mmbot/strategies/simple_spread.py",
)
EXPLAINING_LINES = 800


def test_five_files_explain_the_bot_and_readme_names_them() -> None:
    lines = {name: len((ROOT / name).read_text().splitlines()) for name in EXPLAINING}
    assert sum(lines.values()) < EXPLAINING_LINES, lines
    readme = (ROOT / "README.md").read_text()
    assert [name for name in EXPLAINING if name not in readme] == []
