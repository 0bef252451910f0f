"""Players, recorders, relays and sinks of rtcore.aiortc: the same script for them and for aiortc's."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import aiortc.contrib.media
import av
import numpy as np
import pytest

import rtcore.aiortc.contrib.media
from media_support import asynchronous, until
from rtcore.aiortc import _tracks
from rtcore.media import EncodedFrame
from rtcore.media.synthetic import frequency_of, picture, read_counter

pytestmark = pytest.mark.timeout(60)
OURS, THEIRS = rtcore.aiortc.contrib.media, aiortc.contrib.media
BOTH = pytest.mark.parametrize("module", [THEIRS, OURS], ids=["aiortc", "rtcore"])
SIZE = (320, 240)
TONE = 440.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten numbered pictures in 0.4 s, and a tone of 0.4 s, mono 44.1 kHz: H.264 without B-frames and AAC."""
    return written(tmp_path_factory.mktemp("film") / "film.mp4", "libx264", "aac", 44100, "mono")


@pytest.fixture(scope="module")
def webm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as VP8 and Opus."""
    return written(tmp_path_factory.mktemp("film") / "film.webm", "libvpx", "libopus", 48000, "stereo")


def written(file: Path, video: str, audio: str, rate: int, layout: str) -> Path:
    with av.open(str(file), "w") as container:
        pictures = container.add_stream(video, rate=25)
        pictures.width, pictures.height = SIZE
        pictures.pix_fmt, pictures.bit_rate = "yuv420p", 1_000_000
        pictures.codec_context.options = {"tune": "zerolatency"} if video == "libx264" else {}
        pictures.codec_context.max_b_frames = 0
        sound = container.add_stream(audio, rate=rate, layout=layout)
        for number in range(10):
            frame = picture(*SIZE, number)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(pictures.encode(frame))
        for number in range(4):
            count = rate // 10
            wave = np.sin(2 * np.pi * TONE * (number * count + np.arange(count)) / rate) * 12000
            samples = np.repeat(wave.astype(np.int16), 1 if layout == "mono" else 2)[None, :]
            part = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            part.sample_rate, part.pts, part.time_base = rate, number * count, Fraction(1, rate)
            container.mux(sound.encode(part))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))
    return file


async def everything(track: Any) -> list[Any]:
    """What it gives until its end. The exception is that of its own module."""
    error = (rtcore.aiortc if isinstance(track, rtcore.aiortc.MediaStreamTrack) else aiortc).MediaStreamError
    frames = []
    while True:
        try:
            frames.append(await track.recv())
        except error:
            return frames


def counters(frames: list[Any]) -> list[int | None]:
    return [read_counter(frame) for frame in frames]


# Players


@BOTH
@asynchronous
async def test_a_file_is_played(module: ModuleType, film: Path) -> None:
    player = module.MediaPlayer(str(film))
    began = asyncio.get_running_loop().time()
    pictures, sounds = await asyncio.gather(everything(player.video), everything(player.audio))
    assert asyncio.get_running_loop().time() - began >= 0.33
    assert counters(pictures) == list(range(10))
    assert [frame.time for frame in pictures] == pytest.approx([number / 25 for number in range(10)])
    assert len(sounds) >= 19
    for place, frame in enumerate(sounds):
        assert (frame.format.name, frame.layout.name, frame.sample_rate) == ("s16", "stereo", 48000)
        assert (frame.samples, frame.pts, frame.time_base) == (960, 960 * place, Fraction(1, 48000))
    heard = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in sounds[2:18]])
    assert frequency_of(heard, 48000) == pytest.approx(TONE, rel=0.02)
    assert player.video.readyState == player.audio.readyState == "ended"


@BOTH
@asynchronous
async def test_what_a_file_does_not_have_is_none(module: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "sound.wav"
    with av.open(str(file), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame(format="s16", layout="mono", samples=800)
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
    player = module.MediaPlayer(str(file))
    assert player.video is None
    assert (player.audio.kind, player.audio.readyState) == ("audio", "live")
    player.audio.stop()
    assert player.audio.readyState == "ended"


@BOTH
def test_what_cannot_be_opened_is_ffmpeg_s_error(module: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        module.MediaPlayer(str(tmp_path / "nothing.mp4"))
    with pytest.raises(ValueError, match="output format"):
        module.MediaRecorder(str(tmp_path / "a.nothing"))


@BOTH
@asynchronous
async def test_open_files_are_played(module: ModuleType, film: Path) -> None:
    with film.open("rb") as file:
        player = module.MediaPlayer(file)
        pictures, _ = await asyncio.gather(everything(player.video), everything(player.audio))
        assert counters(pictures) == list(range(10))


@BOTH
@asynchronous
async def test_readers_at_the_same_time_share_the_frames(module: ModuleType, film: Path) -> None:
    player = module.MediaPlayer(str(film))
    reader = module.MediaRelay().subscribe(player.video)
    one, other, _ = await asyncio.gather(everything(reader), first(reader, 3), everything(player.audio))
    assert sorted(counters(one + other)) == list(range(10))  # type: ignore[type-var]


async def first(track: Any, count: int) -> list[Any]:
    return [await track.recv() for _ in range(count)]


@BOTH
@asynchronous
async def test_a_file_is_played_again_and_again(module: ModuleType, film: Path) -> None:
    player = module.MediaPlayer(str(film), loop=True)
    frames = [await player.video.recv() for _ in range(15)]
    assert counters(frames) == [*range(10), *range(5)]
    player.video.stop()
    player.audio.stop()


@BOTH
@asynchronous
async def test_a_track_is_stopped(module: ModuleType, film: Path) -> None:
    player = module.MediaPlayer(str(film))
    ended: list[None] = []
    player.video.on("ended", lambda: ended.append(None))
    await player.video.recv()
    player.video.stop()
    assert len(ended) == 1
    assert await everything(player.video) == []
    assert player.audio.readyState == "live"
    player.audio.stop()


@BOTH
@asynchronous
async def test_packets_are_given_as_they_are(module: ModuleType, webm: Path) -> None:
    player = module.MediaPlayer(str(webm), decode=False)
    packets, sounds = await asyncio.gather(everything(player.video), everything(player.audio))
    with av.open(str(webm)) as container:
        known = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert [bytes(packet) for packet in packets] == known
    assert all(isinstance(packet, av.Packet) for packet in packets + sounds)
    times = [float(packet.pts * packet.time_base) for packet in packets]
    assert times == pytest.approx([number / 25 for number in range(10)], abs=0.002)
    assert packets[0].is_keyframe
    assert not packets[1].is_keyframe


@BOTH
def test_packets_of_other_codecs_are_not_given(module: ModuleType, film: Path) -> None:
    player = module.MediaPlayer(str(film), decode=False)
    assert player.audio is None  # AAC
    player.video.stop()


@asynchronous
async def test_a_sender_gets_encoded_frames_without_packets(webm: Path) -> None:
    player = OURS.MediaPlayer(str(webm), decode=False)
    sent = _tracks.outbound(player.video)
    frame = await sent.recv()
    assert isinstance(frame, EncodedFrame)
    assert (frame.codec, frame.key) == ("VP8", True)
    sent.stop()
    assert player.video.readyState == "ended"
    player.audio.stop()


# Recorders


class Numbered(rtcore.aiortc.VideoStreamTrack):
    def __init__(self, count: int = 15) -> None:
        super().__init__()
        self.left = count
        self.number = 0

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        if self.number == self.left:
            raise rtcore.aiortc.MediaStreamError
        frame = picture(*SIZE, self.number)
        frame.pts, frame.time_base = pts, time_base
        self.number += 1
        return frame


@pytest.mark.parametrize(
    ("name", "codecs"),
    [("a.mp4", ("h264", "aac")), ("a.webm", ("vp8", "opus")), ("a.wav", (None, "pcm_s16le"))],
)
@BOTH
@asynchronous
async def test_tracks_are_recorded(
    module: ModuleType, name: str, codecs: tuple[str | None, str], tmp_path: Path
) -> None:
    names = rtcore.aiortc if module is OURS else aiortc
    recorder = module.MediaRecorder(str(tmp_path / name))
    recorder.addTrack(names.AudioStreamTrack())
    if codecs[0]:
        recorder.addTrack(names.VideoStreamTrack())
    await recorder.start()
    await asyncio.sleep(1.2)
    await recorder.stop()
    await recorder.stop()
    with av.open(str(tmp_path / name)) as container:
        found = {stream.type: stream.codec_context for stream in container.streams}
        assert found["audio"].codec.canonical_name == codecs[1]
        if codecs[0]:
            assert found["video"].codec.canonical_name == codecs[0]
            assert (found["video"].width, found["video"].height) == (640, 480)
        frames = list(container.decode(audio=0))
        assert 0 < sum(frame.samples / frame.sample_rate for frame in frames) <= 1.6


@asynchronous
async def test_all_pictures_of_a_track_are_in_the_file(tmp_path: Path) -> None:
    recorder, track = OURS.MediaRecorder(tmp_path / "a.mp4"), Numbered()
    recorder.addTrack(track)
    recorder.addTrack(track)
    await recorder.start()
    await until(lambda: track.number == track.left)
    await asyncio.sleep(0.1)
    await recorder.stop()
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert counters(list(container.decode(video=0))) == list(range(15))


@BOTH
@asynchronous
async def test_a_recorder_without_tracks(module: ModuleType, tmp_path: Path) -> None:
    recorder = module.MediaRecorder(str(tmp_path / "a.mp4"))
    await recorder.start()
    await recorder.stop()


@BOTH
@asynchronous
async def test_single_pictures_are_recorded(module: ModuleType, tmp_path: Path) -> None:
    names = rtcore.aiortc if module is OURS else aiortc
    recorder = module.MediaRecorder(str(tmp_path / "shot-%02d.png"))
    recorder.addTrack(names.VideoStreamTrack())
    await recorder.start()
    await asyncio.sleep(0.4)
    await recorder.stop()
    with av.open(str(tmp_path / "shot-01.png")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (640, 480)


# Relays and sinks


@BOTH
@asynchronous
async def test_readers_of_a_relay_have_all_frames(module: ModuleType) -> None:
    relay, source = module.MediaRelay(), numbered(module)
    readers = [relay.subscribe(source) for _ in range(3)]
    assert {reader.kind for reader in readers} == {"video"}
    got = await asyncio.gather(*(everything(reader) for reader in readers))
    assert [counters(frames) for frames in got] == [list(range(6))] * 3
    assert all(reader.readyState == "ended" for reader in readers)
    assert await everything(relay.subscribe(source)) == [] or module is THEIRS


def numbered(module: ModuleType, count: int = 6) -> Any:
    if module is OURS:
        return Numbered(count)

    class Theirs(aiortc.VideoStreamTrack):
        number = 0

        async def recv(self) -> av.VideoFrame:
            pts, time_base = await self.next_timestamp()
            if self.number == count:
                self.stop()
                raise aiortc.MediaStreamError
            frame = picture(*SIZE, self.number)
            frame.pts, frame.time_base = pts, time_base
            self.number += 1
            return frame

    return Theirs()


@BOTH
@asynchronous
async def test_an_unbuffered_reader_gets_the_newest(module: ModuleType) -> None:
    relay, source = module.MediaRelay(), numbered(module, 1000)
    fast, slow = relay.subscribe(source), relay.subscribe(source, buffered=False)
    await asyncio.gather(fast.recv(), slow.recv())
    for _ in range(5):
        await fast.recv()
    await asyncio.sleep(0)
    assert (read_counter(await slow.recv()) or 0) >= 5
    for reader in (fast, slow):
        reader.stop()
        assert await everything(reader) == []
    source.stop()


@BOTH
@asynchronous
async def test_a_sink_reads_and_stops(module: ModuleType) -> None:
    sink, source = module.MediaBlackhole(), numbered(module, 1000)
    sink.addTrack(source)
    sink.addTrack(source)
    await sink.start()
    await until(lambda: source.number >= 3)
    await sink.stop()
    seen = source.number
    await asyncio.sleep(0.1)
    assert source.number <= seen + 1
    assert source.readyState == "live"
    source.stop()
