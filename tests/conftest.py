"""What every test gets: a home of its own, so that no test meets another one's store, and where the
client meets the simulated venue, one that says no more than it must."""

import hashlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from decimal import localcontext
from pathlib import Path

import pytest

from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.server import SimVenue, VenueOptions

CLIENTS = ("tests/contract/", "tests/engine/", "tests/cli/", "tests/wire/test_deribit_client")
"""Where our client is under test."""

ODD_ONE_IN = 5

LONGEST = ("tests/simulation/test_out_of_the_box.py", "tests/engine/test_crash_derive.py")

ENDINGS = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)

# Tests run in the background of a shell, or with nohup, inherit ignored signals, and so would every
# mmbot they start: it leaves an ignored signal ignored. A handler of ours is not inherited.
for ending in ENDINGS:
    if signal.getsignal(ending) is signal.SIG_IGN:
        signal.signal(ending, lambda *_: None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Here, where pytest looks whatever folder it is given."""
    words = "a venue that tests/contract is about; repeatable, without it all"
    parser.addoption("--venue", action="append", default=[], metavar="KIND", help=words)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that nobody waits for it alone in the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(autouse=True)
def endings() -> Iterator[None]:
    """A command in the test's own process may leave signals ignored or blocked as it ends; those
    that later tests start would inherit that."""
    handlers = {ending: signal.getsignal(ending) for ending in ENDINGS}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for ending, handler in handlers.items():
        signal.signal(ending, handler)


@pytest.fixture(autouse=True)
def rounding() -> Iterator[None]:
    """ccxt changes how Decimals are rounded in the thread it is called in."""
    with localcontext():
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`$MMBOT_HOME`, empty."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MMBOT_HOME", str(folder))
    monkeypatch.delenv("MMBOT_DATABASE_URL", raising=False)
    return folder


@pytest.fixture(autouse=True)
def manners(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Manner:
    """How the venue in a test's own process speaks to our client: thinly, and to one test in
    five, always the same ones, oddly. `MMBOT_MANNERS` overrides, `@pytest.mark.manners` decides
    where a test is about the words themselves."""
    name = request.node.nodeid
    manner = Manner.PLAIN
    if name.startswith(CLIENTS):
        drawn = hashlib.sha256(name.encode()).digest()[0] % ODD_ONE_IN
        manner = Manner.THIN if drawn else Manner.ODD
        manner = Manner(os.environ.get("MMBOT_MANNERS", manner.value))
        marked = request.node.get_closest_marker("manners")
        if marked is not None:
            manner = Manner(marked.args[0])
    opened = SimVenue.__init__

    def open_with_manners(self: SimVenue, options: VenueOptions | None = None) -> None:
        options = options or VenueOptions()
        if options.manners is Manner.PLAIN:
            options = replace(options, manners=manner)
        opened(self, options)

    monkeypatch.setattr(SimVenue, "__init__", open_with_manners)
    return manner
