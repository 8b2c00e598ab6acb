"""The contestants sign. Nothing here looks at a clock."""

from tests.benchmarks.signing import BLOCK, CALL, FLOOR, OURS, contestants, signing_ns


def test_every_contestant_signs_as_often_as_it_is_asked() -> None:
    taken = signing_ns(BLOCK + 1)
    assert {FLOOR, OURS, CALL} <= taken.keys()
    assert {len(block) for blocks in taken.values() for block in blocks} == {BLOCK}
    assert {len(blocks) for blocks in taken.values()} == {2}


def test_each_signature_is_another_ones_and_has_65_bytes() -> None:
    sign = contestants()[OURS]
    first, second = sign(), sign()
    assert first != second
    assert isinstance(first, str)
    assert len(bytes.fromhex(first[2:])) == 65


def test_the_floor_is_one_signature_too() -> None:
    floor = contestants()[FLOOR]()
    assert isinstance(floor, str)
    assert len(bytes.fromhex(floor)) == 65
