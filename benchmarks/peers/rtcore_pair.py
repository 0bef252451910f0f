"""Two rtcore peers in this process, for `benchmarks.peers.pair`."""

import asyncio
from collections.abc import Callable, Sequence

import rtcore

ADDRESS = "127.0.0.1"


class End:
    def __init__(self, channel: rtcore.DataChannel) -> None:
        self.channel = channel
        self.send = channel.send
        self.post = channel.send_nowait

    def on_message(self, callback: Callable[[bytes], None]) -> None:
        self.channel.on("message", callback)


class Pair:
    def __init__(
        self, left: rtcore.PeerConnection, right: rtcore.PeerConnection, near: End, far: End
    ) -> None:
        self.left, self.right, self.near, self.far = left, right, near, far

    async def close(self) -> None:
        await self.left.close()
        await self.right.close()


WORKERS: list[rtcore.Worker] = []


async def connect(mode: str = "driven", media: Sequence[str] = ()) -> Pair:
    """`mode`: "driven" by the event loop, or "threaded". `media`: kinds of transceivers to have, too."""
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
