"""Names of a package that are imported when they are first asked for (PEP 562).

    if TYPE_CHECKING:
        from .heavy import Thing as Thing
    else:
        __getattr__, __dir__ = lazy(__name__, {"Thing": ".heavy"})

Type checkers read the first branch, so that they still know every name, and report any other.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy"]


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of `package`. `homes`: the module that has each name, relative to the
    package; a module that has no such name is itself what is meant."""
    module = sys.modules[package]

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=module)
        home = import_module(homes[name], package)
        value = getattr(home, name, home)
        setattr(module, name, value)  # this function is not asked again
        return value

    def names() -> list[str]:
        return sorted({*vars(module), *homes})

    return find, names
