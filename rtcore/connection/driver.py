"""A worker on an event loop: runs it when its descriptor turns readable.

Every event loop gets a driven worker of its own when the first connection needs one; it closes a little
after the last. A worker given by the caller is attached in the same way, and stays the caller's to close.
"""

import asyncio
from collections.abc import Callable

from rtcore.errors import InvalidStateError
from rtcore.native.worker import Worker

__all__ = ["Driver"]

LINGER = 1.0
"""How long a loop's own worker waits for the next connection, seconds."""

TICK = 0.02
"""Where timers do not show on the descriptor: the longest time between two looks at them, seconds."""


class Driver:
    """One worker, run by one loop, for as long as somebody holds it. `attach` and `release` pair up."""

    __slots__ = ("_fd", "_lingering", "_loop", "_owned", "_timer", "_users", "worker")

    def __init__(self, loop: asyncio.AbstractEventLoop, worker: Worker, owned: bool) -> None:
        self.worker = worker
        self._loop = loop
        self._owned = owned
        self._users = 0
        self._fd = -1
        self._timer: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None

    @classmethod
    def attach(cls, worker: Worker | None) -> "Driver":
        """The driver of `worker` (None: of the loop's own) on the running loop. One loop per worker:
        `InvalidStateError` if another one runs it, or if it is closed."""
        loop = asyncio.get_running_loop()
        if worker is None:
            driver = _defaults.get(loop)
            if driver is None:
                _sweep()
                driver = _defaults[loop] = cls(loop, Worker(), owned=True)
        else:
            if worker.closed:
                raise InvalidStateError("the worker is closed")
            driver = _given.get(worker)
            if driver is None or driver._loop.is_closed():
                driver = _given[worker] = cls(loop, worker, owned=False)
            elif driver._loop is not loop:
                raise InvalidStateError("another event loop runs this worker: a worker belongs to one loop")
        driver._hold()
        return driver

    def _hold(self) -> None:
        self._users += 1
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        elif self._users == 1:
            self._fd = self.worker.fileno()
            self._loop.add_reader(self._fd, self.worker.run)
            if not self.worker.timer_in_fd:
                self._tick()

    def release(self) -> None:
        self._users -= 1
        if self._users or self._loop.is_closed():
            return
        if self._owned:
            self._lingering = self._loop.call_later(LINGER, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self._lingering = None
        self._loop.remove_reader(self._fd)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._owned:
            _defaults.pop(self._loop, None)
            self.worker.close()
        else:
            _given.pop(self.worker, None)

    def after_turn(self, function: Callable[[], object]) -> None:
        """When what the loop runs now has had its turn."""
        self._loop.call_soon(function)

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """On the loop, from any thread. Nothing when the loop has ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _tick(self) -> None:
        self.worker.run()
        due = self.worker.timeout()
        self._timer = self._loop.call_later(TICK if due is None else min(due, TICK), self._tick)


def _sweep() -> None:
    """Workers of loops that were closed while connections were open on them."""
    for loop in [loop for loop in _defaults if loop.is_closed()]:
        _defaults.pop(loop).worker.close()


_defaults: dict[asyncio.AbstractEventLoop, Driver] = {}
_given: dict[Worker, Driver] = {}
