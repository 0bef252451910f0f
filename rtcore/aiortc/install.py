"""`import aiortc`, in any package, becomes `import rtcore.aiortc`.

    import rtcore.aiortc
    rtcore.aiortc.install()
    import somebodys_package             # what it imports of aiortc is ours

Or from outside: `python -m rtcore.aiortc program.py`. Modules are the same objects under both names. What
`importlib.metadata` says of the installed aiortc stays as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

__all__ = ["install", "uninstall"]

THEIRS, OURS = "aiortc", "rtcore.aiortc"


class _Loader(Loader):
    """Gives the module of our name; the import system then enters it under the other."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(_ours(spec.name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Done already: only gives back what the import system has put over it."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_theirs(fullname) or (found := find_spec(_ours(fullname))) is None:
            return None
        return ModuleSpec(
            fullname, _Loader(), origin=found.origin, is_package=found.submodule_search_locations is not None
        )


_finder = _Finder()


def install(*, force: bool = False) -> None:
    """From now on `import aiortc` gives `rtcore.aiortc`, and its modules ours. Idempotent.

    `RuntimeError`: the real aiortc is imported already; whoever did would go on with it. With `force` only
    later imports are ours.
    """
    real = [name for name in sys.modules if _is_theirs(name) and not _is_alias(name)]
    if real and not force:
        raise RuntimeError(
            "aiortc is imported already: call rtcore.aiortc.install() before anything imports it, "
            "or run the program with `python -m rtcore.aiortc`"
        )
    for name in real:
        del sys.modules[name]
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Takes `install()` back: later imports give the real aiortc. What was imported stays. Idempotent."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    for name in [name for name in sys.modules if _is_theirs(name) and _is_alias(name)]:
        del sys.modules[name]


def _is_theirs(name: str) -> bool:
    return name == THEIRS or name.startswith(THEIRS + ".")


def _is_alias(name: str) -> bool:
    return sys.modules[name] is sys.modules.get(_ours(name))


def _ours(name: str) -> str:
    return OURS + name.removeprefix(THEIRS)
