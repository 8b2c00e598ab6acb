"""The messages that fuzzing draws are what they are said to be."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.spec import law
from tests.wire.spec.strategies import Break, Broken, broken, permitted

READ = (
    "private/get_account_summaries",
    "private/get_open_orders",
    "private/get_positions",
    "private/get_transaction_log",
    "private/buy",
    "public/get_instruments",
    "ticker.(instrument_name).(interval)",
    "book.(instrument_name).(interval)",
    "user.changes.(kind).(currency).(interval)",
    "instrument.state.(kind).(currency)",
)
FEW = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def faults(name: str, message: object) -> list[str]:
    if name in law.law()["methods"]:
        return law.faults_of_reply(name, message)
    return law.faults_of_pattern(name, message)


@pytest.mark.parametrize("name", READ)
@FEW
@given(data=st.data())
def test_what_is_permitted_has_no_fault(name: str, data: st.DataObject) -> None:
    assert not faults(name, data.draw(permitted(name)))


@settings(FEW, max_examples=100)
@given(data=st.data())
def test_anything_that_the_extract_has_can_be_drawn(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted({**law.law()["methods"], **law.law()["channels"]})))
    assert not faults(name, data.draw(permitted(name)))


@settings(FEW, max_examples=50)
@given(data=st.data())
def test_what_is_broken_differs_in_one_field(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(READ))
    drawn: Broken = data.draw(broken(name))
    holder = drawn.message
    for step in drawn.path[:-1]:
        holder = holder[step]
    if drawn.how is Break.REMOVED:
        gone = isinstance(holder, list) or drawn.path[-1] not in holder
        assert gone
    else:
        assert drawn.path[-1] in holder or isinstance(holder, list)
