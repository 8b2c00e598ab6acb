"""Orders as the venue wants them: what is stated is what is signed, and what the venue permits."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from mmbot.core.intents import Place, Replace
from mmbot.core.types import InstrumentId, Label, Side, TimeInForce
from mmbot.core.why import Why
from mmbot.venues.derive import orders
from mmbot.venues.derive.catalog import Listed, listed_of
from mmbot.venues.derive.orders import Call, Seal
from mmbot.venues.derive.signing import TESTNET, OrderTerms, Signer, Unsignable
from mmbot.venues.reading import Unread
from tests.venues.derive import samples
from tests.venues.derive.spec import faults, needs_specs, params_of, schemas

SIGNER = Signer("11" * 32, "0x5cb67F7829d01d9C75385A920De5E51060663374", 75723, TESTNET)
SEAL = Seal(nonce=1754472862000000000, expiry_s=1893456000, mmp=True)
NAME = "ETH-20250606-2800-C"


def listed(sample: dict[str, Any] = samples.ETH_CALL, **changes: Any) -> Listed:
    found = listed_of("derive", {**sample, **changes}, Unread())
    assert found is not None
    return found


PLACE = Place(
    instrument=InstrumentId(f"derive:{NAME}"),
    label=Label("mm1k3xq0z-2a"),
    side=Side.BUY,
    price=Decimal("118.2"),
    amount=Decimal("1.50"),
    post_only=True,
    reduce_only=False,
    valid_until_ns=1_748_865_604_000_000_000,
    why=Why.IMPROVING,
)
REPLACE = Replace(
    instrument=PLACE.instrument,
    old=Label("mm1k3xq0z-29"),
    order_id="c33e2299-e60e-4d71-8910-15cd5ea43fef",
    label=PLACE.label,
    side=Side.SELL,
    price=Decimal(119),
    amount=Decimal(2),
    post_only=True,
    reduce_only=False,
    valid_until_ns=PLACE.valid_until_ns,
    why=Why.MOVED,
)


def placed(**changes: Any) -> dict[str, Any]:
    method, params = orders.place(structs.replace(PLACE, **changes), listed(), SIGNER, SEAL)
    assert method == "private/order"
    return params


def signature_of(params: dict[str, Any], asset: Listed) -> str:
    """What the signature has to be by what the request states, and nothing else."""
    return SIGNER.sign_order(
        OrderTerms(
            asset=asset.asset,
            side=Side(params["direction"]),
            price=Decimal(params["limit_price"]),
            amount=Decimal(params["amount"]),
            max_fee=Decimal(params["max_fee"]),
            nonce=int(params["nonce"]),
            expiry_s=params["signature_expiry_sec"],
        )
    )


def test_a_quote_says_all_that_the_venue_wants() -> None:
    params = placed()
    assert params.pop("signature") == signature_of(placed(), listed())
    assert params == {
        "instrument_name": NAME,
        "subaccount_id": 75723,
        "direction": "buy",
        "limit_price": "118.2",
        "amount": "1.5",
        "max_fee": "1000",
        "nonce": "1754472862000000000",
        "signature_expiry_sec": 1893456000,
        "signer": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
        "order_type": "limit",
        "time_in_force": "post_only",
        "reject_post_only": True,
        "label": "mm1k3xq0z-2a",
        "mmp": True,
        "reject_timestamp": 1748865604000,
    }


def test_a_hedge_that_trades_at_once_is_no_quote() -> None:
    hedge = structs.replace(
        PLACE, post_only=False, reduce_only=True, time_in_force=TimeInForce.IOC, side=Side.SELL
    )
    _, params = orders.place(hedge, listed(), SIGNER, dataclasses.replace(SEAL, mmp=False))
    assert (params["time_in_force"], params["reduce_only"]) == ("ioc", True)
    assert (params["direction"], params["mmp"]) == ("sell", False)
    assert "reject_post_only" not in params


def test_what_rests_cannot_promise_to_reduce() -> None:
    assert "reduce_only" not in placed(reduce_only=True)
    assert placed(post_only=False)["time_in_force"] == "gtc"


def test_a_replace_names_the_order_that_ends() -> None:
    method, params = orders.replace(REPLACE, listed(), SIGNER, SEAL)
    assert method == "private/replace"
    assert params["order_id_to_cancel"] == REPLACE.order_id
    assert (params["direction"], params["limit_price"]) == ("sell", "119")
    assert params["label"] == REPLACE.label
    assert params["signature"] == signature_of(params, listed())


# --- quantized before it is signed ------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "price", "stated"),
    [
        (Side.BUY, "118.27", "118.2"),
        (Side.SELL, "118.21", "118.3"),
        (Side.BUY, "118.2000000000000001", "118.2"),
        (Side.SELL, "118.20", "118.2"),
    ],
)
def test_a_price_beside_the_grid_goes_away_from_the_market(
    side: Side, price: str, stated: str
) -> None:
    params = placed(side=side, price=Decimal(price))
    assert Decimal(params["limit_price"]) == Decimal(stated)
    assert params["signature"] == signature_of(params, listed())


@pytest.mark.parametrize(
    ("amount", "stated"), [("1.5099", "1.50"), ("0.1", "0.1"), ("5000", "1000")]
)
def test_an_amount_is_whole_lots_and_not_too_large(amount: str, stated: str) -> None:
    params = placed(amount=Decimal(amount))
    assert Decimal(params["amount"]) == Decimal(stated)
    assert params["signature"] == signature_of(params, listed())


@pytest.mark.parametrize(
    "changes",
    [{"amount": Decimal("0.0999")}, {"amount": Decimal(-1)}, {"price": Decimal("0.09")}],
)
def test_what_is_nothing_on_the_grid_is_not_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(Unsignable):
        placed(**changes)


@given(
    st.decimals("0.2", "100000", places=18),
    st.decimals("0.2", "900", places=18),
    st.sampled_from(list(Side)),
)
def test_no_order_has_more_digits_than_may_be_signed(
    price: Decimal, amount: Decimal, side: Side
) -> None:
    params = placed(price=price, amount=amount, side=side)
    for name in ("limit_price", "amount", "max_fee"):
        assert set(params[name]) <= set("0123456789.")
        assert len(params[name].partition(".")[2]) <= 12
    assert params["signature"] == signature_of(params, listed())


# --- cancels ----------------------------------------------------------------------------------

CANCELS = [
    orders.cancel(75723, NAME, REPLACE.order_id),
    orders.cancel_by_label(75723, NAME, "mm1k3xq0z-2a"),
    orders.cancel_by_nonce(75723, NAME, 1754472862000000000),
    orders.cancel_all(75723),
    orders.cancel_all(75723, NAME),
]


def test_each_cancel_has_its_method() -> None:
    assert [method for method, _ in CANCELS] == [
        "private/cancel",
        "private/cancel_by_label",
        "private/cancel_by_nonce",
        "private/cancel_all",
        "private/cancel_by_instrument",
    ]
    assert all(params["subaccount_id"] == 75723 for _, params in CANCELS)


# --- the venue's specification ----------------------------------------------------------------


@needs_specs
@pytest.mark.parametrize(
    "call",
    [
        orders.place(PLACE, listed(), SIGNER, SEAL),
        orders.place(
            structs.replace(
                PLACE, post_only=False, reduce_only=True, time_in_force=TimeInForce.IOC
            ),
            listed(),
            SIGNER,
            SEAL,
        ),
        orders.place(
            structs.replace(
                PLACE, instrument=InstrumentId("derive:BTC-PERP"), price=Decimal(84000)
            ),
            listed(samples.BTC_PERP),
            SIGNER,
            SEAL,
        ),
        orders.replace(REPLACE, listed(), SIGNER, SEAL),
        *CANCELS,
    ],
    ids=lambda call: call[0],
)
def test_the_venue_permits_every_call(call: Call) -> None:
    method, params = call
    schema = params_of(method)
    assert faults(schema, params) == []
    assert params.keys() <= schemas()[schema]["properties"].keys()


@needs_specs
def test_a_call_that_the_venue_does_not_permit_is_noticed() -> None:
    _, params = orders.place(PLACE, listed(), SIGNER, SEAL)
    assert faults("CreateOrderRequest", {**params, "subaccount_id": "75723"})
    del params["nonce"]
    assert faults("CreateOrderRequest", params)


# --- the fee cap ------------------------------------------------------------------------------


def test_the_cap_is_far_from_what_is_charged_and_never_in_its_way() -> None:
    # The smallest order that takes, 0.1 at 118: 0.0004 x 2850 and 0.5 / 0.1: 6.14 a unit.
    assert orders.max_fee_of(listed(), Decimal(118), Decimal(2850)) == 1000
    # 0.001 BTC: 0.0003 x 84000 + 0.5 / 0.001 = 525.2 a unit, ten times.
    found = listed(samples.BTC_PERP, base_fee="0.5")
    assert orders.max_fee_of(found, Decimal(84000), Decimal(84000)) == 5252
    assert orders.max_fee_of(found, Decimal(84000), None) == 5252
