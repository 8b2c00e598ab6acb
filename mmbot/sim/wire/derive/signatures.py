"""Who signed a text, and who signed an order.

Theory of operation
-------------------
1. A login is the personal signature (EIP-191) of a timestamp's digits. An order is an `Action` of
   EIP-712, of which the venue verifies the hash: keccak(0x1901 || domain || action), where action =
   keccak(TYPEHASH, subaccount, nonce, module, keccak(data), expiry, owner, signer), and data holds
   the terms of the order in seven words. Each word is 32 bytes; prices, amounts and fees are scaled
   by 10^18, and more than twelve fractional digits are refused.
2. The address of who signed is recovered from the signature, and must be that of the signer whom
   the request names. A word that differs by a bit recovers a stranger.
3. The domain is of one of two networks. This venue is on neither, and takes both.

Sources: the venue's specification of action signing; test vectors in `derive.md`, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

MAINNET: Final = bytes.fromhex("da616dfabb88681b08e1592820a41d55ddc62d68de110e327ae99d734506fe19")
TESTNET: Final = bytes.fromhex("24d674cd5f2b9d564691c51e9d88f649b99246a2244dd74ce27b96578d773e85")
DOMAINS: Final = (TESTNET, MAINNET)
ACTION_TYPE: Final = bytes.fromhex(
    "4d7a9f27c403ff9c0f19bce61d76d82f9aa29f8d6d4b0c5474607d9770d1af17"
)
TRADE_MODULE: Final = "0xB8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b"

DIGITS: Final = 12  # behind the point, in what is signed
SCALE: Final = Decimal(10) ** 18
WORD_MAX: Final = 2**256

SIGNATURE_BYTES: Final = 65
RECOVERY_FIRST: Final = 27  # what the two recovery ids are called in a signature's last byte
ORDER_OF_CURVE: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What an order's signature commits to; amounts in coin, prices and fee in USDC."""

    subaccount_id: int
    nonce: int
    expiry_sec: int
    owner: str
    signer: str
    asset: str
    sub_id: int
    limit_price: Decimal
    amount: Decimal
    max_fee: Decimal
    is_bid: bool

    @property
    def data(self) -> bytes:
        """The terms of the order, as the trade module reads them."""
        return b"".join(
            (
                _address(self.asset),
                _word(self.sub_id),
                _word(scaled(self.limit_price)),
                _word(scaled(self.amount)),
                _word(scaled(self.max_fee)),
                _word(self.subaccount_id),
                _word(int(self.is_bid)),
            )
        )

    @property
    def hash(self) -> bytes:
        """Of the whole action."""
        return keccak(
            b"".join(
                (
                    ACTION_TYPE,
                    _word(self.subaccount_id),
                    _word(self.nonce),
                    _address(TRADE_MODULE),
                    keccak(self.data),
                    _word(self.expiry_sec),
                    _address(self.owner),
                    _address(self.signer),
                )
            )
        )

    def digest(self, domain: bytes) -> bytes:
        """What is signed on that network."""
        return keccak(b"\x19\x01" + domain + self.hash)

    def is_signed(self, signature: str) -> bool:
        """Whether the signer signed it, on either network."""
        signer = self.signer.lower()
        return any(recovered(self.digest(domain), signature) == signer for domain in DOMAINS)


def scaled(number: Decimal) -> int:
    """A decimal as its word; ValueError where it has too many digits or does not fit."""
    if number != round(number, DIGITS):
        raise ValueError(f"at most {DIGITS} fractional digits")
    whole = int(number * SCALE)
    if not 0 <= whole < WORD_MAX:
        raise ValueError("out of range")
    return whole


def personal_digest(text: str) -> bytes:
    """What is signed of a text."""
    body = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(body)).encode() + body)


def recovered(digest: bytes, signature: str) -> str | None:
    """The address (lower case) that signed; None where that is no signature."""
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        return None
    if len(raw) != SIGNATURE_BYTES:
        return None
    recovery = raw[-1] - RECOVERY_FIRST
    if recovery not in (0, 1) or int.from_bytes(raw[32:64], "big") > ORDER_OF_CURVE // 2:
        return None
    try:
        key = PublicKey.from_signature_and_message(raw[:64] + bytes([recovery]), digest, None)
    except Exception:  # noqa: BLE001  the library raises nothing narrower
        return None
    return _address_of(key)


def address_of(private: bytes) -> str:
    """The address of a private key, lower case."""
    return _address_of(PrivateKey(private).public_key)


def made_up_key(words: str) -> bytes:
    """The private key of a made-up holder."""
    return keccak(words.encode())


def made_up_address(words: str) -> str:
    """The address of a made-up contract, lower case."""
    return "0x" + keccak(words.encode())[-20:].hex()


def checksummed(address: str) -> str:
    """An address with the capitals of EIP-55."""
    digits = address.lower().removeprefix("0x")
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit
        for digit, mark in zip(digits, marks, strict=False)
    )


def is_address(text: str) -> bool:
    """Whether a text is an address."""
    digits = text.removeprefix("0x")
    return text.startswith("0x") and len(digits) == 40 and _is_hex(digits)


def is_private_key(text: str) -> bool:
    """Whether a text is a private key in hex."""
    digits = text.removeprefix("0x")
    return len(digits) == 64 and _is_hex(digits)


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _address_of(key: PublicKey) -> str:
    return "0x" + keccak(key.format(compressed=False)[1:])[-20:].hex()


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _address(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address.removeprefix("0x"))
