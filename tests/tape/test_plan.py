"""What a tape says of its desk builds the same desk again."""

from dataclasses import replace

from mmbot.core.desk import Desk
from mmbot.plugins.registry import Family
from mmbot.pricing.mark import Mark
from mmbot.pricing.mid import Mid
from mmbot.strategies.improve_top import ImproveTop
from mmbot.tape.codec import decode, encode
from mmbot.tape.plan import DeskPlan, PluginPlan

VENUE = "deribit"
BARE = DeskPlan("test", VENUE, PluginPlan.of(Family.STRATEGY, "improve_top", ImproveTop()), (), 0)


def built(plan: DeskPlan) -> Desk:
    return decode(DeskPlan, encode(plan)).build()


def test_the_pricer_is_on_the_tape_with_its_settings() -> None:
    mid = Mid(weighted=True)
    desk = built(replace(BARE, pricer=PluginPlan.of(Family.PRICER, "mid", mid)))
    assert (desk.pricer, desk.pricer_name) == (mid, "mid")


def test_a_tape_from_before_there_was_a_choice_was_priced_by_the_mark() -> None:
    assert (built(BARE).pricer, built(BARE).pricer_name) == (Mark(), "mark")
