"""A configuration's desk: its strategy, its pricer and its rules, ready to decide."""

from typing import cast

from mmbot.config import DeskConfig
from mmbot.core.desk import Desk
from mmbot.core.ports import Hedger, Pricer, RiskRule, Signal, Strategy
from mmbot.core.types import SECOND


def trading_desk(desk: DeskConfig) -> Desk:
    """The strategy and the rules of a desk, for every instrument it names."""
    return Desk(
        name=desk.name,
        venue=desk.settings.venue,
        strategy=cast(Strategy, desk.strategy.build()),
        rules=tuple(cast(RiskRule, rule.build()) for rule in desk.rules),
        refresh_ns=int(desk.settings.refresh_s * SECOND),
        pricer=cast(Pricer, desk.pricer.build()),
        pricer_name=desk.pricer.name,
        hedger=None if desk.hedger is None else cast(Hedger, desk.hedger.build()),
        hedger_name="" if desk.hedger is None else desk.hedger.name,
        signals=tuple((table.name, cast(Signal, table.build())) for table in desk.signals),
    )
