"""One engine per account and machine, whatever becomes of its store.

The lease (lease.py) lives in the store, and a store can be deleted, replaced, or be another one. So
an engine also holds a name that the kernel keeps for as long as the process lives: a socket in the
abstract namespace, of which nothing is on a disk. No user can delete it, and a kill -9 ends it.
Where the system has no such names the lease stands alone.
"""

import errno
import hashlib
import os
import socket
import struct
from urllib.parse import urlsplit

from mmbot.config import Mode
from mmbot.store.records import AccountKey

_CREDENTIALS = struct.Struct("3i")
"""Process, user and group at the other end of a socket, as Linux tells them."""


class AccountLock:
    """The claim of this process to an account at the venue of `endpoint`. `kind`: of the venue;
    empty: its name is its kind."""

    def __init__(self, account_key: AccountKey, endpoint: str, kind: str = "") -> None:
        self._name = _name(account_key, endpoint, kind)
        self._socket: socket.socket | None = None

    def take(self) -> bool:
        """Whether it is ours now, or already was."""
        if self._socket is not None:
            return True
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            made.bind(self._name)
            made.listen()
        except OSError as error:
            made.close()
            return error.errno != errno.EADDRINUSE
        self._socket = made
        return True

    def greet(self) -> None:
        """Let those go who have asked for the holder: only so many may wait."""
        if self._socket is None:
            return
        try:
            while True:
                self._socket.accept()[0].close()
        except OSError:
            return

    def release(self) -> None:
        """Give it up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def holder(account_key: AccountKey, endpoint: str, kind: str = "") -> int | None:
    """The process that has the account on this machine; 0 where its number cannot be told, None
    where nobody has it."""
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with asking:
        try:
            asking.connect(_name(account_key, endpoint, kind))
            said = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except BlockingIOError:
            return 0
        except OSError:
            return None
    return int(_CREDENTIALS.unpack(said)[0])


def _name(account_key: AccountKey, endpoint: str, kind: str = "") -> bytes:
    """Of the account, whatever a file calls the venue; of the user's own, so that nobody can take
    the accounts of another one. Simulated worlds may have accounts of the same name: of those the
    port tells which is meant."""
    world = urlsplit(endpoint).port if account_key.mode is Mode.SIM else ""
    text = f"{account_key.mode.value}\n{kind or account_key.venue}\n{account_key.account}\n{world}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"\0mmbot/{os.getuid()}/{digest}".encode()
