"""Players and recorders: what was recorded is read back with PyAV and recognised, frame by frame."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from media_support import asynchronous, until
from rtcore.errors import InvalidStateError, NotSupportedError, OperationError, TrackEndedError
from rtcore.media import (
    EncodedSource,
    MediaBlackhole,
    MediaPlayer,
    MediaRecorder,
    MediaTrack,
    RemoteTrack,
    TestPicture,
    TestTone,
    VideoSource,
    codecs,
    pool,
)
from rtcore.media.samples import Converter, to_frame
from rtcore.media.synthetic import frequency_of, picture, read_counter
from rtcore.media.writer import fitted
from rtcore.native.frame import EncodedFrame
from rtcore.sdp import RtpCodec

pytestmark = pytest.mark.timeout(60)

VP8 = RtpCodec("video", "VP8", 90000)
H264 = RtpCodec("video", "H264", 90000, 1, "profile-level-id=42e01f;packetization-mode=1")
OPUS = RtpCodec("audio", "opus", 48000, 2)
SIZE = {"width": 320, "height": 192}


async def record(file: Path, *tracks: MediaTrack, **options: object) -> MediaRecorder:
    recorder = MediaRecorder(file, **options)  # type: ignore[arg-type]
    ended = asyncio.Event()
    recorder.on("ended", ended.set)
    recorder.on("error", lambda _: ended.set())
    for track in tracks:
        recorder.add_track(track)
    await recorder.start()
    await asyncio.wait_for(ended.wait(), 30)
    await recorder.close()
    return recorder


class Frames:
    """All of a file."""

    def __init__(self, file: Path | str) -> None:
        self.counters: list[int | None] = []
        self.times: list[float] = []
        self.sizes: set[tuple[int, int]] = set()
        parts = []
        self.rate = 0
        with av.open(str(file)) as container:
            self.codecs = {stream.codec_context.name for stream in container.streams}
            start = min((stream.start_time or 0) * stream.time_base for stream in container.streams)
            self.audio_start = None
            for frame in container.decode():
                if isinstance(frame, av.VideoFrame):
                    self.counters.append(read_counter(frame))
                    self.times.append((frame.time or 0) - float(start))
                    self.sizes.add((frame.width, frame.height))
                else:
                    if not parts:
                        self.rate = frame.sample_rate
                        converter = Converter(self.rate, 1)
                        self.audio_start = (frame.time or 0) - float(start)
                    parts.append(converter.convert(frame))
        self.samples = np.concatenate(parts) if parts else np.zeros((0, 1), np.int16)

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def names_in(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def coded(codec: RtpCodec, count: int) -> list[EncodedFrame]:
    """`count` frames of the moving picture, 30 per second."""
    with codecs.create_encoder(codec, bitrate=800_000) as encoder:
        made = []
        for number in range(count):
            frame = picture(320, 192, number)
            frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
            made += encoder.encode(frame)
    return made


def coded_tone(codec: RtpCodec, seconds: float) -> list[EncodedFrame]:
    wave = (np.sin(2 * np.pi * 440 * np.arange(round(48000 * seconds)) / 48000) * 8000).astype(np.int16)
    with codecs.create_encoder(codec) as encoder:
        return encoder.encode(to_frame(wave[:, None], 48000, 0))


@pytest.mark.parametrize("name", ["talk.mp4", "talk.webm", "talk.mkv", "talk.mov"])
@asynchronous
async def test_pictures_and_sound_are_in_the_file(tmp_path: Path, name: str) -> None:
    await record(tmp_path / name, TestPicture(count=24, **SIZE), TestTone(duration=0.8))
    got = Frames(tmp_path / name)
    assert got.counters == list(range(24))
    assert got.times == pytest.approx([index / 30 for index in range(24)], abs=0.2)
    assert 0.7 < got.seconds < 0.95
    assert abs(frequency_of(got.samples[got.rate // 4 : got.rate * 3 // 4], got.rate) - 440) < 2


@pytest.mark.parametrize("name", ["talk.wav", "talk.ogg", "talk.mka"])
@asynchronous
async def test_sound_alone(tmp_path: Path, name: str) -> None:
    await record(tmp_path / name, TestTone(duration=1, frequency=880))
    got = Frames(tmp_path / name)
    assert 0.95 < got.seconds < 1.1
    assert abs(frequency_of(got.samples[got.rate // 5 :], got.rate) - 880) < 2


@asynchronous
async def test_hls_is_a_list_of_segments(tmp_path: Path) -> None:
    tracks = TestPicture(count=60, **SIZE), TestTone(duration=2)
    await record(tmp_path / "live.m3u8", *tracks, format="hls", options={"hls_time": "1"})
    assert names_in(tmp_path, "*.ts")
    assert Frames(tmp_path / "live.m3u8").counters == list(range(60))


@pytest.mark.parametrize("ending", ["png", "jpg"])
@asynchronous
async def test_single_pictures(tmp_path: Path, ending: str) -> None:
    await record(tmp_path / f"shot-%03d.{ending}", TestPicture(count=5, **SIZE))
    names = names_in(tmp_path, f"*.{ending}")
    assert [Frames(tmp_path / name).counters for name in names] == [[index] for index in range(5)]


@pytest.mark.parametrize(
    ("codec", "name"),
    [(VP8, "a.webm"), (VP8, "a.mkv"), (H264, "a.mp4"), (H264, "a.mkv")]
    + [(RtpCodec("video", "VP9", 90000), name) for name in ("a.webm", "a.mp4")]
    + [(RtpCodec("video", "AV1", 90000), name) for name in ("a.mp4", "a.webm")]
    + [(RtpCodec("video", "H265", 90000), "a.mp4")],
    ids=lambda value: getattr(value, "name", value),
)
@asynchronous
async def test_encoded_frames_are_copied(tmp_path: Path, codec: RtpCodec, name: str) -> None:
    frames = coded(codec, 30)
    sound = EncodedSource(coded_tone(OPUS, 1), OPUS, realtime=False)
    await record(tmp_path / name, EncodedSource(frames, codec, realtime=False), sound)
    got = Frames(tmp_path / name)
    assert got.counters == list(range(30))
    assert abs(frequency_of(got.samples[got.rate // 4 :], got.rate) - 440) < 2
    with av.open(str(tmp_path / name)) as container:
        sizes = [packet.size for packet in container.demux(video=0) if packet.size]
    if codec.name.startswith("VP"):
        assert sizes == [len(frame) for frame in frames]


@pytest.mark.parametrize("copy", [True, False])
@asynchronous
async def test_a_source_may_be_faster_than_real_time(tmp_path: Path, copy: bool) -> None:
    codec = RtpCodec("audio", "PCMU", 8000)
    source = EncodedSource(coded_tone(codec, 20), codec, realtime=False)
    await record(tmp_path / "a.wav", source, copy=copy)
    got = Frames(tmp_path / "a.wav")
    assert got.codecs == {"pcm_mulaw" if copy else "pcm_s16le"}
    assert 19.9 < got.seconds <= 20.1


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
@asynchronous
async def test_what_was_lost_is_silence_in_a_file_without_timestamps(tmp_path: Path, name: str) -> None:
    codec = RtpCodec("audio", name, 8000)
    frames = coded_tone(codec, 2)
    source = EncodedSource(frames[:25] + frames[75:], codec, realtime=False)
    await record(tmp_path / "a.wav", source)
    got = Frames(tmp_path / "a.wav")
    assert len(got.samples) == len(frames) * 160
    assert np.abs(got.samples[25 * 160 + 10 : 75 * 160 - 10]).max() <= 8
    assert np.abs(got.samples[75 * 160 + 10 :]).max() > 7000


@asynchronous
async def test_encoded_frames_that_the_file_cannot_have_are_transcoded(tmp_path: Path) -> None:
    await record(tmp_path / "a.webm", EncodedSource(coded(H264, 20), H264, realtime=False))
    got = Frames(tmp_path / "a.webm")
    assert got.counters == list(range(20))
    assert got.codecs == {"vp8"}


@asynchronous
async def test_a_remote_track_is_recorded_as_it_comes(tmp_path: Path) -> None:
    remote = RemoteTrack("video")
    remote._set_codecs({96: VP8})
    tap = remote.encoded()

    async def arrive() -> None:
        for frame in coded(VP8, 20):
            remote._deliver(frame)
            await asyncio.sleep(0.005)
        remote._end()

    task = asyncio.create_task(arrive())
    await record(tmp_path / "a.mkv", tap)
    await task
    assert Frames(tmp_path / "a.mkv").counters == list(range(20))


class Late(TestPicture):
    """Begins half a second later than asked."""

    async def recv(self) -> av.VideoFrame:
        if self.counter == 0:
            await asyncio.sleep(0.5)
        return await super().recv()


@asynchronous
async def test_a_track_that_begins_late_is_late_in_the_file(tmp_path: Path) -> None:
    await record(tmp_path / "a.mkv", Late(count=15, **SIZE), TestTone(duration=1))
    got = Frames(tmp_path / "a.mkv")
    assert got.counters == list(range(15))
    assert got.times[0] == pytest.approx(0.5, abs=0.25)
    assert got.audio_start == pytest.approx(0, abs=0.05)


@asynchronous
async def test_sound_that_begins_late_is_preceded_by_silence(tmp_path: Path) -> None:
    class LateTone(TestTone):
        begun = False

        async def recv(self) -> av.AudioFrame:
            if not self.begun:
                self.begun = True
                await asyncio.sleep(0.5)
            return await super().recv()

    await record(
        tmp_path / "a.mkv", TestPicture(count=30, **SIZE), LateTone(duration=0.5), audio_codec="pcm_s16le"
    )
    got = Frames(tmp_path / "a.mkv")
    loud = np.flatnonzero(np.abs(got.samples[:, 0]) > 1000)
    assert loud[0] / got.rate == pytest.approx(0.5, abs=0.25)


@asynchronous
async def test_a_track_that_never_begins_does_not_hold_up_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtcore.media.recorder.JOIN_TIMEOUT", 0.2)
    silent = VideoSource()
    recorder = MediaRecorder(tmp_path / "a.mkv")
    recorder.add_track(silent)
    recorder.add_track(TestTone(duration=0.8))
    await recorder.start()
    await asyncio.sleep(1.0)
    await recorder.close()
    assert 0.7 < Frames(tmp_path / "a.mkv").seconds < 0.95


@asynchronous
async def test_the_size_of_the_file_stays_when_that_of_the_pictures_changes(tmp_path: Path) -> None:
    source = VideoSource(limit=20)
    for number, (width, height) in enumerate([(320, 192)] * 3 + [(640, 384)] * 3 + [(192, 320)] * 3):
        source.push(picture(width, height, number), time_of=number / 30)
    source.stop()
    await record(tmp_path / "a.mp4", source)
    got = Frames(tmp_path / "a.mp4")
    assert got.sizes == {(320, 192)}
    assert len(got.counters) == 9
    assert got.counters[:6] == list(range(6))


def test_a_picture_is_fitted_with_bars() -> None:
    source = av.VideoFrame.from_ndarray(np.full((100, 50, 3), 255, np.uint8), format="rgb24")
    luma = fitted(source, 200, 100, "yuv420p").to_ndarray()[:100]
    assert luma[50, 100] > 200
    assert luma[50, 10] == luma[50, 190] == 16


@asynchronous
async def test_a_recorder_without_frames_leaves_no_file(tmp_path: Path) -> None:
    async with MediaRecorder(tmp_path / "a.mp4") as recorder:
        recorder.add_track(VideoSource())
        await recorder.start()
    assert names_in(tmp_path, "*") == []


@asynchronous
async def test_a_recorder_is_closed_in_the_middle(tmp_path: Path) -> None:
    async with MediaRecorder(tmp_path / "a.mp4") as recorder:
        recorder.add_track(TestPicture(**SIZE))
        recorder.add_track(TestTone())
        await recorder.start()
        await asyncio.sleep(0.5)
    await recorder.close()
    got = Frames(tmp_path / "a.mp4")
    assert len(got.counters) >= 8
    assert got.counters == list(range(len(got.counters)))


@asynchronous
async def test_tracks_join_a_recorder_until_the_file_begins(tmp_path: Path) -> None:
    recorder = MediaRecorder(tmp_path / "a.mp4")
    recorder.add_track(TestTone(duration=0.4))
    await recorder.start()
    recorder.add_track(TestPicture(count=10, **SIZE))
    await recorder.start()
    await asyncio.sleep(0.6)
    await recorder.close()
    assert Frames(tmp_path / "a.mp4").counters == list(range(10))


@asynchronous
async def test_open_files_are_written_and_played(tmp_path: Path) -> None:
    written = io.BytesIO()
    async with MediaRecorder(written, format="matroska") as recorder:
        recorder.add_track(TestPicture(count=5, **SIZE))
        recorder.add_track(TestTone(duration=0.3))
        await recorder.start()
        await asyncio.sleep(0.5)
    written.seek(0)
    async with MediaPlayer(written, sample_rate=16000, channels=1, realtime=False, timeout=None) as player:
        assert player.video is not None
        assert len([frame async for frame in player.video]) == 5
        assert player.audio is not None
        sounds = [frame async for frame in player.audio]
    assert {(one.sample_rate, one.layout.name, one.format.name, one.samples) for one in sounds} == {
        (16000, "mono", "s16", 320)
    }
    assert [one.pts - sounds[0].pts for one in sounds] == [320 * place for place in range(len(sounds))]


@pytest.mark.parametrize("skip_late", [True, False])
@asynchronous
async def test_a_reader_that_is_too_slow(film: Path, skip_late: bool) -> None:
    async with MediaPlayer(film, audio=False, skip_late=skip_late) as player:
        assert player.video is not None
        seen = []
        for _ in range(12):
            seen.append(read_counter(await player.video.recv()))  # type: ignore[arg-type]
            await asyncio.sleep(0.12)
    assert (seen == list(range(12))) is not skip_late


@asynchronous
async def test_what_a_recorder_cannot_do_is_said(tmp_path: Path) -> None:
    with pytest.raises(OperationError):
        MediaRecorder(tmp_path / "a.nothing")
    recorder = MediaRecorder(tmp_path / "a.mp4")
    with pytest.raises(InvalidStateError):
        await recorder.start()
    ended = asyncio.Event()
    recorder.on("ended", ended.set)
    recorder.add_track(TestTone(duration=0.1))
    await recorder.start()
    await ended.wait()
    with pytest.raises(InvalidStateError, match="begun"):
        recorder.add_track(TestTone())
    await recorder.close()
    with pytest.raises(InvalidStateError):
        await recorder.start()
    with pytest.raises(OperationError):
        await record(tmp_path / "nowhere" / "a.mp4", TestTone(duration=0.1))
    with pytest.raises(OperationError):
        await record(tmp_path / "a.wav", TestPicture(count=2, **SIZE))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of H.264 without B-frames and Opus, key frames each half second."""
    file = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(file), "w") as container:
        options = {"tune": "zerolatency", "preset": "ultrafast"}
        video = container.add_stream("libx264", rate=30, options=options)
        video.width, video.height, video.gop_size, video.pix_fmt = 320, 192, 15, "yuv420p"
        audio = container.add_stream("libopus", rate=48000, layout="mono")
        for number in range(60):
            container.mux(video.encode(picture(320, 192, number)))
        wave = (np.sin(2 * np.pi * 440 * np.arange(96000) / 48000) * 8000).astype(np.int16)
        for at in range(0, 96000, 960):
            frame = av.AudioFrame.from_ndarray(wave[None, at : at + 960], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, at
            container.mux(audio.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return file


async def all_frames(track: MediaTrack | None) -> list:
    assert track is not None
    return [frame async for frame in track]


@asynchronous
async def test_a_file_plays_in_real_time_with_sound_and_pictures_together(film: Path) -> None:
    began = time.monotonic()
    async with await MediaPlayer.open(film) as player:
        ended = asyncio.Event()
        player.on("ended", ended.set)
        pictures, sounds = await asyncio.gather(all_frames(player.video), all_frames(player.audio))
        assert 1.8 < time.monotonic() - began < 10
        await asyncio.wait_for(ended.wait(), 5)
        assert player.error is None
    assert [read_counter(frame) for frame in pictures] == list(range(60))
    assert [frame.pts for frame in pictures] == [3000 * index for index in range(60)]
    samples = np.concatenate([Converter(48000, 1).convert(frame) for frame in sounds])
    assert 1.9 < len(samples) / 48000 < 2.1
    assert abs(frequency_of(samples[24000:72000], 48000) - 440) < 2


@asynchronous
async def test_a_file_is_read_as_fast_as_it_can_be(film: Path) -> None:
    began = time.monotonic()
    async with await MediaPlayer.open(film, realtime=False, audio=False) as player:
        assert player.audio is None
        pictures = await all_frames(player.video)
    assert len(pictures) == 60
    assert time.monotonic() - began < 2  # which it lasts


@asynchronous
async def test_a_file_plays_again_and_again(film: Path) -> None:
    async with await MediaPlayer.open(film, loop=True, realtime=False, audio=False) as player:
        assert player.video is not None
        frames = [await player.video.recv() for _ in range(150)]
    assert [read_counter(frame) for frame in frames] == [index % 60 for index in range(150)]
    assert [frame.pts for frame in frames] == [3000 * index for index in range(150)]


@asynchronous
async def test_encoded_frames_of_a_file_come_as_they_are(film: Path) -> None:
    async with await MediaPlayer.open(film, decode=False, realtime=False) as player:
        assert player.video is not None
        assert player.audio is not None
        assert player.video.codec is not None
        assert player.video.codec.name == "H264"
        assert player.video.codec.parameter_map["profile-level-id"].startswith("42")
        assert player.audio.codec is not None
        assert player.audio.codec.name == "opus"
        pictures, sounds = await asyncio.gather(all_frames(player.video), all_frames(player.audio))
    assert [frame.key for frame in pictures] == [index % 15 == 0 for index in range(60)]
    assert bytes(pictures[15])[:5] in (b"\0\0\0\1\x67", b"\0\0\0\1\x06", b"\0\0\0\1\x09")
    with codecs.create_decoder(player.video.codec) as decoder:
        assert [read_counter(made) for one in pictures for made in decoder.decode(one)] == list(range(60))
    assert [frame.timestamp for frame in pictures] == [3000 * index for index in range(60)]
    assert {frame.duration for frame in sounds[:-1]} == {960}


@asynchronous
async def test_pictures_out_of_order_are_refused_undecoded(tmp_path: Path) -> None:
    file = tmp_path / "b.mp4"
    with av.open(str(file), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.max_b_frames, video.pix_fmt = 320, 192, 2, "yuv420p"
        for number in range(30):
            container.mux(video.encode(picture(320, 192, number)))
        container.mux(video.encode(None))
    with pytest.raises(NotSupportedError, match="order"):
        await MediaPlayer.open(file, decode=False)
    async with await MediaPlayer.open(file, realtime=False) as player:
        assert [read_counter(frame) for frame in await all_frames(player.video)] == list(range(30))


@asynchronous
async def test_a_track_that_nobody_reads_does_not_hold_up_the_other(film: Path) -> None:
    async with await MediaPlayer.open(film) as player:
        assert len(await all_frames(player.audio)) > 95


@asynchronous
async def test_a_filter_graph_is_an_input() -> None:
    graph = "testsrc=size=160x120:rate=10:duration=0.5[out0];sine=frequency=500:duration=0.5[out1]"
    async with await MediaPlayer.open(graph, format="lavfi") as player:
        pictures, sounds = await asyncio.gather(all_frames(player.video), all_frames(player.audio))
    assert len(pictures) == 5
    assert sum(frame.samples for frame in sounds) == 22050


@asynchronous
async def test_a_reader_that_gives_up_loses_no_frame() -> None:
    graph, times, given_up = "testsrc2=size=64x48:rate=20:duration=1", [], 0
    async with await MediaPlayer.open(graph, format="lavfi", realtime=True, skip_late=False) as player:
        assert player.video is not None
        while True:
            try:
                frame = await asyncio.wait_for(player.video.recv(), 0.005)
            except TimeoutError:
                given_up += 1
            except TrackEndedError:
                break
            else:
                times.append(round(frame.time * 20))
    assert given_up > 20
    assert times == list(range(20))


@asynchronous
async def test_a_live_input_does_not_wait_for_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter graph stands for a camera."""
    monkeypatch.setattr("rtcore.media.demux.LIVE_FORMATS", {"lavfi"})
    graph = "testsrc=size=64x48:rate=100:duration=1"
    async with await MediaPlayer.open(graph, format="lavfi") as player:
        assert player.live
        assert player.video is not None
        lost: list[int] = []
        player.video.on("framesdropped", lost.append)
        await player.video.recv()
        await until(lambda: player.video is not None and player.video._finished)
        left = await all_frames(player.video)
        assert left[-1].pts == 99 * 900
        assert len(left) in (23, 24)  # what waits at the most; one may have been read of them
        assert sum(lost) == player.video.frames_dropped == 100 - 1 - len(left)


@asynchronous
async def test_closing_a_player_ends_its_reader(film: Path) -> None:
    player = await MediaPlayer.open(film, loop=True)
    reader = asyncio.create_task(all_frames(player.video))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await player.close()
    await player.close()
    assert await asyncio.wait_for(reader, 5)
    assert time.monotonic() - began < 5
    assert player.video is not None
    with pytest.raises(TrackEndedError):
        await player.video.recv()


@asynchronous
async def test_what_cannot_be_opened_or_read_is_said(tmp_path: Path, film: Path) -> None:
    with pytest.raises(OperationError, match="cannot be opened"):
        await MediaPlayer.open(tmp_path / "none.mp4")
    with pytest.raises(OperationError, match="asked for"):
        await MediaPlayer.open(film, audio=False, video=False)
    broken = tmp_path / "broken.mkv"
    await record(broken, TestPicture(count=30, **SIZE))
    data = bytearray(broken.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    broken.write_bytes(data)
    async with await MediaPlayer.open(broken, realtime=False) as player:
        pictures = [read_counter(frame) for frame in await all_frames(player.video)]
    assert pictures[0] == 0  # what is before the damage
    assert pictures != list(range(30))


@asynchronous
async def test_a_second_reader_of_a_track_is_told(film: Path) -> None:
    async with await MediaPlayer.open(film) as player:
        assert player.video is not None
        player._begin = lambda: None  # type: ignore[method-assign]  # so that nothing comes
        first = asyncio.create_task(player.video.recv())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="MediaRelay"):
            await player.video.recv()
        first.cancel()


@asynchronous
async def test_no_thread_is_left_behind(film: Path, tmp_path: Path) -> None:
    pool.close()
    gc.collect()
    before = set(threading.enumerate())
    for _ in range(3):
        async with await MediaPlayer.open(film, loop=True) as player:
            assert player.audio is not None
            assert player.video is not None
            async with (
                MediaBlackhole(player.audio, player.video),
                MediaRecorder(tmp_path / "a.mkv") as recorder,
            ):
                recorder.add_track(TestTone())
                await recorder.start()
                await asyncio.sleep(0.1)
    pool.close()
    assert set(threading.enumerate()) <= before
