"""A desk file as raw tables, before anything is checked, each value with its place."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, cast

from mmbot.config.text_file import read_text, stray_letter
from mmbot.errors import ConfigError
from mmbot.plugins.settings import unknown

PLUGIN_TABLES = ("strategy", "selector", "pricer", "signal", "hedge", "risk", "guards", "sink")
"""They hold a table for each plug-in that is named."""

TABLES = ("desk", *PLUGIN_TABLES, "sim", "store", "tape")

FILE_MAX_BYTES = 32_768
"""No desk file is larger; something else that was named by mistake may be endless."""


@dataclass(slots=True)
class Written:
    """The raw tables before they are checked, and the place of each value.

    `tables["desk"]`, `["sim"]`, `["store"]` and `["tape"]` map keys to values; those of
    PLUGIN_TABLES map names to such tables.
    """

    tables: dict[str, dict[str, object]]
    origins: dict[str, str]

    def __post_init__(self) -> None:
        for name in TABLES:
            self.tables.setdefault(name, {})

    def table(self, path: str) -> dict[str, object]:
        """The table at a dotted path of one or two names."""
        head, _, name = path.partition(".")
        found = self.tables[head]
        return cast(dict[str, object], found[name]) if name else found

    def put(self, path: str, key: str, value: object, origin: str) -> None:
        """Write a value into a table, over what stands there."""
        self.table(path)[key] = value
        self.origins[f"{path}.{key}"] = origin

    def where(self, path: str) -> Callable[[str], str]:
        """Key of that table -> where it was given, or else where the table begins."""
        return lambda key: self.origins.get(
            f"{path}.{key}" if key else path, self.origins.get(path, "default")
        )


_SECRET = re.compile(
    r"secret|passw|passphrase|mnemonic|credential|(private|api|access|signing)_?key|^key$|token",
    re.IGNORECASE,
)


def read_desk(path: Path) -> Written:
    """The tables of a desk file. Raises ConfigError for what is no such file, names a table that
    does not exist, or holds a secret."""
    text = read_text(path, FILE_MAX_BYTES, "desk file", "a TOML desk file")
    document = toml_of(path, text)
    origins = {key: f"{path}:{line}" for key, line in _lines(text).items()}
    for key in origins:
        if _SECRET.search(key.rpartition(".")[2]):
            raise ConfigError(
                f"{origins[key]}: {key} looks like a secret; secrets are read from the environment "
                "or .env only: remove it from this file"
            )
    for name, value in document.items():
        if name not in (*TABLES, "plugins"):
            known = (*TABLES, "plugins")
            raise ConfigError(f"{origins[name]}: {unknown('table', name, known)}")
        if name != "plugins" and not isinstance(value, dict):
            raise ConfigError(f"{origins[name]}: expected a table [{name}]")
        for part, inner in value.items() if name in PLUGIN_TABLES else ():
            if not isinstance(inner, dict):
                raise ConfigError(
                    f"{origins[f'{name}.{part}']}: expected a table such as [{name}.NAME]"
                )
    return Written(document, origins)


def toml_of(path: Path, text: str) -> dict[str, Any]:
    """The tables of a TOML text, read from `path`. Raises ConfigError."""
    document: dict[str, Any] = {}
    reason = ""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        reason = "too many brackets inside each other"
    except (ValueError, InvalidOperation) as error:
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number too long"
    stray = stray_letter(text, valid=not reason)
    if stray is not None:
        raise ConfigError(f"{path}: {stray}")
    if reason:
        raise ConfigError(f"{path}: not valid TOML: {reason}")
    return document


def _lines(text: str) -> dict[str, int]:
    """Dotted key -> the line it starts on, for a valid TOML document.

    The parser itself is asked: a key stands on the line whose addition makes it appear. A value
    over several lines leaves the text unparsable until its end, so its key belongs to the first
    of them.
    """
    found: dict[str, int] = {}
    lines = text.split("\n")
    start = 1
    for row in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join((*lines[:row], "")))
        except tomllib.TOMLDecodeError:
            continue
        for key in _dotted(document):
            found.setdefault(key, start)
        start = row + 1
    return found


def _dotted(table: Mapping[str, object], prefix: str = "") -> list[str]:
    keys = []
    for name, value in table.items():
        keys.append(prefix + name)
        if isinstance(value, dict):
            keys += _dotted(value, f"{prefix}{name}.")
    return keys


def plugin_modules(written: Written) -> tuple[str, ...]:
    """The modules with plug-ins that the configuration names. Raises ConfigError."""
    modules = cast(object, written.tables.pop("plugins", []))
    if not isinstance(modules, list) or not all(isinstance(m, str) for m in modules):
        raise ConfigError(
            f'{written.origins["plugins"]}: plugins: expected a list such as ["my.module"]'
        )
    return tuple(modules)
