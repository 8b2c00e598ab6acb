"""A configuration's desk: its strategy, its pricer and its rules, ready to decide."""

from typing import cast

from mmbot.config import Config
from mmbot.core.desk import Desk
from mmbot.core.ports import Hedger, Pricer, RiskRule, Signal, Strategy
from mmbot.core.types import SECOND


def trading_desk(config: Config, venue: str) -> Desk:
    """The strategy and the rules of a configuration, for every instrument it names."""
    return Desk(
        name=config.strategy.name,
        venue=venue,
        strategy=cast(Strategy, config.strategy.build()),
        rules=tuple(cast(RiskRule, rule.build()) for rule in config.rules),
        refresh_ns=int(config.desk.refresh_s * SECOND),
        pricer=cast(Pricer, config.pricer.build()),
        pricer_name=config.pricer.name,
        hedger=None if config.hedger is None else cast(Hedger, config.hedger.build()),
        hedger_name="" if config.hedger is None else config.hedger.name,
        signals=tuple((table.name, cast(Signal, table.build())) for table in config.signals),
    )
