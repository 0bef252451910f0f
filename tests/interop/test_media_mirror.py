"""libdatachannel has no codecs: a program of it sends back what comes, packet by packet, by other SSRCs."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import rtcore
from benchmarks.peers import signaling
from benchmarks.peers.call import OUR_TONE, only
from benchmarks.peers.install import HERE
from benchmarks.peers.stacks import LIBDATACHANNEL
from benchmarks.peers.watch import Picture, Pictures, Sound
from rtcore.media import TestTone


@asynccontextmanager
async def mirrored(pc: rtcore.PeerConnection) -> AsyncIterator[None]:
    """Connected to a mirror, by an offer of ours."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(HERE / "mirror.js")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **LIBDATACHANNEL.environment},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        offer = {"type": "offer", "sdp": await signaling.local_sdp(pc, True)}
        process.stdin.write(json.dumps(offer).encode() + b"\n")
        await pc.set_remote_description(json.loads(await process.stdout.readline()))
        await pc.connected()
        yield
    finally:
        process.stdin.close()
        await process.wait()


@pytest.mark.parametrize(("video", "audio"), [("VP8", "opus"), ("H264", "PCMU")])
async def test_mirror(video: str, audio: str) -> None:
    async with rtcore.PeerConnection(interfaces=[signaling.ADDRESS]) as pc:
        picture, tone = Picture(), TestTone(frequency=OUR_TONE)
        seeing = pc.add_transceiver(picture)
        seeing.set_codec_preferences(only("video", video))
        hearing = pc.add_transceiver(tone)
        hearing.set_codec_preferences(only("audio", audio))
        async with mirrored(pc):
            pictures, sound = Pictures(seeing.receiver.track), Sound(hearing.receiver.track)
            await sound.seen(frequency=OUR_TONE)
            seeing.sender.request_key_frame()  # the first may have come before the mirror was open
            seen = await pictures.seen(numbers=30)
            assert (seen["width"], seen["height"]) == (640, 360)
            assert seen["numbers"] == sorted(set(seen["numbers"]))
            await pictures.close()
            await sound.close()
        picture.stop()
        tone.stop()
