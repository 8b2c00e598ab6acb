"""Where the stores are: one database per mode under `$MMBOT_HOME`, or one named by a URL.

    sim.db  paper.db  testnet.db  live.db      in $MMBOT_HOME, by default ~/.mmbot
    MMBOT_DATABASE_URL, else [store] url       instead of them, for every mode
    sim.stop  paper.stop ...                   no store: while it is there, the mode does not trade
    tapes/sim  tapes/paper ...                 no store either: the journals of turns

known.py finds those that are elsewhere. Imports nothing heavy, so that a command may look for
stores before it opens one.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmbot.config import Mode
from mmbot.errors import ConfigError, StoreError

HOME_VARIABLE = "MMBOT_HOME"
URL_VARIABLE = "MMBOT_DATABASE_URL"

_SQLITE = "sqlite:///"
_PASSWORD = re.compile(r"(?<=:)[^:@/]*(?=@)")

LIVE_FIRST = (Mode.LIVE, Mode.TESTNET, Mode.PAPER, Mode.SIM)


@dataclass(frozen=True, slots=True)
class Location:
    """One database. `path` is its file, None where it lives on a server."""

    url: str
    path: Path | None
    latch_file: Path
    """Stands for a tripped kill switch that could not be written into the database."""
    busy_s: float = 2.0
    """How long another program may keep it locked before that is an error."""

    @property
    def name(self) -> str:
        """What people are shown: the file, or the URL without its password."""
        return str(self.path) if self.path else _PASSWORD.sub("***", self.url)

    @property
    def exists(self) -> bool:
        """Whether it may hold something; one on a server counts as existing. Raises StoreError."""
        try:
            return self.path is None or self.path.exists()
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be looked at: {error.strerror}; set {HOME_VARIABLE} to a "
                "folder of yours"
            ) from error


def locate(mode: Mode, environment: Mapping[str, str], url: str | None = None) -> Location:
    """Where a mode's store is, whether or not it exists. `url` is the configured one.

    Raises StoreError for a URL of a kind that is not supported, ConfigError for want of a home.
    """
    url = environment.get(URL_VARIABLE) or url
    if url is None:
        return _file(home_folder(environment) / f"{mode.value}.db")
    return at_url(url, environment)


def at_url(url: str, environment: Mapping[str, str]) -> Location:
    """The store of a URL. Raises StoreError for one of a kind that is not supported, ConfigError
    for want of a home."""
    if url.startswith(_SQLITE):
        return _file(_expanded(url.removeprefix(_SQLITE), "the database's URL"))
    if url.startswith(("postgresql:", "postgresql+psycopg:")):
        # The latch must hold where this process runs, whichever machine the database is on.
        return Location(url, None, home_folder(environment) / "database.latch")
    raise StoreError(
        f"{_PASSWORD.sub('***', url)} is no database we can use: give sqlite:///FILE or "
        "postgresql://USER@HOST/NAME"
    )


def stop_file(mode: Mode, environment: Mapping[str, str]) -> Path:
    """A file that trips the kill switch of a mode's engines when it appears. Raises ConfigError."""
    return home_folder(environment) / f"{mode.value}.stop"


def tape_folder(mode: Mode, environment: Mapping[str, str], configured: str | None = None) -> Path:
    """Where the tapes of a mode's engines are, whether or not there are any. Raises ConfigError."""
    if configured is not None:
        return _expanded(configured, "[tape] directory")
    return home_folder(environment) / "tapes" / mode.value


def home_folder(environment: Mapping[str, str]) -> Path:
    """`$MMBOT_HOME`, absolute. Raises ConfigError."""
    configured = environment.get(HOME_VARIABLE)
    if not configured and environment.get("HOME") == "":  # the root of everything is nobody's home
        raise _homeless("HOME is empty")
    return _expanded(configured or "~/.mmbot", HOME_VARIABLE)


def _expanded(written: str, what: str) -> Path:
    """A folder or file of which `~` may be the beginning, absolute. Raises ConfigError."""
    try:
        return Path(written).expanduser().absolute()
    except RuntimeError as error:  # neither HOME nor an entry of this user, or of the one named
        raise _homeless(
            f"{what}: {written} cannot be found, for there is no home folder"
        ) from error


def _homeless(why: str) -> ConfigError:
    return ConfigError(
        f"{why}: set {HOME_VARIABLE} to a folder where mmbot may keep its files, for instance "
        f"{HOME_VARIABLE}=/var/lib/mmbot"
    )


def _file(path: Path) -> Location:
    """Links are followed: by whichever name, it is one store with one latch file."""
    path = Path(os.path.realpath(path))
    return Location(_SQLITE + str(path), path, path.with_name(path.name + ".latch"))
