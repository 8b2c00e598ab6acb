"""However requests and their answers are held up, no gate of the venue is ever overdrawn. What is
not answered is counted there all the same, as long as it may be on its way."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core import gates
from mmbot.core.capabilities import Capabilities, Draws, Gate, GateKind, GateScope
from mmbot.core.state import Account
from mmbot.core.types import MS, SECOND, InstrumentId, Label, Nanos

INSTRUMENTS = [InstrumentId("v:a"), InstrumentId("v:b")]
KINDS = [Draws.PLACE, Draws.MOVE, Draws.CANCEL]


@st.composite
def some_gates(draw: st.DrawFn) -> tuple[Gate, ...]:
    count = draw(st.integers(1, 3))
    return tuple(
        Gate(
            f"gate {n}",
            rate_per_s=draw(st.sampled_from([1.0, 5.0, 20.0])),
            burst=draw(st.sampled_from([5.0, 20.0, 30.0])),
            kind=draw(st.sampled_from(GateKind)),
            scope=draw(st.sampled_from(GateScope)),
            weights=tuple((kind, draw(st.sampled_from([0.5, 1.0, 2.0]))) for kind in KINDS),
            cancel_reserve=draw(st.sampled_from([0.1, 0.25, 0.5])),
            quote_share=draw(st.sampled_from([1.0, 1 / 3])),
        )
        for n in range(count)
    )


@dataclass
class Venue:
    """What the venue counts, when: it is told to nobody."""

    gate: Gate
    pace: float
    """Its clock against ours."""
    phase_ns: Nanos
    """Where its windows begin."""
    counted: dict[InstrumentId | None, list[tuple[Nanos, float]]] = field(default_factory=dict)

    def count(
        self, at_ns: Nanos, instrument: InstrumentId, draws: Draws, *, quote: bool = False
    ) -> None:
        of = instrument if self.gate.scope is GateScope.INSTRUMENT else None
        weight = self.gate.weight(draws) * (self.gate.quote_share if quote else 1.0)
        self.counted.setdefault(of, []).append((int(at_ns * self.pace), weight))

    def check(self) -> None:
        for requests in self.counted.values():
            requests.sort()
            if self.gate.kind is GateKind.FIXED_WINDOW:
                self._check_windows(requests)
            else:
                self._check_bucket(requests)

    def _check_windows(self, requests: list[tuple[Nanos, float]]) -> None:
        length_ns = int(self.gate.burst / self.gate.rate_per_s * SECOND)
        windows: dict[int, float] = {}
        for at_ns, weight in requests:
            number = (at_ns + self.phase_ns) // length_ns
            windows[number] = windows.get(number, 0.0) + weight
        assert max(windows.values()) <= self.gate.burst + 1e-9

    def _check_bucket(self, requests: list[tuple[Nanos, float]]) -> None:
        level, last_ns = self.gate.burst, 0
        for at_ns, weight in requests:
            earned = (at_ns - last_ns) * self.gate.rate_per_s / SECOND
            level, last_ns = min(self.gate.burst, level + earned) - weight, at_ns
            assert level >= -1e-9


@given(
    some_gates(),
    st.sampled_from([0.99, 1.0, 1.01]),
    st.integers(0, 30 * SECOND),
    st.lists(
        st.tuples(
            st.integers(1, 900),  # ms until the next step
            st.integers(0, 25),  # requests wanted then
            st.sampled_from(KINDS),
            st.sampled_from(INSTRUMENTS),
            st.one_of(st.integers(0, 2500), st.integers(0, 5000)),  # ms until they are counted
            # ... and until their answers are back; None: they never are
            st.one_of(st.integers(0, 2500), st.none()),
            st.booleans(),  # whether they are quotes
        ),
        min_size=5,
        max_size=60,
    ),
    st.integers(0, 5),
)
@settings(max_examples=150, deadline=None)
def test_no_gate_is_overdrawn_however_long_requests_and_answers_take(
    limits: tuple[Gate, ...],
    pace: float,
    phase_ns: Nanos,
    steps: list[tuple[int, int, Draws, InstrumentId, int, int | None, bool]],
    orders: int,
) -> None:
    """A request travels for 5 s at most: a place is valid for 4, and clocks differ by 1. `orders`:
    so many, each asked about again and again; 0: each is asked about once."""
    account, now_ns, number = Account("v"), SECOND, 0
    can = Capabilities(gates=limits)
    gates.described(account, can)
    account.capabilities = can
    venues = [Venue(gate, pace, phase_ns) for gate in limits]
    answers: list[tuple[Nanos, Label]] = []
    for pause_ms, wanted, draws, instrument, there_ms, back_ms, rests in steps:
        now_ns += pause_ms * MS
        done = [label for at_ns, label in answers if at_ns <= now_ns]
        answers = [one for one in answers if one[0] > now_ns]
        for label in done:
            gates.answered(account, label, now_ns)
        gates.refill(account, now_ns)
        for _ in range(wanted):
            cancel, quote = draws is Draws.CANCEL, rests and draws is not Draws.CANCEL
            if gates.affords(account, draws, instrument, reserve=cancel, quote=quote):
                number += 1
                label = Label(f"mmtest-{number % orders if orders else number}")
                if any(label == one for _, one in answers):
                    continue  # requests about one order wait for each other
                drawn = gates.drawn_from(account, draws, instrument, quote=quote)
                gates.spend(account, drawn, label, now_ns)
                counted_ns = now_ns + there_ms * MS
                for venue in venues:
                    venue.count(counted_ns, instrument, draws, quote=quote)
                if back_ms is not None:
                    answers.append((counted_ns + back_ms * MS, label))
    for venue in venues:
        venue.check()


@given(
    some_gates(),
    st.sampled_from([0.99, 1.0, 1.01]),
    st.integers(0, 30 * SECOND),
    st.lists(
        st.tuples(
            st.sampled_from([10, 100, 1000, 2500]),  # ms until the next step
            st.sampled_from([0, 3000, 5000]),  # ms until what is sent then is counted
            st.booleans(),  # and whether it is answered
        ),
        min_size=5,
        max_size=40,
    ),
)
@settings(max_examples=200, deadline=None)
def test_what_is_not_answered_is_left_room_for_when_all_there_is_gets_sent(
    limits: tuple[Gate, ...], pace: float, phase_ns: Nanos, steps: list[tuple[int, int, bool]]
) -> None:
    account, now_ns, number = Account("v"), SECOND, 0
    can = Capabilities(gates=limits)
    gates.described(account, can)
    account.capabilities = can
    venues = [Venue(gate, pace, phase_ns) for gate in limits]
    answers: list[tuple[Nanos, Label]] = []
    for pause_ms, there_ms, answered in steps:
        now_ns += pause_ms * MS
        for _, label in [one for one in answers if one[0] <= now_ns]:
            gates.answered(account, label, now_ns)
        answers = [one for one in answers if one[0] > now_ns]
        gates.refill(account, now_ns)
        while gates.affords(account, Draws.CANCEL, INSTRUMENTS[0], reserve=True):
            number += 1
            label = Label(f"mmtest-{number}")
            drawn = gates.drawn_from(account, Draws.CANCEL, INSTRUMENTS[0])
            gates.spend(account, drawn, label, now_ns)
            for venue in venues:
                venue.count(now_ns + there_ms * MS, INSTRUMENTS[0], Draws.CANCEL)
            if answered:
                answers.append((now_ns + there_ms * MS, label))
    for venue in venues:
        venue.check()


@given(some_gates(), st.lists(st.sampled_from([Draws.PLACE, Draws.MOVE]), max_size=80))
@settings(max_examples=100, deadline=None)
def test_what_is_kept_for_cancels_is_there_whatever_else_was_sent(
    limits: tuple[Gate, ...], sent: list[Draws]
) -> None:
    account = Account("v")
    can = Capabilities(gates=limits)
    gates.described(account, can)
    account.capabilities = can
    instrument = INSTRUMENTS[0]
    gates.refill(account, SECOND)
    for number, draws in enumerate(sent):
        if gates.affords(account, draws, instrument, reserve=draws is Draws.CANCEL):
            drawn = gates.drawn_from(account, draws, instrument)
            gates.spend(account, drawn, Label(f"mmtest-{number}"), SECOND)
    kept = min(
        int(left.reserve / weight)
        for left, weight in gates.drawn_from(account, Draws.CANCEL, instrument)
    )
    for number in range(kept):
        assert gates.affords(account, Draws.CANCEL, instrument, reserve=True)
        drawn = gates.drawn_from(account, Draws.CANCEL, instrument)
        gates.spend(account, drawn, Label(f"mmtest-c{number}"), SECOND)


def test_at_full_demand_a_window_is_used_up_and_never_overdrawn() -> None:
    """25 in 5 s, answered at once, asked for every 50 ms for a minute; one is never used."""
    gate = Gate("window", 5.0, 25.0, GateKind.FIXED_WINDOW, cancel_reserve=0.0)
    account = Account("v")
    can = Capabilities(gates=(gate,))
    gates.described(account, can)
    account.capabilities = can
    sent_ns: list[Nanos] = []
    for step in range(20, 1220):
        now_ns = step * 50 * MS
        for label in list(account.budget.unanswered):
            gates.answered(account, label, now_ns)
        gates.refill(account, now_ns)
        while gates.affords(account, Draws.PLACE, None):
            drawn = gates.drawn_from(account, Draws.PLACE, None)
            gates.spend(account, drawn, Label(f"mmtest-{len(sent_ns)}"), now_ns)
            sent_ns.append(now_ns)
    most = max(sum(at <= one < at + 5 * SECOND for one in sent_ns) for at in sent_ns)
    assert most == 24
    assert len(sent_ns) >= 24 * 11
