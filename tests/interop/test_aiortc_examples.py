"""aiortc's own examples, written anew from their documentation (`programs/`): each on aiortc, which shows
that the program is right, on `rtcore.aiortc` with nothing but the import changed, and with one end on
either."""

import asyncio
import os
import re
from itertools import product
from pathlib import Path
from random import Random

import av
import numpy as np
import pytest

from benchmarks.peers import content
from benchmarks.peers.call import PICTURE, THEIR_FIRST, THEIR_TONE, TONE
from benchmarks.peers.film import heard, shown
from benchmarks.peers.process import Remote
from benchmarks.peers.program import STACKS, free_port, program
from benchmarks.peers.signaling import loopback_only

PLAYED = 660  # Hz
SECONDS = 4  # of the film
ADDED = 2_000_000  # by programs/processing.py

ends = pytest.mark.parametrize(("one", "other"), list(product(STACKS, STACKS)))
each = pytest.mark.parametrize("stack", STACKS)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbered pictures, 30 a second, and a tone: VP8 and Opus."""
    path = tmp_path_factory.mktemp("film") / "film.webm"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libvpx", rate=30, options={"deadline": "realtime", "cpu-used": "8"})
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt, video.bit_rate = 640, 360, "yuv420p", 1_500_000
        audio = container.add_stream("libopus", rate=48000)
        assert isinstance(audio, av.AudioStream)
        audio.layout = "stereo"
        for number in range(30 * SECONDS):
            frame = av.VideoFrame.from_ndarray(content.draw(number), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
            wave = np.repeat(content.tone(PLAYED, 48000, 1600 * number, 1600), 2)
            sound = av.AudioFrame.from_ndarray(wave[None, :], layout="stereo")
            sound.sample_rate, sound.pts = 48000, 1600 * number
            container.mux(audio.encode(sound))
        container.mux(video.encode())
        container.mux(audio.encode())
    return path


def sound_file(path: Path, codec: str, seconds: int) -> Path:
    with av.open(str(path), "w") as container:
        audio = container.add_stream(codec, rate=48000)
        assert isinstance(audio, av.AudioStream)
        audio.layout = "stereo"
        wave = np.repeat(content.tone(PLAYED, 48000, 0, 48000 * seconds), 2)
        for first in range(0, len(wave), 1920):
            frame = av.AudioFrame.from_ndarray(wave[None, first : first + 1920], layout="stereo")
            frame.sample_rate, frame.pts = 48000, first // 2
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return path


async def there(path: Path) -> None:
    """When the program that offers waits for the one that answers."""
    async with asyncio.timeout(20):
        while not os.path.exists(path):  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)  # nothing tells of a socket that somebody else opens


def signaling(where: Path) -> tuple[str, ...]:
    return ("--signaling", "unix-socket", "--signaling-path", str(where / "signaling"))


@ends
async def test_datachannel_cli(tmp_path: Path, one: str, other: str) -> None:
    """Ping and pong, as often as asked; then each says bye."""
    way = signaling(tmp_path)
    async with program(one, "datachannel_cli.py", "offer", *way, "--count", "20") as offering:
        await there(tmp_path / "signaling")
        async with program(other, "datachannel_cli.py", "answer", *way) as answering:
            asked, answered = await offering.finish(), await answering.finish()
    pings = [line.split(" > ")[1] for line in asked if "channel(chat) > ping" in line]
    assert len(set(pings)) == 20
    assert [line.split(" < ")[1] for line in answered if " < ping" in line] == pings
    assert [line.split(" < ")[1].replace("pong", "ping") for line in asked if " < pong" in line] == pings
    assert len([line for line in asked if line.startswith(" RTT")]) == 20


@ends
async def test_datachannel_filexfer(tmp_path: Path, one: str, other: str) -> None:
    """All bytes arrive."""
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.write_bytes(Random(5).randbytes(5_000_000))
    way = signaling(tmp_path)
    async with program(one, "datachannel_filexfer.py", "send", original, *way) as sending:
        await there(tmp_path / "signaling")
        async with program(other, "datachannel_filexfer.py", "receive", copy, *way) as receiving:
            lines = await receiving.finish()
            await sending.finish()
    assert copy.read_bytes() == original.read_bytes()
    assert re.search(r"received 5000000 bytes in .* Mbps", "\n".join(lines))


@ends
async def test_videostream_cli(tmp_path: Path, film: Path, one: str, other: str) -> None:
    """A film one way, the flag the other, both recorded."""
    at_one, at_other = tmp_path / "one.mp4", tmp_path / "other.mp4"
    way = signaling(tmp_path)
    plays = ("--play-from", film, "--record-to", at_one)
    async with program(one, "videostream_cli.py", "offer", *plays, *way) as offering:
        await there(tmp_path / "signaling")
        async with program(other, "videostream_cli.py", "answer", "--record-to", at_other, *way) as answering:
            await offering.finish()
            await answering.finish()
    for path in (at_one, at_other):
        numbers = shown(path)
        assert len(set(numbers)) > 15 * SECONDS, (path.name, numbers)
        assert sorted(numbers) == numbers
        assert max(numbers) < 30 * SECONDS + 30
    assert heard(at_other) == pytest.approx(PLAYED, abs=10)


@each
async def test_server(tmp_path: Path, chromium: Remote, stack: str) -> None:
    """A page sends picture and sound: it hears the server's file, sees its own picture changed, has its ping
    answered, and has been recorded."""
    port = free_port()
    played, recorded = sound_file(tmp_path / "played.wav", "pcm_s16le", 20), tmp_path / "recorded.mkv"
    options = ("--port", str(port), "--play", played, "--record-to", recorded)
    async with program(stack, "server.py", *options, port=port) as server:
        await server.listening()
        page = await chromium.open()
        chat = await page.channel("chat")
        await page.add("tone", TONE)
        await page.add("picture", PICTURE)
        offer = loopback_only(await page.offer())
        answer = await server.post("/offer", {"sdp": offer, "type": "offer", "video_transform": "number"})
        await page.accept(loopback_only(answer["sdp"]))
        await page.until(lambda: page.state == "connected")

        await chat.open()
        await chat.send("ping 12345")
        await chat.until(lambda: chat.messages == ["pong 12345"])
        mids = {each["kind"]: each["mid"] for each in await page.transceivers()}
        await page.seen(mids["audio"], frequency=PLAYED)
        seen = await page.seen(mids["video"], numbers=60)
        assert min(seen["numbers"]) >= THEIR_FIRST + ADDED
        assert len(set(seen["numbers"])) > 30
        assert seen["unreadable"] <= 15

        await page.close()
        await server.line("recorded")
        await server.interrupt()
    numbers = shown(recorded)
    assert len(set(numbers)) > 10
    assert min(numbers) >= THEIR_FIRST
    assert max(numbers) < THEIR_FIRST + ADDED
    assert heard(recorded) == pytest.approx(THEIR_TONE, abs=10)


@each
async def test_webcam(chromium: Remote, film: Path, stack: str) -> None:
    """Two pages, one after the other, share one player."""
    port = free_port()
    options = ("--port", str(port), "--play-from", film, "--video-codec", "video/H264")
    async with program(stack, "webcam.py", *options, port=port) as webcam:
        await webcam.listening()
        for _ in range(2):
            page = await chromium.open()
            for kind in ("audio", "video"):
                await page.add(kind, kind=kind, direction="recvonly")
            offer = loopback_only(await page.offer())
            answer = (await webcam.post("/offer", {"sdp": offer, "type": "offer"}))["sdp"]
            assert "VP8" not in answer
            await page.accept(loopback_only(answer))
            mids = {each["kind"]: each["mid"] for each in await page.transceivers()}
            seen = await page.seen(mids["video"], numbers=20)
            assert sorted(seen["numbers"]) == seen["numbers"]
            assert len(set(seen["numbers"])) > 10
            await page.seen(mids["audio"], frequency=PLAYED)
            await page.close()
        await webcam.interrupt()


@each
async def test_webcam_without_decoding(tmp_path: Path, chromium: Remote, stack: str) -> None:
    """Opus out of an Ogg file, as it is."""
    port = free_port()
    played = sound_file(tmp_path / "played.ogg", "libopus", 20)
    options = ("--play-from", played, "--play-without-decoding", "--audio-codec", "audio/opus")
    async with program(stack, "webcam.py", "--port", str(port), *options, port=port) as webcam:
        await webcam.listening()
        page = await chromium.open()
        await page.add("audio", kind="audio", direction="recvonly")
        offer = loopback_only(await page.offer())
        answer = await webcam.post("/offer", {"sdp": offer, "type": "offer"})
        await page.accept(loopback_only(answer["sdp"]))
        (transceiver,) = await page.transceivers()
        await page.seen(transceiver["mid"], frequency=PLAYED)
        await page.close()
        await webcam.interrupt()
