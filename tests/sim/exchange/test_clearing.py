"""What a trade does to the money of its accounts; numbers by hand."""

from __future__ import annotations

from tests.sim.orders import D, an_exchange, ask, bid, placed
from tests.wire.venue import OPTION, PERPETUAL


class TestMoney:
    def test_an_inverse_perpetual_pays_in_coin(self) -> None:
        # 1000 USD at 2500 is 0.4 ETH; at 2600 it is 0.384615384615: the long gains the difference.
        exchange = an_exchange()
        placed(exchange, "bob", ask("1000", "2500", name=PERPETUAL))
        placed(exchange, "ann", bid("1000", "2500", name=PERPETUAL))
        placed(exchange, "bob", bid("1000", "2600", name=PERPETUAL))
        placed(exchange, "ann", ask("1000", "2600", name=PERPETUAL))
        ann = exchange.accounts["ann"]
        assert ann.session["ETH"] == D("0.015384615385")
        # Taker fees: 0.0005 of 0.4 and of 0.384615384615 coin.
        assert ann.cash["ETH"] == D(100) - D("0.0002") - D("0.000192307692")
        assert exchange.accounts["bob"].cash["ETH"] == 100
        assert exchange.accounts["bob"].session["ETH"] == D("-0.015384615385")

    def test_the_average_entry_of_an_inverse_perpetual_is_harmonic(self) -> None:
        # 1000 USD at 2500 and 1000 at 2000: 0.4 + 0.5 coin for 2000 USD, so 2222.22.
        exchange = an_exchange()
        placed(exchange, "bob", ask("1000", "2500", name=PERPETUAL))
        placed(exchange, "ann", bid("1000", "2500", name=PERPETUAL))
        placed(exchange, "bob", ask("1000", "2000", name=PERPETUAL))
        placed(exchange, "ann", bid("1000", "2000", name=PERPETUAL))
        average = exchange.position("ann", PERPETUAL).average_price
        assert average.quantize(D("0.01")) == D("2222.22")

    def test_an_option_moves_the_premium_at_once(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("2", "0.03"))
        placed(exchange, "ann", bid("2", "0.03"))
        # 2 x 0.03 premium and 2 x 0.0003 fee each.
        assert exchange.accounts["ann"].cash["ETH"] == D("99.9394")
        assert exchange.accounts["bob"].cash["ETH"] == D("100.0594")
        exchange.set_mark(OPTION, D("0.04"), index=D(2500))
        assert exchange.equity("ann", "ETH") == D("99.9394") + D("0.08")
        assert exchange.position("ann", OPTION).unrealized(D("0.04")) == D("0.02")

    def test_closing_a_part_realizes_that_parts_share(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("4", "0.03"))
        placed(exchange, "ann", bid("4", "0.03"))
        placed(exchange, "bob", bid("1", "0.05"))
        closing = placed(exchange, "ann", ask("1", "0.05"))
        assert closing.trades[0].realized == D("0.02")
        option_left = exchange.position("ann", OPTION)
        assert (option_left.size, option_left.average_price) == (D(3), D("0.03"))

        placed(exchange, "bob", ask("1000", "2500", name=PERPETUAL))
        placed(exchange, "ann", bid("1000", "2500", name=PERPETUAL))
        placed(exchange, "bob", bid("400", "2600", name=PERPETUAL))
        closing = placed(exchange, "ann", ask("400", "2600", name=PERPETUAL))
        # 400 x (1/2500 - 1/2600) = 0.16 - 0.153846153846
        assert closing.trades[0].realized == D("0.006153846154")
        assert exchange.position("ann", PERPETUAL).average_price == 2500

    def test_turning_a_position_realizes_only_what_was_closed(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("2", "0.03"))
        placed(exchange, "ann", bid("2", "0.03"))
        placed(exchange, "bob", bid("5", "0.04"))
        placed(exchange, "ann", ask("5", "0.04"))
        position = exchange.position("ann", OPTION)
        assert position.realized == D("0.02")
        assert (position.size, position.average_price) == (D(-3), D("0.04"))
