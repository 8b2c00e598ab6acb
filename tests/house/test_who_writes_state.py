"""State is data: which files may assign State, Account, Market, Order and what they hold.

Read off the source: an assignment to an attribute that one of these classes has is a write, unless
it is of an object's own `self` or of a `decision` that is being made. What a method of such a class
does to itself is its own business.
"""

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from mmbot.core.books import Market
from mmbot.core.controls import Controls
from mmbot.core.guard_memory import GuardMemory
from mmbot.core.latch import Latch
from mmbot.core.orders import Order
from mmbot.core.state import Account, State

ROOT = Path(__file__).parents[2]

WRITERS = {
    f"mmbot/core/{name}.py"
    for name in (
        "apply",
        "booking",
        "chain_upkeep",
        "claims",
        "exit",
        "expiry",
        "gates",
        "guards",
        "order_updates",
        "orders",
        "promise",
        "reconcile",
        "record",
        "recovery",
        "retire",
        "two_orders",
        "watched",
    )
}
"""Events applied (apply and what it calls), what options are worth, orders' own tables, guards'
memory, requests promised and taken off the limits, decisions recorded, earlier runs taken over,
instruments retired, markets watched."""

READ_ONLY = {name.name for cls in (State, Account, Market, Order) for name in fields(cls)}
HELD = {name.name for cls in (GuardMemory, Latch, Controls) for name in fields(cls)}


def writes(source: str) -> Iterator[tuple[int, str]]:
    """(line, attribute) of every write to State or what it holds."""
    for node in ast.walk(ast.parse(source)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Delete):
            targets = node.targets
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            for part in parts:
                inner = part.value if isinstance(part, ast.Subscript) else part
                if isinstance(inner, ast.Attribute) and _is_state(inner):
                    yield inner.lineno, inner.attr


def _is_state(written: ast.Attribute) -> bool:
    if isinstance(written.value, ast.Name) and written.value.id in ("self", "decision"):
        return False
    return written.attr in READ_ONLY | HELD


def test_nothing_but_the_writers_writes_state() -> None:
    core = sorted((ROOT / "mmbot" / "core").glob("*.py"))
    found = {
        f"{path.relative_to(ROOT)}:{line} .{attribute}"
        for path in core
        if str(path.relative_to(ROOT)) not in WRITERS
        for line, attribute in writes(path.read_text())
    }
    assert found == set()


def test_every_writer_writes() -> None:
    idle = {name for name in WRITERS if not any(writes((ROOT / name).read_text()))}
    assert idle == set(), "take them off the list"


@pytest.mark.parametrize("room", ["engine", "ops", "research", "cli", "tape", "store", "venues"])
def test_no_room_that_acts_or_asks_writes_state(room: str) -> None:
    """By the names that only State, Account, Market and Order have, and by whose they are."""
    names = {"state", "account", "market", "order", "latch", "watch", "controls", "budget"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "mmbot" / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Name | ast.Attribute)
        and (target.value.id if isinstance(target.value, ast.Name) else target.value.attr) in names
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "market.why = {}",
        "state.dirty[i] = None",
        "account.resync_ns, account.asked_ns = 0, 1",
        "state.turns += 1",
        "del state.slots[key]",
        "state.accounts[venue].reconciled = True",
        "order.status = Status.DONE",
        "state.watch.due = True",
    ],
)
def test_a_write_is_found(line: str) -> None:
    assert list(writes(line))


def test_what_is_no_write_is_not() -> None:
    assert list(writes("decision = market.why\nself.why = 1\nactions += [a]\nx.other = 2")) == []
