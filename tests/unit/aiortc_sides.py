"""What the tests of `rtcore.aiortc` share: aiortc and rtcore.aiortc, alone and as two ends of one
connection."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import aiortc
import pytest

import rtcore.aiortc

MODULES = (aiortc, rtcore.aiortc)
TIMEOUT = 20.0

each = pytest.mark.parametrize("module", MODULES, ids=[one.__name__ for one in MODULES])
"""Runs a test with either module."""
paired = pytest.mark.parametrize(
    "sides",
    [(one, other) for one in MODULES for other in MODULES],
    ids=[f"{one.__name__}-{other.__name__}" for one in MODULES for other in MODULES],
)
"""Runs a test with either module at either end."""


def live(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A coroutine as a test, with an event loop of its own."""

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(TIMEOUT):
                await test(**arguments)

        asyncio.run(bounded())

    return run


def peer(module: Any, **options: Any) -> Any:
    """A connection without STUN servers."""
    return module.RTCPeerConnection(module.RTCConfiguration(iceServers=[], **options))


def as_of(module: Any, description: Any) -> Any:
    """The description in the class of `module`."""
    return module.RTCSessionDescription(sdp=description.sdp, type=description.type)


async def connect(sides: tuple[Any, Any], one: Any, other: Any) -> None:
    """One round of offer and answer."""
    await one.setLocalDescription(await one.createOffer())
    await other.setRemoteDescription(as_of(sides[1], one.localDescription))
    await other.setLocalDescription(await other.createAnswer())
    await one.setRemoteDescription(as_of(sides[0], other.localDescription))


async def until(condition: Callable[[], Any]) -> None:
    """For what no event tells in both modules. `live` bounds the time."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)
