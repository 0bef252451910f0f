"""What the tests of media share: running coroutines, and recognising what came."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["asynchronous", "until"]


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, run on a loop of its own. What handlers and tasks raise fails it, too."""

    @functools.wraps(test)
    def run(*args: Any, **fixtures: Any) -> None:
        failed: list[dict[str, Any]] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
            await test(*args, **fixtures)

        asyncio.run(main())
        assert not failed, failed

    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]  # for the fixtures
    return run


async def until(condition: Callable[[], bool]) -> None:
    """Gives others a turn until `condition()`; fails after 5 s."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # what it looks at has no event
            await asyncio.sleep(0.002)
