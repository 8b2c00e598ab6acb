"""The how-tos are run as printed: their code is a plug-in module, their tables are a desk file."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from mmbot.config import Mode, RunSettings, load_config
from mmbot.core.capabilities import unsupported
from mmbot.core.events import TradePrinted
from mmbot.core.ports import Guard, Pricer, RiskRule, Signal, Strategy
from mmbot.core.types import Side
from mmbot.core.views import Allow, Block, Ok, Pause, Valuation
from mmbot.core.why import Why
from mmbot.plugins import registry
from mmbot.plugins.registry import BUILT_IN, Family
from mmbot.venues.plugin import plugin_of, variables_of
from mmbot.venues.site import sites_of
from tests.builders import NOW_NS, a_proposal, a_view
from tests.house.pages import DOCS, blocks, how_to_desk, how_to_module
from tests.pricing.test_pricers import PERPETUAL
from tests.risk.test_guards import a_reading, held

HOUR_NS = 3_600_000_000_000
VENUE = DOCS / "adding-a-venue.md"


def test_the_how_tos_work_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_module.py").write_text(how_to_module())
    (tmp_path / "desk.toml").write_text(how_to_desk())
    monkeypatch.syspath_prepend(tmp_path)
    config = load_config({}, tmp_path / "desk.toml")
    strategy, rule = config.lone.strategy.build(), config.lone.rules[0].build()
    (guard,) = (one.build() for one in config.guards if one.name not in BUILT_IN[Family.GUARD])
    pricer, signal = _pricer(config.lone.pricer.build()), _signal(config.lone.signals[0].build())
    del sys.modules["my_module"]

    quotes = _strategy(strategy).quotes(a_view(fair=100.0))
    assert not isinstance(quotes, Why)
    assert [(quote.side, quote.price) for quote in quotes] == [(Side.BUY, 97.0), (Side.SELL, 103.0)]

    midnight_ns = NOW_NS // (24 * HOUR_NS) * 24 * HOUR_NS
    early, late = (a_view(now_ns=midnight_ns + hour * HOUR_NS) for hour in (8, 9))
    assert isinstance(_rule(rule).check(early, a_proposal()), Block)
    assert isinstance(_rule(rule).check(late, a_proposal()), Allow)

    assert _guard(guard).watch(a_reading(positions=held(1) * 4)) == Ok(0.5)
    assert isinstance(_guard(guard).watch(a_reading(positions=held(1) * 9)), Pause)

    # A quarter of the way from the mark, 90, to the middle, 100.5.
    assert pricer.fair(PERPETUAL, None, NOW_NS) == Valuation(92.625)
    assert pricer.fair(structs.replace(PERPETUAL, asks=()), None, NOW_NS) is Why.NO_FAIR

    memory = signal.start(PERPETUAL.instrument)
    for side, amount in ((Side.BUY, 3.0), (Side.SELL, 1.0)):
        signal.observe(memory, TradePrinted(PERPETUAL.instrument.id, 100.0, amount, side, 0))
    assert signal.value(memory, NOW_NS) == 2.0


def test_the_venue_of_the_how_to_says_what_is_waited_for() -> None:
    block, _ = blocks(VENUE, "python")
    said: dict[str, object] = {}
    exec(compile(block, str(VENUE), "exec"), said)
    events = said["events"]
    assert isinstance(events, list)
    assert {"LinkChanged", "BookChanged", "SnapshotTaken"} <= {type(one).__name__ for one in events}


def test_the_kind_of_the_how_to_is_one_that_a_file_may_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, kind = blocks(VENUE, "python")
    (table,) = blocks(VENUE, "toml")
    (tmp_path / "team_venue.py").write_text(kind)
    desk = f'{table}[desks.one]\nvenue = "options"\nsymbols = ["ETH-PERPETUAL"]\n'
    (tmp_path / "desk.toml").write_text(desk)
    monkeypatch.setattr(sys, "path", [*sys.path])
    config = load_config({}, tmp_path / "desk.toml")
    try:
        assert [(venue.name, venue.kind) for venue in config.venues] == [
            ("options", "team_deribit")
        ]
        (live,) = (site for site in sites_of(replace(config, run=RunSettings(mode=Mode.LIVE))))
        assert variables_of(live) == ("TEAM_API_KEY", "TEAM_API_SECRET")
        can = plugin_of("team_deribit").capabilities()
        assert unsupported(can) is None
        assert can.order_gate is not None
        assert can.order_gate.rate_per_s == 2.0
    finally:
        registry._registered[Family.VENUE].pop("team_deribit", None)
        sys.modules.pop("team_venue", None)


def _strategy(plugin: object) -> Strategy:
    return plugin  # type: ignore[return-value]  # a Protocol, by its method


def _pricer(plugin: object) -> Pricer:
    return plugin  # type: ignore[return-value]  # as above


def _signal(plugin: object) -> Signal:
    return plugin  # type: ignore[return-value]  # as above


def _rule(plugin: object) -> RiskRule:
    return plugin  # type: ignore[return-value]  # as above


def _guard(plugin: object) -> Guard:
    return plugin  # type: ignore[return-value]  # as above
