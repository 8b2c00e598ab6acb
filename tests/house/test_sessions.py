"""What a venue's session stands on does no I/O: no sockets, no ccxt, no clock, no log, no chance.

So the same session runs on sockets and in virtual time, and one seed has one history. Every file is
read that a session or a connection imports, and what those import, as far as the venues' room goes.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.house.test_shape import _module, files, imports

ROOT = Path(__file__).parents[2]

SESSIONS = ("session", "connection")
"""The files of a venue's folder that are driven."""

FORBIDDEN = frozenset(
    {"aiohttp", "asyncio", "ccxt", "httpx", "logging", "random", "secrets", "socket", "threading"}
    | {"time", "uuid"}
)
"""Dates may be written; that nobody reads the time of them is held in test_dependencies.py."""

ROOMS = frozenset({"venues", "core", "errors"})
"""The rooms of ours that a session may stand on. Core is pure by itself."""


def driven(sources: Mapping[str, str]) -> list[str]:
    """The sessions and connections there are: mmbot.venues.KIND.session."""
    return [
        module
        for module in sources
        if module.startswith("mmbot.venues.")
        and module.count(".") == 3
        and module.rpartition(".")[2] in SESSIONS
    ]


def faults(start: str, sources: Mapping[str, str]) -> list[str]:
    """What is forbidden of what a module stands on, with the file that imports it."""
    arrows, found = imports(sources), []
    reached, waiting = {start}, [start]
    while waiting:
        module = waiting.pop()
        found += [f"{module} imports {name}" for name in sorted(libraries(sources[module]))]
        for target in sorted(arrows[module] - reached):
            reached.add(target)
            room = [*target.split("."), ""][1]
            if room not in ROOMS:
                found.append(f"{module} imports {target}")
            elif room == "venues":
                waiting.append(target)
    return found


def libraries(source: str) -> set[str]:
    """The forbidden libraries a file imports, wherever it does."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named.add(node.module)
    return {name for name in named if name.split(".")[0] in FORBIDDEN}


def test_no_session_does_anything_but_decide() -> None:
    sources = {_module(path): text for path, text in files().items()}
    sessions = driven(sources)
    assert {"mmbot.venues.deribit.connection", "mmbot.venues.deribit.session"} <= set(sessions)
    assert [fault for session in sessions for fault in faults(session, sources)] == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("mmbot.venues.x.session", "import asyncio"),
        ("mmbot.venues.x.session", "def f():\n    from time import monotonic"),
        ("mmbot.venues.x.calls", "from ccxt.base.errors import BaseError"),
        ("mmbot.venues.x.calls", "import logging"),
        ("mmbot.venues.pace", "from random import Random"),
        ("mmbot.venues.pace", "from mmbot.clock import Clock"),
        ("mmbot.venues.x.calls", "from mmbot.ops.limit import about"),
    ],
)
def test_what_it_may_not_stand_on_is_found_however_far_down(where: str, line: str) -> None:
    sources = {
        "mmbot.venues.x.session": "from mmbot.venues.x.calls import Calls",
        "mmbot.venues.x.calls": "from mmbot.venues import pace\nfrom mmbot.core.types import MS",
        "mmbot.venues.pace": "from dataclasses import dataclass",
        "mmbot.venues.x.shell": "import asyncio",
        "mmbot.core.types": "",
        "mmbot.clock": "import time",
        "mmbot.ops.limit": "import logging",
    }
    assert driven(sources) == ["mmbot.venues.x.session"]
    assert faults("mmbot.venues.x.session", sources) == []
    sources[where] += f"\n{line}"
    (fault,) = faults("mmbot.venues.x.session", sources)
    assert fault.startswith(f"{where} imports ")
