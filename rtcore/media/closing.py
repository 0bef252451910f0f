"""`async with` for what has a `close()`."""

from __future__ import annotations

from types import TracebackType
from typing import Self

__all__ = ["Closing"]


class Closing:
    """`async with it:` closes it at the end."""

    __slots__ = ()

    async def close(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no close()")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
