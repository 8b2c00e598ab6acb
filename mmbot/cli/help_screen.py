"""What Typer draws its help with, without the parts that no help of ours uses.

`typer.rich_utils` imports rich's Markdown and its tracebacks (with a parser and a highlighter of
code), which takes longer than everything else a list of commands needs. While it is imported two
classes stand in for them, which import the real ones should anybody call them after all.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class Markdown:
    """Stands in for rich's class of that name."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """One of rich's."""
        return import_module("rich.markdown").Markdown(*args, **kwargs)


class Traceback:
    """Stands in for rich's class of that name."""

    @staticmethod
    def from_exception(*args: Any, **kwargs: Any) -> Any:
        """One of rich's."""
        return import_module("rich.traceback").Traceback.from_exception(*args, **kwargs)


STAND_INS = {"rich.markdown": Markdown, "rich.traceback": Traceback}


def prepare() -> None:
    """Import `typer.rich_utils`, unless that was done before."""
    if "typer.rich_utils" in sys.modules:
        return
    shells = {}
    for name, stand_in in STAND_INS.items():
        if name not in sys.modules:
            shells[name] = sys.modules[name] = ModuleType(name)
            setattr(shells[name], stand_in.__name__, stand_in)
    try:
        import_module("typer.rich_utils")
    except Exception:  # noqa: BLE001  # another version of Typer: it is imported as it likes
        sys.modules.pop("typer.rich_utils", None)
    finally:
        for name in shells:
            sys.modules.pop(name, None)
