"""The file in which a venue that ends is saved, and from which the next one goes on."""

from __future__ import annotations

import os
from pathlib import Path

from mmbot.errors import ConfigError
from mmbot.sim.exchange.state import BadState, SavedVenue, decode, encode


def read_state(path: Path) -> SavedVenue | None:
    """What the file holds, None without one. Raises ConfigError."""
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path}: cannot be written there: choose another place")
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: choose another file") from error
    except BadState as error:
        raise ConfigError(
            f"{path}: is no saved venue ({error}): choose another file, or remove it"
        ) from error


def write_state(path: Path, saved: SavedVenue) -> None:
    """Whole or not at all: a venue killed meanwhile leaves the file as it was."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(encode(saved))
    unfinished.replace(path)
