"""The weathers a simulated market can have: how its prices move and how its crowd trades."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mmbot.sim.market.flow import FlowParams
from mmbot.sim.market.underlying import PathParams


@dataclass(frozen=True, slots=True)
class Preset:
    """A weather: how the prices move and how the crowd trades."""

    path: PathParams
    flow: FlowParams


PRESETS: Final = MappingProxyType(
    {
        "normal": Preset(PathParams(), FlowParams()),
        "calm": Preset(
            PathParams(
                vol_mean=0.30,
                jumps_a_day=1.0,
                large_jumps_a_day=0.05,
                news_per_hour=12.0,
                news_share=0.3,
                news_points=2.5,
            ),
            FlowParams(width_scale=0.9),
        ),
        "toxic": Preset(
            PathParams(
                vol_mean=0.60,
                jumps_a_day=12.0,
                news_per_hour=40.0,
                news_share=0.75,
                news_points=12.0,
            ),
            FlowParams(noise_per_s=0.12),
        ),
        "crash": Preset(
            PathParams(
                vol_mean=1.2,
                jumps_a_day=60.0,
                large_jumps_a_day=3.0,
                large_jump_sd=0.025,
                jump_mean_sds=-1.0,
                news_points=15.0,
            ),
            FlowParams(width_scale=2.0),
        ),
    }
)
