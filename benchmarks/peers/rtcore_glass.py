"""Two rtcore peers for `benchmarks.peers.glass`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import av

import rtcore
from rtcore.errors import TrackEndedError
from rtcore.media import MediaTrack

from .glass import Beeps, Pictures, Sink

ADDRESS = "127.0.0.1"


class Video(MediaTrack):
    kind = "video"

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    async def recv(self) -> av.VideoFrame:
        return await self.pictures.next()


class Audio(MediaTrack):
    kind = "audio"

    def __init__(self, beeps: Beeps) -> None:
        self.beeps = beeps

    async def recv(self) -> av.AudioFrame:
        return await self.beeps.next()


async def drain(track: rtcore.media.RemoteTrack, take: Callable[[Any], None]) -> None:
    try:
        while True:
            take(await track.recv())
    except TrackEndedError:
        return


async def call(
    pictures: Pictures, beeps: Beeps, sink: Sink, mode: str = "driven"
) -> Callable[[], Awaitable[Any]]:
    """`mode`: "driven" by the event loop, or "threaded"."""
    worker = rtcore.Worker(threaded=True) if mode == "threaded" else None
    left, right = (rtcore.PeerConnection(worker=worker, interfaces=[ADDRESS]) for _ in range(2))
    tasks: list[asyncio.Task[None]] = []
    right.on(
        "track",
        lambda event: tasks.append(asyncio.create_task(drain(event.track, getattr(sink, event.track.kind)))),
    )
    left.add_track(Video(pictures))
    left.add_track(Audio(beeps))
    await left.set_local_description()
    await left.gathered()
    await right.set_remote_description(left.local_description)
    await right.set_local_description()
    await right.gathered()
    await left.set_remote_description(right.local_description)
    await left.connected()

    async def close() -> None:
        await left.close()
        await right.close()
        await asyncio.gather(*tasks)
        if worker is not None:
            worker.close()

    return close
