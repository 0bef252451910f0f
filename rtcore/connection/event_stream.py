"""Streams of events to iterate over: what `PeerConnection.events()` returns."""

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar

from .events import Event, EventsDroppedEvent

__all__ = ["EventStream"]

E = TypeVar("E", bound=Event)


class EventStream(Generic[E]):
    """Events in their order, for one reader. Holds up to `limit`; when it is full, the oldest is dropped, and
    an `EventsDroppedEvent` tells how many. Ends when its source is closed and all has been read."""

    __slots__ = ("__weakref__", "_closed", "_dropped", "_limit", "_queue", "_waiter")

    def __init__(self, limit: int) -> None:
        self._queue: deque[E] = deque()
        self._limit = limit
        self._dropped = 0
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: E) -> None:
        """Adds one; in the place of the oldest where there is no room. Nothing after `close()`."""
        if self._closed:
            return
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append(event)
        self._wake()

    def close(self) -> None:
        """No more will be put in. Idempotent."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E | EventsDroppedEvent:
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return EventsDroppedEvent(dropped)
            if self._queue:
                return self._queue.popleft()
            if self._closed:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("another task reads these events already: call events() once per reader")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
