"""Terms as one flat table, and back."""

from decimal import Decimal

import orjson
import pytest
from pydantic import TypeAdapter

from mmbot.core.contracts import Instrument
from mmbot.core.terms import flat, nested
from tests.builders import a_binary, a_linear_perpetual, a_perpetual, an_option

BEFORE = """{"id": "deribit:ETH-6JUN25-2800-C", "venue": "deribit", "name": "ETH-6JUN25-2800-C",
 "symbol": "ETH/USD:ETH-250606-2800-C", "kind": "option", "underlying": "ETH",
 "settlement": "ETH", "inverse": true, "contract_size": "1", "min_amount": "1",
 "amount_step": "1", "tick": "0.0001",
 "tick_steps": [{"above": "0.005", "tick": "0.0005"}],
 "maker_fee": "0.0003", "taker_fee": "0.0003", "fee_cap": "0.125", "strike": "2800",
 "right": "call", "expiry_ns": 1749196800000000000}"""
"""A row as a store held it before an instrument had a grid and fees of its own."""


def read(text: str | bytes) -> Instrument:
    return TypeAdapter(Instrument).validate_python(nested(orjson.loads(text)))


def test_a_row_of_before_is_read() -> None:
    assert read(BEFORE) == an_option()


def test_a_perpetual_of_before_is_charged_by_its_notional() -> None:
    row = orjson.loads(BEFORE) | {"kind": "perpetual"}
    fee = read(orjson.dumps(row)).fee(Decimal(1000), Decimal(2000), Decimal(2850))
    assert fee == Decimal("0.00015")  # 0.0003 x 1000 / 2000


@pytest.mark.parametrize(
    "instrument",
    [an_option(), a_perpetual(), a_linear_perpetual(), a_binary(), a_binary(tie_pays=True)],
)
def test_terms_come_back_as_they_were(instrument: Instrument) -> None:
    assert read(orjson.dumps(flat(instrument), default=str)) == instrument


def test_the_flat_table_has_the_keys_of_before_and_more() -> None:
    terms = flat(an_option())
    assert terms.keys() >= orjson.loads(BEFORE).keys()
    assert terms.keys() - orjson.loads(BEFORE).keys() == {
        "min_notional",
        "lowest_price",
        "highest_price",
        "fee_basis",
        "base_fee",
        "tie_pays",
    }
    assert not {"grid", "fees"} & terms.keys()
