"""Histories on the simulated Derive: nothing that must hold breaks, and all of them settle.

A seed that fails is run by hand with `python -m tests.simulation SEED 1 harsh derive`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mmbot.core import events as ev
from mmbot.core.order_life import Request
from mmbot.core.types import MS, instrument_name
from mmbot.core.why import Why
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.market import chain
from mmbot.sim.market.market import START_MS, START_PRICES
from mmbot.sim.models.faults import FaultPlan, Harshness
from mmbot.sim.virtual.kinds import kind_of
from mmbot.sim.virtual.translate import instrument_of
from mmbot.sim.virtual.world import World
from mmbot.sim.wire.derive import signatures
from mmbot.sim.wire.derive.protocol import DeriveProtocol
from mmbot.sim.wire.derive.shapes import instrument
from mmbot.sim.wire.manner import Manner
from mmbot.venues.derive.catalog import listed_of
from mmbot.venues.reading import Unread
from tests.simulation.drawn import DERIVE, DERIVE_LOTS, drawn_on_derive

CHUNK = 5
HARSH = range(1, 21, CHUNK)
MILD = range(1001, 1011, CHUNK)
CALM = range(2001, 2006, CHUNK)
LONG = range(10_001, 10_251, CHUNK)
LONG_MILD = range(11_001, 11_101, CHUNK)


def failures(first: int, harshness: Harshness) -> list[str]:
    """What did not hold in one chunk of seeds, with the command that shows it again."""
    found: list[str] = []
    for seed in range(first, first + CHUNK):
        outcome = drawn_on_derive(seed, harshness).run()
        wrong = outcome.violation
        if wrong is not None:
            found.append(
                f"seed {seed}, turn {wrong.turn}: {wrong.check}: {wrong.detail}\n  {wrong.event}\n"
                f"  python -m tests.simulation {seed} 1 {harshness.value} derive"
            )
    return found


@pytest.mark.parametrize("first", HARSH)
def test_harsh_seeds_hold(first: int) -> None:
    assert not failures(first, Harshness.HARSH)


@pytest.mark.parametrize("first", MILD)
def test_mild_seeds_hold(first: int) -> None:
    assert not failures(first, Harshness.MILD)


@pytest.mark.parametrize("first", CALM)
def test_seeds_without_faults_hold(first: int) -> None:
    assert not failures(first, Harshness.NONE)


@pytest.mark.long
@pytest.mark.parametrize("first", LONG)
def test_two_hundred_and_fifty_more_hold(first: int) -> None:
    assert not failures(first, Harshness.HARSH)


@pytest.mark.long
@pytest.mark.parametrize("first", LONG_MILD)
def test_a_hundred_more_mild_ones_hold(first: int) -> None:
    assert not failures(first, Harshness.MILD)


# --- one seed, one history --------------------------------------------------------------------


def changed(seed: int, plan: FaultPlan | None = None, **changes: object) -> World:
    """A drawn world with other options."""
    world = drawn_on_derive(seed)
    options = replace(world.options, **changes)  # type: ignore[arg-type]  # by name
    return World(seed, plan or world.trouble.plan, world.desks, world.guards, options)


@pytest.mark.parametrize("manner", Manner)
def test_frames_that_pass_as_text_are_the_same_history(manner: Manner) -> None:
    def history(*, as_text: bool) -> str:
        return changed(3, manner=manner, as_text=as_text, seconds=15.0).run().hash

    assert history(as_text=True) == history(as_text=False)


def test_another_seed_is_another_history_and_the_same_one_is_the_same() -> None:
    one = changed(1, seconds=10.0).run().hash
    assert changed(1, seconds=10.0).run().hash == one
    assert changed(2, seconds=10.0).run().hash != one


# --- what happens in them ---------------------------------------------------------------------


def told(world: World) -> list[ev.Event]:
    """Everything that the bot is told in a history that holds."""
    heard: list[ev.Event] = []
    tell = world.checks.told

    def listen(event: ev.Event) -> None:
        heard.append(event)
        tell(event)

    world.checks.told = listen  # type: ignore[method-assign]
    assert world.run().violation is None
    return heard


def test_a_replace_that_cancels_and_does_not_create_happens_and_is_survived() -> None:
    """A post-only order that would trade is refused once the old one is cancelled."""
    found: Counter[Why] = Counter()
    for seed in (3, 5, 7):
        world = changed(seed, FaultPlan(seed=seed), raids_per_s=3.0, people=False)
        for event in told(world):
            if isinstance(event, ev.RequestRefused) and event.request is Request.PLACE:
                found[event.why] += 1
    assert found[Why.CROSSED_BOOK] > 0


def test_an_order_that_is_not_confirmed_may_have_been_placed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the requests that a fault severs are answered with 9000 instead, and of those half
    are carried out: nobody can tell which, so that none counts as refused."""
    codes: Counter[int] = Counter()
    refuse = DeriveProtocol.refuse

    def refusing(self: DeriveProtocol, session: Any, request: Any, code: int) -> None:
        codes[code] += 1
        refuse(self, session, request, code)

    monkeypatch.setattr(DeriveProtocol, "refuse", refusing)
    heard: list[ev.Event] = []
    for seed in (3, 5, 7):
        heard += told(changed(seed, FaultPlan(seed=seed, cut_mid_order=0.3), seconds=30.0))
    assert codes[9000] > 2
    assert sum(isinstance(one, ev.OutcomeUnknown) for one in heard) >= codes[9000]
    assert not any(isinstance(one, ev.RequestRefused) and "9000" in one.detail for one in heard)


def test_every_signature_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every seed: hundreds of them cost little beside the rest of a history."""
    verified: Counter[bool] = Counter()
    check: Callable[[Any, str], bool] = signatures.Action.is_signed

    def is_signed(self: signatures.Action, signature: str) -> bool:
        verified[check(self, signature)] += 1
        return check(self, signature)

    monkeypatch.setattr(signatures.Action, "is_signed", is_signed)
    outcome = changed(1, FaultPlan(seed=1), seconds=10.0).run()
    asked = outcome.requests["Place"] + outcome.requests.get("Replace", 0)
    assert verified[True] >= asked > 0
    assert verified[False] == 0


# --- what the world says of instruments is what the venue says --------------------------------


@pytest.mark.parametrize("name", DERIVE_LOTS)
def test_terms_are_those_that_the_session_reads(name: str) -> None:
    rules = kind_of(DERIVE).face.rules
    exchange = Exchange("w", rules)
    families = chain.families_of(rules)
    (listing,) = (
        one
        for family in families
        for one in chain.listings(family, START_PRICES[family.underlying], START_MS)
        if one.name == name
    )
    exchange.list(listing)
    read = listed_of(DERIVE, instrument(exchange, listing, None), Unread())
    assert read is not None
    told = instrument_of(listing, DERIVE)
    for field in ("id", "kind", "underlying", "settlement", "inverse", "contract_size", "grid"):
        assert getattr(told, field) == getattr(read.instrument, field), field
    for field in ("fees", "strike", "right", "expiry_ns"):
        assert getattr(told, field) == getattr(read.instrument, field), field
    assert instrument_name(told.id) == name
    assert (told.expiry_ns or START_MS * MS + 1) > START_MS * MS
