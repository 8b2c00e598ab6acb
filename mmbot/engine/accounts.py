"""The accounts that the kill switch goes over: what stores and keys tell of them.

An engine of this machine that has one is told to stop by a signal, which needs no store.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mmbot.config import Mode
from mmbot.core.types import Label, Nanos
from mmbot.errors import ConfigError
from mmbot.store.account_lock import holder
from mmbot.store.queries import EngineRow
from mmbot.store.records import AccountKey
from mmbot.venues.credentials import Credentials, credentials, env_file, variables


@dataclass(frozen=True, slots=True)
class Account:
    """An account some engine has traded, and where what it needs to be reached is found."""

    account_key: AccountKey
    """Without a name where nobody has told which account the keys open."""
    endpoint: str
    """Empty: where the mode's own venue is."""
    env_folder: Path
    """Where its .env is, if it has one."""
    running: bool
    """An engine holds its lease."""
    kind: str
    """Of the venue."""
    labels: frozenset[Label] = frozenset()
    """Orders that are open by the store's account, of engines that run and of dead ones."""

    @property
    def known(self) -> frozenset[Label]:
        """Orders that count as open before the first look, because the engine that runs may take
        them back before it."""
        return self.labels if self.running else frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """A venue to be asked, whatever the stores know."""

    mode: Mode
    venue: str = "deribit"
    endpoint: str = ""
    """Of a simulated one."""


class GoneError(Exception):
    """There is no such account any more."""


def joined(accounts: Sequence[Account], further: Sequence[Account]) -> list[Account]:
    """Both, each account once."""
    there = {(account.account_key, account.endpoint) for account in accounts}
    return [*accounts, *(one for one in further if (one.account_key, one.endpoint) not in there)]


def unknown_accounts(accounts: Sequence[Account], asked: Sequence[Asked]) -> list[Account]:
    """Accounts to ask for although no store knows of them: those that are asked for, and those of
    every real mode that has keys and no account yet. Raises ConfigError for a bad .env."""
    folder = Path.cwd()
    wanted = list(asked)
    for mode in (Mode.LIVE, Mode.TESTNET):
        names = variables(mode)
        keys = {**env_file(folder / ".env", names), **os.environ}
        if any(keys.get(name) for name in names) and not any(
            a.account_key.mode is mode for a in accounts
        ):
            wanted.append(Asked(mode))
    found: dict[Asked, Account] = {}
    for one in wanted:
        same = [
            a
            for a in accounts
            if a.account_key.mode is one.mode and a.account_key.venue == one.venue
        ]
        covered = (
            one.endpoint in [account.endpoint for account in same]
            if one.mode is Mode.SIM
            else _keys(one.mode, folder) in [_keys(a.account_key.mode, a.env_folder) for a in same]
        )
        if not covered:
            found[one] = Account(
                AccountKey(one.mode, one.venue, ""), one.endpoint, folder, False, one.venue
            )
    return list(found.values())


def _keys(mode: Mode, folder: Path) -> Credentials | None:
    try:
        return credentials(mode, folder)
    except ConfigError:
        return None


def signal_engine(account_key: AccountKey, endpoint: str) -> bool:
    """Trip the kill switch of the engine that has an account on this machine, whatever store or
    home it has; whether there is one."""
    pid = holder(account_key, endpoint)
    if pid:
        with suppress(OSError):  # it has just ended
            os.kill(pid, signal.SIGUSR1)
    return pid is not None


def runs(engine: EngineRow, now_ns: Nanos) -> bool:
    """Whether the engine may be trading at this moment (wall time)."""
    return (
        engine.run.stopped_ns is None
        and engine.lease is not None
        and engine.lease.expires_ns > now_ns
        and not engine.lease.process.provably_dead
    )
