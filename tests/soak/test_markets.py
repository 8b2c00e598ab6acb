"""The soak of markets in small: nothing grows, what grows is found, and its money is right."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from mmbot.core.retire import KEPT_NS
from mmbot.core.types import SECOND
from tests.soak import markets
from tests.soak.markets import APART_MAX, AT_ONCE, LIFE_S, Sizes, grown, rows_of, run

STEADY = 60
"""Markets until the oldest keys begin to go."""


async def test_nothing_grows_between_sixty_markets_and_a_hundred(tmp_path: Path) -> None:
    assert STEADY / AT_ONCE * LIFE_S > KEPT_NS / SECOND
    early, late, turns = await run(tmp_path, STEADY, 100)
    assert (early.markets, late.markets) == (STEADY, 100)
    assert turns > 5_000
    assert {name: change for name, change in grown(early, late).items() if change > APART_MAX} == {}


async def test_what_stays_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with a state that lets no market go."""
    monkeypatch.setattr("mmbot.core.reconcile.retire", lambda *_: None)
    monkeypatch.setattr(markets.Desk, "gone", property(lambda desk: desk.listed - 2 * AT_ONCE))
    monkeypatch.setattr(markets, "check_money", lambda _: None)
    early, late, _ = await run(tmp_path, 12, 24)
    assert all(grown(early, late)[name] > APART_MAX for name in ("rows", "checkpoint_bytes"))
    assert grown(early, late)["frame_bytes"] > APART_MAX


@pytest.mark.parametrize("name", [f.name for f in fields(Sizes) if f.name != "markets"])
@pytest.mark.parametrize(("more", "code"), [(105, 0), (106, 1)])
def test_more_than_five_percent_is_too_much(
    name: str, more: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = Sizes(100, 100, 100, 100, 100)

    async def found(*_: object) -> tuple[Sizes, Sizes, int]:
        return flat, replace(flat, **{name: more}), 7

    monkeypatch.setattr(markets, "run", found)
    assert markets.main([]) == code


def test_rows_are_entries_of_whatever_is_inside() -> None:
    assert rows_of({"a": [1, 2], "b": ({"c": 3},)}) == 2 + 2 + 1 + 1
