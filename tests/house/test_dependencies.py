"""The house rules that can be read off the source: who imports whom, who reads the time, who draws.

Four zones: DECIDES is pure; ACTS and PRETENDS stand on it and know nothing of each other; ASKS sees
them all. What stands beside the zones is vocabulary (errors, clock, config, plugins) or puts the
whole together (assemble). Each venue's folder is closed to all but itself.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DECIDES = {"core", "pricing", "signals", "strategies", "hedging", "risk"}
ACTS = {"venues", "engine", "tape", "store", "ops"}
PRETENDS = {"sim"}
ASKS = {"research", "web", "cli"}
VOCABULARY = {"errors", "clock", "config", "plugins", "__init__"}
COMPOSES = {"assemble", "__main__"}
"""They put the whole together and see every room."""

MAY_IMPORT: dict[str, set[str]] = {
    "core": {"core", "pricing"},
    **{room: {room, "core", "pricing", "plugins"} for room in DECIDES - {"core"}},
    **dict.fromkeys(ACTS, DECIDES | ACTS | VOCABULARY),
    **dict.fromkeys(PRETENDS, DECIDES | PRETENDS | VOCABULARY - {"clock"}),
    **{name: {"core"} | VOCABULARY for name in VOCABULARY},
    **dict.fromkeys(ASKS, DECIDES | ACTS | PRETENDS | ASKS | VOCABULARY | {"assemble"}),
}
"""Room -> rooms it may import. What composes may import all."""

CROSSINGS = {("mmbot/venues/paper.py", "sim"), ("mmbot/sim/virtual/pump.py", "venues")}
"""Where a zone borrows from its neighbor: paper trading is filled by the exchange of sim, and in
virtual time the real sessions are driven, which do no I/O."""

PURE_MODULES = {
    "__future__", "abc", "annotated_types", "bisect", "collections", "dataclasses", "decimal",
    "enum", "fractions", "functools", "heapq", "itertools", "math", "msgspec", "numbers", "numpy",
    "operator", "re", "scipy", "statistics", "types", "typing",
}  # fmt: skip
"""What DECIDES may use besides itself: nothing here reads, writes, waits, draws or logs."""

IMPURE_BUILTINS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}

CLOCKS = {"mmbot/clock.py", "mmbot/sim/wire/world.py"}
"""The trading process's one reader of the time, and the simulator's."""

TIME_READERS = {"now", "utcnow", "today"}
CHANCE_MODULES = {"random", "secrets", "uuid"}


def offences(path: str, source: str) -> list[str]:
    """Every rule that a file (at `path` below the project's root) breaks, with its line."""
    tree = ast.parse(source)
    parts = path.removesuffix(".py").split("/")
    room = parts[1]
    found: list[str] = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        found += [f"{path}:{line} {what}" for what in _broken(node, path, room)]
    return found


def _broken(node: ast.AST, path: str, room: str) -> Iterator[str]:
    for module in _imported(node, path):
        if module.split(".")[0] == "mmbot":
            yield from _wrong_room(module, path, room)
        else:
            yield from _wrong_library(module, path, room)
    if isinstance(node, ast.ImportFrom) and node.module == "random" and room == "sim":
        for alias in node.names:
            if alias.name != "Random":
                yield f"draws from random.{alias.name}: only Random(seed)"
    call = node.func if isinstance(node, ast.Call) else None
    if isinstance(call, ast.Attribute) and call.attr in TIME_READERS and path not in CLOCKS:
        yield f"reads the time: .{call.attr}()"
    if room in DECIDES:
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield "is async"
        if isinstance(node, ast.Name) and node.id in IMPURE_BUILTINS:
            yield f"uses {node.id}"


def _imported(node: ast.AST, path: str) -> Iterator[str]:
    """The modules an import statement names, wherever it stands."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        package = path.split("/")[: -node.level] if node.level else []
        base = ".".join([*package, *([node.module] if node.module else [])])
        for alias in node.names:
            yield f"{base}.{alias.name}"


def _wrong_room(module: str, path: str, room: str) -> Iterator[str]:
    target = _room_of(module)
    kind = _venue_of(module)
    if kind is not None and not path.startswith(f"mmbot/venues/{kind}/"):
        yield f"imports {module}: a venue is reached through mmbot.venues.plugin alone"
    on_the_wire = path.startswith("mmbot/sim/wire/") and target == "venues"
    in_the_client = path.startswith("mmbot/venues/") and module.startswith("mmbot.sim.wire")
    if on_the_wire or in_the_client:
        yield f"imports {module}: client and simulated venue meet on the wire only"
    elif room in MAY_IMPORT and target not in MAY_IMPORT[room] and (path, target) not in CROSSINGS:
        yield f"imports {module}: {room} may import {', '.join(sorted(MAY_IMPORT[room]))}"


def _venue_of(module: str) -> str | None:
    """mmbot.venues.deribit.client -> deribit; None for what all venues share."""
    parts = module.split(".")
    if parts[:2] != ["mmbot", "venues"] or len(parts) == 2:
        return None
    return parts[2] if (ROOT / "mmbot" / "venues" / parts[2]).is_dir() else None


def _room_of(module: str) -> str:
    """mmbot.core.types -> core; names of the package itself (mmbot.__version__) -> __init__."""
    room = [*module.split("."), "__init__"][1]
    exists = (ROOT / "mmbot" / room).is_dir() or (ROOT / "mmbot" / f"{room}.py").is_file()
    return room if exists or room in MAY_IMPORT or room in ASKS else "__init__"


def _wrong_library(module: str, path: str, room: str) -> Iterator[str]:
    top = module.split(".")[0]
    if room in DECIDES and top not in PURE_MODULES:
        yield f"imports {module}: DECIDES is pure"
    if module.startswith("numpy.random") or (room == "sim" and top == "numpy"):
        yield f"imports {module}: chance comes from a seeded random.Random alone"
    if top in CHANCE_MODULES and room == "sim" and top != "random":
        yield f"imports {module}: chance comes from a seeded random.Random alone"
    if module == "random" and room == "sim":
        yield "imports random: take Random from it, and a seed"
    if top == "time" and path not in CLOCKS:
        yield f"imports {module}: only {' and '.join(sorted(CLOCKS))} read the time"


# --- the house --------------------------------------------------------------------------------


def sources() -> list[Path]:
    return sorted((ROOT / "mmbot").rglob("*.py"))


def test_the_house_is_read_whole() -> None:
    names = {str(path.relative_to(ROOT)) for path in sources()}
    assert {"mmbot/core/turn.py", "mmbot/clock.py", "mmbot/sim/wire/server.py"} <= names


def test_every_room_and_every_file_beside_them_stands_in_a_zone() -> None:
    rooms = {path.relative_to(ROOT / "mmbot").parts[0].removesuffix(".py") for path in sources()}
    assert rooms <= DECIDES | ACTS | PRETENDS | ASKS | VOCABULARY | COMPOSES


def test_no_file_breaks_a_rule_of_the_house() -> None:
    broken = [
        offence
        for path in sources()
        for offence in offences(str(path.relative_to(ROOT)), path.read_text())
    ]
    assert broken == []


# --- the rules can fail -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source", "offence"),
    [
        ("mmbot/core/x.py", "from mmbot.venues.base import Venue", "core may import"),
        ("mmbot/core/x.py", "import mmbot.clock", "core may import"),
        ("mmbot/core/x.py", "from mmbot import engine", "core may import"),
        ("mmbot/core/x.py", "from ..store import schema", "core may import"),
        ("mmbot/core/x.py", "from mmbot.plugins.registry import register", "core may import"),
        ("mmbot/core/x.py", "from mmbot.risk.room import fit", "core may import"),
        ("mmbot/strategies/x.py", "from mmbot.risk.room import fit", "strategies may import"),
        ("mmbot/risk/x.py", "from mmbot.config import Config", "risk may import"),
        ("mmbot/pricing/x.py", "def f():\n    from mmbot.sim.market import smile", "pricing may"),
        ("mmbot/venues/x.py", "from mmbot.sim.exchange import matching", "venues may import"),
        ("mmbot/venues/deribit/x.py", "import mmbot.sim.wire.deribit.shapes", "meet on the wire"),
        ("mmbot/venues/paper.py", "from mmbot.sim.wire import shapes", "meet on the wire"),
        ("mmbot/sim/wire/x.py", "from mmbot.venues import patience", "meet on the wire"),
        ("mmbot/engine/x.py", "from mmbot.venues.deribit.looks import Looks", "reached through"),
        ("mmbot/cli/x.py", "def f():\n    import mmbot.venues.deribit", "reached through"),
        ("mmbot/venues/x.py", "from mmbot.venues import deribit", "reached through"),
        ("mmbot/assemble.py", "from mmbot.venues.deribit.venue import X", "reached through"),
        ("mmbot/sim/x.py", "from mmbot.clock import Clock", "sim may import"),
        ("mmbot/engine/x.py", "from mmbot.cli.board import row", "engine may import"),
        ("mmbot/store/x.py", "import mmbot.assemble", "store may import"),
        ("mmbot/config/x.py", "from mmbot.strategies.improve_top import ImproveTop", "config may"),
        ("mmbot/core/x.py", "import asyncio", "DECIDES is pure"),
        ("mmbot/core/x.py", "import logging", "DECIDES is pure"),
        ("mmbot/core/x.py", "from random import Random", "DECIDES is pure"),
        ("mmbot/core/x.py", "from pathlib import Path", "DECIDES is pure"),
        ("mmbot/core/x.py", "from datetime import datetime", "DECIDES is pure"),
        ("mmbot/pricing/x.py", "from numpy.random import default_rng", "seeded random.Random"),
        ("mmbot/signals/x.py", "async def f(): ...", "is async"),
        ("mmbot/hedging/x.py", "def f(x):\n    print(x)", "uses print"),
        ("mmbot/strategies/x.py", "open('f')", "uses open"),
        ("mmbot/venues/x.py", "import time", "read the time"),
        ("mmbot/store/x.py", "from time import monotonic", "read the time"),
        ("mmbot/cli/x.py", "t = datetime.now()", "reads the time"),
        ("mmbot/store/x.py", "t = datetime.now(UTC)", "reads the time"),
        ("mmbot/assemble.py", "t = datetime.date.today()", "reads the time"),
        ("mmbot/sim/wire/x.py", "import time", "read the time"),
        ("mmbot/sim/x.py", "import random", "take Random from it"),
        ("mmbot/sim/x.py", "from random import choice", "only Random(seed)"),
        ("mmbot/sim/x.py", "import numpy as np", "seeded random.Random"),
        ("mmbot/sim/x.py", "import uuid", "seeded random.Random"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_found(path: str, source: str, offence: str) -> None:
    (found,) = offences(path, source)
    assert offence in found
    assert found.startswith(path + ":")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("mmbot/core/x.py", "from mmbot.core.types import Side\nfrom math import inf"),
        (
            "mmbot/risk/x.py",
            "from mmbot.plugins.registry import register\nfrom mmbot.risk.room import fit",
        ),
        ("mmbot/pricing/x.py", "import numpy as np\nfrom scipy.special import ndtr"),
        ("mmbot/venues/x.py", "from mmbot.core.events import Event\nimport asyncio"),
        ("mmbot/venues/paper.py", "from mmbot.sim.exchange.matching import Exchange"),
        ("mmbot/venues/deribit/x.py", "from mmbot.venues.deribit.client import Deribit"),
        ("mmbot/engine/x.py", "from mmbot.venues.plugin import plugin_of"),
        ("mmbot/sim/wire/x.py", "from mmbot.sim.exchange.matching import Exchange"),
        ("mmbot/clock.py", "import time"),
        ("mmbot/cli/x.py", "from mmbot import __version__\nfrom mmbot.store.queries import Reader"),
        ("mmbot/assemble.py", "from mmbot.sim.exchange.matching import Exchange"),
        ("mmbot/sim/x.py", "from random import Random\nimport math"),
    ],
)
def test_what_the_rules_allow_passes(path: str, source: str) -> None:
    assert offences(path, source) == []
