"""One engine per account: a lease that is renewed every second and runs out after five.

A second engine is refused while the first one's lease holds. A lease is taken over at once when it
can be proved that the holder is dead: same boot of the same machine, same process namespace, and
no process of that number and birth left. Otherwise it must run out.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from mmbot.core.labels import base36
from mmbot.core.types import SECOND, Nanos
from mmbot.errors import Refused
from mmbot.store import schema
from mmbot.store.records import AccountKey

RENEW_EVERY_NS: Nanos = 1 * SECOND
EXPIRES_AFTER_NS: Nanos = 5 * SECOND


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told apart from a later one with the same number by its birth: boot id, process
    namespace and start time; empty where the system does not say."""

    host: str
    pid: int
    birth: str

    @property
    def provably_dead(self) -> bool:
        """Whether it surely runs no more, as far as this machine can tell."""
        boot, _, started = self.birth.rpartition("/")
        return bool(boot) and boot == _boot() and _started(self.pid) != started


def this_process() -> Process:
    """The process that asks."""
    pid = os.getpid()
    boot, started = _boot(), _started(pid)
    return Process(socket.gethostname(), pid, f"{boot}/{started}" if boot and started else "")


def claim(
    connection: Connection, account_key: AccountKey, run: int, process: Process, now_ns: Nanos
) -> Nanos:
    """Take the account for `run`; until when. Raises Refused while another engine has it."""
    require_free(connection, account_key, now_ns)
    release(connection, account_key, None)
    until_ns = now_ns + EXPIRES_AFTER_NS
    connection.execute(
        insert(schema.lease).values(
            mode=account_key.mode.value,
            venue=account_key.venue,
            account=account_key.account,
            run=run,
            host=process.host,
            pid=process.pid,
            birth=process.birth,
            renewed_ns=now_ns,
            expires_ns=until_ns,
        )
    )
    return until_ns


def require_free(connection: Connection, account_key: AccountKey, now_ns: Nanos) -> None:
    """Raises Refused while another engine has the account."""
    table = schema.lease
    held = connection.execute(select(table).where(*_is(account_key))).one_or_none()
    if held is not None and held.expires_ns > now_ns:
        holder = Process(held.host, held.pid, held.birth)
        if not holder.provably_dead:
            left_s = (held.expires_ns - now_ns) / SECOND
            raise Refused(
                f"run {base36(held.run)} (process {held.pid} on {held.host}) is trading "
                f"{account_key}: stop it first; should it be dead, its lease runs out in "
                f"{left_s:.0f} s"
            )


def holder(connection: Connection, account_key: AccountKey) -> int | None:
    """The run that has the account, if any."""
    return connection.scalar(select(schema.lease.c.run).where(*_is(account_key)))


def held_by(connection: Connection, account_key: AccountKey) -> Process | None:
    """The process that has the account, or had it last."""
    held = connection.execute(select(schema.lease).where(*_is(account_key))).one_or_none()
    return None if held is None else Process(held.host, held.pid, held.birth)


def run_of(connection: Connection, account_key: AccountKey, pid: int | None) -> int | None:
    """The run of a process that has an account of that name, by whatever name of the venue."""
    table = schema.lease
    return connection.scalar(
        select(table.c.run).where(
            table.c.mode == account_key.mode.value,
            table.c.account == account_key.account,
            table.c.pid == pid,
        )
    )


def renew(connection: Connection, account_key: AccountKey, run: int, now_ns: Nanos) -> Nanos | None:
    """Keep the account; until when. None: it is not ours any more.

    A lease that ran out but that nobody took is ours again: transactions exclude each other.
    """
    table = schema.lease
    until_ns = now_ns + EXPIRES_AFTER_NS
    done = connection.execute(
        update(table)
        .where(*_is(account_key), table.c.run == run)
        .values(renewed_ns=now_ns, expires_ns=until_ns)
    )
    return until_ns if done.rowcount else None


def release(connection: Connection, account_key: AccountKey, run: int | None) -> None:
    """Give the account up, if `run` has it (None: whoever has it)."""
    ours = (schema.lease.c.run == run,) if run is not None else ()
    connection.execute(delete(schema.lease).where(*_is(account_key), *ours))


def _is(account_key: AccountKey) -> tuple[ColumnElement[bool], ...]:
    table = schema.lease
    return (
        table.c.mode == account_key.mode.value,
        table.c.venue == account_key.venue,
        table.c.account == account_key.account,
    )


def _boot() -> str:
    """This boot of this machine, and the process namespace we see."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; "" when there is none or it is a corpse."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name in parentheses may contain anything; after it come the state and, 19 on, the start.
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
