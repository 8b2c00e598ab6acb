"""A venue's session does no I/O: neither its file nor anything that file stands on, however far."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PURE = {
    "__future__", "abc", "annotated_types", "bisect", "collections", "contextlib", "dataclasses",
    "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "hmac",
    "itertools", "json", "math", "msgspec", "numbers", "numpy", "operator", "orjson", "re",
    "statistics", "types", "typing",
}  # fmt: skip
"""What a session may use besides the project: nothing here reads, waits, draws or logs."""


def sessions() -> list[Path]:
    return sorted((ROOT / "mmbot" / "venues").glob("*/session.py"))


def below(path: Path) -> set[Path]:
    """A file, and every file of the project it imports, directly or not."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [home for name in imported(one.read_text()) if (home := _home(name))]
    return found


def imported(source: str) -> list[str]:
    """Every name that an import statement names, with its module."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def _home(name: str) -> Path | None:
    """The file that a name lives in: mmbot.core.types.Side -> mmbot/core/types.py."""
    parts = name.split(".")
    while parts and parts[0] == "mmbot":
        path = ROOT.joinpath(*parts)
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate
        parts.pop()
    return None


def offences(path: str, source: str) -> list[str]:
    found = [
        f"{path} imports {name}"
        for name in imported(source)
        if name.split(".")[0] not in PURE | {"mmbot"} or name.startswith("mmbot.clock")
    ]
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return found + [
        f"{path}:{node.lineno} is async"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, waits) and not _only_says(node)
    ]


def _only_says(node: ast.AST) -> bool:
    """Whether it is the method of a protocol, which does nothing."""
    last = node.body[-1] if isinstance(node, ast.AsyncFunctionDef) else None
    return (
        isinstance(last, ast.Expr)
        and isinstance(last.value, ast.Constant)
        and last.value.value is Ellipsis
    )


def test_there_are_sessions() -> None:
    assert ROOT / "mmbot/venues/deribit/session.py" in sessions()


@pytest.mark.parametrize("session", sessions(), ids=lambda path: path.parent.name)
def test_a_session_stands_on_nothing_that_acts(session: Path) -> None:
    files = below(session)
    assert len(files) > 20, "followed"
    broken = [
        offence
        for path in sorted(files)
        for offence in offences(str(path.relative_to(ROOT)), path.read_text())
    ]
    assert broken == []


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio",
        "import ccxt.pro",
        "def f():\n    from aiohttp import ClientSession",
        "import logging",
        "from mmbot.clock import Clock",
        "import time",
        "from random import Random",
        "async def f():\n    return 1",
    ],
)
def test_what_acts_is_found(source: str) -> None:
    assert len(offences("x.py", source)) == 1
