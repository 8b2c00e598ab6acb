"""Whatever can stand on a tape comes back as it was: every event, every intent, the whole state."""

import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs

from mmbot.core import events as ev
from mmbot.core.intents import Intent
from mmbot.core.orders import Orders
from mmbot.core.state import State
from mmbot.tape import codec
from tests.core.bot import Bot, both_sides
from tests.tape.taped import TapedBot, busy

UNION = {**codec.EVENTS, **codec.INTENTS}

NUMBERS = {
    float: st.floats(allow_nan=False),
    Decimal: st.decimals(allow_nan=False),
    int: st.integers(-(2**63), 2**63 - 1),
}


def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, its fields included."""
    if isinstance(hint, typing.NewType):
        return anything(hint.__supertype__)
    if hint in NUMBERS:
        return NUMBERS[hint]
    if hint is type(None):
        return st.none()
    if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Struct)):
        members = fields(hint) if is_dataclass(hint) else structs.fields(hint)
        hints = get_type_hints(hint)
        return st.builds(hint, **{f.name: anything(hints[f.name]) for f in members})
    parts = get_args(hint)
    if get_origin(hint) in (UnionType, typing.Union):
        return st.one_of(*map(anything, parts))
    if get_origin(hint) is tuple:
        if parts[1:] == (...,):
            return st.lists(anything(parts[0]), max_size=3).map(tuple)
        return st.tuples(*map(anything, parts))
    assert isinstance(hint, type), hint
    assert hint in (str, bool) or issubclass(hint, Enum), f"what is a {hint}?"
    return st.from_type(hint)


@pytest.mark.parametrize("name", UNION)
def test_every_event_and_intent_comes_back_exactly(name: str) -> None:
    @settings(max_examples=30, deadline=None)
    @given(anything(UNION[name]))
    def comes_back(one: Any) -> None:
        raw = codec.encode(codec.named([one]))
        read = codec.decode(list[tuple[str, msgspec.Raw]], raw)
        back = codec.events_of(read) if name in codec.EVENTS else codec.intents_of(raw)
        assert back == [one]
        assert repr(back) == repr([one]), "down to the zeros of a decimal"

    comes_back()


def test_the_unions_are_closed_and_their_names_tell_them_apart() -> None:
    assert set(codec.EVENTS.values()) == set(get_args(ev.Event))
    assert set(codec.INTENTS.values()) == set(get_args(Intent))
    assert len(UNION) == len(get_args(ev.Event)) + len(get_args(Intent))


def test_what_comes_and_goes_every_turn_is_built_in_c() -> None:
    assert [kind for kind in UNION.values() if not issubclass(kind, Struct)] == []


def test_a_kind_that_this_version_does_not_know_is_named() -> None:
    with pytest.raises(ValueError, match="knows no Teleported"):
        codec.events_of([("Teleported", msgspec.Raw(codec.encode({})))])


def leaves(hint: Any, seen: set[Any]) -> Iterator[Any]:
    """Every type a type is made of."""
    if hint in seen:
        return
    seen.add(hint)
    yield hint
    parts = list(get_args(hint))
    if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Struct)):
        parts += get_type_hints(hint).values()
    for part in parts:
        yield from leaves(part, seen)


@pytest.mark.parametrize("name", UNION)
def test_nothing_that_is_recorded_can_change_before_it_is_encoded(name: str) -> None:
    """Events and intents are encoded a millisecond after they were applied."""
    for part in leaves(UNION[name], set()):
        assert (get_origin(part) or part) not in (list, dict, set), part
        if is_dataclass(part):
            assert vars(part)["__dataclass_params__"].frozen, part
        elif isinstance(part, type) and issubclass(part, Struct):
            assert part.__struct_config__.frozen, part


# --- the state --------------------------------------------------------------------------------


def states(tmp_path: Any) -> Iterator[State]:
    yield State(run="fresh")
    bot = Bot.quoting(wants=both_sides())
    bot.rest()
    yield bot.state
    taped = TapedBot(tmp_path)
    busy(taped)
    taped.files()
    yield taped.state


def test_a_state_comes_back_as_it_was(tmp_path: Any) -> None:
    for state in states(tmp_path):
        back = codec.decode_state(codec.encode_state(state))
        raw = codec.encode_state(back)
        assert codec.encode_state(codec.decode_state(raw)) == raw
        for field in fields(State):
            if field.name not in codec.UNKEPT[State] | {"orders"}:
                assert getattr(back, field.name) == getattr(state, field.name), field.name
        assert back.orders.by_label == state.orders.by_label
        assert list(back.dirty) == list(state.dirty)


def test_an_order_is_one_object_in_both_indexes() -> None:
    bot = Bot.quoting()
    bot.rest()
    orders = codec.decode_state(codec.encode_state(bot.state)).orders
    assert len(orders.by_label) == 2
    for label, order in orders.by_label.items():
        assert orders.by_instrument[order.instrument][label] is order


def test_what_is_left_out_of_the_state_is_empty_or_follows_from_the_rest() -> None:
    """A field that is left out must not be looked at by any decision."""
    assert {
        State: {"entries", "notes"},
        Orders: {"by_instrument", "changed"},
    } == codec.UNKEPT


def test_a_state_of_a_version_without_a_field_has_its_default() -> None:
    read = codec.decode(dict[str, msgspec.Raw], codec.encode_state(State(run="old", turns=3)))
    del read["controls"]
    read["abolished"] = msgspec.Raw(codec.encode(1))
    back = codec.decode_state(codec.encode(read))
    assert (back.run, back.turns, back.controls) == ("old", 3, State(run="old").controls)


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    assert codec.fingerprint() == codec.fingerprint.__wrapped__()
    assert len(codec.fingerprint()) == 12
