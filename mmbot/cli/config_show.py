"""`mmbot config`: what a desk file and flags come to, without a venue and without a connection."""

import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.pages import WIDTH_MAX, print_json, show
from mmbot.cli.quote import given_flags, quote
from mmbot.cli.streams import in_red
from mmbot.config import KNOWN_FLAGS, Mode, load_config
from mmbot.config.model import LONE
from mmbot.errors import ConfigError

if TYPE_CHECKING:
    from mmbot.config import Config
    from mmbot.config.effective import Entry

app = typer.Typer(no_args_is_help=True, add_completion=False)

_INDENT = "  "

REDACTED = "set, not shown"

DeskFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="The desk file; the same as --config.")
]
_CONTEXT = inspect.Parameter(
    "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)
_FILE = inspect.Parameter(
    "file", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=DeskFile
)


@app.callback()
def config() -> None:
    """What a desk file and flags come to."""


def _with_the_flags_of_quote(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer sees it: with a desk file, and every flag of `mmbot quote` that sets
    something."""
    own = list(inspect.signature(command).parameters.values())[1:]
    quoting = inspect.signature(quote, eval_str=True).parameters
    taken = [
        _CONTEXT,
        *(
            parameter
            for name, parameter in quoting.items()
            if f"--{name.replace('_', '-')}" in {*KNOWN_FLAGS, "--config"}
        ),
    ]

    def called(context: typer.Context, **_: Any) -> None:
        extra = {parameter.name: context.params[parameter.name] for parameter in own}
        file, config_file = context.params["file"], context.params["config"]
        if file is not None and config_file is not None:
            raise ConfigError(f"--config: {file} is given already: give one desk file")
        command(load_config(given_flags(context.params), file or config_file), **extra)

    called.__doc__ = command.__doc__
    called.__signature__ = inspect.Signature([*taken, _FILE, *own])  # type: ignore[attr-defined] # read by Typer
    called.__annotations__ = {p.name: p.annotation for p in (*taken, _FILE, *own)}
    return called


@app.command("check")
@_with_the_flags_of_quote
def check(
    settings: "Config",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Check a desk file and flags: every key, value and range, and that the key pair is there.

    Whether the venue lists what is named is a question for `mmbot quote --dry-run`.
    """
    named = settings.path or "the flags"
    missing = [entry for entry in _credentials(settings) if entry[1] == "missing"]
    if missing:
        names = " and ".join(key for key, _, _ in missing)
        raise ConfigError(
            f"{named}: well written, but {names} "
            f"{'is' if len(missing) == 1 else 'are'} not set; put them into the environment or "
            f"into {Path.cwd() / '.env'}"
        )
    from mmbot.config.effective import off_lines

    if json:
        print_json(_checked(settings))
        return
    for desk in settings.desks:
        name = "" if desk.path == LONE else f"desk {desk.name}, "
        print(
            f"fine: {name}{settings.run.mode.value.upper()} on {desk.settings.venue}, strategy "
            f"{desk.strategy.name}, {len(desk.rules)} rules"
        )
        rules = ", ".join(rule.name for rule in desk.rules)
        for said in textwrap.wrap(rules, WIDTH_MAX - len(_INDENT)):
            print(f"{_INDENT}{said}")
    for line in off_lines(settings):
        for said in textwrap.wrap(line, WIDTH_MAX - len(_INDENT), break_on_hyphens=False):
            print(in_red(f"{_INDENT}{said}", sys.stdout))


def _checked(settings: "Config") -> dict[str, object]:
    """What `config check --json` prints: of a lone desk its venue, strategy and rules as well."""
    desks = {
        desk.name: {
            "venue": desk.settings.venue,
            "strategy": desk.strategy.name,
            "rules": [rule.name for rule in desk.rules],
        }
        for desk in settings.desks
    }
    lone = next(iter(desks.values())) if len(desks) == 1 else {}
    return {
        "fine": True,
        "file": str(settings.path) if settings.path else None,
        "mode": settings.run.mode.value,
        **lone,
        "off": [rule.name if len(desks) == 1 else rule.path for rule in settings.off],
        "guards": [guard.name for guard in settings.guards],
        "plugins": list(settings.plugins),
        "venues": {venue.name: {"kind": venue.kind} for venue in settings.venues},
        "desks": desks,
    }


@app.command("show")
@_with_the_flags_of_quote
def show_config(
    settings: "Config",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show every setting in effect and where it came from: a flag, a file and line, the
    environment, or the default. Secrets are named, never shown."""
    from mmbot.config.effective import as_json, effective

    entries = [one for one in effective(settings) if not one.key.startswith("store.")]
    others = [*_store(settings), *_credentials(settings)]
    if json:
        known = [(entry.key, as_json(entry.value), entry.origin) for entry in entries]
        rows = (*known, *others)
        print_json([{"key": key, "value": value, "from": origin} for key, value, origin in rows])
        return
    print(f"{settings.run.mode.value.upper()}: {settings.path or 'flags'}", file=sys.stderr)
    off = {entry.key for entry in entries if entry.weakens}
    lines = [*map(_row, entries), *others]
    show("", ("setting", "value", "from"), lines, alarming=lambda row: row[0] in off)


def _row(entry: "Entry") -> tuple[str, str, str]:
    return entry.key, entry.text, entry.origin


def _store(settings: "Config") -> list[tuple[str, str, str]]:
    """The database in effect, without its password."""
    from mmbot.store.locations import HOME_VARIABLE, URL_VARIABLE, locate

    if os.environ.get(URL_VARIABLE):
        origin = URL_VARIABLE
    elif settings.store.url is not None:
        origin = settings.origin("store.url")
    else:
        origin = HOME_VARIABLE if os.environ.get(HOME_VARIABLE) else "default"
    return [("store", locate(settings.run.mode, os.environ, settings.store.url).name, origin)]


def _credentials(settings: "Config") -> list[tuple[str, str, str]]:
    """The key pair of each venue in the mode: whether each half is there, and where."""
    from mmbot.venues.credentials import env_file
    from mmbot.venues.plugin import variables_of
    from mmbot.venues.site import sites_of

    default = "set by default" if settings.run.mode is Mode.SIM else "missing"
    path = Path.cwd() / ".env"
    pairs = map(variables_of, sites_of(settings))
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    in_file: Mapping[str, str | None] = env_file(path, names)
    rows = []
    for name in names:
        if os.environ.get(name):
            rows.append((name, REDACTED, "the environment"))
        elif in_file.get(name):
            rows.append((name, REDACTED, str(path)))
        else:
            rows.append((name, default, "default" if settings.run.mode is Mode.SIM else "-"))
    return rows
