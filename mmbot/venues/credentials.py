"""What opens an account at a venue, from the environment or .env and from nowhere else.

Which variables hold it, and which of them suffice, is up to the venue's plug-in.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from mmbot.config import Mode
from mmbot.config.text_file import read_text, said_of
from mmbot.errors import ConfigError

ENV_FILE_MAX_BYTES = 1_000_000
_COMMENT = re.compile(r"(^|\s)#.*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One part of what opens an account: the plug-in's word for it and the variable it is in."""

    part: str
    variable: str
    default: str = ""
    """What stands in where the variable is not set; a real venue has none."""


Sets = tuple[tuple[Wanted, ...], ...]
"""What opens an account: all of any one of these. The part by which people know it comes first."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens an account, by part. Stays out of every repr, log line and traceback."""

    parts: Mapping[str, str] = field(repr=False)

    def __getitem__(self, part: str) -> str:
        return self.parts[part]


def key_pair(mode: Mode, name: str) -> tuple[Wanted, ...]:
    """The usual pair, a `key` and its `secret`, of the venue of that name.

    Every mode has a pair of its own, so that a real key is never sent elsewhere: NAME_API_KEY and
    NAME_API_SECRET, NAME_TESTNET_API_KEY and NAME_TESTNET_API_SECRET, and for every simulated venue
    MMBOT_SIM_KEY and MMBOT_SIM_SECRET (both "sim" unless set).
    """
    if mode is Mode.SIM:
        return Wanted("key", "MMBOT_SIM_KEY", "sim"), Wanted("secret", "MMBOT_SIM_SECRET", "sim")
    assert mode in (Mode.TESTNET, Mode.LIVE), mode
    prefix = re.sub(r"\W", "_", name).upper() + ("_TESTNET" if mode is Mode.TESTNET else "")
    return Wanted("key", f"{prefix}_API_KEY"), Wanted("secret", f"{prefix}_API_SECRET")


def variables(sets: Sets) -> tuple[str, ...]:
    """Every variable that may hold a part."""
    return tuple(dict.fromkeys(one.variable for wanted in sets for one in wanted))


def found(mode: Mode, folder: Path, sets: Sets) -> Credentials:
    """The first complete one of `sets`, from the environment or else from `folder`/.env.

    Raises ConfigError where all are incomplete; what is missing is told of the one that is there
    in part, else of the first.
    """
    known = {**env_file(folder / ".env", variables(sets)), **os.environ}
    missing = [
        [one.variable for one in s if not (known.get(one.variable) or one.default)] for s in sets
    ]
    for wanted, lacking in zip(sets, missing, strict=True):
        if not lacking:
            return Credentials({w.part: known.get(w.variable) or w.default for w in wanted})
    begun = [m for s, m in zip(sets, missing, strict=True) if len(m) < len(s)]
    lacking = [*begun, *missing][0]
    verb = "is" if len(lacking) == 1 else "are"
    raise ConfigError(
        f"--{mode.value} needs credentials: {' and '.join(lacking)} {verb} not set; put them "
        f"into the environment or into {folder / '.env'}"
    )


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
