"""Who signed: the vectors of the fact sheet, and what a bit of difference does."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from eth_hash.auto import keccak

from mmbot.sim.exchange.listing import Right
from mmbot.sim.exchange.rules import Period
from mmbot.sim.market import chain
from mmbot.sim.market.chain import Expiry
from mmbot.sim.wire.derive.assets import asset_of
from mmbot.sim.wire.derive.signatures import (
    MAINNET,
    ORDER_OF_CURVE,
    TESTNET,
    Action,
    address_of,
    checksummed,
    personal_digest,
    recovered,
    scaled,
)
from mmbot.sim.wire.derive.terms import ETH
from tests.sim.wire.derive.venue import sign

KEY = bytes.fromhex("11" * 32)
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
ACTION = Action(
    subaccount_id=75723,
    nonce=1754472862000000000,
    expiry_sec=1893456000,
    owner="0x5cb67F7829d01d9C75385A920De5E51060663374",
    signer=ADDRESS,
    asset="0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4",
    sub_id=2576980377601813910400,
    limit_price=Decimal(100),
    amount=Decimal(1),
    max_fee=Decimal(1000),
    is_bid=True,
)
ON_TESTNET = (
    "2039eee525b1cdd5e3e146c2b81ae4ac7f8051aad1c09cadd18ff70aa02c62e7"
    "72b42609da8a5407cc4b4f78dc58c0cb621764ea1b6681f4a960970f24b5acdb1c"
)
ON_MAINNET = (
    "9b53249e31a3dc809d5207e12aed1c86dd995d83443f5b116edbc6a16d178e91"
    "6c9655e2ee5cd4878a9680f3001354f8607faaa0ebbf7abde2393fe963e625cd1b"
)


def test_a_key_has_the_address_of_the_vector() -> None:
    assert checksummed(address_of(KEY)) == ADDRESS


def test_a_login_is_recovered_from_the_vector() -> None:
    signature = (
        "0x44461a1270add412f5f2af4c0174988368fd49766c4719385a50209d27185f6d"
        "083628158a1e8619d14cdc0d3444e0a755d487ad7e5443cbd22ab5b09a7b4cb11b"
    )
    assert recovered(personal_digest("1790000000000"), signature) == ADDRESS.lower()
    assert recovered(personal_digest("1790000000001"), signature) != ADDRESS.lower()


def test_an_order_is_packed_and_hashed_as_in_the_vector() -> None:
    assert keccak(ACTION.data).hex() == (
        "f0a92667b58ef5c2c909d8997d6985938251ba5990ac0bdeaa887dff5f1d484d"
    )
    assert ACTION.hash.hex() == "4dde45b3bff531ec2de24fe0bf73289482fc49d5c588ff1a9901fb5e5c586c5f"
    assert ACTION.digest(TESTNET).hex() == (
        "6ed4e8d290e792f1c2b4f2ec45bb924cc895aeb96f42a1648fb8553a00404239"
    )
    assert ACTION.digest(MAINNET).hex() == (
        "a92f6c987dbec51db812793e59fcbdf748baf8955cdcbec2406d934fbe96906d"
    )


@pytest.mark.parametrize("signature", [ON_TESTNET, ON_MAINNET])
def test_an_order_of_either_network_is_let_in_with_0x_or_without(signature: str) -> None:
    assert ACTION.is_signed(signature)
    assert ACTION.is_signed(f"0x{signature}")


def test_one_wrong_byte_is_another_signer() -> None:
    draw, raw = Random(1), bytes.fromhex(ON_TESTNET)
    for place in range(64):
        wrong = bytearray(raw)
        wrong[place] ^= 1 << draw.randrange(8)
        assert not ACTION.is_signed(wrong.hex()), place


def test_what_is_no_signature_is_nobodys() -> None:
    digest = ACTION.digest(TESTNET)
    high = ORDER_OF_CURVE - int(ON_TESTNET[64:128], 16)
    for text in (
        "",
        "0x",
        "no hex",
        ON_TESTNET[:-2],
        ON_TESTNET[:-2] + "1d",
        "00" * 64 + "1b",
        # The same point, told the other way round: s must be the low one.
        f"{ON_TESTNET[:64]}{high:064x}1b",
    ):
        assert recovered(digest, text) is None, text


def test_what_is_scaled_has_twelve_digits_at_most() -> None:
    assert scaled(Decimal("0.000000000001")) == 10**6
    assert scaled(Decimal(1000)) == 10**21
    for wrong in ("0.0000000000001", "-1"):
        with pytest.raises(ValueError):  # noqa: PT011  it says why, and no more is asked of it
            scaled(Decimal(wrong))


def test_what_the_tests_sign_is_what_the_vector_signs() -> None:
    assert sign(ACTION.digest(TESTNET), KEY) == f"0x{ON_TESTNET}"


def test_an_option_is_numbered_as_in_the_vector() -> None:
    # The vector's number: expiry 1813910400, strike 6000, a put.
    listing = chain.option(
        ETH, Expiry(1_813_910_400_000, Period.QUARTER), Decimal(6000), Right.PUT, 0
    )
    assert asset_of(listing)[1] == ACTION.sub_id
    call = chain.option(
        ETH, Expiry(1_813_910_400_000, Period.QUARTER), Decimal(6000), Right.CALL, 0
    )
    assert asset_of(call)[1] == ACTION.sub_id + 2**95
