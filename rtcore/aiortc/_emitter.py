"""pyee's emitter, with a short way out for events that nobody listens to: most of a connection's."""

from typing import Any

from pyee.asyncio import AsyncIOEventEmitter


class Emitter(AsyncIOEventEmitter):
    """What the layer's objects are made of; a program's handlers are those of pyee."""

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """As pyee's. An "error" without a listener is raised."""
        if event not in self._events and event != "error":
            return False
        return super().emit(event, *args, **kwargs)
