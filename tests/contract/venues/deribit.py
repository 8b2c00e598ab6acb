"""Deribit's bench: the simulated one of `mmbot/sim/wire/deribit` (tests/contract/simulated.py)."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Final

import orjson

from mmbot.core.capabilities import Draws
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.contract.simulated import Json, SimulatedBench, Tap, with_result
from tests.engine.live import HastyVenue
from tests.wire.spec import law
from tests.wire.spec.history import Judge
from tests.wire.venue import MANY_STARTS, UNLIMITED

FIRST_EXPIRES_MS: Final = 1_749_196_800_000  # 2025-06-06T08:00:00Z
METHODS: Final[Mapping[Draws, tuple[str, ...]]] = {
    Draws.PLACE: ("private/buy", "private/sell"),
    Draws.MOVE: ("private/edit",),
    Draws.CANCEL: ("private/cancel",),
    Draws.MASS_CANCEL: ("private/cancel_all", "private/cancel_all_by_instrument"),
    Draws.LABEL_CANCEL: (),
    Draws.READ: ("private/get_open_orders", "private/get_user_trades_by_currency_and_time"),
}
JUDGED_ROWS: Final = 40


class DeribitTap(Tap):
    """In front of its protocol."""

    too_many = 10028
    login = "public/auth"

    def __init__(self, venue: SimVenue) -> None:
        super().__init__(venue, METHODS)
        self.tokens: list[str] = []
        self._judge = Judge(lenient=venue.options.manners is Manner.ODD, faults=self.faults)

    def is_of_account(self, channel: str) -> bool:
        return channel.startswith("user.")

    def faults_of_request(self, method: str, params: Json, *, rest: bool) -> list[str]:
        return law.faults_of_request(method, params, rest=rest)

    def judge_reply(self, method: str, params: Json, frame: Json) -> None:
        result: Any = frame.get("result")
        if isinstance(result, list):
            frame = {**frame, "result": result[:: 1 + len(result) // JUDGED_ROWS]}
        self._judge.reply(method, params, frame)

    def judge_push(self, said: Frame) -> None:
        self._judge.hear(said)
        self._judge.frames.clear()

    def note_login(self, result: Any) -> None:
        super().note_login(result)
        self.tokens += [result["access_token"], result["refresh_token"]]

    def distorted(self, said: Frame, about: str | None) -> Frame:
        frame = orjson.loads(said.text) if self.spoiled_books else {}
        if frame.get("method") == "subscription" and "book." in frame["params"]["channel"]:
            data = frame["params"]["data"]
            whole = data.get("type") == "snapshot"
            if whole and data["instrument_name"] in self.spoiled_books:
                self.spoiled += 1
                data["bids"] = [["new", 0.9, 5.0], ["new", 0.8, -3.0]]
                data["asks"] = [["new", 0.0005, 5.0]]
            return Frame(frame)
        nonsense = {"private/get_open_orders": "many", "private/get_positions": [{"size": "x"}, 7]}
        if self.spoiled_account and about in nonsense:
            self.spoiled += 1
            return with_result(said, nonsense[about])
        if self.denies_dead_man and about == "private/get_cancel_on_disconnect":
            return with_result(said, {"scope": "connection", "enabled": False})
        return said


class DeribitBench(SimulatedBench):
    """See above."""

    kind = "deribit"
    keys: ClassVar = {"key": "KEYOFTHEBENCH", "secret": "SECRETOFTHEBENCH"}
    environment: ClassVar = {"MMBOT_SIM_KEY": keys["key"], "MMBOT_SIM_SECRET": keys["secret"]}
    instruments = ("ETH-6JUN25-2800-C", "ETH-13JUN25-2900-P")
    nobodys = "ETH-4711"
    amount = Decimal(4)
    methods = METHODS
    accounts = "user."
    cash = "ETH"

    venue: SimVenue
    tap: DeribitTap

    async def enter(self, life: AsyncExitStack) -> None:
        world = self.world
        start_ms = VenueOptions().start_ms
        if world.expires_in_s is not None:
            start_ms = FIRST_EXPIRES_MS - round(world.expires_in_s * 1000)
        rules = UNLIMITED if world.unlimited else Rules()
        if not world.unlimited and world.scale == 1.0:
            rules = MANY_STARTS
        options = VenueOptions(
            key=self.keys["key"],
            secret=self.keys["secret"],
            start_ms=start_ms,
            flow_scale=5.0 if world.violent else 1.0 if world.lively else 0.0,
            preset="crash" if world.violent else "normal",
            rules=replace(rules, ignore_cancel_on_disconnect=not world.dead_man_works),
            faults=FaultPlan(clock_skew_s=world.ahead_s),
            token_expires_in_s=world.login_lasts_s or 900.0,
        )
        venue = await life.enter_async_context(HastyVenue(options, world.scale))
        self.venue, self.tap = venue, DeribitTap(venue)

    def forget_logins(self) -> None:
        for session in self.venue.protocol.sessions:
            session.account, session.authorized_until_ms = None, 0

    @property
    def secrets(self) -> Sequence[str]:
        return [self.keys["secret"], *self.tap.tokens]


BENCH = DeribitBench
