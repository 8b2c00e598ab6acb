"""The core never asks for an instrument's kind but where kinds are said to mean something.

A test of the kind elsewhere is a property of the contract without a name: the next kind would have
to be taught to every one of them.
"""

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "mmbot" / "core"
HOMES = {"contracts.py", "types.py", "terms.py"}
"""Where kinds are told apart, where they are listed, and where those of old rows are read."""


def kind_tests(source: str) -> list[int]:
    """The lines on which a file names the kinds or looks at an instrument's kind."""
    lines: list[int] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "mmbot.core.types":
            lines += [node.lineno for name in node.names if name.name == "Kind"]
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            if owner == "Kind" or (node.attr == "kind" and owner in ("instrument", "terms")):
                lines.append(node.lineno)
    return lines


def test_the_core_never_asks_for_a_kind() -> None:
    files = sorted(CORE.glob("*.py"))
    assert {file.name for file in files} > HOMES
    found = [
        f"{file.name}:{line}"
        for file in files
        if file.name not in HOMES
        for line in kind_tests(file.read_text())
    ]
    assert found == [], "name what it means, in contracts.py"


@pytest.mark.parametrize(
    "source",
    [
        "from mmbot.core.types import ZERO, Kind",
        "def f(i):\n    return i.kind is Kind.OPTION",
        "def f(i):\n    return i is types.Kind.OPTION",
        "def f(market):\n    return market.instrument.kind.value",
        "def f(held):\n    return held.terms.kind == 'option'",
    ],
)
def test_a_test_of_the_kind_is_found(source: str) -> None:
    assert kind_tests(source)


@pytest.mark.parametrize(
    "source",
    [
        "from mmbot.core.statements import FlowKind",
        "def f(flow):\n    return flow.kind is FlowKind.A",
    ],
)
def test_the_kinds_of_other_things_are_their_own(source: str) -> None:
    assert not kind_tests(source)
