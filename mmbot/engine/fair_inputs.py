"""What a fair value was built from: its model, and every input with its age, for people."""

from collections.abc import Iterator
from math import isnan

from mmbot.core.books import Market
from mmbot.core.chains import Chain
from mmbot.core.state import State
from mmbot.core.types import SECOND, Nanos
from mmbot.engine.status import FairInput, FairRow

FIRST_FIT_NS: Nanos = 10 * SECOND
"""So long after the start nobody misses a surface."""


def fair_row(state: State, market: Market, now_ns: Nanos) -> FairRow | None:
    """How the last fair value of a market came about; None while there is none."""
    valued = market.valuation
    if valued is None:
        return None
    inputs: list[FairInput] = []
    chain = state.chains.get(market.chain)
    if chain is not None and valued.forward is not None:
        inputs += _of_chain(state, chain, market.row, now_ns)
    elif valued.model == "mark":
        inputs.append(_input("mark", market.mark, "", market.priced_ns, now_ns))
        if market.mark_iv is not None:
            inputs.append(_vol("venue's volatility", market.mark_iv, market.priced_ns, now_ns))
    else:
        inputs.append(_input("book", None, "", _heard_ns(state, market), now_ns))
    offset = state.controls.vol_points if market.instrument.has_vega else 0.0
    if offset:
        inputs.append(FairInput(name="offset by hand", value=offset, unit="vol points", age_s=None))
    return FairRow(
        value=valued.fair,
        model=valued.model,
        why="" if valued.why is None else valued.why.value,
        inputs=tuple(inputs),
    )


def without_surface(state: State, now_ns: Nanos) -> Iterator[str]:
    """Where options are valued without a surface although their desk wants one, and why; not
    while there has been no time for one."""
    if now_ns - state.started_ns < FIRST_FIT_NS:
        return
    for chain in state.chains.values():
        rows = range(len(chain.names))
        missing = sum(chain.traded[row] and not chain.fitted[row] for row in rows)
        if missing:
            why = f" ({chain.trouble})" if chain.trouble else ""
            options = "1 option" if missing == 1 else f"{missing} options"
            yield f"{chain.key.underlying}: no surface for {options}{why}, the venue's mark stands"


def _of_chain(state: State, chain: Chain, row: int, now_ns: Nanos) -> Iterator[FairInput]:
    expiry = chain.expiry[row]
    yield _input("forward", chain.forward[expiry], "USD", chain.valued_ns, now_ns)
    if chain.perpetual is not None and not isnan(chain.lead):
        perpetual = state.markets.get(chain.perpetual) or state.watched.get(chain.perpetual)
        if perpetual is not None:
            heard_ns = _heard_ns(state, perpetual)
            yield _input("perpetual", chain.lead, "USD", heard_ns, now_ns)
        basis = chain.basis[expiry]
        if basis.at_ns:
            bps = 1e4 * (chain.forward[expiry] / chain.lead - 1.0)
            yield _input("basis, mean of 60 s", bps, "bps", basis.at_ns, now_ns)
    elif not isnan(chain.stated[expiry]):
        yield _input("venue's forward", chain.stated[expiry], "USD", chain.heard_ns[row], now_ns)
    smile = chain.smiles.get(chain.expiries[expiry])
    if chain.fitted[row] and smile is not None:
        yield _vol("surface's volatility", chain.sigma[row], chain.fitted_ns, now_ns)
        yield _input("fitted to", float(smile.quotes), "quotes", chain.fitted_ns, now_ns)
        if smile.error is not None:
            unit = "vol points"
            yield _input("error of the fit", 100 * smile.error, unit, chain.fitted_ns, now_ns)
    if not isnan(chain.iv[row]):
        yield _vol("venue's volatility", chain.iv[row], chain.heard_ns[row], now_ns)


def _vol(name: str, vol: float, at_ns: Nanos, now_ns: Nanos) -> FairInput:
    return _input(name, 100 * vol, "%", at_ns, now_ns)


def _input(name: str, value: float | None, unit: str, at_ns: Nanos, now_ns: Nanos) -> FairInput:
    age_s = max(0, now_ns - at_ns) / SECOND if at_ns else None
    return FairInput(name=name, value=value, unit=unit, age_s=age_s)


def _heard_ns(state: State, market: Market) -> Nanos:
    """When a market's book, or its link, last gave a sign of life."""
    account = state.accounts.get(market.instrument.venue)
    return max(market.received_ns, account.alive_ns if account is not None else 0)
