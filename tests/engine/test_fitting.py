"""Fits beside the turns: asked for by the core, carried out in a thread, told as an event."""

import asyncio
import threading

import pytest

from mmbot.core import events as ev
from mmbot.core.chains import FitSurface, Fitted
from mmbot.engine.fitting import SurfaceWorker
from mmbot.engine.report import status_frame
from mmbot.pricing.chain_fit import ChainFitter
from mmbot.sim.wire.server import VenueOptions
from tests.engine.live import live, until
from tests.engine.test_live import quoted
from tests.pricing.test_chain_fit import asked


async def test_the_answer_comes_in_the_loops_own_thread() -> None:
    heard: list[tuple[ev.Event, int]] = []
    worker = SurfaceWorker(lambda event: heard.append((event, threading.get_ident())))
    worker.ask(asked())
    assert heard == [], "not while the turn waits"
    await until(lambda: bool(heard), "a fit")
    [(event, thread)] = heard
    assert isinstance(event, Fitted)
    assert event.smiles
    assert thread == threading.get_ident()
    worker.close()


async def test_a_bug_in_a_fit_is_told_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[ev.Event] = []
    worker = SurfaceWorker(heard.append)
    right = ChainFitter.fitted
    monkeypatch.setattr(ChainFitter, "fitted", _broken)
    worker.ask(asked())
    await until(lambda: len(heard) == 1, "word of it")
    monkeypatch.setattr(ChainFitter, "fitted", right)
    worker.ask(asked())
    await until(lambda: len(heard) == 2, "a fit")
    first, second = heard
    assert isinstance(first, Fitted)
    assert isinstance(second, Fitted)
    assert first.trouble == "KeyError: 'planted'"
    assert second.smiles
    worker.close()


def _broken(_self: ChainFitter, _wanted: FitSurface) -> Fitted:
    raise KeyError("planted")


async def test_what_has_not_begun_by_the_end_is_not_fitted() -> None:
    heard: list[ev.Event] = []
    worker = SurfaceWorker(heard.append)
    for _ in range(20):
        worker.ask(asked())
    thread = worker._thread
    assert thread is not None
    worker.close()
    await asyncio.to_thread(thread.shutdown)
    await asyncio.sleep(0)
    assert len(heard) < 20, "what was under way alone"


async def test_quotes_of_a_real_run_are_built_on_the_surface() -> None:
    async with live(VenueOptions()) as bot:
        await quoted(bot, 4)
        [desk] = bot.engine.desks
        bot.engine.members[0].venue.look_at(desk.watched)

        def on_the_surface() -> bool:
            frame = status_frame(bot.state, "sim", "deribit", bot.engine.clock.now_ns())
            return all(row.fair_by and row.fair_by.model == "svi" for row in frame.rows)

        await until(on_the_surface, "a fair value by the surface", 20.0)
        for market in bot.state.markets.values():
            valued = market.valuation
            assert valued is not None
            assert valued.sigma is not None
            assert 0.3 < valued.sigma < 0.8, "the market's is 50 %, and smiles"
