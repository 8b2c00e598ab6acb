"""One engine per account and machine: a name that the kernel keeps, whatever happens to files."""

import os
import subprocess
import sys

import pytest

from mmbot.config import Mode
from mmbot.store.account_lock import AccountLock, holder
from mmbot.store.records import AccountKey

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")

VENUE = "http://127.0.0.1:8080"
ASKS = 300
"""More than may wait at once."""

_HOLD = """
import sys
from mmbot.config import Mode
from mmbot.store.records import AccountKey
from mmbot.store.account_lock import AccountLock
lock = AccountLock(AccountKey(Mode.SIM, "deribit", sys.argv[1]), sys.argv[2])
print(lock.take(), flush=True)
sys.stdin.read()
"""


def an_account(number: int = 0) -> AccountKey:
    return AccountKey(Mode.SIM, "deribit", f"test-{os.getpid()}-{number}")


def test_an_account_is_held_once_and_given_up() -> None:
    first, second, other = (
        AccountLock(an_account(), VENUE),
        AccountLock(an_account(), VENUE),
        AccountLock(an_account(1), VENUE),
    )
    assert holder(an_account(), VENUE) is None
    assert (first.take(), first.take(), second.take(), other.take()) == (True, True, False, True)
    assert holder(an_account(), VENUE) == os.getpid()
    first.release()
    assert second.take()
    for lock in (second, other):
        lock.release()
    assert holder(an_account(), VENUE) is None


def test_worlds_are_told_apart_by_their_ports_and_real_venues_are_one() -> None:
    live = AccountKey(Mode.LIVE, "deribit", f"test-{os.getpid()}")
    held = [AccountLock(an_account(), VENUE), AccountLock(live, "https://venue")]
    assert all(lock.take() for lock in held)
    assert holder(an_account(), "http://localhost:8080") == os.getpid()
    assert holder(an_account(), "http://127.0.0.1:8081") is None
    assert holder(live, "") == os.getpid()
    for lock in held:
        lock.release()


def test_a_killed_holder_leaves_nothing_behind() -> None:
    command = [sys.executable, "-c", _HOLD, an_account().account, VENUE]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        lock = AccountLock(an_account(), VENUE)
        assert not lock.take()
        assert holder(an_account(), VENUE) == process.pid
        process.kill()
        process.wait()
        assert lock.take()
        lock.release()


def test_however_many_ask_the_holder_is_there() -> None:
    lock = AccountLock(an_account(), VENUE)
    assert lock.take()
    said = {holder(an_account(), VENUE) for _ in range(ASKS)}
    assert said <= {os.getpid(), 0}
    lock.greet()
    assert holder(an_account(), VENUE) == os.getpid()
    lock.release()
