"""Market-maker protection as the session asks for it: set, read back, believed frozen, reset."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from mmbot.core.events import Link
from mmbot.core.protection import FOREVER, ProtectionTold
from mmbot.core.types import MS, SECOND, TimeInForce
from mmbot.venues.derive.protection import Terms
from mmbot.venues.derive.session import DeriveSession
from tests.builders import NOW_NS
from tests.venues.derive.driven import CALL, PART, SUBACCOUNT, Driven, signer
from tests.venues.derive.samples import ORDER
from tests.venues.derive.test_session_orders import place

SET, READ, RESET = "private/set_mmp_config", "private/get_mmp_config", "private/reset_mmp"
UNFREEZES_MS = NOW_NS // MS + 60_000


def terms(**changes: Any) -> Terms:
    given: dict[str, Any] = {
        "interval_ms": 5000,
        "frozen_ms": 0,
        "amount": Decimal("2.5"),
        "delta": Decimal(0),
        "auto_reset_s": None,
    }
    return Terms(**given | changes)


def row(*, frozen: bool = False, until_ms: int = 0, frozen_ms: int = 0) -> dict[str, Any]:
    return {
        "subaccount_id": SUBACCOUNT,
        "currency": "ETH",
        "is_frozen": frozen,
        "mmp_unfreeze_time": until_ms,
        "mmp_interval": 5000,
        "mmp_frozen_time": frozen_ms,
        "mmp_amount_limit": "2.5",
        "mmp_delta_limit": "0",
    }


def up(settings: Terms | None, answers: Mapping[str, Any] | None = None) -> Driven:
    """An account with these settings, signed in."""
    session = DeriveSession("derive", signer(), PART, NOW_NS, mmp=settings)
    told = Driven(session, {SET: "ok", READ: [row()], RESET: "ok", **(answers or {})}).list_all()
    told.carry_out(session.start(told.instruments, told.now_ns))
    told.wait(25.0)  # reads are one a second at first
    return told


def freeze(driven: Driven) -> None:
    gone = {**ORDER, "instrument_name": CALL, "order_status": "cancelled"}
    gone["cancel_reason"] = "mmp_trigger"
    driven.push(Link.TRADING, f"{SUBACCOUNT}.orders", [gone])
    driven.wait(1.0)


def quotes_say(driven: Driven, **changes: Any) -> Any:
    """What an order says of protection."""
    driven.submit(place(**changes))
    return driven.calls("private/order")[-1].get("mmp")


def test_it_is_set_for_every_coin_and_quotes_say_so_and_hedges_do_not() -> None:
    driven = up(terms())
    assert driven.calls(SET) == [
        {
            "subaccount_id": SUBACCOUNT,
            "currency": "ETH",
            "mmp_interval": 5000,
            "mmp_frozen_time": 0,
            "mmp_amount_limit": "2.5",
            "mmp_delta_limit": "0",
        }
    ]
    assert driven.told(ProtectionTold) == [ProtectionTold("derive", "ETH", 0)]
    assert quotes_say(driven) is True
    assert not quotes_say(driven, post_only=False, time_in_force=TimeInForce.IOC)


def test_without_settings_nothing_is_asked_and_no_quote_says_so() -> None:
    driven = up(None)
    assert not {SET, READ} & set(driven.methods())
    assert not quotes_say(driven)


def test_what_was_not_read_back_is_not_relied_on() -> None:
    driven = up(terms(), {READ: [{**row(), "mmp_interval": 0}]})
    assert not quotes_say(driven)
    assert driven.told(ProtectionTold) == []


@pytest.mark.parametrize(
    ("settings", "stated", "until_ns", "said"),
    [
        (terms(), row(frozen=True), FOREVER, "`mmbot unpause --venue derive` resets that"),
        (
            terms(frozen_ms=60_000),
            row(frozen=True, until_ms=UNFREEZES_MS, frozen_ms=60_000),
            UNFREEZES_MS * MS,
            "for 60 s; `mmbot unpause --venue derive` resets that now",
        ),
    ],
)
def test_a_freeze_is_believed_at_once_and_the_venue_says_until_when(
    settings: Terms, stated: dict[str, Any], until_ns: int, said: str
) -> None:
    driven = up(settings)
    driven.forget()
    driven.answers[READ] = [stated]
    freeze(driven)
    assert driven.told(ProtectionTold) == [
        ProtectionTold("derive", "ETH", FOREVER),
        ProtectionTold("derive", "ETH", until_ns),
    ]
    assert driven.notes == [f"warning: derive: the venue has frozen our quotes on ETH: {said}"]
    driven.answers[READ] = [row()]
    driven.wait(61.0)
    assert driven.told(ProtectionTold)[-1] == ProtectionTold("derive", "ETH", 0)
    assert "warning: derive: the venue takes our quotes on ETH again" in driven.notes
    assert driven.calls(RESET) == []


def test_the_policy_resets_it_after_its_time() -> None:
    driven = up(terms(auto_reset_s=10.0))
    driven.answers[READ] = [row(frozen=True)]
    freeze(driven)
    assert "it is reset in 10 s" in driven.notes[-1]
    froze_ns = driven.now_ns
    driven.wait(8.0)
    assert driven.calls(RESET) == []
    driven.answers[READ] = [row()]
    driven.wait(4.0)
    assert driven.calls(RESET) == [{"subaccount_id": SUBACCOUNT}]
    assert driven.now_ns - froze_ns < 15 * SECOND
    assert driven.told(ProtectionTold)[-1].frozen_until_ns == 0
