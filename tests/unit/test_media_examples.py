"""The examples with a page, with a peer connection in the place of the browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest

import rtcore
from media_support import asynchronous, until
from rtcore.media import (
    MediaPlayer,
    MediaRecorder,
    MediaTrack,
    PcmReader,
    PcmTrack,
    TestPicture,
    TestTone,
    pool,
)
from rtcore.media.synthetic import frequency_of, psnr, read_counter

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytestmark = pytest.mark.timeout(90)


@contextlib.asynccontextmanager
async def program(name: str, *arguments: str, folder: Path | None = None) -> AsyncIterator[str]:
    """Runs an example; gives the address of its page."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / name), *arguments, "0", cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
        assert process.returncode is None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def posted(url: str, data: bytes) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as response:
        return bytes(response.read())


@contextlib.asynccontextmanager
async def visited(url: str, *tracks: MediaTrack) -> AsyncIterator[dict[str, rtcore.media.RemoteTrack]]:
    """A connection as the page makes one; the tracks that come, by kind."""
    page = (await pool.run(urllib.request.urlopen, url)).read().decode()
    assert "RTCPeerConnection" in page
    async with rtcore.PeerConnection(loopback=True) as pc:
        came: dict[str, rtcore.media.RemoteTrack] = {}
        pc.on("track", lambda event: came.__setitem__(event.track.kind, event.track))
        for track in tracks:
            pc.add_track(track)
        if not tracks:
            for kind in ("audio", "video"):
                pc.add_transceiver(kind, direction="recvonly")
        await pc.set_local_description()
        await pc.gathered()
        assert pc.local_description is not None
        offer = json.dumps(pc.local_description.to_dict()).encode()
        await pc.set_remote_description(json.loads(await pool.run(posted, f"{url}offer", offer)))
        await pc.connected()
        yield came
    for track in tracks:
        track.stop()


@asynchronous
async def test_video_transform() -> None:
    async with program("video_transform.py") as url, visited(url, TestPicture(width=320, height=192)) as came:
        await until(lambda: "video" in came)
        async with asyncio.timeout(20):
            frames = [await came["video"].recv() for _ in range(15)]
    last = frames[-1]
    assert isinstance(last, av.VideoFrame)
    luma = last.to_ndarray(format="gray").astype(float)
    assert (last.width, last.height) == (320, 192)
    assert np.median(luma[60:]) < 70  # between edges it is dark
    assert luma.max() > 200


@asynchronous
async def test_voice_echo() -> None:
    voice = PcmTrack(rate=24000)
    async with program("voice_echo.py") as url, visited(url, voice) as came:
        await until(lambda: "audio" in came)
        speaking = asyncio.create_task(voice.write(np.sin(2 * np.pi * 600 * np.arange(72000) / 24000) * 0.3))
        async with asyncio.timeout(20), came["audio"].pcm(rate=16000, dtype="float32") as pcm:
            quiet = loud = 0
            heard: list[np.ndarray] = []
            async for samples in pcm:
                if np.abs(samples).max() > 0.1:
                    loud += 1
                    heard.append(samples)
                elif not loud:
                    quiet += 1
                if loud == 50:
                    break
        await speaking
    assert quiet >= 10
    assert abs(frequency_of(np.concatenate(heard)[3200:], 16000) - 600) < 5


@asynchronous
async def test_record(tmp_path: Path) -> None:
    tracks = TestPicture(width=320, height=192), TestTone()
    async with program("record.py", folder=tmp_path) as url:
        async with visited(url, *tracks):
            await asyncio.sleep(2)
        await asyncio.sleep(0.5)
    counters, sounds = [], 0
    async with await MediaPlayer.open(tmp_path / "recording-1.webm", realtime=False) as player:
        assert player.video is not None
        assert player.audio is not None

        async def count() -> int:
            assert player.audio is not None
            return len([frame async for frame in player.audio])

        counting = asyncio.create_task(count())
        counters = [read_counter(frame) async for frame in player.video]  # type: ignore[arg-type]
        sounds = await counting
    assert None not in counters
    assert counters == sorted(counters)  # type: ignore[type-var]
    assert len(counters) > 30
    assert sounds > 50


@asynchronous
async def test_play(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    async with MediaRecorder(film) as recorder:
        ended = asyncio.Event()
        recorder.on("ended", ended.set)
        recorder.add_track(TestPicture(width=320, height=192, count=45))
        recorder.add_track(TestTone(duration=1.5, frequency=700))
        await recorder.start()
        await ended.wait()
    async with program("play.py", str(film)) as url, visited(url) as came:
        await until(lambda: len(came) == 2)
        async with asyncio.timeout(20), PcmReader(came["audio"], rate=16000) as pcm:
            hearing = asyncio.create_task(collected(pcm, 40))
            frames = [await came["video"].recv() for _ in range(30)]
            samples = await hearing
    counters = [read_counter(frame) for frame in frames]  # type: ignore[arg-type]
    assert None not in counters
    assert len(set(counters)) > 20
    assert abs(frequency_of(samples[3200:], 16000) - 700) < 5
    source = rtcore.media.synthetic.picture(320, 192, counters[-1] or 0)
    assert psnr(source, frames[-1]) > 25  # type: ignore[arg-type]


async def collected(pcm: PcmReader, count: int) -> np.ndarray:
    return np.concatenate([await pcm.read() for _ in range(count)])


def asked(method: str, url: str, body: bytes = b"", kind: str = "application/sdp") -> tuple[int, str, str]:
    """Status, Location and body of the answer."""
    headers = {"Content-Type": kind} if body else {}
    request = urllib.request.Request(url, body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers.get("Location", ""), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, "", error.read().decode()


@asynchronous
async def test_whip_server(tmp_path: Path) -> None:
    async with (
        program("whip_server.py", folder=tmp_path) as url,
        rtcore.PeerConnection(loopback=True) as pc,
    ):
        for track in (TestPicture(width=320, height=192), TestTone()):
            pc.add_transceiver(track, direction="sendonly")
        await pc.set_local_description()
        await pc.gathered()
        assert pc.local_description is not None
        offer = pc.local_description.sdp.encode()
        for refused, status in (
            (("POST", url, b"nonsense"), 400),
            (("POST", url, offer, "text/plain"), 415),
            (("POST", url, bytes(300_000)), 413),
            (("GET", url), 405),
            (("DELETE", f"{url}/nobody"), 404),
        ):
            assert (await pool.run(asked, *refused))[0] == status
        assert (await pool.run(asked, "OPTIONS", url))[0] == 204
        status, location, answer = await pool.run(asked, "POST", url, offer)
        assert status == 201
        await pc.set_remote_description(rtcore.SessionDescription("answer", answer))
        await pc.connected()
        await asyncio.sleep(2)
        session = url.removesuffix("/whip") + location
        assert (await pool.run(asked, "PATCH", session, b"a=candidate"))[0] == 405
        assert (await pool.run(asked, "DELETE", session))[0] == 200
    (recording,) = await pool.run(lambda: list(tmp_path.glob("*.mkv")))
    async with await MediaPlayer.open(recording, realtime=False) as player:
        assert player.video is not None
        counters = [read_counter(frame) async for frame in player.video]  # type: ignore[arg-type]
    assert None not in counters
    assert counters == sorted(counters)  # type: ignore[type-var]
    assert len(counters) > 30
