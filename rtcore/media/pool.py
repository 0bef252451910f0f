"""The threads that encode and decode: a few, shared by everything in the process.

    lane = pool.Lane()
    frames = await lane.run(decoder.decode, encoded)     # after what was given to this lane before

A codec needs its calls one after the other, and many codecs share few threads: each has a `Lane`, whose
calls run in their order, and of all lanes as many at once as there are threads. FFmpeg and the codecs
release the GIL while they work. Waiting is cancellable at any time: the call itself runs to its end, its
result is dropped, and what follows in the lane follows still.

The threads start with the first call, and end with the process or with `close()`; they start again when
needed.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["Lane", "close", "run", "thread_count"]

P = ParamSpec("P")
T = TypeVar("T")

TURN = 8
"""So many calls of a lane run before another lane that waits gets the thread."""


def thread_count() -> int:
    """How many threads there are at the most: the processor's cores, from 2 to 8."""
    return min(8, max(2, os.cpu_count() or 2))


class _Threads:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, function: Callable[[], object]) -> None:
        with self._lock:  # also against close(): an executor that is shut down takes no more
            if self._executor is None:
                self._executor = ThreadPoolExecutor(thread_count(), thread_name_prefix="rtcore-media")
            self._executor.submit(function)

    def close(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True)


_threads = _Threads()


def _forked() -> None:
    """A child has none of its parent's threads, and what they had to do is the parent's."""
    global _threads
    _threads = _Threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


async def run(function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Calls `function` on one of the threads, and returns or raises what it does. No order among calls."""
    return await Lane().run(function, *args, **options)


def close() -> None:
    """Waits for the calls that were made, and ends the threads. For tests."""
    _threads.close()


class Lane:
    """Calls in their order, one at a time, on the shared threads. Costs nothing while there are none."""

    __slots__ = ("_calls", "_lock", "_running")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Callable[[], None]] = deque()
        self._running = False

    async def run(self, function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Calls `function` after what came before. Cancelled before its turn, it is not called at all."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def call() -> None:
            if future.cancelled():
                return
            try:
                result = function(*args, **options)
            except BaseException as error:
                _tell(loop, _fail, future, error)
            else:
                _tell(loop, _resolve, future, result)

        self._put(call)
        return await future

    def post(self, function: Callable[[], object]) -> None:
        """Calls `function` after what came before, and nobody waits: to close a codec. It should not raise;
        if it does, `threading.excepthook` is told."""

        def call() -> None:
            try:
                function()
            except Exception as error:
                arguments = (type(error), error, error.__traceback__, threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(arguments))

        self._put(call)

    def _put(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._calls.append(call)
            if self._running:
                return
            self._running = True
        _threads.submit(self._turn)

    def _turn(self) -> None:
        for _ in range(TURN):
            with self._lock:
                if not self._calls:
                    self._running = False
                    return
                call = self._calls.popleft()
            call()
        _threads.submit(self._turn)


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: object) -> None:
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        if not loop.is_closed():  # closed: whoever waited is gone with it
            raise


def _resolve(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
