"""The accounts that the kill switch goes over: what stores and keys tell of them.

An engine of this machine that has one is told to stop by a signal, which needs no store.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mmbot.config import Mode
from mmbot.core.types import Label, Nanos
from mmbot.errors import ConfigError
from mmbot.plugins.registry import Family, names
from mmbot.store.account_lock import holder
from mmbot.store.queries import EngineRow
from mmbot.store.records import AccountKey
from mmbot.venues.credentials import Credentials, env_file
from mmbot.venues.plugin import credentials_of, variables_of
from mmbot.venues.site import Site


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
    order_ids: frozenset[str] = frozenset()
    """The venue's ids of orders of ours, where it names no labels."""
    desk_file: Path | None = None
    """Of the run that has traded it, where it had one."""
    unknown_kind: str = ""
    """Why nobody here knows the kind of its venue, where that was found out."""

    @property
    def site(self) -> Site:
        """Where the account is."""
        venue = self.account_key.venue
        return Site(self.account_key.mode, venue, self.kind, self.endpoint)

    @property
    def known(self) -> frozenset[Label]:
        """Orders that count as open before the first look, because the engine that runs may take
        them back before it."""
        return self.labels if self.running else frozenset()


class GoneError(Exception):
    """There is no such account any more."""


def joined(accounts: Sequence[Account], further: Sequence[Account]) -> list[Account]:
    """Both, each account once."""
    there = {(account.account_key, account.endpoint) for account in accounts}
    return [*accounts, *(one for one in further if (one.account_key, one.endpoint) not in there)]


def unknown_accounts(
    accounts: Sequence[Account], asked: Sequence[Site], venues: Mapping[str, str] | None = None
) -> list[Account]:
    """Accounts to ask for although no store knows of them: those at the venues that are `asked`
    for, and those of every kind of venue, of every one of `venues` (name -> kind) and of every real
    mode that has keys and no account yet. Raises ConfigError for a bad .env."""
    folder = Path.cwd()
    wanted = list(asked)
    for mode in (Mode.LIVE, Mode.TESTNET):
        for name, kind in {
            **{kind: kind for kind in names(Family.VENUE)},
            **(venues or {}),
        }.items():
            site = Site(mode, name, kind)
            if site not in asked and not _at(site, accounts) and _has_some_key(site, folder):
                wanted.append(site)
    found: dict[Site, Account] = {}
    for site in wanted:
        same = _at(site, accounts)
        covered = (
            site.url in [account.endpoint for account in same]
            if site.mode is Mode.SIM
            else _keys(site, folder) in [_keys(a.site, a.env_folder) for a in same]
        )
        if not covered:
            account_key = AccountKey(site.mode, site.name, "")
            found[site] = Account(account_key, site.url, folder, False, kind=site.kind)
    return list(found.values())


def _at(site: Site, accounts: Sequence[Account]) -> list[Account]:
    """Those at a venue of that name in that mode."""
    wanted = (site.mode, site.name)
    return [a for a in accounts if (a.account_key.mode, a.account_key.venue) == wanted]


def _has_some_key(site: Site, folder: Path) -> bool:
    try:
        variables = variables_of(site)
    except Exception:  # noqa: BLE001  # a person's own plug-in: it must not keep us from the others
        return False
    keys = {**env_file(folder / ".env", variables), **os.environ}
    return any(keys.get(variable) for variable in variables)


def _keys(site: Site, folder: Path) -> Credentials | None:
    try:
        return credentials_of(site, folder)
    except ConfigError:
        return None


def signal_engine(account_key: AccountKey, endpoint: str, kind: str) -> bool:
    """Trip the kill switch of the engine that has an account on this machine, whatever store or
    home it has; whether there is one."""
    pid = holder(account_key, endpoint, kind)
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
