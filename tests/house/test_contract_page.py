"""The page for whoever adds a venue names the situations there are, and what a bench must have."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.contract.bench import Bench
from tests.house.pages import DOCS

CONTRACT = Path(__file__).parents[1] / "contract"
SITUATIONS = 36


def rows(heading: str) -> list[str]:
    """The second column of the table that begins with these words."""
    page = (DOCS / "adding-a-venue.md").read_text().partition("## The contract")[2]
    table = page.partition(heading)[2].partition("\n\n")[0]
    return [line.split("|")[2] for line in table.splitlines()[2:]]


def situations() -> Iterator[str]:
    """Every test that is run on a bench."""
    for file in sorted(CONTRACT.glob("test_*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
                assert "start" in {argument.arg for argument in node.args.args}, node.name
                yield node.name.removeprefix("test_")


def test_the_page_names_every_situation_and_there_are_36() -> None:
    named = [one.strip() for row in rows("| what | situations |") for one in row.split(";")]
    as_tests = [re.sub(r"[^a-z0-9]+", "_", one.lower().replace("'", "")) for one in named]
    assert sorted(as_tests) == sorted(situations())
    assert len(as_tests) == SITUATIONS


def test_the_page_names_all_that_a_bench_must_have() -> None:
    named = {one for row in rows("| what | by |") for one in re.findall(r"`(\w+)`", row)}
    given = {"name", "url", "kind", "now_ms", "__aenter__", "__aexit__"}
    told = {one for one in Bench.__annotations__ if not one.startswith("_")}
    wanted = (Bench.__abstractmethods__ | told) - given
    assert named - {"to_move", "void"} == wanted
