"""Derive's bench: the simulated one of `mmbot/sim/wire/derive` (tests/contract/simulated.py)."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Final

import orjson

from mmbot.core.capabilities import Draws
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.wire.derive.errors import RATE_LIMITED
from mmbot.sim.wire.derive.protocol import DeriveProtocol
from mmbot.sim.wire.derive.signatures import address_of, checksummed, made_up_key
from mmbot.sim.wire.derive.terms import ETH, RULES
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import Server, Venue
from mmbot.sim.wire.world import START_MS, FaceOptions, WorldOptions
from mmbot.sim.wire.world import World as SimWorld
from tests.contract.simulated import Json, SimulatedBench, Tap, with_result
from tests.sim.wire.derive import law
from tests.sim.wire.derive.venue import FREE, Judge

FIRST_EXPIRES_MS: Final = 1_749_196_800_000  # 2025-06-06T08:00:00Z
ONE_COIN: Final = replace(RULES, families=(ETH,))
"""Each start reads everything listed, in pages all the same."""
SUBACCOUNT: Final = 130_837
WALLET: Final = checksummed(address_of(made_up_key("owner of the bench")))
KEY: Final = made_up_key("session key of the bench").hex()
METHODS: Final[Mapping[Draws, tuple[str, ...]]] = {
    Draws.PLACE: ("private/order",),
    Draws.MOVE: ("private/replace",),
    Draws.CANCEL: ("private/cancel",),
    Draws.MASS_CANCEL: ("private/cancel_all", "private/cancel_by_instrument"),
    Draws.LABEL_CANCEL: ("private/cancel_by_label",),
    Draws.READ: ("private/get_open_orders", "private/get_trade_history"),
}
NONSENSE: Final[Mapping[str, Json]] = {
    "private/get_open_orders": {"subaccount_id": SUBACCOUNT, "orders": "many"},
    "private/get_positions": {"subaccount_id": SUBACCOUNT, "positions": [{"amount": "x"}, 7]},
    "private/get_subaccount": {"subaccount_value": "much", "positions": [{"amount": "x"}, 7]},
}


class DeriveTap(Tap):
    """In front of its protocol."""

    too_many = RATE_LIMITED
    login = "public/login"

    def __init__(self, venue: Venue, manner: Manner) -> None:
        super().__init__(venue, METHODS)
        self._judge = Judge(lenient=manner is Manner.ODD, faults=self.faults)

    def is_of_account(self, channel: str) -> bool:
        return channel.startswith(f"{SUBACCOUNT}.")

    def faults_of_request(self, method: str, params: Json, *, rest: bool) -> list[str]:
        return law.faults_of_request(method, params)

    def judge_reply(self, method: str, params: Json, frame: Json) -> None:
        self._judge.reply(method, frame)

    def judge_push(self, said: Frame) -> None:
        params = said.message["params"]
        self._judge.push(params["channel"], params["data"])

    def distorted(self, said: Frame, about: str | None) -> Frame:
        frame = orjson.loads(said.text) if self.spoiled_books else {}
        if frame.get("method") == "subscription" and "book." in frame["params"]["channel"]:
            data = frame["params"]["data"]
            if data["instrument_name"] in self.spoiled_books:
                self.spoiled += 1
                data["bids"] = [["900", "5"], ["800", "-3"]]
                data["asks"] = [["1", "5"]]
            return Frame(frame)
        nonsense = NONSENSE.get(about or "") if self.spoiled_account else None
        if nonsense is not None:
            self.spoiled += 1
            return with_result(said, nonsense)
        if self.denies_dead_man and about == "private/get_account" and "result" in said.message:
            return with_result(said, said.message["result"] | {"cancel_on_disconnect": False})
        return said


class DeriveBench(SimulatedBench):
    """See above."""

    kind = "derive"
    keys: ClassVar = {"wallet": WALLET, "subaccount": str(SUBACCOUNT), "key": KEY}
    environment: ClassVar = {
        "MMBOT_SIM_DERIVE_WALLET": keys["wallet"],
        "MMBOT_SIM_DERIVE_SUBACCOUNT": keys["subaccount"],
        "MMBOT_SIM_DERIVE_PRIVATE_KEY": keys["key"],
    }
    instruments = ("ETH-20250606-2800-C", "ETH-20250613-2900-P")
    nobodys = "00000000-0000-4000-8000-000000004711"
    amount = Decimal(4)
    methods = METHODS
    accounts = f"{SUBACCOUNT}."
    cash = "USDC"
    wide_ticks = 30
    messages_max = 60
    books_are_whole = True
    logins_last = True
    snaps = True
    rules: ClassVar = ONE_COIN

    async def enter(self, life: AsyncExitStack) -> None:
        world = self.world
        start_ms = START_MS
        if world.expires_in_s is not None:
            start_ms = FIRST_EXPIRES_MS - round(world.expires_in_s * 1000)
        face = FaceOptions(
            name=self.kind, kind=self.kind, key=WALLET, secret=KEY, manners=world.manners
        )
        options = WorldOptions(
            faces=(face,),
            start_ms=start_ms,
            exchange_rules={self.kind: self.rules},
            flow_scale=5.0 if world.violent else 1.0 if world.lively else 0.0,
            preset="crash" if world.violent else "normal",
            rules=replace(
                FREE if world.unlimited else Rules(),
                ignore_cancel_on_disconnect=not world.dead_man_works,
            ),
            faults=FaultPlan(clock_skew_s=world.ahead_s),
            scale=world.scale,
        )
        simulated = SimWorld(options)
        self.venue = Venue(simulated, face)
        await life.enter_async_context(Server(simulated, [self.venue]))
        self.tap = DeriveTap(self.venue, world.manners)

    @property
    def protocol(self) -> DeriveProtocol:
        """What the venue speaks."""
        protocol: Any = self.venue.protocol
        assert isinstance(protocol, DeriveProtocol)
        return protocol

    def forget_logins(self) -> None:
        for session in self.protocol.sessions:
            session.wallet = session.key = None

    @property
    def secrets(self) -> Sequence[str]:
        return [KEY, KEY.upper()]


BENCH = DeriveBench
