"""Closed connections are let go of at once: a server with many short calls does not hold those just ended."""

import asyncio
import gc
import weakref

import rtcore.aiortc as aiortc


async def called() -> list[weakref.ref[object]]:
    """Two ends with an open channel, without a handler for its messages, closed again."""
    left, right = (aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[])) for _ in range(2))
    near = left.createDataChannel("chat")
    opened, arrived = asyncio.Event(), asyncio.Event()
    near.on("open", opened.set)
    right.on("datachannel", lambda channel: arrived.set())
    await left.setLocalDescription(await left.createOffer())
    await right.setRemoteDescription(left.localDescription)
    await right.setLocalDescription(await right.createAnswer())
    await left.setRemoteDescription(right.localDescription)
    await opened.wait()
    await arrived.wait()
    await left.close()
    await right.close()
    return [weakref.ref(left), weakref.ref(right), weakref.ref(near)]


def test_released() -> None:
    async def main() -> None:
        references = await called()
        for _ in range(20):  # what the loop still holds has its turn
            await asyncio.sleep(0)
        gc.collect()
        assert [reference() for reference in references] == [None, None, None]

    asyncio.run(main())
