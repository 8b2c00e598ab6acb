"""ccxt with one exchange in it: a third of the time to import, half the memory.

Theory of operation
-------------------
Importing any module of ccxt runs the first files of its packages, and these import every exchange
there is. Here the packages are put into `sys.modules` as shells: they have the place of the real
ones and have not run their first files. An exchange imported below them comes alone.

A shell that is asked for anything it does not have (another exchange, `__all__`) runs its first
file after all, in place, and is an ordinary package from then on. What was loaded before is in
`sys.modules` and is not loaded again, so that every class stays the one it was, whoever imports
ccxt afterwards and in whatever way.

This leans on how ccxt lays out its files. Where these are laid out in another way, or ccxt is there
already, nothing is changed, and ccxt is imported whole by whoever needs it.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from threading import RLock
from types import ModuleType

from mmbot.plugins.importing import importing

PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")
"""Those whose first files import every exchange, outermost first."""

_SAID_BY_FIRST_FILES = ("__all__", "__version__")

_lock = RLock()


class Shell(ModuleType):
    """A package whose first file has not run yet."""

    def __getattr__(self, name: str) -> object:
        """What the shell has not: what the whole package has."""
        if name.startswith("__") and name not in _SAID_BY_FIRST_FILES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        with _lock:
            if isinstance(self, Shell) and not vars(self).get("_running"):
                _complete(self)
        try:
            return vars(self)[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: object) -> None:
        """The name of an exchange is that of its class, as it is in the whole package; Python
        would leave the module there that it has just imported."""
        if isinstance(value, ModuleType) and isinstance(vars(value).get(name), type):
            value = vars(value)[name]
        super().__setattr__(name, value)


def _complete(shell: Shell) -> None:
    """Run its first file. Raises what that raises."""
    spec = shell.__spec__
    assert spec is not None
    assert spec.loader is not None
    vars(shell)["_running"] = True
    try:
        spec.loader.exec_module(shell)
    finally:
        del vars(shell)["_running"]
    shell.__class__ = ModuleType  # type: ignore[assignment]  # an ordinary package from now on


def load_alone(exchange: str) -> bool:
    """Load `ccxt.pro.EXCHANGE` without the others, if possible; whether that was done."""
    if "ccxt" in sys.modules:
        return _load_beside(exchange)
    try:
        with importing():
            for name in PACKAGES:
                _put_shell(name)
            _put_basics(sys.modules["ccxt"])
            for name in PACKAGES[1:]:  # the second stands on the first
                import_module(f"{name}.{exchange}")
        if all(isinstance(sys.modules[name], Shell) for name in PACKAGES):
            return True
    except Exception:  # noqa: BLE001  # whatever it was, the whole of ccxt may do without it
        pass
    for name in [name for name in sys.modules if name.partition(".")[0] == "ccxt"]:
        del sys.modules[name]
    return False


def _load_beside(exchange: str) -> bool:
    """The same beside another one that was loaded alone. What cannot be is left as it is."""
    try:
        for name in PACKAGES[1:]:
            if not isinstance(sys.modules[name], Shell):
                return False
            import_module(f"{name}.{exchange}")
    except Exception:  # noqa: BLE001  # whoever asks the shells for it has the whole of ccxt
        return False
    return all(isinstance(sys.modules[name], Shell) for name in PACKAGES)


def _put_basics(ccxt: ModuleType) -> None:
    """What the sockets of ccxt's exchanges take from its outermost package."""
    ccxt.Exchange = import_module("ccxt.base.exchange").Exchange  # type: ignore[attr-defined]
    errors = import_module("ccxt.base.errors")
    for name in errors.__all__:
        setattr(ccxt, name, getattr(errors, name))


def _put_shell(name: str) -> None:
    """Raises ImportError where there is no such package."""
    spec = find_spec(name)
    if spec is None or spec.origin is None or spec.submodule_search_locations is None:
        raise ImportError(f"{name} is no package")
    shell = Shell(name)
    shell.__spec__ = spec
    shell.__loader__ = spec.loader
    shell.__file__ = spec.origin
    shell.__cached__ = spec.cached
    shell.__path__ = spec.submodule_search_locations
    shell.__package__ = name
    sys.modules[name] = shell
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, shell)
