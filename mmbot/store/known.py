"""Which stores there are: those that are named, those under `$MMBOT_HOME`, and every other one that
was ever used from there.

    stores.jsonl               in $MMBOT_HOME: one line for each account traded with each store

Lines are only ever appended, each with one write, so that several processes may do so at once; of
lines about the same store, account and address the last one counts. A line that cannot be read is
left out and said. No password is kept: PGPASSWORD, ~/.pgpass or MMBOT_DATABASE_URL gives it when
the database is looked at.

A line also says where the account is, so that the venue can be asked for it when the store is gone.
Imports nothing heavy: the kill switch looks here before it does anything else.
"""

import os
import re
import socket
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from urllib.parse import urlsplit, urlunsplit

import orjson

from mmbot.config import Mode
from mmbot.errors import ConfigError, MmbotError, Refused, StoreError
from mmbot.store.locations import (
    HOME_VARIABLE,
    LIVE_FIRST,
    URL_VARIABLE,
    Location,
    at_url,
    home_folder,
    locate,
)
from mmbot.store.records import AccountKey

FILE = "stores.jsonl"
KNOCK_S = 0.3

_SECRET = re.compile(r"(?<=[?&])(password|sslpassword)=[^&]*&?")


@dataclass(frozen=True, slots=True)
class Used:
    """A store that was used for an account, and where that is."""

    url: str
    """Without a password."""
    account_key: AccountKey
    endpoint: str
    env_path: str | None = None
    """Where its .env is, if it has one."""
    settled: bool = False
    """The venue has shown since that nothing of ours rests there."""
    kind: str = ""
    """Of the venue; empty: its name is its kind."""

    @property
    def key(self) -> tuple[str, AccountKey, str]:
        """Of two lines with the same key the later one counts."""
        return self.url, self.account_key, self.endpoint

    @property
    def ended(self) -> bool:
        """Whether it was a simulated venue that is there no more: its orders died with it."""
        if self.account_key.mode is not Mode.SIM:
            return False
        address = urlsplit(self.endpoint)
        try:
            with socket.create_connection((address.hostname or "", address.port or 80), KNOCK_S):
                return False
        except ConnectionRefusedError:
            return True
        except (OSError, ValueError):
            return False  # nobody knows


@dataclass(slots=True)
class Stores:
    """What was found."""

    places: list[Location] = field(default_factory=list)
    """Stores that may hold something: those named first, then live first."""
    used: dict[Location, list[Used]] = field(default_factory=dict)
    """The accounts every store was used for, also of stores that are gone."""
    elsewhere: list[Location] = field(default_factory=list)
    """Those of which only the register tells."""
    notes: list[str] = field(default_factory=list)
    """Lines of the register that cannot be read."""
    problems: list[str] = field(default_factory=list)
    """What could not be looked at, so that stores may be missing here."""

    @property
    def gone(self) -> list[Location]:
        """Stores that were used and are not there any more."""
        return [place for place in self.used if place not in self.places]


def find(environment: Mapping[str, str], *urls: str | None, strict: bool = True) -> Stores:
    """Every store that may hold something; `urls` are looked at beside what is known.

    A database on a server counts as existing. Raises ConfigError for want of a home, where no URL
    is given either. A store that is named or at home and cannot be looked at raises StoreError or,
    unless `strict`, is a problem, as everything else is.
    """
    found = Stores()
    candidates = _named(environment, urls, strict, found)
    home = _at_home(environment, optional=bool(candidates or found.problems))
    for place in home:
        candidates.setdefault(place.url, place)
    lines = _read(environment, found) if home else ()
    for used in sorted(lines, key=lambda used: LIVE_FIRST.index(used.account_key.mode)):
        try:
            if used.url not in candidates:
                candidates[used.url] = at_url(used.url, environment)
                found.elsewhere.append(candidates[used.url])
            found.used.setdefault(candidates[used.url], []).append(used)
        except MmbotError as error:
            found.notes.append(str(error))
    _look(candidates.values(), strict, found)
    return found


def _named(
    environment: Mapping[str, str], urls: Sequence[str | None], strict: bool, found: Stores
) -> dict[str, Location]:
    """The stores of the environment and of flags, by their address without a password."""
    named: dict[str, Location] = {}
    for url in (environment.get(URL_VARIABLE), *urls):
        try:
            if url:
                place = at_url(url, environment)
                named.setdefault(without_password(place.url), place)
        except MmbotError as error:
            if strict:
                raise
            found.problems.append(str(error))
    return named


def _at_home(environment: Mapping[str, str], *, optional: bool) -> list[Location]:
    """The stores of every mode under the home, live first. Raises ConfigError for want of a home,
    or has none where it is `optional`."""
    files = {key: value for key, value in environment.items() if key != URL_VARIABLE}
    try:
        return [locate(mode, files) for mode in LIVE_FIRST]
    except ConfigError:
        if not optional:
            raise
        return []


def _look(candidates: Iterable[Location], strict: bool, found: Stores) -> None:
    """Which of them are there. Raises StoreError, where `strict`, for one that cannot be looked
    at and that more than the register tells of."""
    for place in candidates:
        try:
            if place.exists:
                found.places.append(place)
        except StoreError as error:
            if strict and place not in found.elsewhere:
                raise
            found.problems.append(str(error))


def register(environment: Mapping[str, str], used: Used) -> None:
    """Let the kill switch and everybody else know of a store. Raises Refused where that cannot be
    written down."""
    path = home_folder(environment) / FILE
    if used in _read(environment, Stores()):
        return
    said = asdict(used)
    said["seat"] = said.pop("account_key")  # the file's word since its first version
    line = orjson.dumps(said) + b"\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":  # somebody did not come to an end
                line = b"\n" + line
            if os.write(handle, line) < len(line):
                raise OSError(0, "not all of it was written")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise Refused(
            f"{path} cannot be written ({error.strerror}), so that `mmbot cancel-all` would not "
            f"find {used.url}: free some space, or set {HOME_VARIABLE} to a folder of yours"
        ) from error


class Registration:
    """Keeps a store in the register, with every account it is used for, for as long as it is used,
    whatever happens to the file."""

    def __init__(self, environment: Mapping[str, str], uses: Sequence[Used]) -> None:
        """Raises Refused where it cannot be written down, and ConfigError."""
        self._environment, self._uses = environment, uses
        self._path = home_folder(environment) / FILE
        self._register()

    def keep(self) -> None:
        """Write it down again if it may be missing. Raises Refused."""
        if self._look() != self._seen:
            self._register()

    def _register(self) -> None:
        for used in self._uses:
            register(self._environment, used)
        self._seen = self._look()

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size


def settle(environment: Mapping[str, str], used: Used) -> None:
    """The venue shows nothing of ours: the store need not be missed any more. Raises Refused."""
    register(environment, replace(used, settled=True))


def without_password(url: str) -> str:
    """The address of a database without any secret; what is needed to reach it otherwise stays."""
    if not url.startswith("postgresql"):
        return url
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = _SECRET.sub("", f"?{parts.query}").lstrip("?").rstrip("&")
    return urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + host, query=query))


def _read(environment: Mapping[str, str], found: Stores) -> Sequence[Used]:
    """The lines that count; what is wrong goes into `found`."""
    path = home_folder(environment) / FILE
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(0, "it is no file")
        text = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        found.problems.append(
            f"{path}, which lists the stores, cannot be read: {error.strerror}: check it, or move "
            "it away and name stores with --store"
        )
        return ()
    lines: dict[tuple[str, AccountKey, str], Used] = {}
    bad = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            used = _used(orjson.loads(line))
        except (ValueError, KeyError, TypeError):
            bad.append(str(number))
            continue
        lines.pop(used.key, None)
        lines[used.key] = used
    if bad:
        which = f"line {bad[0]}" if len(bad) == 1 else f"lines {', '.join(bad[:8])}"
        more = f" and {len(bad) - 8} more" if len(bad) > 8 else ""
        found.notes.append(f"{path}: {which}{more} cannot be read: a store may be missing here")
    return tuple(lines.values())


def _used(said: Mapping[str, object]) -> Used:
    """Raises ValueError, KeyError or TypeError for what no version of ours has written."""
    url, account_key, endpoint, env_path = (
        said[key] for key in ("url", "seat", "endpoint", "env_path")
    )
    kind = said.get("kind", "")
    if not (isinstance(url, str) and isinstance(account_key, dict) and isinstance(endpoint, str)):
        raise TypeError
    if not ((env_path is None or isinstance(env_path, str)) and isinstance(kind, str)):
        raise TypeError
    _ = urlsplit(endpoint).port  # raises where it is no address
    where = AccountKey(
        Mode(account_key["mode"]), str(account_key["venue"]), str(account_key["account"])
    )
    return Used(url, where, endpoint, env_path, bool(said["settled"]), kind)
