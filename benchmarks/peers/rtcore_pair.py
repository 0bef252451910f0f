"""Two rtcore peers in this process, for `benchmarks.peers.pair`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import rtcore
from rtcore.sdp import default_codecs

ADDRESS = "127.0.0.1"

HIGH = 1 << 20
LOW = 1 << 18


class End:
    def __init__(self, channel: rtcore.DataChannel) -> None:
        self.channel = channel
        self.send = channel.send
        self.post = channel.send_nowait

    def on_message(self, callback: Callable[[bytes], None]) -> None:
        self.channel.on("message", callback)


class WatchingEnd:
    """With the back-pressure of aiortc's programs: they look at the amount, and are told when it is low."""

    def __init__(self, channel: rtcore.DataChannel) -> None:
        self.channel = channel
        self.post = channel.send_nowait
        self.room = asyncio.Event()
        channel.buffered_amount_low_threshold = LOW
        channel.on("bufferedamountlow", self.room.set)

    async def send(self, data: bytes) -> None:
        if self.channel.buffered_amount > HIGH:
            self.room.clear()
            await self.room.wait()
        try:
            self.channel.send_nowait(data)
        except BlockingIOError:  # full of what is on its way, which the amount does not count
            await self.channel.send(data)

    def on_message(self, callback: Callable[[bytes], None]) -> None:
        self.channel.on("message", callback)


class Pair:
    def __init__(
        self,
        left: rtcore.PeerConnection,
        right: rtcore.PeerConnection,
        near: End | WatchingEnd,
        far: End | WatchingEnd,
    ) -> None:
        self.left, self.right, self.near, self.far = left, right, near, far

    async def close(self) -> None:
        await self.left.close()
        await self.right.close()


WORKERS: list[rtcore.Worker] = []


async def connect(mode: str = "driven", media: Sequence[str] = ()) -> Pair:
    """`mode`: "driven" by the event loop, "threaded", or "stepwise": with the steps and the codecs of
    `aiortc_pair`. `media`: kinds of transceivers to have, too."""
    if mode == "stepwise":
        return await connect_stepwise(media)
    if mode == "threaded" and not WORKERS:
        WORKERS.append(rtcore.Worker(threaded=True))
    worker = WORKERS[0] if WORKERS else None
    left, right = (rtcore.PeerConnection(worker=worker, interfaces=[ADDRESS]) for _ in range(2))
    arrived: asyncio.Future[rtcore.DataChannel] = asyncio.get_running_loop().create_future()
    right.on("datachannel", arrived.set_result)
    near = left.create_data_channel("bench")
    for kind in media:
        left.add_transceiver(kind)
    await left.set_local_description()
    await left.gathered()
    await right.set_remote_description(left.local_description)
    await right.set_local_description()
    await right.gathered()
    await left.set_remote_description(right.local_description)
    await near.opened()
    return Pair(left, right, End(near), End(await arrived))


AIORTC_CODECS = {"opus", "G722", "PCMU", "PCMA", "VP8", "H264"}
H264_PROFILES = ("42001f", "42e01f")


def aiortc_codecs() -> list[Any]:
    return [
        codec
        for kind in ("audio", "video")
        for codec in default_codecs(kind)
        if codec.name in AIORTC_CODECS
        and (
            codec.name != "H264"
            or ("packetization-mode=1" in codec.parameters and codec.parameters.endswith(H264_PROFILES))
        )
    ]


async def connect_stepwise(media: Sequence[str]) -> Pair:
    """What `aiortc_pair` does, line by line."""
    left, right = (rtcore.PeerConnection(interfaces=[ADDRESS], codecs=aiortc_codecs) for _ in range(2))
    opened, arrived = asyncio.Event(), asyncio.Future[rtcore.DataChannel]()
    near = left.create_data_channel("bench")
    near.on("open", opened.set)
    for kind in media:
        left.add_transceiver(kind)
    right.on("datachannel", arrived.set_result)
    await left.set_local_description(await left.create_offer())
    await left.gathered()
    await right.set_remote_description(left.local_description)
    await right.set_local_description(await right.create_answer())
    await right.gathered()
    await left.set_remote_description(right.local_description)
    await opened.wait()
    return Pair(left, right, WatchingEnd(near), WatchingEnd(await arrived))
