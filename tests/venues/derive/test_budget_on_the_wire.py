"""Four options on two sides with one request a second, on real sockets in a violent market: what
would lose most is moved, in that order, the rest says so, and the venue never has to refuse."""

import pytest

from mmbot.core import turn
from mmbot.core.diff import Action
from mmbot.core.intents import Place, Replace, VenueIntent
from mmbot.core.resting import expected_loss
from mmbot.core.spend import spend
from mmbot.core.state import State
from mmbot.core.types import Label, Nanos
from mmbot.core.why import Why
from tests.contract.bench import World
from tests.contract.desk import desk_on
from tests.contract.venues.derive import DeriveBench

Spent = tuple[dict[Label, float], set[Label]]
"""What each order that leads would lose where it rests, and which of them are moved."""

SHORT_TURNS = 1


class FourOptions(DeriveBench):
    """The chain of the demonstration."""

    instruments = (  # type: ignore[assignment]  # two are enough for the contract
        "ETH-20250606-2800-C",
        "ETH-20250606-2800-P",
        "ETH-20250606-2900-C",
        "ETH-20250606-2900-P",
    )


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> list[Spent]:
    """By turn. An order whose instrument has no request left of its own is left out."""
    turns: list[Spent] = []

    def watched(state: State, actions: list[Action], now_ns: Nanos) -> list[VenueIntent]:
        losses: dict[Label, float] = {}
        for action in actions:
            order, target = action.order, action.target
            each = state.account_of(action.instrument).gates.get(
                f"per instrument {action.instrument}"
            )
            if order is None or target is None or (each and not each.affords(2.0)):
                continue
            if (order.price - target.price) * order.side.sign > 0:
                losses[order.label] = expected_loss(state.markets[action.instrument], order, target)
        sent = spend(state, actions, now_ns)
        turns.append((losses, {one.old for one in sent if isinstance(one, Replace)}))
        return sent

    monkeypatch.setattr(turn, "spend", watched)
    return turns


async def test_the_moves_that_would_lose_most_reach_the_venue(spent: list[Spent]) -> None:
    world = World(scale=2.0, violent=True, unlimited=False)
    async with FourOptions(world) as bench, desk_on(bench) as desk:

        def short() -> list[Spent]:
            return [
                (losses, went)
                for losses, went in spent
                if losses.keys() & went and losses.keys() - went
            ]

        def says_so() -> bool:
            whys = [why for market in desk.state.markets.values() for why in market.why.values()]
            return Why.RATE_LIMITED in whys

        await bench.until(lambda: len(short()) >= SHORT_TURNS and says_so(), "the budget is short")
        for losses, went in short():
            least = min(losses[label] for label in losses.keys() & went)
            assert least >= max(losses[label] for label in losses.keys() - went)
        sent = [one.label for one in desk.intents if isinstance(one, Place | Replace)]
        arrived = bench.labels
        assert arrived == sent[: len(arrived)]
        assert Why.RATE_LIMITED.value == "budget short"
        assert bench.tap.refused_for_rate == 0
