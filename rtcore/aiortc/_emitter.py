"""pyee's emitter, which costs nothing until somebody listens: most of a connection's objects are never
listened to, and most of its events have no listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Any

from pyee.asyncio import AsyncIOEventEmitter

__all__ = ["Emitter"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_making = Lock()


class Emitter(AsyncIOEventEmitter):
    """What the layer's objects are made of; a program's handlers are those of pyee.

    The first listener makes pyee's own attributes. Until then those of the class stand in for them: nothing
    is ever put into them, for pyee only does that for a listener.
    """

    _listened = False
    _events: Any = _NOTHING
    _lock = Lock()
    _loop = None
    _waiting: Any = set()  # noqa: RUF012 - as said above

    def __init__(self) -> None:
        """pyee's constructor runs with the first listener."""

    def _add_event_handler(self, event: str, k: Callable[..., Any], v: Callable[..., Any]) -> None:
        if not self._listened:
            with _making:
                if not self._listened:
                    super().__init__()
                    self._listened = True
        super()._add_event_handler(event, k, v)

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """As pyee's. An "error" without a listener is raised."""
        if event not in self._events and event != "error":
            return False
        return super().emit(event, *args, **kwargs)

    def remove_all_listeners(self, event: str | None = None) -> None:
        if self._listened:
            super().remove_all_listeners(event)
