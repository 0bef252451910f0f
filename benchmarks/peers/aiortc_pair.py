"""Two aiortc peers in this process, for `benchmarks.peers.pair`."""

import asyncio
from collections.abc import Callable, Sequence

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection

import benchmarks.peers.aiortc_loopback  # noqa: F401

HIGH = 1 << 20
LOW = 1 << 18


class End:
    def __init__(self, channel: RTCDataChannel) -> None:
        self.channel = channel
        self.post = channel.send
        self.room = asyncio.Event()
        channel.bufferedAmountLowThreshold = LOW
        channel.on("bufferedamountlow", self.room.set)

    async def send(self, data: bytes) -> None:
        if self.channel.bufferedAmount > HIGH:
            self.room.clear()
            await self.room.wait()
        self.channel.send(data)

    def on_message(self, callback: Callable[[bytes], None]) -> None:
        self.channel.on("message", callback)


class Pair:
    def __init__(self, left: RTCPeerConnection, right: RTCPeerConnection, near: End, far: End) -> None:
        self.left, self.right, self.near, self.far = left, right, near, far

    async def close(self) -> None:
        await self.left.close()
        await self.right.close()


async def connect(media: Sequence[str] = ()) -> Pair:
    """`media`: kinds of transceivers to have, too."""
    left, right = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    opened, arrived = asyncio.Event(), asyncio.Future[RTCDataChannel]()
    near = left.createDataChannel("bench")
    near.on("open", opened.set)
    for kind in media:
        left.addTransceiver(kind)
    right.on("datachannel", arrived.set_result)
    await left.setLocalDescription(await left.createOffer())
    await right.setRemoteDescription(left.localDescription)
    await right.setLocalDescription(await right.createAnswer())
    await left.setRemoteDescription(right.localDescription)
    await opened.wait()
    return Pair(left, right, End(near), End(await arrived))
