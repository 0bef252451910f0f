"""Two aiortc peers for `benchmarks.peers.glass`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError

import benchmarks.peers.aiortc_loopback  # noqa: F401

from .glass import Beeps, Pictures, Sink


class Video(MediaStreamTrack):
    kind = "video"

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.pictures = pictures

    async def recv(self) -> av.VideoFrame:
        return await self.pictures.next()


class Audio(MediaStreamTrack):
    kind = "audio"

    def __init__(self, beeps: Beeps) -> None:
        super().__init__()
        self.beeps = beeps

    async def recv(self) -> av.AudioFrame:
        return await self.beeps.next()


async def drain(track: MediaStreamTrack, take: Callable[[Any], None]) -> None:
    try:
        while True:
            take(await track.recv())
    except MediaStreamError:
        return


async def call(pictures: Pictures, beeps: Beeps, sink: Sink) -> Callable[[], Awaitable[Any]]:
    left, right = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    tasks: list[asyncio.Task[None]] = []
    right.on(
        "track",
        lambda track: tasks.append(asyncio.create_task(drain(track, getattr(sink, track.kind)))),
    )
    left.addTrack(Video(pictures))
    left.addTrack(Audio(beeps))
    await left.setLocalDescription(await left.createOffer())
    await right.setRemoteDescription(left.localDescription)
    await right.setLocalDescription(await right.createAnswer())
    await left.setRemoteDescription(right.localDescription)

    async def close() -> None:
        await left.close()
        await right.close()
        await asyncio.gather(*tasks)

    return close
