"""No garbage is collected while much is imported, and afterwards all is as it was."""

import gc

import pytest

from mmbot.plugins.importing import importing


def test_the_collector_rests_and_goes_on() -> None:
    assert gc.isenabled()
    with importing():
        assert not gc.isenabled()
        with importing():
            pass
        assert not gc.isenabled(), "the outer one is not over"
    assert gc.isenabled()


def test_it_goes_on_after_an_import_that_failed() -> None:
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()


def test_who_has_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with importing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
