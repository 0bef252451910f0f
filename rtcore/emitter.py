"""Functions that are called when something happens: `Emitter`, the base of what has events."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, overload

__all__ = ["Emitter"]

F = TypeVar("F", bound=Callable[..., Any])

_running: set[asyncio.Task[Any]] = set()  # handlers that are coroutines; the event loop holds tasks weakly


class Emitter:
    """`on(name, handler)`, or `@on(name)` above a function. Handlers are called in the order in which they
    were added, from the event loop; one that is a coroutine function is started as a task. What a handler
    raises goes to the event loop's exception handler, and the next one is called."""

    __slots__ = ("_handlers",)
    _names: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[Callable[..., Any], ...]] | None = None

    @overload
    def on(self, name: str, handler: F) -> F: ...
    @overload
    def on(self, name: str, handler: None = None) -> Callable[[F], F]: ...
    def on(self, name: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Calls `handler` each time. The names and what is passed are in the class's documentation;
        `ValueError` for others."""
        if name not in self._names:
            raise ValueError(f"there is no event {name!r}; there are {', '.join(self._names)}")
        if handler is None:
            return lambda function: self.on(name, function)
        if not callable(handler):
            raise TypeError(f"a handler is a function, not {type(handler).__name__}")
        if self._handlers is None:
            self._handlers = {}
        self._handlers[name] = (*self._handlers.get(name, ()), handler)  # not in place: it may be in a call
        self._handler_added(name)
        return handler

    def off(self, name: str, handler: Callable[..., Any]) -> None:
        """Takes a handler away again. `ValueError` if it is not there."""
        if self._handlers is None or handler not in self._handlers.get(name, ()):
            raise ValueError(f"{handler!r} does not handle {name!r}")
        self._handlers[name] = tuple(other for other in self._handlers[name] if other != handler)

    def _handler_added(self, name: str) -> None:
        """For those who keep something until somebody hears it."""

    def _handles(self, name: str) -> bool:
        return self._handlers is not None and bool(self._handlers.get(name))

    def _emit(self, name: str, *values: Any) -> None:
        if self._handlers is not None:
            self._call(name, self._handlers.get(name, ()), *values)

    def _call(self, name: str, handlers: tuple[Callable[..., Any], ...], *values: Any) -> None:
        for handler in handlers:
            try:
                result = handler(*values)
                if result is not None and inspect.iscoroutine(result):  # most return None: asked first
                    task = asyncio.get_running_loop().create_task(result)
                    _running.add(task)
                    task.add_done_callback(_finished)
            except Exception as error:
                _report(f"exception in the handler of {name!r}", error)


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _report("exception in a handler's task", error)


def _report(message: str, error: BaseException) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
