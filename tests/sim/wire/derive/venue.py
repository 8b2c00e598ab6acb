"""A simulated Derive whose time moves by hand, and a client of it that signs what it asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import orjson
from coincurve import PrivateKey

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.market.market import Market
from mmbot.sim.wire.derive.assets import asset_of
from mmbot.sim.wire.derive.protocol import DeriveProtocol
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.signatures import (
    MAINNET,
    TESTNET,
    Action,
    address_of,
    personal_digest,
)
from mmbot.sim.wire.derive.terms import RULES
from mmbot.sim.wire.derive.wallet import SessionKey
from mmbot.sim.wire.faces import Login
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.rules import Rules, Tiers
from mmbot.sim.wire.server import Server, Venue
from mmbot.sim.wire.world import FaceOptions, World, WorldOptions
from tests.sim.wire.derive import law

Json = dict[str, Any]

START_MS: Final = 1_748_865_600_000  # 2025-06-02T12:00:00Z
OPTION: Final = "ETH-20250606-2800-C"
PUT: Final = "ETH-20250606-2800-P"
PERPETUAL: Final = "ETH-PERP"
OWNER_KEY: Final = bytes.fromhex("11" * 32)
SESSION_KEY: Final = bytes.fromhex("22" * 32)
STRANGER_KEY: Final = bytes.fromhex("33" * 32)
OWNER: Final = address_of(OWNER_KEY)
SIGNER: Final = address_of(SESSION_KEY)
ACCOUNT: Final = "judged"
MAKER: Final = "other"
FREE: Final = Rules(
    tiers=Tiers(
        matching=10**6,
        instrument=10**6,
        other=10**6,
        cancel_all=10**6,
        by_label=10**6,
        live_names=10**6,
    )
)
"""No request is ever refused for its number."""

PAGE: Final = 1_000
ROWS: Final = 40
"""Of thousands of instruments, all shaped by one function, so many a page are judged."""


class Refused(Exception):
    """An error reply."""

    def __init__(self, error: Json) -> None:
        super().__init__(f"{error['code']} {error['message']}: {error.get('data')}")
        self.code: int = error["code"]
        self.data: str | None = error.get("data")


def sign(digest: bytes, key: bytes) -> str:
    """A signature as the venue reads it."""
    raw = PrivateKey(key).sign_recoverable(digest, hasher=None)
    return "0x" + (raw[:64] + bytes([raw[64] + 27])).hex()


@dataclass
class Judge:
    """Hears every frame that the venue writes, and notes what the specification does not permit.

    `lenient`: it only listens, for what is odd is not meant to be permitted.
    """

    lenient: bool = False
    faults: list[str] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    pushed: set[str] = field(default_factory=set)  # patterns

    def reply(self, method: str, frame: Json) -> None:
        """Judge the answer to a request."""
        if self.lenient:
            return
        if "error" in frame:
            self.refused.add(frame["error"]["code"])
            self.faults += law.faults_of_error(frame)
            return
        if frame.keys() != {"id", "result"}:
            self.faults.append(f"{method}: the frame has {set(frame)}")
        result = frame["result"]
        if method == "public/get_all_instruments":
            result = result | {"instruments": result["instruments"][:: 1 + PAGE // ROWS]}
        self.answered.add(method)
        self.faults += law.faults_of_reply(method, result)

    def push(self, channel: str, told: Any) -> None:
        """Judge a message of a channel."""
        self.pushed.add(law.pattern_of(channel) or channel)
        if not self.lenient:
            self.faults += law.faults_of_push(channel, told)


class Caller:
    """One connection to the venue, or none (over REST); `key` signs, for `owner`."""

    def __init__(self, judged: Judged, key: bytes, owner: str, *, rest: bool = False) -> None:
        self.judged = judged
        self.key = key
        self.owner = owner
        self.rest = rest
        self.pushes: list[tuple[str, Any]] = []
        self.texts: list[bytes] = []
        self.hung_up = False
        self._replies: dict[Any, Json] = {}
        self._id = 0
        self.session: Session | None = None
        if not rest:
            self.session = judged.venue.on_open(self._hear, self._hang_up)

    def login(self, **changes: Any) -> Any:
        """Log in with the key."""
        stamp = str(self.judged.now_ms + self.judged.ahead_ms)
        signature = sign(personal_digest(stamp), self.key)
        params = {"wallet": self.owner, "timestamp": stamp, "signature": signature}
        return self.ask("public/login", **(params | changes))

    def ask(self, method: str, **params: Any) -> Any:
        """The result; raises `Refused`."""
        self._id += 1
        if self.rest:
            frame = self._ask_rest(method, params)
        else:
            assert self.session is not None
            asked = {"id": self._id, "method": method, "params": params}
            self.judged.venue.on_frame(self.session, orjson.dumps(asked))
            frame = self._replies.pop(self._id)
        self.judged.judge.reply(method, frame)
        if "error" in frame:
            raise Refused(frame["error"])
        return frame["result"]

    def refusal(self, method: str, **params: Any) -> int:
        """The number a request is refused with; 0 where it is not."""
        try:
            self.ask(method, **params)
        except Refused as error:
            return error.code
        return 0

    def signed(
        self,
        name: str = PERPETUAL,
        side: str = "buy",
        amount: str = "1",
        price: str = "2500",
        **more: Any,
    ) -> Json:
        """The parameters of a signed order. `key`: who signs in place of the caller; `domain`: of
        which network."""
        key, domain = more.pop("key", self.key), more.pop("domain", TESTNET)
        now_ms = self.judged.now_ms + self.judged.ahead_ms
        terms: Json = {
            "max_fee": "1000",
            "nonce": str(self.judged.nonce()),
            "signature_expiry_sec": now_ms // 1_000 + 600,
            "signer": address_of(key),
            "subaccount_id": self.judged.subaccount_id,
        }
        terms |= {"instrument_name": name, "direction": side, "amount": amount}
        terms |= {"limit_price": price} | more
        asset, number = asset_of(self.judged.exchange.terms(name))
        action = Action(
            subaccount_id=terms["subaccount_id"],
            nonce=int(terms["nonce"]),
            expiry_sec=terms["signature_expiry_sec"],
            owner=self.owner,
            signer=terms["signer"],
            asset=asset,
            sub_id=number,
            limit_price=Decimal(terms["limit_price"]),
            amount=Decimal(terms["amount"]),
            max_fee=Decimal(terms["max_fee"]),
            is_bid=side == "buy",
        )
        return {"signature": sign(action.digest(domain), key), **terms}

    def order(self, *terms: str, **more: Any) -> Json:
        """Place an order: name, side, amount, price. Returns it."""
        placed = self.ask("private/order", **self.signed(*terms, **more))
        made: Json = placed["order"]
        return made

    def open_orders(self) -> list[Json]:
        """What rests."""
        told: list[Json] = self.ask(
            "private/get_open_orders", subaccount_id=self.judged.subaccount_id
        )["orders"]
        return told

    def told(self, channel: str) -> list[Any]:
        """Everything that a channel has said so far, forgotten then."""
        found = [told for name, told in self.pushes if name == channel]
        self.pushes = [one for one in self.pushes if one[0] != channel]
        return found

    def subscribe(self, *channels: str) -> Json:
        """Follow channels; their fates."""
        status: Json = self.ask("subscribe", channels=list(channels))["status"]
        return status

    def hang_up(self) -> None:
        """The line breaks."""
        assert self.session is not None
        self.judged.venue.on_closed(self.session)

    def _ask_rest(self, method: str, params: Json) -> Json:
        stamp = str(self.judged.now_ms + self.judged.ahead_ms)
        signature = sign(personal_digest(stamp), self.key)
        headers = (self.owner, stamp, signature, "")
        _, body = self.judged.venue.on_rest(method, params, self._id, headers)
        frame: Json = orjson.loads(body.text)
        return frame

    def _hear(self, said: Frame, _about: str | None) -> None:
        self.texts.append(said.text)
        if said.text == b"pong":
            return
        frame = orjson.loads(said.text)
        if "id" in frame:
            self._replies[frame["id"]] = frame
            return
        channel, told = frame["params"]["channel"], frame["params"]["data"]
        self.pushes.append((channel, told))
        self.judged.judge.push(channel, told)

    def _hang_up(self) -> None:
        self.hung_up = True


class Judged:
    """A venue whose time moves by hand, with one account of ours. With `quiet` nothing happens in
    it unless a test does it."""

    def __init__(
        self,
        *,
        manner: Manner = Manner.PLAIN,
        manner_seed: int = 1,
        seed: int = 1,
        start_ms: int = START_MS,
        ahead_ms: int = 0,
        rules: Rules = FREE,
        exchange_rules: VenueRules = RULES,
        quiet: bool = True,
    ) -> None:
        self.us = start_ms * 1_000
        self.ahead_ms = ahead_ms
        self.keeps_orders = False
        self.exchange = Exchange("judged", exchange_rules)
        self.exchange.open_account(ACCOUNT, {"USDC": Decimal(250_000)})
        self.exchange.open_account(MAKER, {"USDC": Decimal(10**9)}, followed=False)
        self.market = Market(self.exchange, seed, start_ms)
        self.venue = DeriveProtocol(self.exchange, self.market, rules, lambda: self.us)
        self.venue.market_moves = not quiet
        login = Login(
            account=ACCOUNT,
            key=OWNER,
            secret=SESSION_KEY.hex(),
            token_expires_in_s=900.0,
            manner=manner,
            seed=manner_seed,
            keeps_orders=lambda: self.keeps_orders,
        )
        self.counter = self.venue.admit(login)
        self.subaccount_id = self.counter.subaccount_id
        self.judge = Judge(lenient=manner is Manner.ODD)
        self._nonces = 0
        if quiet:
            for name in (OPTION, PUT, PERPETUAL):
                self.venue.watch(name)
                self.market.unwatch(name)
            self.venue.publish()

    @property
    def now_ms(self) -> int:
        """The venue's time."""
        return self.us // 1_000

    def nonce(self) -> int:
        """One that was not used before, of this moment by the caller's clock."""
        self._nonces += 1
        return (self.now_ms + self.ahead_ms) * 10**6 + self._nonces

    def caller(self, key: bytes = SESSION_KEY, owner: str = OWNER, *, rest: bool = False) -> Caller:
        """A client that has logged in."""
        made = Caller(self, key, owner, rest=rest)
        if not rest:
            made.login()
        return made

    def register(self, key: bytes, **terms: Any) -> None:
        """One more session key of the wallet."""
        address = address_of(key)
        self.counter.wallet.keys[address] = SessionKey(address=address, **terms)

    def pass_time(self, ms: int, step_ms: int = 50) -> None:
        """Let the venue live for so long."""
        for _ in range(max(ms // step_ms, 1)):
            self.us += min(ms, step_ms) * 1_000
            self.venue.tick()

    def quote(self, name: str, side: Side, amount: str, price: str) -> Placed:
        """An order of the other maker."""
        wish = NewOrder(name=name, side=side, amount=Decimal(amount), price=Decimal(price))
        placed = self.exchange.place(MAKER, wish, self.now_ms)
        assert isinstance(placed, Placed), placed
        self.venue.publish()
        return placed


NETWORKS: Final = (TESTNET, MAINNET)


@asynccontextmanager
async def served(*faces: FaceOptions, **changes: Any) -> AsyncIterator[list[Venue]]:
    """A world behind its faces on sockets: one Derive, unless told otherwise."""
    terms: Json = {"seed": 7, "rules": FREE}
    kinds = faces or (FaceOptions(name="derive", kind="derive"),)
    world = World(WorldOptions(faces=kinds, **(terms | changes)))
    async with Server(world, [Venue(world, face) for face in kinds]) as server:
        yield list(server.venues)


async def within(awaitable: Any, seconds: float = 30.0) -> Any:
    """The result, before the deadline."""
    return await asyncio.wait_for(awaitable, seconds)


def objects(told: Any) -> Iterator[Json]:
    """Every object in a message."""
    if isinstance(told, dict):
        yield told
        for one in told.values():
            yield from objects(one)
    elif isinstance(told, list):
        for one in told:
            yield from objects(one)
