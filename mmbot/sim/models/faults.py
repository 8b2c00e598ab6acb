"""What can go wrong between us and a venue, as one plan per seed.

One dataclass of chances and rates serves both worlds: `sim.virtual` plays a plan in virtual time,
`sim.wire` on the sockets. `drawn` is a swarm: each fault is on or off for a seed, then its strength
is drawn, so that some seeds have one fault in its purest form and others many at once. A plan says
what may happen; the draws while it runs come from a generator seeded with `seed` by whoever plays
it.

Chances are per request, per message or per link, in 0..1; rates are per hour of venue time;
durations in seconds are the longest possible, the actual ones are drawn below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from random import Random
from typing import Annotated

from annotated_types import Ge, Le, doc

Chance = Annotated[float, Ge(0), Le(1)]
PerHour = Annotated[float, Ge(0), Le(3_600)]
SecondsMax = Annotated[float, Ge(0), Le(600)]


class Harshness(Enum):
    """How strong a drawn plan may be."""

    NONE = "none"
    MILD = "mild"
    HARSH = "harsh"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Everything that may go wrong. Without arguments: nothing does."""

    seed: int = 0
    lost_request: Annotated[Chance, doc("a request never arrives")] = 0.0
    lost_reply: Annotated[Chance, doc("a request is carried out, its reply never comes")] = 0.0
    late_request: Annotated[Chance, doc("a request travels up to late_s")] = 0.0
    late_reply: Annotated[Chance, doc("a reply travels up to late_s")] = 0.0
    late_private: Annotated[Chance, doc("an order or trade message travels up to late_s")] = 0.0
    late_s: Annotated[SecondsMax, doc("the longest such journey")] = 5.0
    duplicate_private: Annotated[Chance, doc("an order or trade message comes twice")] = 0.0
    reordered_private: Annotated[Chance, doc("it comes after the one behind it")] = 0.0
    book_gap: Annotated[Chance, doc("a book change is skipped")] = 0.0
    stale_book_per_hour: Annotated[PerHour, doc("a book stops moving for up to stale_s")] = 0.0
    stale_s: Annotated[SecondsMax, doc("the longest such stop")] = 20.0
    closed_book_per_hour: Annotated[
        PerHour, doc("an instrument stops trading, and its orders are cancelled")
    ] = 0.0
    closed_s: Annotated[SecondsMax, doc("for up to this long")] = 10.0
    half_open_per_hour: Annotated[PerHour, doc("data is swallowed while TCP stays up")] = 0.0
    half_open_s: Annotated[SecondsMax, doc("for up to this long")] = 20.0
    private_silence_per_hour: Annotated[
        PerHour, doc("the account's channels tell nothing while all else goes on")
    ] = 0.0
    private_silence_s: Annotated[SecondsMax, doc("for up to this long")] = 30.0
    cut_per_hour: Annotated[PerHour, doc("every connection is severed")] = 0.0
    cut_mid_order: Annotated[Chance, doc("the line is cut as an order request arrives")] = 0.0
    down_s: Annotated[SecondsMax, doc("nobody can connect for up to this long after a cut")] = 5.0
    ignored_cod: Annotated[Chance, doc("a broken line does not cancel our orders")] = 0.0
    rate_limited: Annotated[Chance, doc("a request is answered 10028 and the session ended")] = 0.0
    http_429: Annotated[Chance, doc("a REST request is answered 429")] = 0.0
    http_5xx: Annotated[Chance, doc("a REST request is answered 502 or 503")] = 0.0
    garbage: Annotated[Chance, doc("a message arrives as bytes that mean nothing")] = 0.0
    clock_skew_s: Annotated[float, Ge(-2), Le(2), doc("the venue's clock is ahead by this")] = 0.0
    restart_per_hour: Annotated[PerHour, doc("the venue restarts, away for up to down_s")] = 0.0
    restart_loses_orders: Annotated[Chance, doc("it comes back without its orders")] = 0.0
    expiry_soon: Annotated[Chance, doc("something we quote expires in mid-flight")] = 0.0

    @property
    def calm(self) -> bool:
        """Whether nothing goes wrong at all."""
        return not self.active()

    def active(self) -> Mapping[str, float]:
        """The faults that are on, by name, with their strength."""
        return {name: getattr(self, name) for name in STRENGTHS if getattr(self, name)}

    def healed(self) -> "FaultPlan":
        """The same world with nothing going wrong any more (its clock stays as wrong as it is)."""
        return FaultPlan(seed=self.seed, clock_skew_s=self.clock_skew_s)

    @staticmethod
    def drawn(seed: int, harshness: Harshness) -> "FaultPlan":
        """The plan of a seed: each fault on with even chance, then its strength."""
        plan = FaultPlan(seed=seed)
        if harshness is Harshness.NONE:
            return plan
        dice = Random(f"faults {seed}")
        strengths: dict[str, float] = {}
        for name, (mild, harsh) in STRENGTHS.items():
            on, share = dice.random() < 0.5, dice.random()
            limit = mild if harshness is Harshness.MILD else harsh
            if on:
                strengths[name] = limit * (0.1 + 0.9 * share)
        if "clock_skew_s" in strengths and dice.random() < 0.5:
            strengths["clock_skew_s"] *= -1
        return replace(plan, **strengths)  # type: ignore[arg-type]  # every strength is a float


STRENGTHS: Mapping[str, tuple[float, float]] = {
    "lost_request": (0.01, 0.10),
    "lost_reply": (0.01, 0.10),
    "late_request": (0.02, 0.15),
    "late_reply": (0.02, 0.15),
    "late_private": (0.02, 0.20),
    "duplicate_private": (0.02, 0.30),
    "reordered_private": (0.02, 0.30),
    "book_gap": (0.005, 0.05),
    "stale_book_per_hour": (20, 240),
    "half_open_per_hour": (10, 60),
    "cut_per_hour": (20, 240),
    "cut_mid_order": (0.002, 0.03),
    "ignored_cod": (0.5, 1.0),
    "rate_limited": (0.001, 0.01),
    "http_429": (0.02, 0.2),
    "http_5xx": (0.02, 0.2),
    "garbage": (0.001, 0.02),
    "clock_skew_s": (0.3, 0.9),
    "restart_per_hour": (5, 30),
    "restart_loses_orders": (0.5, 1.0),
    "expiry_soon": (1.0, 1.0),
    "private_silence_per_hour": (20, 120),
    "closed_book_per_hour": (20, 120),
}
"""The strongest a fault may be drawn, mild and harsh. What is not here (the durations) stays as it
is; the clock's error stays below what the bot allows for (`core.absence.CLOCK_SKEW_NS`)."""

assert STRENGTHS.keys() <= {field.name for field in fields(FaultPlan)}
