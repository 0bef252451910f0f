"""The demo's second process: answers, records the media, takes the file, echoes, counts.

Its words beside the descriptions, as JSON lines: `{"ready": true}` to begin with, upon which it is told
`{"record": path}`; `{"received": bytes, "sha256": hex}` after the file, `{"counted": n}` after a run of small
messages, and what it is asked for: `{"ask": "cpu"}` is answered with `{"cpu": seconds}`, `{"ask": "media"}`
ends the recording and is answered with `{"media": {"samples": [...], "delays": {kind: [seconds, ...]}}}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator

import rtcore
from rtcore.cli.demo_link import ADDRESS
from rtcore.cli.demo_recording import Recording
from rtcore.signaling import StreamSignaling
from rtcore.signaling.stream import MAX_LINE


def run(*, threaded: bool) -> None:
    """Answers one offer from standard input and serves until the other side is gone."""
    asyncio.run(_serve(threaded))


async def _serve(threaded: bool) -> None:
    async with _stdio() as signaling:
        with rtcore.Worker(threaded=threaded) as worker:
            async with rtcore.PeerConnection(worker=worker, interfaces=[ADDRESS]) as pc:
                serving: set[asyncio.Task[None]] = set()

                @pc.on("datachannel")
                def on_channel(channel: rtcore.DataChannel) -> None:
                    serve = {"file": _take_file, "ping": _echo, "small": _count}[channel.label]
                    task = asyncio.ensure_future(serve(channel, signaling))
                    serving.add(task)
                    task.add_done_callback(serving.discard)

                await signaling.send({"ready": True})
                order = await signaling.receive()
                assert isinstance(order, dict)
                recording = Recording(pc, order["record"])
                await _answer(pc, signaling)
                await recording.start()
                try:
                    with contextlib.suppress(EOFError):
                        while True:
                            await _reply(await signaling.receive(), recording, signaling)
                finally:
                    await recording.close()


async def _reply(message: object, recording: Recording, signaling: StreamSignaling) -> None:
    if message == {"ask": "cpu"}:
        times = os.times()
        await signaling.send({"cpu": times.user + times.system})
    elif message == {"ask": "media"}:
        await recording.finish()
        await signaling.send({"media": {"samples": recording.samples, "delays": recording.delays}})


async def _answer(pc: rtcore.PeerConnection, signaling: StreamSignaling) -> None:
    offer = await signaling.receive()
    assert isinstance(offer, rtcore.SessionDescription)
    await pc.set_remote_description(offer)
    await pc.set_local_description()
    await pc.gathered()
    await signaling.send(pc.local_description)


async def _take_file(channel: rtcore.DataChannel, signaling: StreamSignaling) -> None:
    """A string message with the size, then the bytes."""
    header = await channel.receive()
    assert isinstance(header, str)
    size = json.loads(header)["size"]
    received = 0
    digest = hashlib.sha256()
    while received < size:
        data = await channel.receive()
        assert isinstance(data, bytes)
        digest.update(data)
        received += len(data)
    await signaling.send({"received": received, "sha256": digest.hexdigest()})


async def _echo(channel: rtcore.DataChannel, signaling: StreamSignaling) -> None:
    async for message in channel:
        await channel.send(message)


async def _count(channel: rtcore.DataChannel, signaling: StreamSignaling) -> None:
    """Counts binary messages until a string comes."""
    counted = 0
    async for message in channel:
        if isinstance(message, str):
            await signaling.send({"counted": counted})
            counted = 0
        else:
            counted += 1


@contextlib.asynccontextmanager
async def _stdio() -> AsyncIterator[StreamSignaling]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    signaling = StreamSignaling(reader, writer)
    try:
        yield signaling
    finally:
        signaling.close()
