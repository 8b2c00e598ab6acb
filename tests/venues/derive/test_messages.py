"""The messages we read are those of the venue's specification, and so are the samples."""

from typing import Any

import msgspec
import pytest

from mmbot.venues.derive import messages
from mmbot.venues.reading import Unread, read
from tests.venues.derive import samples
from tests.venues.derive.spec import faults, needs_specs, schemas

SCHEMAS: dict[type[msgspec.Struct], tuple[str, ...]] = {
    messages.Listing: ("Instrument",),
    messages.OptionDetails: ("OptionDetails",),
    messages.Pagination: ("Pagination",),
    messages.SlimTicker: ("TickerSlimSnapshot",),
    messages.OptionPricing: ("OptionPricing",),
    messages.PublicTrade: ("PublicTrade",),
    messages.Order: ("Order",),
    messages.UserTrade: ("Trade", "TradeHistoryResponse"),
    messages.Position: ("Position",),
    messages.Collateral: ("Collateral",),
    messages.Subaccount: ("Subaccount",),
    messages.FundingEvent: ("PerpSettlementEventResponse",),
    messages.OptionSettlement: ("OptionSettlementResponse",),
    messages.Interest: ("InterestPayment",),
    messages.Deposit: ("DepositEntry", "WithdrawalEntry"),
    messages.Transfer: ("TransferEntry",),
    messages.Account: ("PrivateGetAccountResponse",),
    messages.RateLimit: ("RateLimitInfo",),
    messages.RateLimits: ("RateLimitResult",),
    messages.Mmp: ("MmpConfigResult",),
    messages.SessionKey: ("SessionKey",),
    messages.Subscribed: ("SubscribeResult",),
}

SAMPLES: list[tuple[str, object, type[msgspec.Struct]]] = [
    ("Instrument", samples.ZEC_PERP, messages.Listing),
    ("Instrument", samples.BTC_PERP, messages.Listing),
    ("Instrument", samples.ETH_CALL, messages.Listing),
    ("Instrument", samples.ETH_SPOT, messages.Listing),
    ("TickerSlimSnapshot", samples.PERP_TICKER, messages.SlimTicker),
    ("TickerSlimSnapshot", samples.OPTION_TICKER, messages.SlimTicker),
    ("PublicTrade", samples.PUBLIC_TRADE, messages.PublicTrade),
    ("Order", samples.ORDER, messages.Order),
    ("Trade", samples.TRADE, messages.UserTrade),
    ("TradeHistoryResponse", samples.TRADE, messages.UserTrade),
    ("Position", samples.POSITION, messages.Position),
    ("Collateral", samples.COLLATERAL, messages.Collateral),
    ("Subaccount", samples.SUBACCOUNT, messages.Subaccount),
    ("PerpSettlementEventResponse", samples.FUNDING[1], messages.FundingEvent),
    ("OptionSettlementResponse", samples.SETTLEMENT, messages.OptionSettlement),
    ("DepositEntry", samples.DEPOSIT, messages.Deposit),
    ("PrivateGetAccountResponse", samples.ACCOUNT, messages.Account),
    ("RateLimitResult", samples.RATE_LIMITS, messages.RateLimits),
    ("MmpConfigResult", samples.MMP, messages.Mmp),
    ("SessionKey", samples.SESSION_KEY, messages.SessionKey),
]


def may_be_null(stated: dict[str, Any]) -> bool:
    kinds = [one.get("type", ()) for one in (stated, *stated.get("anyOf", ()))]
    return any(kind == "null" or "null" in kind for kind in kinds)


def test_every_message_is_held_against_the_specification() -> None:
    structs = {
        one
        for one in vars(messages).values()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one is not msgspec.Struct
    }
    assert structs == SCHEMAS.keys()


@needs_specs
@pytest.mark.parametrize("kind", SCHEMAS, ids=lambda kind: kind.__name__)
def test_what_is_vital_to_us_the_venue_promises(kind: type[msgspec.Struct]) -> None:
    for name in SCHEMAS[kind]:
        schema = schemas()[name]
        fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
        if kind in (messages.UserTrade, messages.Deposit):
            fields = {key: one for key, one in fields.items() if key in schema["properties"]}
        assert fields.keys() <= schema["properties"].keys(), name
        vital = {key for key, one in fields.items() if one.required}
        assert vital <= set(schema["required"]), name
        assert not {key for key in vital if may_be_null(schema["properties"][key])}, name


@needs_specs
@pytest.mark.parametrize(("name", "sample", "kind"), SAMPLES)
def test_the_samples_are_what_the_specification_permits(
    name: str, sample: object, kind: type[msgspec.Struct]
) -> None:
    assert faults(name, sample) == []


@needs_specs
def test_a_sample_that_the_specification_does_not_permit_is_noticed() -> None:
    assert faults("Order", {**samples.ORDER, "order_status": "resting"})
    assert faults("Subaccount", {**samples.SUBACCOUNT, "positions": [{}]})


@pytest.mark.parametrize(("name", "sample", "kind"), SAMPLES)
def test_every_sample_is_read_whole(name: str, sample: object, kind: type[msgspec.Struct]) -> None:
    unread = Unread()
    read(kind, sample, unread, name)
    assert unread.take() == []
