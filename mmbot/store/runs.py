"""Runs and their labels: what an engine must have on the disk before it sends anything."""

from collections.abc import Callable

from sqlalchemy import Connection, delete, func, insert, select, update

from mmbot.core.labels import SEQUENCES_MAX
from mmbot.core.types import Nanos
from mmbot.store import latch, lease, schema
from mmbot.store.database import Database
from mmbot.store.records import RunDraft, RunStarted

LABEL_BLOCK = 512
"""Labels reserved at a time."""


def start_run(
    database: Database, draft: RunDraft, draw: Callable[[], int], now_ns: Nanos
) -> RunStarted:
    """Begin a run: its row, its account's lease and its first block of labels, or none of them.

    `draw` gives random run numbers; one that was ever used on this store is not used again.
    Raises Refused when the kill switch is tripped or another engine has the account, StoreError.
    """
    latch.require_armed(database, draft.account_key)
    account_key, process = draft.account_key, lease.this_process()
    with database.transaction() as connection:
        run = draw()
        while connection.scalar(select(schema.runs.c.run).where(schema.runs.c.run == run)):
            run = draw()
        connection.execute(
            insert(schema.runs).values(
                run=run,
                mode=account_key.mode.value,
                venue=account_key.venue,
                account=account_key.account,
                endpoint=draft.endpoint,
                config_path=draft.config_path,
                env_path=draft.env_path,
                host=process.host,
                pid=process.pid,
                started_ns=now_ns,
            )
        )
        until_ns = lease.claim(connection, account_key, run, process, now_ns)
        _forget_status(connection, draft)
        upto = grant_labels(connection, run, LABEL_BLOCK)
    return RunStarted(run, upto, until_ns)


def stop_run(connection: Connection, run: int, exit_code: int, now_ns: Nanos) -> None:
    """The run ended by itself, with this exit code."""
    connection.execute(
        update(schema.runs)
        .where(schema.runs.c.run == run)
        .values(stopped_ns=now_ns, exit_code=exit_code)
    )


def grant_labels(connection: Connection, run: int, count: int) -> int:
    """Reserve `count` further label sequences; all below the result are the run's.

    Ends at SEQUENCES_MAX: from there on nothing more is granted.
    """
    table = schema.label_blocks
    first = connection.scalar(select(func.max(table.c.upto)).where(table.c.run == run)) or 0
    upto = min(first + count, SEQUENCES_MAX)
    if upto > first:
        connection.execute(insert(table).values(run=run, first=first, upto=upto))
    return upto


def _forget_status(connection: Connection, draft: RunDraft) -> None:
    """What earlier engines on this account said of themselves is of no use any more."""
    runs, account_key = schema.runs, draft.account_key
    earlier = select(runs.c.run).where(
        runs.c.mode == account_key.mode.value,
        runs.c.venue == account_key.venue,
        runs.c.account == account_key.account,
    )
    connection.execute(delete(schema.engine_status).where(schema.engine_status.c.run.in_(earlier)))
