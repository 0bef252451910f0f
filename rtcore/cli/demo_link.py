"""What the demo's parts share: the words with the second process."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from rtcore.signaling import StreamSignaling

__all__ = ["ADDRESS", "STEP_TIMEOUT", "Link"]

ADDRESS = "127.0.0.1"
STEP_TIMEOUT = 60.0


@dataclass(frozen=True)
class Link:
    """The second process, as seen from the first."""

    signaling: StreamSignaling

    async def expect(self, key: str) -> dict[str, Any]:
        """Its next words, which must contain `key`."""
        async with asyncio.timeout(STEP_TIMEOUT):
            message = await self.signaling.receive()
        if not isinstance(message, dict) or key not in message:
            raise RuntimeError(f"the second process said {message!r} where {key!r} was due")
        return message

    async def ask(self, key: str) -> dict[str, Any]:
        await self.signaling.send({"ask": key})
        return await self.expect(key)

    async def cpu(self) -> float:
        """CPU seconds that both processes have used so far."""
        other = float((await self.ask("cpu"))["cpu"])
        times = os.times()
        return other + times.user + times.system
