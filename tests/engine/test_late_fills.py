"""An engine at a venue whose trades are only matched at first: what it books and what it lists."""

from dataclasses import replace

import pytest

from mmbot.core.types import ZERO
from mmbot.sim.exchange.listing import Side
from tests.cli.inprocess import Mmbot
from tests.engine.live import live, until
from tests.engine.test_live import QUIET, hit, quoted


async def test_a_fill_is_listed_as_provisional_and_then_as_voided_with_its_reversal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mmbot.sim.exchange.finality.FAILS", 1.0)
    monkeypatch.setattr("mmbot.sim.exchange.finality.LATE", 0.0)
    monkeypatch.setattr("mmbot.sim.exchange.finality.SOON_S", (4.0, 4.0))
    mmbot = Mmbot(monkeypatch, capsys)

    def listed() -> list[str]:
        return sorted({row["finality"] for row in mmbot.json("fills", "list")})

    options = replace(QUIET, rules=replace(QUIET.rules, fills_final=False))
    async with live(options) as bot:
        await quoted(bot)
        bot.venue.freeze()
        hit(bot, Side.SELL, "50")
        await until(lambda: bool(bot.state.inventory.provisional), "told")
        await until(lambda: listed() == ["provisional"], "listed as provisional")
        bot.venue.exchange.conclude(bot.venue.now_ms() + 60_000)
        bot.venue.publish()
        await until(lambda: not bot.state.inventory.provisional, "taken back")
        held = [position.amount for position in bot.state.inventory.positions.values()]
        assert set(held) <= {ZERO}
        await until(lambda: listed() == ["voided"], "listed as voided")
    rows = mmbot.json("fills", "list")
    reversals = [row["reverses"] for row in rows if row["reverses"]]
    assert len(rows) == 2 * len(reversals) > 0
    assert {row["trade_id"] for row in rows} >= set(reversals)
