"""The documentation as tests read it: its pages, their code, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
README = PROJECT / "README.md"
PAGES = (
    README,
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "CHANGELOG.md",
    *sorted(DOCS.rglob("*.md")),
)

HOW_TOS = (
    DOCS / "adding-a-strategy.md",
    DOCS / "adding-a-rule.md",
    DOCS / "adding-a-pricer.md",
)
"""The pages whose code is one plug-in module, and whose tables are one desk file."""


def title(page: Path) -> str:
    """A page's name below the project's root."""
    return str(page.relative_to(PROJECT))


def blocks(page: Path, language: str) -> list[str]:
    """A page's fenced code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def how_to_module() -> str:
    """The plug-ins of the how-tos as one module."""
    return "\n".join(block for page in HOW_TOS for block in blocks(page, "python"))


def how_to_desk() -> str:
    """The tables of the how-tos as one desk file; what names the module is in it once."""
    lines = "\n".join(block for page in HOW_TOS for block in blocks(page, "toml")).splitlines()
    seen = [line for line in lines if line.startswith("plugins = ")]
    assert len(set(seen)) == 1, seen
    return "\n".join([seen[0], *(line for line in lines if line not in seen), ""])


def code(text: str) -> list[str]:
    """Everything set as code: indented and fenced blocks line by line, and `inline` spans."""
    rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [*block_lines(text), *re.findall(r"`([^`]+)`", rest)]


def block_lines(text: str) -> list[str]:
    """The lines of indented and fenced blocks. A line that ends in a backslash goes on in the next
    one."""
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks = [*fenced, *re.findall(r"(?:^ {4}.*\n)+", rest, re.MULTILINE)]
    return [line for block in blocks for line in re.sub(r"\\\n", " ", block).splitlines()]


@dataclass(frozen=True, slots=True)
class Line:
    """A command line: a page's program and the words behind it."""

    page: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{title(self.page)}: {' '.join(self.words)}"


def commands(text: str, program: str) -> list[list[str]]:
    """The command lines of a program, split into words, comments and pipes left out."""
    return list(_commands(code(text), program))


def lines(program: str, *, runnable: bool = False) -> list[Line]:
    """The command lines of a program on every page; `runnable` ones alone stand in blocks, whole.
    Each is named once."""
    read = block_lines if runnable else code
    found = [
        Line(page, tuple(words))
        for page in PAGES
        for words in _commands(read(page.read_text()), program)
    ]
    return list({line.words: line for line in found}.values())


def _commands(read: list[str], program: str) -> Iterator[list[str]]:
    for line in read:
        words = line.split("  #")[0].split()
        while words and (words[0] == "$" or re.fullmatch(r"[A-Z_]+=\S*", words[0])):
            words = words[1:]
        if words and Path(words[0]).name == program:
            whole = " ".join(words).partition(" | ")[0].partition(" > ")[0]
            yield shlex.split(whole)[1:]
