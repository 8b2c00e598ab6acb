"""The README's how-tos are run: their code is a plug-in, their table is a desk file."""

import re
import sys
from pathlib import Path

import pytest

from mmbot.config import load_config
from mmbot.core.ports import RiskRule, Strategy
from mmbot.core.types import Side
from mmbot.core.views import Allow, Block
from tests.builders import NOW_NS, a_proposal, a_view

README = Path(__file__).parents[2] / "README.md"
HOUR_NS = 3_600_000_000_000


def blocks(language: str) -> list[str]:
    """The README's code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_how_tos_work_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_module.py").write_text("\n".join(blocks("python")))
    desk = "[desk]\nsymbols = ['ETH-PERPETUAL']\n"
    (tmp_path / "desk.toml").write_text(blocks("toml")[0] + desk)
    monkeypatch.syspath_prepend(tmp_path)
    config = load_config({}, tmp_path / "desk.toml")
    strategy, rule = config.strategy.build(), config.rules[0].build()
    del sys.modules["my_module"]

    quotes = list(_strategy(strategy).quotes(a_view(fair=100.0)))
    assert [(quote.side, quote.price) for quote in quotes] == [(Side.BUY, 97.0), (Side.SELL, 103.0)]

    midnight_ns = NOW_NS // (24 * HOUR_NS) * 24 * HOUR_NS
    early, late = (a_view(now_ns=midnight_ns + hour * HOUR_NS) for hour in (8, 9))
    assert isinstance(_rule(rule).check(early, a_proposal()), Block)
    assert isinstance(_rule(rule).check(late, a_proposal()), Allow)


def _strategy(plugin: object) -> Strategy:
    return plugin  # type: ignore[return-value]  # a Protocol, by its method


def _rule(plugin: object) -> RiskRule:
    return plugin  # type: ignore[return-value]  # as above
