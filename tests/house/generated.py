"""What the documentation takes from the code: `make docs` writes it, a test holds it up to date.

docs/settings.md          every setting of a desk file, from the manuals of the plug-ins
docs/architecture.md      the order life, from its table, between two markers
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import MISSING
from pathlib import Path

from mmbot.config.effective import as_text
from mmbot.config.flags import FLAGS
from mmbot.config.model import (
    DeskSettings,
    LoneDeskSettings,
    MmpSettings,
    Mode,
    RunSettings,
    SimSettings,
    StoreSettings,
    TapeSettings,
    VenueSettings,
)
from mmbot.config.rules import DEFAULT_PRICER
from mmbot.core import order_life
from mmbot.plugins.registry import BUILT_IN, Family, load
from mmbot.plugins.settings import Setting, manual
from tests.house.pages import DOCS

SETTINGS = DOCS / "settings.md"
ARCHITECTURE = DOCS / "architecture.md"
BEGIN, END = "<!-- begin: the order table -->", "<!-- end: the order table -->"

TABLES: Sequence[tuple[str, type]] = (
    ("desk", LoneDeskSettings),
    ("run", RunSettings),
    ("venues.NAME", VenueSettings),
    ("venues.NAME.mmp", MmpSettings),
    ("desks.NAME", DeskSettings),
    ("sim", SimSettings),
    ("store", StoreSettings),
    ("tape", TapeSettings),
)
MORE_FLAGS = {
    "desk.mode": [f"--{mode.value}" for mode in Mode],
    "tape.on": ["--tape", "--no-tape"],
}
"""What chooses among few values has a flag a value."""

INTRODUCTION = """\
A desk file is TOML, `mmbot quote --config FILE` loads it, and flags win over it. Every key has a
default. `plugins = ["my_module"]` at the top names modules with plug-ins of your own. `off = true`
in the table of a risk rule switches that rule off. `mmbot config show FILE` prints what is in
effect and where each value came from.

A file has one `[desk]` with its `[strategy.NAME]`, or several `[desks.NAME]`, each with a
`[desks.NAME.strategy.NAME]` of its own. Several trade on the accounts of `[venues.NAME]`, and
`[run]` holds what they share. `[desks.NAME.risk.RULE]` is a rule of that desk; `[risk.RULE]` and
`[guards.NAME]` at the top judge every desk, after its own rules. A flag about one of several desks
needs `--desk NAME`. `configs/two-accounts.toml` is an example."""

FAMILIES = {
    Family.STRATEGY: "Strategies: a desk has one, `--strategy NAME` chooses it",
    Family.SELECTOR: "Selectors: what is traded; `[desk]` sets `named` where a file has none",
    Family.PRICER: f"Pricers: a desk has one, `{DEFAULT_PRICER}` unless its file names another",
    Family.SIGNAL: "Signals: a desk has those its file names; strategies read `view.signals`",
    Family.RULE: "Risk rules: every desk has all of them, unless the manual says otherwise",
    Family.GUARD: "Guards: all of them always watch, unless the manual says otherwise",
}


def settings_page() -> str:
    """docs/settings.md, whole."""
    parts = [
        "# Settings",
        "This page is written by `make docs` from the code; `mmbot strategies` prints the same.",
        INTRODUCTION,
        *(section for name, cls in TABLES for section in _section("##", name, cls)),
    ]
    for family, heading in FAMILIES.items():
        parts.append(f"## {heading}")
        for name in BUILT_IN[family]:
            parts += _section("###", f"{family.value}.{name}", load(family, name, "plugins"))
    return "\n\n".join(parts) + "\n"


def _section(level: str, path: str, cls: type) -> Iterator[str]:
    yield f"{level} `[{path}]`"
    yield inspect.getdoc(cls) or ""
    rows = [_row(path, setting) for setting in manual(cls)]
    if rows:
        head = ["| setting | default | expected | what it is | flag |", "|---|---|---|---|---|"]
        yield "\n".join([*head, *rows])


def _row(path: str, setting: Setting) -> str:
    default = "must be given" if setting.default is MISSING else as_text(setting.default)
    cells = (f"`{setting.name}`", default, setting.expected, setting.doc, _flags(path, setting))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _flags(path: str, setting: Setting) -> str:
    """The flags of `mmbot quote` that set it, each as code."""
    family = path.partition(".")[0]
    if family in ("run", "desks"):
        path = "desk"  # a flag is the same whether a desk is alone or not
    key = f"{family if family == Family.STRATEGY.value else path}.{setting.name}"
    found = [
        flag
        for flag, (_, sets, copy) in FLAGS.items()
        if key in (sets, f"{Family.STRATEGY.value}.{copy}")
    ]
    found += MORE_FLAGS.get(key, ())
    return " ".join(f"`{flag}`" for flag in found)


def order_table() -> str:
    """The order life: a row a trigger, a column a status, and where the one leads from the other.
    An empty cell is a bug, and raises."""
    statuses = list(order_life.Status)
    lines = [
        f"| | {' | '.join(_heading(status) for status in statuses)} |",
        "|---" * (len(statuses) + 1) + "|",
    ]
    for trigger in order_life.Trigger:
        to = [order_life.ORDER_LIFE.get((status, trigger)) for status in statuses]
        cells = [
            "" if following is None else "stays" if following is status else following.name
            for status, following in zip(statuses, to, strict=True)
        ]
        lines.append(f"| {trigger.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _heading(status: order_life.Status) -> str:
    return f"{status.name} *" if status in order_life.IN_FLIGHT else status.name


def architecture_page() -> str:
    """docs/architecture.md with the order table as the code has it."""
    text = ARCHITECTURE.read_text()
    between = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    assert between.search(text), f"{ARCHITECTURE.name} lacks the markers of the order table"
    return between.sub(lambda _: f"\n{order_table()}\n\n", text)


def pages() -> dict[Path, str]:
    """Every page that the code writes, in whole or in part, as it should be."""
    return {SETTINGS: settings_page(), ARCHITECTURE: architecture_page()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
