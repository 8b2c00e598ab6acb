"""A desk file as raw tables, before anything is checked, each value with its place."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, cast

from mmbot.config.model import LONE
from mmbot.config.text_file import read_text, stray_letter
from mmbot.errors import ConfigError
from mmbot.plugins.settings import unknown

TABLES = (
    "desk",
    "strategy",
    "selector",
    "pricer",
    "signal",
    "hedge",
    "risk",
    "guards",
    "sink",
    "sim",
    "store",
    "tape",
    "run",
    "venues",
    "desks",
)
PLUGINS_OF_A_DESK = ("strategy", "selector", "pricer", "signal", "hedge", "risk")

OF_NAMES = ("venues", "desks", *PLUGINS_OF_A_DESK, "guards", "sink")
"""Tables of tables, each with a name."""

FILE_MAX_BYTES = 32_768
"""No desk file is larger; something else that was named by mistake may be endless."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the tables of a desk stand: [desk] beside [strategy.*], [risk.*] of a lone one,
    [desks.NAME] with its own [desks.NAME.strategy.*] and [desks.NAME.risk.*] of several.
    """

    name: str
    path: str

    @property
    def lone(self) -> bool:
        """Whether the desk is a [desk]."""
        return self.path == LONE

    def key(self, path: str) -> str:
        """Where the table "desk" or "risk.max_order" of this desk stands."""
        if self.lone:
            return path
        return self.path if path == LONE else f"{self.path}.{path}"


@dataclass(slots=True)
class Written:
    """The raw tables before they are checked, and the place of each value.

    `tables["desk"]`, `["run"]`, `["sim"]`, `["store"]` and `["tape"]` map keys to values;
    those of OF_NAMES map names to such tables, and `tables["desks"]` to tables of keys with those
    of PLUGINS_OF_A_DESK of their own.
    """

    tables: dict[str, dict[str, object]]
    origins: dict[str, str]

    def __post_init__(self) -> None:
        for name in TABLES:
            self.tables.setdefault(name, {})

    def table(self, path: str) -> dict[str, object]:
        """The table at a dotted path; what follows the last name it can have is one name."""
        found: Any = self.tables
        for name in path.split(".", 3 if path.startswith("desks.") else 1):
            found = found[name]
        return cast(dict[str, object], found)

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
_NAME_OF_TABLE = re.compile(r"(venues|desks)\.[^.]+")


def read_desk(path: Path) -> Written:
    """The tables of a desk file. Raises ConfigError for what is no such file, names a table that
    does not exist, or holds a secret."""
    text = read_text(path, FILE_MAX_BYTES, "desk file", "a TOML desk file")
    document = toml_of(path, text)
    origins = {key: f"{path}:{line}" for key, line in _lines(text).items()}
    for key in origins:
        if _SECRET.search(key.rpartition(".")[2]) and not _NAME_OF_TABLE.fullmatch(key):
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
        for part, inner in value.items() if name in OF_NAMES else ():
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
