"""`mmbot strategies`: the manuals of the plug-ins, from their own fields."""

import inspect
from collections.abc import Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mmbot.cli.pages import print_json, show
from mmbot.cli.wanted import Json
from mmbot.config import load_config
from mmbot.errors import ConfigError
from mmbot.plugins.registry import Family, load, names
from mmbot.plugins.settings import Setting, manual, unknown

_FAMILIES = tuple(family for family in Family if family is not Family.VENUE)
"""Venues are chosen by name and have no settings of their own."""


@dataclass(frozen=True, slots=True)
class Manual:
    """One plug-in."""

    family: Family
    name: str
    text: str
    settings: Sequence[Setting]


def strategies(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them, with its whole text.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A desk file that names plug-in modules.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what can be put into a desk file: strategies, risk rules, guards and their settings.

    A plug-in is switched on by its table, such as [risk.max_position], and set by the keys in it.
    """
    if config is not None:
        load_config({}, config)  # registers the plug-ins of its modules
    manuals = [_manual(family, known) for family in _FAMILIES for known in names(family)]
    if name is not None:
        chosen = [one for one in manuals if name in (one.name, f"{one.family.value}.{one.name}")]
        if not chosen:
            raise ConfigError(unknown("plug-in", name, [one.name for one in manuals]))
        manuals = chosen
    if json:
        print_json([_object(one) for one in manuals])
        return
    for one in manuals:
        text = one.text if name is not None else one.text.partition("\n\n")[0].replace("\n", " ")
        print(f"\n[{one.family.value}.{one.name}]\n{text}")
        show(
            "",
            ("setting", "default", "expected", "what it is"),
            [(s.name, _default(s), s.expected, s.doc) for s in one.settings],
        )


def _manual(family: Family, name: str) -> Manual:
    cls = load(family, name, "plugins")
    return Manual(family, name, inspect.getdoc(cls) or "", manual(cls))


def _default(setting: Setting) -> str:
    from mmbot.config.effective import as_text

    return "must be given" if setting.default is MISSING else as_text(setting.default)


def _object(one: Manual) -> dict[str, Any]:
    from mmbot.config.effective import as_json

    return {
        "family": one.family,
        "name": one.name,
        "manual": one.text,
        "settings": [
            {
                "name": s.name,
                "expected": s.expected,
                "default": None if s.default is MISSING else as_json(s.default),
                "required": s.default is MISSING,
                "choices": s.choices,
                "doc": s.doc,
            }
            for s in one.settings
        ],
    }
