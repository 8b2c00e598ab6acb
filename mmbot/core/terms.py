"""An instrument's terms as one flat table: how they are shown as JSON and kept in the store.

Grid and fees are values of their own in the core; outside it their fields stand beside the others,
under names that say whose they are.
"""

from collections.abc import Mapping
from dataclasses import asdict

from mmbot.core.contracts import Instrument
from mmbot.core.fees import FeeBasis
from mmbot.core.types import Kind

_GRID = {
    "tick": "tick",
    "tick_steps": "tick_steps",
    "amount_step": "amount_step",
    "min_amount": "min_amount",
    "min_notional": "min_notional",
    "lowest": "lowest_price",
    "highest": "highest_price",
}
_FEES = {
    "basis": "fee_basis",
    "maker": "maker_fee",
    "taker": "taker_fee",
    "base": "base_fee",
    "cap": "fee_cap",
}


def flat(instrument: Instrument) -> dict[str, object]:
    """All terms, grid and fees among the others."""
    terms: dict[str, object] = asdict(instrument)
    del terms["grid"], terms["fees"]
    grid, fees = asdict(instrument.grid), asdict(instrument.fees)
    terms |= {_GRID[name]: value for name, value in grid.items()}
    return terms | {_FEES[name]: value for name, value in fees.items()}


def nested(terms: Mapping[str, object]) -> dict[str, object]:
    """What `flat` made, as the fields of an Instrument again.

    Terms of before fees had a basis: options pay by the index, others by the notional.
    """
    left = dict(terms)
    if "fee_basis" not in left:
        option = left["kind"] == Kind.OPTION.value
        left["fee_basis"] = (FeeBasis.INDEX if option else FeeBasis.NOTIONAL).value
    for part, names in (("grid", _GRID), ("fees", _FEES)):
        left[part] = {name: left.pop(key) for name, key in names.items() if key in left}
    return left
