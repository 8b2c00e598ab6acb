"""Kinds of venues that a person's own module registers, for commands that no desk file is given to.

A run notes the path of its desk file. Where the kind of one of its venues is unknown, the modules
which that file names are loaded, from where the run looked for them. One that cannot be loaded
costs its accounts and no others.
"""

from collections.abc import Iterable
from dataclasses import replace

from mmbot.config.file import plugin_modules, read_desk
from mmbot.engine.accounts import Account
from mmbot.errors import MmbotError
from mmbot.plugins.registry import Family, load_plugins, names


def with_kinds(accounts: Iterable[Account]) -> list[Account]:
    """The accounts, their kinds known where that can be; the others say why not."""
    return [one if one.kind in names(Family.VENUE) else _tried(one) for one in accounts]


def _tried(account: Account) -> Account:
    path = account.desk_file
    if path is None:
        return account
    why = f"{path}: none of its plug-in modules registers the venue {account.kind}"
    try:
        written = read_desk(path)
        modules = plugin_modules(written)
        folders = (path.parent, account.env_folder)
        load_plugins(modules, written.origins.get("plugins", str(path)), folders)
    except MmbotError as error:
        why = str(error)
    return account if account.kind in names(Family.VENUE) else replace(account, unknown_kind=why)
