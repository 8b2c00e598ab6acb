"""Signatures of Derive: orders, being let in, and requests over REST.

Theory of operation
-------------------
An order is an *action* of the venue's settlement contract, signed as EIP-712 typed data. All of it
is words of 32 bytes, big-endian, so that a signature is three hashes of fixed layouts and one
elliptic-curve operation:

    data    asset | subId | limit price | amount | max fee | recipient subaccount | is bid
    action  ACTION_TYPEHASH | subaccount | nonce | module | keccak(data) | expiry | owner | signer
    digest  keccak(0x19 0x01 | domain separator | keccak(action))
    wire    r | s | v as hexadecimal digits; 65 bytes, v is 27 or 28, s the lower of the two

Units: prices, amounts and fees are human values x 1e18, with at most 12 fractional digits (the
venue refuses more and never rounds), prices and fees in USDC for one unit of amount; the expiry is
in seconds, the nonce in nanoseconds since 1970. `amount` is positive, `is bid` says which way. The
asset and its subId are the instrument's `base_asset_address` and `base_asset_sub_id`. What the JSON
of the request states must equal the words digit for digit: `text_of` writes it.

The owner is the wallet whose account it is; the signer, the owner's own key or a session key.
Logins and REST requests carry a personal message (EIP-191) instead: the milliseconds as text.

Layout and constants: derive-py 0.1.5 (`_web3/action_signing`, `config/contracts.py`), checked
against ccxt 4.5.90; both recomputed. The trade module has the same address on every network, and
the domain separator follows from the chain's id.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from coincurve import PrivateKey
from eth_hash.backends.pysha3 import keccak256 as keccak

from mmbot.core.types import SECOND, Nanos, Side
from mmbot.errors import ConfigError

MAINNET: Final = 1
TESTNET: Final = 11155111
"""Chain ids: v3 settles on Ethereum, its testnet on Sepolia."""

FRACTION_DIGITS: Final = 12
"""Of a price, an amount or a fee in a signed order, at most."""

EXPIRES_AFTER_S: Final = 600
"""The venue takes 300 s to 120 days. An order ends with its signature: a further dead-man."""

_TRADE_MODULE: Final = bytes.fromhex("B8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b")
_CONTRACT: Final = bytes.fromhex("eB8d770ec18DB98Db922E9D83260A585b9F0DeAD")
_ACTION_TYPEHASH: Final = keccak(
    b"Action(uint256 subaccountId,uint256 nonce,address module,bytes data,uint256 expiry,"
    b"address owner,address signer)"
)
_DOMAIN_TYPEHASH: Final = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

_UNIT: Final = 10**FRACTION_DIGITS
_REST: Final = 10 ** (18 - FRACTION_DIGITS)
_BIGGEST: Final = 2**255
"""Prices and amounts are signed words."""


class Unsignable(ValueError):
    """A number that an order cannot be signed with."""


@dataclass(frozen=True, slots=True)
class Asset:
    """What signatures call an instrument; `words` are the first two of an order's data."""

    words: bytes

    @classmethod
    def of(cls, address: str, sub_id: int) -> "Asset":
        """By its contract's address and its id there. Raises ValueError."""
        return cls(_word_of(_address_bytes(address)) + _word(sub_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """What is signed of one order. `max_fee`: the most that may be charged for a unit of amount, in
    USDC."""

    asset: Asset
    side: Side
    price: Decimal
    amount: Decimal
    max_fee: Decimal
    nonce: int
    expiry_s: int


class Signer:
    """One key that may sign for one subaccount of `owner`'s.

    Raises ConfigError for a key or an address that is none; no message, cause or repr holds any
    digit of the key.
    """

    def __init__(self, key: str | bytes, owner: str, subaccount_id: int, chain_id: int) -> None:
        self._key = _key_of(key)
        own = _address_of(self._key)
        self.address: Final = checksummed(own)
        self.owner: Final = owner_of(owner)
        self.subaccount_id: Final = subaccount_id
        self.chain_id: Final = chain_id
        self._subaccount = _word(subaccount_id)
        self._head = _ACTION_TYPEHASH + self._subaccount
        self._module = _word_of(_TRADE_MODULE)
        self._tail = _word_of(bytes.fromhex(self.owner[2:])) + _word_of(own)
        self._domain = b"\x19\x01" + domain_separator(chain_id)
        self._bid = self._subaccount + _word(1)
        self._ask = self._subaccount + _word(0)

    def __repr__(self) -> str:
        return f"Signer({self.address} for {self.owner}/{self.subaccount_id})"

    @property
    def is_owner(self) -> bool:
        """Whether it is the wallet's own key, and no session key."""
        return self.address == self.owner

    def sign_order(self, terms: OrderTerms) -> str:
        """The signature of a new order, for `private/order` and `private/replace`. Raises
        Unsignable."""
        return self._signed(self.order_digest(terms))

    def order_digest(self, terms: OrderTerms) -> bytes:
        """What is signed of an order. Raises Unsignable."""
        data = keccak(
            terms.asset.words
            + scaled(terms.price).to_bytes(32, "big")
            + scaled(terms.amount).to_bytes(32, "big")
            + scaled(terms.max_fee).to_bytes(32, "big")
            + (self._bid if terms.side is Side.BUY else self._ask)
        )
        action = keccak(
            self._head
            + terms.nonce.to_bytes(32, "big")
            + self._module
            + data
            + terms.expiry_s.to_bytes(32, "big")
            + self._tail
        )
        return keccak(self._domain + action)

    def login(self, now_ms: int) -> dict[str, str | int]:
        """The parameters of `public/login`."""
        return {"wallet": self.owner, "timestamp": now_ms, "signature": self._greeting(now_ms)}

    def rest_headers(self, now_ms: int) -> dict[str, str]:
        """What a private request over REST carries; it is good for as long as that moment is."""
        return {
            "X-DeriveWallet": self.owner,
            "X-DeriveTimestamp": str(now_ms),
            "X-DeriveSignature": self._greeting(now_ms),
        }

    def _greeting(self, now_ms: int) -> str:
        text = str(now_ms).encode()
        return self._signed(keccak(b"\x19Ethereum Signed Message:\n%d%b" % (len(text), text)))

    def _signed(self, digest: bytes) -> str:
        signature = self._key.sign_recoverable(digest, hasher=None)
        return f"0x{signature[:64].hex()}{27 + signature[64]:02x}"


def expires_s(now_ns: Nanos) -> int:
    """When an order that is signed now ends by itself."""
    return now_ns // SECOND + EXPIRES_AFTER_S


def scaled(value: Decimal) -> int:
    """A human value x 1e18. Raises Unsignable where it has more digits than the venue takes, is
    negative, or no number."""
    try:
        numerator, denominator = value.as_integer_ratio()
    except (OverflowError, ValueError):
        raise Unsignable(f"{value} is no number") from None
    units, beyond = divmod(numerator * _UNIT, denominator)
    if beyond:
        raise Unsignable(f"{value} has more than {FRACTION_DIGITS} fractional digits")
    word = units * _REST
    if not 0 <= word < _BIGGEST:
        raise Unsignable(f"{value} is out of range")
    return word


def text_of(value: Decimal) -> str:
    """The same value for the JSON of the request: plain digits, no exponent, and none of the zeros
    at the end that would count as fractional digits."""
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def domain_separator(chain_id: int) -> bytes:
    """Of the venue's contract on a chain."""
    return keccak(
        _DOMAIN_TYPEHASH
        + keccak(b"Matching")
        + keccak(b"1.0")
        + _word(chain_id)
        + _word_of(_CONTRACT)
    )


# --- keys and addresses -----------------------------------------------------------------------


def owner_of(address: str) -> str:
    """A wallet's address, its letters in the case of its checksum. Raises ConfigError where it is
    none, or was mistyped; what is none is not shown, as it may be a key in the wrong place."""
    text = address.strip()
    try:
        right = checksummed(_address_bytes(text))
    except ValueError:
        said = f"{len(text)} characters are no wallet: 0x and 40 hexadecimal digits are"
        raise ConfigError(said) from None
    letters = text[-40:]
    if letters not in (letters.lower(), letters.upper(), right[2:]):
        raise ConfigError(f"{text} is mistyped: its capital letters do not fit its digits")
    return right


def checksummed(address: bytes) -> str:
    """The text of an address (EIP-55): letters are capitals where the hash says so."""
    digits = address.hex()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if mark > "7" else digit for digit, mark in zip(digits, marks, strict=False)
    )


def own_address(key: bytes) -> bytes:
    """The address that a private key is the key of."""
    return _address_of(_key_of(key))


def _key_of(key: str | bytes) -> PrivateKey:
    """Raises ConfigError. Nothing of what it says, or stands on, shows the key."""
    try:
        secret = key if isinstance(key, bytes) else bytes.fromhex(key.strip().removeprefix("0x"))
        if len(secret) == 32:  # shorter ones would be taken, with zeros before them
            return PrivateKey(secret)
    except ValueError:
        pass
    raise ConfigError("the private key is none: 64 hexadecimal digits are, with or without 0x")


def _address_of(key: PrivateKey) -> bytes:
    return keccak(key.public_key.format(compressed=False)[1:])[12:]


def _address_bytes(text: str) -> bytes:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != 20 or " " in text:
        raise ValueError(f"{text!r} is no address")
    return raw


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _word_of(address: bytes) -> bytes:
    return bytes(12) + address
