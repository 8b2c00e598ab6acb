"""The option chain that an engine saw at a moment, from its tape."""

from collections.abc import Callable
from math import nan
from pathlib import Path

from mmbot.core.books import Market, reference
from mmbot.core.state import State
from mmbot.core.types import Kind, Right, Side
from mmbot.errors import ConfigError
from mmbot.research.chain_rows import Name, Row
from mmbot.tape.reader import TapeFile
from mmbot.tape.replay import Replay


def rows(path: Path, at_ns: int | None, said: Callable[[float], None]) -> tuple[list[Row], int]:
    """Every option on the tape as it was at the last turn not after the moment, and when that was.

    Raises ConfigError for what is no tape of this version, or begins later.
    """
    tape = TapeFile(path)
    replay = Replay(tape)
    now_ns = 0
    for turn in tape.turns():
        if at_ns is not None and turn.now_ns > at_ns:
            break
        try:
            replay.take(turn)
        except ValueError as error:
            raise ConfigError(f"{path}: turn {turn.number} cannot be read: {error}") from error
        now_ns = turn.now_ns
        said(tape.share_read)
    if not now_ns:
        raise ConfigError(f"{path}: it has no turn up to that moment")
    options = (
        market
        for market in replay.state.markets.values()
        if market.instrument.kind is Kind.OPTION and market.instrument.expiry_ns is not None
    )
    return [_row(market, replay.state, now_ns) for market in options], now_ns


def _row(market: Market, state: State, now_ns: int) -> Row:
    instrument = market.instrument
    assert instrument.strike is not None
    assert instrument.expiry_ns is not None
    coin = instrument.underlying
    name = Name(
        coin if instrument.inverse else f"{coin}_{instrument.settlement}",
        instrument.expiry_ns,
        float(instrument.strike),
        1.0 if instrument.right is Right.CALL else -1.0,
    )
    orders = list(state.orders.on(instrument.id))
    best = []
    for side in (Side.BUY, Side.SELL):
        found = None if market.lost is not None else reference(market, side, orders, now_ns, {})
        best.append(found[0][0] if found else nan)
    return Row(
        name,
        bid=best[0],
        ask=best[1],
        mark=nan if market.mark is None else market.mark,
        mark_vol=nan if market.mark_iv is None else market.mark_iv,
        forward=nan if market.forward is None else market.forward,
    )
