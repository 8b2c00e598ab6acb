"""Commands that are imported when they are asked for: a table names their homes.

A list of commands (help, "did you mean", completion) needs their names and one line about each,
which the table has; only the command that is run, or whose own help is shown, is imported.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from mmbot.cli.help_screen import prepare
from mmbot.plugins.importing import importing


class Home(NamedTuple):
    """Where a command is."""

    module: str
    name: str
    """Of the function; of a Typer application where the command is a group."""
    about: str
    """What a list of commands says: the beginning of the command's own help."""


class LazyCommand(TyperCommand):
    """Stands in a list of commands for one that is not imported yet."""

    def __init__(self, name: str, home: Home) -> None:
        super().__init__(name, help=home.about)
        self._home = home

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """The real command's: from here on it is the one that parses, helps and runs."""
        return self.imported().make_context(*args, **kwargs)

    def imported(self) -> Any:
        """The real command."""
        assert self.name is not None
        with importing():
            found = getattr(import_module(self._home.module), self._home.name)
        around = typer.Typer()
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=self.name)
        else:
            around.command(self.name)(found)
        return get_group(around).commands[self.name]


class LazyGroup(TyperGroup):
    """A group of such commands: those of `homes`, in its order."""

    homes: ClassVar[Mapping[str, Home]]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, home in self.homes.items():
            self.add_command(LazyCommand(name, home))

    def format_help(self, *args: Any) -> None:
        """Typer's, with less to import."""
        with importing():
            prepare()
            super().format_help(*args)
