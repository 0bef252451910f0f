"""Real time for sources: when the next frame is due."""

from __future__ import annotations

import asyncio
import time

__all__ = ["Pacer"]

LATE = 0.25
"""Seconds that a source may be late and catch up; beyond, it goes on from now."""


class Pacer:
    """Maps the time of a source to the clock, from its first frame on.

    A reader that is late gets the next frames at once, up to `LATE`; later than that the source's time was
    standing still, as if it had been paused: there is no burst to make up for it.
    """

    __slots__ = ("_start",)

    def __init__(self) -> None:
        self._start: float | None = None

    async def until(self, seconds: float) -> None:
        """Waits for this time of the source."""
        now = time.monotonic()
        if self._start is None:
            self._start = now - seconds
        wait = self._start + seconds - now
        if wait < -LATE:
            self._start = now - seconds
        if wait > 0:
            await asyncio.sleep(wait)
