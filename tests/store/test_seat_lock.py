"""One engine per account and machine: a name that the kernel keeps, whatever happens to files."""

import os
import subprocess
import sys

import pytest

from mmbot.config import Mode
from mmbot.store.records import Seat
from mmbot.store.seat_lock import SeatLock, holder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")

VENUE = "http://127.0.0.1:8080"
ASKS = 300
"""More than may wait at once."""

_HOLD = """
import sys
from mmbot.config import Mode
from mmbot.store.records import Seat
from mmbot.store.seat_lock import SeatLock
lock = SeatLock(Seat(Mode.SIM, "deribit", sys.argv[1]), sys.argv[2])
print(lock.take(), flush=True)
sys.stdin.read()
"""


def a_seat(number: int = 0) -> Seat:
    return Seat(Mode.SIM, "deribit", f"test-{os.getpid()}-{number}")


def test_a_seat_is_held_once_and_given_up() -> None:
    first, second, other = (
        SeatLock(a_seat(), VENUE),
        SeatLock(a_seat(), VENUE),
        SeatLock(a_seat(1), VENUE),
    )
    assert holder(a_seat(), VENUE) is None
    assert (first.take(), first.take(), second.take(), other.take()) == (True, True, False, True)
    assert holder(a_seat(), VENUE) == os.getpid()
    first.release()
    assert second.take()
    for lock in (second, other):
        lock.release()
    assert holder(a_seat(), VENUE) is None


def test_worlds_are_told_apart_by_their_ports_and_real_venues_are_one() -> None:
    live = Seat(Mode.LIVE, "deribit", f"test-{os.getpid()}")
    held = [SeatLock(a_seat(), VENUE), SeatLock(live, "https://venue")]
    assert all(lock.take() for lock in held)
    assert holder(a_seat(), "http://localhost:8080") == os.getpid()
    assert holder(a_seat(), "http://127.0.0.1:8081") is None
    assert holder(live, "") == os.getpid()
    for lock in held:
        lock.release()


def test_a_killed_holder_leaves_nothing_behind() -> None:
    command = [sys.executable, "-c", _HOLD, a_seat().account, VENUE]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        lock = SeatLock(a_seat(), VENUE)
        assert not lock.take()
        assert holder(a_seat(), VENUE) == process.pid
        process.kill()
        process.wait()
        assert lock.take()
        lock.release()


def test_however_many_ask_the_holder_is_there() -> None:
    lock = SeatLock(a_seat(), VENUE)
    assert lock.take()
    said = {holder(a_seat(), VENUE) for _ in range(ASKS)}
    assert said <= {os.getpid(), 0}
    lock.greet()
    assert holder(a_seat(), VENUE) == os.getpid()
    lock.release()
