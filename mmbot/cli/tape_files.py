"""Which tapes there are, and the one a person means."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmbot.config import Mode
from mmbot.errors import ConfigError

_LISTED_MAX = 20


def _folders(only: Mode | None) -> dict[Mode, Path]:
    from mmbot.store.locations import LIVE_FIRST, tape_folder

    return {mode: tape_folder(mode, os.environ) for mode in LIVE_FIRST if only in (None, mode)}


def found_tape(name: str) -> Path:
    """A tape by path, or by its name in one of the folders. Raises ConfigError."""
    path = Path(name)
    if path.is_file():
        return path
    for folder in _folders(None).values():
        if (folder / name).is_file():
            return folder / name
    if path.is_dir():
        raise ConfigError(f"{name}: a folder; name the tapes in it, for instance {name}/*.zst")
    raise ConfigError(f"{name}: no such tape; `mmbot tape show` lists those there are")


def list_tapes(only: Mode | None, json: bool) -> None:
    """Print the tapes of every mode, or of one."""
    from mmbot.cli.pages import print_json
    from mmbot.cli.pages import show as show_table
    from mmbot.tape.folder import tapes_in

    folders = _folders(only)
    found = [(mode, file) for mode, folder in folders.items() for file in tapes_in(folder)]
    if json:
        print_json([_entry(mode, file) for mode, file in found])
        return
    for mode, folder in folders.items():
        files = [file for of, file in found if of is mode]
        if files:
            rows = [_row(_entry(mode, file)) for file in files[-_LISTED_MAX:]]
            more = "" if len(files) <= _LISTED_MAX else f", the last {_LISTED_MAX} of {len(files)}"
            show_table(f"{folder}{more}", ("file", "run", ">from turn", ">kB"), rows)
    if not found:
        where = ", ".join(str(folder) for folder in folders.values())
        print(f"No tape yet: `mmbot quote` writes them (looked in {where}).", file=sys.stderr)


def _entry(mode: Mode, file: Path) -> dict[str, Any]:
    from mmbot.tape.codec import decode_state
    from mmbot.tape.reader import TapeFile

    entry: dict[str, Any] = {"file": str(file), "mode": mode.value, "bytes": file.stat().st_size}
    try:
        tape = TapeFile(file)
        entry |= {"run": tape.header.origin.run, "turn": decode_state(tape.state).turns + 1}
    except (ConfigError, ValueError) as error:
        entry |= {"run": None, "turn": None, "problem": str(error)}
    return entry


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    name, run, turn = Path(entry["file"]).name, entry["run"], entry["turn"]
    size = f"{entry['bytes'] / 1000:,.0f}"
    if run is None:
        return (name, "unreadable", "", size)
    return (name, run, f"{turn:,}", size)
