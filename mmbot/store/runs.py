"""Runs and their labels: what an engine must have on the disk before it sends anything."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from mmbot.core.labels import SEQUENCES_MAX
from mmbot.core.types import Nanos
from mmbot.store import latch, lease, schema
from mmbot.store.database import Database
from mmbot.store.records import AccountDraft, AccountKey, RunDraft, RunStarted

LABEL_BLOCK = 512
"""Labels reserved at a time."""


def start_run(
    database: Database, draft: RunDraft, draw: Callable[[], int], now_ns: Nanos
) -> RunStarted:
    """Begin a run: its row, the leases of its accounts and its first block of labels, or none of
    them.

    `draw` gives random run numbers; one that was ever used on this store is not used again.
    Raises Refused when the kill switch of one of its accounts is tripped or another engine has one
    of them, by whatever name of the venue, StoreError.
    """
    account_keys = [account.account_key for account in draft.accounts]
    with database.transaction() as connection:
        named_otherwise = _synonyms(connection, draft.accounts)
    latch.require_armed(database, [*account_keys, *named_otherwise])
    first, process = draft.accounts[0], lease.this_process()
    with database.transaction() as connection:
        for account_key in _synonyms(connection, draft.accounts):
            lease.require_free(connection, account_key, now_ns)
        _forget_status(connection)
        run = draw()
        while connection.scalar(select(schema.runs.c.run).where(schema.runs.c.run == run)):
            run = draw()
        connection.execute(
            insert(schema.runs).values(
                run=run,
                mode=first.account_key.mode.value,
                venue=first.account_key.venue,
                account=first.account_key.account,
                endpoint=first.endpoint,
                config_path=draft.config_path,
                env_path=draft.env_path,
                host=process.host,
                pid=process.pid,
                started_ns=now_ns,
            )
        )
        connection.execute(
            insert(schema.run_accounts),
            [_account_row(run, *placed) for placed in enumerate(draft.accounts)],
        )
        until_ns = min(lease.claim(connection, key, run, process, now_ns) for key in account_keys)
        upto = grant_labels(connection, run, LABEL_BLOCK)
    return RunStarted(run, upto, until_ns)


def _synonyms(connection: Connection, accounts: Sequence[AccountDraft]) -> list[AccountKey]:
    """The same accounts under other names of their venues, from files that call them otherwise."""
    table, known = schema.run_accounts.c, {account.account_key: None for account in accounts}
    for account_key, kind in ((one.account_key, one.kind) for one in accounts):
        if not account_key.account:
            continue  # the venue does not tell whose it is
        names = connection.scalars(
            select(table.venue)
            .distinct()
            .where(
                table.mode == account_key.mode.value,
                table.account == account_key.account,
                table.kind == (kind or account_key.venue),
            )
            .order_by(table.venue)
        )
        known |= {replace(account_key, venue=name): None for name in names}
    return list(known)[len(accounts) :]


def _account_row(run: int, place: int, account: AccountDraft) -> dict[str, Any]:
    account_key = account.account_key
    return {
        "run": run,
        "place": place,
        "mode": account_key.mode.value,
        "venue": account_key.venue,
        "account": account_key.account,
        "kind": account.kind or account_key.venue,
        "endpoint": account.endpoint,
    }


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


def _forget_status(connection: Connection) -> None:
    """What engines said of themselves is of no use once later ones had all their accounts. The last
    word of those before the one that starts tells when they were last there."""
    runs, accounts, said = schema.runs.c, schema.run_accounts.c, schema.engine_status
    newest = {
        (row.mode, row.venue, row.account): row.run
        for row in connection.execute(
            select(accounts.run, accounts.mode, accounts.venue, accounts.account)
            .join_from(schema.run_accounts, schema.runs)
            .order_by(runs.started_ns, runs.run)
        )
    }
    for run in set(connection.scalars(select(said.c.run))).difference(newest.values()):
        connection.execute(delete(said).where(said.c.run == run))
