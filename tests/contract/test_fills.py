"""Executions: each is booked once, whenever and however it is told, and none is forgotten."""

from mmbot.core import events as ev
from mmbot.core.types import Side
from tests.contract.bench import World
from tests.contract.conftest import Start
from tests.contract.desk import desk_on


async def test_fill_by_stream_and_history_once(start: Start) -> None:
    """Told by the stream, twice over, and in every look after it."""
    async with start(World(scale=8.0)) as bench, desk_on(bench) as desk:
        await desk.quotes()
        bench.double_private(6)
        for side in Side:
            desk.trade(side)
        await bench.until(lambda: desk.fills() == len(bench.trades()) > 0, "booked")
        looks = len(desk.heard(ev.SnapshotTaken))
        keys = {one.key for one in bench.trades()}

        def told_again() -> bool:
            taken = desk.heard(ev.SnapshotTaken)[looks:]
            return any(keys <= {one.key for one in look.fills} for look in taken)

        await bench.until(told_again, "the history has them too", 30.0)
        streamed = [one.fill.key for one in desk.heard(ev.Filled)]
        assert set(streamed) == keys
        assert len(streamed) > len(keys), "the stream has told one twice"
        await desk.quotes()


async def test_fill_while_away(start: Start) -> None:
    """Strangers trade with us while no line is up: booked before anything is sent."""
    world = World(scale=2.0, dead_man_works=False)
    async with start(world) as bench, desk_on(bench) as desk:
        await desk.quotes()
        moment = len(desk.story)
        bench.sever(away_s=2.0)
        for side in Side:
            desk.trade(side)
        assert len(bench.trades()) == 2
        await bench.until(lambda: not desk.account.trading_up, "down")
        await bench.until(lambda: desk.account.reconciled, "reconciled again", 30.0)
        await desk.quotes()
        story = desk.story[moment:]
        told = {
            fill.key: number
            for number, one in reversed(list(enumerate(story)))
            if isinstance(one, ev.SnapshotTaken)
            for fill in one.fills
        }
        assert told.keys() == {one.key for one in bench.trades()}
        went_down = next(
            n for n, one in enumerate(story) if isinstance(one, ev.LinkChanged) and not one.up
        )
        first = desk.first_sent_after(moment + went_down)
        assert first is not None
        assert max(told.values()) < first - moment
        assert bench.most_in_a_slot == 1


async def test_voided_fill(start: Start) -> None:
    """Where fills are not final, one that is taken back is taken out of the books. Elsewhere none
    ever is: it is told alike by the stream, by every look, and over a new connection (and in every
    other situation: tests/contract/law.py)."""
    async with start(World(scale=4.0)) as bench, desk_on(bench) as desk:
        await desk.quotes()
        desk.trade(Side.BUY)
        await bench.until(lambda: desk.fills() > 0, "booked")
        assert desk.position(bench.ids[0]) == bench.positions()[bench.ids[0]] > 0
        if not bench.capabilities.fills_final:
            bench.void(bench.trades()[-1])
            await bench.until(
                lambda: desk.position(bench.ids[0]) == bench.positions().get(bench.ids[0], 0),
                "reversed",
            )
            return
        held = desk.position(bench.ids[0])
        bench.sever()
        await bench.until(lambda: not desk.account.trading_up, "down")
        await desk.quotes()
        told = {fill.key for look in desk.heard(ev.SnapshotTaken) for fill in look.fills}
        assert {one.key for one in bench.trades()} <= told
        assert desk.position(bench.ids[0]) == held
        assert desk.fills() == len(bench.trades())
