"""`--faults PLAN`: how strong (none, mild, harsh), single strengths (name=value,...), or a file.

A file is flat TOML with the same names. `manual(FaultPlan)` lists them.
"""

import os.path
from pathlib import Path

from mmbot.config import number, toml_of
from mmbot.config.text_file import read_text
from mmbot.errors import ConfigError
from mmbot.plugins.settings import Where, check, settings_class, unknown
from mmbot.sim.models.faults import FaultPlan, Harshness

FLAG = "--faults"
WAYS = "or name=value,name=value, or a TOML file of such"
FILE_MAX_BYTES = 64_000
SHOWN_MAX = 60

settings_class(FaultPlan)


def fault_plan(text: str, seed: int | None) -> FaultPlan:
    """The plan meant by `text`, its draws from `seed` (None: the plan's own, else 1).

    Raises ConfigError.
    """
    words = [strength.value for strength in Harshness]
    if text in words:
        return FaultPlan.drawn(1 if seed is None else seed, Harshness(text))
    table: dict[str, object]
    where: Where
    if "=" in text and not os.path.isfile(text):
        table, where = _pairs(text), _flag
    elif text.endswith(".toml") or os.path.exists(text):
        table, where = _file(Path(text))
    else:
        raise ConfigError(f"{FLAG}: {unknown('plan', text[:SHOWN_MAX], words)}; {WAYS}")
    table.setdefault("seed", 1)
    if seed is not None:
        table["seed"] = seed
    return check(FaultPlan, table, "fault", where)


def _flag(_: str) -> str:
    return FLAG


def _pairs(text: str) -> dict[str, object]:
    table: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            raise ConfigError(f"{FLAG}: {part!r}: expected name=value, such as lost_reply=0.05")
        if name in table:
            raise ConfigError(f"{FLAG}: {name} is given twice: leave one out")
        table[name] = number(value)
    return table


def _file(path: Path) -> tuple[dict[str, object], Where]:
    text = read_text(path, FILE_MAX_BYTES, "plan", "a TOML file of name = value")
    table = toml_of(path, text)
    return table, lambda key: _place(path, text, key)


def _place(path: Path, text: str, key: str) -> str:
    for row, line in enumerate(text.split("\n"), 1):
        if key and line.partition("=")[0].strip(" \t\"'[]") == key:
            return f"{path}:{row}"
    return str(path)
