"""One exchange of ccxt without the others: nobody may notice but by the time it takes."""

import json
import subprocess
import sys
from typing import Any

import pytest

ALONE = "from mmbot.venues.one_exchange import PACKAGES, Shell, load_alone\n"

TOLD = """
import json, sys, types
def told(name):
    what = vars(sys.modules[name])
    return {
        key: [getattr(value, "__module__", None), getattr(value, "__qualname__", None)]
        if isinstance(value, type | types.FunctionType)
        else str(type(value))
        for key, value in what.items()
    }
print(json.dumps([told(name) for name in ("ccxt", "ccxt.async_support", "ccxt.pro")]))
"""


def ran(program: str) -> str:
    """What a program prints in a process of its own, which ends well."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_the_pinned_ccxt_is_laid_out_so_that_one_exchange_comes_alone() -> None:
    said = ran(
        f"{ALONE}"
        "assert load_alone('deribit')\n"
        "import sys, ccxt.pro, ccxt.async_support\n"
        "exchange = ccxt.pro.deribit()\n"
        "assert exchange.has['watchOrderBook']\n"
        "assert all(isinstance(sys.modules[name], Shell) for name in PACKAGES)\n"
        "print(' '.join(sorted(n for n in sys.modules if n.startswith('ccxt.') "
        "and n.endswith(('deribit', 'binance', 'alpaca')))))\n"
    )
    assert said == "ccxt.abstract.deribit ccxt.async_support.deribit ccxt.pro.deribit"


def test_a_second_one_comes_alone_too() -> None:
    said = ran(
        f"{ALONE}"
        "assert load_alone('deribit')\n"
        "import sys, ccxt.pro\n"
        "first = ccxt.pro.deribit\n"
        "assert load_alone('derive') and load_alone('deribit')\n"
        "assert not load_alone('nonesuch')\n"
        "assert first is ccxt.pro.deribit\n"
        "from mmbot.venues.derive.exchange import DeriveExchange\n"
        "assert issubclass(DeriveExchange, ccxt.pro.derive)\n"
        "assert all(isinstance(sys.modules[name], Shell) for name in PACKAGES)\n"
        "print(' '.join(sorted(n for n in sys.modules if n.startswith('ccxt.pro.'))))\n"
    )
    assert said == "ccxt.pro.deribit ccxt.pro.derive"


def test_whoever_asks_for_more_afterwards_has_what_a_plain_import_gives() -> None:
    """Every name of the three packages, and what it is."""
    plain = json.loads(ran(f"import ccxt, ccxt.async_support, ccxt.pro\n{TOLD}"))
    asked: Any = json.loads(
        ran(
            f"{ALONE}"
            "assert load_alone('deribit')\n"
            "import ccxt, ccxt.async_support, ccxt.pro\n"
            "ccxt.pro.binance, ccxt.kraken\n"
            f"{TOLD}"
        )
    )
    for one, other in zip(asked, plain, strict=True):
        assert one.keys() == other.keys()
        different = {name for name in one if one[name] != other[name]}
        assert different == set()


@pytest.mark.parametrize(
    "asks",
    [
        "import ccxt.pro; ccxt.pro.binance",
        "from ccxt.pro import kraken",
        "import ccxt.pro.bybit as module; assert isinstance(module, type)",
        "from ccxt import *; assert NetworkError is known; assert issubclass(okx, Exchange)",
        "import ccxt; assert 'deribit' in ccxt.exchanges; assert ccxt.__version__",
        "from ccxt.async_support.gate import gate; gate()",
        "import importlib, ccxt.pro; importlib.reload(ccxt.pro); ccxt.pro.binance",
    ],
)
def test_classes_and_errors_stay_the_same_ones(asks: str) -> None:
    ran(
        f"{ALONE}"
        "assert load_alone('deribit')\n"
        "from mmbot.venues.deribit.client import Deribit\n"
        "from ccxt.base.errors import NetworkError as known\n"
        f"{asks}\n"
        "import ccxt, ccxt.pro, ccxt.async_support\n"
        "assert issubclass(Deribit, ccxt.pro.deribit)\n"
        "assert issubclass(ccxt.pro.deribit, ccxt.async_support.deribit)\n"
        "assert not issubclass(ccxt.deribit, ccxt.async_support.deribit)\n"
        "assert ccxt.NetworkError is ccxt.pro.NetworkError is known\n"
        "assert ccxt.async_support.NetworkError is known\n"
    )


def test_a_name_that_ccxt_does_not_have_is_missing() -> None:
    ran(
        f"{ALONE}"
        "assert load_alone('deribit')\n"
        "import ccxt.pro\n"
        "assert not hasattr(ccxt.pro, '__wrapped__')\n"
        "assert isinstance(ccxt.pro, Shell)\n"
        "assert not hasattr(ccxt.pro, 'nonesuch')\n"
        "assert not isinstance(ccxt.pro, Shell)\n"
    )


def test_what_is_there_already_is_left_alone() -> None:
    ran(
        f"import sys, ccxt.pro\n{ALONE}"
        "before = {n: m for n, m in sys.modules.items() if n.startswith('ccxt')}\n"
        "assert not load_alone('deribit')\n"
        "assert before == {n: m for n, m in sys.modules.items() if n.startswith('ccxt')}\n"
    )


@pytest.mark.parametrize(
    "otherwise",
    [
        "one.PACKAGES = ('ccxt', 'ccxt.elsewhere')",
        "one._put_basics = lambda ccxt: None",
        "one._complete = lambda shell: 1 / 0; one._put_basics = lambda ccxt: None",
        "one.Shell = type('Shell', (one.ModuleType,), {})",
    ],
)
def test_a_ccxt_that_is_laid_out_in_another_way_is_imported_whole(otherwise: str) -> None:
    ran(
        "import sys, mmbot.venues.one_exchange as one\n"
        f"{otherwise}\n"
        "assert not one.load_alone('deribit')\n"
        "assert not [name for name in sys.modules if name.startswith('ccxt')]\n"
        "from mmbot.venues.deribit.client import Deribit\n"
        "import ccxt.pro\n"
        "assert issubclass(Deribit, ccxt.pro.deribit)\n"
        "assert ccxt.pro.binance\n"
    )


def test_an_exchange_that_there_is_not_does_not_cost_the_others() -> None:
    ran(
        f"{ALONE}"
        "assert not load_alone('nonesuch')\n"
        "import ccxt.pro\n"
        "assert type(ccxt.pro).__name__ == 'module'\n"
        "assert ccxt.pro.deribit()\n"
    )
