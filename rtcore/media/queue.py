"""The queue between what makes frames and who reads them: bounded, for one reader, on one event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["FrameQueue"]

T = TypeVar("T")


class FrameQueue(Generic[T]):
    """Holds up to `limit`; when it is full, the oldest is dropped and counted. After `close()` what is in
    it can still be read, then the error of `close()` is raised, each time."""

    __slots__ = ("_error", "_items", "_waiter", "dropped", "limit")

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a queue must hold at least 1, not {limit!r}")
        self.limit = limit
        self.dropped = 0
        self._items: deque[T] = deque()
        self._error: Callable[[], BaseException] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def closed(self) -> bool:
        return self._error is not None

    def put(self, item: T) -> bool:
        """Adds one. False if the oldest had to go. Nothing after `close()`."""
        if self._error is not None:
            return True
        full = len(self._items) >= self.limit
        if full:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._wake()
        return not full

    def take(self) -> T | None:
        """The oldest; None if there is none."""
        return self._items.popleft() if self._items else None

    def clear(self) -> int:
        """Drops all; how many there were."""
        count = len(self._items)
        self.dropped += count
        self._items.clear()
        return count

    async def get(self) -> T:
        """The oldest; waits for one. `RuntimeError` if another task waits already."""
        while not self._items:
            if self._error is not None:
                raise self._error()
            if self._waiter is not None:
                raise RuntimeError("another task reads these frames already: a MediaRelay gives each its own")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.popleft()

    def close(self, error: Callable[[], BaseException]) -> None:
        """No more will come; `error` makes what readers get then. Idempotent: the first error stays."""
        if self._error is None:
            self._error = error
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
