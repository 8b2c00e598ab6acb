"""The contract's venues: each file of `tests/contract/venues` is one; `--venue KIND` chooses."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from mmbot.sim.wire.manner import Manner
from tests.contract.bench import Bench, World

VENUES = Path(__file__).with_name("venues")

Start = Callable[[World], AbstractAsyncContextManager[Bench]]


def registered() -> list[str]:
    """The kinds that have a bench."""
    return sorted(file.stem for file in VENUES.glob("[a-z]*.py"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "start" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--venue") or registered()
    strange = sorted(set(wanted) - set(registered()))
    if strange:
        known = ", ".join(registered())
        raise pytest.UsageError(f"--venue {strange[0]}: has no bench; there are {known}")
    metafunc.parametrize("start", list(dict.fromkeys(wanted)), indirect=True)


@pytest.fixture
def start(request: pytest.FixtureRequest, manners: Manner) -> Start:
    """Starts the loopback venue of a kind, and ends it; what it said must have been permitted."""
    kind: str = request.param

    @asynccontextmanager
    async def started(world: World) -> AsyncIterator[Bench]:
        bench: Bench = import_module(f"tests.contract.venues.{kind}").BENCH(
            replace(world, manners=manners)
        )
        assert bench.kind == kind
        async with bench:
            yield bench
            faults = bench.faults_of_speech()
            assert not faults, "\n".join(faults[:20])

    return started
