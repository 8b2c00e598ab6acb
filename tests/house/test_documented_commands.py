"""Every command and flag the documentation names exists."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from mmbot.cli.app import app

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text()
DESKS = sorted((PROJECT / "configs").glob("*.toml"))

EVERYWHERE = {"--help", "--debug"}


def code(text: str) -> list[str]:
    """Everything set as code: indented and fenced blocks line by line, and `inline` spans.

    A line that ends in a backslash goes on in the next one.
    """
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks = [*fenced, *re.findall(r"(?:^ {4}.*\n)+", rest, re.MULTILINE)]
    lines = [line for block in blocks for line in re.sub(r"\\\n", " ", block).splitlines()]
    return [*lines, *re.findall(r"`([^`]+)`", rest)]


def commands(text: str, program: str) -> list[list[str]]:
    """The command lines of a program, split into words, comments and pipes left out."""
    found = []
    for line in code(text):
        words = line.split("  #")[0].split()
        while words and (words[0] == "$" or re.fullmatch(r"[A-Z_]+=\S*", words[0])):
            words = words[1:]
        if words and Path(words[0]).name == program:
            whole = " ".join(words).partition(" | ")[0].partition(" > ")[0]
            found.append(shlex.split(whole)[1:])
    return found


def option_names(command: Any) -> set[str]:
    return EVERYWHERE | {name for parameter in command.params for name in parameter.opts}


def complaint(words: list[str]) -> str | None:
    """What is wrong with a command line of mmbot, without running it; None when nothing is."""
    command: Any = typer.main.get_command(app)
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    for word in words:
        name = word.partition("=")[0]
        if word.startswith("--") and name not in option_names(command):
            return f"{command.name} has no flag {name}"
        if word.startswith("configs/") and not (PROJECT / word).exists():
            return f"there is no {word}"
    return None


def test_the_readme_has_commands_to_check() -> None:
    assert ["quote"] in [words[:1] for words in commands(README, "mmbot")]
    assert ["quote"] in commands(README, "make")


@pytest.mark.parametrize("words", commands(README, "mmbot"), ids=" ".join)
def test_a_command_of_the_readme_exists_with_its_flags(words: list[str]) -> None:
    assert complaint(words) is None


@pytest.mark.parametrize("words", commands(README, "make"), ids=" ".join)
def test_a_target_of_the_readme_exists(words: list[str]) -> None:
    targets = re.findall(r"^([a-z][\w-]*):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert [word for word in words if "=" not in word and word not in targets] == []


def test_a_flag_the_readme_names_by_itself_belongs_to_some_command() -> None:
    every = set(EVERYWHERE)
    groups: list[Any] = [typer.main.get_command(app)]
    while groups:
        command = groups.pop()
        every |= option_names(command)
        groups += getattr(command, "commands", {}).values()
    named = [span.split()[0] for span in code(README) if span.startswith("--")]
    assert [flag for flag in named if flag.partition("=")[0] not in every] == []


@pytest.mark.parametrize("path", DESKS, ids=lambda path: path.name)
def test_the_command_at_the_top_of_a_desk_file_exists(path: Path) -> None:
    line = path.read_text().splitlines()[0]
    (words,) = re.findall(r"  (mmbot .*)", line)
    assert complaint(words.split()[1:]) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("quote --symbol X", "quote has no flag --symbol"),
        ("quotes", "there is no command quotes"),
        ("fills import", "there is no command import"),
        ("quote --config configs/none.toml", "there is no configs/none.toml"),
        ("sim serve --exchange deribit --live", "serve has no flag --live"),
    ],
)
def test_what_does_not_exist_is_found_out(line: str, said: str) -> None:
    assert complaint(line.split()) == said
