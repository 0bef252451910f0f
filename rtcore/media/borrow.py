"""C libraries that come with PyAV: found through its extension module, which is linked with them.

The symbols of what a module depends on can be looked up from it, wherever the wheel or the distribution has
put the files. So there is one copy of each codec in the process, and nothing to install.
"""

from __future__ import annotations

import ctypes
from ctypes.util import find_library
from typing import Any

import av

__all__ = ["borrowed"]


def borrowed(name: str, symbol: str) -> Any:
    """The library that has `symbol`: PyAV's, else the system's `name`. None where there is none."""
    for path in (av._core.__file__, find_library(name)):
        if path is None:
            continue
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue  # not loadable here: the next one may be
        if hasattr(library, symbol):
            return library
    return None
