"""The account's limits, all of them: whether a request passes every gate that it draws from.

Theory of operation
-------------------
1. A gate is a limit as the venue states it (core.capabilities.Gate); what is left of one is a value
   (core.budget.Budget), where it counts per instrument one for each.
2. The first limit of the whole account that orders draw from is the account's `budget`; the others
   are in `gates`, by name, and come into being when first drawn from.
3. A request takes its weight of every gate that names its kind. It is sent if none would be
   overdrawn, and each keeps a part for cancels.
4. A look at the venue is several reads. Where they draw from a gate that orders draw from too, the
   look takes as much of it at once, and waits while that is not there.
5. What a session asks by itself (signing in, subscriptions, proof of life) is not the core's to
   wait for. Where that draws from a gate of orders, the gate is divided between the two, once and
   for all (Gate.session_share): neither has to hear of the other's requests in time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mmbot.core.absence import CLOCK_SKEW_NS
from mmbot.core.budget import Budget
from mmbot.core.capabilities import Capabilities, Draws, Gate, GateKind, GateScope
from mmbot.core.state import Account
from mmbot.core.types import InstrumentId, Label, Nanos

READS_OF_A_LOOK = 6
"""Orders, positions twice, trades, money and flows; each order that is asked about by name is one
more."""

_PER_INSTRUMENT = GateScope.INSTRUMENT  # asked of every request, where its class's look-up tells

Drawn = tuple[Budget, float]
"""What is left of a gate, and what a request takes of it."""


LOOK = Label("look at the venue")
"""What a look's share of a gate is in flight under: no order of ours is called so."""


def described(account: Account, capabilities: Capabilities) -> None:
    """The venue has said what it is like: its limits are these from now on, and what was spent of
    them is spent."""
    gate = capabilities.order_gate
    if gate is not None and gate != account.capabilities.order_gate:
        _reshape(account, account.budget, gate)
    if capabilities.gates != account.capabilities.gates:
        for name in list(account.gates):
            same = next((one for one in capabilities.gates if gate_is(one, name)), None)
            if same is None:
                del account.gates[name]
            else:
                _reshape(account, account.gates[name], same)


def _reshape(account: Account, left: Budget, gate: Gate) -> None:
    left.reserve_share, left.heaviest = gate.cancel_reserve, _heaviest(gate)
    was_windowed, window_ns = left.windowed, left.window_ns
    left.resize(*gate.of_core)
    left.windowed = gate.kind is GateKind.FIXED_WINDOW
    missing = left.full - left.level
    if left.windowed and missing > 0 and (not was_windowed or window_ns != left.window_ns):
        left.spent.append((left.at_ns + left.window_ns, missing))
    if left.windowed and account.idle_since_ns:  # of a wider window more may have been spent
        left.inherit(left.at_ns - account.idle_since_ns, left.at_ns)


def limits_read(account: Account, rate_per_s: float, burst: float) -> None:
    """The account's own limit for orders has been read."""
    gate = account.capabilities.order_gate
    if gate is not None:
        rate_per_s, burst = replace(gate, rate_per_s=rate_per_s, burst=burst).of_core
    account.budget.resize(rate_per_s, burst)


def affords(
    account: Account,
    draws: Draws,
    instrument: InstrumentId | None,
    *,
    reserve: bool = False,
    quote: bool = False,
) -> bool:
    """Whether a request of that kind passes every gate. `reserve`: it may take of what is kept for
    cancels."""
    return all_afford(drawn_from(account, draws, instrument, quote=quote), reserve=reserve)


def all_afford(drawn: Iterable[Drawn], *, reserve: bool = False) -> bool:
    """Whether a request passes all these gates."""
    for left, weight in drawn:  # noqa: SIM110  # a generator costs more than the question
        if not left.affords(weight, cancel=reserve):
            return False
    return True


def spend(account: Account, drawn: Iterable[Drawn], about: Label, now_ns: Nanos) -> None:
    """It leaves: every gate it draws from has so much less, until it is answered and longer."""
    by_ns = now_ns + _travels_ns(account.capabilities)
    for left, weight in drawn:
        left.spend(about, by_ns, weight)


def _travels_ns(can: Capabilities) -> Nanos:
    """How long a request may be on its way: as long as it is valid, by whichever clock. Cancels are
    taken for as old as that at most, and so is what the venue refuses for its age: that may count
    all the same."""
    valid_ns = can.valid_for_ns
    return CLOCK_SKEW_NS + (2 * can.request_deadline_ns if valid_ns is None else valid_ns)


def short_for(account: Account, cancels: Iterable[InstrumentId]) -> bool:
    """Whether single cancels on these instruments would leave nothing of a gate for the next, nor
    of what cancels by label draw from."""
    counts = Counter(cancels)
    apart = by_label(account)
    if apart and not any(left.short_for(counts.total(), weight) for left, weight in apart):
        return False
    for gate, weight in account.capabilities.takes(Draws.CANCEL):
        if gate.scope is GateScope.ACCOUNT:
            if _left(account, gate, None).short_for(counts.total(), weight):
                return True
        elif any(
            _left(account, gate, one).short_for(count, weight)
            for one, count in counts.items()
            if _is_for(gate, one)
        ):
            return True
    return not account.capabilities.gates and account.budget.short_for(counts.total())


def drawn_from(
    account: Account, draws: Draws, instrument: InstrumentId | None, *, quote: bool = False
) -> list[Drawn]:
    """Every gate that a request takes something of. A request about no single instrument passes
    beside those that count per instrument. `quote`: it places or moves what only rests."""
    can = account.capabilities
    if not can.gates:
        return [] if draws is Draws.READ else [(account.budget, 1.0)]
    drawn: list[Drawn] = []
    order_gate = can.order_gate
    for gate, full_weight in can.takes(draws):
        weight = full_weight * gate.quote_share if quote else full_weight
        if gate is order_gate:
            drawn.append((account.budget, weight))
        elif gate.scope is not _PER_INSTRUMENT:
            drawn.append((_left(account, gate, None), weight))
        elif instrument is not None and _is_for(gate, instrument):
            drawn.append((_left(account, gate, instrument), weight))
    return drawn


def by_label(account: Account) -> list[Drawn]:
    """What a cancel by a label alone draws from; empty where that is not counted apart."""
    if not account.capabilities.takes(Draws.LABEL_CANCEL):
        return []
    return drawn_from(account, Draws.LABEL_CANCEL, None)


def _is_for(gate: Gate, instrument: InstrumentId) -> bool:
    """Whether a limit per instrument is for this one."""
    return not gate.name_ends or instrument.endswith(gate.name_ends)


def lookups(account: Account, most: int) -> int:
    """How many orders one look may ask about by name, where reads draw from a gate of orders."""
    for left, weight in _of_reads(account):
        most = min(most, int((left.full - left.reserve) / weight) - READS_OF_A_LOOK)
    return max(0, most)


def spend_look(account: Account, labels: int, by_ns: Nanos) -> bool:
    """Whether a look that asks about so many orders passes the gates that it shares with orders;
    then it is spent. `by_ns`: when it is over at last."""
    reads = READS_OF_A_LOOK + labels
    shared = [(left, reads * weight) for left, weight in _of_reads(account)]
    if not all(left.affords(weight) for left, weight in shared):
        return False
    for left, weight in shared:
        left.spend(LOOK, by_ns, weight)
    return True


def _of_reads(account: Account) -> Iterator[Drawn]:
    """The gates that orders and reads share, and what one read takes."""
    for gate, weight in account.capabilities.takes(Draws.READ):
        if gate.for_orders and gate.scope is GateScope.ACCOUNT:
            yield _left(account, gate, None), weight


def limits(account: Account) -> tuple[Budget, ...]:
    """All there is of limits just now."""
    return account.budget, *account.gates.values()


def refill(account: Account, now_ns: Nanos) -> None:
    """Time passed."""
    for left in limits(account):
        left.refill(now_ns)
        if not account.asked_ns:
            left.answered(LOOK, now_ns)


def answered(account: Account, about: Label, now_ns: Nanos) -> None:
    """The venue has said something that only follows from the request about that order."""
    for left in limits(account):
        left.answered(about, now_ns)


def _left(account: Account, gate: Gate, instrument: InstrumentId | None) -> Budget:
    """What is left of a gate."""
    if gate is account.capabilities.order_gate:
        return account.budget
    name = gate_name(gate, instrument)
    left = account.gates.get(name)
    if left is None:
        rate_per_s, burst = gate.of_core
        left = account.gates[name] = Budget(
            rate_per_s=rate_per_s,
            burst=burst,
            reserve_share=gate.cancel_reserve,
            windowed=gate.kind is GateKind.FIXED_WINDOW,
            heaviest=_heaviest(gate),
            at_ns=account.budget.at_ns,
        )
        left.level = left.full
        if account.idle_since_ns:
            left.inherit(left.at_ns - account.idle_since_ns, left.at_ns)
    return left


def gate_name(gate: Gate, instrument: InstrumentId | None) -> str:
    """What is left of a gate is known under this name."""
    return f"{gate.name} {instrument}" if gate.scope is GateScope.INSTRUMENT else gate.name


def gate_is(gate: Gate, name: str) -> bool:
    """Whether what is known under that name is left of this gate."""
    return name == gate.name or name.startswith(f"{gate.name} ")


def _heaviest(gate: Gate) -> float:
    return max((weight for _, weight in gate.weights), default=1.0)
