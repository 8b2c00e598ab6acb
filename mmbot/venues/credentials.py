"""A venue's key pair, from the environment or .env and from nowhere else."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from mmbot.config import Mode
from mmbot.config.text_file import read_text, said_of
from mmbot.errors import ConfigError

ENV_FILE_MAX_BYTES = 1_000_000
_COMMENT = re.compile(r"(^|\s)#.*")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A venue's key pair. The secret stays out of every repr, log line and traceback."""

    key: str
    secret: str = field(repr=False)


def credentials(mode: Mode, folder: Path, venue: str = "deribit") -> Credentials:
    """The key pair for a mode, from the environment or else from `folder`/.env.

    Every mode has a pair of its own, so that a real key is never sent elsewhere: for Deribit
    DERIBIT_API_KEY and DERIBIT_API_SECRET, DERIBIT_TESTNET_API_KEY and DERIBIT_TESTNET_API_SECRET,
    and for the simulator MMBOT_SIM_KEY and MMBOT_SIM_SECRET (both "sim" unless set).

    Raises ConfigError where a real pair is missing or incomplete.
    """
    names_wanted = variables(mode, venue)
    known = {**env_file(folder / ".env", names_wanted), **os.environ}
    key, secret = (known.get(name) or "" for name in names_wanted)
    if mode is Mode.SIM:
        return Credentials(key or "sim", secret or "sim")
    missing = [name for name, value in zip(names_wanted, (key, secret), strict=True) if not value]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ConfigError(
            f"--{mode.value} needs credentials: {' and '.join(missing)} {verb} not set; put them "
            f"into the environment or into {folder / '.env'}"
        )
    return Credentials(key, secret)


def variables(mode: Mode, venue: str = "deribit") -> tuple[str, str]:
    """The names of the variables that hold the key and the secret of a mode."""
    if mode is Mode.SIM:
        return "MMBOT_SIM_KEY", "MMBOT_SIM_SECRET"
    assert mode in (Mode.TESTNET, Mode.LIVE), mode
    prefix = f"{venue.upper()}_TESTNET_API" if mode is Mode.TESTNET else f"{venue.upper()}_API"
    return f"{prefix}_KEY", f"{prefix}_SECRET"


def env_file(path: Path, names: Sequence[str]) -> dict[str, str | None]:
    """The variables of a .env file, none where there is no such file.

    Raises ConfigError for a file that cannot be read, and for a line with one of `names` that holds
    what no key pair does: no-break spaces, curly quotes and the like.
    """
    from dotenv import dotenv_values

    try:
        if not (path.is_file() or path.is_fifo()):
            return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    text = read_text(path, ENV_FILE_MAX_BYTES, ".env file")
    for row, line in enumerate(text.split("\n"), 1):
        if any(name in _ascii(line) for name in names):
            _refuse_stray_letters(f"{path}: line {row}", _COMMENT.sub("", line))
    return dict(dotenv_values(stream=StringIO(text)))


def _refuse_stray_letters(where: str, line: str) -> None:
    for column, letter in enumerate(line, 1):
        if not letter.isascii():
            raise ConfigError(f"{where}: {said_of(letter, column)}")


def _ascii(line: str) -> str:
    return line.encode("ascii", "ignore").decode()
