"""Signatures equal those of the venue's sheet, of its own client, and of ccxt."""

import json
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from coincurve import PublicKey

from mmbot.core.types import Side
from mmbot.errors import ConfigError, ExitCode
from mmbot.venues.derive.signing import (
    MAINNET,
    TESTNET,
    Asset,
    OrderTerms,
    Signer,
    Unsignable,
    checksummed,
    domain_separator,
    expires_s,
    owner_of,
    scaled,
    text_of,
)
from tests.venues.derive.drawn import drawn
from tests.venues.derive.judge import hash_of, signed

KEY = "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
OWNER = "0x5cb67F7829d01d9C75385A920De5E51060663374"
RECORDED = json.loads((Path(__file__).parent / "signatures.json").read_text())


def of_the_sheet(**changes: Any) -> OrderTerms:
    values: dict[str, Any] = {
        "asset": Asset.of("0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4", 2576980377601813910400),
        "side": Side.BUY,
        "price": Decimal(100),
        "amount": Decimal(1),
        "max_fee": Decimal(1000),
        "nonce": 1754472862000000000,
        "expiry_s": 1893456000,
    }
    return OrderTerms(**(values | changes))


def ours(order: dict[str, Any]) -> str:
    """Our signature of an order of drawn.py, as digits."""
    owner = order["owner"] or own_address(order)
    signer = Signer(order["key"], owner, order["subaccount_id"], order["chain_id"])
    terms = OrderTerms(
        asset=Asset.of(order["asset"], order["sub_id"]),
        side=Side(order["side"]),
        price=Decimal(order["price"]),
        amount=Decimal(order["amount"]),
        max_fee=Decimal(order["max_fee"]),
        nonce=order["nonce"],
        expiry_s=order["expiry_s"],
    )
    return signer.sign_order(terms).removeprefix("0x")


def own_address(order: dict[str, Any]) -> str:
    return Signer(order["key"], OWNER, 0, MAINNET).address


# --- vectors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain_id", "separator"),
    [
        (MAINNET, "da616dfabb88681b08e1592820a41d55ddc62d68de110e327ae99d734506fe19"),
        (TESTNET, "24d674cd5f2b9d564691c51e9d88f649b99246a2244dd74ce27b96578d773e85"),
    ],
)
def test_each_network_has_its_domain(chain_id: int, separator: str) -> None:
    assert domain_separator(chain_id).hex() == separator


@pytest.mark.parametrize(
    ("chain_id", "digest", "signature"),
    [
        (
            TESTNET,
            "6ed4e8d290e792f1c2b4f2ec45bb924cc895aeb96f42a1648fb8553a00404239",
            "2039eee525b1cdd5e3e146c2b81ae4ac7f8051aad1c09cadd18ff70aa02c62e7"
            "72b42609da8a5407cc4b4f78dc58c0cb621764ea1b6681f4a960970f24b5acdb1c",
        ),
        (
            MAINNET,
            "a92f6c987dbec51db812793e59fcbdf748baf8955cdcbec2406d934fbe96906d",
            "9b53249e31a3dc809d5207e12aed1c86dd995d83443f5b116edbc6a16d178e91"
            "6c9655e2ee5cd4878a9680f3001354f8607faaa0ebbf7abde2393fe963e625cd1b",
        ),
    ],
)
def test_the_order_of_the_sheet_is_signed_as_it_says(
    chain_id: int, digest: str, signature: str
) -> None:
    signer = Signer(KEY, OWNER, 75723, chain_id)
    assert signer.order_digest(of_the_sheet()).hex() == digest
    assert signer.sign_order(of_the_sheet()) == "0x" + signature


def test_being_let_in_is_signed_as_the_sheet_says() -> None:
    signature = (
        "0x44461a1270add412f5f2af4c0174988368fd49766c4719385a50209d27185f6d"
        "083628158a1e8619d14cdc0d3444e0a755d487ad7e5443cbd22ab5b09a7b4cb11b"
    )
    signer = Signer(KEY, OWNER, 75723, MAINNET)
    assert signer.login(1790000000000) == {
        "wallet": OWNER,
        "timestamp": 1790000000000,
        "signature": signature,
    }
    assert signer.rest_headers(1790000000000) == {
        "X-DeriveWallet": OWNER,
        "X-DeriveTimestamp": "1790000000000",
        "X-DeriveSignature": signature,
    }


# --- other people's clients -------------------------------------------------------------------


def test_a_thousand_orders_are_signed_as_the_venues_own_client_signs_them() -> None:
    orders = list(drawn(RECORDED["seed"], RECORDED["count"]))
    assert len(orders) == 1000
    for recorded in RECORDED["first"]:
        assert {**orders[recorded["number"]], "signature": ours(recorded)} == recorded
    assert hash_of(map(ours, orders)) == RECORDED["sha256"]


def test_the_drawn_orders_are_of_every_kind() -> None:
    orders = list(drawn())
    kinds = {(o["chain_id"], o["side"], o["sub_id"] > 1 << 64, o["owner"] is None) for o in orders}
    assert len(kinds) == 16
    assert {len(o["price"].partition(".")[2]) for o in orders} == {0, 1, 2, 4, 9, 12}


def test_the_record_is_what_the_venues_own_client_says_today() -> None:
    pytest.importorskip("derive_py", reason="the extra `judges` is not installed")
    assert [signed(order) for order in drawn(7, 1000)] == [ours(o) for o in drawn(7, 1000)]


def test_ccxt_signs_the_same() -> None:
    exchange = ccxt.derive()
    typehash = "4d7a9f27c403ff9c0f19bce61d76d82f9aa29f8d6d4b0c5474607d9770d1af17"
    module = "0xB8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b"
    types = ["address", "uint", "int", "int", "uint", "uint", "bool"]
    for order in drawn(11, 40):
        exchange.set_sandbox_mode(order["chain_id"] == TESTNET)
        prices = [exchange.parse_units(order[name]) for name in ("price", "amount", "max_fee")]
        data = [
            order["asset"],
            order["sub_id"],
            *map(exchange.convert_to_big_int, prices),
            order["subaccount_id"],
            order["side"] == "buy",
        ]
        signer = own_address(order)
        exchange.walletAddress, exchange.privateKey = signer, order["key"]
        action = [
            exchange.base16_to_binary(typehash),
            order["subaccount_id"],
            order["nonce"],
            module,
            exchange.hash(exchange.eth_abi_encode(types, data), "keccak", "binary"),
            order["expiry_s"],
            order["owner"] or signer,
            signer,
        ]
        assert exchange.sign_order(action, order["key"]).lower() == "0x" + ours(order)


# --- the signature is the signer's ------------------------------------------------------------


def test_the_signer_is_found_in_the_signature() -> None:
    signer = Signer(KEY, OWNER, 75723, TESTNET)
    signature = bytes.fromhex(signer.sign_order(of_the_sheet())[2:])
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    recovered = PublicKey.from_signature_and_message(
        signature[:64] + bytes([signature[64] - 27]), signer.order_digest(of_the_sheet()), None
    )
    assert recovered == PublicKey.from_secret(bytes.fromhex(KEY))


@pytest.mark.parametrize(
    "change",
    [
        {"asset": Asset.of("0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4", 0)},
        {"asset": Asset.of("0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB5", 2576980377601813910400)},
        {"side": Side.SELL},
        {"price": Decimal("100.000000000001")},
        {"amount": Decimal("1.000000000001")},
        {"max_fee": Decimal(999)},
        {"nonce": 1754472862000000001},
        {"expiry_s": 1893456001},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_term_is_signed(change: dict[str, Any]) -> None:
    signer = Signer(KEY, OWNER, 75723, TESTNET)
    assert signer.sign_order(of_the_sheet(**change)) != signer.sign_order(of_the_sheet())


@pytest.mark.parametrize(
    "other",
    [
        Signer(KEY, OWNER, 75724, TESTNET),
        Signer(KEY, ADDRESS, 75723, TESTNET),
        Signer(KEY, OWNER, 75723, MAINNET),
        Signer("22" * 32, OWNER, 75723, TESTNET),
    ],
    ids=["subaccount", "owner", "chain", "key"],
)
def test_who_signs_for_whom_and_where_is_signed(other: Signer) -> None:
    signer = Signer(KEY, OWNER, 75723, TESTNET)
    assert other.order_digest(of_the_sheet()) != signer.order_digest(of_the_sheet())


def test_the_owners_own_key_is_told_from_a_session_key() -> None:
    assert Signer(KEY, ADDRESS, 1, MAINNET).is_owner
    assert Signer(KEY, ADDRESS.lower(), 1, MAINNET).is_owner
    assert not Signer(KEY, OWNER, 1, MAINNET).is_owner


def test_an_order_ends_by_itself_ten_minutes_after_it_is_signed() -> None:
    assert expires_s(1_748_865_600_999_999_999) == 1_748_865_600 + 600


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("0", 0),
        ("1", 10**18),
        ("0.1", 10**17),
        ("0.000000000001", 10**6),
        ("1E+3", 10**21),
        ("100.0000000000000000", 10**20),  # zeros are no digits
        ("12345678901234567890.000000000001", 12345678901234567890000000000001000000),
    ],
)
def test_numbers_are_scaled_exactly(value: str, word: int) -> None:
    assert scaled(Decimal(value)) == word


@pytest.mark.parametrize(
    "value", ["0.0000000000001", "1.0000000000005", "-1", "NaN", "Infinity", "1E+60"]
)
def test_what_cannot_be_signed_is_refused_and_never_rounded(value: str) -> None:
    with pytest.raises(Unsignable):
        scaled(Decimal(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("1E-12", "0.000000000001"), ("2800.50", "2800.5"), ("300", "300")],
)
def test_what_is_stated_has_no_exponent(value: str, text: str) -> None:
    assert text_of(Decimal(value)) == text
    assert scaled(Decimal(text)) == scaled(Decimal(value))


# --- keys and wallets -------------------------------------------------------------------------

SECRET = "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"


@pytest.mark.parametrize(
    "key",
    [
        SECRET[:-1],
        SECRET[:-2],
        SECRET + "00",
        "0x" + SECRET[:-1] + "g",
        SECRET.replace("7", "I"),
        "",
        "00" * 32,
        "ff" * 32,
        bytes.fromhex(SECRET)[:31],
    ],
)
def test_a_key_that_is_none_is_refused_without_a_digit_of_it(key: str | bytes) -> None:
    with pytest.raises(ConfigError, match="private key") as refused:
        Signer(key, OWNER, 1, MAINNET)
    assert refused.value.exit_code is ExitCode.BAD_INPUT
    told = "".join(traceback.format_exception(refused.value)) + repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    assert SECRET[4:16] not in told.lower()


@pytest.mark.parametrize("form", ["{}", "0x{}", " {}\n"])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_a_key_may_be_written_as_wallets_export_it(form: str, case: Callable[[str], str]) -> None:
    assert Signer(form.format(case(SECRET)), OWNER, 1, MAINNET).address == (
        Signer(bytes.fromhex(SECRET), OWNER, 1, MAINNET).address
    )


def test_a_signer_does_not_show_its_key() -> None:
    signer = Signer(SECRET, OWNER, 1, MAINNET)
    shown = f"{signer!r} {signer} {signer.login(1)} {signer.rest_headers(1)}".lower()
    assert SECRET not in shown
    assert str(int(SECRET, 16)) not in shown


@pytest.mark.parametrize(
    "wallet", ["", "0x", OWNER[:-1], OWNER + "0", "derive", SECRET, "0x" + SECRET, "0x" + "g" * 40]
)
def test_a_wallet_that_is_none_is_refused_and_not_shown(wallet: str) -> None:
    with pytest.raises(ConfigError, match="no wallet") as refused:
        Signer(KEY, wallet, 1, MAINNET)
    assert SECRET[:8] not in str(refused.value)


def test_a_mistyped_wallet_is_noticed() -> None:
    with pytest.raises(ConfigError, match="mistyped"):
        owner_of(OWNER.replace("74", "75"))


@pytest.mark.parametrize("letters", [str.lower, lambda text: "0x" + text[2:].upper(), str])
def test_a_wallet_may_be_written_in_one_case_or_with_its_checksum(
    letters: Callable[[str], str],
) -> None:
    assert owner_of(letters(OWNER)) == OWNER


@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_checksums_are_those_of_eip_55(address: str) -> None:
    assert checksummed(bytes.fromhex(address[2:])) == address
